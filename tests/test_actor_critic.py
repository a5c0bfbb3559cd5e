"""The localized actor-critic: its gradient against its definition and against the derivative of J, its runs beside LPI's."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import oracles
import pytest
from builders import GRAPHS, random_mdp, random_policy, state_index

import lpi
from lpi.baselines import actor_critic
from lpi.evaluation import q_tables
from lpi.policy import LocalPolicy
from lpi.trajectories import collect

TAU = 0.07
WORKING = dict(
    inner_start="carried", q_start="optimistic", q_reset="once", reward_at="departure", episode_length=20
)  # fmt: skip


def _estimated(mdp, policy, q, beta, updates, length, centred, seed=3):
    index = state_index(mdp, policy.kappa)
    record = collect(mdp.tables(), policy.flat(), index, updates, length, np.random.default_rng(seed))
    around = mdp.network.neighbourhoods(policy.kappa)
    return actor_critic.gradient(mdp, q, policy.flat(), index, record, TAU, around, centred)


@pytest.mark.parametrize("kappa, beta, length", [(0, 0, 7), (1, 1, 50), (1, 0, 3)])
@pytest.mark.parametrize("graph", ["line", "star", "ring"])
def test_the_gradient_is_its_definition(graph, kappa, beta, length):
    mdp = random_mdp(GRAPHS[graph], seed=201, components=2)
    policy, q = random_policy(mdp, kappa, seed=202), q_tables(mdp, beta, 0.0)
    q.values[:] = np.random.default_rng(203).normal(size=len(q.values))
    tables = oracles.policy_dictionaries(mdp, policy)
    records = oracles.collect_episodes(
        mdp, tables, kappa, 50, length, oracles.rows_of_uniforms(np.random.default_rng(3), mdp.agents)
    )
    around, seen = oracles.neighbourhoods(mdp, kappa), oracles.neighbourhoods(mdp, beta)
    q_of, expected = oracles.q_dictionaries(mdp, beta, q.values), []
    for i in range(mdp.agents):
        found = {(s, b): 0.0 for s in tables[i] for b in range(int(mdp.actions[i]))}
        for record in records:
            for t, (s, a) in enumerate(record):
                x = oracles.restrict(s, around[i])
                total = sum(q_of[j][oracles.restrict(s, seen[j]), oracles.restrict(a, seen[j])] for j in around[i])
                factor = total / mdp.agents - TAU * math.log(tables[i][x][a[i]])
                for b, p in enumerate(tables[i][x]):
                    found[x, b] += mdp.gamma**t * factor * ((b == a[i]) - p) / len(records)
        expected += found.values()
    np.testing.assert_allclose(_estimated(mdp, policy, q, beta, 50, length, False), expected, rtol=1e-9, atol=1e-12)


def test_the_gradient_is_that_of_J():
    """Centred, with the exact Q functions of agents who see everything, on average over many long episodes."""
    mdp = random_mdp(nx.path_graph(2), seed=211, states=(2,), actions=(2,), gamma=0.6)
    policy, q = random_policy(mdp, 1, seed=212, smallest=0.2), q_tables(mdp, 1, 0.0)
    tables = oracles.policy_dictionaries(mdp, policy)
    q.values[:] = [value for i in range(2) for _, value in sorted(oracles.exact_q(mdp, i, tables, 1, TAU).items())]
    found = _estimated(mdp, policy, q, 1, 400_000, 25, True)
    index, theta = state_index(mdp, 1), np.log(policy.flat())
    for at in range(len(theta)):
        moved = []
        for step in (1e-4, -1e-4):
            other = theta.copy()
            other[at] += step
            flat = actor_critic.softmax(other, index, mdp.actions)
            moved.append(lpi.exact.evaluate(mdp, LocalPolicy.from_flat(mdp, 1, flat), TAU, 1e-11).regularized)
        assert found[at] == pytest.approx((moved[0] - moved[1]) / 2e-4, abs=0.01)
    assert abs(found).max() > 0.05


def test_centring_takes_noise_away_and_nothing_else():
    mdp = random_mdp(nx.path_graph(3), seed=221)
    policy, q = random_policy(mdp, 0, seed=222), q_tables(mdp, 0, 40.0)
    q.values[:] += np.random.default_rng(223).normal(scale=0.1, size=len(q.values))
    found = np.array(
        [[_estimated(mdp, policy, q, 0, 2_000, 20, centred, seed) for seed in range(30)] for centred in (False, True)]
    )
    spread = found.std(axis=1)
    assert (spread[1] < spread[0] / 10)[spread[0] > 0].mean() > 0.9
    error = spread[0] / math.sqrt(30) + 1e-12
    assert (abs(found[0].mean(axis=0) - found[1].mean(axis=0)) < 5 * error).all()


def test_it_learns_and_sees_what_lpi_sees():
    mdp = lpi.spreading_process(nx.path_graph(3), p1_means="success", p2_means="success")
    config = lpi.TrainingConfig(kappa=1, outer_loops=6, trajectory_length=20_000, **WORKING)
    found = actor_critic.train(mdp, config, 10.0, seed=1).records
    other = lpi.train(mdp, config, seed=1).records
    assert found[0][:8] == other[0][:8] and found[1].td_error == other[1].td_error
    assert [record.samples for record in found] == [record.samples for record in other]
    assert found[-1].regularized > found[0].regularized + 0.1
    assert actor_critic.train(mdp, config, 10.0, seed=1).records[-1] == found[-1]


def test_policies_stay_possible_whatever_the_step():
    mdp = random_mdp(GRAPHS["line"], seed=231)
    config = lpi.TrainingConfig(kappa=0, outer_loops=3, trajectory_length=200, **WORKING)
    found = actor_critic.train(mdp, config, 1e9, seed=0)
    assert (found.policy.flat() > 0).all()
    assert all(math.isfinite(record.regularized) for record in found.records)
