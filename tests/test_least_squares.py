"""Least-squares TD against its definition, on the trajectories of TD(0), and against the limit of TD(0)."""

from __future__ import annotations

import networkx as nx
import numpy as np
import oracles
import pytest
from builders import GRAPHS, random_mdp, random_policy, state_index

import lpi
from lpi import experiment, trajectories
from lpi.config import LATER, SETTINGS, flat, resolve
from lpi.evaluation import entropies, localized_td, q_tables
from lpi.least_squares import localized_lstd
from lpi.memory import run_memory
from lpi.studies.td_limit import td_limit

TAU = 0.07


def learned(mdp, policy, beta, rng, updates, episode_length, reward_at="departure", start=0.0):
    q, index = q_tables(mdp, beta, start), state_index(mdp, policy.kappa)
    bonus = mdp.agents * TAU * entropies(policy.flat(), index, mdp.actions)
    error = localized_lstd(mdp.tables(), q, policy.flat(), index, bonus, updates, episode_length, reward_at, rng)
    return q, error


@pytest.mark.parametrize("reward_at", ["arrival", "departure"])
@pytest.mark.parametrize("kappa, beta, length", [(0, 0, 300), (1, 1, 7), (0, 1, 20), (2, 1, 1)])
@pytest.mark.parametrize("graph", ["line", "star", "random", "single"])
def test_the_definition(graph, kappa, beta, length, reward_at):
    mdp = random_mdp(GRAPHS[graph], seed=111, components=1 + kappa)
    policy = random_policy(mdp, kappa, seed=112)
    rng, same_rng = np.random.default_rng(113), np.random.default_rng(113)
    q, error = learned(mdp, policy, beta, rng, 300, length, reward_at, start=4.5)
    tables = oracles.policy_dictionaries(mdp, policy)
    rows = oracles.rows_of_uniforms(same_rng, mdp.agents)
    records = oracles.collect_episodes(mdp, tables, kappa, 300, length, rows)
    starts = oracles.q_dictionaries(mdp, beta, np.full(len(q.values), 4.5))
    found = [
        oracles.localized_lstd(mdp, i, beta, records, tables, kappa, TAU, reward_at, starts[i])
        for i in range(mdp.agents)
    ]
    assert rng.random() == same_rng.random(), "rows were drawn and thrown away"
    np.testing.assert_allclose(q.values, oracles.flat([values for values, _, _ in found]), rtol=1e-8)
    visited = [pair in pairs for values, pairs, _ in found for pair in values]
    np.testing.assert_array_equal(q.visited, visited)
    assert error == pytest.approx(sum(total for *_, total in found) / (300 * mdp.agents), rel=1e-7)


def test_the_trajectories_are_those_of_td():
    """Both leave the generator in the same place and visit the same pairs."""
    mdp = random_mdp(GRAPHS["line"], seed=121, components=2)
    policy = random_policy(mdp, 1, seed=122)
    rng, same_rng = np.random.default_rng(1), np.random.default_rng(1)
    found, _ = learned(mdp, policy, 1, rng, 700, 9)
    q, index = q_tables(mdp, 1, 0.0), state_index(mdp, 1)
    bonus = np.zeros(index.offset[-1])
    localized_td(mdp.tables(), q, policy.flat(), index, bonus, 700, 9, "departure", (0.1, None), same_rng)
    assert rng.random() == same_rng.random()
    np.testing.assert_array_equal(found.visited, q.visited)


@pytest.mark.parametrize("rows", [1, 3, 5000])
def test_the_size_of_the_blocks_does_not_matter(monkeypatch, rows):
    mdp = random_mdp(GRAPHS["star"], seed=131, components=2)
    policy = random_policy(mdp, 1, seed=132)
    one, _ = learned(mdp, policy, 1, np.random.default_rng(1), 130, 9)
    monkeypatch.setattr(trajectories, "_ROWS", rows)
    other, _ = learned(mdp, policy, 1, np.random.default_rng(1), 130, 9)
    np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize("reward_at", ["departure", "arrival"])
@pytest.mark.parametrize("kappa, beta", [(0, 0), (1, 0), (0, 1)])
def test_many_samples_come_to_the_limit_of_td(kappa, beta, reward_at):
    mdp = random_mdp(nx.path_graph(3), seed=141, states=(2,), actions=(2,), gamma=0.8, smallest=0.2)
    policy = random_policy(mdp, kappa, seed=142, smallest=0.3)
    expected = td_limit(mdp, policy, beta, TAU, 12, reward_at)
    off = [
        abs(learned(mdp, policy, beta, np.random.default_rng(143), count, 12, reward_at)[0].values - expected).max()
        for count in (4_000, 400_000)
    ]
    assert off[1] < 0.05 and off[1] < off[0] / 3


def test_pairs_that_nobody_leaves_keep_their_value():
    mdp = lpi.spreading_process(nx.path_graph(3), rho="all_infected", p2=1.0)  # protection never lasts: s2 stays 0
    q, _ = learned(mdp, random_policy(mdp, 0, seed=151), 0, np.random.default_rng(1), 200, 5, start=-3.5)
    values = q.values.reshape(3, 4, 2)
    assert (values[:, [1, 3]] == -3.5).all() and (values[:, [0, 2]] > 0).all()


def test_training_with_it_beats_td_on_few_samples():
    """No step size to wait for: the same few samples, carried over from an optimistic start, are used up."""
    mdp = lpi.spreading_process(nx.path_graph(3), p1_means="success", p2_means="success")
    best, final = lpi.exact.optimum(mdp, 0.05).regularized, {}
    for name in ("td0", "lstd"):
        config = lpi.TrainingConfig(
            kappa=0, eta=1.0, outer_loops=5, inner_start="carried", q_start="optimistic", q_reset="once",
            reward_at="departure", episode_length=20, trajectory_length=4_000, policy_evaluation=name,
        )  # fmt: skip
        final[name] = np.mean([lpi.train(mdp, config, seed).records[-1].regularized for seed in range(4)])
    assert final["td0"] < final["lstd"] < best


def test_results_made_before_it_keep_their_names():
    """A default is not written down: published configurations and the multiverse's fingerprints stay."""
    assert not set(LATER) & set(flat(resolve("working")))
    assert flat(resolve("working", {"policy_evaluation": "lstd"}))["policy_evaluation"] == "lstd"
    assert set(flat(resolve("working"))) | set(LATER) == set(SETTINGS)
    found = experiment.load({"settings": {"policy_evaluation": "lstd"}})
    assert found.assignments("working") == ("policy_evaluation=lstd",)


def test_trajectories_are_in_the_memory_that_is_predicted():
    more = [run_memory(resolve("working", {"policy_evaluation": name, "kappa": 0})) for name in ("td0", "lstd")]
    assert 100_000 * 150 < more[1] - more[0] < 100_000 * 300
