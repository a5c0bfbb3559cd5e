"""What the studies say: shares of the possible improvement, samples needed, contrasts with intervals, the choice, the advice.

The possible improvement of a kappa is J of the best kappa-hop policy (the floor of its loss) minus J of the uniform policy.  Intervals are
Student-t over seeds, of differences on common seeds; the sentences are made from the numbers, whichever way they fall.

    python -m lpi.studies.results choose --floors floors.csv --rows screening_kappa*.csv --output chosen.json
    python -m lpi.studies.results report --floors floors.csv --visits visits.csv --chosen chosen.json --rows *.csv \
        --folder FOLDER
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from lpi.results import atomic_write
from lpi.studies.design import BUDGET, FACTORS, SHARES, STUDIES, chosen_study, environment_key, screened

LEVEL = 0.95
UNREACHED = 10.0
"""What counts, in budgets, as the samples of a run of `screening` that does not reach a share within its budget."""
QUANTITIES = ("closed", "unregularized_gain", "reported_gain", "visited_share", "entropy")


def read(paths: Sequence[Path], floors: Path, chosen: str = "") -> pd.DataFrame:
    """All rows of the studies, with the share of the possible improvement (`closed`) and the gains over the uniform policy.

    `reported_gain` is the gain in J_unreg + (J_reg - J_unreg) / n, the quantity that code with an entropy weight of tau
    per agent would plot.
    """
    table = pd.concat([pd.read_csv(path, dtype={"variant": str}) for path in paths], ignore_index=True)
    known = pd.read_csv(floors).set_index(["agents", "convention", "rho", "tau", "kappa"])
    parts = []
    for (study, variant, kappa), part in table.groupby(["study", "variant", "kappa"], sort=False):
        settings = (chosen_study(study, chosen) if chosen else STUDIES[study]).resolve(variant, kappa)
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


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and Student-t interval at LEVEL; a single value is its own interval (an exact quantity)."""
    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    if len(values) == 1:
        return mean, mean, mean
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half


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
    """Differences between the pairs of variants that each study names, and between neighbouring kappas, on common seeds."""
    ends, found = last(rows), []
    columns = ["study", "first", "second", "kappa", "quantity", "seeds", "mean", "low", "high"]
    for name, study in STUDIES.items():
        mine = ends[ends["study"] == name].set_index(["variant", "kappa", "seed"]).sort_index()
        for quantity in QUANTITIES:
            for one, other in study.contrasts:
                for kappa in study.kappas:
                    difference = mine.loc[(one, kappa)][quantity] - mine.loc[(other, kappa)][quantity]
                    if difference.notna().all():
                        found.append((name, one, other, kappa, quantity, len(difference), *interval(difference)))
    return pd.DataFrame(found, columns=columns)


def between_kappas(rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Difference of a quantity's last value between kappa and kappa - 1, on common seeds, by study and variant."""
    found = []
    for (study, variant), part in last(rows).groupby(["study", "variant"], sort=False):
        by_kappa = {kappa: runs.set_index("seed")[quantity] for kappa, runs in part.groupby("kappa")}
        for kappa in [k for k in by_kappa if k - 1 in by_kappa]:
            difference = (by_kappa[kappa] - by_kappa[kappa - 1]).dropna()
            if len(difference):
                found.append((study, variant, kappa, quantity, len(difference), *interval(difference)))
    return pd.DataFrame(found, columns=["study", "variant", "kappa", "quantity", "seeds", "mean", "low", "high"])


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


def scores(rows: pd.DataFrame) -> pd.Series:
    """log10 of the samples needed, averaged over SHARES, kappas and seeds, by variant of `screening`."""
    screening = rows[rows["study"] == "screening"]
    found = {}
    for variant, part in screening.groupby("variant", sort=False):
        samples = [needed(runs, share) for _, runs in part.groupby("kappa") for share in SHARES]
        found[variant] = float(np.log10(pd.concat(samples).replace(np.inf, UNREACHED * BUDGET).clip(lower=1)).mean())
    return pd.Series(found)


def effects(score: pd.Series) -> pd.DataFrame:
    """Mean difference in score of each level of a factor from its first level, all other factors alike.

    `at_choice` is the same difference where all other factors are as in the best variant: one pair, no interval.
    """
    design = pd.DataFrame(_factor_values()).T.loc[score.index].astype(str)
    best, found = design.loc[score.idxmin()], []
    for factor, values in FACTORS.items():
        others = [name for name in FACTORS if name != factor]
        wide = design.assign(score=score).set_index([*others, factor])["score"].unstack(factor)
        for value in values[1:]:
            difference = wide[str(value)] - wide[str(values[0])]
            here = float(difference.loc[tuple(best[others])])
            found.append((factor, values[0], value, len(difference), *interval(difference), here))
    columns = ["factor", "first", "second", "pairs", "mean", "low", "high", "at_choice"]
    return pd.DataFrame(found, columns=columns)


def choose(rows: pd.DataFrame) -> dict:
    """The variant of `screening` with the lowest score, with its settings."""
    score = scores(rows)
    variant = str(score.idxmin())
    return {"variant": variant, "score": round(score[variant], 6), "settings": dict(_factor_values()[variant])}


def _factor_values() -> dict[str, dict]:
    return {name: {factor: values[factor] for factor in FACTORS} for name, values in screened().items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Choose a variant, or write all tables and the text."""
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
    rows = read(options.rows, options.floors, chosen["variant"])
    orders = pd.concat([between_kappas(rows, quantity) for quantity in ("closed", "regularized", *QUANTITIES[1:3])])
    tables = {
        "levels": levels(rows),
        "contrasts": contrasts(rows),
        "between_kappas": orders,
        "prices": prices(rows),
        "effects": effects(scores(rows)),
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
