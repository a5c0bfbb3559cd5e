"""Intervals, equivalence and sample sizes for the few independent seeds of a learning experiment.

Student-t throughout.  With ten seeds its nominal 95 % interval covers at least 93 % for normal, mildly skewed and
two-humped data, and about 90 % for strongly skewed ones (exponential, or one run in ten that fails); the percentile and
the BCa bootstrap cover no more there.  Differences of pairs have no skew where both are skewed alike, and cover 95 %.
`lpi.report.coverage` measures this and the tests hold it.  Values of one sample are independent between seeds; nothing
here is for the points of one learning curve, which are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import special, stats

LEVEL = 0.95
"""Level of the intervals, family-wise where there are several."""
POWER = 0.8
"""Chance with which the sample sizes given would resolve an effect."""
MOST_SEEDS = 2**19
"""A larger number of seeds is not given: the effect counts as none.  A power of 2, by which the search goes."""


class Interval(NamedTuple):
    """A mean (or difference of means) with its interval; nan bounds where fewer than two values were given."""

    mean: float
    low: float
    high: float
    level: float
    count: int  # type: ignore[assignment]  # hides tuple.count
    """number of values; of the smaller sample for a difference of two"""
    deviation: float
    """standard deviation of one value; of a single difference where two samples are compared"""


@lru_cache(maxsize=4096)
def quantile(freedom: float, level: float) -> float:
    """The Student-t quantile of a two-sided interval."""
    return float(special.stdtrit(freedom, 0.5 + level / 2))


def student(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """Student-t interval of the mean of independent values; for paired samples give the differences."""
    values = np.asarray(values, dtype=float)
    count = len(values)
    if count < 2:
        return Interval(float(values[0]) if count else math.nan, math.nan, math.nan, level, count, math.nan)
    return student_of(float(values.mean()), float(values.std(ddof=1)), count, level)


def student_of(mean: float, deviation: float, count: int, level: float = LEVEL) -> Interval:
    """The same from the mean and the standard deviation of two or more values."""
    half = quantile(count - 1, level) * deviation / math.sqrt(count)
    return Interval(mean, mean - half, mean + half, level, count, deviation)


def welch(one: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """Welch's interval of mean(one) - mean(other) for independent samples of unequal variance."""
    one, other = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    count = min(len(one), len(other))
    if count < 2:
        return Interval(math.nan, math.nan, math.nan, level, count, math.nan)
    mean = float(one.mean() - other.mean())
    parts = np.array([one.var(ddof=1) / len(one), other.var(ddof=1) / len(other)])
    total = float(parts.sum())
    deviation = math.sqrt(one.var(ddof=1) + other.var(ddof=1))
    if total == 0:
        return Interval(mean, mean, mean, level, count, deviation)
    freedom = total**2 / float((parts**2 / [len(one) - 1, len(other) - 1]).sum())
    half = quantile(freedom, level) * math.sqrt(total)
    return Interval(mean, mean - half, mean + half, level, count, deviation)


def bca(values: Sequence[float] | np.ndarray, level: float = LEVEL, resamples: int = 9999, seed: int = 0) -> Interval:
    """Bias-corrected and accelerated bootstrap interval of the mean; the same for the same seed."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2 or np.ptp(values) == 0:
        return student(values, level)
    found = stats.bootstrap(
        (values,), np.mean, confidence_level=level, n_resamples=resamples, method="BCa", rng=np.random.default_rng(seed)
    ).confidence_interval
    return Interval(
        float(values.mean()), float(found.low), float(found.high), level, len(values), float(values.std(ddof=1))
    )


def family(level: float, members: int) -> float:
    """Bonferroni: the level at which each of so many intervals is made for all to cover together at `level`."""
    if members < 1:
        raise ValueError(f"members: {members} is not allowed; an integer >= 1")
    return 1 - (1 - level) / members


def equivalence_level(level: float = LEVEL) -> float:
    """Level of the interval that two one-sided tests of size 1 - level compare with the margin: 0.9 for 0.95."""
    return 1 - 2 * (1 - level)


def within(interval: Interval, margin: float) -> bool:
    """Two one-sided tests: the interval, made at `equivalence_level`, lies within -margin .. margin."""
    return -margin < interval.low and interval.high < margin


def seeds_to_resolve(effect: float, deviation: float, level: float = LEVEL, power: float = POWER) -> float:
    """Smallest number of seeds with which a mean of that size is told from 0 with the given power; nan: none.

    By the non-central t distribution, on the side of the effect.
    """
    if not (math.isfinite(effect) and math.isfinite(deviation)) or effect == 0:
        return math.nan
    ratio = abs(effect) / deviation if deviation > 0 else math.inf

    def enough(count: int) -> bool:
        shift = math.sqrt(count) * ratio
        if shift > 30:  # beyond any doubt, and beyond the range of nctdtr
            return shift > 2 * quantile(count - 1, level)
        return 1 - special.nctdtr(count - 1, shift, quantile(count - 1, level)) >= power

    high = 2
    while not enough(high):
        high *= 2
        if high > MOST_SEEDS:
            return math.nan
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return float(high)


def seeds_for_equivalence(
    difference: float, deviation: float, margin: float, level: float = LEVEL, against: float | None = None
) -> float:
    """Seeds with which two one-sided tests would show equivalence if the difference is as given; nan: none would.

    Where the difference lies outside the margin: the seeds that would show this, by an interval at the level `against`
    (by default that of the tests).
    """
    tested = equivalence_level(level) if abs(difference) <= margin or against is None else against
    return seeds_to_resolve(margin - abs(difference), deviation, tested)
