"""The best kappa-hop policy: exact local soft policy iteration from several starts.

With d the discounted occupancy of a kappa-hop policy zeta and Q its Q function (3), the derivative of (1 - gamma) J by
zeta_i(a | x), x a value of s_{N_i^kappa}, is

    sum over the s that agree with x of d(s) (E_{a_-i ~ zeta_-i}[Q(s, a, a_-i)] - tau log zeta_i(a | x) - tau)

(the policy gradient theorem; the entropies of the other agents do not depend on a).  Rows sum to 1, so J is stationary
over kappa-hop policies exactly where, in every row that is reached (d(x) > 0),

    zeta_i(a | x) = the soft maximum of q_i(x, .),  proportional to exp(q_i(x, a) / tau),
    q_i(x, a) = E_d[Q(s, a, a_-i ~ zeta_-i) | s_{N_i^kappa} = x].

That is a fixed point of soft policy iteration in which the states that an agent cannot tell apart are weighted by d.
Since d and Q move with the policy (Q alone would, for a centralised one), the map need not improve J; but the step from
zeta towards its image climbs: along it the derivative of J is

    sum over i, x of d(x) tau (KL(image || zeta) + KL(zeta || image)) / (1 - gamma) >= 0,  0 at stationary points only.

So the iteration halves the step until J gains a share of what the derivative promises (Armijo's rule), and every
limit point is stationary.  It is the natural gradient step of length 1 / tau, which makes it far faster than a
quasi-Newton method on the same gradient: near its fixed points only the little that d and the other agents' policies
change is left to iterate.  For tau = 0 the image is greedy and the same steps are those of Frank and Wolfe.

A stationary point need not be the best policy; hence several starts.  What is reported is the best one found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpi.elementary import exp, log
from lpi.kernels import njit
from lpi.mdp import NetworkedMDP
from lpi.memory import EXACT_LIMIT
from lpi.network import digits, extended_index
from lpi.policy import LocalPolicy, policy_index, uniform_table
from lpi.solvers.adjoint import STATE_BYTES, Adjoint
from lpi.solvers.component import autonomous_component, independent_ranks
from lpi.solvers.decoupled import DecoupledProblem
from lpi.solvers.joint_values import Evaluator

STARTS = ("uniform", "optimum", "lifted", "random", "random")
"""Where `best_local` starts by default."""

_MOST_STEPS = 1000
_ARMIJO = 1e-4  # share of the promised gain that a step must make
_SHARE = 0.01  # of the tolerance: what the solves may be off by
_NEVER = 700.0  # -log of a probability of 0, where the slope is infinite


class LocalOptimum(NamedTuple):
    """The best kappa-hop policy found."""

    policy: LocalPolicy
    regularized: float  # its J under rho with the entropy weight of (2)
    unregularized: float
    error_bound: float  # on both
    gain: float  # what J would gain to first order if every row moved to its soft maximum; 0 at stationary points only
    starts: tuple[str, ...]  # names of the starts
    start_values: tuple[float, ...]  # J (regularised) that each start led to
    start_iterations: tuple[int, ...]  # steps taken from each start


class _Point(NamedTuple):
    policy: np.ndarray  # flat
    regularized: float
    unregularized: float
    error_bound: float
    values: np.ndarray  # opaque, of the evaluator


def best_local(
    mdp: NetworkedMDP,
    kappa: int,
    tau: float,
    starts: Sequence[str | LocalPolicy] = STARTS,
    seed: int = 0,
    tolerance: float = 1e-9,
    memory_limit: int = EXACT_LIMIT,
) -> LocalOptimum:
    """The best kappa-hop policy found by exact local soft policy iteration; see the module for the method.

    Args:
        mdp: a networked MDP whose joint state space fits.
        kappa: hops that the policies see.
        tau: weight of the entropy; with 0 the policies are greedy and the stationary points local maxima to first order.
        starts: "uniform"; "optimum", the centralised optimum truncated as in (16) with default state 0 (left out where
            the MDP does not decouple); "lifted", the best policy found for kappa - 1 from the same starts (left out for
            kappa = 0); "random", one with uniformly distributed rows; or a policy of at most kappa hops, lifted.
        seed: of the random starts.
        tolerance: the iteration ends when `gain` is below it (or when rounding lets no step gain).

    Raises:
        ValueError: the joint state space does not fit in memory, a negative tau, or an unknown start.
        ArithmeticError: no stationary point within 1000 steps.
    """
    return best_local_up_to(mdp, kappa, tau, starts, seed, tolerance, memory_limit)[-1]


def best_local_up_to(
    mdp: NetworkedMDP,
    kappa: int,
    tau: float,
    starts: Sequence[str | LocalPolicy] = STARTS,
    seed: int = 0,
    tolerance: float = 1e-9,
    memory_limit: int = EXACT_LIMIT,
) -> list[LocalOptimum]:
    """`best_local` for 0, 1, ..., kappa hops ("lifted" needs them all; without it only `kappa` is in the list)."""
    if not tau >= 0:
        raise ValueError(f"tau: {tau} is not allowed; a number >= 0")
    if not tolerance > 0:
        raise ValueError(f"tolerance: {tolerance} is not allowed; a number > 0")
    for start in starts:
        if not isinstance(start, LocalPolicy) and start not in STARTS:
            raise ValueError(f"starts: {start!r} is not allowed; one of {', '.join(sorted(set(STARTS)))}, or a policy")
    found: list[LocalOptimum] = []
    for k in range(0 if "lifted" in starts else kappa, kappa + 1):
        below = found[-1].policy if found else None
        found.append(_best_of(mdp, k, tau, _start_policies(mdp, k, tau, starts, seed, below), tolerance, memory_limit))
    return found


def lifted(mdp: NetworkedMDP, policy: LocalPolicy, kappa: int) -> LocalPolicy:
    """The same policy as one of `kappa` hops, which are at least its own.

    Raises:
        ValueError: it sees more.
    """
    if policy.kappa > kappa:
        raise ValueError(f"starts: a policy of {policy.kappa} hops is not allowed; at most {kappa}")
    tables = []
    for i, around in enumerate(mdp.network.neighbourhoods(kappa)):
        row = extended_index(around, policy.neighbourhoods[i], mdp.states, [0] * mdp.agents)
        shape = (*(int(mdp.states[j]) for j in around), int(mdp.actions[i]))
        tables.append(policy.tables[i].reshape(-1, shape[-1])[row].reshape(shape))
    return LocalPolicy(mdp, kappa, tables)


def truncated_optimum(mdp: NetworkedMDP, kappa: int, tau: float, default: Sequence[int] | None = None):
    """(16): the centralised optimum with everything beyond kappa hops at the `default` state (0 by default).

    Returns None where the MDP does not decouple given an autonomous component.
    """
    component = autonomous_component(mdp)
    if component is None or not independent_ranks(mdp, component):
        return None
    best = DecoupledProblem(mdp, component).optimum(tau, 1e-9)
    default = [0] * mdp.agents if default is None else list(default)
    values = [int(size) for size in component.values]
    tables = []
    for i, around in enumerate(mdp.network.neighbourhoods(kappa)):
        local = digits(around, mdp.states)
        joint = np.zeros(len(local), dtype=np.int64)
        for j in range(mdp.agents):
            state = local[:, around.index(j)] if j in around else default[j]
            joint = joint * values[j] + component.label[j][state]
        table = best.policy[i][joint, component.rank[i][local[:, around.index(i)]]]
        tables.append(table.reshape(*(int(mdp.states[j]) for j in around), -1))
    return LocalPolicy(mdp, kappa, tables)


def _start_policies(mdp, kappa: int, tau: float, starts, seed: int, below) -> list[tuple[str, np.ndarray]]:
    """Name and flat policy of each start that there is."""
    found, draws = [], np.random.SeedSequence(seed).spawn(sum(start == "random" for start in starts))
    for start in starts:
        policy = None
        if isinstance(start, LocalPolicy):
            policy, start = lifted(mdp, start, kappa), "given"
        elif start == "uniform":
            policy = LocalPolicy.uniform(mdp, kappa)
        elif start == "optimum":
            policy = truncated_optimum(mdp, kappa, tau)
        elif start == "random":
            policy = _random(mdp, kappa, draws.pop(0))
        elif below is not None:
            policy = lifted(mdp, below, kappa)
        if policy is not None:
            found.append((start, policy.flat()))
    if not found:
        raise ValueError(f"starts: none of {[str(start) for start in starts]} is available here; add 'uniform'")
    return found


def _random(mdp: NetworkedMDP, kappa: int, seed: np.random.SeedSequence) -> LocalPolicy:
    """Rows uniformly distributed: exponential variables over their sum."""
    uniforms = np.random.default_rng(seed).random(len(uniform_table(mdp, kappa)))
    return LocalPolicy.from_flat(mdp, kappa, _normalised(uniforms, policy_index(mdp, kappa).size, mdp.actions))


def _best_of(mdp, kappa: int, tau: float, starts, tolerance: float, memory_limit: int) -> LocalOptimum:
    search = _Search(mdp, kappa, tau, tolerance, memory_limit)
    names, points, gains, steps = [], [], [], []
    for name, policy in starts:
        point, gain, taken = search.climb(policy)
        names.append(name)
        points.append(point)
        gains.append(gain)
        steps.append(taken)
    values = [point.regularized for point in points]
    best = values.index(max(values))
    return LocalOptimum(
        LocalPolicy.from_flat(mdp, kappa, points[best].policy), values[best], points[best].unregularized,
        points[best].error_bound, gains[best], tuple(names), tuple(values), tuple(steps),
    )  # fmt: skip


class _Search:
    """Local soft policy iteration for one MDP, kappa and tau."""

    def __init__(self, mdp: NetworkedMDP, kappa: int, tau: float, tolerance: float, memory_limit: int):
        self._mdp, self._tau, self._tolerance = mdp, tau, tolerance
        self._evaluator = Evaluator(mdp, kappa, memory_limit, more=STATE_BYTES)
        self._adjoint = Adjoint(mdp, kappa, self._evaluator)
        self._rows = policy_index(mdp, kappa).size

    def climb(self, policy: np.ndarray) -> tuple[_Point, float, int]:
        """A stationary point, its gain, and the steps taken; J never falls."""
        point = self._at(policy)
        for step in range(_MOST_STEPS):
            image, gain, slope = self._image(point)
            if gain <= self._tolerance:
                return point, gain, step
            following = self._line_search(point, image, slope)
            if following is None:
                return point, gain, step
            point = following
        raise ArithmeticError(f"best_local: first-order gain {gain:.3g} after {_MOST_STEPS} steps")

    def _at(self, policy: np.ndarray) -> _Point:
        found = self._evaluator.evaluate(policy, self._tau, _SHARE * self._tolerance)
        return _Point(policy, found.regularized, found.unregularized, found.error_bound, found.start)

    def _image(self, point: _Point) -> tuple[np.ndarray, float, float]:
        """The soft maxima of all rows, the gain of moving there to first order, and the derivative of J on the way."""
        mdp = self._mdp
        values = point.values.reshape(-1, 2)
        total = values[:, 0] + self._tau * values[:, 1]
        occupancy = self._adjoint.occupancy(point.policy, _SHARE * self._tolerance)
        q, mass = self._adjoint.action_values(point.policy, total, occupancy)
        image, gain, slope = _soft_maxima(point.policy, q, mass, self._rows, mdp.actions, self._tau)
        return image, max(gain, 0.0) / (1 - mdp.gamma), slope / (1 - mdp.gamma)  # rounding may leave it below 0

    def _line_search(self, point: _Point, image: np.ndarray, slope: float) -> _Point | None:
        """Where J gains enough, or None if what a step promises is lost in the errors of J."""
        length = 1.0
        while length * slope > point.error_bound:
            following = self._at(point.policy + length * (image - point.policy))
            if following.regularized >= point.regularized + _ARMIJO * length * slope:
                return following
            length /= 2
        return None


@njit(cache=True, error_model="numpy")
def _normalised(uniforms, rows, actions):
    """-log(1 - uniform) of each entry over the row's sum."""
    result = np.empty_like(uniforms)
    at = 0
    for i in range(len(actions)):
        for _ in range(rows[i]):
            total = 0.0
            for a in range(actions[i]):
                result[at + a] = 1e-300 - log(1.0 - uniforms[at + a])
                total += result[at + a]
            for a in range(actions[i]):
                result[at + a] /= total
            at += actions[i]
    return result


@njit(cache=True, error_model="numpy")
def _soft_maxima(policy, q, mass, rows, actions, tau):
    """The image of a policy; sum over rows of d(x) times what the soft maximum is above the present value; the slope.

    The present value of a row is E_zeta[q] + tau entropy, its soft maximum tau log sum exp(q / tau), or the largest q
    for tau = 0 (of equal ones the first).  Rows that are never reached stay as they are.
    """
    image = policy.copy()
    gain = 0.0
    slope = 0.0
    at = 0
    row = 0
    for i in range(len(actions)):
        m = actions[i]
        score = np.empty(m)
        for _ in range(rows[i]):
            weight = mass[row]
            if weight > 0.0:
                top = 0
                for a in range(m):
                    score[a] = q[at + a] / weight
                    if score[a] > score[top]:
                        top = a
                total = 0.0
                for a in range(m):
                    share = exp((score[a] - score[top]) / tau) if tau > 0.0 else 1.0 * (a == top)
                    image[at + a] = share
                    total += share
                above = tau * log(total)
                for a in range(m):
                    image[at + a] /= total
                    p = policy[at + a]
                    known = tau * (log(p) if p > 0.0 else -_NEVER)
                    below = score[top] - score[a]
                    above += p * (below + known)
                    slope -= weight * (image[at + a] - p) * (below + known)
                gain += weight * above
            at += m
            row += 1
    return image, gain, slope
