"""Algorithm 2: beta-hop localized TD(0), on trajectories that are simulated a piece at a time before they are learned from.

Randomness comes in rows of 2n uniform numbers, filled by an explicit `numpy.random.Generator`:

* at the start of an episode, one row for the component of rho (its first number), only if rho has several; then one
  row for the initial local states (first half) and the actions taken in them (second half), in the order of the agents;
* at every step, one row for the next local states (first half) and the next actions (second half).

So a run consumes the same numbers whatever the size of the blocks they are drawn in, and whether episodes are walked one
after another or side by side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lpi.elementary import exponentials, log, logarithms
from lpi.kernels import njit
from lpi.lanes import walk_together
from lpi.mdp import ModelTables, NetworkedMDP
from lpi.memory import EPISODES_BYTES, EPISODES_PITCH, episodes_bytes
from lpi.network import LocalIndex, local_index
from lpi.uniforms import LANES, advance, fill, stream, streams
from lpi.walk import PLACE, record, walk, walker

_ROWS = 256  # rows of uniforms drawn, or of a trajectory learned from, at a time, at most
_NUMBERS = 4096  # uniforms drawn at a time, or a few rows: 32 kB stay in the cache
_FEWEST = 32  # episodes that are worth walking side by side, where LANES of them are walked whatever their number


class Rule(NamedTuple):
    """Of an update."""

    arrival: bool
    scale: float  # alpha, or H
    shift: float  # t0; negative for a constant step
    steps: np.ndarray  # by number of visits; empty where they are not counted


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
    scale, shift = (0.0, None) if per_visit else step_size
    rule = Rule(
        reward_at == "arrival", scale, -1.0 if shift is None else float(shift), step_size if per_visit else np.empty(0)
    )
    found = walker(model, policy, policy_states, bonus, q.states, q.actions, q.offset)
    episodes, first_rows = -(-updates // episode_length), 1 + (len(model.rho_weights) > 1)
    if episodes >= _FEWEST and episodes_bytes(n, episode_length) <= EPISODES_BYTES:
        numbers, leap = streams(rng, (episode_length + first_rows) * 2 * n)
        room = record(episode_length + 1, n, EPISODES_PITCH)
        error = _learn_together(found, q, model.gamma, rule, numbers, leap, updates, episode_length, room)
    else:
        room = record(min(_ROWS, -(-_NUMBERS // n), episode_length) + 1, n, 1)
        error = _learn_alone(found, q, model.gamma, rule, stream(rng), _buffer(n), updates, episode_length, room)
    advance(rng, (updates + episodes * first_rows) * 2 * n)
    return error / (n * updates)


def _buffer(agents: int) -> np.ndarray:
    """For whole rows of uniforms, as many as make a multiple of LANES numbers."""
    rows, together = min(_ROWS, _NUMBERS // (2 * agents)), LANES // 2
    return np.empty(max(together, rows - rows % together) * 2 * agents)


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


@njit(cache=True, error_model="numpy")
def _entropies(policy, rows, actions):
    terms = np.empty_like(policy)
    for k in range(len(policy)):
        p = policy[k]
        terms[k] = p * log(p) if p > 0.0 else 0.0
    result = np.empty(rows.sum())
    at = 0
    row = 0
    for i in range(len(actions)):
        for _ in range(rows[i]):
            total = 0.0
            for _ in range(actions[i]):
                total -= terms[np.uint64(at)]
                at += 1
            result[row] = total
            row += 1
    return result


# Not those of lpi/walk.py, which give the same numbers: they pack states for TD and keep none that a caller could read.
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


@njit(cache=True, error_model="numpy")
def _learn_together(walker, q, gamma, rule, numbers, leap, updates, episode_length, record):
    """Returns the sum of |TD error|."""
    n, done, error, thrown = len(walker.agents), 0, 0.0, np.empty(LANES)
    while done < updates:
        walk_together(walker, numbers, episode_length + 1, record)
        fill(leap, thrown)
        for lane in range(LANES):
            steps = min(episode_length, updates - done)
            error = _learn(q, gamma, rule, n, record, EPISODES_PITCH, lane, done, steps, error)
            done += steps
    return error


@njit(cache=True, error_model="numpy")
def _learn_alone(walker, q, gamma, rule, numbers, draws, updates, episode_length, record):
    """Returns the sum of |TD error|."""
    n, done, error = len(walker.agents), 0, 0.0
    most, draw, place = len(record.entry) // n - 1, np.uint64(len(draws)), np.zeros(n, PLACE)
    while done < updates:
        left, start = min(episode_length, updates - done), True
        while left > 0:
            steps = min(left, most)
            draw = walk(walker, place, numbers, draws, draw, start, steps, record)
            error = _learn(q, gamma, rule, n, record, 1, 0, done, steps, error)
            done, left, start = done + steps, left - steps, False
            for i in range(n):
                record.entry[i], record.reward[i] = record.entry[steps * n + i], record.reward[steps * n + i]
    return error


@njit(inline="always")
def _visit(q, at, steps):
    """Counts a visit of an entry; returns its step size."""
    count = min(np.int64(q.visits[at]), len(steps) - 1)
    q.visits[at] = count + 1
    return steps[np.uint64(count)]


@njit(inline="always")
def _learn(q, gamma, rule, n, record, pitch, lane, done, steps, error):
    """So many updates of every agent along one lane, `done` before; adds |TD error| to `error`."""
    entry, reward, values, visited = record.entry, record.reward, q.values, q.visited
    place, pitch, alpha = np.uint64(lane), np.uint64(pitch), rule.scale
    ahead = np.uint64(n) * pitch
    rewarded = ahead if rule.arrival else np.uint64(0)
    for step in range(steps):
        if rule.shift >= 0.0:
            alpha = rule.scale / (done + step + rule.shift)
        for _ in range(n):
            at, to = entry[place], entry[place + ahead]
            target = reward[place + rewarded] + gamma * values[to]
            old = values[at]
            error += abs(target - old)
            if len(rule.steps) > 0:
                alpha = _visit(q, at, rule.steps)
            values[at] = (1.0 - alpha) * old + alpha * target
            visited[at] = 1
            place += pitch
    return error
