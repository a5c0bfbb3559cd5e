"""The figures of the studies: what explains what, and Figure 7, the samples that each kappa needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lpi.plotting import STYLE, WIDTH, look
from lpi.results import ResultsError, must_exist
from lpi.studies.design import CHOSEN, PRINTED, SHARES, STUDIES, TRUNCATIONS

TABLES = ("levels", "between_kappas", "prices", "visits", "loops")
VARIANTS = {
    PRINTED: "as printed with\n$p$ of success and $T = 10^5$",
    "working": "working",
    CHOSEN: "chosen for each κ",
}
"""The variants of Figure 7, in the order of its columns."""


def read(folder: str | os.PathLike) -> dict[str, pd.DataFrame]:
    """The tables that the figures need, by name.

    Raises:
        ResultsError: a table that cannot be read.
    """
    for name in TABLES:
        must_exist(Path(folder) / f"{name}.csv", "snakemake --cores 2 studies")
    try:
        return {name: pd.read_csv(Path(folder) / f"{name}.csv") for name in TABLES}
    except OSError as error:
        raise ResultsError(f"{error.filename}: cannot be read: {error.strerror}") from error


def explanations(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Six panels, one for each explanation; points are means, bars 95 % Student-t intervals over seeds."""
    levels = tables["levels"]
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(WIDTH, 6.4), layout="constrained")
        axes = figure.subplots(3, 2).ravel()
        start = "trajectory_length = 20000, q_start = "
        _by_variant(axes[0], levels, "start_value", start, "closed", "Start value of Q, every loop")
        axes[0].set_title("Q from zero collapses policies")
        _by_variant(axes[1], levels, "inner_loop", "", "closed", "")
        axes[1].set_title("Uniform inner start: η and steps")
        _by_variant(axes[2], levels, "restarts", "episode_length = ", "closed", "Steps between restarts")
        axes[2].set_title("Absorption: restarts")
        _samples(axes[3], levels)
        axes[3].set_title("Samples: where the κ curves cross")
        _metric(axes[4], levels)
        axes[4].set_title("Same runs, three reported quantities")
        _truncation(axes[5], tables["loops"])
        axes[5].set_title("Infinitely many samples")
        for number in (0, 1, 2, 3, 5):
            axes[number].set_ylabel("Share of the\npossible improvement")
        handles = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
        labels = sorted(label for label in handles if label.startswith("$"))
        figure.legend([handles[label] for label in labels], labels, loc="outside upper center", ncols=7)
        figure.supxlabel(
            "possible improvement: best κ-hop policy minus uniform policy; bars: 95 % intervals over seeds; vertical axes differ",
            fontsize=6.5, color="0.35",
        )  # fmt: skip
    return figure


def figure7(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Samples needed against kappa, a row for each number of agents, a column for each variant.

    All runs of a row may draw the same number of samples, the budget (dashed line).  An open arrow above it stands where the
    median of the seeds lies beyond it, and beside the arrow how many of them reached the share.
    """
    prices = tables["prices"]
    numbers = sorted(prices["agents"].unique())
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.6 + 2.1 * len(numbers)), layout="constrained")
        grid = figure.subplots(len(numbers), len(VARIANTS), squeeze=False, sharey=True, sharex=True)
        for agents, row in zip(numbers, grid, strict=True):
            for (variant, title), ax in zip(VARIANTS.items(), row, strict=True):
                part = prices[(prices["agents"] == agents) & (prices["variant"] == variant)]
                _prices(ax, part)
                ax.set_title(f"$n = {agents}$, {title}", fontsize="small")
            seeds = prices.loc[prices["agents"] == agents, "seeds"].iloc[0]  # a study runs all its variants on the same
            row[0].set_ylabel(f"Samples needed\n(median of {seeds} seeds)")
        for ax in grid[-1]:
            ax.set_xlabel(r"$\kappa$")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
        figure.supxlabel(
            "seeds: those that took no part in the choice; bars: from the quickest seed to the slowest, at most to the budget "
            "(dashed, the same in a row);\narrows above it: the median lies beyond the budget, and so many of the seeds reached "
            "the share within it",
            fontsize=6.5, color="0.35",
        )  # fmt: skip
    return figure


def _by_variant(ax: Axes, levels: pd.DataFrame, study: str, prefix: str, quantity: str, label: str) -> None:
    """Means with intervals, the variants whose name starts with the prefix side by side."""
    names = [name for name in STUDIES[study].variants if name.startswith(prefix)]
    part = levels[(levels["study"] == study) & (levels["quantity"] == quantity)]
    kappas = sorted(part["kappa"].unique())
    for kappa in kappas:
        rows = part[part["kappa"] == kappa].set_index("variant").reindex(names)
        x = np.arange(len(names)) + 0.12 * (kappa - (len(kappas) - 1) / 2)
        _points(ax, x, rows, kappa)
    shown = [
        name[len(prefix) :].replace("None", "never").replace("inner_steps", "p").replace("eta", "η").replace(", ", "\n")
        for name in names
    ]
    ax.set_xticks(range(len(names)), shown, fontsize=5.5)
    ax.set_xlabel(label)


def _points(ax: Axes, x, rows: pd.DataFrame, kappa: int, line: str | tuple = "none") -> None:
    style = look(kappa)
    errors = [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
    ax.errorbar(
        x, rows["mean"], errors, color=style.color, marker=style.marker, linestyle=line, elinewidth=0.8,
        label=rf"$\kappa = {kappa}$",
    )  # fmt: skip


def _samples(ax: Axes, levels: pd.DataFrame) -> None:
    part = levels[levels["study"].isin(["samples", "samples_million"]) & (levels["quantity"] == "closed")]
    part = part.assign(samples=part["variant"].str.split(" = ").str[-1].astype(int)).sort_values("samples")
    for kappa, rows in part.groupby("kappa"):
        _points(ax, rows["samples"] * 1.04**kappa, rows, kappa, look(kappa).linestyle)
    ax.set_xscale("log")
    ax.set_xlabel("Samples in each of 50 outer loops")


def _metric(ax: Axes, levels: pd.DataFrame) -> None:
    quantities = {"closed": "share gained\n(regularised J)", "reported_gain": "gain in $J_{alt}$", "unregularized_gain": "gain in\n$J_{unreg}$"}  # fmt: skip
    part = levels[(levels["study"] == "metric") & (levels["variant"] == "zero in every loop")]
    for kappa, runs in part.groupby("kappa"):
        rows = runs.set_index("quantity").reindex(list(quantities))
        scale = part.groupby("quantity")["mean"].apply(lambda means: means.abs().max()).reindex(list(quantities))
        _points(ax, np.arange(3) + 0.12 * (kappa - 1.5), rows[["mean", "low", "high"]].div(scale, axis=0), kappa)
    ax.axhline(0, color="0.5", linewidth=0.6)
    ax.set_xticks(range(3), quantities.values(), fontsize=6)
    ax.set_ylabel("Relative to the largest of the κ")


def _truncation(ax: Axes, loops: pd.DataFrame) -> None:
    part = loops[loops["study"] == "truncation"]
    dashes = dict(zip(TRUNCATIONS, ("-", "--", ":"), strict=True))
    for (variant, kappa), rows in part.groupby(["variant", "kappa"], sort=False):
        ax.plot(rows["outer_loop"], rows["closed"], color=look(kappa).color, linestyle=dashes[variant])
    for variant, dash in dashes.items():
        ax.plot([], [], color="0.3", linestyle=dash, label=variant.replace("beta", "β").replace("kappa", "κ"))
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles, labels, fontsize=5.5, loc="lower left")
    ax.set_xlabel("Outer loop $m$ (η = 0.5)")


def _prices(ax: Axes, part: pd.DataFrame) -> None:
    for share, marker, color in zip(SHARES, "os", ("#0072B2", "#D55E00"), strict=True):
        rows = part[part["share"] == share].sort_values("kappa")
        x = rows["kappa"].to_numpy() + (0.08 if share == SHARES[-1] else -0.08)
        reached = np.isfinite(rows["median"]).to_numpy()
        middle, least = rows["median"].to_numpy()[reached], rows["least"].to_numpy()[reached]
        budget = float(part["budget"].max())
        most = np.where(np.isfinite(rows["most"]), rows["most"], budget)[reached]
        errors = [np.maximum(middle - least, 0), np.maximum(most - middle, 0)]
        ax.errorbar(
            x[reached],
            middle,
            errors,
            marker=marker,
            color=color,
            label=f"{share:.0%} of the possible improvement",
            elinewidth=0.8,
        )
        height = budget * (1.5 if share == SHARES[0] else 2.8)
        ax.plot(x[~reached], np.full((~reached).sum(), height), "^", color=color, fillstyle="none")
        for place, row in zip(x[~reached], rows[~reached].itertuples(), strict=True):
            words = f"{row.reached} of {row.seeds}"
            ax.annotate(words, (place, height), (4, -2), textcoords="offset points", fontsize=6.5, color=color)
    ax.axhline(budget, color="0.5", linewidth=0.6, linestyle="--")
    ax.set_yscale("log")
    kappas = sorted(part["kappa"].unique())
    ax.set_xticks(kappas)
    ax.set_xlim(kappas[0] - 0.3, kappas[-1] + 0.9)  # room for the words beside the last arrow
