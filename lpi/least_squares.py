"""Beta-hop localized least-squares TD: another subroutine that Definition 7 leaves room for, in the place of Algorithm 2.

For an agent i and the pairs z = (s, a) of N_i^beta, one feature for each pair, LSTD (Bradtke and Barto, 1996) solves

    sum_t 1{z(t) = z} (r_hat_i(t) + gamma Q(z(t+1)) - Q(z(t))) = 0   for every z that the trajectories leave,

that is line 4 of Algorithm 2 standing still on average over the sample: what TD(0) would come to if it went over the same
transitions again and again with ever smaller steps.  With many samples both come to `lpi.studies.td_limit`.  It has no
step size.  A pair that no transition leaves keeps the value that it has, as with TD(0).
"""

from __future__ import annotations

import numpy as np

from lpi.evaluation import QTables
from lpi.kernels import njit
from lpi.local_samples import local_samples
from lpi.mdp import ModelTables
from lpi.network import LocalIndex

TOLERANCE = 1e-13
"""Largest change of a value in the last sweep, relative to the largest value."""
_SWEEPS = 1_000_000


def localized_lstd(
    model: ModelTables,
    q: QTables,
    policy: np.ndarray,
    policy_states: LocalIndex,
    bonus: np.ndarray,
    updates: int,
    episode_length: int,
    reward_at: str,
    rng: np.random.Generator,
) -> float:
    """The solution for every agent, in place on `q`; returns the mean |TD error| that it leaves on the sample.

    Arguments as those of `lpi.evaluation.localized_td`, whose trajectories it sees for the same `rng`.
    """
    error, n = 0.0, len(model.actions)
    sampled = local_samples(model, q, policy, policy_states, bonus, updates, episode_length, reward_at, rng)
    for sample, values, visited in sampled:
        error += _solve(sample.pairs, sample.following, sample.rewards, model.gamma, values, visited)
    return error / (n * updates)


def _solve(pair, following, rewards, gamma: float, values: np.ndarray, visited: np.ndarray) -> float:
    """Solves for the values of the pairs that are left; returns the sum of |TD error|.

    By Gauss-Seidel sweeps, each of which brings the values nearer by a factor of gamma at least.
    """
    order = np.argsort(pair, kind="stable")
    pair, following, rewards = pair[order], following[order], rewards[order]
    first = np.flatnonzero(np.append(True, pair[1:] != pair[:-1]))
    ends = np.append(first[1:], len(pair))
    means = np.add.reduceat(rewards, first) / (ends - first)
    visited[pair[first]] = 1
    _sweep(pair[first], first, ends, following, means, gamma, values, TOLERANCE, _SWEEPS)
    return float(np.abs(rewards + gamma * values[following] - values[pair]).sum())


@njit(cache=True, error_model="numpy")
def _sweep(pairs, first, ends, following, means, gamma, values, tolerance, sweeps):
    for _ in range(sweeps):
        change, largest = 0.0, 0.0
        for k in range(len(pairs)):
            at, count, again, total = pairs[k], ends[k] - first[k], 0, 0.0
            for p in range(first[k], ends[k]):
                if following[p] == at:
                    again += 1
                else:
                    total += values[following[p]]
            value = (means[k] + gamma * total / count) / (1.0 - gamma * again / count)
            change = max(change, abs(value - values[at]))
            largest = max(largest, abs(value))
            values[at] = value
        if change <= tolerance * largest:
            break
