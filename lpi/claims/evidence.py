"""What the claims are judged by: per-seed statistics of learning curves, and exact numbers of the model.

For one run with values v_0 .. v_M:

final             v_M
outstanding       (area between v_M and the curve, in loops times reward) / (v_M - v_0): the loops for which the run's own
                  improvement is still missing, on average; a larger number is slower.  It is taken as a ratio of means
                  over the seeds, because the ratio of a run that hardly moves is noise; the per-seed values are the
                  ratio's linearisation (mean: the ratio; spread: that of the delta method)
pace              (v_M - v at nine tenths of the loops) / (v_M - v_0) / 0.1: how fast the run still rises at the end, in units
                  of its average; a ratio of means over the seeds
closed            (area under the curve / M - J of the uniform policy) / (J* - J of the uniform policy)

Standard errors of simulated values are not added: the noise is in the spread between seeds already.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from lpi.claims.intervals import student

Point = tuple[int, float]
"""(agents, tau)"""
RELEVANT = 0.01
"""Share of J* - J of the uniform policy below which a difference in reward does not matter."""
STILL_RISING = 0.5
"""Share of its average pace; a run that ends at more has not converged."""
SLIGHTLY = 0.5
"""Share of the rise from κ = 0 to 2 that a slight difference in the same figure stays below."""


class Sample(NamedTuple):
    """A statistic by seed, to be compared with a threshold or, as `values` - `other`, with a margin of equivalence."""

    agents: int
    tau: float
    part: str
    """which pair or kappa of the panel"""
    values: np.ndarray
    unit: str
    other: np.ndarray | None = None
    """second, independent sample"""
    threshold: float = 0.0
    margin: float | None = None
    """smallest difference that matters"""
    ceiling: float | None = None
    """exact difference between the best policies, where it is known"""


class Exact(NamedTuple):
    """A number without sampling error, with the bounds between which the claim's rule calls nothing."""

    agents: int
    tau: float
    part: str
    value: float
    unit: str
    contradicted_to: float
    """at or below it the claim is contradicted"""
    supported_from: float
    """at or above it the claim is supported; between the two the effect is not visible even in principle"""
    note: str = "exact"


class Missing(NamedTuple):
    """Why a claim, or one part of it, cannot be tested."""

    reason: str
    agents: int | None = None
    tau: float = np.nan
    part: str = ""


@dataclass(frozen=True)
class Data:
    """The tables of one reading; a table that is not there is None."""

    reading: str
    quantity: str
    runs: Mapping[tuple[int, float, int], pd.DataFrame]
    """(agents, tau, kappa) -> its rows, by seed and outer loop"""
    optima: Mapping[Point, Mapping[str, float]] = field(default_factory=dict)
    losses: Mapping[Point, Mapping[int, float]] = field(default_factory=dict)
    """(agents, tau) -> kappa -> loss of the best kappa-hop policy"""
    spans: Mapping[Point, float] = field(default_factory=dict)
    """(agents, tau) -> loss of the uniform policy, as the table of the losses has it"""
    acting: pd.DataFrame | None = None
    variant: Mapping[tuple[int, float, int], pd.DataFrame] = field(default_factory=dict)
    """the same runs with another default state"""
    lengths: Mapping[tuple[int, float, int], pd.DataFrame] = field(default_factory=dict)
    """runs at several trajectory lengths (column trajectory_length)"""

    def panels(self) -> dict[Point, list[int]]:
        """(agents, tau) -> kappas, ascending."""
        found: dict[Point, list[int]] = {}
        for agents, tau, kappa in sorted(self.runs):
            found.setdefault((agents, tau), []).append(kappa)
        return found

    def gap(self, point: Point) -> float | None:
        """J* - J of the uniform policy."""
        row = self.optima.get(point)
        return self.spans.get(point) if row is None else row["optimum"] - row["uniform"]

    def is_regularized(self, rows: pd.DataFrame) -> bool:
        """Whether the quantity is the J of (2), so that exact values are on its scale."""
        return self.quantity == "regularized" or (
            self.quantity == "reported" and bool((rows["reported"] == rows["regularized"]).all())
        )


def by_run(table: pd.DataFrame) -> dict[tuple[int, float, int], pd.DataFrame]:
    """The table split by (agents, tau, kappa)."""
    ordered = table.sort_values(["agents", "tau", "kappa", "seed", "outer_loop"], kind="stable")
    return {(int(n), float(tau), int(k)): rows for (n, tau, k), rows in ordered.groupby(["agents", "tau", "kappa"])}


def curves_of(rows: pd.DataFrame, quantity: str) -> tuple[np.ndarray, np.ndarray]:
    """Seeds, shape (seeds,), and their curves, shape (seeds, loops + 1)."""
    seeds = np.unique(rows["seed"].to_numpy())
    return seeds, rows[quantity].to_numpy(dtype=float).reshape(len(seeds), -1)


def paired(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """other - one on the seeds that both have."""
    _, at_one, at_other = np.intersect1d(one[0], other[0], return_indices=True)
    return other[1][at_other] - one[1][at_one]


def outstanding(curves: np.ndarray) -> np.ndarray | str:
    """Loops for which the own improvement is still missing, by seed, or why they have no convergence rate.

    They have none unless they improve for certain and no longer rise at more than `STILL_RISING` of their average pace.
    """
    improvement = curves[:, -1] - curves[:, 0]
    interval = student(improvement)
    if not interval.low > 0:
        return "does not improve for certain"
    if pace(curves) > STILL_RISING:
        return "still rises at the end"
    missing = np.trapezoid(curves[:, -1:] - curves, axis=1)
    ratio = missing.mean() / interval.mean
    return ratio + (missing - ratio * improvement) / interval.mean


def pace(curves: np.ndarray) -> float:
    """Mean rise in the last tenth of the loops (at least one) over the mean rise in as many loops on average."""
    loops = curves.shape[1] - 1
    last = max(1, loops // 10)
    means = curves.mean(axis=0)
    return float((means[-1] - means[-1 - last]) / (means[-1] - means[0]) * loops / last)


def final_pairs(data: Data, points: Iterable[Point], pairs, quantity: str, sign: int = 1) -> list[Sample | Missing]:
    """Paired differences of the final values of two kappas, larger minus smaller (times sign)."""
    found: list[Sample | Missing] = []
    for point in points:
        kappas = data.panels()[point]
        wanted = itertools.combinations(kappas, 2) if pairs is None else pairs
        for low, high in wanted:
            if low not in kappas or high not in kappas:
                found.append(Missing(f"no runs of κ = {low if low not in kappas else high}", *point, _pair(low, high)))
                continue
            rows = data.runs[(*point, low)], data.runs[(*point, high)]
            ends = [(seeds, curves[:, -1]) for seeds, curves in (curves_of(r, quantity) for r in rows)]
            margin = ceiling = None
            if quantity != "unregularized" and all(data.is_regularized(r) for r in rows):
                losses, gap = data.losses.get(point, {}), data.gap(point)
                margin = None if gap is None else RELEVANT * gap
                ceiling = losses[low] - losses[high] if {low, high} <= set(losses) else None
            values = sign * paired(*ends)
            found.append(Sample(*point, _pair(low, high), values, "reward", margin=margin, ceiling=ceiling))
    return found


def slight_drop(data: Data, points: Iterable[Point]) -> list[Sample | Missing]:
    """The drop from κ = 1 to 3 (unregularised), and by how much it stays below `SLIGHTLY` of the rise from 0 to 2, by seed.

    Where there is no such rise for certain, nothing says what would be slight.
    """
    found: list[Sample | Missing] = []
    for point in points:
        part, needed = _pair(1, 3), (0, 1, 2, 3)
        lacking = [kappa for kappa in needed if kappa not in data.panels()[point]]
        if lacking:
            found.append(Missing(f"no runs of κ = {lacking[0]}", *point, part))
            continue
        ends = [_ends(data.runs[(*point, kappa)], "unregularized") for kappa in needed]
        common = sorted(set.intersection(*(set(values) for values in ends)))
        nil, one, two, three = (np.array([values[seed] for seed in common]) for values in ends)
        found.append(Sample(*point, f"{part}, a drop", one - three, "reward"))
        slight = f"{part}, a slight one"
        if student(two - nil).low > 0:
            found.append(Sample(*point, slight, SLIGHTLY * (two - nil) - (one - three), "reward"))
        else:
            found.append(Missing("κ = 2 is not better than κ = 0 for certain", *point, slight))
    return found


def _ends(rows: pd.DataFrame, quantity: str) -> dict[int, float]:
    """Seed -> final value."""
    seeds, curves = curves_of(rows, quantity)
    return dict(zip(seeds.tolist(), curves[:, -1].tolist(), strict=True))


def rate_pairs(data: Data, points: Iterable[Point]) -> list[Sample | Missing]:
    """Paired differences of the loops outstanding: positive where the larger kappa is slower."""
    found: list[Sample | Missing] = []
    for point in points:
        for low, high in itertools.combinations(data.panels()[point], 2):
            ends = []
            for kappa in (low, high):
                seeds, curves = curves_of(data.runs[(*point, kappa)], data.quantity)
                values = outstanding(curves)
                if isinstance(values, str):
                    found.append(Missing(f"κ = {kappa} {values}", *point, _pair(low, high)))
                    break
                ends.append((seeds, values))
            else:
                found.append(Sample(*point, _pair(low, high), paired(*ends), "loops"))
    return found


def closed_pairs(data: Data, points: Iterable[Point]) -> list[Sample | Missing]:
    """Paired differences of the share of the gap closed, averaged over the loops: positive where the larger is slower."""
    found: list[Sample | Missing] = []
    for point in points:
        gap = data.gap(point)
        for low, high in itertools.combinations(data.panels()[point], 2):
            if gap is None:
                found.append(Missing("needs the optimum (table optima)", *point, _pair(low, high)))
                continue
            ends = []
            for kappa in (low, high):
                seeds, curves = curves_of(data.runs[(*point, kappa)], "regularized")
                ends.append((seeds, -np.trapezoid(curves, axis=1) / (curves.shape[1] - 1) / gap))
            found.append(Sample(*point, _pair(low, high), paired(*ends), "share of gap", margin=RELEVANT))
    return found


def size_pairs(data: Data, points: Iterable[Point], margin: float) -> list[Sample | Missing]:
    """Log ratios of the loops outstanding between numbers of agents at the same tau and kappa."""
    rates: dict[tuple[float, int], dict[int, np.ndarray | str]] = {}
    for agents, tau in points:
        for kappa in data.panels()[(agents, tau)]:
            _, curves = curves_of(data.runs[(agents, tau, kappa)], data.quantity)
            values = outstanding(curves)
            if not isinstance(values, str):
                positive = values.mean() > 0
                values = np.log(values.mean()) + values / values.mean() - 1 if positive else "overshoots its end"
            rates.setdefault((tau, kappa), {})[agents] = values
    found: list[Sample | Missing] = []
    for (tau, kappa), sizes in rates.items():
        for one, other in itertools.combinations(sorted(sizes), 2):
            part = f"κ = {kappa}, n {one} : {other}"
            few, many = sizes[one], sizes[other]
            if isinstance(few, str):
                found.append(Missing(f"n = {one} {few}", other, tau, part))
            elif isinstance(many, str):
                found.append(Missing(f"n = {other} {many}", other, tau, part))
            else:
                found.append(Sample(other, tau, part, many, "log ratio", other=few, margin=margin))
    return found


def rise(data: Data, points: Iterable[Point], share: float) -> list[Sample | Missing]:
    """Share of J* - J of the uniform policy that the final policy has gained over the uniform one, by kappa."""
    found: list[Sample | Missing] = []
    for point in points:
        row = data.optima.get(point)
        for kappa in data.panels()[point]:
            if row is None:
                found.append(Missing("needs the optimum (table optima)", *point, f"κ = {kappa}"))
                continue
            _, curves = curves_of(data.runs[(*point, kappa)], "regularized")
            gained = (curves[:, -1] - row["uniform"]) / (row["optimum"] - row["uniform"])
            found.append(Sample(*point, f"κ = {kappa}", gained, "share of gap", threshold=share))
    return found


def best_rise(data: Data, points: Iterable[Point], share: float) -> list[Sample | Missing]:
    """`rise` of the best κ of each panel, chosen on every other seed and judged on the rest.

    Judged on the seeds it was chosen by, the best of several would look better than it is.
    """
    found: list[Sample | Missing] = []
    by_panel: dict[tuple[int | None, float], list[Sample | Missing]] = {}
    for item in rise(data, points, share):
        by_panel.setdefault((item.agents, item.tau), []).append(item)
    for point, items in by_panel.items():
        samples = [item for item in items if isinstance(item, Sample)]
        if not samples:
            found.append(Missing("needs the optimum (table optima)", *point))
            continue
        best = max(samples, key=lambda sample: sample.values[::2].mean())
        found.append(best._replace(values=best.values[1::2]))
    return found


def default_pairs(data: Data, share: float) -> list[Sample | Missing]:
    """Paired differences of the final values between two default states, with a margin of that share of the gap."""
    found: list[Sample | Missing] = []
    for (agents, tau, kappa), rows in data.variant.items():
        base, gap = data.runs.get((agents, tau, kappa)), data.gap((agents, tau))
        if base is None or gap is None:
            reason = "no runs with the first default" if base is None else "needs the optimum (table optima)"
            found.append(Missing(reason, agents, tau, f"κ = {kappa}"))
            continue
        ends = [(seeds, curves[:, -1]) for seeds, curves in (curves_of(r, "regularized") for r in (base, rows))]
        found.append(Sample(agents, tau, f"κ = {kappa}", paired(*ends), "reward", margin=share * gap))
    return found


def sample_pairs(data: Data, share: float) -> list[Sample | Missing]:
    """Paired differences of log10 of the trajectory length that closes a share of the gap: positive if more are needed.

    Lengths that would lie outside those run count as the shortest or longest: differences are then understated.  Seeds
    for which both lengths would lie on the same side say nothing and are left out.
    """
    found: list[Sample | Missing] = []
    needed: dict[Point, dict[int, dict[int, tuple[float, int]]]] = {}
    for (agents, tau, kappa), rows in data.lengths.items():
        row = data.optima.get((agents, tau))
        if row is not None:
            goal = row["uniform"] + share * (row["optimum"] - row["uniform"])
            needed.setdefault((agents, tau), {})[kappa] = _lengths_needed(rows, goal)
    for point, kappas in needed.items():
        for low, high in itertools.combinations(sorted(kappas), 2):
            found.append(_compared_lengths(point, low, high, kappas[low], kappas[high]))
    return found


def _compared_lengths(point: Point, low: int, high: int, fewer, more) -> Sample | Missing:
    part, common = _pair(low, high), sorted(set(fewer) & set(more))
    pairs = [(fewer[seed], more[seed]) for seed in common]
    told = [b[0] - a[0] for a, b in pairs if a[1] == 0 or a[1] != b[1]]
    if len(told) < 2 <= len(pairs):
        sides = {a[1] for a, b in pairs if a[1] == b[1] != 0}
        which = "the longest does not do for either" if sides == {1} else "the shortest does for both"
        return Missing(which if len(sides) == 1 else "both lie outside the lengths run", *point, part)
    return Sample(*point, part, np.array(told), "log10 T")


def _lengths_needed(rows: pd.DataFrame, goal: float) -> dict[int, tuple[float, int]]:
    """Seed -> log10 of the length at which the final regularised J first reaches the goal, interpolated, and whether it
    lies below (-1), within (0) or above (1) the lengths run."""
    last = rows[rows["outer_loop"] == rows["outer_loop"].max()]
    table = last.pivot_table(index="seed", columns="trajectory_length", values="regularized").dropna()
    lengths = np.log10(table.columns.to_numpy(dtype=float))
    needed: dict[int, tuple[float, int]] = {}
    for seed, finals in zip(table.index.tolist(), table.to_numpy(), strict=True):
        reached = finals >= goal
        at = int(np.argmax(reached))
        if not reached.any():
            needed[seed] = float(lengths[-1]), 1
        elif at == 0:
            needed[seed] = float(lengths[0]), -1
        else:
            part = (goal - finals[at - 1]) / (finals[at] - finals[at - 1])
            needed[seed] = float(lengths[at - 1] + part * (lengths[at] - lengths[at - 1])), 0
    return needed


def _pair(low: int, high: int) -> str:
    return f"κ {low} → {high}"
