"""Measured left sides of the paper's statements beside their right-hand sides (`lpi.theory.bounds`), MDP by MDP.

Every function returns `Check`s: one inequality each, measured <= bound.  Whether the hypotheses hold is the caller's
affair (`lpi.theory.coupling` draws MDPs that meet them).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpi import theory
from lpi.mdp import NetworkedMDP
from lpi.theory import bounds
from lpi.theory.coupling import (
    STEEP,
    Interaction,
    decaying_policy,
    interaction,
    q_functions,
    regular_policy,
    weakly_coupled,
)
from lpi.theory.dense import DenseModel, JointPolicy, LocalValues, softmax, uniform_policy

RELATIVE, ABSOLUTE = 1e-9, 1e-11
"""Rounding that a measured value may exceed its bound by."""
SIGNIFICANT = 1e-12
"""Differences of values are rounded to this part of the values: the digits below depend on the processor and its LAPACK."""
UNIFORM_LOSS = "J(zeta*) - J(uniform), same bound"
"""A quantity held against Theorem 1's bound that the theorem does not speak of."""
TINY = 1e-7
"""Distances to V* below this are left out of Theorem 6 (c): both sides are rounding there."""

Trail = Sequence[tuple[list[np.ndarray], LocalValues]]
"""What `DenseModel.policy_iteration` returns."""


class Check(NamedTuple):
    """One inequality of a statement, in its printed or its corrected form."""

    statement: str
    quantity: str
    form: str
    bound: float
    measured: float
    trivial: float  # what the left side cannot exceed whatever the statement says; NaN where there is no such number

    @property
    def vacuous(self) -> bool:
        """Whether the bound says no more than the trivial one."""
        return self.bound >= self.trivial

    @property
    def violated(self) -> bool:
        """Whether the measured value exceeds the bound by more than rounding."""
        return self.measured > self.bound * (1 + RELATIVE) + ABSOLUTE


class Problem(NamedTuple):
    """An MDP with what all its checks share."""

    mdp: NetworkedMDP
    model: DenseModel
    mu: float
    interaction: Interaction
    r_bar: float
    actions: int  # A_max

    @classmethod
    def of(cls, mdp: NetworkedMDP, mu: float) -> Problem:
        """Around an MDP; `mu` is the exponent that C decays with."""
        return cls(mdp, DenseModel(mdp), mu, interaction(mdp), mdp.reward_bound, int(mdp.actions.max()))

    @property
    def weight(self) -> float:
        """sup_i sum_j (dist(i, j) + 1)^mu: what a matrix of ones decays with."""
        return theory.row_decay(self.mdp, np.ones((self.mdp.agents, self.mdp.agents)), self.mu)

    def largest_value(self, tau: float) -> float:
        """Of V and V_i."""
        return bounds.largest_value(self.r_bar, self.mdp.gamma, tau, self.mdp.agents, self.actions)


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """one - other for arrays of one shape, rounded to a decimal near `SIGNIFICANT` of the largest entry of either."""
    largest = max(float(np.abs(one).max()), float(np.abs(other).max()))
    decimals = -math.ceil(math.log10(SIGNIFICANT * largest)) if largest > 0 else 0
    return np.round(one - other, decimals)


def proposition_1(problem: Problem, rng: np.random.Generator, tau: float) -> Check:
    """T contracts by gamma; tau large enough for a unique maximiser."""
    one, other = rng.normal(size=(2, problem.mdp.joint_states)) * 3
    found = [problem.model.bellman(values, tau)[0] for values in (one, other)]
    distance, bound = np.abs(difference(*found)).max(), problem.mdp.gamma * np.abs(one - other).max()
    return Check("Proposition 1", "||T V - T V'||", "printed", bound, float(distance), math.nan)


def proposition_2(problem: Problem, q: np.ndarray) -> list[Check]:
    """Truncation error of (9) with the worst weights, for every beta below the diameter."""
    mdp, n = problem.mdp, problem.mdp.agents
    nu, trivial = theory.decay(mdp, theory.q_influence(mdp, q), problem.mu), float(np.ptp(q, axis=(1, 2)).max())
    checks = []
    for beta in range(int(theory.distances(mdp).max())):
        error = 0.0
        for table, members in zip(q, mdp.network.neighbourhoods(beta), strict=True):
            far = [j for j in range(n) if j not in members]
            if far:
                full = table.reshape(*mdp.states, *mdp.actions)
                error = max(error, float(np.ptp(full, axis=tuple(far) + tuple(n + j for j in far)).max()))
        bound = bounds.proposition_2(nu, problem.mu, beta)
        checks.append(Check("Proposition 2", "sup |Q_i - truncated Q_i|", "printed", bound, error, trivial))
    return checks


def lemma_7(problem: Problem, tau: float, one: JointPolicy, other: JointPolicy) -> Check:
    """Values of two policies; the second one's Q functions give v'."""
    mdp = problem.mdp
    here, there = problem.model.evaluate(one, tau), problem.model.evaluate(other, tau)
    variation = sum(float(theory.total_variation(a, b).max()) for a, b in zip(one, other, strict=True))
    sigma = max(theory.regularity(one), theory.regularity(other))
    nu_q = theory.decay(mdp, theory.q_influence(mdp, there.q), problem.mu)
    measured = float(np.abs(difference(here.v.mean(axis=0), there.v.mean(axis=0))).max())
    bound = bounds.lemma_7(mdp.gamma, tau, mdp.agents, sigma, nu_q, variation)
    return Check("Lemma 7", "||V - V'||", "printed", bound, measured, problem.largest_value(tau))


def lemma_9(problem: Problem, tau: float, policy: JointPolicy) -> list[Check]:
    """Z^Q of a policy, entry by entry (the entry that exceeds its bound most) and its decay."""
    mdp, gamma, r_bar = problem.mdp, problem.mdp.gamma, problem.r_bar
    z, c = theory.policy_influence(mdp, policy), theory.transition_influence(mdp)
    entropy_range = mdp.agents * tau * theory.regularity(policy)
    measured = theory.q_influence(mdp, problem.model.evaluate(policy, tau).q)
    largest = r_bar + gamma * problem.largest_value(tau)
    checks = []
    for form in bounds.FORMS:
        bound = bounds.lemma_9(r_bar, gamma, entropy_range, c, z, form)
        worst = np.unravel_index(np.argmax(measured - bound), bound.shape)
        entry = float(bound[worst]), float(measured[worst]), largest
        checks.append(Check("Lemma 9", "entries of Z^Q", form, *entry))
        decay = bounds.lemma_9_decay(r_bar, gamma, entropy_range, form)
        found = theory.decay(mdp, measured, problem.mu)
        checks.append(Check("Lemma 9", "decay of Z^Q", form, decay, found, largest * problem.weight))
    return checks


def lemma_10(problem: Problem, q: np.ndarray) -> list[Check]:
    """The improved policy at the smallest tau that Lemma 10 allows."""
    mdp, mu, n = problem.mdp, problem.mu, problem.mdp.agents
    nu_q = theory.decay(mdp, theory.q_influence(mdp, q), mu)
    tau = 3 * 2 ** (mu + 1) * nu_q * problem.actions**2 * math.e
    policy = problem.model.improve(q.mean(axis=0), tau)
    sigma, decay = bounds.lemma_10_sigma(nu_q, tau, n), bounds.lemma_10_decay(nu_q, mu, tau, n, problem.actions)
    found = theory.decay(mdp, theory.policy_influence(mdp, policy), mu)
    spread = float(np.ptp(q.mean(axis=0), axis=1).max()) / tau
    return [
        Check("Lemma 10", "regularity of the improved policy", "printed", sigma, theory.regularity(policy), spread),
        Check("Lemma 10", "decay of the improved policy", "printed", decay, found, problem.weight),
    ]


def lemma_16(problem: Problem, q: np.ndarray) -> list[Check]:
    """Decay of H^Q, its diagonal included."""
    nu_q = theory.decay(problem.mdp, theory.q_influence(problem.mdp, q), problem.mu)
    mean = q.mean(axis=0)
    found = theory.decay(problem.mdp, theory.second_order_influence(problem.mdp, mean), problem.mu)
    trivial = 2 * float(np.ptp(mean)) * problem.weight
    return [
        Check("Lemma 16", "decay of H^Q", form, bounds.lemma_16(nu_q, problem.mu, form), found, trivial)
        for form in bounds.FORMS
    ]


def lemma_18(problem: Problem, q: np.ndarray, start: JointPolicy, steps: int = 5) -> list[Check]:
    """Distance of (28) to its limit, just above the smallest tau."""
    mdp, mu, n = problem.mdp, problem.mu, problem.mdp.agents
    nu_q = theory.decay(mdp, theory.q_influence(mdp, q), mu)
    tau = 4 * 2**mu * nu_q * problem.actions**2
    while bounds.lemma_18_rate(nu_q, mu, tau, n, problem.actions) >= 0.5:
        tau *= 1.01
    rate, mean = bounds.lemma_18_rate(nu_q, mu, tau, n, problem.actions), q.mean(axis=0)
    limit, policy, checks = problem.model.improve(mean, tau), start, []
    for step in range(1, steps + 1):
        policy = problem.model.jacobi_step(mean, tau, policy)
        distance = max(float(theory.total_variation(a, b).max()) for a, b in zip(policy, limit, strict=True))
        checks.append(Check("Lemma 18", "TV to the limit of (28)", "printed", rate**step, distance, 1.0))
    return checks


def distributions(rng: np.random.Generator) -> list[Check]:
    """Lemmas 12 and 17 on a random pair of distributions."""
    size, scale = int(rng.integers(2, 6)), float(np.exp(rng.uniform(-4, 1.5)))
    one = rng.normal(size=size) * scale
    other = one + rng.normal(size=size) * float(np.exp(rng.uniform(-6, 1)))
    one, other = (np.exp(x) / np.exp(x).sum() for x in (one, other))
    variation, sigma = float(theory.total_variation(one, other)), theory.regularity([one, other])
    entropies = [-float((d * np.log(d)).sum()) for d in (one, other)]
    epsilon = float(np.ptp(np.log(one / other)))
    return [
        Check(
            "Lemma 12", "|H(d) - H(d')|", "printed", bounds.lemma_12(sigma, variation), abs(entropies[0] - entropies[1]),
            math.log(size),
        ),
        Check("Lemma 17", "TV(d, d')", "printed", bounds.lemma_17(size, sigma, epsilon), variation, 1.0),
        Check("Lemma 17", "TV(d, d')", "corrected", bounds.lemma_17_sharp(epsilon), variation, 1.0),
    ]  # fmt: skip


def lemma_21(problem: Problem, kappa: int = 1) -> list[Check]:
    """Second order influences of the aggregated (11) when every truncated Q (beta >= 2 kappa) is off by epsilon.

    The errors are parities of what N_i^kappa holds, the same for all of it; v' is next to nothing beside them.
    """
    mdp, n, epsilon, nu_q = problem.mdp, problem.mdp.agents, 1.0, 1e-9
    index, weights = np.indices((*mdp.states, *mdp.actions)), (theory.distances(mdp) + 1.0) ** problem.mu
    found = 0.0
    for i, members in enumerate(mdp.network.neighbourhoods(kappa)):
        parity = sum(index[j] for j in members) % 2
        aggregated = len(members) / n * epsilon * np.where(parity, 1.0, -1.0).reshape(mdp.joint_states, -1)
        row = theory.second_order_influence(mdp, aggregated)[i] * weights[i]
        found = max(found, float(row.sum() - row[i]))
    largest = theory.neighbourhood_size(mdp, kappa)
    return [
        Check(
            "Lemma 21", "decay of H of (11), Q estimates off by a parity", form,
            bounds.lemma_21(nu_q, problem.mu, kappa, epsilon, largest, n, form), found, math.nan,
        )
        for form in bounds.FORMS
    ]  # fmt: skip


def theorem_6(problem: Problem, tau: float, trail: Trail, form: str) -> list[Check]:
    """Algorithm 3 from a policy of the class: (a) after each improvement, (b) from the start on."""
    mdp = problem.mdp
    found = constants(problem, "Theorem 6", tau, form)
    largest = (problem.r_bar + mdp.gamma * problem.largest_value(tau)) * problem.weight
    z = [theory.policy_influence(mdp, policy) for policy, _ in trail[1:]]
    sigma = max(theory.regularity(policy) for policy, _ in trail[1:])
    decay = max(theory.decay(mdp, matrix, found.mu) for matrix in z)
    nu_q = max(theory.decay(mdp, theory.q_influence(mdp, values.q), found.mu) for _, values in trail)
    return [
        Check("Theorem 6", "(a) regularity of the iterates", form, found.sigma, sigma, math.nan),
        Check("Theorem 6", "(a) decay of the iterates", form, bounds.NU, decay, problem.weight),
        Check("Theorem 6", "(b) decay of Z^Q of the iterates", form, found.nu_q, nu_q, largest),
    ]


def convergence(problem: Problem, trail: Trail, form: str) -> list[Check]:
    """Theorem 6 (c) along Algorithm 3 from any policy, at the iterate that is closest to its bound."""
    last = trail[-1][1].v.mean(axis=0)
    errors = [float(np.abs(difference(values.v.mean(axis=0), last)).max()) for _, values in trail]
    steps = [(problem.mdp.gamma**m * errors[0], error) for m, error in enumerate(errors) if m and error > TINY]
    bound, error = max(steps, key=lambda step: step[1] / step[0], default=(math.nan, math.nan))
    checks = [Check("Theorem 6", "(c) ||V - V*|| of the iterates", form, bound, error, errors[0])]
    return checks if steps else []


def theorem_1(problem: Problem, tau: float, trail: Trail, form: str) -> list[Check]:
    """What the truncated optimal policy (16) loses, for every kappa below the diameter."""
    mdp, model = problem.mdp, problem.model
    mu = constants(problem, "Theorem 1", tau, form).mu
    policy, best = trail[-1]
    checks = []
    for kappa in range(int(theory.distances(mdp).max())):
        truncated = theory.truncate_policy(mdp, policy, kappa)
        loss = _loss(problem, best.v, model.evaluate(truncated, tau).v)
        bound = bounds.theorem_1(problem.r_bar, mdp.gamma, mu, kappa, form)
        trivial = bounds.largest_gap(problem.r_bar, mdp.gamma)
        checks.append(Check("Theorem 1", "J(zeta*) - J(truncated zeta*)", form, bound, loss, trivial))
    return checks


def uniform_loss(problem: Problem, tau: float, trail: Trail, form: str) -> Check:
    """What the uniform policy, which sees nothing, loses: against Theorem 1's bound at the diameter, its smallest."""
    mdp, model = problem.mdp, problem.model
    mu = constants(problem, "Theorem 1", tau, form).mu
    loss = _loss(problem, trail[-1][1].v, model.evaluate(uniform_policy(mdp), tau).v)
    bound = bounds.theorem_1(problem.r_bar, mdp.gamma, mu, int(theory.distances(mdp).max()), form)
    trivial = bounds.largest_gap(problem.r_bar, mdp.gamma)
    return Check("Theorem 1", UNIFORM_LOSS, form, bound, loss, trivial)


def theorem_2(problem: Problem, rng: np.random.Generator, form: str, loops: int = 3) -> list[Check]:
    """Algorithm 1 with exact truncated Q functions plus errors as large as Definition 7 allows, and Lemma 8 on the way.

    tau, beta and p_max are the least that Theorem 2 allows; c_pe is that of Theorem 5.
    """
    mdp, model, gamma = problem.mdp, problem.model, problem.mdp.gamma
    tau = least_tau(problem, "Theorem 2", form)
    found = constants(problem, "Theorem 2", tau, form)
    kappa = int(rng.integers(1, int(theory.distances(mdp).max()) + 1))
    nu_q, mu, c_pe = found.nu_q, found.mu, bounds.td_exactness(found.nu_q, gamma)
    beta = math.ceil(bounds.theorem_2_beta(nu_q, mu, kappa, c_pe, theory.neighbourhood_size(mdp, kappa)))
    updates = 1 + max(0, math.ceil(bounds.theorem_2_inner_steps(nu_q, mu, kappa, c_pe)))
    trail = model.policy_iteration(tau, uniform_policy(mdp))
    best, policy = trail[-1][1].v.mean(axis=0), uniform_policy(mdp)
    values = model.evaluate(policy, tau)
    start, epsilon = float(np.abs(difference(values.v.mean(axis=0), best)).max()), c_pe / (beta + 1) ** mu
    allowed = bounds.improvement_error(nu_q, mu, kappa, c_pe)
    checks = []
    for m in range(1, loops + 1):
        noise = theory.truncate_q(mdp, rng.choice([-1.0, 1.0], size=values.q.shape), beta)
        exact = theory.truncate_q(mdp, values.q, beta)
        spare = [epsilon - float(np.abs(a - b).max()) for a, b in zip(exact, values.q, strict=True)]
        estimates = [q + max(0.0, e) * sign for q, e, sign in zip(exact, spare, noise, strict=True)]
        wanted, improved = model.bellman(values.v.mean(axis=0), tau)
        policy = local_improvement(problem, estimates, tau, kappa, updates)
        values = model.evaluate(policy, tau)
        v = values.v.mean(axis=0)
        variation = max(float(theory.total_variation(a, b).max()) for a, b in zip(policy, improved, strict=True))
        decay = theory.decay(mdp, theory.q_influence(mdp, values.q), mu)
        gap = bounds.theorem_2(problem.r_bar, gamma, mu, kappa, c_pe, m, start, form)
        trivial, largest = bounds.largest_gap(problem.r_bar, gamma), problem.largest_value(tau)
        checks += [
            Check("Lemma 8", "TV to the exact improvement", form, allowed, variation, 1.0),
            Check("Lemma 8", "T V - V of the next policy", form, 3 * nu_q / (1 - gamma) * allowed, float(difference(wanted, v).max()), trivial),
            Check("Lemma 8", "regularity of the next policy", form, found.sigma, theory.regularity(policy), math.nan),
            Check("Lemma 8", "decay of the next Z^Q", form, nu_q, decay, (problem.r_bar + gamma * largest) * problem.weight),
            Check("Theorem 2", "J(zeta*) - J(zeta^M)", form, gap, _loss(problem, best, v), trivial),
        ]  # fmt: skip
    return checks


def _loss(problem: Problem, better: np.ndarray, v: np.ndarray) -> float:
    """J of values V, or of every agent's V_i, less that of others."""
    one, other = (np.array((problem.model.rho * np.atleast_2d(values).mean(axis=0)).sum()) for values in (better, v))
    return float(difference(one, other))


def local_improvement(problem: Problem, estimates, tau: float, kappa: int, updates: int) -> list[np.ndarray]:
    """(11) and (12) with eta = 1 / tau from the uniform policy, defaults 0, on all joint states."""
    mdp, n = problem.mdp, problem.mdp.agents
    states = np.indices(tuple(mdp.states)).reshape(n, -1)
    policy = uniform_policy(mdp)
    aggregated, extended = [], []
    for i, members in enumerate(mdp.network.neighbourhoods(kappa)):
        seen = np.isin(np.arange(n), members)
        extended.append(np.ravel_multi_index(tuple(states * seen[:, None]), tuple(mdp.states)))
        total = sum(estimates[j] for j in members)[extended[i]].reshape(-1, *mdp.actions) / n
        near = tuple(slice(None) if held else slice(0, 1) for held in seen)
        fixed = np.broadcast_to(total[(slice(None), *near)], total.shape)
        aggregated.append(fixed.reshape(len(total), -1))
    for _ in range(updates):
        policy = [
            softmax(problem.model.expected(aggregated[i], [table[extended[i]] for table in policy], i) / tau)
            for i in range(n)
        ]
    return policy


def constants(problem: Problem, theorem: str, tau: float, form: str) -> bounds.Constants:
    """The theorem's constants for this problem; the corrected form looks at the columns of C too."""
    coupling = problem.interaction.rows if form == "printed" else problem.interaction.both
    mdp = problem.mdp
    return bounds.constants(theorem, problem.r_bar, mdp.gamma, tau, mdp.agents, problem.actions, coupling, form)


def least_tau(problem: Problem, theorem: str, form: str) -> float:
    """The smallest tau at which the theorem's mu is the exponent that the problem's C decays with."""
    return 2**problem.mu * constants(problem, theorem, 1.0, form).least_tau


def all_checks(problem: Problem, rng: np.random.Generator) -> list[Check]:
    """Every statement once on an MDP inside the hypotheses, with random policies and Q functions where it takes any."""
    mdp, model, mu = problem.mdp, problem.model, problem.mu
    checks = [check for _ in range(20) for check in distributions(rng)] + lemma_21(problem)
    entropy_weight = float(np.exp(rng.uniform(np.log(1e-3), np.log(2))))
    decaying = [decaying_policy(rng, mdp, bounds.NU, mu) for _ in range(2)]
    for policy in (uniform_policy(mdp), *decaying):
        checks += lemma_9(problem, entropy_weight, policy)
    checks.append(lemma_7(problem, entropy_weight, *decaying))
    for q in (q_functions(rng, mdp), model.evaluate(decaying[0], entropy_weight).q):
        start = regular_policy(rng, mdp, 5.0)
        checks += proposition_2(problem, q) + lemma_10(problem, q) + lemma_16(problem, q)
        checks += lemma_18(problem, q, start)
    for form in bounds.FORMS:
        tau = least_tau(problem, "Theorem 6", form) * (1 if rng.random() < 0.5 else float(rng.uniform(1, 10)))
        start = regular_policy(rng, mdp, constants(problem, "Theorem 6", tau, form).sigma)
        trail = model.policy_iteration(tau, start)
        checks += theorem_6(problem, tau, trail, form) + theorem_1(problem, tau, trail, form)
        checks.append(uniform_loss(problem, tau, trail, form))
        checks.append(lemma_7(problem, tau, start, trail[-1][0]))
        wild = regular_policy(rng, mdp, 5.0)
        checks += theorem_2(problem, rng, form)
        checks += convergence(problem, model.policy_iteration(tau, wild), form)
    checks.append(proposition_1(problem, rng, tau))
    steep = Problem.of(*weakly_coupled(rng, STEEP))
    return checks + [check for form in bounds.FORMS for check in theorem_2(steep, rng, form)]
