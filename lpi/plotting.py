"""The figures: one style, one look for each kappa, learning curves in panels.

Every figure is made without pyplot, so that nothing here has global state, and saved without dates or program names,
so that the same curves give the same bytes.
"""

from __future__ import annotations

import io
import itertools
import os
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lpi.panels import select
from lpi.results import ResultsError, atomic_write
from lpi.summary import matrix, method_text, quantity_name, quartiles, seeds_of

WIDTH = 7.0
"""Width of a figure in inches: the two columns of a printed page."""
RESOLUTION = 200
COLUMNS = 3
FLATTEST = 5e-4
"""Smallest height of a panel relative to the rewards in it: below it, a flat curve would be magnified into noise."""

STYLE = {
    "axes.edgecolor": "0.3",
    "axes.grid": True,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8,
    "figure.dpi": RESOLUTION,
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "grid.color": "0.9",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "legend.handlelength": 3.0,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
    "mathtext.fontset": "dejavusans",
    "pdf.fonttype": 42,
    "svg.hashsalt": "lpi",
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
}


class Look(NamedTuple):
    """Colour, line and marker of a kappa; each alone tells the first four apart, and the colours differ in grey."""

    color: str
    linestyle: str | tuple
    marker: str


LOOKS = [
    Look(color, line, marker)  # type: ignore[arg-type]
    for color, line, marker in zip(
        # Okabe and Ito's palette: safe for the common forms of colour blindness.
        ("#000000", "#0072B2", "#D55E00", "#56B4E9", "#CC79A7", "#009E73", "#E69F00"),
        ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (1.2, 1.2)), "-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5))),
        "os^DvP*",
        strict=True,
    )
]


def look(kappa: int) -> Look:
    """The look of a kappa, the same in every figure (repeated from kappa = 7 on)."""
    return LOOKS[kappa % len(LOOKS)]


def marked(kappa: int, count: int) -> tuple[int, int]:
    """First marked point of a curve of `count` points, and the step: markers of neighbouring kappas are shifted so that
    curves on top of each other stay readable."""
    step = max(1, count // 8)
    return min(kappa % 4 * step // 4, count - 1), step


def learning_curves(
    curves: pd.DataFrame, panels: Sequence[tuple[int, float]], quantity: str, kappas: Sequence[int] | None = None
) -> Figure:
    """Median and 25-75 % band over the seeds against the outer loop, one panel per (agents, tau).

    Args:
        curves: curves of one reading, from `results.read_curves`.
        panels: (agents, tau) of each panel, in reading order; three to a row.
        quantity: a key of `results.QUANTITIES`.
        kappas: the kappas to draw; default: all that the panels hold.

    Raises:
        ResultsError: no panel, a panel or kappa without curves, several readings, or an unknown quantity.
    """
    if not panels:
        raise ResultsError("panels: [] is not allowed; at least one (agents, tau)")
    selected = [select(curves, agents, tau, kappas) for agents, tau in panels]
    rows, columns = -(-len(panels) // COLUMNS), min(len(panels), COLUMNS)
    with matplotlib.style.context(STYLE):
        width = WIDTH if columns > 1 else WIDTH * 0.6
        figure = Figure(figsize=(width, 0.75 + 1.95 * rows), layout="constrained")
        everything = pd.concat(selected)
        name = quantity_name(everything, quantity)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for number, (ax, panel, title) in enumerate(itertools.zip_longest(axes, selected, panel_titles(panels))):
            if panel is None:
                ax.set_visible(False)
                continue
            _draw_panel(ax, panel, quantity)
            ax.set_title(title)
            if number % columns == 0:
                ax.set_ylabel(f"{textwrap.fill(name, 30)}\n(discounted sum)")
            if number + columns >= len(panels):
                ax.set_xlabel("Outer loop $m$")
        handles = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
        labels = sorted(handles, key=lambda label: int(label.strip("$").split("=")[1]))
        figure.legend([handles[label] for label in labels], labels, loc="outside upper center", ncols=7)
        figure.supxlabel(caption(everything, panels), fontsize=6.5, color="0.35")
    return figure


def caption(curves: pd.DataFrame, panels: Sequence[tuple[int, float]]) -> str:
    """The line below a figure: reading, what is drawn over how many seeds, how J was computed, what is not shared."""
    parts = [f"Reading {curves['reading'].iloc[0]}"]
    if len(panels) > 1:
        agents, taus = {n for n, _ in panels}, {tau for _, tau in panels}
        parts += [f"$n = {n}$" for n in agents if len(agents) == 1]
        parts += [rf"$\tau = {tau:g}$" for tau in taus if len(taus) == 1]
    parts += [f"line: median, band: 25–75 % of {seeds_of(curves)}", method_text(curves)]
    return "; ".join(parts + ["vertical axes differ"] * (len(panels) > 1))


def save(figure: Figure, prefix: str | os.PathLike) -> None:
    """Write PREFIX.pdf and PREFIX.png."""
    for kind in ("pdf", "png"):
        atomic_write(f"{os.fspath(prefix)}.{kind}", render(figure, kind))


def render(figure: Figure, kind: str, dpi: int = RESOLUTION) -> bytes:
    """The figure as the bytes of a "pdf" or "png" file, without the date and the program that made it."""
    metadata = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}, "png": {"Software": None}}
    buffer = io.BytesIO()
    with matplotlib.style.context(STYLE):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata[kind])
    return buffer.getvalue()


def show(figure: Figure, text: str = "Learning curves"):
    """The figure as a notebook shows it: its PNG at print width; `text` and its caption are for screen readers."""
    from IPython.display import Image

    caption_text = figure.get_supxlabel().replace("$", "").replace("\\tau", "τ")
    width = round(figure.get_figwidth() * 120)
    alt = ". ".join(part for part in (text, caption_text) if part)
    return Image(render(figure, "png"), format="png", width=width, alt=f"{alt}.")


def _draw_panel(ax: Axes, panel: pd.DataFrame, quantity: str) -> None:
    for kappa, runs in panel.groupby("kappa"):
        low, middle, high = quartiles(matrix(runs, quantity))
        loops = np.arange(len(middle))
        ax.fill_between(loops, low, high, color=look(kappa).color, alpha=0.18, linewidth=0)
        ax.plot(
            loops, middle, label=rf"$\kappa = {kappa}$", markevery=marked(kappa, len(loops)), **look(kappa)._asdict()
        )
    low, high = ax.get_ylim()
    lacking = FLATTEST * max(abs(low), abs(high)) - (high - low)
    if lacking > 0:
        ax.set_ylim(low - lacking / 2, high + lacking / 2)
    ax.ticklabel_format(axis="y", useOffset=False)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    ax.margins(x=0.02)


def panel_titles(panels: Sequence[tuple[int, float]]) -> list[str]:
    """The titles of panels (agents, tau): a title names what differs between the panels; a single panel names both."""
    agents, taus = {n for n, _ in panels}, {tau for _, tau in panels}
    names_agents = len(agents) > 1 or len(panels) == 1
    names_tau = len(taus) > 1 or len(panels) == 1
    return [", ".join([f"$n = {n}$"] * names_agents + [rf"$\tau = {tau:g}$"] * names_tau) for n, tau in panels]
