"""The Markov chain of the joint state under a kappa-hop policy, applied without ever forming its matrix.

The expectation over the next joint state is taken one agent at a time; what is kept in between is a table over the next
states still to be averaged and the present states that have been read so far.  Where the MDP has an autonomous
component (`lpi.solvers.component`), its values are averaged first and the rest for each of its values separately: the tables
are then much smaller.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lpi.kernels import njit
from lpi.mdp import NetworkedMDP
from lpi.memory import exact_memory
from lpi.network import digits, extended_index
from lpi.solvers.component import Component, autonomous_component, independent_ranks, states_of
from lpi.solvers.elimination import Elimination, average, elimination, probabilities

_SAME = 1e-12  # transition probabilities that differ by less count as equal
_OUTER_BLOCK, _BLOCK = 16, 64  # y or c averaged together: enough to hide the loops' overhead, few enough for the cache
_NARROW = 8  # values of the component below which a vectorised loop over them is not worth entering


class Plan(NamedTuple):
    """Everything about an MDP and kappa that evaluation needs besides the policy's tables.

    A joint state is a pair of joint ranks y and a joint value c of the component (`lpi.solvers.component`), y slowest; two
    quantities per state lie side by side.  An agent's next rank depends on c and on the ranks that it reads, its row.
    """

    outer: Elimination  # over the component's next values
    outer_kernel: np.ndarray
    outer_offset: np.ndarray
    inner: Elimination  # over the next ranks
    inner_offset: np.ndarray  # (n,) int64 into the closed-loop kernel, see `close_loop`
    inner_size: int
    components: int  # joint values of the component
    ranks: int  # joint ranks
    blocks: tuple[int, int]  # how many y the outer average takes at a time, how many c the inner one
    buffer: int  # numbers in the largest table
    choices: np.ndarray  # (n,) int64: ranks of each agent
    rows: np.ndarray  # (n,) int64: rows of each agent
    row: np.ndarray  # (n, ranks) int32: each agent's row in each y
    local: np.ndarray  # (n, components) int64: where agent and c begin in the next two
    policy_row: np.ndarray  # int32 by agent, component values around it and row: row in the agent's policy table
    model_row: np.ndarray  # int32, shape as policy_row: row in the agent's block of the next
    model: np.ndarray  # by agent: P(rank' | s_{N_i}, a) for rank' >= 1, shape (joint states, |A_i|, ranks_i - 1)
    model_offset: np.ndarray  # (n,) int64
    rewards: np.ndarray  # r_i by agent and (policy row, own action), flat as the policy
    rho: np.ndarray  # (ranks, components)


class Operator:
    """I - gamma P on arrays of float64 and of float32, where P averages over the next joint state.

    Results of each type are written over the last one: getting new memory from the system takes as long as a pass over it.
    """

    def __init__(self, plan: Plan, kernel: np.ndarray, gamma: float):
        self._plan, self._gamma = plan, gamma
        self._work = {
            kind: (
                plan.outer_kernel.astype(kind), kernel.astype(kind), kind(gamma),
                np.empty(plan.buffer, dtype=kind), np.empty(plan.buffer, dtype=kind),
                np.empty(2 * plan.ranks * plan.components, dtype=kind),
            )
            for kind in (np.float64, np.float32)
        }  # fmt: skip

    def __call__(self, values: np.ndarray) -> np.ndarray:
        work = self._work[values.dtype.type]
        _apply(self._plan, values, *work)
        return work[-1][: len(values)]


def memory(mdp: NetworkedMDP, kappa: int, limit: int, more: int = 0) -> int:
    """Bytes: the vectors of the solver, `more` for each joint state, then the tables of the policy."""
    needed = exact_memory(mdp.joint_states) + more * mdp.joint_states
    if needed > limit:
        return needed
    component = _component(mdp)
    components, ranks = int(np.prod(component.values)), [int(rank.max()) + 1 for rank in component.rank]
    for i, around in enumerate(mdp.network.neighbourhoods(max(kappa, 1))):
        local = int(np.prod([int(mdp.states[j]) for j in around]))
        rows = int(np.prod([ranks[j] for j in around]))
        needed += 3 * 8 * local + 2 * components * rows * (8 + (8 + 4) * (ranks[i] - 1))
    return needed


def make_plan(mdp: NetworkedMDP, kappa: int) -> Plan:
    n, component = mdp.agents, _component(mdp)
    everyone, one_hop, seen = range(n), mdp.network.neighbourhoods(1), mdp.network.neighbourhoods(kappa)
    around = mdp.network.neighbourhoods(max(kappa, 1))
    values, ranks = component.values, np.array([rank.max() + 1 for rank in component.rank])
    models = [_rank_transitions(mdp, component, i) for i in everyone]
    reads = [tuple(sorted({*seen[i], *_rank_parents(models[i], component, one_hop[i])})) for i in everyone]
    outer, inner = elimination(one_hop, values), elimination(reads, ranks)
    components, joint_ranks = int(np.prod(values)), int(np.prod(ranks))
    blocks = min(_OUTER_BLOCK, joint_ranks), min(_BLOCK, components) if components >= _NARROW else 1
    rows = np.array([int(np.prod(ranks[list(reads[i])])) for i in everyone])
    local_sizes = [int(np.prod(values[list(around[i])]) * rows[i]) for i in everyone]
    outer_kernel, outer_offset = probabilities(component.transitions)
    model, model_offset = probabilities(models)
    inner_sizes = 2 * components * rows * (ranks - 1)

    def joint_rows(target):
        found = [_joint_index(component, around[i], reads[i], target[i], mdp.states) for i in everyone]
        return np.concatenate(found).astype(np.int32)

    return Plan(
        outer=outer,
        outer_kernel=outer_kernel,
        outer_offset=outer_offset,
        inner=inner,
        inner_offset=_begins(inner_sizes),
        inner_size=int(inner_sizes.sum()),
        components=components,
        ranks=joint_ranks,
        blocks=blocks,
        buffer=2 * max(outer.largest * blocks[0], inner.largest * blocks[1]),
        choices=ranks,
        rows=rows,
        row=np.array([extended_index(everyone, reads[i], ranks, [0] * n) for i in everyone], dtype=np.int32),
        local=_begins(local_sizes)[:, None]
        + [extended_index(everyone, around[i], values, [0] * n) * rows[i] for i in everyone],
        policy_row=joint_rows(seen),
        model_row=joint_rows(one_hop),
        model=model,
        model_offset=model_offset,
        rewards=np.concatenate(
            [mdp.rewards[i][digits(seen[i], mdp.states)[:, seen[i].index(i)]].ravel() for i in everyone]
        ),
        rho=initial_distribution(mdp)[joint_order(mdp)],
    )


def _begins(sizes) -> np.ndarray:
    """Where each block begins when blocks of these sizes lie one after another."""
    return np.cumsum([0, *sizes[:-1]], dtype=np.int64)


def _component(mdp: NetworkedMDP) -> Component:
    """The autonomous component, or, where there is none that helps, the one that has a single value: all is rank."""
    component = autonomous_component(mdp)
    if component is not None and independent_ranks(mdp, component):
        return component
    return Component(
        label=tuple(np.zeros(int(size), dtype=np.int64) for size in mdp.states),
        rank=tuple(np.arange(int(size)) for size in mdp.states),
        values=np.ones(mdp.agents, dtype=np.int64),
        transitions=tuple(np.ones((1,) * (len(around) + 1)) for around in mdp.network.neighbourhoods(1)),
    )


def _rank_transitions(mdp: NetworkedMDP, component: Component, agent: int) -> np.ndarray:
    """P(next rank | s_{N_i}, a_i), shape (|S_j| for j in N_i) + (|A_i|, ranks)."""
    return mdp.transitions[agent][..., states_of(component, agent)].sum(axis=-2)


def _rank_parents(table: np.ndarray, component: Component, around) -> list[int]:
    """The agents in N_i whose ranks the next rank of an agent depends on, given the component."""
    parents = []
    for axis, j in enumerate(around):
        by_rank = np.take(table, states_of(component, j), axis=axis)
        if np.ptp(by_rank, axis=axis + 1).max() > _SAME:
            parents.append(j)
    return parents


def _joint_index(component: Component, values_of, ranks_of, target, states) -> np.ndarray:
    """Index of the local states of `target` for each (values of `values_of`, ranks of `ranks_of`), values slowest.

    Shape (joint values, joint ranks); members of `target` outside `ranks_of` have rank 0.
    """
    counts = [int(rank.max()) + 1 for rank in component.rank]
    values, ranks = digits(values_of, component.values), digits(ranks_of, counts)
    index = np.zeros((len(values), len(ranks)), dtype=np.int64)
    for j in target:
        value = values[:, list(values_of).index(j)]
        rank = ranks[:, list(ranks_of).index(j)] if j in ranks_of else np.zeros(1, dtype=np.int64)
        index *= int(states[j])
        index += states_of(component, j)[value[:, None], rank[None, :]]
    return index.ravel()


def joint_order(mdp: NetworkedMDP) -> np.ndarray:
    """Number of the joint state of each (joint rank, joint component value), agent n - 1 running fastest; int64."""
    component, everyone = _component(mdp), range(mdp.agents)
    joint = _joint_index(component, everyone, everyone, everyone, mdp.states)
    return np.ascontiguousarray(joint.reshape(int(np.prod(component.values)), -1).T)


def initial_distribution(mdp: NetworkedMDP) -> np.ndarray:
    """rho of every joint state, agent n - 1 running fastest."""
    total = np.zeros(mdp.joint_states)
    for c, weight in enumerate(mdp.rho.weights):
        product = np.full(1, weight)
        for table in mdp.rho.marginals:
            product = np.multiply.outer(product, table[c]).ravel()
        total += product
    return total


@njit(cache=True, error_model="numpy")
def close_loop(plan, policy, policy_offset, actions):
    """P(rank' | row, c) of every agent under a flat policy.

    Holds, by agent, row, rank' >= 1 and c, the probability twice: once for each quantity of a state.
    """
    width = 2 * plan.components
    kernel = np.empty(plan.inner_size)
    for i in range(len(actions)):
        others = plan.choices[i] - 1
        for r in range(plan.rows[i]):
            for c in range(plan.components):
                at = plan.local[i, c] + r
                p = policy_offset[i] + plan.policy_row[at] * actions[i]
                m = plan.model_offset[i] + plan.model_row[at] * actions[i] * others
                to = plan.inner_offset[i] + r * others * width + 2 * c
                for v in range(others):
                    total = 0.0
                    for a in range(actions[i]):
                        total += policy[p + a] * plan.model[m + a * others + v]
                    kernel[to + v * width], kernel[to + v * width + 1] = total, total
    return kernel


@njit(cache=True, error_model="numpy")
def stage_sums(plan, stage, offset, first, last):
    """Sum over the agents first..last - 1 of two quantities per policy row, at every joint state.

    Args:
        stage: shape (rows of all agents' policy tables, 2); `offset` (n,) is where each agent's rows begin.
    """
    width = 2 * plan.components
    begin = np.zeros(last - first + 1, dtype=np.int64)
    begin[1:] = np.cumsum(plan.rows[first:last])
    own = np.empty((begin[-1], width))
    for i in range(first, last):
        for r in range(plan.rows[i]):
            to = begin[i - first] + r
            for c in range(plan.components):
                row = offset[i] + plan.policy_row[plan.local[i, c] + r]
                own[to, 2 * c], own[to, 2 * c + 1] = stage[row, 0], stage[row, 1]
    result = np.zeros(plan.ranks * width)
    for y in range(plan.ranks):
        for i in range(first, last):
            r = begin[i - first] + plan.row[i, y]
            for x in range(width):
                result[y * width + x] += own[r, x]
    return result


@njit(cache=True, error_model="numpy")
def _apply(plan, values, outer_kernel, kernel, gamma, first, second, result):
    """values - gamma E[values(s') | s] for every joint state s, two quantities each, into `result`."""
    if len(plan.outer.size) > 0:
        average_component(plan, outer_kernel, values, result, first, second)
    else:
        result[: len(values)] = values
    if len(plan.inner.size) > 0:
        _average_ranks(plan, kernel, values, gamma, result, first, second)
    else:
        for x in range(len(values)):
            result[x] = values[x] - gamma * result[x]


@njit(error_model="numpy")
def average_component(plan, kernel, values, result, first, second):
    """Over c' for each y', a block of y' at a time; a block is transposed so that c' is slowest."""
    width, most = 2 * plan.components, plan.blocks[0]
    ranks = len(values) // width
    for begin in range(0, ranks, most):
        block = min(most, ranks - begin)
        for strip in range(0, plan.components, 8):  # a cache line or two at a time
            for y in range(block):
                for c in range(strip, min(strip + 8, plan.components)):
                    to, at = 2 * (c * block + y), (begin + y) * width + 2 * c
                    first[np.uint64(to)], first[np.uint64(to + 1)] = values[np.uint64(at)], values[np.uint64(at + 1)]
        found = average(plan.outer, kernel, plan.outer_offset, 1, 2 * block, False, first, second)
        for strip in range(0, plan.components, 8):
            for y in range(block):
                for c in range(strip, min(strip + 8, plan.components)):
                    at, to = 2 * (c * block + y), (begin + y) * width + 2 * c
                    result[np.uint64(to)], result[np.uint64(to + 1)] = found[np.uint64(at)], found[np.uint64(at + 1)]


@njit(error_model="numpy")
def _average_ranks(plan, kernel, values, gamma, result, first, second):
    """values - gamma times what is in `result` averaged over y' for each c, a block of c at a time."""
    width, most = 2 * plan.components, 2 * plan.blocks[1]
    ranks = len(values) // width
    for begin in range(0, width, most):
        block = min(most, width - begin)
        for y in range(ranks):
            for x in range(block):
                first[np.uint64(y * block + x)] = result[np.uint64(y * width + begin + x)]
        found = average(plan.inner, kernel, plan.inner_offset + begin, width, block, block > 2, first, second)
        for y in range(ranks):
            for x in range(block):
                at = np.uint64(y * width + begin + x)
                result[at] = values[at] - gamma * found[np.uint64(y * block + x)]
