"""The figure of the judged claims: every statistic with its interval, a panel for each claim."""

from __future__ import annotations

import textwrap
from typing import Any, cast

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lpi.claims import CLAIMS, CONTRADICTED, INVISIBLE, SUPPORTED, UNRESOLVED, UNTESTED
from lpi.claims.report import one_reading, unit
from lpi.plotting import STYLE, WIDTH, render

MARKS = {
    # colour, marker and filling: each alone tells them apart
    SUPPORTED: ("#009E73", "o", "full"),
    CONTRADICTED: ("#D55E00", "X", "full"),
    UNRESOLVED: ("#000000", "s", "none"),
    INVISIBLE: ("#56B4E9", "D", "none"),
}
COLUMNS = 2
ROW = 0.13
"""Height of a part in inches."""
SHOWN = 150
"""Dots per inch in the notebook, which shows 120: the figure is long, and a notebook and its page both hold it."""


def forest(table: pd.DataFrame) -> Figure:
    """Statistics with their intervals, a panel per claim of one reading, a line per part; claims not tested are left out.

    Args:
        table: claims of one reading, from `claims.evaluate` or `claims_report.read_claims`.

    Raises:
        ResultsError: several readings.
    """
    table = one_reading(table)
    reading = table["reading"].iloc[0]
    tested = table[(table["verdict"] != UNTESTED) & np.isfinite(table["statistic"])]
    names = list(dict.fromkeys(tested["claim"]))
    if not names:
        return _nothing(reading)
    rows = [names[at : at + COLUMNS] for at in range(0, len(names), COLUMNS)]
    heights = [max((tested["claim"] == name).sum() for name in row) * ROW + _decorations(row) for row in rows]
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(WIDTH, sum(heights) + 0.5), layout="constrained")
        axes = figure.subplots(len(rows), COLUMNS, squeeze=False, gridspec_kw={"height_ratios": heights})
        for ax, name in zip(axes.ravel(), names, strict=False):
            _draw(ax, tested[tested["claim"] == name], name)
        for ax in axes.ravel()[len(names) :]:
            ax.set_visible(False)
        handles = [
            Line2D([], [], color=color, marker=marker, fillstyle=cast(Any, filling), linestyle="none", label=verdict)
            for verdict, (color, marker, filling) in MARKS.items()
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=2)
        figure.supxlabel(
            f"Reading {reading}; intervals hold for all parts of a claim together, those of equivalence for one part; "
            "dashed: the value to exceed, or the margin",
            fontsize=6.5,
            color="0.35",
        )
    return figure


def show(figure: Figure):
    """The figure as a notebook shows it: its PNG at print width, with what it shows as the text for screen readers."""
    from IPython.display import Image

    text = f"Statistics of the claims with intervals. {figure.get_supxlabel()}."
    return Image(render(figure, "png", SHOWN), format="png", width=round(figure.get_figwidth() * 120), alt=text)


def _nothing(reading: str) -> Figure:
    """What a grid too small for any claim gets: too few kappas, panels or seeds."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.6), layout="constrained")
        figure.supxlabel(f"Reading {reading}: no claim was tested on this grid")
    return figure


def _draw(ax: Axes, parts: pd.DataFrame, name: str) -> None:
    for height, row in enumerate(parts.to_dict("records")):
        color, marker, filling = MARKS[row["verdict"]]
        if np.isfinite(row["low"]) and np.isfinite(row["high"]):
            ax.plot([row["low"], row["high"]], [height, height], color=color, linewidth=1)
        ax.plot(row["statistic"], height, color=color, marker=marker, fillstyle=cast(Any, filling), linestyle="none")
    for value in CLAIMS[name].marks:
        ax.axvline(value, color="0.4", linestyle="--", linewidth=0.7, zorder=0)
    ax.set_yticks(range(len(parts)), [_label(row) for row in parts.to_dict("records")], fontsize=5.5)
    ax.set_ylim(len(parts) - 0.4, -0.6)
    ax.set_xlabel(unit(parts["unit"].iloc[0]))
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_title("\n".join(_title(name)), fontsize=7)


def _title(claim: str) -> list[str]:
    return textwrap.wrap(CLAIMS[claim].says, 40)


def _decorations(claims: list[str]) -> float:
    """Height in inches of what stands around a row of panels: the longest title, ticks and label."""
    return 0.6 + 0.13 * max(len(_title(name)) for name in claims)


def _label(row: dict) -> str:
    tau = "" if np.isnan(row["tau"]) else f", τ = {row['tau']:g}"
    return f"n = {row['agents']:g}{tau}, {row['part']}"
