"""Sentences and small tables on the optimality gap, the cost of locality and the optimal policy, for the notebook.

As in `lpi.findings` every number comes from the data, and nothing is claimed beyond medians and quartiles.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from lpi.mistakes import shown
from lpi.results import ResultsError
from lpi.summary import percent, reward, summarize, with_quartiles
from lpi.tables import frame
from lpi.theory.bounds import LARGEST_GAMMA, LARGEST_INTERACTION
from lpi.truth.figures import MEANINGS, resolution
from lpi.truth.tables import ACTING, LOCALITY

LEVEL = 0.5
"""Share of the rise from no infection to an infected neighbour by which `reach` measures how far ahead a policy acts."""


def read_locality(paths: Iterable) -> pd.DataFrame:
    """The checked rows of several files of `lpi locality`."""
    return pd.concat([frame(path, LOCALITY) for path in paths], ignore_index=True)


def read_acting(paths: Iterable) -> pd.DataFrame:
    """The checked rows of several files of `lpi acting`."""
    return pd.concat([frame(path, ACTING) for path in paths], ignore_index=True)


def floors_of(table: pd.DataFrame, convention: Sequence[str] | None) -> dict[tuple[int, float], dict[int, float]]:
    """Loss of the best policy by (agents, tau) and kappa under one convention of p1 and p2; none for None.

    Losses that the computation does not resolve stand at what it resolves.  ResultsError for what is no convention.
    """
    if convention is None:
        return {}
    if (
        not isinstance(convention, Sequence)
        or len(convention) != 2
        or any(word not in [*MEANINGS] for word in convention)
    ):
        raise ResultsError(
            f"convention: {shown(convention)} is not allowed; a pair of {' or '.join(MEANINGS)}, for p1 and p2, or None"
        )
    rows = table[(table["p1_means"] == convention[0]) & (table["p2_means"] == convention[1])]
    floors: dict[tuple[int, float], dict[int, float]] = {}
    for row, known in zip(rows.to_dict("records"), resolution(rows), strict=True):
        floors.setdefault((row["agents"], row["tau"]), {})[row["kappa"]] = max(row["loss"], known)
    return floors


def gap_table(curves: pd.DataFrame, optima: pd.DataFrame, panels: Sequence[tuple[int, float]], kappas=None):
    """The summary of the regularised reward for some panels, with its optimality gaps."""
    entry = {"quantity": "regularized"} | ({} if kappas is None else {"kappas": list(kappas)})
    parts = [summarize(curves, {"figure4": {"agents": [n], "taus": [tau], **entry}}, optima) for n, tau in panels]
    return pd.concat(parts, ignore_index=True)


def gaps(table: pd.DataFrame, floors: Mapping[tuple[int, float], Mapping[int, float]]) -> str:
    """Table of the final optimality gaps, the share of the possible improvement gained, and what locality alone explains."""
    lines = [
        "| n | τ | κ | J* | Optimality gap at the end | Share of the possible improvement | Loss of the best κ-hop policy "
        "| That loss in the optimality gap |"
    ]
    lines.append("|---:|---:|---:|---:|---:|---:|---:|---:|")
    gap, closed = with_quartiles("gap", reward), with_quartiles("closed", lambda share: percent(share, digits=1))
    for row in table.to_dict("records"):
        floor = floors.get((row["agents"], row["tau"]), {}).get(row["kappa"], math.nan)
        share = floor / row["gap_median"] if row["gap_median"] > 0 else math.nan
        cells = [
            f"{row['agents']}",
            f"{row['tau']:g}",
            f"{row['kappa']}",
            reward(row["optimum"]),
            gap(row),
            closed(row),
        ]
        lines.append(f"| {' | '.join([*cells, loss(floor), percent(share, digits=1)])} |")
    return "\n".join(lines) + f"\n\n{_simulated(table)}{_closing(table)}"


def loss(value: float) -> str:
    """A loss as printed: two significant digits."""
    if np.isnan(value):
        return "–"
    return f"{value:.4f}" if value >= 1e-3 else f"{value:.1e}".replace("e-0", "e−").replace("e-", "e−")


def _simulated(table: pd.DataFrame) -> str:
    largest = table["final_se"].max()
    return "" if largest == 0 else f"Standard error of a single simulated value: at most {largest:.2g}. "


def _closing(table: pd.DataFrame) -> str:
    """Which kappa is nearest to the optimum, by panel, and whether the optimality gap shrinks with every step of kappa."""
    shrinking, panels = 0, 0
    nearest: dict[int, int] = {}
    for _, rows in table.dropna(subset=["gap_median"]).groupby(["agents", "tau"]):
        medians = rows.sort_values("kappa")["gap_median"].to_numpy()
        best = int(rows.sort_values("gap_median")["kappa"].iloc[0])
        nearest[best] = nearest.get(best, 0) + 1
        shrinking += all(high > low for high, low in itertools.pairwise(medians))
        panels += 1
    if not panels:
        return "No optimum was computed."
    words = ", ".join(f"κ = {kappa} in {count}" for kappa, count in sorted(nearest.items()))
    return (
        f"Of {panels} panel{'s' * (panels > 1)}, the smallest median optimality gap at the end belongs to {words}; it shrinks "
        f"with every step of κ in {shrinking}."
    )


def locality(table: pd.DataFrame, agents: int) -> str:
    """Table of the smallest losses found by convention, tau and kappa, as shares of the uniform policy's loss."""
    rows = table[table["agents"] == agents]
    if rows.empty:
        raise ResultsError(f"locality: no rows for agents {agents}")
    kappas = sorted(set(rows["kappa"]))
    lines = ["| p₁ | p₂ | τ | uniform policy | " + " | ".join(f"κ = {kappa}" for kappa in kappas) + " |"]
    lines.append("|---|---|---:|---:|" + "---:|" * len(kappas))
    for (one, two, tau), group in rows.groupby(["p1_means", "p2_means", "tau"]):
        whole, cells = group["uniform_loss"].iloc[0], []
        for kappa in kappas:
            (row,) = group[group["kappa"] == kappa].to_dict("records")
            known = row["error_bound"] + max(row["stationarity"], 0.0)
            cells.append(
                f"{loss(row['loss'])} ({_part(row['loss'] / whole)})" if row["loss"] > known else f"< {loss(known)}"
            )
        lines.append(f"| {one} | {two} | {tau:g} | {loss(whole)} | {' | '.join(cells)} |")
    first = rows[rows["kappa"] == kappas[0]]
    share = first["loss"] / first["uniform_loss"]
    top, bottom = first.loc[share.idxmax()], first.loc[share.idxmin()]
    lines.append(
        f"\nJ* − J of the best κ-hop policy found from {_range(rows['starts'])} starts, n = {agents}, and in brackets its "
        f"share of what the uniform policy loses. All starts of a row led to the same J within {loss(rows['spread'].max())}. "
        f"For κ = {kappas[0]} the share is largest, {_part(share.max())}, under p₁: {top['p1_means']}, "
        f"p₂: {top['p2_means']}, τ = {top['tau']:g}, and smallest, {_part(share.min())}, under "
        f"p₁: {bottom['p1_means']}, p₂: {bottom['p2_means']}, τ = {bottom['tau']:g}."
    )
    return "\n".join(lines)


def theorem_1(table: pd.DataFrame, agents: int) -> str:
    """Whether Theorem 1 applies to the rows of Figure 5, by hypothesis."""
    rows = table[table["agents"] == agents]
    gamma, interaction = rows["gamma"].max(), rows["interaction"]
    lines = ["| Hypothesis of Theorem 1 | here | met |", "|---|---|---|"]
    lines.append(f"| γ < {LARGEST_GAMMA:g} | γ = {gamma:g} | {_yes(gamma < LARGEST_GAMMA)} |")
    if rows["least_tau"].isna().any():
        lines.append("| τ at least a constant that depends on γ | the constant does not exist for this γ | no |")
    else:
        least = rows["least_tau"].max()
        lines.append(f"| τ ≥ {least:.3g} | τ = {_range(rows['tau'])} | {_yes(rows['tau'].min() >= least)} |")
    lines.append(
        f"| Σⱼ Cᵢⱼ < 1/2 for all i | at most {_range(interaction)} | {_yes(interaction.max() < LARGEST_INTERACTION)} |"
    )
    met = int((rows["hypotheses_met"] == "yes").sum())
    return "\n".join(lines) + (
        f"\n\nThe hypotheses hold in {met} of {len(rows)} rows. Where they do not, Theorem 1 says nothing about the loss; "
        f"the figure then shows what no loss can exceed: the whole range of J, {reward(rows['range'].max())} at most."
    )


def acting(table: pd.DataFrame, place: str = "middle") -> str:
    """Table of how the optimal policy acts by convention and p_eff, how far ahead, and whether a smaller p_eff makes it
    act earlier."""
    rows = table[(table["place"] == place) & (table["protected"] == "no")]
    lines = [
        "| p₁ | p₂ | p_eff | none infected | at 3 hops | at 2 hops | at 1 hop | half-way at (hops) |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    earlier, weaker, verdicts = [], [], []
    for (one, two), convention in rows.groupby(["p1_means", "p2_means"]):
        reaches = {}
        for p_eff, group in convention.groupby("p_eff"):
            at = dict(zip(group["distance"].fillna(np.inf), group["acting"], strict=True))
            near = {distance: value for distance, value in at.items() if np.isfinite(distance)}
            reaches[p_eff] = reach(list(near), list(near.values()), at[np.inf])
            values = [_probability(at.get(distance, math.nan)) for distance in (np.inf, 3.0, 2.0, 1.0)]
            lines.append(f"| {one} | {two} | {p_eff:g} | {' | '.join(values)} | {_hops(reaches[p_eff])} |")
        name = f"p₁: {one}, p₂: {two}"
        falls = all(high > low for high, low in itertools.pairwise(reaches.values()))
        earlier.append(falls)
        far = convention[convention["distance"] == 2.0].sort_values("p_eff")["acting"].to_numpy()
        weaker.append(len(far) > 1 and far[0] < far[-1])
        verdicts.append(f"- {name}: {_direction(list(reaches.values()))}{_absolute(far)}")
    return (
        "\n".join(lines)
        + "\n\nHalf-way: the distance at which the probability of acting has fallen to the middle between its values at 1 "
        "hop and with no one infected, linear between whole distances; the farther, the earlier the policy acts as an "
        "infection comes nearer.\n\n"
        + "\n".join(verdicts)
        + "\n\nRelative to what it does beside an infected agent, a smaller p_eff makes the optimal policy act earlier, at "
        f"every step of p_eff, under {sum(earlier)} of {len(earlier)} conventions. The probability itself need not be higher: at 2 hops "
        f"the smallest p_eff acts with a lower probability than the largest under {sum(weaker)} of {len(weaker)}. With no one infected it still acts with probability "
        f"{_range(rows[rows['distance'].isna()]['acting'], _probability)}: the entropy pays for it."
    )


def reach(distances: Sequence[float], acting: Sequence[float], without: float) -> float:
    """How far ahead a policy acts: the distance at which the probability of acting has fallen to half-way (`LEVEL`)
    between its value beside an infected agent (distance 1) and its value `without` any infection.

    Linear between distances; the smallest such distance, at least 1.  NaN where an infected neighbour does not raise
    the probability, infinite where no distance that the network has is that far.
    """
    pairs = sorted((d, p) for d, p in zip(distances, acting, strict=True) if d >= 1)
    if not pairs or not pairs[0][1] > without:
        return math.nan
    level = without + LEVEL * (pairs[0][1] - without)
    for (near, high), (far, low) in itertools.pairwise(pairs):
        if low <= level:
            return near + (far - near) * (high - level) / (high - low)
    return math.inf


def _direction(reaches: Sequence[float]) -> str:
    """How the half-way distance moves as p_eff rises."""
    if not np.isfinite(reaches).all():
        return "the half-way distance does not exist for every p_eff"
    changes = np.diff(reaches)
    ends = f"from {_hops(reaches[0])} to {_hops(reaches[-1])} hops as p_eff rises"
    if (changes < 0).all():
        return f"the half-way distance falls at every step, {ends}"
    if (changes > 0).all():
        return f"the half-way distance grows at every step, {ends}"
    return f"the half-way distance is not monotone in p_eff, {ends}"


def _absolute(far: np.ndarray) -> str:
    """The probability itself at two hops for the smallest and the largest p_eff, given it by rising p_eff."""
    if len(far) < 2:
        return ""
    low, high = _probability(far[0]), _probability(far[-1])
    return f"; the probability itself at 2 hops is {low} for the smallest p_eff and {high} for the largest"


def _probability(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _hops(value: float) -> str:
    if np.isnan(value):
        return "–"
    return "beyond the network" if np.isinf(value) else f"{value:.2f}"


def _part(share: float) -> str:
    """A share as printed, without the digits of one that is too small to matter."""
    return percent(share) if share >= 1e-5 else "< 0.001 %"


def _yes(met: bool) -> str:
    return "yes" if met else "no"


def _range(values: Iterable[float], text=lambda value: f"{value:.3g}") -> str:
    """The smallest to the largest of some values, or the value they share as printed."""
    low, high = text(min(values)), text(max(values))
    return low if low == high else f"{low} to {high}"
