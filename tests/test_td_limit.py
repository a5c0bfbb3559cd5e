"""The limit of TD(0) against line 4 in expectation over all pairs, against sampled TD(0), and against the exact Q."""

from __future__ import annotations

import networkx as nx
import numpy as np
import oracles
import pytest
from builders import random_mdp, random_policy

from lpi.algorithm import train
from lpi.config import TrainingConfig
from lpi.exact import optimum
from lpi.spreading import spreading_process
from lpi.studies.td_limit import expected_policy_iteration, td_limit, visiting

TAU = 0.07


def _problem(kappa: int):
    mdp = random_mdp(nx.path_graph(3), seed=101, states=(2,), actions=(2,), gamma=0.8)
    policy = random_policy(mdp, kappa, seed=102)
    return mdp, policy, oracles.policy_dictionaries(mdp, policy)


@pytest.mark.parametrize("reward_at", ["departure", "arrival"])
@pytest.mark.parametrize("kappa, beta, length", [(0, 0, 1), (1, 0, 7), (0, 1, 7), (1, 1, 20), (1, 2, 3)])
def test_line_4_stands_still(kappa, beta, length, reward_at):
    mdp, policy, tables = _problem(kappa)
    expected = [oracles.td_limit(mdp, i, tables, kappa, beta, TAU, reward_at, length) for i in range(3)]
    # the oracle lists the pairs in the order in which they occur
    expected = [dict(sorted(table.items())) for table in expected]
    np.testing.assert_allclose(td_limit(mdp, policy, beta, TAU, length, reward_at), oracles.flat(expected), rtol=1e-9)


@pytest.mark.parametrize("length", [1, 30])
def test_who_sees_everything_finds_the_exact_q(length):
    """Whatever the episodes, once line 6 has taken its function of the state away."""
    mdp, policy, tables = _problem(1)
    exact = oracles.flat([oracles.exact_q(mdp, i, tables, 1, TAU) for i in range(3)])
    found = oracles.q_dictionaries(mdp, 2, td_limit(mdp, policy, 2, TAU, length))
    corrected = [oracles.line_6(mdp, i, 2, found[i], tables, 1, TAU, (0, 0, 0)) for i in range(3)]
    np.testing.assert_allclose(oracles.flat(corrected), exact, rtol=1e-9)


def test_shares_of_visits_are_those_of_the_chain():
    mdp, policy, tables = _problem(1)
    z, matrix = oracles.pair_chain(mdp, tables, 1)
    weight = oracles.passed(mdp, tables, 1, z, matrix, 9)
    for i, share in enumerate(visiting(mdp, policy, 0, 9)):
        expected = np.zeros((2, 2))
        for (s, a), w in zip(z, weight, strict=True):
            expected[s[i], a[i]] += w
        np.testing.assert_allclose(share, expected, rtol=1e-12)


def test_pairs_that_nobody_visits_keep_their_start():
    mdp = spreading_process(nx.path_graph(3), rho="all_infected", p2=1.0)  # protection never lasts: s2 stays 0
    policy = random_policy(mdp, 0, seed=103)
    values = td_limit(mdp, policy, 0, TAU, 5, start=-3.5).reshape(3, 4, 2)
    assert (values[:, [1, 3]] == -3.5).all() and (values[:, [0, 2]] > 0).all()


def test_many_samples_come_close():
    """Algorithm 1 with sampled tables of 400,000 updates and small steps, against the expected tables."""
    mdp = spreading_process(nx.path_graph(3), p1_means="success", p2_means="success")
    settings = dict(
        kappa=0, eta=2.0, outer_loops=3, inner_start="carried", q_start=37.0, q_reset="once",
        reward_at="departure", episode_length=20, trajectory_length=400_000, step_size=0.003,
    )  # fmt: skip
    config = TrainingConfig(**settings)
    sampled = train(mdp, config, seed=0).records
    expected = expected_policy_iteration(mdp, config)
    gap = optimum(mdp, config.tau).regularized - expected[0].regularized
    for one, other in zip(sampled, expected, strict=True):
        assert abs(one.regularized - other.regularized) < 0.05 * gap
        assert abs(one.entropy - other.entropy) < 0.02


def test_too_many_states_are_refused():
    mdp = spreading_process(nx.path_graph(6))
    with pytest.raises(ValueError, match="agents: 6 is not allowed here: 4096 joint states"):
        visiting(mdp, random_policy(mdp, 0, seed=1), 0, 5)
