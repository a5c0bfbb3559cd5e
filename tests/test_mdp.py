"""Validation of networked MDPs, and what the kernels read of them."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import oracles
import pytest
from builders import GRAPHS, random_mdp

from lpi.mdp import InitialDistribution, NetworkedMDP


def _parts(graph=None, **changed):
    mdp = random_mdp(graph or nx.path_graph(3), seed=1, components=2)
    parts = dict(
        graph=graph or nx.path_graph(3),
        transitions=[table.copy() for table in mdp.transitions],
        rewards=[table.copy() for table in mdp.rewards],
        gamma=0.9,
        rho=mdp.rho,
    )
    return parts | changed


@pytest.mark.parametrize("graph", GRAPHS)
def test_any_graph_and_any_local_spaces(graph):
    mdp = random_mdp(GRAPHS[graph], seed=3, states=(2, 3, 3), actions=(3, 2))
    n = len(GRAPHS[graph])
    assert mdp.agents == n
    assert list(mdp.states) == [(2, 3, 3)[i % 3] for i in range(n)]
    assert list(mdp.actions) == [(3, 2)[i % 2] for i in range(n)]
    assert mdp.joint_states == len(list(oracles.all_values(mdp.states, range(n))))
    assert mdp.reward_bound == max(table.max() for table in mdp.rewards)
    model = mdp.tables()
    closest = oracles.neighbourhoods(mdp, 1)
    for i in range(n):
        at = model.cumulative_offset[i]
        for s in oracles.all_values(mdp.states, closest[i]):
            for a in range(mdp.actions[i]):
                row = np.append(model.cumulative[at : at + mdp.states[i] - 1], 1.0)
                np.testing.assert_allclose(np.diff(row, prepend=0), mdp.transitions[i][(*s, a)], atol=1e-15)
                at += mdp.states[i] - 1
        rewards = [
            model.rewards[model.rewards_offset[i] + s * mdp.actions[i] + a]
            for s, a in itertools.product(range(mdp.states[i]), range(mdp.actions[i]))
        ]
        assert rewards == list(mdp.rewards[i].ravel())


def test_joint_states_is_exact_beyond_64_bits():
    mdp = random_mdp(nx.path_graph(50), seed=0, states=(3,), actions=(2,))
    assert mdp.joint_states == 3**50


def test_rho_is_uniform_by_default():
    parts = _parts()
    del parts["rho"]
    mdp = NetworkedMDP(**parts)
    assert [list(table[0]) for table in mdp.rho.marginals] == [[1 / size] * size for size in mdp.states]


def test_tables_cannot_be_written():
    parts = _parts()
    mdp = NetworkedMDP(**parts)
    parts["rewards"][0][0, 0] = 7
    assert mdp.rewards[0][0, 0] != 7
    for table in (mdp.rewards[0], mdp.transitions[1]):
        with pytest.raises(ValueError, match="read-only"):
            table[...] = 0


@pytest.mark.parametrize("gamma", [1, 1.5, -0.1, float("nan")])
def test_gamma(gamma):
    with pytest.raises(ValueError, match=rf"^gamma: {gamma} is not allowed; a number in \[0, 1\)$"):
        NetworkedMDP(**_parts(gamma=gamma))


def test_gamma_may_be_zero():
    assert NetworkedMDP(**_parts(gamma=0)).gamma == 0


@pytest.mark.parametrize("key", ["transitions", "rewards"])
def test_one_table_per_agent(key):
    parts = _parts()
    with pytest.raises(ValueError, match="^transitions, rewards: .* one per agent, 3$"):
        NetworkedMDP(**parts | {key: parts[key][:2]})


@pytest.mark.parametrize("bad", [[1.0, 2.0], np.zeros((0, 2)), [[np.nan, 1.0]], [[np.inf, 1.0]]])
def test_bad_rewards(bad):
    parts = _parts()
    parts["rewards"][1] = np.array(bad)
    with pytest.raises(ValueError, match=r"^rewards\[1\]: .* finite numbers of shape"):
        NetworkedMDP(**parts)


def test_transition_of_another_shape():
    parts = _parts()
    parts["transitions"][2] = parts["transitions"][2][..., :-1]
    with pytest.raises(ValueError, match=r"^transitions\[2\]: shape \(3, 2, 2, 1\) is not allowed; \(3, 2, 2, 2\)$"):
        NetworkedMDP(**parts)


def test_transition_over_the_wrong_neighbours():
    """A table for the neighbours in another order is refused where the sizes show it."""
    parts = _parts()
    parts["transitions"][0] = np.moveaxis(parts["transitions"][0], 0, 1)
    with pytest.raises(ValueError, match=r"^transitions\[0\]"):
        NetworkedMDP(**parts)


@pytest.mark.parametrize("change", ["sum", "negative", "nan"])
def test_transition_that_is_no_distribution(change):
    parts = _parts()
    row = parts["transitions"][1][0, 0, 0, 0]
    if change == "sum":
        row[0] += 1e-6
    elif change == "negative":
        row[:] = [1.5, -0.5, 0]
    else:
        row[0] = np.nan
    with pytest.raises(ValueError, match=r"^transitions\[1\]: not a probability distribution; "):
        NetworkedMDP(**parts)


@pytest.mark.parametrize(
    "weights, marginals, name",
    [
        ([0.5, 0.6], [(2, 2), (2, 3), (2, 2)], "rho weights"),
        ([1.2, -0.2], [(2, 2), (2, 3), (2, 2)], "rho weights"),
        ([0.5, 0.5], [(2, 2), (2, 3)], "rho marginals: 2 tables; one per agent, 3"),
        ([0.5, 0.5], [(1, 2), (1, 3), (1, 2)], r"rho marginals\[0\]: shape \(1, 2\)"),
        ([0.5, 0.5], [(2, 2), (2, 2), (2, 2)], r"rho marginals\[1\]: shape \(2, 2\) is not allowed; \(2, 3\)"),
    ],
)
def test_bad_rho(weights, marginals, name):
    rho = InitialDistribution(np.array(weights), tuple(np.full(shape, 1 / shape[1]) for shape in marginals))
    with pytest.raises(ValueError, match=f"^{name}"):
        NetworkedMDP(**_parts(rho=rho))


def test_rho_marginal_that_is_no_distribution():
    rho = InitialDistribution.product([[0.5, 0.5], [0.2, 0.2, 0.2], [1.0, 0.0]])
    with pytest.raises(ValueError, match=r"^rho marginals\[1\]: not a probability distribution"):
        NetworkedMDP(**_parts(rho=rho))
