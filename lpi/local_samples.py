"""What each agent sees of the trajectories of an outer loop, and a policy evaluation of a user's own on it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lpi.evaluation import QTables
from lpi.mdp import ModelTables
from lpi.mistakes import ConfigError
from lpi.network import LocalIndex
from lpi.own_files import FAULTS, told
from lpi.policy_evaluations import Sample, find
from lpi.trajectories import collect, indices


def local_samples(
    model: ModelTables,
    q: QTables,
    policy: np.ndarray,
    policy_states: LocalIndex,
    bonus: np.ndarray,
    updates: int,
    episode_length: int,
    reward_at: str,
    rng: np.random.Generator,
) -> Iterator[tuple[Sample, np.ndarray, np.ndarray]]:
    """For each agent its sample, and the values and flags of its pairs, which are parts of `q`.

    Arguments as those of `lpi.evaluation.localized_td`, whose trajectories these are for the same `rng`.
    """
    record = collect(model, policy, policy_states, updates, episode_length, rng)
    departures = record.departures
    last = np.append(np.diff(departures) > 1, True)
    for i in range(len(model.actions)):
        pair = indices(record.states, q.states, i) * q.actions.size[i] + indices(record.actions, q.actions, i)
        row = policy_states.offset[i] + indices(record.states, policy_states, i)
        own = record.states[:, i].astype(np.int64) * model.actions[i] + record.actions[:, i]
        rewards = model.rewards[model.rewards_offset[i] + own] + bonus[row]
        observed = rewards[departures + 1] if reward_at == "arrival" else rewards[departures]
        sample = Sample(i, pair[departures], pair[departures + 1], observed, last, model.gamma)
        part = slice(q.offset[i], q.offset[i + 1])
        yield sample, q.values[part], q.visited[part]


def localized_own(name: str, samples: Iterator[tuple[Sample, np.ndarray, np.ndarray]]) -> float:
    """What the file `name` makes of each of `local_samples`, in place; returns the mean |TD error| that it leaves.

    Raises:
        ConfigError: it fails, or returns something else than a finite value for each pair.
    """
    evaluate, errors = find(name).evaluate, []
    for sample, values, visited in samples:
        where = f"policy_evaluation: {name!r}"
        try:
            found = np.asarray(evaluate(sample, values.copy()), dtype=float)
        except MemoryError:
            raise
        except FAULTS as error:
            raise ConfigError(f"{where} failed for agent {sample.agent}: {told(error)}") from error
        if found.shape != values.shape or not np.isfinite(found).all():
            what = f"an array of shape {found.shape}" if found.shape != values.shape else "values that are not finite"
            raise ConfigError(
                f"{where} returned {what} for agent {sample.agent}; finite numbers of shape {values.shape}"
            )
        values[:] = found
        visited[sample.pairs] = 1
        errors.append(np.abs(sample.rewards + sample.gamma * found[sample.following] - found[sample.pairs]).mean())
    return float(np.mean(errors))
