"""Random networked MDPs, policies and Q functions that meet the theorems' hypotheses, and two made to break them."""

from __future__ import annotations

from typing import NamedTuple

import networkx as nx
import numpy as np

from lpi import theory
from lpi.mdp import NetworkedMDP
from lpi.theory.bounds import LARGEST_INTERACTION

GRAPHS = (
    nx.path_graph(2), nx.path_graph(3), nx.path_graph(4), nx.cycle_graph(3), nx.cycle_graph(4), nx.star_graph(3)
)  # fmt: skip
MOST_ENTRIES = 20_000
"""Of one agent's Q function: larger draws lose actions, so that a check takes a fraction of a second."""


EXPONENTS, STEEP = (0.05, 3.0), (6.0, 12.0)
"""Least and largest mu of the random MDPs; steep ones are needed for the bounds of Theorem 2 and Lemma 8 to say anything."""


class Interaction(NamedTuple):
    """How strongly an MDP's agents interact: sup_i sum_j C_ij, and the same with sup_j sum_i C_ij."""

    rows: float
    both: float


def interaction(mdp: NetworkedMDP) -> Interaction:
    """Of the MDP's C (10)."""
    c = theory.transition_influence(mdp)
    return Interaction(float(c.sum(axis=1).max()), float(max(c.sum(axis=0).max(), c.sum(axis=1).max())))


def weakly_coupled(rng: np.random.Generator, exponents: tuple[float, float] = EXPONENTS) -> tuple[NetworkedMDP, float]:
    """A random MDP and mu with gamma < 0.8, rewards in [0, 1], and 2^mu C with row and column sums <= 1/2.

    log mu is uniform between the logarithms of the exponents.

    One draw in two has the sums at their limit, one in two has deterministic reactions and rewards of 0 and 1.
    """
    graph = GRAPHS[rng.integers(len(GRAPHS))]
    n, extreme = len(graph), rng.random() < 0.5
    states, actions = rng.integers(2, 4, size=n), rng.integers(1, 4, size=n)
    while np.prod(states) * np.prod(actions) > MOST_ENTRIES:
        actions[actions.argmax()] -= 1
    gamma, mu = rng.uniform(0.02, 0.79), float(np.exp(rng.uniform(*np.log(exponents))))
    around = [sorted([i, *graph.neighbors(i)]) for i in range(n)]
    shapes = [(*states[around[i]], actions[i]) for i in range(n)]
    reactions = [_rows(rng, shape, states[i], extreme) for i, shape in enumerate(shapes)]
    rewards = [rng.random((states[i], actions[i])) for i in range(n)]
    rewards = [np.round(table) for table in rewards] if extreme else rewards
    rewards[0].flat[0] = 1.0  # r_bar = 1
    strongest = interaction(NetworkedMDP(graph, reactions, rewards, gamma)).both
    limit = LARGEST_INTERACTION / 2**mu * (1.0 if rng.random() < 0.5 else rng.random())
    share = min(1.0, limit / strongest)
    still = [rng.dirichlet(np.ones(size)) for size in states]
    transitions = [(1 - share) * still[i] + share * reactions[i] for i in range(n)]
    return NetworkedMDP(graph, transitions, rewards, gamma), mu


def regular_policy(rng: np.random.Generator, mdp: NetworkedMDP, sigma: float) -> list[np.ndarray]:
    """A random joint policy that is sigma-regular: log probabilities uniform in an interval of length sigma."""
    logits = [rng.uniform(0, sigma, size=(mdp.joint_states, int(a))) for a in mdp.actions]
    if rng.random() < 0.5:
        logits = [np.round(table / sigma) * sigma for table in logits]
    return [np.exp(table) / np.exp(table).sum(axis=1, keepdims=True) for table in logits]


def decaying_policy(rng: np.random.Generator, mdp: NetworkedMDP, nu: float, mu: float) -> list[np.ndarray]:
    """A random joint policy that is (nu, mu)-decay: a fixed one moved as far towards a random one as nu allows."""
    wild = [_rows(rng, (mdp.joint_states,), int(a), rng.random() < 0.5) for a in mdp.actions]
    still = [0.02 + (1 - 0.02 * int(a)) * rng.dirichlet(np.ones(int(a))) for a in mdp.actions]
    widest = theory.decay(mdp, theory.policy_influence(mdp, wild), mu)
    share = min(0.98, nu / widest) if widest > 0 else 0.98
    return [(1 - share) * b + share * w for b, w in zip(still, wild, strict=True)]


def q_functions(rng: np.random.Generator, mdp: NetworkedMDP) -> np.ndarray:
    """Q_i(s, a) that need not come from a policy, shape (n, joint states, joint actions).

    Noise over everything, or parities (all agents' values count, which makes second differences largest), in part only
    of some agents.
    """
    n = mdp.agents
    shape = (*mdp.states, *mdp.actions)
    tables = np.empty((n, *shape))
    for i in range(n):
        if rng.random() < 0.5:
            tables[i] = rng.random(shape)
            continue
        heard = rng.random(n) < 0.7
        index = np.indices(shape)
        tables[i] = sum(index[k] for k in range(2 * n) if heard[k % n]) % 2 * rng.random()
    return tables.reshape(n, mdp.joint_states, -1)


def star(gamma: float, mu: float, leaves: int) -> NetworkedMDP:
    """Rows of 2^mu C sum to exactly 1/2, the centre's column does not: every leaf hears the centre as loudly.

    The centre chooses between two actions; action 1 pays 1 and makes state 1 likelier, in which every leaf is likelier
    to be paid 1 a step later.
    """
    graph, strength = nx.star_graph(leaves), LARGEST_INTERACTION / 2**mu
    low, high = (1 - strength) / 2, (1 + strength) / 2
    likely = np.array([[1 - low, low], [1 - high, high]])
    centre = likely[[[0, 1], [1, 1]]].reshape(2, *(1,) * leaves, 2, 2)
    transitions = [np.broadcast_to(centre, (2,) * (leaves + 1) + (2, 2))]
    transitions += [np.broadcast_to(likely[:, None, None, :], (2, 2, 1, 2))] * leaves
    rewards = [np.array([[0.0, 1.0], [1.0, 1.0]])] + [np.array([[0.0], [1.0]])] * leaves
    return NetworkedMDP(graph, transitions, rewards, gamma)


def single(gamma: float, strength: float) -> NetworkedMDP:
    """One agent without a choice that is paid for its state, which follows the last one: C = strength."""
    likely = np.array([[[1 + strength, 1 - strength]], [[1 - strength, 1 + strength]]]) / 2
    return NetworkedMDP(nx.path_graph(1), [likely], [np.array([[0.0], [1.0]])], gamma)


def pair(gamma: float, mu: float, sigma: float) -> tuple[NetworkedMDP, list[np.ndarray]]:
    """Two agents with rows and columns of 2^mu C below 1/2, and a sigma-regular policy of theirs.

    State 0 pays agent 0 nothing and state 1 pays 1; state 2 pays its action, which it leans to as agent 1's state says.
    So that agent 0's reward depends on its own state in full and on agent 1's through the policy.
    """
    strength = LARGEST_INTERACTION / 2**mu
    share = np.zeros((3, 2))  # how strongly the present states point to state 1
    share[1] += 0.5
    share[:, 1] += 0.5
    first = np.stack([strength * (1 - share), strength * share, np.full((3, 2), 1 - strength)], axis=-1)
    up = (1 - strength) / 2 + strength * share
    second = np.stack([1 - up, up], axis=-1)
    transitions = [np.repeat(first[:, :, None], 2, axis=2), second[:, :, None]]
    rewards = [np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]), np.array([[0.0], [1.0]])]
    leaning = 1 / (1 + np.exp(np.where(np.arange(6) % 2 == 1, -sigma, sigma)))
    policy = [np.stack([1 - leaning, leaning], axis=-1), np.ones((6, 1))]
    return NetworkedMDP(nx.path_graph(2), transitions, rewards, gamma), policy


def _rows(rng: np.random.Generator, shape: tuple[int, ...], size: int, extreme: bool) -> np.ndarray:
    """Distributions over `size` values, all or nothing if extreme."""
    if extreme:
        return np.eye(size)[rng.integers(size, size=shape)]
    return rng.dirichlet(np.ones(size), size=shape)
