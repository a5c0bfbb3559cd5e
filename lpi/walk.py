"""One trajectory under a policy, and the tables that compiled walks read, laid out so that a step touches little memory.

The index of a neighbourhood comes from prefixes: prefix[k] is the mixed-radix number of the agents 0..k-1, modulo 2^64.
That of consecutive agents first..last-1 is prefix[last] - prefix[first] * (joint values of first..last-1), exactly, since it
is below 2^64 itself.  A neighbourhood is a few such runs, on a line a single one, whatever kappa.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lpi.kernels import njit
from lpi.mdp import ModelTables
from lpi.network import LocalIndex
from lpi.uniforms import fill

RUN_FIELDS = ("first", "last", "below", "stride")
RUN = np.dtype([(name, np.uint64) for name in RUN_FIELDS])
"""Consecutive agents, their number of joint values, and the stride of their index in that of the neighbourhood."""

INDEX = np.dtype([(name, np.uint64) for name in (*RUN_FIELDS, "further", "end")])
"""Of a neighbourhood: its first run, and where its further ones are."""

AGENT = np.dtype(
    [(name, np.uint64) for name in ("values", "actions", "start", "next", "policy", "width", "q", "joint")]
    + [(name, INDEX) for name in ("near", "row", "states", "choice")]
)
"""|S_i|, |A_i|; where rho, the transitions, the policy and Q begin, the width of a row of the last two; the indices of
s_{N_i}, s_{N_i^kappa}, s_{N_i^beta} and a_{N_i^beta}."""

PLACE = np.dtype([(name, np.uint64) for name in ("near", "states", "action")])
"""Indices of s_{N_i} and s_{N_i^beta}, a_i."""


class Walker(NamedTuple):
    """All that a walk reads."""

    agents: np.ndarray  # (n,) AGENT
    runs: np.ndarray  # RUN, the further runs of all neighbourhoods
    cumulative: np.ndarray  # cumulative rows of transitions, then of rho
    policy: np.ndarray  # `_policy_table`
    rho_weights: np.ndarray  # (components,) cumulative
    component_width: int  # numbers between the components of rho
    row_is_near: bool  # N_i^kappa is N_i
    row_is_states: bool  # N_i^kappa is N_i^beta


class Record(NamedTuple):
    """What is learned from: after a row of initial states one row a step, by row, agent and lane.

    Lanes are trajectories.
    """

    entry: np.ndarray  # uint64: that of (s, a)_{N_i^beta} in the Q tables
    reward: np.ndarray  # float64: r_hat_i


def record(rows: int, agents: int, pitch: int) -> Record:
    """Room for so many rows; `pitch` numbers from one agent to the next."""
    return Record(np.empty(rows * agents * pitch, np.uint64), np.empty(rows * agents * pitch))


def walker(
    model: ModelTables, policy: np.ndarray, index: LocalIndex, bonus: np.ndarray, states: LocalIndex, actions: LocalIndex,
    q_offset: np.ndarray,
) -> Walker:  # fmt: skip
    """Of a flat policy with its index; `bonus` as in `_policy_table`, `states`, `actions` and `q_offset` of the Q tables."""
    agents, runs, cumulative = _agents_table(model, index, states, actions, q_offset)
    return Walker(
        agents, runs, cumulative, _policy_table(model, policy, index, bonus), model.rho_weights,
        len(agents) * model.rho_marginals.shape[2], _same(index, model.neighbours), _same(index, states),
    )  # fmt: skip


def _same(one: LocalIndex, other: LocalIndex) -> bool:
    """Whether two indices of the same local values are over the same neighbourhoods."""
    return np.array_equal(one.start, other.start) and np.array_equal(one.members, other.members)


def _agents_table(model: ModelTables, index: LocalIndex, states: LocalIndex, actions: LocalIndex, q_offset: np.ndarray):
    """Records of all agents (AGENT), of all further runs (RUN), and the cumulative rows of transitions, then of rho."""
    agents, runs, used = np.zeros(len(model.actions), AGENT), [], 0
    for name, found, values in (
        ("near", model.neighbours, model.states),
        ("row", index, model.states),
        ("states", states, model.states),
        ("choice", actions, model.actions),
    ):
        start, table = _runs(found, values)
        for field in RUN_FIELDS:
            agents[name][field] = table[field][start[:-1]]
        agents[name]["further"], agents[name]["end"] = used + start[:-1] + 1, used + start[1:]
        runs.append(table)
        used += len(table)
    agents["values"], agents["actions"] = model.states, model.actions
    agents["next"] = model.cumulative_offset
    agents["start"] = len(model.cumulative) + np.arange(len(agents)) * model.rho_marginals.shape[2]
    width = 2 * model.actions - 1
    agents["policy"], agents["width"] = np.cumsum(index.size * width) - index.size * width, width
    agents["q"], agents["joint"] = q_offset[:-1], actions.size
    return agents, np.concatenate(runs), np.concatenate((model.cumulative, model.rho_marginals.ravel()))


def _runs(index: LocalIndex, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each agent's runs begin, (n + 1,), and the runs."""
    begins = np.append(True, np.diff(index.members) != 1)
    begins[index.start[:-1]] = True
    first, last = np.flatnonzero(begins), np.flatnonzero(np.append(begins[1:], True))
    runs = np.zeros(len(first), RUN)
    runs["first"], runs["last"], runs["stride"] = index.members[first], index.members[last] + 1, index.strides[last]
    runs["below"] = index.strides[first] * values[index.members[first]] // index.strides[last]
    return np.concatenate(([0], np.cumsum(begins)))[index.start], runs


def _policy_table(model: ModelTables, policy: np.ndarray, index: LocalIndex, bonus: np.ndarray) -> np.ndarray:
    """By agent and row of a flat policy: its cumulative probabilities but the last, then r_hat_i of each action.

    `bonus` is n tau times the policy's entropy per row (line 2 of Algorithm 2).
    """
    table = np.empty(int((index.size * (2 * model.actions - 1)).sum()))
    own = index.members == np.repeat(np.arange(len(index.size)), np.diff(index.start))
    _fill_policy(model, policy, index, index.strides[own], bonus, table)
    return table


@njit(cache=True)
def _fill_policy(model, policy, index, own_stride, bonus, table):
    at, to, row = 0, 0, 0
    for i in range(len(own_stride)):
        choices = model.actions[i]
        for r in range(index.size[i]):
            total = 0.0
            for a in range(choices - 1):
                total += policy[at + a]
                table[to + a] = total
            rewards = model.rewards_offset[i] + r // own_stride[i] % model.states[i] * choices
            for a in range(choices):
                table[to + choices - 1 + a] = model.rewards[rewards + a] + bonus[row]
            at += choices
            to += 2 * choices - 1
            row += 1


@njit(inline="always")
def index_of(window, runs, prefix):
    """Index of a neighbourhood's values (INDEX)."""
    index = prefix[window.last] - prefix[window.first] * window.below
    if window.further < window.end:
        index *= window.stride
        for p in range(window.further, window.end):
            index += (prefix[runs[p].last] - prefix[runs[p].first] * runs[p].below) * runs[p].stride
    return index


@njit(inline="always")
def chosen(uniform, cumulative, at, others):
    """The value that a uniform number stands for; others + 1 values, whose cumulative probabilities begin at `at`.

    No branch depends on the draw: mispredictions cost more than comparisons.  A loop of one or three rounds would, too.
    """
    one = np.uint64(1)
    if others == one:
        return np.uint64(uniform >= cumulative[at])
    value = np.uint64(0)
    if others == np.uint64(3):
        value += np.uint64(uniform >= cumulative[at])
        value += np.uint64(uniform >= cumulative[at + one])
        value += np.uint64(uniform >= cumulative[at + np.uint64(2)])
        return value
    for _ in range(others):
        value += np.uint64(uniform >= cumulative[at])
        at += one
    return value


@njit(inline="always")
def component_of(walker, uniform):
    """The component of rho, as where its numbers begin."""
    component = 0
    while component < len(walker.rho_weights) - 1 and uniform >= walker.rho_weights[component]:
        component += 1
    return np.uint64(component * walker.component_width)


@njit(cache=True, error_model="numpy")
def walk(walker, place, numbers, draws, draw, start, steps, record):
    """From the draw of an initial state, or from `place`, so many steps; the rows written are 0 or 1 to `steps`.

    Returns the place in `draws` of the next draw.  All in one function, since what a call costs is seen.
    """
    agents, runs, cumulative, policy = walker.agents, walker.runs, walker.cumulative, walker.policy
    n, one = len(agents), np.uint64(1)
    state, action = np.zeros(n + 1, np.uint64), np.zeros(n + 1, np.uint64)  # prefixes
    end, skipped, to = np.uint64(len(draws)), np.uint64(0), np.uint64(0 if start else n)
    if start and len(walker.rho_weights) > 1:
        if draw == end:
            fill(numbers, draws)
            draw = np.uint64(0)
        skipped = component_of(walker, draws[draw])
        draw += np.uint64(2 * n)
    for step in range(0 if start else 1, steps + 1):
        if draw == end:
            fill(numbers, draws)
            draw = np.uint64(0)
        prefix = np.uint64(0)
        for k in range(n):
            i = np.uint64(k)
            agent, here = agents[i], place[i]
            others = agent.values - one
            at = skipped + agent.start if step == 0 else agent.next + (here.near * agent.actions + here.action) * others
            prefix = prefix * agent.values + chosen(draws[draw], cumulative, at, others)
            state[i + one] = prefix
            draw += one
        prefix = np.uint64(0)
        for k in range(n):
            i = np.uint64(k)
            agent, here = agents[i], place[i]
            row = index_of(agent.row, runs, state)
            at, others = agent.policy + row * agent.width, agent.actions - one
            value = chosen(draws[draw], policy, at, others)
            here.action, record.reward[to + i] = value, policy[at + others + value]
            prefix = prefix * agent.actions + value
            action[i + one] = prefix
            here.near = row if walker.row_is_near else index_of(agent.near, runs, state)
            here.states = row if walker.row_is_states else index_of(agent.states, runs, state)
            draw += one
        for k in range(n):
            i = np.uint64(k)
            agent = agents[i]
            record.entry[to] = agent.q + place[i].states * agent.joint + index_of(agent.choice, runs, action)
            to += one
    return draw
