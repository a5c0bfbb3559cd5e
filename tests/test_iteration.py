"""Policy iteration and the optimum, where the MDP decouples and where it does not, against brute force."""

from __future__ import annotations

import itertools

import joint
import networkx as nx
import numpy as np
import pytest
from builders import random_mdp

from lpi import exact
from lpi.component import autonomous_component
from lpi.decoupled import decoupled_problem
from lpi.policy import LocalPolicy
from lpi.spreading import spreading_process

TAU = 0.07


def spreading(agents: int, convention: str = "success"):
    return spreading_process(nx.path_graph(agents), p1_means=convention, p2_means=convention)


# --------------------------------------------------------------------------------------------------------- decoupled


def lifted(mdp, policy) -> LocalPolicy:
    """A decoupled policy as one that reads the local states of all agents."""
    component, n = autonomous_component(mdp), mdp.agents
    tables = [np.empty((*mdp.states, int(mdp.actions[i]))) for i in range(n)]
    for s in itertools.product(*(range(int(size)) for size in mdp.states)):
        c = np.ravel_multi_index([component.label[i][s[i]] for i in range(n)], tuple(component.values))
        for i in range(n):
            tables[i][s] = policy[i][c, component.rank[i][s[i]]]
    return LocalPolicy(mdp, n, tables)


def decoupled_policies(mdp, seed: int):
    """The uniform policy's shapes from the optimum, filled at random, and the optimal policy."""
    best = exact.optimum(mdp, TAU)
    rng = np.random.default_rng(seed)
    return tuple(rng.dirichlet(np.ones(t.shape[2]), size=t.shape[:2]) for t in best.policy), best.policy


@pytest.mark.parametrize("mdp", [spreading(3), joint.decoupling_mdp(nx.star_graph(2), seed=20)])
def test_decoupled_values_agree_with_brute_force(mdp):
    for policy in decoupled_policies(mdp, seed=21):
        found = decoupled_problem(mdp).evaluate(policy, TAU)
        expected = joint.evaluate(mdp, lifted(mdp, policy), TAU)
        assert found.regularized == pytest.approx(expected.regularized, rel=0, abs=1e-8)
        assert found.unregularized == pytest.approx(expected.unregularized, rel=0, abs=1e-8)


@pytest.mark.parametrize("mdp", [spreading(3), joint.decoupling_mdp(nx.star_graph(2), seed=22)])
def test_decoupled_advantages_are_those_of_the_performance_difference(mdp):
    """Of a policy, its own entropies; of the optimum, n tau log pi: both known in closed form."""
    problem, weight = decoupled_problem(mdp), mdp.agents * TAU
    other, best = decoupled_policies(mdp, seed=23)
    for policy in (other, best):
        found = problem.evaluate(policy, TAU)
        for table, reward, entropy in zip(policy, found.reward_advantage, found.entropy_advantage, strict=True):
            own = -(table * np.log(table)).sum(axis=2)
            np.testing.assert_allclose((table * reward).sum(axis=2), 0, rtol=0, atol=1e-8)
            np.testing.assert_allclose((table * entropy).sum(axis=2), -own, rtol=0, atol=1e-8)
    for table, reward, entropy in zip(best, found.reward_advantage, found.entropy_advantage, strict=True):
        np.testing.assert_allclose(reward + weight * entropy, weight * np.log(table), rtol=0, atol=1e-6)


def test_a_policy_of_another_shape_is_refused():
    mdp = spreading(3)
    with pytest.raises(ValueError, match=r"policy: tables of shapes .* are not allowed; \[\(8, 2, 2\)"):
        decoupled_problem(mdp).evaluate([np.ones((8, 2, 3))] * 3, TAU)


def test_an_mdp_without_a_component_does_not_decouple():
    assert decoupled_problem(random_mdp(nx.path_graph(3), seed=24)) is None
