"""Algorithm 3, exact policy iteration over product policies that read the global state, on any small networked MDP.

Two operators act on values V by joint state.  T maximises over product policies (section 5.1); the soft Bellman
operator over all joint policies is an upper bound of it, and its fixed point of the values of all product policies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpi.mdp import NetworkedMDP
from lpi.memory import EXACT_LIMIT
from lpi.policy import LocalPolicy
from lpi.solvers.decoupled import Solution
from lpi.solvers.joint_model import JointModel, by_agent, joint_policy
from lpi.solvers.krylov import constants, gmres
from lpi.solvers.product_maximum import ProductMaximum, joint_maximum, product_maximum

ITERATIONS = 30  # policies that are evaluated and kept where nothing else is asked: about 5 are needed
_INNER = 0.1  # share of the tolerance on values that the inner maximisation may take, likewise the evaluation
_SHARE = 0.01  # of the gap to the joint optimum, that its computation may be off by
_MOST_SWEEPS = 100_000


class Iterate(NamedTuple):
    """A policy of Algorithm 3 with its exact values, and what the improvement step found from there."""

    regularized: float  # J under rho
    unregularized: float
    error_bound: float  # on both, of the evaluation alone
    values: np.ndarray  # (joint states, 2): V without entropy, and the discounted entropy
    policy: tuple[np.ndarray, ...]  # per agent, shape (joint states, |A_i|)
    residual: float  # max |T V - V| over joint states
    inner_gap: float  # largest distance of T V, as found, from its upper bound, the maximum over joint policies
    inner_change: float  # largest gain of the last sweep of the inner maximisation


class PolicyIteration(NamedTuple):
    """All iterates; the last is the result."""

    iterates: tuple[Iterate, ...]
    converged: bool  # whether the last one's residual is at most (1 - gamma) * tolerance

    @property
    def best(self) -> Iterate:
        """The last iterate."""
        return self.iterates[-1]


def policy_iteration(
    mdp: NetworkedMDP,
    tau: float,
    start: LocalPolicy | Sequence[np.ndarray] | None = None,
    iterations: int = ITERATIONS,
    tolerance: float = 1e-9,
    memory_limit: int = EXACT_LIMIT,
) -> PolicyIteration:
    """Algorithm 3: exact evaluation, then the best product policy against Q in every joint state.

    Joint states and joint actions are numbered in C order, agent n - 1 fastest.  A sweep over all of them takes about
    50 ns a pair and there are a few dozen to an iteration.

    Args:
        mdp: the networked MDP.
        tau: entropy weight >= 0; 0: deterministic policies, the maximum over joint actions.
        start: zeta^0, per agent an array (joint states, |A_i|), or a kappa-hop policy; default uniform.
        iterations: most policies that are evaluated, >= 1; memory is set aside for them.
        tolerance: on values, in the maximum norm; it stops when the last policy's residual proves as much, provided
            that the inner maxima are global (`Iterate.inner_gap` bounds how far they may be off).
        memory_limit: bytes that may be used.

    Raises:
        ValueError: a value that is not allowed, or a joint state space that does not fit.
        ArithmeticError: a policy's value is below its predecessor's in some state.
    """
    _check(tau, iterations, tolerance)
    model = JointModel(mdp, memory_limit, iterations)
    policy, last = joint_policy(mdp, start), np.zeros((model.states, 2))
    iterates: list[Iterate] = []
    limit = tolerance * (1 - mdp.gamma)
    for _ in range(iterations):
        values, bound = evaluate(model, policy, tau, _INNER * tolerance, last)
        total = values @ np.array([1.0, tau])
        _check_monotone(total, iterates, tau, 2 * tolerance)
        improved = improve(model, total, tau, policy, _INNER * limit)
        residual = float(np.abs(improved.value - total).max())
        unregularized, entropy = model.under_rho(values[:, 0]), model.under_rho(values[:, 1])
        iterates.append(
            Iterate(
                unregularized + tau * entropy, unregularized, bound, values, by_agent(mdp, policy), residual,
                float((improved.bound - improved.value).max()), improved.change,
            )
        )  # fmt: skip
        if residual <= limit:
            return PolicyIteration(tuple(iterates), True)
        policy, last = improved.policy, values
    return PolicyIteration(tuple(iterates), False)


def joint_optimum(mdp: NetworkedMDP, tau: float, tolerance: float, memory_limit: int = EXACT_LIMIT) -> Solution:
    """The best product policy that Algorithm 3 finds, and how far the optimum may be above it.

    The error bound is the distance to an upper bound of the best J of all joint policies, by soft value iteration; it
    vanishes where Q is a sum over agents and where tau = 0, and is positive otherwise even if the policy is optimal.

    Raises:
        ValueError: the joint state space does not fit.
    """
    found = policy_iteration(mdp, tau, tolerance=tolerance, memory_limit=memory_limit)
    best, model = found.best, JointModel(mdp, memory_limit, ITERATIONS)
    above = upper_bound(model, best.values @ np.array([1.0, tau]), tau, tolerance) - best.regularized
    bound = max(above, 0.0) + best.error_bound
    return Solution(best.regularized, best.unregularized, bound, best.policy, len(found.iterates), "joint")


def evaluate(
    model: JointModel, policy: np.ndarray, tau: float, tolerance: float, start: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """(4) of a product policy (joint states, sum of |A_i|).

    Returns:
        V without entropy and the discounted entropy, shape (joint states, 2), and the error bound on V of (2).
    """
    gamma, shape = model.mdp.gamma, (model.states, 2)

    def operator(flat):
        values = flat.reshape(shape)
        return (values - flat.dtype.type(gamma) * model.average(policy, values)).ravel()

    first = np.zeros(2 * model.states) if start is None else start.ravel()
    limit = tolerance * (1 - gamma) / (1 + tau)
    values, residual, _ = gmres(operator, model.stage(policy).ravel(), first, limit, constants(gamma, 2))
    return values.reshape(shape), residual * (1 + tau) / (1 - gamma)


def improve(model: JointModel, values: np.ndarray, tau: float, policy: np.ndarray, tolerance: float) -> ProductMaximum:
    """T V for V of shape (joint states,), with the policy that attains it; `policy` is one of the starts."""
    best, value, bound = np.empty_like(policy), np.empty(model.states), np.empty(model.states)
    change = 0.0
    for here, q in model.q_values(values):
        found = product_maximum(q, model.mdp.actions, tau, policy[here], tolerance)
        best[here], value[here], bound[here] = found.policy, found.value, found.bound
        change = max(change, found.change)
    return ProductMaximum(best, value, bound, change)


def upper_bound(model: JointModel, values: np.ndarray, tau: float, tolerance: float) -> float:
    """An upper bound of the largest J of any joint policy, from soft value iteration that starts at `values`.

    After each sweep the optimal values are at most the new ones plus gamma / (1 - gamma) times the largest increase.
    Ends when that is known to `tolerance` or to a share of how much it exceeds J of `values`.
    """
    gamma, begin = model.mdp.gamma, model.under_rho(values)
    least = np.inf
    for _ in range(_MOST_SWEEPS):
        following = np.empty_like(values)
        for here, q in model.q_values(values):
            following[here] = joint_maximum(q, tau)
        slack = gamma / (1 - gamma) * max(float((following - values).max()), 0.0)
        reached = model.under_rho(following)
        least = min(least, reached + slack)
        if slack <= max(tolerance, _SHARE * (reached - begin)):
            return least
        values = following
    raise ArithmeticError(f"soft value iteration: {slack:.3g} above after {_MOST_SWEEPS} sweeps")


def _check(tau: float, iterations: int, tolerance: float) -> None:
    if not 0 <= tau < np.inf:
        raise ValueError(f"tau: {tau} is not allowed; a number >= 0")
    if not iterations >= 1:
        raise ValueError(f"iterations: {iterations} is not allowed; an integer >= 1")
    if not 0 < tolerance < np.inf:
        raise ValueError(f"tolerance: {tolerance} is not allowed; a number > 0")


def _check_monotone(total: np.ndarray, iterates: list[Iterate], tau: float, slack: float) -> None:
    if iterates:
        fall = float((iterates[-1].values @ np.array([1.0, tau]) - total).max())
        if fall > slack:
            raise ArithmeticError(f"policy iteration: a value fell by {fall:.3g} in iteration {len(iterates)}")
