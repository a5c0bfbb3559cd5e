"""The rules of the verdicts at their bounds, and what the exact numbers of the model say, by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from curves import run

from lpi import claims
from lpi.claims import CONTRADICTED, INVISIBLE, SUPPORTED, UNRESOLVED, UNTESTED, evidence, model
from lpi.claims.evidence import Data, Exact, Missing, Sample
from lpi.claims.intervals import Interval, seeds_for_equivalence, seeds_to_resolve
from lpi.config import SETTINGS
from lpi.results import COLUMNS, ResultsError

POINT = (8, 0.05)


def interval(low, high, level=0.95, deviation=1.0):
    return Interval((low + high) / 2, low, high, level, 10, deviation)


def greater(low, high, **more):
    return claims._greater(Sample(*POINT, "κ 0 → 1", np.zeros(10), "reward", **more), interval(low, high))


@pytest.mark.parametrize(
    ("low", "high", "more", "expected"),
    [
        (0.1, 0.3, {}, SUPPORTED),
        (0.0, 0.3, {}, UNRESOLVED),
        (-0.3, -0.1, {}, CONTRADICTED),
        (-0.3, 0.0, {}, UNRESOLVED),
        (0.4, 0.6, {"threshold": 0.5}, UNRESOLVED),
        (0.51, 0.6, {"threshold": 0.5}, SUPPORTED),
        (0.4, 0.49, {"threshold": 0.5}, CONTRADICTED),
        (-0.1, 0.1, {"margin": 0.2}, CONTRADICTED),
        (-0.1, 0.2, {"margin": 0.2}, UNRESOLVED),
        (-0.2, 0.1, {"margin": 0.2}, UNRESOLVED),
        # what the best policies differ by is below what matters and below half the width
        (-0.3, 0.5, {"margin": 0.2, "ceiling": 0.1}, INVISIBLE),
        (-0.1, 0.1, {"margin": 0.2, "ceiling": 0.01}, INVISIBLE),
        (-0.3, 0.5, {"margin": 0.2, "ceiling": 0.2}, UNRESOLVED),
        (-0.1, 0.3, {"margin": 0.25, "ceiling": 0.19}, INVISIBLE),
        (-0.1, 0.3, {"margin": 0.9, "ceiling": 0.3}, CONTRADICTED),
        (-0.1, 0.3, {"margin": 0.25, "ceiling": 0.2}, UNRESOLVED),
        (-0.1, 0.3, {"ceiling": 0.1}, UNRESOLVED),
    ],
)
def test_an_interval_against_a_threshold(low, high, more, expected):
    assert greater(low, high, **more)[0] == expected


def test_notes_of_a_comparison_say_why():
    assert greater(-0.3, -0.1)[1:] == (pytest.approx(math.nan, nan_ok=True), "reversed")
    assert greater(0.1, 0.3)[2] == ""
    assert greater(-0.1, 0.1, margin=0.2)[2] == "smaller than what matters (0.2)"
    assert greater(-0.3, 0.5, margin=0.2, ceiling=0.125)[2] == "the best policies differ by 0.12"


def test_seeds_are_those_for_the_difference_seen_or_the_least_that_matters():
    assert greater(-0.4, 0.8)[1] == seeds_to_resolve(0.2, 1.0)
    assert greater(-0.4, 0.8, threshold=0.5)[1] == seeds_to_resolve(0.3, 1.0)
    assert greater(-0.4, 0.8, margin=0.25)[1] == seeds_to_resolve(0.25, 1.0)
    assert greater(-0.4, 0.8, margin=0.1)[1] == seeds_to_resolve(0.2, 1.0)
    assert math.isnan(greater(-0.4, 0.4)[1])


@pytest.mark.parametrize(
    ("found", "wide", "expected"),
    [
        ((-0.1, 0.1), (-0.3, 0.3), SUPPORTED),
        ((-0.2, 0.1), (-0.3, 0.3), UNRESOLVED),
        ((-0.1, 0.2), (-0.3, 0.3), UNRESOLVED),
        ((0.3, 0.4), (0.21, 0.5), CONTRADICTED),
        ((-0.4, -0.3), (-0.5, -0.21), CONTRADICTED),
        ((0.3, 0.4), (0.2, 0.5), UNRESOLVED),
        ((-0.4, -0.3), (-0.5, -0.2), UNRESOLVED),
    ],
)
def test_two_one_sided_tests_and_their_reverse(found, wide, expected):
    assert claims.equivalence(interval(*found), interval(*wide, 0.99), 0.2) == expected
    item = Sample(*POINT, "κ = 1", np.zeros(10), "log ratio", margin=0.2)
    verdict, needed, note = claims._equivalent(item, interval(*found, 0.9), interval(*wide, 0.99), 0.95)
    assert (verdict, note) == (expected, "margin ±0.2")
    if expected == UNRESOLVED:
        assert needed == pytest.approx(seeds_for_equivalence(sum(found) / 2, 1.0, 0.2, 0.95, 0.99), nan_ok=True)
    else:
        assert math.isnan(needed)


@pytest.mark.parametrize(
    ("value", "bounds", "expected"),
    [
        (0.2, (0.0, 0.1), SUPPORTED),
        (0.1, (0.0, 0.1), SUPPORTED),
        (0.05, (0.0, 0.1), INVISIBLE),
        (0.0, (0.0, 0.1), CONTRADICTED),
        (-0.1, (0.0, 0.1), CONTRADICTED),
        (0.0, (0.0, 0.0), CONTRADICTED),  # a tie speaks against "greater"
        (math.nan, (0.0, 0.1), INVISIBLE),
    ],
)
def test_an_exact_number_between_its_bounds(value, bounds, expected):
    verdict, note = claims._exact(Exact(*POINT, "κ = 0", value, "share", *bounds))
    assert verdict == expected
    assert note == ("no response to compare" if math.isnan(value) else "exact")


def constant(ends, seeds=5, **changed):
    """Curves of two points that end at `ends[kappa]`, a little apart from seed to seed."""
    rows = []
    for kappa, end in enumerate(ends):
        for seed in range(seeds):
            rows += run([1.0, end + 0.001 * (seed % 3) * (kappa + 1)], seed=seed, kappa=kappa, **changed)
    return pd.DataFrame(rows, columns=list(COLUMNS))


@pytest.mark.parametrize(("seeds", "expected"), [(4, UNRESOLVED), (5, SUPPORTED)])
def test_five_seeds_are_enough_and_four_are_not(seeds, expected):
    (row,) = claims.evaluate(constant((2, 3), seeds), claims=["reward_by_tau"]).to_dict("records")
    assert (row["verdict"], row["seeds"]) == (expected, seeds)
    assert row["note"] == ("4 seeds; 5 or more are asked for" if seeds < 5 else "")
    assert row["seeds_needed"] == 5 if seeds < 5 else math.isnan(row["seeds_needed"])


def test_a_row_of_the_table_is_the_interval_of_its_family():
    """Three pairs of kappas: each interval at 1 - 0.05 / 3."""
    table = claims.evaluate(constant((2, 3, 4)), claims=["reward_by_tau"])
    assert tuple(table.columns) == claims.COLUMNS and len(table) == 3
    assert table["level"].to_numpy() == pytest.approx(1 - 0.05 / 3)
    first = table.iloc[0]
    differences = [1 + 0.001 * (seed % 3) for seed in range(5)]
    half = 3.9608 * np.std(differences, ddof=1) / math.sqrt(5)  # t(4) at 1 - 0.05 / 6
    assert first["statistic"] == pytest.approx(np.mean(differences), rel=1e-12)
    assert (first["low"], first["high"]) == pytest.approx(
        (np.mean(differences) - half, np.mean(differences) + half), rel=1e-6
    )
    assert (first["agents"], first["tau"], first["part"], first["unit"]) == (8, 0.05, "κ 0 → 1", "reward")


def test_parts_that_cannot_be_tested_do_not_widen_the_others():
    table = claims.evaluate(constant((2, 3)), claims=["unregularized_rises"])
    assert list(table["verdict"]) == [SUPPORTED, UNTESTED]
    assert table["level"].iloc[0] == pytest.approx(0.95) and math.isnan(table["level"].iloc[1])
    assert table["note"].iloc[1] == "no runs of κ = 2" and table["seeds"].iloc[1] == 0


def test_a_remark_is_joined_to_a_note():
    (row,) = claims.evaluate(constant((3, 2), agents=4), claims=["reward_by_tau"]).to_dict("records")
    assert (row["verdict"], row["note"]) == (CONTRADICTED, "reversed; not a panel of the paper")


@pytest.mark.parametrize(("level", "allowed"), [(0.5, False), (0.51, True), (0.999, True), (1.0, False)])
def test_levels_lie_between_a_half_and_one(level, allowed):
    if allowed:
        assert not claims.evaluate(constant((2, 3)), claims=["reward_by_tau"], level=level).empty
    else:
        with pytest.raises(ResultsError, match=f"level: {level} is not allowed"):
            claims.evaluate(constant((2, 3)), level=level)


def test_a_table_without_rows_or_columns_is_named():
    with pytest.raises(ResultsError, match="curves: the table has no rows"):
        claims.evaluate(constant(()))
    with pytest.raises(ResultsError, match="lengths: column trajectory_length: missing"):
        claims.evaluate(constant((2, 3)), lengths=constant((2, 3)))
    with pytest.raises(ResultsError, match="curves: column regularized, tau: missing"):
        claims.evaluate(constant((2, 3)).drop(columns=["tau", "regularized"]))


def test_readings_are_judged_on_their_own_tables():
    both = pd.concat([constant((2, 3)), constant((3, 2), reading="as_printed")])
    optimum = pd.DataFrame([dict(reading="working", agents=8, tau=0.05, optimum=4.0, uniform=1.0)])
    found = claims.evaluate(both, optimum, claims=["works_outside"], variant=constant((2, 3)))
    verdicts = {reading: set(rows["verdict"]) for reading, rows in found.groupby("reading")}
    assert verdicts == {"working": {CONTRADICTED, SUPPORTED}, "as_printed": {UNTESTED}}
    missing = found[found["reading"] == "as_printed"]
    assert set(missing["note"]) == {"needs the table optima"}


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((SUPPORTED, SUPPORTED), SUPPORTED),
        ((SUPPORTED, CONTRADICTED, UNTESTED), CONTRADICTED),
        ((UNTESTED, UNTESTED), UNTESTED),
        ((SUPPORTED, UNTESTED), UNRESOLVED),
        ((SUPPORTED, UNRESOLVED), UNRESOLVED),
        ((SUPPORTED, INVISIBLE), INVISIBLE),
        ((UNTESTED, INVISIBLE), UNRESOLVED),
        ((INVISIBLE,), INVISIBLE),
    ],
)
def test_one_verdict_of_several(verdicts, expected):
    table = pd.DataFrame({"reading": "r", "claim": "c", "verdict": verdicts, "seeds_needed": math.nan})
    (row,) = claims.overall(table).to_dict("records")
    assert (row["verdict"], row["parts"], row["supported"]) == (expected, len(verdicts), verdicts.count(SUPPORTED))


@pytest.mark.parametrize(("needed", "expected"), [((20, 50), 50), ((20, math.nan), math.nan)])
def test_the_part_that_needs_most_seeds_counts(needed, expected):
    """A part that no number of seeds resolves leaves none; what other parts need is no matter."""
    table = pd.DataFrame({"verdict": [UNRESOLVED, UNRESOLVED, SUPPORTED], "seeds_needed": [*needed, 900.0]})
    (row,) = claims.overall(table.assign(reading="r", claim="c")).to_dict("records")
    assert row["seeds_needed"] == pytest.approx(expected, nan_ok=True)


def losses(values, gap=2.0):
    return Data("working", "reported", {}, losses={POINT: values}, spans={} if gap is None else {POINT: gap})


def test_the_local_loss_is_a_share_of_the_gap():
    (found,) = model.local_loss(losses({0: 0.5, 1: 0.1}), 0.01, 0.1)
    assert found == Exact(*POINT, "κ = 0", 0.25, "share of gap", 0.01, 0.1, model.UPPER_BOUND)
    assert model.local_loss(losses({1: 0.5}), 0.0, 0.1) == [Missing("needs κ = 0", *POINT)]
    assert model.local_loss(losses({0: 0.5}, None), 0.0, 0.1) == [Missing("needs the optimum (table optima)", *POINT)]


def test_a_decay_is_judged_from_each_kappa_to_the_next():
    found = model.loss_decay(losses({0: 0.4, 1: 0.1, 3: 0.2, 4: 0.0}))
    assert [item.part for item in found] == ["κ 0 → 1", "κ 1 → 3", "κ 3 → 4"]
    assert [item.value for item in found] == pytest.approx([math.log(4), -math.log(2), math.log(2e5)])
    assert [claims._exact(item)[0] for item in found] == [SUPPORTED, CONTRADICTED, SUPPORTED]
    (level,) = model.loss_decay(losses({0: 0.4, 1: 0.4}))
    assert claims._exact(level)[0] == CONTRADICTED


def test_losses_within_the_tolerance_have_decayed():
    assert model.loss_decay(losses({0: 1e-6, 1: 1e-7})) == []
    assert model.loss_decay(losses({0: 1e-7, 1: 2e-6})) == []
    (risen,) = model.loss_decay(losses({0: 1e-7, 1: 3e-6}))
    assert risen.value == -math.inf and claims._exact(risen)[0] == CONTRADICTED


def acting(rows, agents=5, agent=2, protected=False):
    """Rows (p_eff, distance, probability, high)."""
    table = pd.DataFrame(rows, columns=["p_eff", "distance", "probability", "high"])
    return table.assign(agents=agents, agent=agent, protected=protected)


PAPER = SETTINGS["p_eff"].default
ROWS = [(PAPER, "none", 0.1, 0.3), (PAPER, "1", 0.75, 0.8), (PAPER, "2", 0.4, 0.5), (0.9, "none", 0.2, 0.7)]
ROWS += [(0.9, "1", 0.25, 0.8), (0.9, "2", 0.2, 0.5)]


def measured(measure, *tables):
    return model.acting_rows(Data("working", "reported", {}, acting=pd.concat(tables)), measure)


def test_not_acting_is_preferred_where_the_largest_probability_is_below_a_half():
    found = measured(model.idle_when_safe, acting(ROWS))
    assert [(item.part, item.agents) for item in found] == [(f"p_eff = {PAPER:g}", 5), ("p_eff = 0.9", 5)]
    assert [item.value for item in found] == pytest.approx([0.2, -0.2])
    assert {item.unit for item in found} == {"0.5 - probability"}


def test_not_acting_is_preferred_while_nobody_within_kappa_hops_is_infected():
    """The largest probability farther away than κ counts, that with nobody infected too."""
    rows = [(PAPER, "0", 0.9, 0.9), (PAPER, "1", 0.75, 0.8), (PAPER, "2", 0.4, 0.7), (PAPER, "3", 0.1, 0.15)]
    rows += [(PAPER, "none", 0.2, 0.3), (0.9, "none", 0.9, 0.9)]
    found = measured(model.idle_when_unseen, acting(rows))
    assert [item.part for item in found] == [f"p_eff = {PAPER:g}, κ = 1", f"p_eff = {PAPER:g}, κ = 2"]
    assert [item.value for item in found] == pytest.approx([-0.2, 0.2])
    assert measured(model.idle_when_unseen, acting(rows[-2:])) == []


def test_acting_is_preferred_next_to_the_infected_at_the_papers_p_eff():
    (here,) = measured(model.acts_when_near, acting(ROWS))
    (elsewhere,) = measured(model.acts_when_near_elsewhere, acting(ROWS))
    assert (here.part, here.value) == (f"p_eff = {PAPER:g}", pytest.approx(0.25))
    assert (elsewhere.part, elsewhere.value) == ("p_eff = 0.9", pytest.approx(-0.25))
    assert (here.contradicted_to, here.supported_from) == (0, 0)


@pytest.mark.parametrize(("agents", "middle"), [(5, 2), (4, 1), (1, 0)])
def test_the_agent_in_the_middle_counts_while_it_is_not_protected(agents, middle):
    others = [acting([(PAPER, "1", 0.0, 0.0)], agents, agent) for agent in range(agents) if agent != middle]
    protected = acting([(PAPER, "1", 0.0, 0.0)], agents, middle, True)
    found = measured(model.acts_when_near, *others, protected, acting([(PAPER, "1", 0.75, 0.8)], agents, middle))
    assert [item.value for item in found] == [pytest.approx(0.25)]


def by_p_eff(**probabilities):
    """p_eff in tenths -> probabilities: no one infected, one hop, two hops, three hops."""
    rows = []
    for name, values in probabilities.items():
        p_eff = int(name[1:]) / 10
        for distance, value in zip(("none", "1", "2", "3"), values, strict=False):
            rows.append((p_eff, distance, value, value))
    return acting(rows)


def test_the_share_of_the_response_at_two_hops_or_more():
    """0.2 + 0.3 and 0.1 of what an infected neighbour adds: (0.35 - 0.2) / 0.5 and (0.3 - 0.2) / 0.5."""
    (found,) = measured(model.earlier_when_weak, by_p_eff(p2=(0.2, 0.7, 0.4, 0.3), p8=(0.2, 0.7, 0.3, 0.3)))
    assert (found.part, found.unit) == ("p_eff 0.2 : 0.8", "share of response")
    assert found.value == pytest.approx(0.3 - 0.2)
    assert (found.contradicted_to, found.supported_from) == (-0.01, 0.01)
    (plain,) = measured(model.earlier_absolute, by_p_eff(p2=(0.2, 0.7, 0.4, 0.3), p8=(0.2, 0.7, 0.3, 0.3)))
    assert (plain.value, plain.unit) == (pytest.approx(0.05), "probability")


def test_the_distance_at_which_acting_is_preferred():
    """At 2 hops, and at none: one's own infection, where nothing can be early any more, does not count."""
    own = acting([(0.8, "0", 0.9, 0.9)])
    (found,) = measured(model.earlier_preferred, by_p_eff(p2=(0.2, 0.7, 0.6, 0.3), p8=(0.2, 0.5, 0.3, 0.3)), own)
    assert (found.part, found.value, found.unit) == ("p_eff 0.2 : 0.8", 2.0, "hops")
    assert (found.contradicted_to, found.supported_from) == (-0.01, 0.01)


def test_no_response_has_no_beginning():
    (found,) = measured(model.earlier_when_weak, by_p_eff(p2=(0.2, 0.24, 0.2), p8=(0.2, 0.7, 0.3)))
    assert math.isnan(found.value)
    (found,) = measured(model.earlier_when_weak, by_p_eff(p2=(0.25, 0.5, 0.25), p8=(0.25, 0.5, 0.5)))
    assert found.value == pytest.approx(-1)


def test_p_effs_without_all_distances_are_left_out():
    assert measured(model.earlier_absolute, by_p_eff(p2=(0.2, 0.7, 0.4), p8=(0.2, 0.7))) == []
    rows = [(0.2, "1", 0.7, 0.7), (0.2, "2", 0.4, 0.4), (0.8, "none", 0.2, 0.2), (0.8, "2", 0.4, 0.4)]
    assert measured(model.earlier_absolute, acting(rows)) == []


def test_a_step_the_other_way_between_the_ends_counts_too():
    found = measured(
        model.earlier_absolute,
        by_p_eff(p2=(0.1, 0.9, 0.5), p4=(0.1, 0.9, 0.3), p6=(0.1, 0.9, 0.305), p8=(0.1, 0.9, 0.45)),
    )
    assert [item.part for item in found] == ["p_eff 0.2 : 0.8", "p_eff 0.6 : 0.8"]  # 0.005 is less than what counts
    assert [item.value for item in found] == pytest.approx([0.05, -0.145])


def test_thresholds_are_those_of_the_text():
    """As they were fixed before any verdict: none may move unnoticed (`lpi.claims.amendments`)."""
    of_rules = claims.MINIMUM_SEEDS, claims.WORKS, claims.UNAFFECTED, claims.ENOUGH, claims.LARGE
    of_evidence = evidence.RELEVANT, evidence.STILL_RISING, evidence.SLIGHTLY
    of_model = model.TOLERANCE, model.RESPONSE, model.EARLIER, model.PREFERRED
    assert of_rules == (5, 0.5, 0.05, 0.5, 0.1) and math.exp(claims.SIMILAR) == pytest.approx(1.25)
    assert of_evidence == (0.01, 0.5, 0.5) and of_model == (1e-6, 0.05, 0.01, 0.5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("reward_by_tau", {(8, 0.02), (8, 0.05), (8, 0.1)}),
        ("reward_by_size", {(5, 0.05), (10, 0.05), (15, 0.05)}),
        ("unregularized_rises", {(8, 0.05)}),
        ("works_outside", {(n, tau) for n in (5, 8, 10, 15) for tau in (0.02, 0.05, 0.1)}),
    ],
)
def test_a_claim_is_about_the_panels_of_its_figure(name, expected):
    panels = [(n, tau) for n in (5, 8, 10, 15) for tau in (0.02, 0.05, 0.1)]
    curves = pd.concat([constant((2, 3, 4), 2, agents=n, tau=tau) for n, tau in panels])
    best = pd.DataFrame([dict(reading="working", agents=n, tau=tau, optimum=9.0, uniform=1.0) for n, tau in panels])
    found = claims.evaluate(curves, best, claims=[name])
    assert {(row.agents, row.tau) for row in found.itertuples()} == expected
    assert not found["note"].str.contains("not a panel").any()


def test_losses_of_several_panels_and_conventions_are_kept_apart():
    rows = [
        dict(p1_means=means, p2_means=means, agents=n, tau=0.05, kappa=kappa, loss=loss / n, uniform_loss=span)
        for means, span in (("success", 2.0), ("failure", 4.0))
        for n in (5, 8)
        for kappa, loss in enumerate((1.0, 0.5))
    ]
    curves = pd.concat(
        [constant((2, 3), 2), constant((2, 3), 2, reading="as_printed"), constant((2, 3), 2, reading="own")]
    )
    found = claims.evaluate(curves, locality=pd.DataFrame(rows), claims=["beyond_local"])
    assert set(found[found["reading"] == "own"]["verdict"]) == {UNTESTED}
    shipped = found[found["reading"] != "own"]
    assert (shipped["low"] == shipped["statistic"]).all() and (shipped["high"] == shipped["statistic"]).all()
    assert set(shipped["level"]) == {1.0} and set(shipped["seeds"]) == {0}
    values = {(row.reading, row.agents): row.statistic for row in shipped.itertuples()}
    spans = {"working": 2.0, "as_printed": 4.0}
    assert values == {(name, n): pytest.approx(1 / n / span) for name, span in spans.items() for n in (5, 8)}
