"""Autonomous components: a part of every local state that no action influences and that alone couples the agents.

In section 6.1 that part is s1.  Given its trajectory the agents no longer interact, so any quantity that is a sum over
agents splits into n small problems.  Nothing here knows the spreading process: the component is found in the tables.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lpi.mdp import NetworkedMDP

_DECIMALS = 12  # transition probabilities that agree to this many decimals count as equal


class Component(NamedTuple):
    """Partition of each local state space into the values of the autonomous component."""

    label: tuple[np.ndarray, ...]  # per agent (|S_i|,) int64: the component's value in each local state
    rank: tuple[np.ndarray, ...]  # per agent (|S_i|,) int64: number of each local state among those of its value
    values: np.ndarray  # (n,) int64, number of values of agent i's component
    transitions: tuple[np.ndarray, ...]  # per agent, shape (values_j for j in N_i) + (values_i,)


def autonomous_component(mdp: NetworkedMDP) -> Component | None:
    """The coarsest autonomous component, or None if the MDP has none through which all coupling goes.

    Two local states of j start with the same label when every neighbour reacts to them alike; labels are then split
    until each agent's next label depends on labels alone.  None when a next label depends on an action.
    """
    labels = [_seen_by_neighbours(mdp, j) for j in range(mdp.agents)]
    while True:
        rows = [_next_label(mdp, i, labels[i]) for i in range(mdp.agents)]
        if any(np.ptp(row, axis=1).max() > 10.0**-_DECIMALS for row in rows):
            return None
        refined = [_group(np.column_stack((labels[i], rows[i][:, 0]))) for i in range(mdp.agents)]
        if all(new.max() == old.max() for new, old in zip(refined, labels, strict=True)):
            break
        labels = refined
    values = np.array([label.max() + 1 for label in labels], dtype=np.int64)
    rank = [_aligned_ranks(mdp.transitions[i], labels[i]) for i in range(mdp.agents)]
    transitions = []
    for i in range(mdp.agents):
        around = mdp.network.neighbourhood(i, 1)
        first = [_representatives(labels[j]) for j in around]
        table = mdp.transitions[i][(*np.ix_(*first), 0)]
        transitions.append(sum_by_label(table, labels[i]))
    return Component(tuple(labels), tuple(rank), values, tuple(transitions))


def _aligned_ranks(table: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Numbers 0, 1, ... of the local states of each value, such that equal numbers are equally likely given the value.

    Otherwise `independent_ranks` would depend on how the local states happen to be numbered.
    """
    rows = table.reshape(-1, len(label))
    given = np.stack([rows[:, label == c].sum(axis=1) for c in range(label.max() + 1)], axis=1)[:, label]
    share = np.divide(rows, given, out=np.full(rows.shape, np.nan), where=given > 0)
    rank, known = np.empty(len(label), dtype=np.int64), np.full((len(rows), len(label)), np.nan)
    for c in range(label.max() + 1):
        free = list(np.flatnonzero(label == c))
        for r in range(len(free)):
            fitting = (s for s in free if not (np.abs(share[:, s] - known[:, r]) > 10.0**-_DECIMALS).any())
            state = next(fitting, free[0])
            free.remove(state)
            rank[state] = r
            known[:, r] = np.where(np.isnan(known[:, r]), share[:, state], known[:, r])
    return rank


def independent_ranks(mdp: NetworkedMDP, component: Component) -> bool:
    """Whether each agent's next component value and next rank are independent draws, with equally many ranks."""
    for i in range(mdp.agents):
        members = np.bincount(component.label[i])
        if (members != members[0]).any():
            return False
        table = mdp.transitions[i][..., states_of(component, i)]
        product = table.sum(axis=-1, keepdims=True) * table.sum(axis=-2, keepdims=True)
        if np.abs(table - product).max() > 10.0**-_DECIMALS:
            return False
    return True


def states_of(component: Component, agent: int) -> np.ndarray:
    """Local state by (value of the component, rank), shape (values, ranks)."""
    label, rank = component.label[agent], component.rank[agent]
    table = np.empty((label.max() + 1, rank.max() + 1), dtype=np.int64)
    table[label, rank] = np.arange(len(label))
    return table


def _representatives(label: np.ndarray) -> np.ndarray:
    """The first local state of each value of the component."""
    return np.array([np.argmax(label == c) for c in range(label.max() + 1)])


def _seen_by_neighbours(mdp: NetworkedMDP, j: int) -> np.ndarray:
    """Labels of j's local states, numbered by first appearance: equal when no neighbour's transition tells them apart."""
    around = {i: mdp.network.neighbourhood(i, 1) for i in mdp.network.neighbourhood(j, 1) if i != j}
    tables = [np.moveaxis(mdp.transitions[i], known.index(j), 0) for i, known in around.items()]
    first: list[int] = []
    label = np.empty(int(mdp.states[j]), dtype=np.int64)
    for state in range(len(label)):
        alike = (k for k, known in enumerate(first) if all(_alike(table[known], table[state]) for table in tables))
        label[state] = next(alike, len(first))
        if label[state] == len(first):
            first.append(state)
    return label


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two tables agree when rounded; part by part, as the tables of an agent with many neighbours are large."""
    return all(
        np.array_equal(a, b) or np.array_equal(np.round(a, _DECIMALS), np.round(b, _DECIMALS))
        for a, b in zip(one, other, strict=True)
    )


def _next_label(mdp: NetworkedMDP, i: int, label: np.ndarray) -> np.ndarray:
    """P(next label | s_{N_i}, a_i), shape (|S_i|, |A_i|, the rest): own state first, action second."""
    table = sum_by_label(mdp.transitions[i], label)
    own = mdp.network.neighbourhood(i, 1).index(i)
    table = np.moveaxis(np.moveaxis(table, -2, 0), own + 1, 0)
    return table.reshape(table.shape[0], table.shape[1], -1)


def sum_by_label(table: np.ndarray, label: np.ndarray) -> np.ndarray:
    return np.stack([table[..., label == c].sum(axis=-1) for c in range(label.max() + 1)], axis=-1)


def _group(rows: np.ndarray) -> np.ndarray:
    """Labels 0, 1, ... of equal rows, numbered by first appearance."""
    # not np.unique: it makes a record type with a field for each of the thousands of columns; 0.0 makes 0 of -0
    found: dict[bytes, int] = {}
    return np.array([found.setdefault(row.tobytes(), len(found)) for row in np.round(rows, _DECIMALS) + 0.0])
