"""Policy iteration and the optimum, where the MDP decouples and where it does not, against brute force."""

from __future__ import annotations

import itertools

import joint
import networkx as nx
import numpy as np
import oracles
import pytest
from builders import random_mdp, random_policy
from hypothesis import given, settings
from hypothesis import strategies as st
from quantecon.markov import DiscreteDP
from scipy.optimize import minimize_scalar

from lpi import exact
from lpi.policy import LocalPolicy
from lpi.solvers.component import autonomous_component
from lpi.solvers.decoupled import decoupled_problem
from lpi.solvers.iteration import improve, joint_optimum
from lpi.solvers.joint_model import JointModel, joint_memory, joint_policy
from lpi.solvers.product_maximum import product_maximum
from lpi.spreading import spreading_process

TAU = 0.07
SMALL = {
    "line": nx.path_graph(4),
    "ring": nx.cycle_graph(4),
    "star": nx.star_graph(3),
    "random": nx.Graph([(0, 2), (2, 1), (2, 3), (0, 1)]),
}
# centralised J* under uniform rho: convention, agents, tau, J*
PUBLISHED = [("failure", 4, 0.05, 39.49939149), ("success", 4, 0.05, 37.13157699)]


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


# ------------------------------------------------------------------------------------------------- the joint states


def pairs(mdp):
    """Rewards (joint states, joint actions) and transitions (joint states, joint actions, joint states) of (1)."""
    states, closest = joint.joint_states(mdp), oracles.neighbourhoods(mdp, 1)
    rewards, transitions = [], []
    for a in oracles.all_values(mdp.actions, range(mdp.agents)):
        rewards.append(sum(mdp.rewards[i][states[:, i], a[i]] for i in range(mdp.agents)) / mdp.agents)
        table = np.ones((len(states), 1))
        for i in range(mdp.agents):
            local = mdp.transitions[i][(*(states[:, j] for j in closest[i]), a[i])]
            table = (table[:, :, None] * local[:, None, :]).reshape(len(states), -1)
        transitions.append(table)
    return np.stack(rewards, axis=1), np.stack(transitions, axis=1)


def best_products(q, actions, tau: float, seed: int, starts: int = 30) -> np.ndarray:
    """The largest E[q] + tau * entropies over product policies, for each row of q, from many random starts."""
    rng, n = np.random.default_rng(seed), len(actions)
    q = np.repeat(q, starts, axis=0).reshape(-1, *actions)
    policy = [rng.dirichlet(np.full(count, 0.5), size=len(q)) for count in actions]
    letters, value = "abcdef"[:n], -np.inf
    for _ in range(10_000):
        for i in range(n):
            others = [j for j in range(n) if j != i]
            spec = ",".join([f"z{letters}", *(f"z{letters[j]}" for j in others)])
            own = np.einsum(f"{spec}->z{letters[i]}", q, *(policy[j] for j in others)) / tau
            powers = np.exp(own - own.max(axis=1, keepdims=True))
            policy[i] = powers / powers.sum(axis=1, keepdims=True)
        mean = np.einsum(",".join([f"z{letters}", *(f"z{x}" for x in letters)]) + "->z", q, *policy)
        reached = mean - tau * sum((p * np.log(np.maximum(p, 1e-300))).sum(axis=1) for p in policy)
        if np.max(reached - value) < 1e-14:
            return reached.reshape(-1, starts).max(axis=1)
        value = reached
    raise AssertionError("the oracle did not converge")


def product_optimum(mdp, tau: float) -> float:
    """J of the best product policy by value iteration with `best_products`."""
    rewards, transitions = pairs(mdp)
    values = np.zeros(len(rewards))
    for seed in range(1000):
        improved = best_products(rewards + mdp.gamma * transitions @ values, mdp.actions, tau, seed)
        if np.abs(improved - values).max() < 1e-11:
            return float(joint.rho(mdp) @ improved)
        values = improved
    raise AssertionError("the oracle did not converge")


def model_q(mdp, values, **more) -> np.ndarray:
    return np.concatenate([q.copy() for _, q in JointModel(mdp, **more).q_values(values)])


@pytest.mark.parametrize("fixed", [0, 1, 3, 4])
@pytest.mark.parametrize("graph", SMALL)
def test_q_values_are_those_of_the_joint_tables(graph, fixed, monkeypatch):
    """However many agents' states a block fixes."""
    monkeypatch.setattr("lpi.solvers.joint_model._fixed_agents", lambda *_: fixed)
    mdp = random_mdp(SMALL[graph], seed=30, states=(2, 3, 1), actions=(2, 1, 3))
    rewards, transitions = pairs(mdp)
    values = np.random.default_rng(31).normal(size=len(rewards))
    found = model_q(mdp, values)
    np.testing.assert_allclose(found, rewards + mdp.gamma * transitions @ values, rtol=0, atol=1e-13)
    policy = random_policy(mdp, 3, seed=32)
    transition, stage = joint.system(mdp, policy)
    model, tables = JointModel(mdp), joint_policy(mdp, policy)
    np.testing.assert_allclose(model.average(tables, values[:, None])[:, 0], transition @ values, rtol=0, atol=1e-13)
    np.testing.assert_allclose(model.stage(tables), stage, rtol=0, atol=1e-13)
    assert model.under_rho(values) == pytest.approx(joint.rho(mdp) @ values, rel=0, abs=1e-13)


def best_of_two(q, tau: float) -> float:
    """The inner maximum for two agents of two actions: one's log-odds searched on a line, the other's softmax known."""

    def loss(odds):
        p = np.array([1 / (1 + np.exp(-odds)), 1 / (1 + np.exp(odds))])
        return -tau * (np.logaddexp(*(p @ q / tau)) - (p * np.log(p)).sum())

    grid = np.linspace(-60, 60, 1201)
    near = grid[np.argmin([loss(odds) for odds in grid])]
    return -minimize_scalar(loss, bounds=(near - 0.2, near + 0.2), method="bounded", options={"xatol": 1e-9}).fun


def test_the_inner_maximum_is_global_for_two_agents_that_must_coordinate():
    rng, tau = np.random.default_rng(33), 0.2
    for q in rng.normal(size=(50, 1, 4)):
        found = product_maximum(q, np.array([2, 2]), tau, np.full((1, 4), 0.5), 1e-12)
        assert found.value[0] == pytest.approx(best_of_two(q.reshape(2, 2), tau), rel=0, abs=1e-9)
        assert found.bound[0] == pytest.approx(tau * np.log(np.exp(q / tau).sum()), rel=0, abs=1e-12)
        assert found.value[0] <= found.bound[0] + 1e-12


def test_the_inner_maximum_of_a_sum_over_agents_needs_no_gap():
    rng, actions = np.random.default_rng(34), np.array([2, 3, 2])
    parts = [rng.normal(size=(20, count)) for count in actions]
    q = (parts[0][:, :, None, None] + parts[1][:, None, :, None] + parts[2][:, None, None, :]).reshape(20, -1)
    found = product_maximum(q, actions, TAU, np.full((20, 7), 0.5), 1e-13)
    np.testing.assert_allclose(found.value, found.bound, rtol=0, atol=1e-13)
    for part, begin in zip(parts, (0, 2, 5), strict=True):
        powers = np.exp((part - part.max(axis=1, keepdims=True)) / TAU)
        softmax = powers / powers.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found.policy[:, begin : begin + part.shape[1]], softmax, rtol=0, atol=1e-12)


@pytest.mark.parametrize("graph", SMALL)
def test_random_mdps_without_entropy_agree_with_brute_force(graph):
    mdp = random_mdp(SMALL[graph], seed=35, states=(2, 3, 2), actions=(2, 3, 2, 2))
    found = exact.optimum(mdp, 0)
    assert found.method == "joint"
    assert found.regularized == found.unregularized == pytest.approx(joint.optimum(mdp, 0), rel=0, abs=1e-9)
    assert 0 <= found.error_bound <= 1e-8


@pytest.mark.parametrize("tau", [0.02, 0.3])
@pytest.mark.parametrize("graph", SMALL)
def test_random_mdps_agree_with_brute_force(graph, tau):
    """Over all joint states, product policies by random starts and all joint policies; gamma small for its speed."""
    mdp = random_mdp(SMALL[graph], seed=36, states=(2, 3, 2), actions=(2, 2, 3), gamma=0.5)
    found = exact.optimum(mdp, tau)
    assert found.regularized == pytest.approx(product_optimum(mdp, tau), rel=0, abs=1e-9)
    above = joint.optimum(mdp, tau)
    assert found.regularized <= above + 1e-9
    assert above <= found.regularized + found.error_bound <= above + 0.02 * (above - found.regularized) + 1e-8
    shapes = [(*mdp.states, int(count)) for count in mdp.actions]
    policy = LocalPolicy(mdp, 3, [table.reshape(shape) for table, shape in zip(found.policy, shapes, strict=True)])
    expected = joint.evaluate(mdp, policy, tau)
    assert found.regularized == pytest.approx(expected.regularized, rel=0, abs=1e-9)
    assert found.unregularized == pytest.approx(expected.unregularized, rel=0, abs=1e-9)


@pytest.mark.parametrize(
    "mdp", [spreading(4), spreading(5, "failure"), *(random_mdp(SMALL[graph], seed=37) for graph in SMALL)]
)
def test_policy_iteration_without_entropy_agrees_with_quantecon(mdp):
    solved = DiscreteDP(*pairs(mdp), mdp.gamma).solve("policy_iteration")
    found = exact.policy_iteration(mdp, 0)
    assert found.converged
    np.testing.assert_allclose(found.best.values[:, 0], solved.v, rtol=0, atol=1e-8)
    assert exact.optimum(mdp, 0).regularized == pytest.approx(joint.rho(mdp) @ solved.v, rel=0, abs=1e-8)


@pytest.mark.parametrize("convention, agents, tau, published", PUBLISHED)
def test_policy_iteration_finds_the_optimum_of_the_experiment(convention, agents, tau, published):
    found = exact.policy_iteration(spreading(agents, convention), tau)
    assert found.converged and len(found.iterates) <= 4
    assert found.best.regularized == pytest.approx(published, rel=0, abs=1e-7)


@pytest.mark.parametrize("tau", [0.0, 0.05])
@pytest.mark.parametrize("mdp", [spreading(3), spreading(5), joint.decoupling_mdp(nx.star_graph(3), seed=38)])
def test_both_methods_agree_where_the_mdp_decouples(mdp, tau):
    decoupled, other = exact.optimum(mdp, tau), joint_optimum(mdp, tau, 1e-9)
    assert (decoupled.method, other.method) == ("decoupled", "joint")
    assert other.regularized == pytest.approx(decoupled.regularized, rel=0, abs=1e-8)
    assert other.unregularized == pytest.approx(decoupled.unregularized, rel=0, abs=1e-7)
    assert other.error_bound <= 1e-8 and decoupled.error_bound <= 1e-8


# --------------------------------------------------------------------------------------------- the theory of section 5


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(SMALL)), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.01, 0.1, 1.0]),
    st.floats(0.0, 0.95), st.floats(0.01, 100.0),
)  # fmt: skip
def test_t_is_a_contraction(graph, seed, tau, gamma, scale):
    """Proposition 1."""
    mdp = random_mdp(SMALL[graph], seed, states=(2, 2, 3), actions=(2, 3, 2), gamma=gamma)
    model, rng, start = JointModel(mdp), np.random.default_rng(seed), joint_policy(mdp, None)
    first, second = rng.normal(scale=scale, size=(2, mdp.joint_states))
    mapped = [improve(model, values, tau, start, 1e-11).value for values in (first, second)]
    assert np.abs(mapped[0] - mapped[1]).max() <= gamma * np.abs(first - second).max() + 1e-8


@pytest.mark.parametrize("tau", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("graph", SMALL)
def test_iterates_rise_and_converge_geometrically(graph, tau):
    """Theorem 6 (c), outside its hypotheses too: its proof needs none of them."""
    mdp = random_mdp(SMALL[graph], seed=39)
    start = random_policy(mdp, 1, seed=40)
    found = exact.policy_iteration(mdp, tau, start)
    expected = joint.evaluate(mdp, start, tau)
    np.testing.assert_allclose(found.iterates[0].values, expected.states, rtol=0, atol=1e-8)
    totals = [iterate.values @ [1, tau] for iterate in found.iterates]
    distances = [np.abs(total - totals[-1]).max() for total in totals]
    for m, (total, distance) in enumerate(zip(totals, distances, strict=True)):
        assert distance <= mdp.gamma**m * distances[0] + 1e-8
        assert m == 0 or (total >= totals[m - 1] - 1e-8).all()
    assert found.converged and found.best.residual <= 1e-9 * (1 - mdp.gamma) < found.iterates[0].residual


def test_a_start_by_joint_tables_and_few_iterations():
    mdp = random_mdp(SMALL["line"], seed=41)
    once = exact.policy_iteration(mdp, TAU, iterations=2)
    again = exact.policy_iteration(mdp, TAU, once.iterates[1].policy, iterations=1)
    assert not once.converged and not again.converged
    assert again.best.regularized == pytest.approx(once.best.regularized, rel=0, abs=1e-8)


@pytest.mark.parametrize(
    "more, message",
    [
        (dict(tau=-1), "tau: -1 is not allowed; a number >= 0"),
        (dict(tau=np.inf), "tau: inf is not allowed"),
        (dict(tau=np.nan), "tau: nan is not allowed"),
        (dict(iterations=0), "iterations: 0 is not allowed; an integer >= 1"),
        (dict(tolerance=0), "tolerance: 0 is not allowed; a number > 0"),
        (
            dict(start=[np.ones((2, 2))]),
            r"start: tables of shapes \[\(2, 2\)\] are not allowed; \[\(24, 2\), \(24, 3\)",
        ),
        (dict(start=[np.ones((24, a)) for a in (2, 3, 2, 1)]), "start: table 0 is not allowed; entries >= 0 that sum"),
        (dict(memory_limit=1000), r"24 joint states and 12 joint actions need \S+ GB; at most 1e-06 GB, that is about"),
    ],
)
def test_bad_input_is_refused_in_one_line(more, message):
    mdp = random_mdp(SMALL["line"], seed=42)
    with pytest.raises(ValueError, match=message) as refused:
        exact.policy_iteration(mdp, **{"tau": TAU, **more})
    assert "\n" not in str(refused.value)


def test_blocks_get_smaller_where_memory_is_short(monkeypatch):
    mdp = random_mdp(nx.path_graph(6), seed=43)
    least = joint_memory(mdp)
    values = np.random.default_rng(44).normal(size=mdp.joint_states)
    short, long = JointModel(mdp, least), JointModel(mdp)
    assert short._fixed == mdp.agents and long._fixed < mdp.agents
    np.testing.assert_allclose(model_q(mdp, values, memory_limit=least), model_q(mdp, values), rtol=0, atol=1e-13)


def test_a_joint_state_space_that_does_not_fit_is_refused():
    mdp = spreading(12)
    with pytest.raises(ValueError, match=r"1\.68e\+07 joint states and 4\.1e\+03 joint actions need \S+ GB; at most 2"):
        exact.policy_iteration(mdp, TAU)


def test_an_optimum_that_neither_method_can_hold_is_refused():
    with pytest.raises(ValueError, match=r"policy iteration: 24 joint states .* fit"):
        exact.optimum(random_mdp(SMALL["line"], seed=45), TAU, memory_limit=10_000)


def test_a_policy_that_gets_worse_is_reported(monkeypatch):
    """An improvement step that returns the worst joint action."""
    mdp = random_mdp(SMALL["line"], seed=46)

    def worst(model, values, tau, policy, tolerance):
        found = improve(model, values, tau, policy, tolerance)
        q = np.concatenate([q for _, q in model.q_values(values)])
        return found._replace(policy=product_maximum(-q, mdp.actions, 0, policy, tolerance).policy)

    monkeypatch.setattr("lpi.solvers.iteration.improve", worst)
    with pytest.raises(ArithmeticError, match=r"policy iteration: a value fell by \S+ in iteration 1"):
        exact.policy_iteration(mdp, TAU)


def test_advantages_give_the_difference_between_two_policies():
    """J(pi) - J is the mean over agents of the discounted advantage and weighted entropy, under pi."""
    mdp = joint.decoupling_mdp(nx.path_graph(3), seed=47)
    problem, weight = decoupled_problem(mdp), mdp.agents * TAU
    other, best = decoupled_policies(mdp, seed=48)
    known = problem.evaluate(best, TAU)
    component, states = autonomous_component(mdp), joint.joint_states(mdp)
    value = np.ravel_multi_index([component.label[i][states[:, i]] for i in range(mdp.agents)], component.values)
    stage = np.zeros(len(states))
    for i in range(mdp.agents):
        at = value, component.rank[i][states[:, i]]
        pi, advantage = other[i][at], (known.reward_advantage[i] + weight * known.entropy_advantage[i])[at]
        stage += (pi * (advantage - weight * np.log(pi))).sum(axis=1) / mdp.agents
    transition, _ = joint.system(mdp, lifted(mdp, other))
    difference = joint.rho(mdp) @ np.linalg.solve(np.eye(len(states)) - mdp.gamma * transition, stage)
    expected = joint.evaluate(mdp, lifted(mdp, other), TAU).regularized - known.regularized
    assert difference == pytest.approx(expected, rel=0, abs=1e-7)
