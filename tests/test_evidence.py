"""The statistics of the claims on curves of a few points, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from curves import run

from lpi.claims import evidence
from lpi.claims.evidence import Data, Missing, Sample, by_run

POINT = (8, 0.05)
OPTIMA = {POINT: {"optimum": 14.0, "uniform": 10.0}}
FLAT = [0.0] * 8


def runs(curves, point=POINT, **changed):
    """(agents, tau, kappa) -> rows; `curves` is kappa -> seed -> values."""
    n, tau = point
    rows = [
        row
        for kappa, seeds in curves.items()
        for seed, values in seeds.items()
        for row in run(values, seed=seed, kappa=kappa, agents=n, tau=tau, **changed)
    ]
    return by_run(pd.DataFrame(rows))


def data(curves, **more):
    return Data("working", "reported", runs(curves), **more)


def missing(found):
    return [(item.reason, item.agents, item.tau, item.part) for item in found if isinstance(item, Missing)]


def test_loops_outstanding_are_a_ratio_of_means_with_its_linearisation():
    """Three runs lack 2, 4 and 4.5 loops times reward, and improve by 2, 4 and 3: 3.5 / 3 in the mean."""
    curves = np.array([[0, 1, 2, *[2] * 8], [0, 2, 4, *[4] * 8], [0, 0, 3, *[3] * 8]], dtype=float)
    np.testing.assert_allclose(evidence.outstanding(curves), [19 / 18, 17 / 18, 3 / 2], rtol=1e-14)


def test_a_level_of_its_own_does_not_change_a_rate():
    curves = np.array([[0, 1, 2, *[2] * 8], [0, 2, 4, *[4] * 8], [0, 0, 3, *[3] * 8]], dtype=float)
    np.testing.assert_allclose(evidence.outstanding(curves + 37), evidence.outstanding(curves), rtol=1e-12)


@pytest.mark.parametrize("gains", [[2.0], [0.0, 0.0, 0.0], [0.0, 4.0, 3.0], [-2.0, -2.1, -1.9]])
def test_who_does_not_improve_for_certain_has_no_rate(gains):
    curves = np.array([[0.0, *[gain] * 10] for gain in gains])
    assert evidence.outstanding(curves) == "does not improve for certain"


@pytest.mark.parametrize(("before_last", "pace"), [(9.5, 0.5), (9.25, 0.75), (10.0, 0.0), (10.5, -0.5)])
def test_the_pace_at_the_end_is_in_units_of_the_average(before_last, pace):
    curves = np.array([[0.0, *[before_last] * 9, 10.0]] * 2)
    assert evidence.pace(curves) == pytest.approx(pace, rel=1e-12)
    rising = evidence.outstanding(curves) if pace > 0 else ""
    assert (isinstance(rising, str) and rising == "still rises at the end") == (pace == 0.75)


@pytest.mark.parametrize(("loops", "last"), [(4, 1), (10, 1), (19, 1), (25, 2), (30, 3)])
def test_the_pace_is_that_of_the_last_tenth_of_the_loops(loops, last):
    """One unit in the last tenth, and three before it."""
    curves = np.zeros((2, loops + 1))
    curves[:, 1:] = 3.0
    curves[:, -last:] = [3 + (k + 1) / last for k in range(last)]
    assert evidence.pace(curves) == pytest.approx(1 / 4 * loops / last, rel=1e-12)


def test_a_pace_is_a_ratio_of_means():
    curves = np.array([[0.0, *[4.0] * 9, 4.0], [0.0, *[0.0] * 9, 1.0]])  # 0 of 4, and 1 of 1
    assert evidence.pace(curves) == pytest.approx(0.5 / 2.5 * 10, rel=1e-12)


def test_pairs_of_final_values():
    curves = {0: {0: [1, 2], 1: [1, 3], 2: [1, 4]}, 1: {1: [1, 3.5], 2: [1, 6], 3: [1, 9]}, 3: {1: [1, 2], 2: [1, 2]}}
    first, second, third = evidence.final_pairs(data(curves), [POINT], None, "reported")
    assert [item.part for item in (first, second, third)] == ["κ 0 → 1", "κ 0 → 3", "κ 1 → 3"]
    assert first[:2] == POINT and first.unit == "reward" and first.threshold == 0
    np.testing.assert_allclose(first.values, [0.5, 2])
    np.testing.assert_allclose(third.values, [-1.5, -4])
    assert first.margin is None and first.ceiling is None
    (turned, lacking) = evidence.final_pairs(data(curves), [POINT], [(1, 3), (2, 3)], "unregularized", -1)
    np.testing.assert_allclose(turned.values, [1.5, 4])
    assert missing([lacking]) == [("no runs of κ = 2", *POINT, "κ 2 → 3")]
    (lacking,) = evidence.final_pairs(data(curves), [POINT], [(0, 2)], "unregularized")
    assert missing([lacking]) == [("no runs of κ = 2", *POINT, "κ 0 → 2")]


def test_what_matters_and_what_the_best_policies_differ_by():
    curves = {0: {0: [1, 2], 1: [1, 3]}, 1: {0: [1, 2], 1: [1, 3]}}
    known = dict(optima=OPTIMA, losses={POINT: {0: 0.5, 1: 0.125}})

    def pair(quantity="reported", **more):
        (found,) = evidence.final_pairs(data(curves, **more), [POINT], None, quantity)
        return found.margin, found.ceiling

    assert pair(**known) == (pytest.approx(0.04), 0.375)  # a hundredth of 14 - 10
    assert pair(spans={POINT: 2.0}) == (pytest.approx(0.02), None)
    assert pair(optima=OPTIMA, spans={POINT: 2.0})[0] == pytest.approx(0.04)
    assert pair(losses={POINT: {0: 0.5}}) == (None, None)
    assert pair("unregularized", **known) == (None, None)  # exact values are of the regularised J


def test_exact_values_are_on_the_scale_of_the_regularised_reward_alone():
    same = data({0: {0: [1, 2]}})
    (rows,) = same.runs.values()
    apart = rows.assign(reported=rows["reported"] + [0.0, 0.1])
    assert same.is_regularized(rows) and not same.is_regularized(apart)
    named = Data("working", "regularized", same.runs)
    assert named.is_regularized(apart)
    assert not Data("working", "unregularized", same.runs).is_regularized(rows)


def test_a_slight_drop_has_two_parts():
    """κ = 0, 1, 2, 3 end at 1, 4, 7, 3.5 and 1, 4, 7, 2: drops of 0.5 and 2, half rises of 3."""
    ends = {0: (1, 1), 1: (4, 4), 2: (7, 7), 3: (3.5, 2)}
    curves = {kappa: {seed: [0, end + 1] for seed, end in enumerate(pair)} for kappa, pair in ends.items()}
    curves[0][7] = [0, 5]  # a seed of one kappa alone
    drop, slight = evidence.slight_drop(data(curves), [POINT])
    assert (drop.part, slight.part) == ("κ 1 → 3, a drop", "κ 1 → 3, a slight one")
    np.testing.assert_allclose(drop.values, [0.5, 2])
    np.testing.assert_allclose(slight.values, [3 - 0.5, 3 - 2])
    curves[2][1] = [0, 6]  # rises of 6 and 4, which may be 0 by two seeds
    reason = "κ = 2 is not better than κ = 0 for certain"
    assert missing(evidence.slight_drop(data(curves), [POINT])) == [(reason, *POINT, slight.part)]
    del curves[2]
    assert missing(evidence.slight_drop(data(curves), [POINT])) == [("no runs of κ = 2", *POINT, "κ 1 → 3")]


QUICK, SLOW = [0, 2, *[4] * 9], [0, 0, 2, *[4] * 8]  # 4 and 8 loops times reward are missing, of 4: 1 and 2 loops


def test_pairs_of_rates():
    curves = {0: dict.fromkeys(range(3), QUICK), 1: dict.fromkeys(range(1, 4), SLOW), 2: {0: FLAT, 1: FLAT}}
    found = evidence.rate_pairs(data(curves), [POINT])
    assert [item.part for item in found] == ["κ 0 → 1", "κ 0 → 2", "κ 1 → 2"]
    np.testing.assert_allclose(found[0].values, [1, 1])
    assert found[0].unit == "loops" and found[0].margin is None
    reason = "κ = 2 does not improve for certain"
    assert missing(found) == [(reason, *POINT, "κ 0 → 2"), (reason, *POINT, "κ 1 → 2")]


def test_share_of_the_gap_closed_on_average():
    """Means of 11 and 11.5 over the loops, of a gap of 4."""
    curves = {0: {0: [10, 11, 12], 1: [10, 11, 12]}, 1: {0: [10, 12, 12], 1: [10, 12, 12]}}
    (pair,) = evidence.closed_pairs(data(curves, optima=OPTIMA), [POINT])
    np.testing.assert_allclose(pair.values, [-0.125] * 2)
    assert (pair.part, pair.unit, pair.margin) == ("κ 0 → 1", "share of gap", 0.01)
    assert missing(evidence.closed_pairs(data(curves), [POINT])) == [
        ("needs the optimum (table optima)", *POINT, "κ 0 → 1")
    ]


def test_rates_of_sizes_are_compared_by_their_logarithms():
    small = runs({1: {0: QUICK, 1: QUICK}}, (5, 0.05))
    large = runs({1: {0: SLOW, 1: SLOW}}, (10, 0.05))
    both = Data("working", "reported", small | large)
    (pair,) = evidence.size_pairs(both, [(5, 0.05), (10, 0.05)], 0.2)
    assert (pair.agents, pair.tau, pair.part, pair.unit, pair.margin) == (
        10, 0.05, "κ = 1, n 5 : 10", "log ratio", 0.2,
    )  # fmt: skip
    assert pair.values.mean() == pytest.approx(math.log(2), rel=1e-12)
    np.testing.assert_allclose(pair.other, [0, 0], atol=1e-15)  # log 1, no spread


def test_the_spread_of_a_log_rate_is_that_of_its_linearisation():
    curves = np.array([[0, 1, 2, *[2] * 8], [0, 2, 4, *[4] * 8], [0, 0, 3, *[3] * 8]], dtype=float)
    size = {1: dict(enumerate(curves))}
    both = Data("working", "reported", runs(size, (5, 0.05)) | runs(size, (10, 0.05)))
    (pair,) = evidence.size_pairs(both, [(5, 0.05), (10, 0.05)], 0.2)
    rates = np.array([19 / 18, 17 / 18, 27 / 18])
    expected = math.log(7 / 6) + rates * 6 / 7 - 1
    np.testing.assert_allclose(pair.values, expected, rtol=1e-12)
    np.testing.assert_allclose(pair.other, expected, rtol=1e-12)


def test_sizes_without_a_rate_are_named():
    over = [0, 4, *[6] * 8, 4]  # above its end for most of the loops
    curves = runs({1: {0: QUICK, 1: QUICK}}, (5, 0.05)) | runs({1: {0: over, 1: over}}, (10, 0.05))
    found = evidence.size_pairs(Data("working", "reported", curves), [(5, 0.05), (10, 0.05)], 0.2)
    assert missing(found) == [("n = 10 overshoots its end", 10, 0.05, "κ = 1, n 5 : 10")]
    curves = runs({1: {0: FLAT, 1: FLAT}}, (5, 0.05)) | runs({1: {0: QUICK, 1: QUICK}}, (10, 0.05))
    found = evidence.size_pairs(Data("working", "reported", curves), [(5, 0.05), (10, 0.05)], 0.2)
    assert missing(found) == [("n = 5 does not improve for certain", 10, 0.05, "κ = 1, n 5 : 10")]


RISES = {0: {seed: [10, end] for seed, end in enumerate((11, 13, 11, 13))}, 1: {s: [10, 12] for s in range(4)}}


def test_share_of_the_gap_gained():
    found = evidence.rise(data(RISES, optima=OPTIMA), [POINT], 0.3)
    assert [item.part for item in found] == ["κ = 0", "κ = 1"]
    np.testing.assert_allclose(found[0].values, [0.25, 0.75, 0.25, 0.75])
    np.testing.assert_allclose(found[1].values, [0.5] * 4)
    assert {(item.unit, item.threshold) for item in found} == {("share of gap", 0.3)}
    lacking = evidence.rise(data(RISES), [POINT], 0.3)
    reason = "needs the optimum (table optima)"
    assert missing(lacking) == [(reason, *POINT, "κ = 0"), (reason, *POINT, "κ = 1")]


def test_the_best_kappa_is_chosen_on_seeds_0_2_and_judged_on_1_3():
    (best,) = evidence.best_rise(data(RISES, optima=OPTIMA), [POINT], 0.3)
    assert best.part == "κ = 1"  # 0.5 against 0.25 on the seeds that choose, though 0.5 against 0.75 on the others
    np.testing.assert_allclose(best.values, [0.5, 0.5])
    found = evidence.best_rise(data(RISES), [POINT], 0.3)
    assert missing(found)[0][:2] == ("needs the optimum (table optima)", 8) and len(found) == 1


def test_another_default_state_is_compared_run_by_run():
    base, other = {0: {0: [1, 2], 1: [1, 3]}}, {0: {0: [1, 2.5], 1: [1, 3]}, 1: {0: [1, 2]}}
    both = data(base, optima=OPTIMA, variant=runs(other))
    pair, lacking = evidence.default_pairs(both, 0.05)
    np.testing.assert_allclose(pair.values, [0.5, 0])
    assert (pair.part, pair.unit, pair.margin) == ("κ = 0", "reward", pytest.approx(0.2))
    assert missing([lacking]) == [("no runs with the first default", *POINT, "κ = 1")]
    found = evidence.default_pairs(data(base, variant=runs({0: other[0]})), 0.05)
    assert missing(found) == [("needs the optimum (table optima)", *POINT, "κ = 0")]


def lengths(finals):
    """Runs of (kappa, seed) -> trajectory length -> final J."""
    tables = [
        pd.DataFrame(run([10, end], seed=seed, kappa=kappa)).assign(trajectory_length=length)
        for (kappa, seed), ends in finals.items()
        for length, end in ends.items()
    ]
    return by_run(pd.concat(tables))


def samples(finals):
    found = evidence.sample_pairs(Data("working", "reported", {}, optima=OPTIMA, lengths=lengths(finals)), 0.5)
    return found[0] if len(found) == 1 else found


WITHIN = {100: 11, 1000: 13}  # 12 is half way: at 10^2.5
LATE = {100: 10, 1000: 12.5}  # at 10^2.8
BELOW, ABOVE = {100: 12, 1000: 13}, {100: 10, 1000: 11}


def test_lengths_needed_are_interpolated():
    found = samples({(0, 0): WITHIN, (0, 1): WITHIN, (0, 2): WITHIN, (1, 0): LATE, (1, 1): ABOVE, (1, 2): BELOW})
    np.testing.assert_allclose(found.values, [0.3, 0.5, -0.5])
    assert (found.part, found.unit, found.agents, found.tau) == ("κ 0 → 1", "log10 T", *POINT)


def test_what_lies_outside_the_lengths_on_the_same_side_is_not_compared():
    kept = {(0, 3): WITHIN, (1, 3): LATE, (0, 4): WITHIN, (1, 4): WITHIN, (0, 5): ABOVE, (1, 5): BELOW}
    found = samples({(0, 0): ABOVE, (1, 0): ABOVE, (0, 1): BELOW, (1, 1): ABOVE, (0, 2): BELOW, (1, 2): BELOW} | kept)
    np.testing.assert_allclose(found.values, [1, 0.3, 0, -1], atol=1e-12)
    found = samples({(0, 0): ABOVE, (1, 0): ABOVE, (0, 1): BELOW, (1, 1): ABOVE, (0, 2): WITHIN, (1, 2): LATE})
    np.testing.assert_allclose(found.values, [1, 0.3])  # two seeds are enough


@pytest.mark.parametrize(
    ("sides", "reason"),
    [
        ([ABOVE, ABOVE], "the longest does not do for either"),
        ([BELOW, BELOW], "the shortest does for both"),
        ([ABOVE, BELOW], "both lie outside the lengths run"),
    ],
)
def test_runs_that_say_nothing_of_the_length_needed(sides, reason):
    found = samples({(kappa, seed): side for seed, side in enumerate(sides) for kappa in (0, 1)})
    assert found == Missing(reason, *POINT, "κ 0 → 1")


def test_a_single_seed_is_no_reason_to_call_lengths_unknown():
    found = samples({(0, 0): ABOVE, (1, 0): ABOVE})
    assert isinstance(found, Sample) and len(found.values) == 0


def test_the_goal_is_reached_where_it_is_first_reached():
    again = {100: 11, 1000: 13, 10_000: 11, 100_000: 13}
    found = samples({(0, 0): again, (0, 1): again, (1, 0): dict.fromkeys(again, 11), (1, 1): again})
    np.testing.assert_allclose(found.values, [2.5, 0])


def test_lengths_need_the_optimum():
    found = evidence.sample_pairs(Data("working", "reported", {}, lengths=lengths({(0, 0): WITHIN, (1, 0): LATE})), 0.5)
    assert found == []


OTHER = (5, 0.1)
PAIR = {0: {0: [10, 11], 1: [10, 12]}, 1: {0: [10, 12], 1: [10, 13]}}
QUICK_PAIR = {0: dict.fromkeys(range(3), QUICK), 1: dict.fromkeys(range(3), SLOW)}
LACKING = {
    "final": (evidence.final_pairs, (None, "reported"), {0: PAIR[0]}, PAIR),
    "chosen": (evidence.final_pairs, ([(0, 2), (0, 1)], "reported"), PAIR, PAIR),
    "slight": (evidence.slight_drop, (), PAIR, dict.fromkeys(range(4), PAIR[0])),
    "rate": (evidence.rate_pairs, (), {0: {0: FLAT, 1: FLAT}, 1: {0: FLAT, 1: FLAT}}, QUICK_PAIR),
    "closed": (evidence.closed_pairs, (), PAIR, PAIR),
    "rise": (evidence.rise, (0.3,), PAIR, PAIR),
    "best": (evidence.best_rise, (0.3,), PAIR, PAIR),
}


@pytest.mark.parametrize("name", LACKING)
def test_what_one_panel_lacks_is_no_matter_to_the_next(name):
    """The first panel has no optimum, or lacks a kappa or a rate."""
    measure, arguments, first, second = LACKING[name]
    both = Data("working", "reported", runs(first) | runs(second, OTHER), optima={OTHER: OPTIMA[POINT]})
    found = measure(both, [POINT, OTHER], *arguments)
    assert [item for item in found if isinstance(item, Sample) and (item.agents, item.tau) == OTHER]
    samples_of_the_first = [item for item in found if isinstance(item, Sample) and item.agents == POINT[0]]
    assert len(samples_of_the_first) == {"chosen": 1}.get(name, 0)


def test_a_kappa_without_its_pair_is_no_matter_to_the_next():
    lacking = data({0: PAIR[0]}, optima=OPTIMA, variant=runs({1: PAIR[1]}) | runs({0: PAIR[0]}))
    assert [type(item) for item in evidence.default_pairs(lacking, 0.05)] == [Missing, Sample]
    sizes = runs({0: {0: FLAT, 1: FLAT}, 1: {0: QUICK, 1: QUICK}}, (5, 0.05)) | runs(
        {0: {0: QUICK, 1: QUICK}, 1: {0: QUICK, 1: QUICK}}, (10, 0.05)
    )
    found = evidence.size_pairs(Data("working", "reported", sizes), [(5, 0.05), (10, 0.05)], 0.2)
    assert [type(item) for item in found] == [Missing, Sample]


def test_runs_are_in_the_order_of_their_seeds_and_loops():
    (rows,) = runs({0: {0: [1, 2, 3], 1: [4, 5, 6]}}).values()
    shuffled = rows.sample(frac=1, random_state=3)
    (again,) = by_run(shuffled).values()
    seeds, values = evidence.curves_of(again, "reported")
    assert seeds.tolist() == [0, 1] and values.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert list(by_run(shuffled)) == [(8, 0.05, 0)]
