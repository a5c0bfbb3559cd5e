"""Small networked MDPs and policies that several test files use."""

from __future__ import annotations

import networkx as nx
import numpy as np

from lpi.mdp import InitialDistribution, NetworkedMDP
from lpi.network import local_index
from lpi.policy import LocalPolicy

GRAPHS = {
    "single": nx.path_graph(1),
    "line": nx.path_graph(4),
    "ring": nx.cycle_graph(5),
    "grid": nx.convert_node_labels_to_integers(nx.grid_2d_graph(2, 3), ordering="sorted"),
    "star": nx.star_graph(3),
    "tree": nx.Graph([(0, 3), (3, 1), (3, 2), (1, 4)]),
    "random": nx.Graph([(0, 4), (4, 2), (2, 1), (2, 3), (4, 3), (0, 1)]),
}


def random_rows(rng: np.random.Generator, shape: tuple[int, ...], smallest: float = 0.0) -> np.ndarray:
    """Random distributions over the last axis, no entry below `smallest`."""
    rows = rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])
    return smallest + (1 - smallest * shape[-1]) * rows


def random_mdp(
    graph: nx.Graph,
    seed: int,
    states=(2, 3, 2),
    actions=(2, 3, 2, 1),
    gamma: float = 0.9,
    components: int = 1,
    smallest: float = 0.0,
) -> NetworkedMDP:
    """Random transitions, rewards and rho; numbers of local states and actions repeat along the agents."""
    rng = np.random.default_rng(seed)
    n = len(graph)
    states = [states[i % len(states)] for i in range(n)]
    actions = [actions[i % len(actions)] for i in range(n)]
    transitions = []
    for i in range(n):
        around = sorted([i, *graph.neighbors(i)])
        transitions.append(random_rows(rng, (*(states[j] for j in around), actions[i], states[i]), smallest))
    rewards = [rng.uniform(0, 2, size=(states[i], actions[i])) for i in range(n)]
    rho = InitialDistribution(
        rng.dirichlet(np.ones(components)), tuple(random_rows(rng, (components, size)) for size in states)
    )
    return NetworkedMDP(graph, transitions, rewards, gamma, rho)


def random_policy(mdp: NetworkedMDP, kappa: int, seed: int, smallest: float = 0.0) -> LocalPolicy:
    """A policy with random probabilities everywhere."""
    rng = np.random.default_rng(seed)
    shapes = [
        (*(int(mdp.states[j]) for j in around), int(mdp.actions[i]))
        for i, around in enumerate(mdp.network.neighbourhoods(kappa))
    ]
    return LocalPolicy(mdp, kappa, [random_rows(rng, shape, smallest) for shape in shapes])


def state_index(mdp: NetworkedMDP, hops: int):
    """The kernels' index of s_{N_i^hops}."""
    return local_index(mdp.network.neighbourhoods(hops), mdp.states)
