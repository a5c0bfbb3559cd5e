"""Networked Markov decision processes: any undirected graph, any finite local spaces (section 2.1, eq. (1))."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpi.network import LocalIndex, Network, local_index

_TOLERANCE = 1e-9


class InitialDistribution(NamedTuple):
    """rho as a mixture of product distributions: component c with probability weights[c], then s_i ~ marginals[i][c]."""

    weights: np.ndarray  # (components,)
    marginals: tuple[np.ndarray, ...]  # per agent (components, |S_i|)

    @classmethod
    def product(cls, marginals: Sequence[Sequence[float] | np.ndarray]) -> InitialDistribution:
        """Independent agents; `marginals[i]` has shape (|S_i|,)."""
        return cls(np.ones(1), tuple(np.asarray(row, dtype=float)[None, :] for row in marginals))

    @classmethod
    def uniform(cls, states: Sequence[int] | np.ndarray) -> InitialDistribution:
        """Uniform over all joint states."""
        return cls.product([np.full(int(size), 1 / int(size)) for size in states])


class ModelTables(NamedTuple):
    """The model as the kernels read it: flat arrays, the same for every graph and environment."""

    actions: np.ndarray  # (n,) int64, |A_i|
    states: np.ndarray  # (n,) int64, |S_i|
    neighbours: LocalIndex  # one-hop neighbourhoods over local states
    cumulative: np.ndarray  # cumulative next-state probabilities, row (s_{N_i}, a_i), |S_i| - 1 entries a row
    cumulative_offset: np.ndarray  # (n,) int64
    rewards: np.ndarray  # r_i(s_i, a_i), flat
    rewards_offset: np.ndarray  # (n,) int64
    rho_weights: np.ndarray  # (components,) cumulative
    rho_marginals: np.ndarray  # (components, n, max |S_i| - 1) cumulative, padded with 2 (never reached)
    gamma: float


class NetworkedMDP:
    """A networked MDP; validated once and not to be changed afterwards.

    Args:
        graph: `networkx.Graph` with nodes 0..n-1, or `Network`; undirected and connected.
        transitions: P_i of (1), one array per agent, shape (|S_j| for j in N_i, ascending j) + (|A_i|, |S_i|); the last
            axis sums to 1.
        rewards: r_i(s_i, a_i), one array (|S_i|, |A_i|) per agent; finite.
        gamma: discount factor in [0, 1).
        rho: initial distribution; default uniform over all joint states.

    Raises:
        ValueError: names the argument, the value and what is allowed.

    Rewards may be any finite numbers; the theorems (not the algorithm) ask for 0 <= r_i <= r_bar.
    """

    def __init__(self, graph, transitions, rewards, gamma: float, rho: InitialDistribution | None = None):
        self.network = Network.from_graph(graph)
        n = self.network.agents
        if not 0 <= gamma < 1:
            raise ValueError(f"gamma: {gamma} is not allowed; a number in [0, 1)")
        if len(transitions) != n or len(rewards) != n:
            raise ValueError(f"transitions, rewards: {len(transitions)}, {len(rewards)} tables; one per agent, {n}")
        self.gamma = float(gamma)
        self.rewards = tuple(_frozen(table) for table in rewards)
        for i, table in enumerate(self.rewards):
            if table.ndim != 2 or 0 in table.shape or not np.isfinite(table).all():
                raise ValueError(f"rewards[{i}]: shape {table.shape}; finite numbers of shape (|S_i|, |A_i|)")
        self.states = np.array([table.shape[0] for table in self.rewards], dtype=np.int64)
        self.actions = np.array([table.shape[1] for table in self.rewards], dtype=np.int64)
        self.transitions = tuple(_frozen(table) for table in transitions)
        for i, table in enumerate(self.transitions):
            local = tuple(int(self.states[j]) for j in self.network.neighbourhood(i, 1))
            _check_distributions(f"transitions[{i}]", table, (*local, int(self.actions[i]), int(self.states[i])))
        rho = InitialDistribution.uniform(self.states) if rho is None else rho
        self.rho = InitialDistribution(_frozen(rho.weights), tuple(_frozen(table) for table in rho.marginals))
        _check_distributions("rho weights", self.rho.weights, (len(self.rho.weights),))
        if len(self.rho.marginals) != n:
            raise ValueError(f"rho marginals: {len(self.rho.marginals)} tables; one per agent, {n}")
        for i, table in enumerate(self.rho.marginals):
            _check_distributions(f"rho marginals[{i}]", table, (len(self.rho.weights), int(self.states[i])))

    @property
    def agents(self) -> int:
        """Number of agents n."""
        return self.network.agents

    @property
    def reward_bound(self) -> float:
        """r_bar: the largest stage reward of any agent (section 2.2)."""
        return max(float(table.max()) for table in self.rewards)

    @property
    def joint_states(self) -> int:
        """|S|, the number of joint states, as an exact integer."""
        return int(np.prod(self.states.astype(object)))

    def tables(self) -> ModelTables:
        """The model in the flat form that the simulation kernels read."""
        n = self.agents
        cumulative = [np.cumsum(table, axis=-1)[..., :-1].ravel() for table in self.transitions]
        width = max(1, int(self.states.max()) - 1)
        marginals = np.full((len(self.rho.weights), n, width), 2.0)
        for i, table in enumerate(self.rho.marginals):
            marginals[:, i, : table.shape[1] - 1] = np.cumsum(table, axis=1)[:, :-1]
        return ModelTables(
            actions=self.actions,
            states=self.states,
            neighbours=local_index(self.network.neighbourhoods(1), self.states),
            cumulative=np.concatenate(cumulative),
            cumulative_offset=_offsets(cumulative),
            rewards=np.concatenate([table.ravel() for table in self.rewards]),
            rewards_offset=_offsets(self.rewards),
            rho_weights=np.cumsum(self.rho.weights),
            rho_marginals=marginals,
            gamma=self.gamma,
        )


def _frozen(table) -> np.ndarray:
    table = np.array(table, dtype=float)
    table.setflags(write=False)
    return table


def _offsets(tables) -> np.ndarray:
    return np.cumsum([0] + [table.size for table in tables[:-1]], dtype=np.int64)


def _check_distributions(name: str, table: np.ndarray, shape: tuple[int, ...]) -> None:
    """The last axis of `table`, of the given shape, holds probability distributions."""
    if table.shape != shape:
        raise ValueError(f"{name}: shape {table.shape} is not allowed; {shape}")
    if not np.isfinite(table).all() or (table < 0).any() or (np.abs(table.sum(axis=-1) - 1) > _TOLERANCE).any():
        raise ValueError(f"{name}: not a probability distribution; entries >= 0 that sum to 1 over the last axis")
