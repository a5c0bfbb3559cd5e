"""Brute force over all joint states: what the exact evaluation and the simulation are checked against.

Reads what the user put into an MDP and a policy's tables; graph distances come from networkx, linear systems from
numpy.  Joint states in C order, the last agent's state running fastest.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import networkx as nx
import numpy as np
import oracles
from builders import random_rows

from lpi.mdp import InitialDistribution, NetworkedMDP


class Values(NamedTuple):
    """J under rho and V by joint state."""

    regularized: float
    unregularized: float
    states: np.ndarray  # (joint states, 2): V without entropy, and the discounted entropy


def joint_states(mdp) -> np.ndarray:
    """Shape (joint states, n)."""
    return np.array(list(oracles.all_values(mdp.states, range(mdp.agents))))


def rho(mdp) -> np.ndarray:
    """Probability of each joint state."""
    states = joint_states(mdp)
    total = np.zeros(len(states))
    for c, weight in enumerate(mdp.rho.weights):
        total += weight * np.prod([mdp.rho.marginals[i][c][states[:, i]] for i in range(mdp.agents)], axis=0)
    return total


def _joint_transition(local) -> np.ndarray:
    """Product over agents of (joint states, |S_i|) next-state probabilities, eq. (1)."""
    joint = np.ones((len(local[0]), 1))
    for table in local:
        joint = (joint[:, :, None] * table[:, None, :]).reshape(len(joint), -1)
    return joint


def system(mdp, policy) -> tuple[np.ndarray, np.ndarray]:
    """P under the policy, and by joint state the agents' mean reward and the sum of their entropies."""
    states = joint_states(mdp)
    closest, seen = oracles.neighbourhoods(mdp, 1), oracles.neighbourhoods(mdp, policy.kappa)
    local, stage = [], np.zeros((len(states), 2))
    for i in range(mdp.agents):
        zeta = policy.tables[i][tuple(states[:, j] for j in seen[i])]
        local.append(np.einsum("sa,sat->st", zeta, mdp.transitions[i][tuple(states[:, j] for j in closest[i])]))
        stage[:, 0] += (zeta * mdp.rewards[i][states[:, i]]).sum(axis=1) / mdp.agents
        stage[:, 1] -= (zeta * np.log(np.where(zeta > 0, zeta, 1))).sum(axis=1)
    return _joint_transition(local), stage


def evaluate(mdp, policy, tau: float) -> Values:
    """(4) as a linear system."""
    transition, stage = system(mdp, policy)
    values = np.linalg.solve(np.eye(len(stage)) - mdp.gamma * transition, stage)
    reward, entropy = rho(mdp) @ values
    return Values(reward + tau * entropy, reward, values)


def agent_values(mdp, policy, tau: float) -> tuple[np.ndarray, np.ndarray]:
    """V_i of (5) as a linear system, shape (n, joint states), and Q_i of (6), shape (n, joint states, joint actions)."""
    states, n = joint_states(mdp), mdp.agents
    seen = oracles.neighbourhoods(mdp, policy.kappa)
    transition, _ = system(mdp, policy)
    stage = np.zeros((len(states), n))
    for i in range(n):
        zeta = policy.tables[i][tuple(states[:, j] for j in seen[i])]
        stage[:, i] = (zeta * mdp.rewards[i][states[:, i]]).sum(axis=1)
        stage[:, i] -= n * tau * (zeta * np.log(np.where(zeta > 0, zeta, 1))).sum(axis=1)
    values = np.linalg.solve(np.eye(len(states)) - mdp.gamma * transition, stage).T
    rewards, transitions = model(mdp)
    q = [rewards[i].T + mdp.gamma * (transitions @ values[i]).T for i in range(n)]
    return values, np.array(q)


def occupancy(mdp, policy) -> np.ndarray:
    """(1 - gamma) sum_t gamma^t P(s(t) = s) under rho, as a linear system."""
    transition, _ = system(mdp, policy)
    return np.linalg.solve(np.eye(len(transition)) - mdp.gamma * transition.T, (1 - mdp.gamma) * rho(mdp))


def model(mdp) -> tuple[np.ndarray, np.ndarray]:
    """r_i, shape (n, joint actions, joint states), and P, shape (joint actions, joint states, joint states)."""
    states, closest = joint_states(mdp), oracles.neighbourhoods(mdp, 1)
    rewards, transitions = [], []
    for a in oracles.all_values(mdp.actions, range(mdp.agents)):
        pairs = [(*(states[:, j] for j in closest[i]), a[i]) for i in range(mdp.agents)]
        transitions.append(_joint_transition([mdp.transitions[i][pair] for i, pair in enumerate(pairs)]))
        rewards.append([mdp.rewards[i][states[:, i], a[i]] for i in range(mdp.agents)])
    return np.moveaxis(np.array(rewards), 1, 0), np.array(transitions)


def optimum(mdp, tau: float) -> float:
    """J of the best joint policy by soft value iteration over all joint states and actions; tau = 0: plain."""
    rewards, transitions = model(mdp)
    rewards, values = rewards.mean(axis=0), np.zeros(mdp.joint_states)
    while True:
        q = rewards + mdp.gamma * transitions @ values
        top = q.max(axis=0)
        improved = top if tau == 0 else top + tau * np.log(np.exp((q - top) / tau).sum(axis=0))
        if np.abs(improved - values).max() < 1e-13 * np.abs(improved).max():
            return float(rho(mdp) @ improved)
        values = improved


def decoupling_mdp(
    graph: nx.Graph, seed: int, values=(3, 2), ranks=(2, 3, 1), actions=(2, 1, 3), gamma: float = 0.9
) -> NetworkedMDP:
    """A random MDP that decouples given a component: each local state is a (value, rank), values in random order.

    The component's next value depends on the values around it; the next rank on these, the own rank and the action.
    """
    rng = np.random.default_rng(seed)
    n = len(graph)
    values, ranks, actions = ([sizes[i % len(sizes)] for i in range(n)] for sizes in (values, ranks, actions))
    names = [  # local state of value * ranks + rank; among the states of a value, ranks ascend
        np.argsort(rng.permutation(np.repeat(np.arange(values[i]), ranks[i])), kind="stable") for i in range(n)
    ]
    parts = [np.argsort(name) for name in names]  # value * ranks + rank of a local state
    transitions, rewards, marginals = [], [], []
    for i in range(n):
        around = sorted([i, *graph.neighbors(i)])
        sizes = tuple(values[j] for j in around)
        next_value = random_rows(rng, (*sizes, values[i]))
        next_rank = random_rows(rng, (*sizes, ranks[i], actions[i], ranks[i]))
        table = np.empty((*(len(names[j]) for j in around), actions[i], len(names[i])))
        for s in itertools.product(*(range(size) for size in table.shape[: len(around)])):
            c = tuple(parts[j][s[k]] // ranks[j] for k, j in enumerate(around))
            own = parts[i][s[around.index(i)]] % ranks[i]
            for a in range(actions[i]):
                table[(*s, a)][names[i]] = np.outer(next_value[c], next_rank[(*c, own, a)]).ravel()
        transitions.append(table)
        rewards.append(rng.uniform(0, 2, size=(len(names[i]), actions[i])))
        marginals.append(random_rows(rng, (2, len(names[i]))))
    return NetworkedMDP(graph, transitions, rewards, gamma, InitialDistribution(np.array([0.3, 0.7]), tuple(marginals)))


def renumbered(mdp: NetworkedMDP, seed: int) -> tuple[NetworkedMDP, list[np.ndarray]]:
    """The same MDP with every agent's local states renumbered, and the old number of each new state."""
    rng = np.random.default_rng(seed)
    order = [rng.permutation(int(size)) for size in mdp.states]
    transitions = []
    for i, around in enumerate(oracles.neighbourhoods(mdp, 1)):
        axes = [order[j] for j in around] + [np.arange(int(mdp.actions[i])), order[i]]
        transitions.append(mdp.transitions[i][np.ix_(*axes)])
    rewards = [table[order[i]] for i, table in enumerate(mdp.rewards)]
    marginals = tuple(table[:, order[i]] for i, table in enumerate(mdp.rho.marginals))
    rho = InitialDistribution(mdp.rho.weights, marginals)
    return NetworkedMDP(mdp.network, transitions, rewards, mdp.gamma, rho), order
