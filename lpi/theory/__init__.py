"""The quantities that the theorems speak of: C (10), Z^zeta (Def. 2), Z^Q (Def. 4), H^Q (Def. 8), decay, regularity.

C, f(kappa) and the distances come from the model's local tables and so exist for any number of agents.  What takes a
policy or a Q function goes over all joint states; the arrays are those of `lpi.theory.dense`.  The bounds themselves stand in
`lpi.theory.bounds`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from lpi.mdp import NetworkedMDP
from lpi.policy import LocalPolicy
from lpi.theory.dense import joint_policy


def distances(mdp: NetworkedMDP) -> np.ndarray:
    """dist(i, j), shape (n, n), int64."""
    found = [mdp.network.distances_from(i) for i in range(mdp.agents)]
    return np.array([[found[i][j] for j in range(mdp.agents)] for i in range(mdp.agents)], dtype=np.int64)


def neighbourhood_size(mdp: NetworkedMDP, kappa: int) -> int:
    """f(kappa), the number of agents in the largest kappa-hop neighbourhood (section 2.1)."""
    return max(len(members) for members in mdp.network.neighbourhoods(kappa))


def total_variation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Half the l1 distance over the last axis."""
    return np.abs(one - other).sum(axis=-1) / 2


def transition_influence(mdp: NetworkedMDP) -> np.ndarray:
    """C of (10), shape (n, n): how far agent j's state (for j = i also the own action) moves agent i's next state."""
    influence = np.zeros((mdp.agents, mdp.agents))
    for i, members in enumerate(mdp.network.neighbourhoods(1)):
        table = mdp.transitions[i]
        for position, j in enumerate(members):
            rows = np.moveaxis(table, position, 0)
            if j == i:  # the pairs (s_i, a_i)
                rows = np.moveaxis(rows, -2, 1).reshape(-1, *rows.shape[1:-2], rows.shape[-1])
            influence[i, j] = _widest(rows)
    return influence


def policy_influence(mdp: NetworkedMDP, policy: LocalPolicy | Sequence[np.ndarray]) -> np.ndarray:
    """Z^zeta of Definition 2, shape (n, n): how far agent j's state moves agent i's policy."""
    influence = np.zeros((mdp.agents, mdp.agents))
    for i, table in enumerate(joint_policy(mdp, policy)):
        table = table.reshape(*mdp.states, -1)
        for j in range(mdp.agents):
            influence[i, j] = _widest(np.moveaxis(table, j, 0))
    return influence


def q_influence(mdp: NetworkedMDP, q: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Z^Q of Definition 4, shape (n, n), for Q_i(s, a) of shape (joint states, joint actions) per agent."""
    n = mdp.agents
    influence = np.zeros((n, n))
    for i, table in enumerate(q):
        table = np.asarray(table).reshape(*mdp.states, *mdp.actions)
        for j in range(n):
            influence[i, j] = np.ptp(table, axis=(j, n + j)).max()
    return influence


def second_order_influence(mdp: NetworkedMDP, q: np.ndarray) -> np.ndarray:
    """H^Q of Definition 8, shape (n, n), for the mean Q(s, a) of shape (joint states, joint actions).

    Definition 8 says nothing about i = j.  Here the diagonal holds what the proof of Lemma 10 needs of it: how far the
    own state moves the difference between two own actions.
    """
    n = mdp.agents
    influence = np.zeros((n, n))
    table = np.asarray(q).reshape(*mdp.states, *mdp.actions)
    for i in range(n):
        own = np.moveaxis(table, (i, n + i), (0, 1))
        for a, b in itertools.combinations(range(own.shape[1]), 2):
            influence[i, i] = max(influence[i, i], np.ptp(own[:, a] - own[:, b], axis=0).max())
        pairs = own.reshape(-1, *own.shape[2:])
        for z, other in itertools.combinations(range(len(pairs)), 2):
            change = pairs[z] - pairs[other]  # axes: states, then actions, of the agents other than i
            for j in range(n):
                if j != i:
                    axis = j - (j > i)
                    influence[i, j] = max(influence[i, j], np.ptp(change, axis=(axis, n - 1 + axis)).max())
    return influence


def decay(mdp: NetworkedMDP, matrix: np.ndarray, mu: float) -> float:
    """The smallest nu for which the matrix is (nu, mu)-decay (Definition 1): the larger of the two below."""
    return max(row_decay(mdp, matrix, mu), column_decay(mdp, matrix, mu))


def row_decay(mdp: NetworkedMDP, matrix: np.ndarray, mu: float) -> float:
    """sup_i sum_j A_ij (dist(i, j) + 1)^mu."""
    return float((np.asarray(matrix) * (distances(mdp) + 1.0) ** mu).sum(axis=1).max())


def column_decay(mdp: NetworkedMDP, matrix: np.ndarray, mu: float) -> float:
    """sup_j sum_i A_ij (dist(i, j) + 1)^mu."""
    return row_decay(mdp, np.asarray(matrix).T, mu)


def regularity(policy: LocalPolicy | Sequence[np.ndarray]) -> float:
    """The smallest sigma for which the policy is sigma-regular (Definition 3); infinite with a probability of 0."""
    tables = policy.tables if isinstance(policy, LocalPolicy) else policy
    with np.errstate(divide="ignore"):
        return max(float(np.log(table.max(axis=-1) / table.min(axis=-1)).max()) for table in tables)


def truncate_q(mdp: NetworkedMDP, q: Sequence[np.ndarray] | np.ndarray, beta: int) -> list[np.ndarray]:
    """(9) with equal weights, per agent, on all joint states and actions (constant in what lies beyond beta hops)."""
    n, truncated = mdp.agents, []
    for table, members in zip(q, mdp.network.neighbourhoods(beta), strict=True):
        table = np.asarray(table)
        far = [j for j in range(n) if j not in members]
        full = table.reshape(*mdp.states, *mdp.actions)
        mean = full.mean(axis=tuple(far) + tuple(n + j for j in far), keepdims=True)
        truncated.append(np.broadcast_to(mean, full.shape).reshape(table.shape))
    return truncated


def truncate_policy(mdp: NetworkedMDP, policy: Sequence[np.ndarray], kappa: int, default: int = 0) -> list[np.ndarray]:
    """(16): every agent's policy with the agents beyond kappa hops in their default state; shapes as before."""
    truncated = []
    for table, members in zip(policy, mdp.network.neighbourhoods(kappa), strict=True):
        full = table.reshape(*mdp.states, -1)
        seen = tuple(slice(None) if j in members else slice(default, default + 1) for j in range(mdp.agents))
        truncated.append(np.ascontiguousarray(np.broadcast_to(full[seen], full.shape)).reshape(table.shape))
    return truncated


def _widest(rows: np.ndarray) -> float:
    """Largest total variation between two entries of the first axis, the others but the last being the same."""
    pairs = itertools.combinations(range(len(rows)), 2)
    return max((float(total_variation(rows[a], rows[b]).max()) for a, b in pairs), default=0.0)
