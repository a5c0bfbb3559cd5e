"""The best kappa-hop policies: stationary by brute force, as good as known optima, and the same bytes every time."""

from __future__ import annotations

import joint
import networkx as nx
import numpy as np
import oracles
import pytest
from builders import random_mdp, random_policy

from lpi import exact
from lpi.mdp import NetworkedMDP
from lpi.policy import LocalPolicy
from lpi.solvers.adjoint import Adjoint
from lpi.spreading import MEANINGS, spreading_process

TAU = 0.07
GRAPHS = {
    "single": nx.path_graph(1),
    "line": nx.path_graph(4),
    "ring": nx.cycle_graph(3),
    "star": nx.star_graph(3),
    "random": nx.gnp_random_graph(4, 0.6, seed=3),
}
# loss of the best kappa-hop policy, n = 4, tau = 0.05, uniform rho: what independent prototypes found, in their digits
KNOWN = {"failure": [0.0013, 0.0, 0.0, 0.0], "success": [0.0956, 0.0046, 0.0002, 0.0]}


def spreading(graph, convention: str = "success", **more):
    return spreading_process(graph, p1_means=convention, p2_means=convention, **more)


def derivative(mdp, policy, direction, tau: float, step: float = 1e-6) -> float:
    """Of brute-force J along tables `direction`."""
    values = [
        joint.evaluate(
            mdp,
            LocalPolicy(mdp, policy.kappa, [t + h * d for t, d in zip(policy.tables, direction, strict=True)]),
            tau,
        ).regularized
        for h in (step, -step)
    ]
    return (values[0] - values[1]) / (2 * step)


def tangents(policy, seed: int, number: int):
    """Random directions that keep rows' sums; small where a probability is small."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        directions = [rng.normal(size=table.shape) for table in policy.tables]
        yield [
            (d - d.mean(axis=-1, keepdims=True)) * t.min(axis=-1, keepdims=True)
            for d, t in zip(directions, policy.tables, strict=True)
        ]


@pytest.mark.parametrize("kappa", [0, 1, 2])
@pytest.mark.parametrize("graph", GRAPHS)
def test_the_gradient_is_that_of_brute_force(graph, kappa):
    for mdp in (random_mdp(GRAPHS[graph], seed=kappa, components=2), spreading(GRAPHS[graph])):
        policy = random_policy(mdp, kappa, seed=1, smallest=0.05)
        evaluator = exact.Evaluator(mdp, kappa)
        adjoint, flat = Adjoint(mdp, kappa, evaluator), policy.flat()
        values = evaluator.evaluate(flat, TAU, 1e-11).start.reshape(-1, 2) @ [1, TAU]
        q, mass = adjoint.action_values(flat, values, adjoint.occupancy(flat, 1e-11))
        sizes = [np.prod(table.shape[:-1]) for table in policy.tables]
        mass = np.concatenate(
            [np.repeat(m, a) for m, a in zip(np.split(mass, np.cumsum(sizes)[:-1]), mdp.actions, strict=True)]
        )
        gradient = (q - TAU * mass * np.log(flat)) / (1 - mdp.gamma)
        for direction in tangents(policy, seed=2, number=3):
            expected = derivative(mdp, policy, direction, TAU)
            found = gradient @ np.concatenate([d.ravel() for d in direction])
            assert found == pytest.approx(expected, rel=1e-6, abs=3e-7)


@pytest.mark.parametrize("kappa", [0, 1])
@pytest.mark.parametrize("graph", GRAPHS)
def test_what_is_found_is_stationary_and_its_value_right(graph, kappa):
    mdp = random_mdp(GRAPHS[graph], seed=10 + kappa)
    found = exact.best_local(mdp, kappa, TAU)
    assert found.policy.kappa == kappa and 0 <= found.gain <= 1e-9
    assert found.regularized == pytest.approx(joint.evaluate(mdp, found.policy, TAU).regularized, rel=0, abs=1e-9)
    assert found.unregularized == pytest.approx(joint.evaluate(mdp, found.policy, TAU).unregularized, rel=0, abs=1e-9)
    assert found.regularized == max(found.start_values)
    for direction in tangents(found.policy, seed=3, number=5):
        assert abs(derivative(mdp, found.policy, direction, TAU)) < 1e-5
    for seed in range(3):  # no policy near or far is better
        other = random_policy(mdp, kappa, seed)
        mixed = [0.99 * t + 0.01 * u for t, u in zip(found.policy.tables, other.tables, strict=True)]
        for policy in (other, LocalPolicy(mdp, kappa, mixed)):
            assert joint.evaluate(mdp, policy, TAU).regularized < found.regularized


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("graph", [nx.path_graph(3), nx.cycle_graph(3), nx.star_graph(2), nx.path_graph(1)])
def test_nothing_is_lost_at_the_diameter_of_an_mdp_that_decouples(graph, seed):
    mdp = joint.decoupling_mdp(graph, seed)
    best = exact.optimum(mdp, TAU)
    found = exact.best_local(mdp, nx.diameter(graph), TAU)
    assert found.regularized == pytest.approx(best.regularized, rel=0, abs=1e-8)
    assert found.unregularized == pytest.approx(best.unregularized, rel=0, abs=1e-4)


@pytest.mark.parametrize("convention", MEANINGS)
def test_the_losses_of_the_experiment(convention):
    mdp = spreading(nx.path_graph(4), convention)
    best = exact.optimum(mdp, 0.05).regularized
    found = exact.best_local_up_to(mdp, 3, 0.05)
    losses = [best - solution.regularized for solution in found]
    assert losses == pytest.approx(KNOWN[convention], rel=0, abs=5e-5)
    assert min(losses) > -1e-9 and losses == sorted(losses, reverse=True)
    for solution in found:
        assert np.ptp(solution.start_values) < 1e-8  # every start leads to the same value


def test_the_value_never_falls_from_any_start(monkeypatch):
    from lpi.solvers import local_optimum

    seen = []
    search = local_optimum._Search._line_search

    def recorded(self, point, image, slope):
        following = search(self, point, image, slope)
        if following is not None:
            seen.append(following.regularized - point.regularized)
        return following

    monkeypatch.setattr(local_optimum._Search, "_line_search", recorded)
    mdp = random_mdp(nx.cycle_graph(4), seed=20, states=(2,), actions=(2, 3))
    exact.best_local(mdp, 1, 0.01, ("uniform", "random", "random", "random"), seed=4)
    assert len(seen) > 4 and min(seen) >= 0


def test_greedy_policies_without_entropy():
    """One agent alone: the optimum.  More: no deviation of one row improves J."""
    alone = random_mdp(nx.path_graph(1), seed=30, states=(3,), actions=(3,))
    found = exact.best_local(alone, 0, 0.0)
    assert found.regularized == found.unregularized == pytest.approx(joint.optimum(alone, 0.0), rel=0, abs=1e-8)
    mdp = random_mdp(nx.path_graph(3), seed=31, states=(2,), actions=(2,))
    found = exact.best_local(mdp, 1, 0.0)
    for i, table in enumerate(found.policy.tables):
        for row in np.ndindex(*table.shape[:-1]):
            for action in range(2):
                tables = [t.copy() for t in found.policy.tables]
                tables[i][row] = np.eye(2)[action]
                assert joint.evaluate(mdp, LocalPolicy(mdp, 1, tables), 0.0).regularized <= found.regularized + 1e-8


@pytest.mark.parametrize("gamma, actions", [(0.0, (2, 3)), (0.9, (1,)), (0.5, (3, 1))])
def test_no_future_and_no_choice(gamma, actions):
    mdp = random_mdp(nx.path_graph(3), seed=40, gamma=gamma, actions=actions)
    found = exact.best_local(mdp, 1, TAU)
    assert found.regularized == pytest.approx(joint.evaluate(mdp, found.policy, TAU).regularized, rel=0, abs=1e-9)
    if gamma == 0:  # the reward reads the own state alone
        assert found.regularized == pytest.approx(joint.optimum(mdp, TAU), rel=0, abs=1e-9)


def test_rows_that_are_never_reached_stay():
    base = spreading(nx.path_graph(3), rho="one_infected")
    mdp = NetworkedMDP(base.network, base.transitions, base.rewards, 0.0, base.rho)
    found = exact.best_local(mdp, 1, TAU, ("uniform",))
    assert found.policy.tables[1][3, 3, 3].tolist() == [0.5, 0.5]
    assert found.gain <= 1e-9


def test_the_same_arguments_give_the_same_bytes_and_the_seed_matters():
    mdp = random_mdp(nx.path_graph(3), seed=50)
    first, second, third = (exact.best_local(mdp, 1, TAU, ("random",), seed) for seed in (0, 0, 1))
    assert first.policy.flat().tobytes() == second.policy.flat().tobytes()
    assert first.regularized == second.regularized
    assert first.policy.flat().tobytes() != third.policy.flat().tobytes()


def test_truncation_of_the_optimum_is_equation_16():
    mdp = spreading(nx.path_graph(4))
    full, short = exact.truncated_optimum(mdp, 3, TAU), exact.truncated_optimum(mdp, 1, TAU, default=[2, 0, 1, 3])
    assert exact.evaluate(mdp, full, TAU).regularized == pytest.approx(
        exact.optimum(mdp, TAU).regularized, rel=0, abs=1e-8
    )
    for i, around in enumerate(oracles.neighbourhoods(mdp, 1)):
        for local in oracles.all_values(mdp.states, around):
            extended = oracles.extension(around, local, [2, 0, 1, 3])
            assert short.probabilities(i, extended).tolist() == full.probabilities(i, extended).tolist()
    assert exact.truncated_optimum(random_mdp(nx.path_graph(3), seed=60), 1, TAU) is None


def test_lifting_keeps_the_policy():
    mdp = random_mdp(nx.path_graph(4), seed=61)
    policy = random_policy(mdp, 1, seed=61)
    wide = exact.lifted(mdp, policy, 2)
    for state in oracles.all_values(mdp.states, range(4)):
        for i in range(4):
            assert wide.probabilities(i, state).tolist() == policy.probabilities(i, state).tolist()
    found = exact.best_local(mdp, 2, TAU, (policy,))
    assert found.starts == ("given",) and found.regularized > exact.evaluate(mdp, policy, TAU).regularized


def test_more_memory_is_needed_than_for_an_evaluation():
    mdp = spreading(nx.path_graph(5))
    limit = next(size for size in range(0, 10**6, 1000) if exact.fits(mdp, 1, size))
    exact.evaluate(mdp, LocalPolicy.uniform(mdp, 1), TAU, memory_limit=limit)
    for solve in (
        lambda: exact.best_local(mdp, 1, TAU, ("uniform",), memory_limit=limit),
        lambda: exact.occupancy(mdp, LocalPolicy.uniform(mdp, 1), memory_limit=limit),
    ):
        with pytest.raises(ValueError, match=r"exact evaluation: 1\.02e\+03 joint states need"):
            solve()


def test_bad_arguments_are_refused_in_one_line():
    mdp = random_mdp(nx.path_graph(3), seed=62)
    for arguments, message in [
        (dict(tau=-1.0), r"tau: -1\.0 is not allowed"),
        (dict(tau=TAU, starts=("best",)), "starts: 'best' is not allowed; one of lifted, optimum, random, uniform"),
        (dict(tau=TAU, starts=("optimum",)), "starts: none of .* is available here"),
        (dict(tau=TAU, starts=(random_policy(mdp, 2, 0),)), "starts: a policy of 2 hops is not allowed; at most 1"),
        (dict(tau=TAU, tolerance=0.0), r"tolerance: 0\.0 is not allowed"),
        (dict(tau=TAU, memory_limit=1000), "joint states need"),
    ]:
        with pytest.raises(ValueError, match=message) as refused:
            exact.best_local(mdp, 1, **arguments)
        assert "\n" not in str(refused.value)
