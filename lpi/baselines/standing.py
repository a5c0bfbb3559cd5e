"""Where LPI is ahead of the other algorithms and where it is behind, in words, from the published table of the comparison."""

from __future__ import annotations

import pandas as pd

from lpi.baselines.design import ALGORITHMS, Entry

COLUMNS = ("algorithm", "choice", "step", "kappa", "closed", "low", "high")
"""What is read of figures/baseline/baseline.csv."""


def sentences(table: pd.DataFrame) -> str:
    """LPI against each other algorithm, both with a step for each kappa, as a list in Markdown.

    One is ahead of the other at a kappa if its mean is larger and their intervals have nothing in common.  A step
    that lies at an end of its grid is named: a better one may lie beyond.

    Args:
        table: rows with `COLUMNS`.
    """
    each = table[table["choice"] == "each"].set_index(["algorithm", "kappa"])
    lines = [
        "With a step for each κ. *Ahead*: its whole interval lies above the other's; *level*: neither is ahead.",
        "",
    ]
    for name, entry in ALGORITHMS.items():
        if name == "lpi":
            continue
        found: dict[str, list[str]] = {"ahead": [], "behind": [], "level": []}
        for kappa, rival in each.loc[name].sort_index().iterrows():
            lpi = each.loc[("lpi", kappa)]
            where = "ahead" if lpi["low"] > rival["high"] else "behind" if lpi["high"] < rival["low"] else "level"
            found[where].append(f"κ = {kappa} ({_cell(lpi, ALGORITHMS['lpi'])} against {_cell(rival, entry)})")
        said = [f"{where} at {', '.join(places)}" for where, places in found.items() if places]
        lines.append(f"- LPI against the {entry.says}: {'; '.join(said)}.")
    return "\n".join(lines)


def _cell(row: pd.Series, entry: Entry) -> str:
    """Mean and interval, and the step where it lies at an end of the grid."""
    ends = (entry.steps[0], entry.steps[-1])
    at_end = f", its step {row['step']:g} at an end of the grid" if row["step"] in ends else ""
    return f"{row['closed']:.3f}\u00a0[{row['low']:.3f},\u00a0{row['high']:.3f}]{at_end}"
