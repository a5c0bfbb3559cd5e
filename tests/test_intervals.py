"""Intervals and tests hold what they promise, by simulation with fixed seeds and against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from lpi.claims import intervals
from lpi.report import coverage

SEEDS = 10
STRONGLY_SKEWED = ("exponential", "one run in ten fails")


def rate(shape, quantity, method="student"):
    """Share of nominal 95 % intervals at ten seeds that cover."""
    return coverage.row(shape, quantity, SEEDS, method)[-1]


@pytest.mark.parametrize("shape", [name for name in coverage.SHAPES if name not in STRONGLY_SKEWED])
def test_nominal_95_percent_intervals_cover_93_percent_at_ten_seeds(shape):
    assert 0.93 <= rate(shape, coverage.MEAN) <= 0.97


@pytest.mark.parametrize("shape", STRONGLY_SKEWED)
def test_strong_skew_costs_coverage_of_a_mean_but_not_of_a_paired_difference(shape):
    assert 0.87 <= rate(shape, coverage.MEAN) <= 0.93
    assert rate(shape, coverage.ALIKE) >= 0.94
    assert rate(shape, coverage.UNLIKE) >= 0.92
    assert rate(shape, coverage.MEAN, "bca") <= 0.93  # the bootstrap is no remedy


def test_coverage_counts_what_the_intervals_do(monkeypatch):
    monkeypatch.setattr(coverage, "REPEATS", {"student": 50, "bca": 50})
    samples = coverage.SHAPES["skewed"].draw(np.random.default_rng([3, 0, 5]), (50, 5))
    found = [intervals.student(values) for values in samples]
    assert coverage.row("skewed", coverage.MEAN, 5, "student")[-1] == np.mean([i.low <= -4 <= i.high for i in found])
    for name, shape in coverage.SHAPES.items():
        assert abs(shape.draw(np.random.default_rng(0), (200_000,)).mean() - shape.mean) < 0.02, name


def test_student_is_scipys():
    values = np.random.default_rng(0).normal(3, 2, 10)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    found = intervals.student(values, 0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert (found.mean, found.count) == (pytest.approx(values.mean()), 10)


def test_welch_is_scipys():
    rng = np.random.default_rng(1)
    one, other = rng.normal(1, 1, 8), rng.normal(0, 3, 12)
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    found = intervals.welch(one, other)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_too_few_or_constant_values():
    assert math.isnan(intervals.student([1.0]).low) and math.isnan(intervals.student([]).mean)
    assert math.isnan(intervals.welch([1.0], [2.0, 3.0]).low)
    assert intervals.student([2.0, 2.0, 2.0])[:3] == (2.0, 2.0, 2.0)
    assert intervals.welch([2.0, 2.0], [1.0, 1.0])[:3] == (1.0, 1.0, 1.0)
    assert intervals.bca([2.0, 2.0])[:3] == (2.0, 2.0, 2.0)


def test_an_interval_worked_out_by_hand():
    """1, 2, 3, 6: mean 3, variance 14 / 3; t(3) = 3.18245."""
    found = intervals.student([1, 2, 3, 6])
    assert found.mean == 3 and found.deviation == pytest.approx(math.sqrt(14 / 3), rel=1e-14)
    assert found.high - found.mean == pytest.approx(3.182446 * math.sqrt(14 / 3) / 2, rel=1e-6)
    assert found.mean - found.low == pytest.approx(found.high - found.mean, rel=1e-12)
    assert (found.level, found.count) == (0.95, 4)
    assert intervals.student_of(3.0, math.sqrt(14 / 3), 4) == found
    assert intervals.student([5.0]) == pytest.approx((5.0, *[math.nan] * 2, 0.95, 1, math.nan), nan_ok=True)


def test_a_difference_of_means_worked_out_by_hand():
    """Means 3 and 10, variances 14 / 3 and 4 of 4 and 3 values."""
    found = intervals.welch([1, 2, 3, 6], [8, 10, 12], 0.9)
    parts = 14 / 12, 4 / 3
    freedom = 2.5**2 / (parts[0] ** 2 / 3 + parts[1] ** 2 / 2)
    half = stats.t(freedom).ppf(0.95) * math.sqrt(2.5)
    assert (found.mean, found.low, found.high) == pytest.approx((-7, -7 - half, -7 + half), rel=1e-12)
    assert (found.level, found.count) == (0.9, 3)
    assert found.deviation == pytest.approx(math.sqrt(14 / 3 + 4), rel=1e-14)  # of one difference
    few = intervals.welch([1.0, 2.0], [1.0], 0.9)
    assert (few.level, few.count) == (0.9, 1) and math.isnan(few.mean) and math.isnan(few.high)
    assert not math.isnan(intervals.welch([1.0, 2.0], [1.0, 3.0]).low)  # two values are enough


def test_bounds_are_strict_and_levels_are_shared_out():
    def interval(low, high):
        return intervals.Interval(0.0, low, high, 0.9, 5, 1.0)

    assert intervals.within(interval(-0.9, 0.9), 1.0)
    assert not intervals.within(interval(-1.0, 0.9), 1.0) and not intervals.within(interval(-0.9, 1.0), 1.0)
    assert intervals.family(0.95, 1) == pytest.approx(0.95) and intervals.family(0.9, 5) == pytest.approx(0.98)
    assert intervals.equivalence_level(0.99) == pytest.approx(0.98)


def test_a_bootstrap_interval_says_what_it_is_of():
    values = [1.0, 2.0, 3.0, 6.0]
    found = intervals.bca(values, 0.9, resamples=999)
    assert found.mean == 3 and (found.level, found.count) == (0.9, 4) and found.low < 3 < found.high
    assert found.deviation == pytest.approx(math.sqrt(14 / 3))
    skewed = np.random.default_rng(3).gamma(1, 1, 30)
    assert intervals.bca(skewed, resamples=999, seed=1) != intervals.bca(skewed, resamples=999)
    assert intervals.bca(values, 0.5, resamples=999).low > found.low
    assert intervals.bca([1.0, 2.0], resamples=99).count == 2 and math.isnan(intervals.bca([1.0]).low)


def test_bca_is_repeatable_and_leans_to_the_long_tail():
    values = -np.random.default_rng(3).gamma(1, 1, 30)
    one, again = intervals.bca(values, resamples=999), intervals.bca(values, resamples=999)
    assert one == again
    assert one.mean - one.low > one.high - one.mean > 0


def test_bonferroni_holds_the_family_wise_error_over_six_pairs():
    finals = np.random.default_rng(11).normal(0, 1, (2000, 4, SEEDS))  # four equal kappas
    level = intervals.family(0.95, 6)
    pairs = [(i, j) for i in range(4) for j in range(i)]
    found = [[intervals.student(run[i] - run[j], level) for i, j in pairs] for run in finals]
    wrong = [any(interval.low > 0 or interval.high < 0 for interval in row) for row in found]
    assert 0.01 < np.mean(wrong) <= 0.055
    plain = [any(abs(stats.ttest_rel(r[i], r[j]).statistic) > 2.262 for i, j in pairs) for r in finals[:200]]
    assert np.mean(plain) > 0.1  # which is why


def test_a_family_has_members():
    with pytest.raises(ValueError, match="members"):
        intervals.family(0.95, 0)


def test_equivalence_keeps_its_size_at_the_margin_and_has_power_inside():
    rng = np.random.default_rng(5)
    level = intervals.equivalence_level(0.95)
    assert level == pytest.approx(0.9)

    def rate(difference):
        one, other = rng.normal(difference, 1, (2000, SEEDS)), rng.normal(0, 1.5, (2000, SEEDS))
        return np.mean([intervals.within(intervals.welch(a, b, level), 2.0) for a, b in zip(one, other, strict=True)])

    assert 0.03 <= rate(2.0) <= 0.06
    assert rate(0.0) > 0.8


@pytest.mark.parametrize("effect", [0.3, 1.0, 2.0])
def test_the_seeds_given_resolve_the_effect_with_the_power_stated(effect):
    needed = int(intervals.seeds_to_resolve(effect, 1.0))
    power = stats.nct(needed - 1, effect * math.sqrt(needed))
    assert power.sf(intervals.quantile(needed - 1, 0.95)) >= 0.8
    fewer = stats.nct(needed - 2, effect * math.sqrt(needed - 1)).sf(intervals.quantile(needed - 2, 0.95))
    assert fewer < 0.8


def test_no_number_of_seeds_resolves_nothing():
    assert math.isnan(intervals.seeds_to_resolve(0.0, 1.0))
    assert math.isnan(intervals.seeds_to_resolve(1e-9, 1.0))
    assert intervals.seeds_to_resolve(1.0, 0.0) == 2
    assert math.isnan(intervals.seeds_to_resolve(math.nan, 1.0)) and math.isnan(intervals.seeds_to_resolve(1, math.inf))
    assert intervals.seeds_to_resolve(-1.0, 2.0) == intervals.seeds_to_resolve(1.0, 2.0)
    assert intervals.seeds_to_resolve(22.0, 1.0, 0.99) == 3  # t(1) is 64 at this level: two seeds do for four in ten
    assert intervals.seeds_to_resolve(0.5, 1.0) == 34  # as tables of the power of the t test have it
    most = intervals.MOST_SEEDS
    assert most / 2 < intervals.seeds_to_resolve(0.004, 1.0) < most and math.isnan(
        intervals.seeds_to_resolve(0.0038, 1.0)
    )
    assert intervals.seeds_for_equivalence(0.1, 1.0, 0.5) == intervals.seeds_to_resolve(0.4, 1.0, 0.9)
    assert intervals.seeds_for_equivalence(0.1, 1.0, 0.5, against=0.99) == intervals.seeds_to_resolve(0.4, 1.0, 0.9)
    assert intervals.seeds_for_equivalence(0.9, 1.0, 0.5) == intervals.seeds_to_resolve(0.4, 1.0, 0.9)
    assert math.isnan(intervals.seeds_for_equivalence(0.5, 1.0, 0.5, against=0.99))
    assert intervals.seeds_for_equivalence(-0.9, 1.0, 0.5, against=0.99) == intervals.seeds_to_resolve(0.4, 1.0, 0.99)
