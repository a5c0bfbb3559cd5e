"""What the studies say: shares of the possible improvement, samples needed, contrasts with intervals, the choice, the advice.

The possible improvement of a kappa is J of the best kappa-hop policy (the floor of its loss) minus J of the uniform policy.  Intervals are
Student-t over seeds, of differences on common seeds; the sentences are made from the numbers, whichever way they fall.

    python -m lpi.studies.results choose --floors floors.csv --rows screening*.csv --output chosen.json
    python -m lpi.studies.results report --floors floors.csv --visits visits.csv --chosen chosen.json --rows *.csv \
        --folder FOLDER
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lpi.claims.intervals import LEVEL, family, student
from lpi.results import atomic_write
from lpi.studies.design import (
    FACTORS,
    SCREENINGS,
    SHARES,
    STUDIES,
    UNREACHED,
    chosen_study,
    environment_key,
    screened,
)

DIFFERENCE = ("seeds", "mean", "low", "high", "level", "wide_low", "wide_high")
"""Of a difference: its mean and 95 % interval alone, then the level and bounds that make it one of a family at 95 %."""
QUANTITIES = ("closed", "unregularized_gain", "reported_gain", "visited_share", "entropy")


def read(paths: Sequence[Path], floors: Path, chosen: Mapping[str, Mapping[str, str]] | None = None) -> pd.DataFrame:
    """All rows of the studies, with the share of the possible improvement (`closed`) and the gains over the uniform policy.

    `reported_gain` is the gain in J_unreg + (J_reg - J_unreg) / n, the quantity that code with an entropy weight of tau
    per agent would plot.
    """
    table = pd.concat([pd.read_csv(path, dtype={"variant": str}) for path in paths], ignore_index=True)
    known = pd.read_csv(floors).set_index(["agents", "convention", "rho", "tau", "kappa"])
    parts = []
    for (study, variant, kappa), part in table.groupby(["study", "variant", "kappa"], sort=False):
        settings = (chosen_study(study, chosen, kappa) if chosen else STUDIES[study]).resolve(variant, kappa)
        floor = known.loc[(*environment_key(settings), kappa)]
        start = part["seed"].map(part[part["outer_loop"] == 0].set_index("seed")["unregularized"])
        entropy = part["regularized"] - part["unregularized"]
        first = floor["uniform"] - start
        parts.append(
            part.assign(
                closed=(part["regularized"] - floor["uniform"]) / (floor["floor"] - floor["uniform"]),
                unregularized_gain=part["unregularized"] - start,
                reported_gain=part["unregularized"] - start + (entropy - first) / settings.environment.agents,
            )
        )
    return pd.concat(parts, ignore_index=True)


def needed(curves: pd.DataFrame, share: float) -> pd.Series:
    """Samples after which each seed's curve has reached a share of the possible improvement and keeps it; infinity where it never does."""
    found = {}
    for seed, curve in curves.sort_values("outer_loop").groupby("seed"):
        below = np.flatnonzero(curve["closed"].to_numpy() < share)
        samples = curve["samples"].to_numpy(dtype=float)
        first = 0 if len(below) == 0 else below[-1] + 1
        found[seed] = samples[first] if first < len(samples) else np.inf
    return pd.Series(found)


def interval(values: Sequence[float], members: int = 1) -> tuple[float, float, float]:
    """Mean and Student-t interval, one of so many that cover together at LEVEL; nan bounds of a single, exact value."""
    return student(values, family(LEVEL, members))[:3]


def last(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of each run's last outer loop."""
    return rows[
        rows["outer_loop"] == rows.groupby(["study", "variant", "kappa", "seed"])["outer_loop"].transform("max")
    ]


def levels(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and interval of every quantity after the last outer loop, by study, variant and kappa."""
    ends, found = last(rows), []
    for (study, variant, kappa), part in ends.groupby(["study", "variant", "kappa"], sort=False):
        for quantity in QUANTITIES:
            if part[quantity].notna().all():
                found.append((study, variant, kappa, quantity, len(part), *interval(part[quantity])))
    return pd.DataFrame(found, columns=["study", "variant", "kappa", "quantity", "seeds", "mean", "low", "high"])


def contrasts(rows: pd.DataFrame) -> pd.DataFrame:
    """Differences between the pairs of variants that each study names, on common seeds, with `DIFFERENCE` columns.

    Bonferroni: `wide_low` and `wide_high` cover together, over all rows of a study, at LEVEL.
    """
    ends, found = last(rows), []
    for name, study in STUDIES.items():
        mine = ends[ends["study"] == name].set_index(["variant", "kappa", "seed"]).sort_index()
        differences = {}
        for quantity, (one, other), kappa in itertools.product(QUANTITIES, study.contrasts, study.kappas):
            difference = mine.loc[(one, kappa)][quantity] - mine.loc[(other, kappa)][quantity]
            if difference.notna().all():
                differences[name, one, other, kappa, quantity] = difference
        found += _with_intervals(differences)
    return pd.DataFrame(found, columns=["study", "first", "second", "kappa", "quantity", *DIFFERENCE])


def _with_intervals(differences: Mapping[tuple, pd.Series]) -> list[tuple]:
    """Rows of `DIFFERENCE` columns, the differences being one family."""
    members = len(differences)
    return [
        (*key, len(values), *interval(values), family(LEVEL, members), *interval(values, members)[1:])
        for key, values in differences.items()
    ]


def between_kappas(rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Difference of a quantity's last value between kappa and kappa - 1, on common seeds, by study and variant.

    With `DIFFERENCE` columns, the rows of a study and quantity being one family.
    """
    found = []
    for study, runs in last(rows).groupby("study", sort=False):
        differences = {}
        for variant, part in runs.groupby("variant", sort=False):
            by_kappa = {kappa: mine.set_index("seed")[quantity] for kappa, mine in part.groupby("kappa")}
            for kappa in [k for k in by_kappa if k - 1 in by_kappa]:
                difference = (by_kappa[kappa] - by_kappa[kappa - 1]).dropna()
                if len(difference):
                    differences[study, variant, kappa, quantity] = difference
        found += _with_intervals(differences)
    return pd.DataFrame(found, columns=["study", "variant", "kappa", "quantity", *DIFFERENCE])


def prices(rows: pd.DataFrame) -> pd.DataFrame:
    """Median samples needed for each of SHARES, how many seeds reach it, and what a run could draw at most."""
    found = []
    selected = rows[rows["study"].isin(["needed", "needed_8"])]
    for (study, variant, kappa), part in selected.groupby(["study", "variant", "kappa"], sort=False):
        for share in SHARES:
            samples = needed(part, share)
            found.append(
                (
                    study,
                    part["agents"].iloc[0],
                    variant,
                    kappa,
                    share,
                    len(samples),
                    int(np.isfinite(samples).sum()),
                    float(np.median(samples)),
                    float(samples.min()),
                    float(samples.max()),
                    int(part["samples"].max()),
                    float(part.groupby("seed")["closed"].max().median()),
                )
            )
    columns = [
        "study",
        "agents",
        "variant",
        "kappa",
        "share",
        "seeds",
        "reached",
        "median",
        "least",
        "most",
        "budget",
        "best",
    ]
    return pd.DataFrame(found, columns=columns)


def scores(rows: pd.DataFrame, study: str) -> pd.DataFrame:
    """Of a screening: log10 of the samples needed, averaged over SHARES and seeds; a row a variant, a column a kappa."""
    screening, found = rows[rows["study"] == study], {}
    for (variant, kappa), runs in screening.groupby(["variant", "kappa"], sort=False):
        unreached = UNREACHED * STUDIES[study].settings["budget"]
        samples = pd.concat([needed(runs, share) for share in SHARES]).replace(np.inf, unreached)
        found[variant, kappa] = float(np.log10(samples.clip(lower=1)).mean())
    return pd.Series(found).unstack().loc[list(screening["variant"].unique())]


def effects(score: pd.DataFrame, study: str) -> pd.DataFrame:
    """Mean difference in score, over kappas, of each level of a factor from its first level, all other factors alike.

    `at_choice` is the same difference where all other factors are as in the best variant: one pair, no interval.
    """
    score = score.mean(axis=1)
    design = pd.DataFrame(_factor_values(study)).T.loc[score.index].astype(str)
    best, found = design.loc[score.idxmin()], []
    for factor, values in FACTORS[study].items():
        others = [name for name in FACTORS[study] if name != factor]
        wide = design.assign(score=score).set_index([*others, factor])["score"].unstack(factor)
        for value in values[1:]:
            difference = wide[str(value)] - wide[str(values[0])]
            here = float(difference.loc[tuple(best[others])])
            found.append((study, factor, str(values[0]), str(value), len(difference), *interval(difference), here))
    columns = ["study", "factor", "first", "second", "pairs", "mean", "low", "high", "at_choice"]
    return pd.DataFrame(found, columns=columns)


def choose(rows: pd.DataFrame) -> dict:
    """For each study of Figure 7 and each kappa the best variant of its screening, by the rule of `lpi.studies.design`.

    `variants` is study -> kappa -> variant; `settings` says the same in words, for reports.
    """
    variants: dict[str, dict] = {}
    settings: dict[str, str] = {}
    for study, screening in SCREENINGS.items():
        score = scores(rows, screening)
        ends = last(rows[rows["study"] == screening]).groupby(["variant", "kappa"])["closed"].mean().unstack()
        agents = STUDIES[study].settings["agents"]
        for kappa in score.columns:
            best = pd.DataFrame({"score": score[kappa], "lost": -ends[kappa].loc[score.index]})
            variant = str(best.sort_values(["score", "lost"], kind="stable").index[0])
            variants.setdefault(study, {})[str(kappa)] = variant
            settings[f"n = {agents}, κ = {kappa}"] = variant
    return {"variants": variants, "settings": settings}


def _factor_values(study: str) -> dict[str, dict]:
    return {name: {factor: values[factor] for factor in FACTORS[study]} for name, values in screened(study).items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Choose the variants, or write all tables and the text."""
    parser = argparse.ArgumentParser(prog="python -m lpi.studies.results", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    choosing, reporting = commands.add_parser("choose"), commands.add_parser("report")
    for command in (choosing, reporting):
        command.add_argument("--rows", type=Path, nargs="+", required=True)
        command.add_argument("--floors", type=Path, required=True)
    choosing.add_argument("--output", type=Path, required=True)
    reporting.add_argument("--visits", type=Path, required=True)
    reporting.add_argument("--chosen", type=Path, required=True)
    reporting.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args(arguments)
    if options.command == "choose":
        found = choose(read(options.rows, options.floors))
        atomic_write(options.output, json.dumps(found, indent=2) + "\n")
        return
    report(options)


def report(options: argparse.Namespace) -> None:
    """Write every table, and the sentences made from them, into a folder."""
    from lpi.studies.text import sentences

    chosen = json.loads(options.chosen.read_text(encoding="utf-8"))
    rows = read(options.rows, options.floors, chosen["variants"])
    orders = pd.concat([between_kappas(rows, quantity) for quantity in ("closed", "regularized", *QUANTITIES[1:3])])
    tables = {
        "levels": levels(rows),
        "contrasts": contrasts(rows),
        "between_kappas": orders,
        "prices": prices(rows),
        "effects": pd.concat([effects(scores(rows, name), name) for name in FACTORS], ignore_index=True),
        "visits": pd.read_csv(options.visits),
        "loops": loops(rows),
    }
    for name, table in tables.items():
        atomic_write(options.folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
    atomic_write(options.folder / "chosen.json", json.dumps(chosen, indent=2) + "\n")
    atomic_write(options.folder / "studies.md", sentences(tables, chosen))


def loops(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean share of the possible improvement after each outer loop, of the studies that follow it loop by loop."""
    followed = ["truncation", "truncation_4", "printed_jump", "printed_jump_expected"]
    selected = rows[rows["study"].isin(followed)]
    return selected.groupby(["study", "variant", "kappa", "outer_loop"], sort=False)["closed"].mean().reset_index()


if __name__ == "__main__":
    main()
