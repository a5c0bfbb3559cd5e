"""Episodes walked side by side: within an outer loop the policy stays, so that only learning from them has an order.

A lane is an episode, with its own place in the stream of random numbers.  Lanes do not wait for each other's draws and
share vectors; what belongs to an agent is read once for all of them.  Arrays have the layout (agents, LANES).
"""

from __future__ import annotations

import numpy as np

from lpi.kernels import njit
from lpi.memory import EPISODES_PITCH
from lpi.uniforms import LANES, fill
from lpi.walk import component_of


@njit(cache=True, error_model="numpy")
def walk_together(walker, numbers, rows, record):
    """LANES episodes of so many rows, those of rho's components not counted; `record` has the pitch EPISODES_PITCH."""
    agents, runs = walker.agents, walker.runs
    n, lanes, one = len(agents), np.uint64(LANES), np.uint64(1)
    skipped, at, value = np.zeros(LANES, np.uint64), np.zeros(LANES, np.uint64), np.zeros(LANES, np.uint64)
    state, action = np.zeros((n + 1) * LANES, np.uint64), np.zeros((n + 1) * LANES, np.uint64)  # prefixes
    row, taken = np.zeros(n * LANES, np.uint64), np.zeros(n * LANES, np.uint64)
    near = row if walker.row_is_near else np.zeros(n * LANES, np.uint64)
    states = row if walker.row_is_states else np.zeros(n * LANES, np.uint64)
    draws = np.empty(n * LANES)
    if len(walker.rho_weights) > 1:
        fill(numbers, draws)
        for e in range(LANES):
            skipped[e] = component_of(walker, draws[e])
        fill(numbers, draws)
    for step in range(rows):
        fill(numbers, draws)
        for k in range(n):
            agent, begin = agents[k], np.uint64(k) * lanes
            values, others, actions, start = agent.values, agent.values - one, agent.actions, agent.next
            if step == 0:
                at[:] = skipped
                at += agent.start
            else:
                for e in range(LANES):
                    lane = np.uint64(e)
                    at[lane] = start + (near[begin + lane] * actions + taken[begin + lane]) * others
            _choose(draws, begin, walker.cumulative, at, others, value, np.uint64(0))
            for e in range(LANES):
                lane = np.uint64(e)
                state[begin + lanes + lane] = state[begin + lane] * values + value[lane]
        fill(numbers, draws)
        for k in range(n):
            agent, begin = agents[k], np.uint64(k) * lanes
            to, actions = np.uint64((step * n + k) * EPISODES_PITCH), agent.actions
            _index(agent.row, runs, state, row, begin)
            _act(agent, walker.policy, draws, row, begin, at, taken, record.reward, to)
            for e in range(LANES):
                lane = np.uint64(e)
                action[begin + lanes + lane] = action[begin + lane] * actions + taken[begin + lane]
            if not walker.row_is_near:
                _index(agent.near, runs, state, near, begin)
            if not walker.row_is_states:
                _index(agent.states, runs, state, states, begin)
        for k in range(n):
            agent, begin, to = agents[k], np.uint64(k) * lanes, np.uint64((step * n + k) * EPISODES_PITCH)
            _index(agent.choice, runs, action, record.entry, to)
            start, joint = agent.q, agent.joint
            for e in range(LANES):
                lane = np.uint64(e)
                record.entry[to + lane] += start + states[begin + lane] * joint


@njit(inline="always")
def _act(agent, policy, draws, row, begin, at, taken, reward, to):
    """Actions and r_hat of an agent."""
    start, width, others = agent.policy, agent.width, agent.actions - np.uint64(1)
    for e in range(LANES):
        lane = np.uint64(e)
        at[lane] = start + row[begin + lane] * width
    _choose(draws, begin, policy, at, others, taken, begin)
    for e in range(LANES):
        lane = np.uint64(e)
        reward[to + lane] = policy[at[lane] + others + taken[begin + lane]]


@njit(inline="always")
def _choose(draws, begin, cumulative, at, others, value, to):
    """`lpi.walk.chosen` in each lane."""
    one, two = np.uint64(1), np.uint64(2)
    if others == one:
        for e in range(LANES):
            lane = np.uint64(e)
            value[to + lane] = np.uint64(draws[begin + lane] >= cumulative[at[lane]])
    elif others == np.uint64(3):
        for e in range(LANES):
            lane = np.uint64(e)
            uniform, first = draws[begin + lane], at[lane]
            found = np.uint64(uniform >= cumulative[first]) + np.uint64(uniform >= cumulative[first + one])
            value[to + lane] = found + np.uint64(uniform >= cumulative[first + two])
    else:
        for e in range(LANES):
            lane = np.uint64(e)
            uniform, first, found = draws[begin + lane], at[lane], np.uint64(0)
            for k in range(others):
                found += np.uint64(uniform >= cumulative[first + np.uint64(k)])
            value[to + lane] = found


@njit(inline="always")
def _index(window, runs, prefix, result, begin):
    """`lpi.walk.index_of` in each lane."""
    lanes = np.uint64(LANES)
    first, last, below, stride = window.first * lanes, window.last * lanes, window.below, window.stride
    for e in range(LANES):
        lane = np.uint64(e)
        result[begin + lane] = prefix[last + lane] - prefix[first + lane] * below
    if window.further < window.end:
        for e in range(LANES):
            result[begin + np.uint64(e)] *= stride
        for p in range(window.further, window.end):
            first, last, below, stride = runs[p].first * lanes, runs[p].last * lanes, runs[p].below, runs[p].stride
            for e in range(LANES):
                lane = np.uint64(e)
                result[begin + lane] += (prefix[last + lane] - prefix[first + lane] * below) * stride
