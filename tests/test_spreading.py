"""The simulator against the transition probabilities of section 6.1, enumerated by the oracle."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import oracles
import pytest
from numba import njit
from scipy.stats import chisquare

from lpi.evaluation import draw_component, draw_initial, draw_next
from lpi.mdp import InitialDistribution, NetworkedMDP
from lpi.spreading import INITIAL, spreading_process

GRAPHS = {
    "single": nx.path_graph(1),
    "line": nx.path_graph(4),
    "ring": nx.cycle_graph(3),
    "star": nx.star_graph(3),
    "tree": nx.Graph([(2, 0), (2, 3), (3, 1)]),
}
CONVENTIONS = list(itertools.product(("failure", "success"), repeat=2))
GENERIC = dict(p1=0.62, p2=0.71, p_eff=0.37)  # no two of the numbers that follow from these coincide


def _enumerated(mdp, i, s, action, **parameters) -> list[float]:
    neighbours = oracles.restrict(s, oracles.neighbourhoods(mdp, 1)[i])
    return [oracles.spreading_probability(neighbours, s[i], action, target, **parameters) for target in range(4)]


@pytest.mark.parametrize("p1_means, p2_means", CONVENTIONS)
@pytest.mark.parametrize("graph", GRAPHS)
def test_tables_hold_the_enumerated_probabilities(graph, p1_means, p2_means):
    parameters = dict(GENERIC, p1_means=p1_means, p2_means=p2_means)
    mdp = spreading_process(GRAPHS[graph], **parameters)
    closest = oracles.neighbourhoods(mdp, 1)
    for s in itertools.product(range(4), repeat=mdp.agents):
        for i in range(mdp.agents):
            for action in (0, 1):
                found = mdp.transitions[i][(*oracles.restrict(s, closest[i]), action)]
                np.testing.assert_allclose(found, _enumerated(mdp, i, s, action, **parameters), rtol=0, atol=1e-15)


@pytest.mark.parametrize("p1_means, p2_means", CONVENTIONS)
@pytest.mark.parametrize("graph", GRAPHS)
def test_kernel_inverts_the_enumerated_probabilities(graph, p1_means, p2_means):
    """Every agent, every joint state, both actions: `draw_next` changes its value exactly at the cumulative sums."""
    parameters = dict(GENERIC, p1_means=p1_means, p2_means=p2_means)
    mdp = spreading_process(GRAPHS[graph], **parameters)
    model, target = mdp.tables(), np.empty(mdp.agents, dtype=np.int64)
    for s in itertools.product(range(4), repeat=mdp.agents):
        for shift in (0, 1):
            a = [(i + shift) % 2 for i in range(mdp.agents)]  # both actions of every agent over the two shifts
            state, action = np.array(s), np.array(a)
            rows = [_enumerated(mdp, i, s, a[i], **parameters) for i in range(mdp.agents)]
            for value in range(4):
                for end in (0, 1):
                    edges = [(sum(row[:value]), sum(row[: value + 1])) for row in rows]
                    numbers = [low + 1e-12 if end == 0 else high - 1e-12 for low, high in edges]
                    draw_next(model, np.clip(numbers, 0, 1 - 1e-15), state, action, target)
                    for i, row in enumerate(rows):
                        if row[value] > 0:
                            assert target[i] == value, (i, s, a[i], value, end)


@njit
def _next_state_counts(model, uniforms, state, action, counts):
    target = np.empty_like(state)
    for k in range(len(uniforms)):
        draw_next(model, uniforms[k], state, action, target)
        cell = 0
        for value in target:
            cell = 4 * cell + value
        counts[cell] += 1


@pytest.mark.parametrize("p1_means, p2_means", CONVENTIONS)
def test_kernel_frequencies_are_those_of_the_product(p1_means, p2_means):
    """(1): joint next states on a line of three, including that agents move independently; fixed seed."""
    parameters = dict(GENERIC, p1_means=p1_means, p2_means=p2_means)
    mdp = spreading_process(nx.path_graph(3), **parameters)
    rng = np.random.default_rng(7)
    for s, a in (((2, 0, 1), (0, 1, 0)), ((0, 0, 3), (1, 0, 1)), ((1, 2, 0), (1, 1, 1)), ((0, 0, 0), (1, 1, 0))):
        counts = np.zeros(64, dtype=np.int64)
        _next_state_counts(mdp.tables(), rng.random((100_000, 6)), np.array(s), np.array(a), counts)
        rows = [_enumerated(mdp, i, s, a[i], **parameters) for i in range(3)]
        expected = np.array([np.prod(cells) for cells in itertools.product(*rows)])
        possible = expected > 0
        assert counts[~possible].sum() == 0
        assert chisquare(counts[possible], counts.sum() * expected[possible]).pvalue > 1e-4


def test_rewards():
    mdp = spreading_process(nx.path_graph(3), cost=0.3)
    for table in mdp.rewards:
        expected = [[oracles.spreading_reward(s, a, 0.3) for a in (0, 1)] for s in range(4)]
        np.testing.assert_array_equal(table, expected)
    assert mdp.rewards[0][2, 0] == 1 and mdp.rewards[0][3, 1] == 2 - 0.3
    assert mdp.reward_bound == 2


def test_the_dead_state_is_absorbing():
    """Nobody reached stays so, whatever is done (section 6.1: no action enters s1)."""
    mdp = spreading_process(nx.path_graph(4), p1_means="success", p2_means="success")
    for i, table in enumerate(mdp.transitions):
        for s in itertools.product((0, 1), repeat=len(mdp.network.neighbourhood(i, 1))):
            assert (table[s][..., 2:] == 0).all()


def _joint_distribution(rho: InitialDistribution, agents: int) -> dict:
    return {
        s: sum(
            rho.weights[c] * np.prod([rho.marginals[i][c, s[i]] for i in range(agents)])
            for c in range(len(rho.weights))
        )
        for s in itertools.product(range(4), repeat=agents)
    }


def _expected_initial(name: str, s: tuple, infected: float, protected: float) -> float:
    if name == "uniform":
        return 1 / 4 ** len(s)
    if name == "independent_bits":
        return float(
            np.prod([(infected if x // 2 else 1 - infected) * (protected if x % 2 else 1 - protected) for x in s])
        )
    if name == "one_infected":
        return 1 / len(s) if sorted(s) == [0] * (len(s) - 1) + [2] else 0.0
    assert name == "all_infected"
    return float(all(x == 2 for x in s))


@njit
def _initial_counts(model, uniforms, counts):
    state = np.empty(len(model.actions), dtype=np.int64)
    for k in range(0, len(uniforms), 2):
        draw_initial(model, uniforms[k + 1], draw_component(model, uniforms[k, 0]), state)
        cell = 0
        for value in state:
            cell = 4 * cell + value
        counts[cell] += 1


@pytest.mark.parametrize("name", INITIAL)
def test_initial_distributions(name):
    mdp = spreading_process(nx.path_graph(3), rho=name, rho_infected=0.2, rho_protected=0.9)
    expected = {s: _expected_initial(name, s, 0.2, 0.9) for s in itertools.product(range(4), repeat=3)}
    found = _joint_distribution(mdp.rho, 3)
    assert sum(expected.values()) == pytest.approx(1, abs=1e-12)
    assert found == pytest.approx(expected, abs=1e-15)

    counts = np.zeros(64, dtype=np.int64)
    _initial_counts(mdp.tables(), np.random.default_rng(5).random((100_000, 6)), counts)
    probabilities = np.array(list(expected.values()))
    possible = probabilities > 0
    assert counts[~possible].sum() == 0
    if possible.sum() > 1:
        assert chisquare(counts[possible], counts.sum() * probabilities[possible]).pvalue > 1e-4


def test_a_distribution_may_be_given():
    rho = InitialDistribution(np.array([0.25, 0.75]), (np.eye(4)[[0, 3]], np.eye(4)[[1, 2]]))
    mdp = spreading_process(nx.path_graph(2), rho=rho)
    joint = _joint_distribution(mdp.rho, 2)
    assert joint[0, 1] == 0.25 and joint[3, 2] == 0.75


def test_defaults_are_the_experiment_as_printed():
    named = dict(p1=0.6, p2=0.7, p_eff=0.4, cost=0.3, gamma=0.95, p1_means="failure", p2_means="failure", rho="uniform")
    default, explicit = spreading_process(nx.path_graph(3)), spreading_process(nx.path_graph(3), **named)
    assert isinstance(default, NetworkedMDP) and default.gamma == explicit.gamma == 0.95
    assert list(default.states) == [4, 4, 4] and list(default.actions) == [2, 2, 2]
    for one, other in zip(default.transitions + default.rewards, explicit.transitions + explicit.rewards, strict=True):
        np.testing.assert_array_equal(one, other)
    everything = oracles.spreading_probability((2, 0), 0, 1, 3, 0.6, 0.7, 0.4, "failure", "failure")
    assert everything == pytest.approx(0.4 * 0.4 * 0.3)


@pytest.mark.parametrize("key", ["p1", "p2", "p_eff", "rho_infected", "rho_protected"])
@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan")])
def test_probabilities_out_of_range(key, value):
    with pytest.raises(ValueError, match=rf"^{key}: {value} is not allowed; a probability in \[0, 1\]$"):
        spreading_process(nx.path_graph(2), **{key: value})


@pytest.mark.parametrize("key", ["p1_means", "p2_means", "rho"])
def test_unknown_words(key):
    with pytest.raises(ValueError, match=f"^{key}: 'wrong' is not allowed; one of "):
        spreading_process(nx.path_graph(2), **{key: "wrong"})
