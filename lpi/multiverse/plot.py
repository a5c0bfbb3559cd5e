"""The figures of the multiverse: the specification curve and the map of main effects."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lpi import claims
from lpi.config import SETTINGS
from lpi.multiverse.design import Design
from lpi.multiverse.effects import ordered, text_of
from lpi.plotting import STYLE, WIDTH
from lpi.results import ResultsError

VERDICTS = dict(zip(claims.VERDICTS, ("#0B3C6F", "#E69F00", "#CCCCCC", "#EBEBEB", "#FFFFFF"), strict=True))
"""Colours of the verdicts; their lightness differs, so that they are told apart in grey too."""
CHOSEN, NOT_CHOSEN = "#404040", "#EFEFEF"
ROW = 0.125  # inches for each row of tiles
LABEL = 5.5  # points
SHORT = {"trajectory_length": "T", "entropy_weight": "entropy weight", "episode_length": "episodes"}
MARKED = {"as_printed": "#000000", "working": "#0072B2", "best_match": "#D55E00"}


def specification_curve(
    verdicts: pd.DataFrame, design: Design, agents: int, marked: Mapping[str, str] | None = None
) -> Figure:
    """Readings from left to right by the number of claims they satisfy; verdicts above, choices below.

    Args:
        verdicts: rows of `multiverse_verdicts.judge`.
        design: gives the choices.
        agents: number of agents.
        marked: name of a reading in the figure -> its name in the verdicts, for lines across the first panel.

    Raises:
        ResultsError: no verdicts for that number of agents.
    """
    table = verdicts[verdicts["agents"] == agents]
    if table.empty:
        raise ResultsError(f"agents: {agents} is not allowed; the verdicts have {sorted(set(verdicts['agents']))}")
    tally = ordered(table, design.name_of("as_printed"))
    names, rows = list(tally["reading"]), list(dict.fromkeys(table["claim"]))
    judged = table.pivot(index="claim", columns="reading", values="verdict").loc[rows, names]
    chosen = table.drop_duplicates("reading").set_index("reading").loc[names]
    keys = [key for key in design.choices if chosen[key].nunique() > 1]
    levels = [(key, text_of(v)) for key in keys for v in design.choices[key] if text_of(v) in set(chosen[key])]
    heights = [1.0, ROW * len(rows), ROW * len(levels)]
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(WIDTH, sum(heights) + 1.0), layout="constrained")
        top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=heights)
        _draw_counts(top, tally, len(rows), {k: names.index(v) for k, v in (marked or {}).items() if v in names})
        present = [name for name in VERDICTS if (judged == name).to_numpy().any()]
        _tiles(
            middle,
            judged.map(lambda name: to_rgb(VERDICTS[name])).to_numpy().tolist(),
            [row.replace("_", " ") for row in rows],
        )
        shown = [[to_rgb(CHOSEN if value == level else NOT_CHOSEN) for value in chosen[key]] for key, level in levels]
        _tiles(bottom, shown, [f"{SHORT.get(key, key)}: {_word(level)}" for key, level in levels])
        for row in range(1, len(levels)):
            if levels[row][0] != levels[row - 1][0]:
                bottom.axhline(row - 0.5, color="white", linewidth=1.6)
        bottom.set_xlabel(f"{len(names)} readings at $n = {agents}$, by number of claims supported")
        handles = [Patch(facecolor=VERDICTS[name], edgecolor="0.5", linewidth=0.3, label=name) for name in present]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=6.5, handlelength=1.5)
        figure.supxlabel(_caption(design, marked), fontsize=6.5, color="0.35")
    return figure


def effect_map(effects: pd.DataFrame, agents: int, outcome: str = "supported") -> Figure:
    """Main effects on the share of readings under which each claim is supported (or contradicted), as a table.

    Bold and framed: the interval at the level shared among all effects on the claim leaves out 0.
    """
    main = effects[(effects["agents"] == agents) & (effects["outcome"] == outcome) & (effects["with_choice"] == "")]
    if main.empty:
        return _notice(f"The readings at $n = {agents}$ are too few to tell main effects apart.")
    columns = list(dict.fromkeys(zip(main["choice"], main["value"], strict=True)))
    rows = list(dict.fromkeys(main["claim"]))
    found = {(r.claim, r.choice, r.value): r for r in main.itertuples()}
    values = np.array([[getattr(found.get((c, *k)), "effect", np.nan) for k in columns] for c in rows])
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.5 + 0.2 * len(rows)), layout="constrained")
        ax = figure.subplots()
        ax.grid(False)
        ax.imshow(values, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
        for row, claim in enumerate(rows):
            for column, key in enumerate(columns):
                cell = found.get((claim, *key))
                if cell is None:
                    continue
                ax.text(
                    column, row, f"{cell.effect:+z.2f}".replace("-", "−"), ha="center", va="center", fontsize=5.5,
                    color="white" if abs(cell.effect) > 0.6 else "black", weight="bold" if cell.clear else "normal",
                    bbox=dict(boxstyle="square,pad=0.15", fill=False, linewidth=0.6 if cell.clear else 0),
                )  # fmt: skip
        ax.set_yticks(range(len(rows)), [row.replace("_", " ") for row in rows], fontsize=LABEL)
        words = [f"{SHORT.get(key, key)}\n{_word(value)}" for key, value in columns]
        ax.set_xticks(range(len(columns)), words, fontsize=LABEL, rotation=60, ha="right", rotation_mode="anchor")
        text = (
            f"$n = {agents}$; change of the share of readings under which the claim is {outcome}, from the first value "
            "of the choice to the one named; framed: the interval, shared among all effects on the claim, leaves out 0"
        )
        figure.supxlabel(textwrap.fill(text, 130), fontsize=6.5, color="0.35")
    return figure


def _notice(text: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.5))
        figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def show(figure: Figure, text: str):
    """The figure as a notebook shows it: its PNG at print width, with a text for screen readers."""
    from IPython.display import Image

    from lpi.plotting import render

    return Image(render(figure, "png"), format="png", width=round(figure.get_figwidth() * 120), alt=text)


def _draw_counts(ax: Axes, tally: pd.DataFrame, most: int, marked: Mapping[str, int]) -> None:
    edges = np.arange(len(tally) + 1) - 0.5
    ax.stairs(tally["supported"], edges, fill=True, color=VERDICTS[claims.SUPPORTED])
    ax.stairs(-tally["contradicted"], edges, fill=True, color=VERDICTS[claims.CONTRADICTED])
    ax.axhline(0, color="0.3", linewidth=0.6)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(-most, most)
    ax.set_yticks([-most, 0, most], [str(most), "0", str(most)])
    ax.set_ylabel("contra-     sup-\ndicted     ported", fontsize=6)
    for number, (name, at) in enumerate(sorted(marked.items(), key=lambda item: item[1])):
        ax.axvline(at, color=MARKED.get(name, "0.3"), linewidth=0.9)
        left = at < len(tally) * 0.8
        ax.annotate(
            name, (at, most * (0.85 - 0.3 * number)), xytext=(3 if left else -3, 0), textcoords="offset points",
            fontsize=6, ha="left" if left else "right", va="center", color=MARKED.get(name, "0.3"),
            bbox=dict(facecolor="white", edgecolor="none", pad=0.5, alpha=0.8),
        )  # fmt: skip


def _tiles(ax: Axes, colors: Sequence, labels: Sequence[str]) -> None:
    ax.grid(False)
    ax.imshow(np.asarray(colors, dtype=float), aspect="auto", interpolation="nearest")
    ax.set_yticks(range(len(labels)), labels, fontsize=LABEL)
    ax.tick_params(axis="y", length=0, pad=2)
    ax.tick_params(axis="x", length=0)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


def _word(level: str) -> str:
    if level == "null":
        return "one trajectory"
    return f"$10^{len(level) - 1}$" if level.rstrip("0") == "1" and len(level) > 3 else level.replace("_", " ")


def _caption(design: Design, marked: Mapping[str, str] | None) -> str:
    tau = design.settings.get("tau", SETTINGS["tau"].default)
    parts = [rf"$\tau = {tau:g}$", f"κ = {', '.join(map(str, design.kappas))}"]
    parts.append(f"{len(design.seeds)} seeds for each")
    if marked and "best_match" in marked:
        parts.append("best_match: found by search, not what the authors did")
    return "; ".join(parts)
