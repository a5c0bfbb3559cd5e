"""Algorithm 2: beta-hop localized TD(0), on trajectories that are simulated as they are learned from.

Randomness comes in rows of 2n uniform numbers, filled by an explicit `numpy.random.Generator`:

* at the start of an episode, one row for the component of rho (its first number), only if rho has several; then one
  row for the initial local states (first half) and the actions taken in them (second half), in the order of the agents;
* at every step, one row for the next local states (first half) and the next actions (second half).

So a run consumes the same numbers whatever the size of the blocks they are drawn in.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from lpi.elementary import exponentials, log, logarithms
from lpi.mdp import ModelTables, NetworkedMDP
from lpi.network import LocalIndex, local_index

_ROWS = 2048  # rows of uniforms drawn at a time: enough to hide the call, small enough for the cache


class QTables(NamedTuple):
    """Truncated local Q functions of all agents, flat, with what the update needs to find its entry.

    Agent i's entry for (s_{N_i^beta}, a_{N_i^beta}) is at ``offset[i] + state index * action size[i] + action index``.
    """

    values: np.ndarray  # float64
    offset: np.ndarray  # (n + 1,) int64
    states: LocalIndex  # over s_{N_i^beta}
    actions: LocalIndex  # over a_{N_i^beta}
    visited: np.ndarray  # uint8, one per entry: ever updated
    visits: np.ndarray  # uint32, one per entry: updates since its start value; none where no step size asks for it


class Walk(NamedTuple):
    """Where the simulation stands between two blocks of uniform numbers."""

    state: np.ndarray  # (n,) int64, s(t)
    action: np.ndarray  # (n,) int64, a(t)
    row: np.ndarray  # (n,) int64, index of s_{N_i^kappa}(t) in the policy table
    entry: np.ndarray  # (n,) int64, index of (s, a)_{N_i^beta}(t) in the Q tables
    reward: np.ndarray  # (n,) float64, r_hat_i(t)
    counters: np.ndarray  # (3,) int64: updates done, steps in this episode (-1: start a new one), component + 1
    error: np.ndarray  # (1,) float64, sum of |TD error| over agents and updates


def q_tables(mdp: NetworkedMDP, beta: int, start: float, count: bool = False) -> QTables:
    """Q tables of every agent's beta-hop neighbourhood, all entries at `start`, none visited; `count` counts visits."""
    neighbourhoods = mdp.network.neighbourhoods(beta)
    states = local_index(neighbourhoods, mdp.states)
    actions = local_index(neighbourhoods, mdp.actions)
    offset = np.concatenate(([0], np.cumsum(states.size * actions.size)))
    visits = np.zeros(offset[-1] if count else 0, dtype=np.uint32)
    return QTables(np.full(offset[-1], start), offset, states, actions, np.zeros(offset[-1], dtype=np.uint8), visits)


def visit_steps(power: float, smallest: float) -> np.ndarray:
    """Step size max(N^-power, smallest) of an entry's N-th update, N = 1, 2, ...; the last holds from there on."""
    most = 2
    while most**-power > smallest:
        most *= 2
    steps = exponentials(-power * logarithms(np.arange(1.0, most + 1)))
    return np.append(steps[steps > smallest], smallest)


def entropies(policy: np.ndarray, index: LocalIndex, actions: np.ndarray) -> np.ndarray:
    """-E_{a ~ zeta_i(.|s)} log zeta_i(a|s) for each agent and row of its flat policy table, nats; 0 log 0 = 0."""
    return _entropies(policy, index.size, actions)


def localized_td(
    model: ModelTables,
    q: QTables,
    policy: np.ndarray,
    policy_states: LocalIndex,
    bonus: np.ndarray,
    updates: int,
    episode_length: int,
    reward_at: str,
    step_size,
    rng: np.random.Generator,
) -> float:
    """Lines 2-5 of Algorithm 2 for every agent at once, in place on `q`; returns the mean |TD error|.

    Line 6 subtracts a function of s alone from what is returned here; see `lpi.improvement` for why it may wait.

    Args:
        model: `NetworkedMDP.tables()`.
        q: tables to update; they hold the start value of line 1 on entry.
        policy: flat kappa-hop policy; `policy_states` its index.
        bonus: n tau times the policy's entropy per row (line 2), flat, one entry per row of all agents.
        updates: T, the number of TD updates of each agent.
        episode_length: updates between two draws from rho; `updates` for one trajectory.
        reward_at: "arrival", r_hat(t) as line 4 is printed, or "departure", r_hat(t - 1) as (6) defines Q.
        step_size: (alpha, None) for a constant step, (H, t0) for H / (t + t0), t = 0, 1, ... (Theorem 5), or the array
            of `visit_steps`; the tables must count visits for the latter.
        rng: source of every random number.
    """
    n = len(model.actions)
    integers = [np.zeros(n, dtype=np.int64) for _ in range(4)]
    walk = Walk(*integers, np.zeros(n), np.array([0, -1, 0]), np.zeros(1))
    per_visit = isinstance(step_size, np.ndarray)
    steps = step_size if per_visit else np.empty(0)
    scale, shift = (0.0, None) if per_visit else step_size
    starts = -(-updates // episode_length) * (1 + (len(model.rho_weights) > 1))
    thresholds, offsets = action_thresholds(policy, policy_states, model.actions)
    for rows in _blocks(updates + starts):
        _td_block(
            model, q, thresholds, offsets, policy_states, bonus, walk, rng.random((rows, 2 * n)), updates, episode_length,
            reward_at == "arrival", scale, -1.0 if shift is None else float(shift), steps,
        )  # fmt: skip
    return float(walk.error[0]) / (n * updates)


def _blocks(rows: int):
    """Sizes of at most _ROWS that add up to `rows`, so that no random number is drawn and thrown away."""
    while rows > 0:
        yield min(rows, _ROWS)
        rows -= _ROWS


def policy_row_offsets(index: LocalIndex, actions: np.ndarray) -> np.ndarray:
    """Where each agent's block begins in a flat policy, shape (n,)."""
    return np.concatenate(([0], np.cumsum(index.size * actions)[:-1]))


def action_thresholds(policy: np.ndarray, index: LocalIndex, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative probabilities of a flat policy but each row's last, and where each agent's rows begin."""
    thresholds = np.empty(int((index.size * (actions - 1)).sum()))
    _accumulate(policy, index.size, actions, thresholds)
    return thresholds, policy_row_offsets(index, actions - 1)


@njit(cache=True)
def _accumulate(policy, rows, actions, thresholds):
    at = 0
    to = 0
    for i in range(len(actions)):
        for _ in range(rows[i]):
            total = 0.0
            for _ in range(actions[i] - 1):
                total += policy[at]
                thresholds[to] = total
                at += 1
                to += 1
            at += 1


@njit(cache=True)
def _entropies(policy, rows, actions):
    result = np.empty(rows.sum())
    at = 0
    row = 0
    for i in range(len(actions)):
        for _ in range(rows[i]):
            total = 0.0
            for _ in range(actions[i]):
                p = policy[at]
                if p > 0.0:
                    total -= p * log(p)
                at += 1
            result[row] = total
            row += 1
    return result


@njit(inline="always")
def draw_initial(model, uniforms, component, state):
    """s_i ~ rho's component, one uniform number per agent."""
    for i in range(len(state)):
        value = 0
        for k in range(model.states[i] - 1):
            value += uniforms[i] >= model.rho_marginals[component, i, k]
        state[i] = value


@njit(inline="always")
def draw_component(model, uniform):
    """The component of rho."""
    component = 0
    while component < len(model.rho_weights) - 1 and uniform >= model.rho_weights[component]:
        component += 1
    return component


@njit(inline="always")
def draw_next(model, uniforms, state, action, target):
    """s_i' ~ P_i(. | s_{N_i}, a_i), eq. (1), one uniform number per agent."""
    start, members, strides = model.neighbours.start, model.neighbours.members, model.neighbours.strides
    for i in range(len(state)):
        index = 0
        for p in range(start[i], start[i + 1]):
            index += state[members[p]] * strides[p]
        width = model.states[i] - 1
        at = model.cumulative_offset[i] + (index * model.actions[i] + action[i]) * width
        value = 0
        for k in range(width):
            value += uniforms[i] >= model.cumulative[np.uint64(at + k)]
        target[i] = value


@njit(inline="always")
def draw_actions(model, thresholds, offsets, index, uniforms, state, row, action):
    """a_i ~ zeta_i(. | s_{N_i^kappa}), one uniform number per agent; the policy's rows are left in `row`.

    No branch depends on the draw: mispredictions cost more than the comparison itself.
    """
    n = len(state)
    for i in range(n):
        r = 0
        for p in range(index.start[i], index.start[i + 1]):
            r += state[index.members[p]] * index.strides[p]
        row[i] = r
        width = model.actions[i] - 1
        at = offsets[i] + r * width
        value = 0
        for k in range(width):
            value += uniforms[n + i] >= thresholds[np.uint64(at + k)]
        action[i] = value


@njit(inline="always")
def _entry(q, i, state, action):
    """Where agent i's Q table holds (s, a)_{N_i^beta}."""
    s = 0
    a = 0
    for p in range(q.states.start[i], q.states.start[i + 1]):
        j = q.states.members[p]
        s += state[j] * q.states.strides[p]
        a += action[j] * q.actions.strides[p]
    return q.offset[i] + s * q.actions.size[i] + a


@njit(inline="always")
def _regularized_reward(model, i, state, action, row, index, bonus):
    """r_hat_i of line 2 of Algorithm 2."""
    own = model.rewards[model.rewards_offset[i] + state[i] * model.actions[i] + action[i]]
    return own + bonus[index.offset[i] + row[i]]


@njit(cache=True)
def _td_block(
    model, q, thresholds, offsets, index, bonus, walk, uniforms, updates, episode_length, arrival, scale, shift, steps
):  # fmt: skip
    n = len(model.actions)
    state, action, row, entry, reward = walk.state, walk.action, walk.row, walk.entry, walk.reward
    done, step, component = walk.counters[0], walk.counters[1], walk.counters[2]
    next_state = np.empty_like(state)
    error = walk.error[0]
    alpha = scale
    for block in range(len(uniforms)):
        if done == updates:
            break
        draws = uniforms[block]
        if step < 0:
            if component == 0 and len(model.rho_weights) > 1:
                component = draw_component(model, draws[0]) + 1
                continue
            draw_initial(model, draws, max(component - 1, 0), state)
            component = 0
            draw_actions(model, thresholds, offsets, index, draws, state, row, action)
            for i in range(n):
                entry[i] = _entry(q, i, state, action)
                reward[i] = _regularized_reward(model, i, state, action, row, index, bonus)
            step = 0
            continue
        draw_next(model, draws, state, action, next_state)
        state[:] = next_state
        draw_actions(model, thresholds, offsets, index, draws, state, row, action)
        if shift >= 0.0:
            alpha = scale / (done + shift)
        for i in range(n):
            next_entry = _entry(q, i, state, action)
            arriving = _regularized_reward(model, i, state, action, row, index, bonus)
            observed = arriving if arrival else reward[i]
            target = observed + model.gamma * q.values[np.uint64(next_entry)]
            at = np.uint64(entry[i])
            old = q.values[at]
            error += abs(target - old)
            if len(steps) > 0:
                count = min(np.int64(q.visits[at]), len(steps) - 1)
                alpha = steps[np.uint64(count)]
                q.visits[at] = count + 1
            q.values[at] = (1.0 - alpha) * old + alpha * target
            q.visited[at] = 1
            entry[i] = next_entry
            reward[i] = arriving
        done += 1
        step += 1
        if step == episode_length:
            step = -1
    walk.counters[0], walk.counters[1], walk.counters[2] = done, step, component
    walk.error[0] = error
