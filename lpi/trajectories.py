"""The trajectories that a policy produces, kept: for whoever needs them more than once.

They consume the random numbers that `lpi.evaluation.localized_td` would, in its order, so that both see the same
trajectories for the same generator.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lpi.evaluation import action_thresholds, draw_actions, draw_component, draw_initial, draw_next
from lpi.kernels import njit
from lpi.mdp import ModelTables
from lpi.network import LocalIndex

_ROWS = 256  # rows of uniforms drawn at a time


class Trajectories(NamedTuple):
    """Local states and actions of all agents, one row a time; an episode has a row more than transitions."""

    states: np.ndarray  # (rows, n) int32
    actions: np.ndarray  # (rows, n) int32
    steps: np.ndarray  # (rows,) int64: time within the episode, 0 at its start

    @property
    def departures(self) -> np.ndarray:
        """Rows from which a transition leads to the next row, in order."""
        return np.flatnonzero(self.steps[1:] > 0)


def collect(
    model: ModelTables,
    policy: np.ndarray,
    policy_states: LocalIndex,
    updates: int,
    episode_length: int,
    rng: np.random.Generator,
) -> Trajectories:
    """Episodes of `episode_length` transitions, the last one shorter, `updates` transitions in all.

    Args:
        model: `NetworkedMDP.tables()`.
        policy: flat policy; `policy_states` its index.
        updates: T, transitions in all.
        episode_length: transitions between two draws from rho.
        rng: source of every random number.
    """
    n = len(model.actions)
    episodes = -(-updates // episode_length)
    rows = updates + episodes
    found = Trajectories(np.empty((rows, n), np.int32), np.empty((rows, n), np.int32), np.empty(rows, np.int64))
    thresholds, offsets = action_thresholds(policy, policy_states, model.actions)
    kept, step, component = 0, -1, -1
    state, action = np.zeros(n, np.int64), np.zeros(n, np.int64)
    left = rows + episodes * (len(model.rho_weights) > 1)
    while left > 0:
        draws = rng.random((min(_ROWS, left), 2 * n))
        left -= len(draws)
        kept, step, component = _collect(
            model,
            thresholds,
            offsets,
            policy_states,
            draws,
            episode_length,
            found,
            state,
            action,
            kept,
            step,
            component,
        )
    return found


@njit(cache=True)
def _collect(model, thresholds, offsets, index, draws, length, found, state, action, kept, step, component):
    """Goes on from `state`, `action`, where step says how long the episode is; returns how far it got."""
    n = len(state)
    following, row = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for d in range(len(draws)):
        if step < 0 and component < 0:
            component = 0
            if len(model.rho_weights) > 1:
                component = draw_component(model, draws[d, 0])
                continue
        if step < 0:
            draw_initial(model, draws[d], component, state)
        else:
            draw_next(model, draws[d], state, action, following)
            state[:] = following
        draw_actions(model, thresholds, offsets, index, draws[d], state, row, action)
        step += 1
        for i in range(n):
            found.states[kept, i] = state[i]
            found.actions[kept, i] = action[i]
        found.steps[kept] = step
        kept += 1
        if step == length:
            step, component = -1, -1
    return kept, step, component


def indices(values: np.ndarray, index: LocalIndex, agent: int) -> np.ndarray:
    """Index of the values of an agent's neighbourhood in each row, shape (rows,), int64."""
    found = np.zeros(len(values), np.int64)
    for p in range(index.start[agent], index.start[agent + 1]):
        found += values[:, index.members[p]] * index.strides[p]
    return found
