"""The judged claims in words and files: a table per reading, claims against readings, columns for the summary."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np
import pandas as pd

from lpi.claims import CLAIMS, COLUMNS, CONTRADICTED, INVISIBLE, SUPPORTED, UNRESOLVED, UNTESTED, VERDICTS, overall
from lpi.claims.intervals import POWER
from lpi.results import ResultsError, atomic_write, must_exist
from lpi.summary import VERDICT_OF

SUMMARY_CLAIMS = {
    "reward": ("reward_by_tau", "reward_by_size"),
    "rate": ("rate_own",),
    "unregularized": ("unregularized_rises", "kappa3_worse"),
    "works": ("works_outside",),
}
"""Column of the summary -> the claims whose verdict on the row's n, tau and kappa it gives."""
_RANK = (CONTRADICTED, UNRESOLVED, UNTESTED, INVISIBLE, SUPPORTED)


def read_table(path: str | os.PathLike, columns: Iterable[str] = ()) -> pd.DataFrame:
    """A CSV table with at least these columns; ResultsError names the file.  The distance "none" stays a word."""
    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, UnicodeDecodeError) as error:  # the parser's errors are ValueErrors
        raise ResultsError(f"{path}: not a CSV table: {error}") from error
    missing = [name for name in columns if name not in table]
    if missing:
        raise ResultsError(f"{path}: column {', '.join(missing)}: missing")
    return table


def read_claims(path: str | os.PathLike) -> pd.DataFrame:
    """A table that `write` made."""
    must_exist(path, "snakemake --cores 2")
    table = read_table(path, COLUMNS)
    for column, allowed in (("claim", CLAIMS), ("verdict", VERDICTS)):
        unknown = sorted(set(table[column]) - set(allowed))
        if unknown:
            raise ResultsError(f"{path}: column {column}: {unknown[0]!r} is not allowed; one of {', '.join(allowed)}")
    return table.fillna({"part": "", "unit": "", "note": ""})


def write(table: pd.DataFrame, path: str | os.PathLike) -> None:
    """The table as CSV, with twelve significant digits: more are not the same on every machine."""
    atomic_write(path, table.to_csv(index=False, float_format="%.12g", lineterminator="\n"))


def one_reading(table: pd.DataFrame, reading: str | None = None) -> pd.DataFrame:
    """The rows of a reading, by default of the only one; ResultsError if there is none such or the choice is open."""
    readings = list(dict.fromkeys(table["reading"]))
    if reading not in readings and not (reading is None and len(readings) == 1):
        raise ResultsError(f"reading: {reading!r} is not allowed; one of {', '.join(readings)}")
    return table[table["reading"] == (readings[0] if reading is None else reading)]


def to_markdown(table: pd.DataFrame) -> str:
    """One reading: a row per claim with its place, its verdict, its weakest part with interval, and what would resolve it."""
    table = one_reading(table)
    lines = ["| Claim | Paper | Verdict | Parts | Statistic [interval] | To resolve |", "|---|---|---|---:|---|---|"]
    for row in overall(table).itertuples():
        parts = table[table["claim"] == row.claim]
        cells = [
            CLAIMS[row.claim].says, CLAIMS[row.claim].where, f"**{row.verdict}**", f"{row.supported} of {row.parts}",
            _statistic(parts), _remedy(row.verdict, row.seeds_needed, parts),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def by_reading(table: pd.DataFrame) -> str:
    """Claims against readings in Markdown: the overall verdicts, and the parts supported."""
    verdicts = overall(table)
    readings = list(dict.fromkeys(verdicts["reading"]))
    found = {(row.reading, row.claim): row for row in verdicts.itertuples()}
    lines = [f"| Claim | Paper | {' | '.join(readings)} |", "|---|---|" + "---|" * len(readings)]
    for name in dict.fromkeys(verdicts["claim"]):
        cells = [_cell(found.get((reading, name))) for reading in readings]
        lines.append(f"| {CLAIMS[name].says} | {CLAIMS[name].where} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def explanation() -> str:
    """What the columns of `to_markdown` mean."""
    text = (
        "Statistic: that of the part that speaks most against the claim, with a Student-t interval that holds for all "
        "parts of the claim together (equivalence: two one-sided tests). Parts: pairs of κ, of n, or single κ in each "
        "panel; how many support the claim. A claim is contradicted if any part is, supported if all are."
    )
    return f"{text} Numbers of seeds are those that resolve the difference seen, or the least that matters, with a power of {100 * POWER:g} %."


def summary_columns(table: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Verdict columns beside the rows of a summary: for each of `SUMMARY_CLAIMS`, what the claim's parts say there.

    A row (reading, quantity, agents, tau, kappa) has the parts of its panel that its kappa is in, and of several
    verdicts the one that speaks most against the claim; a claim that has no part there, or is about another quantity,
    leaves it empty.
    """
    tested = table[table["verdict"] != UNTESTED]
    places: dict[tuple, set[str]] = {}
    for row in tested.itertuples():
        for kappa in _kappas(row.part):
            places.setdefault((row.reading, row.agents, row.tau, kappa, row.claim), set()).add(row.verdict)
    columns: dict[str, list[str]] = {f"{VERDICT_OF}{name}": [] for name in SUMMARY_CLAIMS}
    for row in summary.itertuples():
        for name, claims in SUMMARY_CLAIMS.items():
            key = (row.reading, row.agents, row.tau, row.kappa)
            found = set().union(*(places.get((*key, claim), set()) for claim in claims))
            about_it = (name == "unregularized") == (row.quantity == "unregularized")
            columns[f"{VERDICT_OF}{name}"].append(min(found, key=_RANK.index) if found and about_it else "")
    return pd.DataFrame(columns, index=summary.index)


def weakest(parts: pd.DataFrame) -> pd.Series | None:
    """The tested part whose verdict is worst, and of these the one with the least (for equivalence: largest) statistic."""
    tested = parts[parts["verdict"] != UNTESTED]
    if tested.empty:
        return None
    worst = tested[tested["verdict"] == min(tested["verdict"], key=_RANK.index)]
    equivalent = CLAIMS[worst["claim"].iloc[0]].rule == "equivalent"
    order = -worst["statistic"].abs() if equivalent else worst["statistic"]
    # a statistic that is missing (nothing to compare) comes last
    return worst.loc[order.fillna(np.inf).idxmin()]


def _kappas(part: str) -> list[int]:
    """The kappas of a part's name: `κ 0 → 1` or `κ = 2`."""
    words = part.split(",")[0].replace("=", " ").split()
    return [int(word) for word in words if word.isdigit()] if words[:1] == ["κ"] else []


def _statistic(parts: pd.DataFrame) -> str:
    row = weakest(parts)
    if row is None:
        return "–"
    place = [f"n = {row['agents']:g}"] + [f"τ = {row['tau']:g}"] * (not np.isnan(row["tau"])) + [row["part"]]
    bounds = f" [{row['low']:.3g}, {row['high']:.3g}]" if row["seeds"] else " (exact)"
    return f"{row['statistic']:.3g}{bounds} {unit(row['unit'])} ({', '.join(place)})"


def _remedy(verdict: str, seeds: float, parts: pd.DataFrame) -> str:
    if verdict == UNTESTED:
        return "; ".join(dict.fromkeys(parts["note"]))
    if verdict != UNRESOLVED:
        return "–"
    untested = parts[parts["verdict"] == UNTESTED]
    reasons = list(dict.fromkeys(untested["note"]))
    if (parts["verdict"] == UNRESOLVED).any():
        reasons.insert(0, "no number of seeds" if np.isnan(seeds) else f"{seeds:.0f} seeds")
    return "; ".join(reasons)


def _cell(row) -> str:
    return "–" if row is None else f"{row.verdict} ({row.supported}/{row.parts})"


def unit(value: str) -> str:
    """The unit of a statistic in words; the tables' "gap" is the possible improvement, J* less J of the uniform policy."""
    return value.replace("share of gap", "share of the possible improvement")
