"""Figures 4 to 6: the optimality gap, what locality can cost at all, and when the optimal policy acts.

In the style of `lpi.plotting`; a kappa has the same look as in Figures 1 to 3.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lpi.panels import select
from lpi.plotting import COLUMNS, STYLE, WIDTH, caption, look, marked, panel_titles
from lpi.results import ResultsError
from lpi.summary import matrix, optimum_of, quartiles

MEANINGS = ("failure", "success")
DECADES = 1.0
"""Least height of a panel of Figure 4 in powers of ten."""
BELOW = 1.5
"""Powers of ten below the lowest curve of a panel within which floors are drawn: lower ones would flatten the curves."""
PLACES = {"middle": "middle agent", "end": "end agent"}


class Tone(NamedTuple):
    """Colour, marker and line of a convention or of a p_eff."""

    color: str
    marker: str
    linestyle: str | tuple


_DASHES = ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (1.2, 1.2)))
CONVENTION_TONES = [
    Tone(color, marker, line)  # type: ignore[arg-type]
    for color, marker, line in zip(("#000000", "#E69F00", "#009E73", "#CC79A7"), "osD^", _DASHES, strict=True)
]
# Light to dark, so that the order of p_eff is seen in grey too.
EFFICACY_COLORS = LinearSegmentedColormap.from_list("p_eff", ["#F0A000", "#E0602B", "#B8295F", "#6A1E7A", "#1B1044"])


def optimality_gap(
    curves: pd.DataFrame,
    optima: pd.DataFrame,
    panels: Sequence[tuple[int, float]],
    kappas: Sequence[int] | None = None,
    floors: Mapping[tuple[int, float], Mapping[int, float]] | None = None,
) -> Figure:
    """Figure 4: J* - J of the regularised reward against the outer loop, on a log scale, one panel per (agents, tau).

    Args:
        curves: curves of one reading, from `results.read_curves`.
        optima: its optima, from `summary.read_optima`.
        panels: (agents, tau) of each panel, in reading order; three to a row.
        kappas: the kappas to draw; default: all that the panels hold.
        floors: panel -> kappa -> loss of the best policy of that kappa, drawn as thin lines where known and not far
            below the curves.

    Raises:
        ResultsError: no panel, or a panel without curves or without its row in the optima.
    """
    if not panels:
        raise ResultsError("panels: [] is not allowed; at least one (agents, tau)")
    selected = [select(curves, agents, tau, kappas) for agents, tau in panels]
    drawn = list(zip(panels, selected, strict=True))
    known = {panel: optimum_of(runs, optima) for panel, runs in drawn}
    with matplotlib.style.context(STYLE):
        figure, axes = _grid(len(panels), 2.05)
        for number, (ax, panel, runs, title) in enumerate(
            zip(axes, panels, selected, panel_titles(panels), strict=False)
        ):
            ax.set_title(title)
            if np.isnan(known[panel]["optimum"]):
                ax.text(0.5, 0.5, "too large:\n$J^*$ not computed", ha="center", va="center", transform=ax.transAxes)
                ax.set(xticks=[], yticks=[])
                continue
            _draw_gap(ax, runs, known[panel], (floors or {}).get(panel, {}))
            _label(ax, number, len(panels), "Optimality gap $J^*-J$\n(regularised, log scale)", "Outer loop $m$")
        handles = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
        if any((floors or {}).get(panel) for panel in panels):
            handles["best policy of that $\\kappa$"] = Line2D([], [], color="0.4", linewidth=0.7)
        handles["uniform policy"] = Line2D([], [], color="0.6", linewidth=0.8, linestyle=(0, (1, 3)))
        figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=_columns(panels, 6))
        words = caption(pd.concat(selected), panels)
        left_out = any(_left_out(known[panel], runs, (floors or {}).get(panel, {})) for panel, runs in drawn)
        words += "\nbest policies far below the curves are left out: see Figure 5" * left_out
        figure.supxlabel(words, fontsize=6.5, color="0.35")
    return figure


def locality_loss(table: pd.DataFrame, agents: int) -> Figure:
    """Figure 5: loss of the best kappa-hop policy found against kappa, for each convention; one panel per tau.

    A loss below what the computation resolves (error bound plus what could still be gained) is drawn hollow, at that
    resolution.  Beside it Theorem 1's bound where its hypotheses hold, else what J cannot exceed anyhow.

    Args:
        table: rows of `truth_tables.LOCALITY`, of any conventions.
        agents: the network drawn.

    Raises:
        ResultsError: no rows for this number of agents.
    """
    rows = table[table["agents"] == agents]
    if rows.empty:
        raise ResultsError(f"locality: no rows for agents {agents}")
    panels = [(agents, tau) for tau in sorted(set(rows["tau"]))]
    with matplotlib.style.context(STYLE):
        figure, axes = _grid(len(panels), 2.5)
        for number, (ax, (_, tau), title) in enumerate(zip(axes, panels, panel_titles(panels), strict=False)):
            _draw_losses(ax, rows[rows["tau"] == tau])
            ax.set_title(title)
            _label(ax, number, len(panels), "Loss of the best $\\kappa$-hop policy\n$J^*-J$ (log scale)", "$\\kappa$")
        handles = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
        figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=_columns(panels, 2, 1))
        _share_heights(axes[: len(panels)])
        hollow = "; hollow: below what the computation resolves" if _unresolved(rows).any() else ""
        gamma = ", ".join(f"{value:g}" for value in sorted(set(rows["gamma"])))
        shared = f"{rows['graph'].iloc[0]} of $n = {agents}$, $\\gamma = {gamma}${hollow}"
        reasons = why_not(rows)
        reasons = f"\nTheorem 1 does not apply: {reasons}" if reasons else ""
        figure.supxlabel(shared + reasons, fontsize=6.5, color="0.35")
    return figure


def acting_probability(table: pd.DataFrame, place: str = "middle") -> Figure:
    """Figure 6: probability of acting of an unprotected agent against its distance to the nearest infected agent.

    One panel per convention, one line per p_eff: mean over the states at that distance, with bars from the smallest to
    the largest.  On the right the state in which no agent is infected.

    Args:
        table: rows of `truth_tables.ACTING` for one network and tau.
        place: "middle" or "end".

    Raises:
        ResultsError: no rows for this place, or rows of several networks.
    """
    rows = table[(table["place"] == place) & (table["protected"] == "no")]
    networks = rows[["graph", "agents", "tau"]].drop_duplicates()
    if len(networks) != 1:
        raise ResultsError(f"acting: {len(networks)} networks with place {place}; exactly one")
    graph, agents, tau = networks.iloc[0]
    conventions = list(rows.groupby(["p1_means", "p2_means"]))
    with matplotlib.style.context(STYLE):
        figure, axes = _grid(len(conventions), 1.95, columns=2)
        for number, (ax, (meanings, group)) in enumerate(zip(axes, conventions, strict=False)):
            _draw_acting(ax, group)
            ax.set_title(convention_name(*meanings))
            _label(ax, number, len(conventions), "Probability of acting", "Hops to the nearest infected agent", 2)
        handles = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
        figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=6)
        _share_heights(axes[: len(conventions)])
        text = f"Optimal policy, {graph} of $n = {agents}$, $\\tau = {tau:g}$, unprotected {PLACES[place]}"
        figure.supxlabel(
            f"{text}; line: mean over the states at that distance, bar: all of them", fontsize=6.5, color="0.35"
        )
    return figure


def convention_name(p1_means: str, p2_means: str) -> str:
    """A convention in words; that of the printed formula and that of the prose are named as such."""
    where = {("failure", "failure"): " (as printed)", ("success", "success"): " (as the prose needs)"}
    words = f"$p_1$: {p1_means}, $p_2$: {p2_means}"
    return words + where.get((p1_means, p2_means), "")


def resolution(table: pd.DataFrame) -> pd.Series:
    """What the losses of a table of `truth_tables.LOCALITY` are known to: error bound plus what could still be gained."""
    return table["error_bound"] + table["stationarity"].clip(lower=0)


def _unresolved(rows: pd.DataFrame) -> pd.Series:
    return rows["loss"] <= resolution(rows)


def _grid(count: int, height: float, columns: int = COLUMNS) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels; those that the last row has too many are hidden."""
    rows, columns = -(-count // columns), min(count, columns)
    width = WIDTH if columns > 1 else WIDTH * 0.6
    figure = Figure(figsize=(width, 0.8 + height * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for ax in axes[count:]:
        ax.set_visible(False)
    return figure, axes


def _share_heights(axes: Sequence[Axes]) -> None:
    """One vertical range for all panels."""
    limits = np.array([ax.get_ylim() for ax in axes])
    for ax in axes:
        ax.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def _label(ax: Axes, number: int, count: int, vertical: str, horizontal: str, columns: int = COLUMNS) -> None:
    """Axis labels at the left edge and below the last panel of each column."""
    columns = min(count, columns)
    if number % columns == 0:
        ax.set_ylabel(vertical)
    if number + columns >= count:
        ax.set_xlabel(horizontal)


def _draw_gap(ax: Axes, runs: pd.DataFrame, optimum: Mapping, floors: Mapping[int, float]) -> None:
    lowest, highest = _lowest(runs, optimum, floors), 0.0
    for kappa, group in runs.groupby("kappa"):
        low, middle, high = quartiles(optimum["optimum"] - matrix(group, "regularized"))
        style, loops = look(kappa), np.arange(len(middle))
        # A simulated J may exceed J* by its error; a logarithm has no place for that.
        band = low > 0
        ax.fill_between(loops, np.where(band, low, np.nan), high, color=style.color, alpha=0.18, linewidth=0)
        shown = np.where(middle > 0, middle, np.nan)
        ax.plot(loops, shown, label=rf"$\kappa = {kappa}$", markevery=marked(kappa, len(loops)), **style._asdict())
        if floors.get(kappa, 0.0) >= lowest:
            ax.axhline(floors[kappa], color=style.color, linestyle=style.linestyle, linewidth=0.7, zorder=1.5)
        highest = max(highest, np.nanmax(shown, initial=0.0), floors.get(kappa, 0.0))
    start = optimum["optimum"] - optimum["uniform"]
    if start > 0:
        ax.axhline(start, color="0.6", linewidth=0.8, linestyle=(0, (1, 3)), zorder=1)
        highest = max(highest, start)
    ax.set_yscale("log")
    low, high = np.log10(lowest), np.log10(highest)
    margin = max(0.06 * (high - low), (DECADES - (high - low)) / 2)
    ax.set_ylim(10 ** (low - margin), 10 ** (high + margin))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    ax.margins(x=0.02)


def _lowest(runs: pd.DataFrame, optimum: Mapping, floors: Mapping[int, float]) -> float:
    """What the vertical axis of a panel of Figure 4 must reach down to: its lowest curve, or a floor that is near it."""
    medians = [
        np.median(optimum["optimum"] - matrix(group, "regularized"), axis=0) for _, group in runs.groupby("kappa")
    ]
    curve = min((value for median in medians for value in median if value > 0), default=1.0)
    return min([curve, *(value for value in floors.values() if value >= curve / 10**BELOW)])


def _left_out(optimum: Mapping, runs: pd.DataFrame, floors: Mapping[int, float]) -> bool:
    return any(value < _lowest(runs, optimum, floors) for value in floors.values())


def _columns(panels: Sequence, wide: int, narrow: int = 3) -> int:
    """One number for figures of the whole width, another for a single panel."""
    return wide if len(panels) > 1 else narrow


def _draw_losses(ax: Axes, rows: pd.DataFrame) -> None:
    ax.set_yscale("log")
    for tone, (meanings, group) in zip(
        itertools.cycle(CONVENTION_TONES), rows.groupby(["p1_means", "p2_means"]), strict=False
    ):
        group = group.sort_values("kappa")
        hollow, kappas = _unresolved(group).to_numpy(), group["kappa"].to_numpy()
        losses = np.maximum(group["loss"], resolution(group)).to_numpy()
        ax.plot(kappas, losses, color=tone.color, linestyle=tone.linestyle, label=convention_name(*meanings))
        for chosen, face in ((~hollow, tone.color), (hollow, "white")):
            ax.plot(kappas[chosen], losses[chosen], tone.marker, color=tone.color, markerfacecolor=face, markersize=4.5)
        ax.plot([-1.2], group["uniform_loss"].iloc[:1], tone.marker, color=tone.color, markersize=4.5)
    _draw_bound(ax, rows)
    kappas = sorted(set(rows["kappa"]))
    ax.set_xticks([-1.2, *kappas], ["uniform", *map(str, kappas)])
    ax.set_xlim(-1.8, kappas[-1] + 0.25)


def _draw_bound(ax: Axes, rows: pd.DataFrame) -> None:
    """Theorem 1's bound, the largest of the conventions, where its hypotheses hold for all; else J's whole range."""
    met = (rows["hypotheses_met"] == "yes").all()
    heights = rows.groupby("kappa")["bound" if met else "range"].max()
    name = "Theorem 1's bound" if met else "Theorem 1: no bound; drawn: the whole range of $J$"
    ax.plot(heights.index, heights, color="0.45", linestyle=(0, (4, 2)), linewidth=1.0, label=name)


def why_not(rows: pd.DataFrame) -> str:
    """Which of Theorem 1's hypotheses fail in rows of `truth_tables.LOCALITY`."""
    gamma, reasons = rows["gamma"].max(), []
    if rows["least_tau"].isna().any():
        reasons.append(rf"$\gamma = {gamma:g} \geq 0.8$")
    elif (rows["tau"] < rows["least_tau"]).any():
        reasons.append(rf"$\tau < {rows['least_tau'].max():.3g}$")
    if (rows["interaction"] >= 0.5).any():
        least, most = (f"{value:.3g}" for value in (rows["interaction"].min(), rows["interaction"].max()))
        reasons.append(
            rf"$\max_i\ \Sigma_j\,C_{{ij}}$ = {least if least == most else f'{least} to {most}'} (1/2 allowed)"
        )
    return ", ".join(reasons)


def _draw_acting(ax: Axes, rows: pd.DataFrame) -> None:
    efficacies = sorted(set(rows["p_eff"]))
    farthest = rows["distance"].max()
    away = farthest + 1.6
    positions = np.linspace(0, 1, len(efficacies)) if len(efficacies) > 1 else [0.5]
    for number, (p_eff, position) in enumerate(zip(efficacies, positions, strict=True)):
        group = rows[rows["p_eff"] == p_eff].sort_values("distance")
        color, marker = EFFICACY_COLORS(position), "osD^vP*X"[number % 8]
        near, none = group[group["distance"].notna()], group[group["distance"].isna()]
        shift = 0.07 * (number - (len(efficacies) - 1) / 2)
        for part, x in ((near, near["distance"] + shift), (none, none["distance"].fillna(away) + shift)):
            bars = np.abs(np.stack([part["acting"] - part["least"], part["most"] - part["acting"]]))
            style = {"color": color, "marker": marker, "markersize": 3.5, "elinewidth": 0.7, "linewidth": 1.1}
            label = rf"$p_{{\mathrm{{eff}}}} = {p_eff:g}$" if part is near else None
            ax.errorbar(x, part["acting"], yerr=bars, label=label, **style)
    ax.set_xticks([*np.arange(farthest + 1), away], [*(f"{d:.0f}" for d in np.arange(farthest + 1)), "none"])
