"""Undirected networks, their kappa-hop neighbourhoods, and the mixed-radix indexing of local values (section 2.1).

Agents are numbered 0..n-1.  A joint value of a neighbourhood is stored as one integer: the mixed-radix number whose
digits are the local values of its members in ascending order, the last member varying fastest (numpy's C order).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from lpi.edge_list import is_file, read_edges

_LARGEST_TABLE = 2**40
GRAPHS = ("line", "ring", "grid", "star", "tree", "erdos_renyi", "random_regular")
DEGREE = 3
"""Neighbours of each agent in the family random_regular."""
LARGEST_RANDOM = 1000
"""Agents of the family erdos_renyi: to draw a graph takes n^2 steps, and no tables of so many neighbours fit anyway."""


class Network:
    """A connected undirected graph on the agents 0..n-1.

    Args:
        agents: number of agents n >= 1.
        edges: pairs (i, j) of distinct agents; the order within a pair and repetitions do not matter.

    Raises:
        ValueError: an edge names an unknown agent or joins an agent to itself, or the graph is not connected.
    """

    def __init__(self, agents: int, edges: Iterable[tuple[int, int]]):
        if agents < 1:
            raise ValueError(f"agents: {agents} is not allowed; a network has at least 1 agent")
        adjacency: list[set[int]] = [set() for _ in range(agents)]
        for i, j in edges:
            if not (0 <= i < agents and 0 <= j < agents) or i == j:
                raise ValueError(f"graph: edge ({i}, {j}) is not allowed; two different agents of 0..{agents - 1}")
            adjacency[i].add(j)
            adjacency[j].add(i)
        self.agents = agents
        self.edges = tuple((i, j) for i in range(agents) for j in sorted(adjacency[i]) if i < j)
        self._adjacency = [sorted(neighbours) for neighbours in adjacency]
        unreachable = agents - len(self.distances_from(0))
        if unreachable:
            raise ValueError(f"graph: not connected ({unreachable} agents cannot be reached from agent 0); connect it")

    @classmethod
    def from_graph(cls, graph) -> Network:
        """The network of a `networkx.Graph` whose nodes are exactly 0..n-1 (or of a `Network`, returned as it is)."""
        if isinstance(graph, Network):
            return graph
        if not all(hasattr(graph, name) for name in ("is_directed", "nodes", "edges")):
            raise ValueError(f"graph: {type(graph).__name__} is not allowed; a networkx.Graph or an lpi.Network")
        if graph.is_directed():
            raise ValueError("graph: a directed graph is not allowed; the model's graph is undirected (section 2.1)")
        nodes = list(graph.nodes)
        if set(nodes) != set(range(len(nodes))):
            raise ValueError(f"graph: nodes {nodes[:5]}... are not allowed; name the agents 0..{len(nodes) - 1}")
        return cls(len(nodes), ((i, j) for i, j, *_ in graph.edges))

    @classmethod
    def named(cls, name: str, agents: int, seed: int = 0) -> Network:
        """One of the graph families `GRAPHS` with the given number of agents, or the graph of a file of edges.

        `grid` is the most nearly square rows x columns grid with rows * columns = agents; `tree` is the binary tree
        filled level by level; `star` has agent 0 in the centre; `erdos_renyi` joins each pair with probability
        2 log(n) / n, `random_regular` is drawn among the graphs whose agents all have `DEGREE` neighbours; both are
        drawn again (seeds seed, seed + 1, ...) until the graph is connected.

        Raises:
            ValueError: an unknown family, or one that has no graph of this size; a file that cannot be used.
        """
        if is_file(name):
            return cls(agents, read_edges(name, agents))
        check_family(name, agents)
        if name == "line":
            return cls(agents, ((i, i + 1) for i in range(agents - 1)))
        if name == "ring":
            return cls(agents, ((i, (i + 1) % agents) for i in range(agents if agents > 2 else agents - 1)))
        if name == "star":
            return cls(agents, ((0, i) for i in range(1, agents)))
        if name == "tree":
            return cls(agents, (((i - 1) // 2, i) for i in range(1, agents)))
        if name == "grid":
            columns = next(c for c in range(max(1, int(np.ceil(np.sqrt(agents)))), agents + 1) if agents % c == 0)
            right = [(i, i + 1) for i in range(agents) if (i + 1) % columns]
            return cls(agents, right + [(i, i + columns) for i in range(agents - columns)])
        import networkx

        probability = min(1.0, 2 * np.log(max(agents, 2)) / agents)
        while True:
            if name == "erdos_renyi":
                graph = networkx.gnp_random_graph(agents, probability, seed=seed)
            else:
                graph = networkx.random_regular_graph(DEGREE, agents, seed=seed)
            if networkx.is_connected(graph):
                return cls.from_graph(graph)
            seed += 1

    def distances_from(self, agent: int, at_most: int | None = None) -> dict[int, int]:
        """Graph distance from `agent` to every agent within `at_most` hops (default: to all that can be reached)."""
        distances = {agent: 0}
        queue = deque([agent])
        while queue:
            i = queue.popleft()
            if at_most is not None and distances[i] == at_most:
                continue
            for j in self._adjacency[i]:
                if j not in distances:
                    distances[j] = distances[i] + 1
                    queue.append(j)
        return distances

    def neighbourhood(self, agent: int, hops: int) -> tuple[int, ...]:
        """N_i^kappa, ascending: the agents within `hops` of `agent`, itself included."""
        return tuple(sorted(self.distances_from(agent, hops)))

    def neighbourhoods(self, hops: int) -> list[tuple[int, ...]]:
        """N_i^kappa of every agent i."""
        return [self.neighbourhood(i, hops) for i in range(self.agents)]


def check_family(name: str, agents: int) -> None:
    """The family `name` of `GRAPHS`, or the file of that name, has a graph with that many agents; ValueError if not."""
    if agents < 1:
        raise ValueError(f"agents: {agents} is not allowed; a network has at least 1 agent")
    if is_file(name):
        read_edges(name, agents)
        return
    if name not in GRAPHS:
        raise ValueError(f"graph: {name!r} is not allowed; one of {', '.join(GRAPHS)}")
    if name == "erdos_renyi" and agents > LARGEST_RANDOM:
        raise ValueError(
            f"agents: {agents} is not allowed with graph = erdos_renyi; at most {LARGEST_RANDOM}, or a file of edges"
        )
    if name == "random_regular" and (agents <= DEGREE or agents * DEGREE % 2):
        raise ValueError(
            f"agents: {agents} is not allowed with graph = random_regular, whose agents have {DEGREE} neighbours each; "
            f"an even number >= {DEGREE + 1}"
        )


class LocalIndex(NamedTuple):
    """Mixed-radix index of the joint value of one neighbourhood per agent, in the flat form that kernels read.

    The index of agent i is ``sum(value[members[p]] * strides[p] for p in range(start[i], start[i + 1]))``, an integer
    below ``size[i]``; ``offset[i]`` is where agent i's block begins when all agents' tables lie one after another.
    """

    start: np.ndarray  # (n + 1,) int64
    members: np.ndarray  # (start[n],) int64, ascending within an agent
    strides: np.ndarray  # (start[n],) int64
    size: np.ndarray  # (n,) int64
    offset: np.ndarray  # (n + 1,) int64, cumulative sizes


def local_index(neighbourhoods: Sequence[Sequence[int]], values: Sequence[int] | np.ndarray) -> LocalIndex:
    """Index of each neighbourhood; `values[j]` is the number of local values of agent j."""
    start: list[int] = [0]
    members: list[int] = []
    strides: list[int] = []
    size: list[int] = []
    for neighbourhood in neighbourhoods:
        total, reversed_strides = 1, []
        for j in reversed(neighbourhood):
            reversed_strides.append(total)
            total *= int(values[j])
        if total > _LARGEST_TABLE:
            raise ValueError(
                f"hops: a neighbourhood of {len(neighbourhood)} agents has {float(total):.3g} joint values; no table "
                f"of more than {_LARGEST_TABLE} rows is held, take fewer hops"
            )
        members += neighbourhood
        strides += reversed(reversed_strides)
        start.append(len(members))
        size.append(total)
    offset = np.concatenate(([0], np.cumsum(size, dtype=np.int64)))
    return LocalIndex(*(np.asarray(x, dtype=np.int64) for x in (start, members, strides, size, offset)))


def digits(neighbourhood: Sequence[int], values: Sequence[int] | np.ndarray) -> np.ndarray:
    """All joint values of a neighbourhood in index order, shape (prod |values_j|, len(neighbourhood)), int64."""
    shape = [int(values[j]) for j in neighbourhood]
    return np.indices(shape, dtype=np.int64).reshape(len(shape), -1).T


def extended_index(
    source: Sequence[int], target: Sequence[int], values: Sequence[int] | np.ndarray, default: Sequence[int]
) -> np.ndarray:
    """Definition 6 on indices: for each joint value of `source`, the index of its extension read on `target`.

    Members of `target` outside `source` take their value from `default`.  Shape (prod |values_j| over source,), int64.
    """
    columns = digits(source, values)
    position = {j: p for p, j in enumerate(source)}
    index = np.zeros(len(columns), dtype=np.int64)
    for j in target:
        index *= int(values[j])
        index += columns[:, position[j]] if j in position else int(default[j])
    return index
