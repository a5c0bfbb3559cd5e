"""Each sentence of section 6 that can be checked (and some of 3 and 4) as a statistic, an interval and a verdict.

The rules below were fixed before any verdict and the multiverse were computed; the curves of an earlier run of the readings
as_printed and working were known by then.  What was changed after the first verdicts: `lpi.claims.amendments`.

A statistic by seed (all seeds independent, pairs on common seeds) gets a Student-t interval.  All intervals of one claim
and reading, over its pairs and panels, hold together at the level (Bonferroni); two one-sided tests of equivalence, all
of which must succeed, have the plain level each, and contradicting them needs the wider interval.  With fewer than
MINIMUM_SEEDS seeds nothing is supported or contradicted.

"greater"     supported: the interval lies above the threshold; contradicted: below it, or, for differences in reward,
              within the smallest difference that matters
"equivalent"  supported: the interval lies within the margin; contradicted: outside it
otherwise     not visible even in principle, where the exact difference between the best policies is known and both
              smaller than what matters and than half the interval's width; else not resolvable, with the number of
              seeds that would resolve the difference seen (at least the one that matters) with 80 % power

Exact numbers have no interval; between the bounds of their claim an effect is too small to be visible.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd

from lpi.claims import evidence, model
from lpi.claims.evidence import Data, Exact, Missing, Point, Sample, by_run
from lpi.claims.intervals import (
    LEVEL,
    Interval,
    equivalence_level,
    family,
    seeds_for_equivalence,
    seeds_to_resolve,
    student,
    welch,
    within,
)
from lpi.config import READINGS, SETTINGS
from lpi.results import COLUMNS as CURVES
from lpi.results import ResultsError

MINIMUM_SEEDS = 5
"""Fewer seeds support or contradict nothing."""
SIMILAR = math.log(1.25)
"""Margin of similar rates: a ratio between 0.8 and 1.25, as for bioequivalence."""
WORKS = 0.5
"""Share of J* - J of the uniform policy that must be gained where the algorithm is said to perform well."""
UNAFFECTED = 0.05
"""Share of J* - J of the uniform policy that the default values may change."""
ENOUGH = 0.5
"""Share of that gap whose number of samples is compared."""
LARGE = 0.1
"""Share of that gap that is a large performance difference."""

SUPPORTED = "supported"
CONTRADICTED = "contradicted"
UNRESOLVED = "not resolvable at this sample size"
INVISIBLE = "not visible even in principle"
UNTESTED = "not tested"
VERDICTS = (SUPPORTED, CONTRADICTED, UNRESOLVED, INVISIBLE, UNTESTED)

COLUMNS = (
    "reading", "claim", "agents", "tau", "part", "statistic", "unit", "low", "high", "level", "seeds", "verdict",
    "seeds_needed", "note",
)  # fmt: skip
"""Columns of the table that `evaluate` returns: a row per reading, claim, panel and part (pair or kappa)."""

Measure = Callable[[Data, list[Point]], list]


class Claim(NamedTuple):
    """A sentence of the paper and how it is tested."""

    where: str
    """section and, where it is about one, figure"""
    says: str
    rule: str
    """greater, equivalent or exact"""
    needs: str
    """the table without which it is not tested"""
    measure: Measure
    panels: Callable[[int, float], bool] = lambda agents, tau: True
    """the paper's panels; if a table holds none of them, all of its panels are used and the note says so"""
    marks: tuple[float, ...] = (0.0,)
    """what the statistic is compared with, where that is the same for all parts"""
    foregone: str = ""
    """why it holds whatever is computed, if it does"""


def _eight(agents: int, tau: float) -> bool:
    return agents == 8


def _figure2(agents: int, tau: float) -> bool:
    return (agents, tau) == (8, 0.05)


def _figure3(agents: int, tau: float) -> bool:
    return agents in (5, 10, 15) and tau == 0.05


CLAIMS: dict[str, Claim] = {
    "reward_by_tau": Claim(
        "6.2, Figure 1", "a larger κ leads to a better total regularized reward (each τ)", "greater", "curves",
        lambda d, p: evidence.final_pairs(d, p, None, d.quantity), _eight,
    ),
    "reward_by_size": Claim(
        "6.2, Figure 3", "larger κ always leads to a better total regularized reward (each n)", "greater", "curves",
        lambda d, p: evidence.final_pairs(d, p, None, d.quantity), _figure3,
    ),
    "rate_own": Claim(
        "6.2, Figure 1", "a larger κ leads to a lower convergence rate (on each curve's own improvement)", "greater",
        "curves", evidence.rate_pairs, _eight,
    ),
    "rate_gap": Claim(
        "6.2, Figure 1", "a larger κ leads to a lower convergence rate (by the improvement reached)", "greater", "optima",
        evidence.closed_pairs, _eight,
    ),
    "unregularized_rises": Claim(
        "6.2, Figure 2", "increasing κ from 0 to 2, the unregularized rewards increase", "greater", "curves",
        lambda d, p: evidence.final_pairs(d, p, [(0, 1), (1, 2)], "unregularized"), _figure2,
    ),
    "kappa3_worse": Claim(
        "6.2, Figure 2", "κ = 3 is slightly worse than κ = 1 (unregularized; κ = 1 less κ = 3, however much)", "greater",
        "curves",
        lambda d, p: evidence.final_pairs(d, p, [(1, 3)], "unregularized", -1), _figure2,
    ),
    "kappa3_slightly": Claim(
        "6.2, Figure 2", "κ = 3 is slightly worse than κ = 1 (a drop, of less than half the rise from κ = 0 to 2)", "greater",
        "curves", evidence.slight_drop, _figure2,
    ),
    "similar_rates": Claim(
        "6.2, Figure 3", "similar convergence rates for these three different network sizes", "equivalent", "curves",
        lambda d, p: evidence.size_pairs(d, p, SIMILAR), _figure3, (-SIMILAR, SIMILAR),
    ),
    "works_outside": Claim(
        "6.2", "some of our experimental settings violate the theoretical requirements […], whereas LPI still performs well",
        "greater", "optima",
        lambda d, p: evidence.rise(d, p, WORKS), marks=(WORKS,),
    ),
    "works_somewhere": Claim(
        "6.2", "LPI still performs well (for the best κ of each panel)", "greater", "optima",
        lambda d, p: evidence.best_rise(d, p, WORKS), marks=(WORKS,),
    ),
    "default_values": Claim(
        "3.2 (after eq. 13)", "the value of s^default does not affect our final convergence result", "equivalent",
        "variant", lambda d, p: evidence.default_pairs(d, UNAFFECTED),
    ),
    "samples": Claim(
        "4.1, 4.2", "a larger κ needs more samples (not in these words)", "greater", "lengths",
        lambda d, p: evidence.sample_pairs(d, ENOUGH),
    ),
    "beyond_local": Claim(
        "6.1", "the optimal policy should depend on not only the local state (by the reward lost at κ = 0)", "exact", "losses",
        lambda d, p: model.local_loss(d, 0.0, evidence.RELEVANT), marks=(evidence.RELEVANT,),
    ),
    "large_local_loss": Claim(
        "6.1", "a large performance difference between localized policy with small κ and the global optimal policy (κ = 0)",
        "exact", "losses",
        lambda d, p: model.local_loss(d, evidence.RELEVANT, LARGE), marks=(LARGE,),
    ),
    "gap_decays": Claim(
        "Abstract, 3", "an optimality gap that decays polynomially in κ (best κ-hop policies found; only that it decays)",
        "exact", "losses", lambda d, p: model.loss_decay(d),
        foregone="policies that see more hops include those that see fewer, so that the loss of the best cannot grow",
    ),
    "idle_when_safe": Claim(
        "6.1", "no agent with s¹ = 1: it should take action 0 (the preferred action)", "exact", "acting",
        lambda d, p: model.acting_rows(d, model.idle_when_safe),
        foregone="with nobody infected nobody ever will be, so that acting brings its cost and nothing else",
    ),
    "idle_when_unseen": Claim(
        "6.1",
        "an agent [that] does not observe any of its κ-hop neighbors to have s¹ = 1 […] should take action 0 (the preferred "
        "action; the paper's p_eff)",
        "exact", "acting", lambda d, p: model.acting_rows(d, model.idle_when_unseen),
    ),
    "acts_when_near": Claim(
        "6.1",
        "some neighboring agents have s¹ = 1 and the cost is relatively small: it should take action 1 (the preferred action; "
        "the paper's p_eff)",
        "exact", "acting", lambda d, p: model.acting_rows(d, model.acts_when_near),
    ),
    "acts_when_near_elsewhere": Claim(
        "6.1", "the same for other p_eff than the paper's", "exact", "acting",
        lambda d, p: model.acting_rows(d, model.acts_when_near_elsewhere),
    ),
    "earlier_when_weak": Claim(
        "6.1", "if p_eff is smaller, the agent should start taking action 1 earlier (by the share of its response)", "exact",
        "acting", lambda d, p: model.acting_rows(d, model.earlier_when_weak),
    ),
    "earlier_absolute": Claim(
        "6.1", "if p_eff is smaller, the agent should start taking action 1 earlier (by the probability itself)", "exact",
        "acting", lambda d, p: model.acting_rows(d, model.earlier_absolute),
    ),
    "earlier_preferred": Claim(
        "6.1", "if p_eff is smaller, the agent should start taking action 1 earlier (by the distance at which it is preferred)",
        "exact", "acting", lambda d, p: model.acting_rows(d, model.earlier_preferred),
    ),
}  # fmt: skip


def evaluate(
    curves: pd.DataFrame,
    optima: pd.DataFrame | None = None,
    locality: pd.DataFrame | None = None,
    acting: pd.DataFrame | None = None,
    *,
    quantity: str = "reported",
    variant: pd.DataFrame | None = None,
    lengths: pd.DataFrame | None = None,
    conventions: Mapping[str, tuple[str, str]] | None = None,
    level: float = LEVEL,
    claims: Iterable[str] = tuple(CLAIMS),
) -> pd.DataFrame:
    """Judge the claims for every reading in the curves.

    Args:
        curves: columns of `results.COLUMNS`, of any number of readings.
        optima: reading, agents, tau, optimum, uniform: J of (2) of the centralised optimum and the uniform policy.
        locality: p1_means, p2_means, agents, tau, kappa, loss: of the best κ-hop policy found; with uniform_loss, that
            of the uniform policy, the losses need no optima.
        acting: p1_means, p2_means, agents, agent, p_eff, protected, distance, probability, high: of the optimal policy.
        quantity: the column that counts as the regularised reward: reported or regularized.
        variant: curves of the same readings and seeds with another default state.
        lengths: curves with a further column trajectory_length.
        conventions: reading -> (p1_means, p2_means), for readings other than those shipped.
        level: of the intervals, over all that belong to a claim and reading.
        claims: keys of `CLAIMS`.

    Returns:
        A table with the columns `COLUMNS`; an empty seeds_needed means that no number of seeds is known to help.

    Raises:
        ResultsError: a column that is missing, an unknown claim or quantity.
    """
    if quantity not in ("reported", "regularized"):
        raise ResultsError(f"quantity: {quantity!r} is not allowed; reported or regularized")
    claims = list(claims)
    for name in claims:
        if name not in CLAIMS:
            raise ResultsError(f"claims: {name!r} is not allowed; one of {', '.join(CLAIMS)}")
    if not 0.5 < level < 1:
        raise ResultsError(f"level: {level} is not allowed; a number > 0.5 and < 1")
    _check_columns(curves, optima, locality, acting, variant, lengths)
    rows = []
    for data in _readings(curves, optima, locality, acting, variant, lengths, quantity, conventions or {}):
        for name in claims:
            rows += _judge(name, data, level)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """One verdict for each reading and claim, columns reading, claim, verdict, parts, supported, seeds_needed.

    Contradicted if any part is; not tested if no part was; supported if all parts are; otherwise not resolvable if any
    part is not resolvable or could not be tested, else not visible even in principle.
    """
    rows = []
    for (reading, claim), group in table.groupby(["reading", "claim"], sort=False):
        found = list(group["verdict"])
        if CONTRADICTED in found:
            verdict = CONTRADICTED
        elif set(found) == {UNTESTED}:
            verdict = UNTESTED
        elif set(found) == {SUPPORTED}:
            verdict = SUPPORTED
        else:
            verdict = UNRESOLVED if {UNRESOLVED, UNTESTED} & set(found) else INVISIBLE
        open_parts = group[group["verdict"] == UNRESOLVED]
        needed = open_parts["seeds_needed"].max(skipna=False) if len(open_parts) else np.nan
        rows.append((reading, claim, verdict, len(found), found.count(SUPPORTED), needed))
    return pd.DataFrame(rows, columns=["reading", "claim", "verdict", "parts", "supported", "seeds_needed"])


def _readings(curves, optima, locality, acting, variant, lengths, quantity, conventions) -> Iterable[Data]:
    """The tables split by reading; what is known by convention goes to the readings that have it."""
    variants, many = _by_reading(variant), _by_reading(lengths)
    best = _by_reading(optima)
    for reading, rows in curves.groupby("reading"):
        losses: dict[Any, Any] = {}
        spans, acts = {}, None
        convention = conventions.get(reading) or _shipped(reading)
        if convention is not None:
            if locality is not None:
                for row in _of(locality, convention).itertuples():
                    point = int(row.agents), float(row.tau)
                    losses.setdefault(point, {})[int(row.kappa)] = float(row.loss)
                    if pd.notna(getattr(row, "uniform_loss", None)):
                        spans[point] = float(row.uniform_loss)
            acts = None if acting is None else _of(acting, convention)
        optimum = best.get(reading)
        yield Data(
            reading, quantity, by_run(rows),
            optima={} if optimum is None else {(int(r["agents"]), float(r["tau"])): r for r in optimum.to_dict("records")},
            losses=losses, spans=spans,
            acting=None if acts is None or acts.empty else acts,
            variant=by_run(variants[reading]) if reading in variants else {},
            lengths=by_run(many[reading]) if reading in many else {},
        )  # fmt: skip


def _by_reading(table: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
    return {} if table is None else dict(iter(table.groupby("reading")))


def _of(table: pd.DataFrame, convention: tuple[str, str]) -> pd.DataFrame:
    return table[(table["p1_means"] == convention[0]) & (table["p2_means"] == convention[1])]


def _shipped(reading: str) -> tuple[str, str] | None:
    values = READINGS.get(reading)
    keys = ("p1_means", "p2_means")
    return None if values is None else tuple(values.get(key, SETTINGS[key].default) for key in keys)


def _judge(name: str, data: Data, level: float) -> list[dict]:
    claim = CLAIMS[name]
    source = {"curves": data.runs}.get(claim.needs, getattr(data, claim.needs, None))
    panels = [point for point in data.panels() if claim.panels(*point)]
    remark = "" if panels else "not a panel of the paper"
    if source is None or len(source) == 0:
        found = [Missing(f"needs the table {claim.needs.replace('losses', 'locality')}")]
    else:
        found = claim.measure(data, panels or list(data.panels())) or [Missing("nothing to compare in the tables")]
    members = sum(isinstance(item, Sample) for item in found)
    return [
        {"reading": data.reading, "claim": name, **_row(item, claim.rule, level, members, remark)} for item in found
    ]


def _row(item: Sample | Exact | Missing, rule: str, level: float, members: int, remark: str) -> dict:
    row = {"agents": item.agents, "tau": item.tau, "part": item.part, "seeds": 0, "seeds_needed": np.nan}
    if isinstance(item, Missing):
        return row | {"statistic": np.nan, "unit": "", "low": np.nan, "high": np.nan, "level": np.nan,
                      "verdict": UNTESTED, "note": item.reason}  # fmt: skip
    if isinstance(item, Exact):
        verdict, note = _exact(item)
        bounds = {"statistic": item.value, "low": item.value, "high": item.value, "level": 1.0}
        return row | bounds | {"unit": item.unit, "verdict": verdict, "note": note}
    made_at = equivalence_level(level) if rule == "equivalent" else family(level, members)
    found = _interval(item, made_at)
    if rule == "equivalent":
        verdict, needed, note = _equivalent(item, found, _interval(item, family(level, members)), level)
    else:
        verdict, needed, note = _greater(item, found)
    if found.count < MINIMUM_SEEDS and verdict != INVISIBLE:
        verdict, note = UNRESOLVED, f"{found.count} seeds; {MINIMUM_SEEDS} or more are asked for"
        needed = np.nanmax([MINIMUM_SEEDS, needed])
    return row | {
        "statistic": found.mean, "unit": item.unit, "low": found.low, "high": found.high, "level": made_at,
        "seeds": found.count, "verdict": verdict, "seeds_needed": needed,
        "note": "; ".join(filter(None, [note, remark])),
    }  # fmt: skip


def _interval(item: Sample, level: float) -> Interval:
    return student(item.values, level) if item.other is None else welch(item.values, item.other, level)


def _greater(item: Sample, found: Interval) -> tuple[str, float, str]:
    """Verdict, seeds needed and note of a comparison with a threshold."""
    if found.low > item.threshold:
        return SUPPORTED, np.nan, ""
    if found.high < item.threshold:
        return CONTRADICTED, np.nan, "reversed"
    half = (found.high - found.low) / 2
    if item.ceiling is not None and item.margin is not None and item.ceiling < item.margin and item.ceiling < half:
        return INVISIBLE, np.nan, f"the best policies differ by {item.ceiling:.2g}"
    if item.margin is not None and within(found, item.margin):
        return CONTRADICTED, np.nan, f"smaller than what matters ({item.margin:.2g})"
    effect = max(abs(found.mean - item.threshold), item.margin or 0.0)
    return UNRESOLVED, seeds_to_resolve(effect, found.deviation, found.level), ""


def _equivalent(item: Sample, found: Interval, wide: Interval, level: float) -> tuple[str, float, str]:
    """Verdict, seeds needed and note of two one-sided tests; `wide` is the interval that holds family-wise."""
    margin = cast(float, item.margin)  # a claim of equivalence has one
    note, verdict = f"margin ±{margin:.3g}", equivalence(found, wide, margin)
    if verdict != UNRESOLVED:
        return verdict, np.nan, note
    return verdict, seeds_for_equivalence(found.mean, found.deviation, margin, level, wide.level), note


def equivalence(found: Interval, wide: Interval, margin: float) -> str:
    """Verdict of two one-sided tests; `wide` is the interval that holds together with those of the claim's other parts."""
    if within(found, margin):
        return SUPPORTED
    return CONTRADICTED if wide.low > margin or wide.high < -margin else UNRESOLVED


def _exact(item: Exact) -> tuple[str, str]:
    if math.isnan(item.value):
        return INVISIBLE, "no response to compare"
    if item.value >= item.supported_from and item.value > item.contradicted_to:
        return SUPPORTED, item.note
    return (CONTRADICTED if item.value <= item.contradicted_to else INVISIBLE), item.note


def _check_columns(curves, optima, locality, acting, variant, lengths) -> None:
    """ResultsError for a table without one of its columns."""
    by_convention = {"p1_means", "p2_means", "agents"}
    needed = {
        "curves": (curves, set(CURVES)),
        "optima": (optima, {"reading", "agents", "tau", "optimum", "uniform"}),
        "locality": (locality, by_convention | {"tau", "kappa", "loss"}),
        "acting": (acting, by_convention | {"agent", "p_eff", "protected", "distance", "probability", "high"}),
        "variant": (variant, set(CURVES)),
        "lengths": (lengths, set(CURVES) | {"trajectory_length"}),
    }
    for name, (table, columns) in needed.items():
        missing = [] if table is None else sorted(columns - set(table.columns))
        if missing:
            raise ResultsError(f"{name}: column {', '.join(missing)}: missing")
    if curves.empty:
        raise ResultsError("curves: the table has no rows")
