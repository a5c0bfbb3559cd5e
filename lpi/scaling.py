"""How runs grow with n and kappa: the table of benchmarks/growth.py as figures, Markdown tables and sentences."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lpi.config import LOCAL_ACTIONS, LOCAL_STATES
from lpi.memory import table_bytes
from lpi.network import Network
from lpi.plotting import STYLE, WIDTH, look
from lpi.results import ResultsError, must_exist

COLUMNS = (
    "part",  # size: against n; kappa: against kappa; target: the run that limits are set for
    "graph",
    "agents",
    "kappa",
    "in_sight",  # f(kappa), agents in the largest neighbourhood
    "entries",  # of all Q tables
    "outer_loops",
    "trajectory_length",
    "episodes",  # of each simulated J
    "seconds",  # CPU time of training, J included
    "learning_seconds",  # the same with next to no J
    "process_seconds",  # CPU time of `lpi train`, start-up included
    "peak_gb",  # most memory of `lpi train`, 10^9 bytes
    "predicted_gb",
    "visited_share",
    "machine",
    "python",
    "numpy",
    "numba",
)
MEASURES = {
    "learning_seconds": "CPU time without J (s)",
    "peak_gb": "peak memory (GB)",
    "visited_share": "visited share of\nthe Q entries",
}
LINEAR = 0.1
"""How far from 1 an exponent may be that is called linear."""
TARGET_SECONDS, TARGET_GB = 60, 1.0
PREDICTION = 0.2
"""Relative error that a predicted memory may have."""
EDGELESS = 0.5
"""Sizes are fitted where the mean table has at least this share of the mean entries at the largest size: at the edge of
a small network neighbourhoods are cut off, so that tables grow with n until few agents stand there."""
UNSOLVED = 17
"""Agents from which simulations have no solved reference, which takes memory of its own (`lpi.reference`)."""
ABOVE = 0.02
"""GB above the smallest run's from which the growth of memory is fitted: below, the allocator decides."""
OWN_CACHE = 2**20
"""Bytes that a core keeps to itself on the machine of the committed table (its second level of cache)."""


class Exponent(NamedTuple):
    """Slope of log y on log x with its 95 % Student-t interval; NaN where fewer than three points are there."""

    slope: float
    low: float
    high: float
    points: int


def read(path: str | os.PathLike) -> pd.DataFrame:
    """The CSV that benchmarks/growth.py wrote.

    Raises:
        ResultsError: it cannot be read or has other columns.
    """
    must_exist(path, "python benchmarks/growth.py")
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: not a table of growth: {' '.join(str(error).split())}") from error
    if list(table.columns) != list(COLUMNS):
        raise ResultsError(f"{path}: columns {list(table.columns)} are not allowed; {list(COLUMNS)}")
    return table


def exponent(x: Sequence[float], y: Sequence[float]) -> Exponent:
    """Least squares in the logarithms of both; all values > 0."""
    if len(x) < 3:
        return Exponent(math.nan, math.nan, math.nan, len(x))
    from scipy import stats

    fit = stats.linregress(np.log(x), np.log(y))
    error = 0.0 if np.ptp(y) == 0 else fit.stderr
    return _interval_of(fit.slope, error, len(x), 2)


def exponent_above(x: Sequence[float], y: Sequence[float]) -> Exponent:
    """Exponent c of y = a + b x^c with any constant a >= 0, by least squares relative to y."""
    if len(x) < 4:
        return Exponent(math.nan, math.nan, math.nan, len(x))
    from scipy import optimize

    xs, ys = np.asarray(x, dtype=float) / np.max(x), np.asarray(y, dtype=float)
    start = (ys.min(), max(ys.max() - ys.min(), 1e-9), 1.0)
    found, covariance = optimize.curve_fit(
        lambda n, a, b, c: a + b * n**c, xs, ys, start, sigma=ys, bounds=([0, 0, 0.05], [np.inf, np.inf, 10])
    )
    return _interval_of(found[2], math.sqrt(covariance[2, 2]), len(x), 3)


def exponents(table: pd.DataFrame, measure: str) -> dict[tuple[str, int], Exponent]:
    """Exponent in n of a key of `MEASURES` by graph and kappa, in the order of the table.

    That of memory is what it has above a constant, which is fitted: an interpreter with its libraries.
    """
    found = {}
    for key, runs in _families(table):
        mean = runs["entries"] / runs["agents"]
        runs = runs[mean >= EDGELESS * mean.iloc[-1]]
        if measure == "peak_gb":
            runs = runs[runs["agents"] >= UNSOLVED]
            found[key] = exponent_above(runs["agents"], runs[measure])
        else:
            found[key] = exponent(runs["agents"], runs[measure])
    return found


def cached_exponents(table: pd.DataFrame) -> dict[tuple[str, int], Exponent]:
    """Exponent in n of the CPU time without J, of runs whose Q tables and transition tables fit into `OWN_CACHE`.

    A run does the same for every agent and update; where it need not wait for memory, its time should be linear.
    """
    found = {}
    for (graph, kappa), runs in _families(table):
        runs = runs[[_walked_bytes(graph, n, kappa) <= OWN_CACHE for n in runs["agents"]]]
        found[graph, kappa] = exponent(runs["agents"], runs["learning_seconds"])
    return found


def table_exponents(table: pd.DataFrame) -> dict[tuple[str, int], Exponent]:
    """Exponent of the memory in what the tables take, which is less for each agent at the edge of a network.

    Both above the family's smallest run without a solved reference: the measured baseline, with next to no tables.
    """
    found = {}
    for key, runs in _families(table):
        runs = runs[runs["agents"] >= UNSOLVED]
        peak, tables = (runs[column] - runs[column].min() for column in ("peak_gb", "predicted_gb"))
        found[key] = exponent(tables[peak > ABOVE], peak[peak > ABOVE])
    return found


def per_agent(table: pd.DataFrame, measure: str) -> Exponent:
    """Factor by which a measure grows with each further agent in sight, that is with 8 times the entries.

    Over kappas >= 2, where the tables outweigh what a run does beside them; memory above the smallest run's.
    """
    runs = _by_kappa(table)
    runs = runs[runs["kappa"] >= 2]
    if measure == "peak_gb":
        above = runs["peak_gb"] - table["peak_gb"].min()
        runs = runs.assign(peak_gb=above)[above > ABOVE]
    slope, low, high, points = exponent(runs["entries"], runs[measure])
    return Exponent(8**slope, 8**low, 8**high, points)


def size_table(table: pd.DataFrame) -> str:
    """Exponents in n with their intervals, a row for each graph and kappa."""
    lines = ["| graph | κ | n | CPU time without J | memory | visited share |", "|---|---:|---|---:|---:|---:|"]
    fits = [exponents(table, measure) for measure in MEASURES]
    for (graph, kappa), runs in _families(table):
        cells = " | ".join(_interval(fit[graph, kappa]) for fit in fits)
        lines.append(f"| {_spaced(graph)} | {kappa} | {runs['agents'].min()} to {runs['agents'].max()} | {cells} |")
    return "\n".join(lines)


def size_sentence(table: pd.DataFrame) -> str:
    """Where time and memory are linear in n, and where they are not."""
    sentences = []
    for measure, name in (("learning_seconds", "CPU time without J"), ("peak_gb", "Memory")):
        fits = {key: fit for key, fit in exponents(table, measure).items() if fit.points >= 3}
        others = [
            f"{_spaced(graph)}, κ = {kappa}: {fit.slope:.2f}"
            for (graph, kappa), fit in fits.items()
            if abs(fit.slope - 1) > LINEAR
        ]
        text = f"{name} is linear in n (exponent 1 ± {LINEAR:g}) in {len(fits) - len(others)} of {len(fits)} families"
        sentences.append(f"{text}; outside: {'; '.join(others)}." if others else f"{text}.")
    return " ".join(sentences)


def limits_sentence(table: pd.DataFrame) -> str:
    """What is linear where caches and edges do not come in."""
    cached, tables = (linear_families(fits)[2] for fits in (cached_exponents(table), table_exponents(table)))
    return (
        f"The exponent of CPU time without J, of runs whose tables fit into {OWN_CACHE / 2**20:g} MB, is 1 ± {LINEAR:g} in "
        f"{cached}. That of memory above the smallest run's, from {ABOVE:g} GB on, against what the tables take instead "
        f"of n, in {tables}."
    )


def linear_families(fits: dict[tuple[str, int], Exponent]) -> tuple[int, int, str]:
    """How many families with three sizes or more are linear, how many there are, and the same with all extremes."""
    slopes = [fit.slope for fit in fits.values() if fit.points >= 3]
    inside = sum(abs(slope - 1) <= LINEAR for slope in slopes)
    extremes = f"; {min(slopes):.2f} to {max(slopes):.2f}" if slopes else ""
    return inside, len(slopes), f"{inside} of {len(slopes)} families{extremes}"


def update_sentence(table: pd.DataFrame) -> str:
    """Time of an update at the smallest and the largest size, where the exponent is outside."""
    texts = []
    for (graph, kappa), runs in _families(table):
        if len(runs) < 3 or exponents(table, "learning_seconds")[graph, kappa].slope <= 1 + LINEAR:
            continue
        updates = runs["agents"] * runs["outer_loops"] * runs["trajectory_length"]
        cost, peak = runs["learning_seconds"] / updates * 1e9, runs["peak_gb"]
        texts.append(
            f"{_spaced(graph)}, κ = {kappa}: {cost.iloc[0]:.0f} ns in a run of {peak.iloc[0]:.2f} GB, "
            f"{cost.iloc[-1]:.0f} ns in one of {peak.iloc[-1]:.2f} GB"
        )
    if not texts:
        return "No family takes more time for an update, the more agents there are."
    return (
        "Where time grows faster than that, larger tables make each update slower, as one would expect once they outgrow "
        f"the processor's caches; an update of one agent, improvement included, takes: {'; '.join(texts)}."
    )


def kappa_sentence(table: pd.DataFrame) -> str:
    """How much each further agent in sight costs."""
    agents = _by_kappa(table)["agents"].iloc[0]
    texts = [
        f"{name} by {factor.slope:.2g} ({factor.low:.2g} to {factor.high:.2g})"
        for measure, name in (
            ("learning_seconds", "CPU time without J"),
            ("peak_gb", "memory"),
            ("visited_share", "visited share"),
        )
        for factor in [per_agent(table, measure)]
        if factor.points >= 3
    ]
    return (
        f"At n = {agents} each further agent in sight multiplies the entries of a Q table by 8; from κ = 2 on this "
        f"multiplies {', '.join(texts)}."
    )


def target_sentence(table: pd.DataFrame) -> str:
    """The run that limits are set for, with each number of episodes that J was simulated with."""
    runs = table[table["part"] == "target"]
    first = runs.iloc[0]
    texts = []
    for run in runs.itertuples():
        met = run.process_seconds <= TARGET_SECONDS and run.peak_gb <= TARGET_GB
        texts.append(
            f"{run.process_seconds:.0f} s of CPU time and {run.peak_gb:.2g} GB with {run.episodes} episodes for each J "
            f"({'within' if met else 'beyond'} the limits)"
        )
    return (
        f"`lpi train` at n = {first['agents']}, κ = {first['kappa']}, T = {first['trajectory_length']}, "
        f"{first['outer_loops']} outer loops takes {', '.join(texts)}; the limits are {TARGET_SECONDS} s and "
        f"{TARGET_GB:g} GB. What the measurement of J may cost is set by `evaluation_episodes`."
    )


def memory_sentence(table: pd.DataFrame) -> str:
    """How right the memory was that is predicted before a run, and what was refused."""
    ran = table[table["peak_gb"].notna()]
    error = ran["predicted_gb"] / ran["peak_gb"] - 1
    worst = ran.loc[error.abs().idxmax()]
    text = (
        f"Predicted memory is within {PREDICTION:.0%} of the measured peak in {int((error.abs() <= PREDICTION).sum())} "
        f"of {len(ran)} runs; furthest off: {_spaced(worst['graph'])}, n = {worst['agents']}, κ = {worst['kappa']}, "
        f"predicted {worst['predicted_gb']:.3g} GB, measured {worst['peak_gb']:.3g} GB."
    )
    refused = table[table["peak_gb"].isna()]
    if refused.empty:
        return text
    families = [
        f"{_spaced(graph)} at κ = {kappa} (n = {runs['agents'].min()} would take {runs['predicted_gb'].min():.3g} GB)"
        for (graph, kappa), runs in refused.groupby(["graph", "kappa"], sort=False)
    ]
    return f"{text} Refused before the start: {'; '.join(families)}."


def machine_sentence(table: pd.DataFrame) -> str:
    """What all of this was measured on."""
    first = table.iloc[0]
    return f"Measured on {first['machine']}, Python {first['python']}, numpy {first['numpy']}, numba {first['numba']}."


def size_figure(table: pd.DataFrame) -> Figure:
    """Time, memory and visited share against n: a column for each graph, logarithmic axes, exponents in the panels."""
    graphs = list(dict.fromkeys(graph for (graph, _), _ in _families(table)))
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.55 * len(MEASURES) + 0.6), layout="constrained")
        axes = figure.subplots(len(MEASURES), len(graphs), sharex=True, sharey="row", squeeze=False)
        for row, (measure, name) in zip(axes, MEASURES.items(), strict=True):
            for ax, graph in zip(row, graphs, strict=True):
                families = [(kappa, runs) for (family, kappa), runs in _families(table) if family == graph]
                for kappa, runs in families:
                    if measure == "peak_gb":
                        ax.plot(runs["agents"], runs["predicted_gb"], color="0.5", linewidth=0.6)
                    ax.plot(runs["agents"], runs[measure], label=rf"$\kappa = {kappa}$", **look(kappa)._asdict())
                ax.set_xscale("log")
                ax.set_yscale("log")
            row[0].set_ylabel(name)
        for row, measure in zip(axes, MEASURES, strict=True):
            fits = exponents(table, measure)
            for ax, graph in zip(row, graphs, strict=True):
                shown = {kappa: fit for (family, kappa), fit in fits.items() if family == graph}
                _write_exponents(ax, shown, low=measure == "visited_share")
        for ax, graph in zip(axes[0], graphs, strict=True):
            ax.set_title(_spaced(graph))
        for ax in axes[-1]:
            ax.set_xlabel("agents $n$")
        handles = {
            label: handle for ax in axes.flat for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles, loc="outside upper center", ncols=len(handles))
        caption = "Numbers: fitted exponent in $n$, 95 % interval; memory: above a constant, thin line: predicted"
        figure.supxlabel(caption, fontsize=6.5, color="0.35")
    return figure


def kappa_figure(table: pd.DataFrame) -> Figure:
    """The same against kappa at one n; the dotted lines are proportional to the entries of the Q tables, or inversely."""
    runs = _by_kappa(table)
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(WIDTH, 2.2), layout="constrained")
        axes = figure.subplots(1, len(MEASURES))
        for ax, (measure, name) in zip(axes, MEASURES.items(), strict=True):
            ax.plot(runs["kappa"], runs[measure], "o-", color=look(1).color)
            sign = -1 if measure == "visited_share" else 1
            scaled = runs[measure].iloc[-1] * (runs["entries"] / runs["entries"].iloc[-1]) ** sign
            ax.plot(runs["kappa"], scaled, ":", color="0.4")
            ax.set_yscale("log")
            low, high = runs[measure].min(), runs[measure].max()
            ax.set_ylim(low / 2, high * 2)
            ax.set_xticks(runs["kappa"])
            ax.set_xlabel(r"$\kappa$")
            ax.set_ylabel(name)
        caption = (
            rf"$n = {runs['agents'].iloc[0]}$, {_spaced(runs['graph'].iloc[0])}; "
            "dotted: in proportion to the entries of the Q tables (share: inversely)"
        )
        figure.supxlabel(caption, fontsize=6.5, color="0.35")
    return figure


def _families(table: pd.DataFrame) -> list[tuple[tuple[str, int], pd.DataFrame]]:
    """Measured runs of part size, by graph and kappa, smallest n first."""
    runs = table[(table["part"] == "size") & table["peak_gb"].notna()].sort_values("agents", kind="stable")
    order = {graph: place for place, graph in enumerate(dict.fromkeys(table["graph"]))}
    return sorted(runs.groupby(["graph", "kappa"]), key=lambda item: (order[item[0][0]], item[0][1]))


def _walked_bytes(graph: str, agents: int, kappa: int) -> int:
    """Bytes of the tables that TD(0) reads: Q with its marks, and the probabilities that states are drawn by."""
    network = Network.named(graph, agents)
    tables = table_bytes(network, [LOCAL_STATES] * agents, [LOCAL_ACTIONS] * agents, kappa, kappa)
    return tables.q + tables.cumulative


def _by_kappa(table: pd.DataFrame) -> pd.DataFrame:
    runs = table[(table["part"] == "kappa") & table["peak_gb"].notna()]
    return runs.sort_values("kappa")


def _write_exponents(ax: Axes, fits: dict[int, Exponent], low: bool) -> None:
    """In the corner where no long curve runs: lower left for shares, which begin high, else upper left; right of curves
    that end in the left half, which may be steep.  The limits of the axes must be final."""
    lines = [(kappa, fit) for kappa, fit in fits.items() if fit.points >= 3]
    to_axes = ax.transData + ax.transAxes.inverted()
    ends = [to_axes.transform(curve.get_xydata())[-1, 0] for curve in ax.lines]
    left = max([0.04, *(end + 0.05 for end in ends if end < 0.5)])
    for place, (kappa, fit) in enumerate(lines):
        height = 0.04 + 0.11 * (len(lines) - 1 - place) if low else 0.96 - 0.11 * place
        text = f"{_plain(fit.slope)} ± {_plain((fit.high - fit.low) / 2)}".replace("-", "−")
        ax.text(
            left, height, text, transform=ax.transAxes, va="bottom" if low else "top", fontsize=6, zorder=5,
            color=look(kappa).color, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85},
        )  # fmt: skip


def _interval_of(slope: float, error: float, points: int, parameters: int) -> Exponent:
    from scipy import stats

    half = error * stats.t.ppf(0.975, points - parameters)
    return Exponent(float(slope), float(slope - half), float(slope + half), points)


def _interval(fit: Exponent) -> str:
    return "–" if math.isnan(fit.slope) else f"{_plain(fit.slope)} ({_plain(fit.low)} to {_plain(fit.high)})"


def _plain(value: float) -> str:
    """Two decimals; no minus before a zero."""
    return f"{round(value, 2) + 0.0:.2f}"


def _spaced(name: str) -> str:
    return name.replace("_", " ")
