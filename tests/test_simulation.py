"""Monte Carlo estimates of J against exact values, and their standard errors against their spread."""

from __future__ import annotations

import joint
import networkx as nx
import numpy as np
import pytest
from builders import GRAPHS, random_mdp, random_policy

from lpi import exact, reference, simulation
from lpi.policy import LocalPolicy
from lpi.spreading import INITIAL, MEANINGS, spreading_process

TAU = 0.05


def spreading(convention: str = "success", **more):
    return spreading_process(nx.path_graph(4), p1_means=convention, p2_means=convention, **more)


def check(mdp, policy, seed: int, tau: float = TAU) -> None:
    """Both estimates within 4 standard errors of the exact value, which are small enough to notice a mistake."""
    found, expected = simulation.evaluate(mdp, policy, tau, 300, seed), exact.evaluate(mdp, policy, tau)
    uniform = exact.evaluate(mdp, LocalPolicy.uniform(mdp, 0), tau)
    for quantity in ("regularized", "unregularized"):
        value, known = getattr(expected, quantity), getattr(uniform, quantity)
        left_out = 2 * 5e-4 * abs(value - known)  # by the steps that an episode leaves out
        assert abs(getattr(found, quantity) - value) <= 4 * getattr(found, f"{quantity}_se") + left_out
    assert found.episodes == 300
    assert 0 < found.unregularized_se < 0.02 * expected.unregularized
    assert 0 < found.regularized_se < 0.02 * expected.regularized


@pytest.mark.parametrize("kappa", [0, 1, 2])
@pytest.mark.parametrize("rho", INITIAL)
@pytest.mark.parametrize("convention", MEANINGS)
def test_the_spreading_process(convention, rho, kappa):
    mdp = spreading(convention, rho=rho, rho_infected=0.3, rho_protected=0.8)
    check(mdp, random_policy(mdp, kappa, seed=kappa), seed=kappa)


@pytest.mark.parametrize("kappa", [0, 1, 2])
@pytest.mark.parametrize("graph", ["line", "ring", "star", "single"])
def test_mdps_that_do_not_decouple(graph, kappa):
    mdp = random_mdp(GRAPHS[graph], seed=kappa, components=1 + kappa)
    check(mdp, random_policy(mdp, kappa, seed=kappa), seed=10 + kappa)


@pytest.mark.parametrize("kappa", [0, 1])
@pytest.mark.parametrize("graph", ["line", "star"])
def test_random_mdps_that_decouple(graph, kappa):
    """Components of 2 and 3 values, agents with 1 to 3 ranks and actions, a mixed rho."""
    mdp = joint.decoupling_mdp(GRAPHS[graph], seed=1)
    check(mdp, random_policy(mdp, kappa, seed=kappa), seed=20 + kappa)


@pytest.mark.parametrize("tau", [0.0, 1.5])
def test_the_entropy_weight(tau):
    mdp = spreading()
    check(mdp, random_policy(mdp, 1, seed=2), seed=30, tau=tau)


def test_deterministic_policies_have_no_entropy():
    mdp = spreading()
    tables = [np.eye(2)[np.indices(table.shape[:-1]).sum(axis=0) % 2] for table in LocalPolicy.uniform(mdp, 1).tables]
    found = simulation.evaluate(mdp, LocalPolicy(mdp, 1, tables), TAU, 100)
    # what an episode leaves out of the entropy's shortfall against the uniform policy's
    left_out = 5e-4 * TAU * 4 * np.log(2) / (1 - mdp.gamma)
    assert abs(found.regularized - found.unregularized) <= left_out + 1e-12


def test_the_uniform_policy_is_known_without_error():
    """Where the MDP decouples the estimate is exact but for the reference's tolerance."""
    mdp = spreading()
    policy = LocalPolicy.uniform(mdp, 1)
    found, expected = simulation.evaluate(mdp, policy, TAU, 10), exact.evaluate(mdp, policy, TAU)
    assert found.regularized == pytest.approx(expected.regularized, rel=0, abs=2e-6)
    assert found.regularized_se < 1e-6 and found.unregularized_se < 1e-6


@pytest.mark.parametrize("mdp", [spreading(), random_mdp(GRAPHS["line"], seed=3, components=2)])
def test_the_standard_error_is_the_spread_over_seeds(mdp):
    policy, seeds = random_policy(mdp, 1, seed=3), 30
    found = [simulation.evaluate(mdp, policy, TAU, 100, seed) for seed in range(seeds)]
    expected = exact.evaluate(mdp, policy, TAU)
    for quantity in ("regularized", "unregularized"):
        means = np.array([getattr(estimate, quantity) for estimate in found])
        reported = np.array([getattr(estimate, f"{quantity}_se") for estimate in found])
        assert 0.7 < means.std(ddof=1) / np.sqrt((reported**2).mean()) < 1.4
        error = abs(means.mean() - getattr(expected, quantity))
        assert error <= 4 * np.sqrt((reported**2).mean() / seeds)


def test_the_same_seed_gives_the_same_bytes():
    mdp = random_mdp(GRAPHS["ring"], seed=4)
    policy = random_policy(mdp, 1, seed=4)
    first, second, other = (simulation.evaluate(mdp, policy, TAU, 70, seed) for seed in (5, 5, 6))
    assert first == second
    assert first.unregularized != other.unregularized


def test_an_evaluator_gives_every_policy_the_same_random_numbers():
    mdp = spreading()
    simulator = simulation.Simulator(mdp, 1, 70, np.random.SeedSequence(7), reference.reference(mdp, TAU))
    policies = [random_policy(mdp, 1, seed).flat() for seed in (8, 9, 8)]
    first, _, again = (simulator.evaluate(policy, TAU) for policy in policies)
    assert first == again


@pytest.mark.parametrize("convention", MEANINGS)
@pytest.mark.parametrize("seed", range(3))
def test_the_reference_saves_at_least_nine_tenths_of_the_variance(convention, seed, monkeypatch):
    mdp = spreading(convention)
    policy = random_policy(mdp, 1, seed)
    found = simulation.evaluate(mdp, policy, TAU, 200, seed)
    monkeypatch.setattr(reference, "autonomous_component", lambda mdp: None)
    plain = simulation.evaluate(mdp, policy, TAU, 200, seed)
    assert plain.unregularized_se**2 >= 10 * found.unregularized_se**2
    assert plain.regularized_se**2 >= 10 * found.regularized_se**2


def test_a_reference_that_would_be_too_large_is_done_without(monkeypatch):
    monkeypatch.setattr(reference, "REFERENCE_STATES", 2**4)
    mdp = spreading()
    policy = random_policy(mdp, 1, seed=10)
    found, expected = simulation.evaluate(mdp, policy, TAU, 300), exact.evaluate(mdp, policy, TAU)
    assert abs(found.unregularized - expected.unregularized) <= 4 * found.unregularized_se
    assert found.unregularized_se > 0.05


def test_one_episode_has_no_standard_error():
    mdp = spreading()
    with pytest.raises(ValueError, match="evaluation_episodes: 1 is not allowed"):
        simulation.evaluate(mdp, LocalPolicy.uniform(mdp, 0), TAU, 1)
