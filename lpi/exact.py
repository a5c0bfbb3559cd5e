"""Exact values of kappa-hop policies: (2), (4) and J, for MDPs whose joint state space fits in memory.

The expectation over the next joint state is taken one agent at a time; what is kept in between is a table over the next
states still to be averaged and the present states that have been read so far.  Where the MDP has an autonomous
component (`lpi.component`), its values are averaged first and the rest for each of its values separately: the tables
are then much smaller.  Not for joint state spaces beyond about 10^6: see `lpi.simulation`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from lpi.component import Component, autonomous_component, independent_ranks, states_of
from lpi.decoupled import DecoupledProblem, Solution
from lpi.elimination import Elimination, average, elimination, largest_table
from lpi.evaluation import entropies
from lpi.krylov import BASIS, gmres
from lpi.mdp import NetworkedMDP
from lpi.network import digits, extended_index
from lpi.policy import LocalPolicy, policy_index

MEMORY_LIMIT = 2 * 1024**3  # bytes that an evaluation may need


class Evaluation(NamedTuple):
    """J of a policy under rho, and how well it is known."""

    regularized: float  # J with the entropy weight of (2)
    unregularized: float  # J with tau = 0
    error_bound: float  # on each of the two: the largest residual of (4) over 1 - gamma
    values: np.ndarray  # (joint states, 2): V without entropy, and the discounted entropy; internal order of states
    sweeps: int  # applications of the transition operator


class _Plan(NamedTuple):
    """Everything about an MDP and kappa that evaluation needs besides the policy's tables."""

    outer: Elimination  # over the component's next values
    outer_kernel: np.ndarray
    outer_offset: np.ndarray
    inner: Elimination  # over the ranks within a value of the component
    inner_offset: np.ndarray  # (n,) int64 into the inner kernel
    inner_base: np.ndarray  # (n, component values) int64: row block of each joint value of the component
    components: int
    ranks: int
    buffer: int
    policy_rows: tuple[np.ndarray, ...]  # per agent: policy row of each row of its inner kernel
    rank_kernels: tuple[np.ndarray, ...]  # per agent: P(rank' | row, a), shape (rows, |A_i|, ranks_i)
    local_row: np.ndarray  # (n, joint states) int32: each agent's policy row in each joint state
    rewards: np.ndarray  # per agent and (policy row, own action): r_i, flat as the policy
    rho: np.ndarray  # (joint states,)


class _Work:
    """The transition operator of one policy in one precision, with its buffers."""

    def __init__(self, plan: _Plan, kernel: np.ndarray, kind: type):
        self._plan, self._kernel = plan, kernel.astype(kind)
        self._outer_kernel = plan.outer_kernel.astype(kind)
        self._buffers = np.empty(plan.buffer, dtype=kind), np.empty(plan.buffer, dtype=kind)

    def sweep(self, values: np.ndarray) -> np.ndarray:
        """E[values(s') | s] for every joint state s, shape as `values`."""
        return _sweep(self._plan, self._outer_kernel, self._kernel, values, *self._buffers)


class Evaluator:
    """Exact evaluation of many policies of one MDP and kappa; each solve starts from the last one's values.

    Args:
        mdp: the networked MDP.
        kappa: hops of the policies to come.
        memory_limit: bytes that may be used.

    Raises:
        ValueError: the joint state space does not fit; says how many states, how much memory, and what fits.
    """

    def __init__(self, mdp: NetworkedMDP, kappa: int, memory_limit: int = MEMORY_LIMIT):
        if not fits(mdp, memory_limit):
            needed, states = _memory(mdp), mdp.joint_states
            raise ValueError(
                f"exact evaluation: {states:.3g} joint states need {needed / 1e9:.3g} GB; at most "
                f"{memory_limit / 1e9:.3g} GB, that is about {memory_limit / (needed / states):.3g} states, fit"
            )
        self._mdp, self._kappa = mdp, kappa
        self._plan = _make_plan(mdp, kappa)
        self._start: np.ndarray | None = None

    def evaluate(self, flat_policy: np.ndarray, tau: float, tolerance: float = 1e-9) -> Evaluation:
        """J of a flat kappa-hop policy, each of regularised and unregularised within about `tolerance`."""
        plan, mdp = self._plan, self._mdp
        kernel = _closed_loop(mdp, plan, flat_policy, self._kappa)
        index = policy_index(mdp, self._kappa)
        stage = np.empty((2, int(index.offset[-1])))
        stage[0] = _expected_rewards(flat_policy, plan.rewards, index.size, mdp.actions) / mdp.agents
        stage[1] = entropies(flat_policy, index, mdp.actions)
        target = _stage_values(plan.local_row, index.offset[:-1], stage).ravel()
        work = {kind: _Work(plan, kernel, kind) for kind in (np.float64, np.float32)}

        def residual_operator(values):
            return values - values.dtype.type(mdp.gamma) * work[values.dtype.type].sweep(values)

        start = np.zeros_like(target) if self._start is None else self._start
        limit = tolerance * (1 - mdp.gamma)
        values, residual, sweeps = gmres(residual_operator, target, start, limit)
        self._start = values
        values = values.reshape(-1, 2)
        unregularized = float((plan.rho * values[:, 0]).sum())
        entropy = float((plan.rho * values[:, 1]).sum())
        bound = residual * (1 + tau) / (1 - mdp.gamma)
        return Evaluation(unregularized + tau * entropy, unregularized, bound, values, sweeps)


def fits(mdp: NetworkedMDP, memory_limit: int = MEMORY_LIMIT) -> bool:
    """Whether the MDP's joint state space is small enough for an `Evaluator`."""
    return _memory(mdp) <= memory_limit


def _memory(mdp: NetworkedMDP) -> int:
    """Bytes: two quantities in single precision per basis vector, some double-precision vectors, the row tables."""
    return mdp.joint_states * (2 * 4 * (BASIS + 1) + 2 * 8 * 12 + 4 * mdp.agents)


def evaluate(mdp: NetworkedMDP, policy: LocalPolicy, tau: float, tolerance: float = 1e-9) -> Evaluation:
    """J of a policy, regularised as in (2) and unregularised, exact up to `tolerance`.

    Raises:
        ValueError: the joint state space does not fit in memory.
    """
    return Evaluator(mdp, policy.kappa).evaluate(policy.flat(), tau, tolerance)


def optimum(mdp: NetworkedMDP, tau: float, tolerance: float = 1e-9) -> Solution:
    """The centralised optimum of (2) and its J under rho, for MDPs that decouple given an autonomous component.

    Raises:
        ValueError: the MDP has no such component, or a negative tau.
    """
    if not tau >= 0:
        raise ValueError(f"tau: {tau} is not allowed; a number >= 0")
    component = autonomous_component(mdp)
    if component is None or not independent_ranks(mdp, component):
        raise ValueError("optimum: this MDP does not decouple given an autonomous component; no method for it yet")
    return DecoupledProblem(mdp, component).optimum(tau, tolerance)


def _make_plan(mdp: NetworkedMDP, kappa: int) -> _Plan:
    n = mdp.agents
    everyone, one_hop = range(n), mdp.network.neighbourhoods(1)
    component = autonomous_component(mdp)
    if component is None or not independent_ranks(mdp, component):
        component = _no_component(mdp)
    values, ranks = component.values, np.array([rank.max() + 1 for rank in component.rank])
    reads, seen = mdp.network.neighbourhoods(max(kappa, 1)), mdp.network.neighbourhoods(kappa)
    outer, inner = elimination(one_hop, values), elimination(reads, ranks)
    policy_rows, rank_kernels, base, rewards = [], [], [], []
    for i in everyone:
        rows = int(np.prod(ranks[list(reads[i])]))
        base.append(extended_index(everyone, reads[i], values, [0] * n) * rows)
        policy_rows.append(_joint_index(component, reads[i], seen[i], mdp.states))
        rank_kernels.append(_rank_kernel(mdp, component, i)[_joint_index(component, reads[i], one_hop[i], mdp.states)])
        own = digits(seen[i], mdp.states)[:, seen[i].index(i)]
        rewards.append(mdp.rewards[i][own].ravel())
    sizes = [kernel.shape[0] * kernel.shape[2] for kernel in rank_kernels]
    joint_values, joint_ranks = int(np.prod(values)), int(np.prod(ranks))
    return _Plan(
        outer=outer,
        outer_kernel=np.concatenate([table.ravel() for table in component.transitions]),
        outer_offset=np.cumsum([0] + [table.size for table in component.transitions[:-1]], dtype=np.int64),
        inner=inner,
        inner_offset=np.cumsum([0, *sizes[:-1]], dtype=np.int64),
        inner_base=np.array(base),
        components=joint_values,
        ranks=joint_ranks,
        buffer=2 * max(largest_table(outer) * joint_ranks, largest_table(inner)),
        policy_rows=tuple(policy_rows),
        rank_kernels=tuple(rank_kernels),
        local_row=np.array([_joint_index(component, everyone, seen[i], mdp.states) for i in everyone], dtype=np.int32),
        rewards=np.concatenate(rewards),
        rho=_joint_rho(mdp, component),
    )


def _no_component(mdp: NetworkedMDP) -> Component:
    """The component that has one value: everything is rank."""
    return Component(
        label=tuple(np.zeros(int(size), dtype=np.int64) for size in mdp.states),
        rank=tuple(np.arange(int(size)) for size in mdp.states),
        values=np.ones(mdp.agents, dtype=np.int64),
        transitions=tuple(np.ones((1,) * (len(around) + 1)) for around in mdp.network.neighbourhoods(1)),
    )


def _rank_kernel(mdp: NetworkedMDP, component: Component, agent: int) -> np.ndarray:
    """P(next rank | s_{N_i}, a_i), shape (joint states of N_i, |A_i|, ranks)."""
    table = mdp.transitions[agent][..., states_of(component, agent)].sum(axis=-2)
    return table.reshape(-1, *table.shape[-2:])


def _joint_index(component: Component, source, target, states) -> np.ndarray:
    """Index of the local states of `target` for each (values of `source`, ranks of `source`), values slowest."""
    ranks = [int(rank.max()) + 1 for rank in component.rank]
    value_digits, rank_digits = digits(source, component.values), digits(source, ranks)
    index = np.zeros((len(value_digits), len(rank_digits)), dtype=np.int64)
    for j in target:
        at = list(source).index(j)
        index *= int(states[j])
        index += states_of(component, j)[value_digits[:, at][:, None], rank_digits[:, at][None, :]]
    return index.ravel()


def _joint_rho(mdp: NetworkedMDP, component: Component) -> np.ndarray:
    joint = _joint_index(component, range(mdp.agents), range(mdp.agents), mdp.states)
    total = np.zeros(len(joint))
    for c, weight in enumerate(mdp.rho.weights):
        product = np.full(1, weight)
        for table in mdp.rho.marginals:
            product = np.multiply.outer(product, table[c]).ravel()
        total += product[joint]
    return total


def _closed_loop(mdp: NetworkedMDP, plan: _Plan, flat_policy: np.ndarray, kappa: int) -> np.ndarray:
    """P(next rank | what is read) under the policy, all agents, flat."""
    policy = LocalPolicy.from_flat(mdp, kappa, flat_policy)
    tables = []
    for i, kernel in enumerate(plan.rank_kernels):
        rows = policy.tables[i].reshape(-1, int(mdp.actions[i]))[plan.policy_rows[i]]
        closed = rows[:, 0, None] * kernel[:, 0]
        for a in range(1, kernel.shape[1]):
            closed += rows[:, a, None] * kernel[:, a]
        tables.append(closed.ravel())
    return np.concatenate(tables)


@njit(cache=True, error_model="numpy")
def _expected_rewards(policy, rewards, rows, actions):
    """E_{a ~ zeta_i} r_i per policy row, all agents."""
    result = np.zeros(rows.sum())
    at = 0
    row = 0
    for i in range(len(actions)):
        for _ in range(rows[i]):
            for _ in range(actions[i]):
                result[row] += policy[at] * rewards[at]
                at += 1
            row += 1
    return result


@njit(cache=True, error_model="numpy")
def _stage_values(local_row, offset, stage):
    """Sum over agents of both stage quantities in each joint state, shape (joint states, 2)."""
    result = np.zeros((local_row.shape[1], 2))
    for i in range(len(local_row)):
        for s in range(local_row.shape[1]):
            row = offset[i] + local_row[i, s]
            result[s, 0] += stage[0, row]
            result[s, 1] += stage[1, row]
    return result


@njit(cache=True, error_model="numpy")
def _sweep(plan, outer_kernel, kernel, values, first, second):
    """E[values(s') | s] for every joint state s; two quantities per state."""
    inside = plan.ranks * 2
    result = np.empty_like(values)
    middle = values
    if len(plan.outer.variable) > 0:
        offset = plan.outer_offset[plan.outer.variable]
        middle = average(plan.outer, outer_kernel, offset, values, 0, inside, first, second)[: len(values)].copy()
    if len(plan.inner.variable) == 0:
        return middle
    offset = np.empty_like(plan.inner.variable)
    for c in range(plan.components):
        for k in range(len(offset)):
            i = plan.inner.variable[k]
            offset[k] = plan.inner_offset[i] + plan.inner_base[i, c] * plan.inner.size[k]
        begin = c * inside
        averaged = average(plan.inner, kernel, offset, middle, begin, 2, first, second)
        result[begin : begin + inside] = averaged[:inside]
    return result


