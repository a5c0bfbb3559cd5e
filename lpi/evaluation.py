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
from lpi.uniforms import LANES, advance, fill, stream
from lpi.walk import PLACE, agents_table, chosen, index_of, policy_table

_ROWS = 256  # rows of uniforms drawn at a time, at most
_NUMBERS = 4096  # uniforms drawn at a time, or a few rows: 32 kB stay in the cache


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
    per_visit = isinstance(step_size, np.ndarray)
    steps = step_size if per_visit else np.empty(0)
    scale, shift = (0.0, None) if per_visit else step_size
    agents, runs, cumulative = agents_table(model, policy_states, q.states, q.actions, q.offset)
    error = _td(
        model, agents, runs, cumulative, policy_table(model, policy, policy_states, bonus), q,
        _same(policy_states, model.neighbours), _same(policy_states, q.states), stream(rng), _buffer(n), updates,
        episode_length, reward_at == "arrival", scale, -1.0 if shift is None else float(shift), steps,
    )  # fmt: skip
    starts = -(-updates // episode_length) * (1 + (len(model.rho_weights) > 1))
    advance(rng, (updates + starts) * 2 * n)
    return error / (n * updates)


def _buffer(agents: int) -> np.ndarray:
    """For whole rows of uniforms, as many as make a multiple of LANES numbers."""
    rows, together = min(_ROWS, _NUMBERS // (2 * agents)), LANES // 2
    return np.empty(max(together, rows - rows % together) * 2 * agents)


def _same(one: LocalIndex, other: LocalIndex) -> bool:
    """Whether two indices of the same local values are over the same neighbourhoods."""
    return np.array_equal(one.start, other.start) and np.array_equal(one.members, other.members)


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
def _visit(q, at, steps):
    """Counts a visit of an entry; returns its step size."""
    count = min(np.int64(q.visits[at]), len(steps) - 1)
    q.visits[at] = count + 1
    return steps[np.uint64(count)]


@njit(cache=True, error_model="numpy")
def _td(
    model, agents, runs, cumulative, policy, q, row_is_near, row_is_states, numbers, draws, updates, episode_length, arrival,
    scale, shift, steps,
):  # fmt: skip
    """Returns the sum of |TD error|.  Names and layouts: `lpi.walk`; all in one loop, since what a call costs is seen."""
    n, one = len(agents), np.uint64(1)
    place = np.zeros(n, PLACE)
    state, action = np.zeros(n + 1, np.uint64), np.zeros(n + 1, np.uint64)  # prefixes
    draw, end = np.uint64(len(draws)), np.uint64(len(draws))
    done, step, component, error, alpha = 0, -1, -1, 0.0, scale
    while done < updates:
        if draw == end:
            fill(numbers, draws)
            draw = np.uint64(0)
        if step < 0 and component < 0:
            component = 0
            if len(model.rho_weights) > 1:
                component = draw_component(model, draws[draw])
                draw += np.uint64(2 * n)
                continue
        skipped = np.uint64(component * n * model.rho_marginals.shape[2])
        prefix = np.uint64(0)
        for k in range(n):
            i = np.uint64(k)
            agent, here = agents[i], place[i]
            others = agent.values - one
            at = skipped + agent.start if step < 0 else agent.next + (here.near * agent.actions + here.action) * others
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
            here.action, here.arriving = value, policy[at + others + value]
            prefix = prefix * agent.actions + value
            action[i + one] = prefix
            here.near = row if row_is_near else index_of(agent.near, runs, state)
            here.states = row if row_is_states else index_of(agent.states, runs, state)
            draw += one
        if shift >= 0.0:
            alpha = scale / (done + shift)
        for k in range(n):
            i = np.uint64(k)
            agent, here = agents[i], place[i]
            entry, at = agent.q + here.states * agent.joint + index_of(agent.choice, runs, action), here.entry
            if step >= 0:
                target = (here.arriving if arrival else here.departing) + model.gamma * q.values[entry]
                old = q.values[at]
                error += abs(target - old)
                if len(steps) > 0:
                    alpha = _visit(q, at, steps)
                q.values[at] = (1.0 - alpha) * old + alpha * target
                q.visited[at] = 1
            here.entry, here.departing = entry, here.arriving
        done += step >= 0
        step += 1
        if step == episode_length:
            step, component = -1, -1
    return error
