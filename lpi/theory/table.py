"""The table of the theory: every statement against random MDPs inside its hypotheses, and against section 6's setting.

`lpi theory` writes it as CSV; the notebook reads it.  Parts:

* `family`: the worst case over random MDPs that meet the hypotheses (row and column sums of C bounded);
* `counterexample`: MDPs that meet the hypotheses as they are stated (stars: row sums only) and break a statement;
* `section_6`: the experiment's own MDP, left side beside right side whether or not the hypotheses hold;
* `hypothesis`: what the experiment must satisfy, and by how much it does not.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from lpi import theory
from lpi.config import Settings
from lpi.mdp import NetworkedMDP
from lpi.results import atomic_write
from lpi.spreading import from_settings
from lpi.theory import bounds, verification
from lpi.theory.coupling import pair, single, star, weakly_coupled
from lpi.theory.dense import uniform_policy
from lpi.theory.hypotheses import Hypothesis, hypotheses
from lpi.theory.verification import Check, Problem

JOINT_AGENTS = 4
"""Agents of the experiment's MDP where all joint states and actions are gone through."""
AGENTS = (4, 8, 15)
"""Agents whose hypotheses are looked at unless a number is asked for."""
MDPS = 200
DIGITS = 9
"""Of numbers in the table."""
CONVENTIONS = (("failure", "failure"), ("success", "success"))
"""What p1 and p2 mean, unless the meanings are asked for."""
STAR_GAMMA, STAR_MU, STAR_LEAVES = 0.3, 0.01, (1, 2, 3, 5, 7, 8)
SINGLE_GAMMA, SINGLE_STRENGTH = 0.3, 0.49
PAIR_GAMMA, PAIR_MU = 1e-3, 1e-4
EXPONENT = 1.0
"""mu at which the statements that hold for any mu are measured on the experiment, where the theorems give none."""
OF_ANY_MU = ("Proposition 2", "Lemma 7", "Lemma 10", "Lemma 16")

PLACES = {
    "Proposition 1": "section 2.2, eq. (7)",
    "Proposition 2": "section 2.3, eq. (9)",
    "Theorem 1": "section 3.1; proof in 5.2, eq. (16)",
    "Theorem 2": "section 4.1",
    "Theorem 5": "section 4.2",
    "Theorem 6": "section 5.1",
    "Lemma 7": "section 5.2, eq. (19)",
    "Lemma 8": "section 5.3, eq. (21); appendix E, eq. (59)",
    "Lemma 9": "appendix B; proof in C.1, eqs. (25), (26)",
    "Lemma 10": "appendix B, eq. (22)",
    "Lemma 12": "appendix C.1",
    "Lemma 16": "appendix C.2, Definition 8",
    "Lemma 17": "appendix C.2",
    "Lemma 18": "appendix C.2, eq. (28)",
    "Lemma 21": "appendix E.2, eqs. (49), (50)",
}
NOTES = {
    ("Lemma 9", "printed"): "the proof forgets that r_i(s_i, a_i) changes with s_i",
    ("Lemma 9", "corrected"): "r_bar I added to the stage influence",
    ("Lemma 16", "printed"): "the proof's convexity step needs mu >= 1",
    ("Lemma 16", "corrected"): "4 v' where mu < 1",
    ("Lemma 17", "corrected"): "tanh(epsilon / 4): sharp, without size and c",
    (
        "Lemma 21",
        "printed",
    ): "every truncated Q_j is wrong by 1, with the sign of the parity of what N_i^kappa holds, as Definition 7 allows: "
    "errors made for the purpose, not those of a run; the proof has 4 |N_i^kappa| / n times the second term",
    ("Lemma 21", "corrected"): "the same errors; second term times 4 f(kappa) / n",
    ("Theorem 6", "corrected"): "v' = r_bar (4 - gamma) / (4 - 5 gamma), columns of C bounded",
    ("Theorem 2", "corrected"): "v' = r_bar (4 - gamma) / (4 - 5 gamma), columns of C bounded",
    ("Lemma 8", "corrected"): "v' = r_bar (4 - gamma) / (4 - 5 gamma), columns of C bounded",
    ("Theorem 1", "corrected"): "v' = r_bar (4 - gamma) / (4 - 5 gamma), columns of C bounded",
}


class Row(NamedTuple):
    """One line of the table; its fields are the columns of the CSV."""

    part: str
    statement: str
    location: str
    quantity: str
    form: str  # printed, corrected
    setting: str
    agents: int | None
    tau: float
    hypothesis_met: str  # yes, no, undefined
    bound: float
    measured: float
    slack: float  # bound - measured
    trivial: float
    cases: int
    violations: int
    vacuous: int  # cases in which the bound says no more than the trivial one
    telling: int  # the other cases: only these can fail
    note: str


def build(
    settings: Settings, agents: int | None = None, seed: int = 0, mdps: int = MDPS, conventions=CONVENTIONS
) -> list[Row]:
    """All parts of the table.

    Args:
        settings: environment and training parameters of the experiment.
        agents: number of agents whose hypotheses are looked at; default `AGENTS`.
        seed: of the random MDPs, which are independent of one another.
        mdps: how many of them.
        conventions: pairs of meanings of p1 and p2.
    """
    rows = family(seed, mdps) + counterexamples()
    for means in conventions:
        setting = f"p1: {means[0]}, p2: {means[1]}"
        few = min(agents or JOINT_AGENTS, JOINT_AGENTS)
        rows += section_6(_experiment(settings, few, means), settings.training.tau, setting)
        for n in (agents,) if agents else AGENTS:
            mdp = _experiment(settings, n, means)
            rows += [
                _hypothesis_row(found, setting, n, settings.training.tau)
                for found in hypotheses(mdp, settings.training)
            ]
    return rows


def write(path: str | os.PathLike, rows: Iterable[Row]) -> None:
    """As CSV, whole or not at all; numbers to `DIGITS` digits, nothing where there is none."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows([_text(value) for value in row] for row in rows)
    atomic_write(path, buffer.getvalue())


def family(seed: int, mdps: int) -> list[Row]:
    """The worst case of every statement over random MDPs inside the hypotheses."""
    found: dict[tuple, list[Check]] = {}
    for child in np.random.SeedSequence(seed).spawn(mdps):
        rng = np.random.default_rng(child)
        problem = Problem.of(*weakly_coupled(rng))
        _gather(found, verification.all_checks(problem, rng))
    return [
        _worst("family", checks, f"{mdps} random MDPs, seed {seed}", None, math.nan, "yes") for checks in found.values()
    ]


def counterexamples() -> list[Row]:
    """MDPs that meet the hypotheses as they are stated: stars, and a pair of agents whose columns of C are bounded too."""
    rows = []
    for leaves in STAR_LEAVES:
        problem = Problem.of(star(STAR_GAMMA, STAR_MU, leaves), STAR_MU)
        tau = verification.least_tau(problem, "Theorem 6", "printed")
        uniform = uniform_policy(problem.mdp)
        setting = f"star of {leaves} {'leaf' if leaves == 1 else 'leaves'}, gamma = {STAR_GAMMA:g}, mu = {STAR_MU:g}"
        more = [check for check in verification.lemma_9(problem, tau, uniform) if check.form == "printed"]
        rows += _counterexample(problem, tau, uniform, setting, more)
    rows += _alone()
    sigma = 1 / (2 * bounds.FACTOR["Theorem 6"] * 2**PAIR_MU * 2**2 * math.e)  # v' / (n tau) at the least tau
    mdp, policy = pair(PAIR_GAMMA, PAIR_MU, sigma)
    problem = Problem.of(mdp, PAIR_MU)
    tau = verification.least_tau(problem, "Theorem 6", "printed")
    return rows + _counterexample(problem, tau, policy, f"pair, gamma = {PAIR_GAMMA:g}, mu = {PAIR_MU:g}", [])


def _alone() -> list[Row]:
    """Lemma 9's decay, printed, of one agent strictly inside its hypothesis: C < 1/2, the uniform policy, any mu."""
    problem = Problem.of(single(SINGLE_GAMMA, SINGLE_STRENGTH), EXPONENT)
    checks = verification.lemma_9(problem, EXPONENT, uniform_policy(problem.mdp))
    found = [check for check in checks if check.form == "printed" and check.quantity.startswith("decay")]
    setting = f"one agent, gamma = {SINGLE_GAMMA:g}, C = {SINGLE_STRENGTH:g}"
    return [_worst("counterexample", found, setting, 1, EXPONENT, "yes", "C is strictly below 1/2")]


def _counterexample(problem: Problem, tau: float, start, setting: str, more: Sequence[Check]) -> list[Row]:
    """Theorem 6 on one MDP, printed, beside further checks."""
    trail = problem.model.policy_iteration(tau, start)
    found: dict[tuple, list[Check]] = {}
    _gather(found, [*verification.theorem_6(problem, tau, trail, "printed"), *more])
    sums = f"largest row sum of C {problem.interaction.rows:.4g}, with columns {problem.interaction.both:.4g}"
    return [
        _worst("counterexample", checks, setting, problem.mdp.agents, tau, "yes", sums) for checks in found.values()
    ]


def section_6(mdp: NetworkedMDP, tau: float, setting: str) -> list[Row]:
    """Left sides beside right sides on the experiment's own MDP, with its optimal and the uniform policy."""
    problem = Problem.of(mdp, EXPONENT)
    uniform = uniform_policy(mdp)
    trail = problem.model.policy_iteration(tau, uniform)
    best, values = trail[-1]
    defined = mdp.gamma < bounds.LARGEST_GAMMA
    least = verification.constants(problem, "Theorem 1", tau, "printed").least_tau
    inside = "yes" if tau >= least and problem.interaction.rows < bounds.LARGEST_INTERACTION else "no"
    groups: list[tuple[str, str, Sequence[Check]]] = [
        ("yes", "optimal policy", verification.proposition_2(problem, values.q)),
        ("yes", "uniform policy beside the optimal one", [verification.lemma_7(problem, tau, uniform, best)]),
        ("yes", "uniform policy", _entries(verification.lemma_9(problem, tau, uniform))),
        ("yes", "optimal policy", _entries(verification.lemma_9(problem, tau, best))),
        ("yes", "optimal policy", verification.lemma_16(problem, values.q)),
        (_lemma_10_met(problem, tau, values.q), "optimal policy", _improvement(problem, tau, values.q, best)),
        (inside, "Algorithm 3 from the uniform policy", verification.convergence(problem, trail, "printed")),
        (inside, "optimal policy", verification.theorem_1(problem, tau, trail, "printed")),
        (inside, "uniform policy", [verification.uniform_loss(problem, tau, trail, "printed")]),
    ]  # fmt: skip
    rows = []
    for met, policy, checks in groups:
        for position, check in enumerate(checks):
            more = f"{policy}{_ordinal(check, position)}"
            if check.statement == "Theorem 1" and not defined:
                more += "; the bound is undefined for gamma >= 0.8"
            elif check.statement in OF_ANY_MU:
                more += f"; mu = {EXPONENT:g}"
            rows.append(_worst("section_6", [check], setting, mdp.agents, tau, met, more))
    return rows


def _ordinal(check: Check, position: int) -> str:
    if check.statement == "Proposition 2":
        return f", beta = {position}"
    return f", kappa = {position}" if check.quantity.endswith("truncated zeta*)") else ""


def _entries(checks: Sequence[Check]) -> list[Check]:
    """Lemma 9's first display alone: its decay has hypotheses that the experiment does not meet."""
    return [check for check in checks if check.quantity.startswith("entries")]


def _lemma_10_met(problem: Problem, tau: float, q: np.ndarray) -> str:
    nu_q = theory.decay(problem.mdp, theory.q_influence(problem.mdp, q), problem.mu)
    return "yes" if tau >= 3 * 2 ** (problem.mu + 1) * nu_q * problem.actions**2 * math.e else "no"


def _improvement(problem: Problem, tau: float, q: np.ndarray, policy) -> list[Check]:
    """Lemma 10's two bounds at the experiment's own tau."""
    mdp, n = problem.mdp, problem.mdp.agents
    nu_q = theory.decay(mdp, theory.q_influence(mdp, q), problem.mu)
    sigma = bounds.lemma_10_sigma(nu_q, tau, n)
    decay = bounds.lemma_10_decay(nu_q, problem.mu, tau, n, problem.actions)
    found = theory.decay(mdp, theory.policy_influence(mdp, policy), problem.mu)
    return [
        Check("Lemma 10", "regularity of the improved policy", "printed", sigma, theory.regularity(policy), math.nan),
        Check("Lemma 10", "decay of the improved policy", "printed", decay, found, problem.weight),
    ]


def _experiment(settings: Settings, agents: int, means: Sequence[str]) -> NetworkedMDP:
    environment = replace(settings.environment, agents=agents, p1_means=means[0], p2_means=means[1])
    return from_settings(environment)


def _gather(found: dict[tuple, list[Check]], checks: Iterable[Check]) -> None:
    for check in checks:
        found.setdefault((check.statement, check.quantity, check.form), []).append(check)


def _worst(part: str, checks: Sequence[Check], setting: str, agents: int | None, tau: float, met: str, more="") -> Row:
    """The check with the smallest slack, relative to its bound."""
    worst, vacuous = max(checks, key=_share), sum(check.vacuous for check in checks)
    note = "; ".join(text for text in (more, NOTES.get((worst.statement, worst.form), "")) if text)
    return Row(
        part, worst.statement, PLACES[worst.statement], worst.quantity, worst.form, setting, agents, tau, met,
        worst.bound, worst.measured, _slack(worst), worst.trivial, len(checks),
        sum(check.violated for check in checks), vacuous, len(checks) - vacuous, note,
    )  # fmt: skip


def _share(check: Check) -> float:
    share = check.measured / (check.bound + verification.ABSOLUTE)
    return -1.0 if math.isnan(share) else round(share, DIGITS)  # of equal ones the first, whatever the processor


def _slack(check: Check) -> float:
    """bound - measured as the table shows them: the digits beyond depend on the processor."""
    bound, measured = (Decimal(_text(float(number)) or "nan") for number in (check.bound, check.measured))
    return float(bound - measured) if measured.is_finite() else math.nan


def _hypothesis_row(found: Hypothesis, setting: str, agents: int, tau: float) -> Row:
    met = {True: "yes", False: "no", None: "undefined"}[found.met]
    quantity = f"{found.name} {found.relation}".strip()
    return Row(
        "hypothesis", found.theorem, PLACES[found.theorem], quantity, "printed", setting, agents, tau, met,
        found.limit, found.value, -found.excess, math.nan, 1, int(found.met is False), 0, 1, found.note,
    )  # fmt: skip


def _text(value) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
