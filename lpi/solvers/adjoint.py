"""The transposed chain: discounted occupancy of a kappa-hop policy, and what J gains by its probabilities.

Both go through the elimination of `lpi.solvers.joint_chain` backwards, agent by agent; the joint matrix is never formed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lpi.evaluation import policy_row_offsets
from lpi.kernels import njit
from lpi.mdp import NetworkedMDP
from lpi.memory import EXACT_LIMIT
from lpi.policy import LocalPolicy, policy_index
from lpi.solvers.elimination import differentiate, elimination, spread, tape_begins
from lpi.solvers.joint_chain import Plan, average_component, joint_order
from lpi.solvers.joint_values import Evaluator
from lpi.solvers.krylov import Invariant, absolute_sum, basis_space, constants, gmres

STATE_BYTES = 230
"""Bytes for each joint state that an `Adjoint` needs besides its evaluator: 25 in single, 16 in double precision."""


class ActionValues(NamedTuple):
    """What each agent's action is worth at each row of its policy table, the others following the policy."""

    q: np.ndarray  # flat as the policy: sum over the row's states of d(s) (Q(s, a_i, zeta_-i) + a number of the row)
    mass: np.ndarray  # (rows of all agents,): sum of d(s) over the row's states


class _Transposed:
    """x - gamma x P on arrays of float64 and of float32, one number per joint state."""

    def __init__(self, plan: Plan, kernel: np.ndarray, gamma: float):
        self._plan = plan
        self._work = {
            kind: (
                plan.outer_kernel.astype(kind), kernel.astype(kind), kind(gamma),
                np.empty(plan.buffer, dtype=kind), np.empty(plan.buffer, dtype=kind),
            )
            for kind in (np.float64, np.float32)
        }  # fmt: skip

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        return _apply_transposed(self._plan, weights, *self._work[weights.dtype.type])


class Adjoint:
    """Occupancies and action values of the policies of an `Evaluator`; each solve starts from the last one's.

    Args:
        mdp: the networked MDP.
        kappa: hops of the policies.
        evaluator: of this MDP and kappa.
    """

    def __init__(self, mdp: NetworkedMDP, kappa: int, evaluator: Evaluator):
        self._mdp, self._evaluator, self._plan = mdp, evaluator, evaluator.plan
        self._index = policy_index(mdp, kappa)
        self._start = self._plan.rho.ravel().copy()
        self._basis = basis_space(len(self._start))
        component = _Transposed(self._plan._replace(inner=elimination((), ()), ranks=1), np.zeros(0), mdp.gamma)
        ranks = self._plan.ranks

        def solve(row, limit):
            found, _, _ = gmres(
                component, row, np.zeros_like(row), max(limit / ranks, 1e-17), constants(mdp.gamma, 1), absolute_sum
            )
            return found

        # unlike for the values, what a solve moves within the component moves the rest: the next round mends it
        self._component = Invariant(self._plan.components, solve)

    def occupancy(self, flat_policy: np.ndarray, tolerance: float) -> np.ndarray:
        """d(s) = (1 - gamma) sum_t gamma^t P(s(t) = s), shape (ranks, components); sum of errors within `tolerance`."""
        mdp = self._mdp
        kernel = np.ascontiguousarray(self._evaluator.kernel(flat_policy)[::2])
        operator = _Transposed(self._plan, kernel, mdp.gamma)
        target, limit = (1 - mdp.gamma) * self._plan.rho.ravel(), tolerance * (1 - mdp.gamma)
        self._start, _, _ = gmres(operator, target, self._start, limit, self._component, absolute_sum, self._basis)
        return self._start.reshape(self._plan.ranks, -1)

    def action_values(self, flat_policy: np.ndarray, values: np.ndarray, occupancy: np.ndarray) -> ActionValues:
        """Of a policy with these values (in the order of the plan) and occupancy; see `ActionValues`."""
        plan, mdp, index = self._plan, self._mdp, self._index
        kernel = np.ascontiguousarray(self._evaluator.kernel(flat_policy)[::2])
        offsets = policy_row_offsets(index, mdp.actions)
        gradient = _kernel_gradient(plan, plan.outer_kernel, kernel, values.ravel(), occupancy.ravel())
        return ActionValues(
            *_by_action(plan, occupancy, gradient, offsets, index.offset, mdp.actions, mdp.gamma, 1 / mdp.agents)
        )


def occupancy(
    mdp: NetworkedMDP, policy: LocalPolicy, tolerance: float = 1e-9, memory_limit: int = EXACT_LIMIT
) -> np.ndarray:
    """Discounted occupancy d(s) = (1 - gamma) sum_t gamma^t P(s(t) = s) under rho and a policy, shape (joint states,).

    C order of the local states, agent n - 1 running fastest; the errors' absolute values add up to at most `tolerance`.

    Raises:
        ValueError: the joint state space does not fit in memory.
    """
    adjoint = Adjoint(mdp, policy.kappa, Evaluator(mdp, policy.kappa, memory_limit, more=STATE_BYTES))
    result = np.empty(mdp.joint_states)
    result[joint_order(mdp)] = adjoint.occupancy(policy.flat(), tolerance)
    return result


@njit(cache=True, error_model="numpy")
def _apply_transposed(plan, weights, outer_kernel, kernel, gamma, first, second):
    result = weights.copy()
    if len(plan.inner.size) > 0:
        _spread_ranks(plan, kernel, result, first, second)
    if len(plan.outer.size) > 0:
        _spread_component(plan, outer_kernel, result, first, second)
    for x in range(len(weights)):
        result[x] = weights[x] - gamma * result[x]
    return result


@njit(error_model="numpy")
def _spread_ranks(plan, kernel, weights, first, second):
    """From y to y' for each c, in place, a block of c at a time."""
    width, most = plan.components, plan.blocks[1]
    for begin in range(0, width, most):
        block = min(most, width - begin)
        _gather(weights, plan.ranks, width, begin, block, first)
        found = spread(plan.inner, kernel, plan.inner_offset // 2 + begin, width, block, block > 1, first, second)
        for y in range(plan.ranks):
            for x in range(block):
                weights[np.uint64(y * width + begin + x)] = found[np.uint64(y * block + x)]


@njit(error_model="numpy")
def _gather(table, rows, width, begin, block, target):
    """Columns begin..begin + block - 1 of a table of `width` columns."""
    for y in range(rows):
        for x in range(block):
            target[np.uint64(y * block + x)] = table[np.uint64(y * width + begin + x)]


@njit(error_model="numpy")
def _spread_component(plan, kernel, weights, first, second):
    """From c to c' for each y', in place, a block of y' at a time, transposed so that c is slowest."""
    width, most = plan.components, plan.blocks[0]
    for begin in range(0, plan.ranks, most):
        block = min(most, plan.ranks - begin)
        for y in range(block):
            for c in range(width):
                first[np.uint64(c * block + y)] = weights[np.uint64((begin + y) * width + c)]
        found = spread(plan.outer, kernel, plan.outer_offset, 1, block, False, first, second)
        for y in range(block):
            for c in range(width):
                weights[np.uint64((begin + y) * width + c)] = found[np.uint64(c * block + y)]


@njit(cache=True, error_model="numpy")
def _kernel_gradient(plan, outer_kernel, kernel, values, occupancy):
    """Derivatives of sum_s d(s) E[values(s') | s] by P(rank' | row, c) of every agent, laid out as `kernel`."""
    gradient = np.zeros_like(kernel)
    if len(plan.inner.size) == 0:
        return gradient
    first, second = np.empty(plan.buffer), np.empty(plan.buffer)
    if len(plan.outer.size) > 0:
        pairs, following = np.zeros(2 * len(values)), np.empty(2 * len(values))
        pairs[::2] = values
        average_component(plan, outer_kernel, pairs, following, first, second)
        values = following[::2].copy()
    width, most = plan.components, plan.blocks[1]
    begins = tape_begins(plan.inner, most)
    tape = np.empty(begins[-1])
    for begin in range(0, width, most):
        block = min(most, width - begin)
        if block < most:
            begins = tape_begins(plan.inner, block)
        _gather(values, plan.ranks, width, begin, block, tape)
        _gather(occupancy, plan.ranks, width, begin, block, first)
        differentiate(
            plan.inner, kernel, plan.inner_offset // 2 + begin, width, block, block > 1, tape, begins, first, second,
            gradient,
        )  # fmt: skip
    return gradient


@njit(cache=True, error_model="numpy")
def _by_action(plan, occupancy, gradient, policy_offset, row_offset, actions, gamma, share):
    """The two fields of `ActionValues`; `share` is the weight of an agent's reward."""
    q = np.zeros_like(plan.rewards)
    mass = np.zeros(row_offset[-1])
    width = plan.components
    for i in range(len(actions)):
        own = np.zeros((plan.rows[i], width))
        for y in range(plan.ranks):
            for c in range(width):
                own[plan.row[i, y], c] += occupancy[y, c]
        others = plan.choices[i] - 1
        for r in range(plan.rows[i]):
            for c in range(width):
                at = plan.local[i, c] + r
                row = plan.policy_row[at]
                mass[row_offset[i] + row] += own[r, c]
                m = plan.model_offset[i] + plan.model_row[at] * actions[i] * others
                g = plan.inner_offset[i] // 2 + r * others * width + c
                for a in range(actions[i]):
                    total = 0.0
                    for v in range(others):
                        total += gradient[g + v * width] * plan.model[m + a * others + v]
                    q[policy_offset[i] + row * actions[i] + a] += gamma * total
        for row in range(row_offset[i + 1] - row_offset[i]):
            for a in range(actions[i]):
                at = policy_offset[i] + row * actions[i] + a
                q[at] += share * mass[row_offset[i] + row] * plan.rewards[at]
    return q, mass
