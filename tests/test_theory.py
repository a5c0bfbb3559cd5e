"""The quantities of the theory against loops over all joint states and actions, straight from the definitions."""

from __future__ import annotations

import itertools

import builders
import joint
import networkx as nx
import numpy as np
import oracles
import pytest

import lpi
from lpi import theory
from lpi.solvers import iteration
from lpi.theory import coupling, dense
from lpi.theory.dense import DenseModel

MDPS = {
    "line": builders.random_mdp(nx.path_graph(3), 1, states=(2, 3, 2), actions=(2, 1, 3)),
    "ring": builders.random_mdp(nx.cycle_graph(3), 2, states=(2, 2, 3), actions=(2, 2)),
    "star": builders.random_mdp(nx.star_graph(3), 3, states=(2,), actions=(2, 1)),
}


def _values(sizes):
    return list(itertools.product(*(range(int(size)) for size in sizes)))


def _tv(one, other):
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / 2


@pytest.fixture(params=sorted(MDPS))
def mdp(request):
    return MDPS[request.param]


@pytest.fixture
def policy(mdp):
    rng = np.random.default_rng(5)
    return [builders.random_rows(rng, (mdp.joint_states, int(a)), 0.05) for a in mdp.actions]


def test_c_is_that_of_equation_10(mdp):
    c = np.zeros((mdp.agents, mdp.agents))
    for i, around in enumerate(oracles.neighbourhoods(mdp, 1)):
        rows = [(s, a) for s in _values(mdp.states[j] for j in around) for a in range(int(mdp.actions[i]))]
        for (s, a), (t, b) in itertools.combinations(rows, 2):
            changed = [j for j, x, y in zip(around, s, t, strict=True) if x != y]
            distance = _tv(mdp.transitions[i][(*s, a)], mdp.transitions[i][(*t, b)])
            for j in around:
                if set(changed) <= {j} and (j == i or (a == b and changed)):
                    c[i, j] = max(c[i, j], distance)
    np.testing.assert_allclose(theory.transition_influence(mdp), c, atol=1e-15)


def test_c_needs_local_tables_only():
    c = theory.transition_influence(lpi.spreading_process(nx.path_graph(15)))
    expected = np.zeros((15, 15))
    for i in range(15):  # activation 0.4 and persistence 0.3: TV of the two products is 1 - 0.6 * 0.7
        expected[i, i] = 0.58
        expected[i, [j for j in (i - 1, i + 1) if 0 <= j < 15]] = 0.4
    np.testing.assert_allclose(c, expected, atol=1e-12)


def test_policy_influence_is_that_of_definition_2(mdp, policy):
    states = _values(mdp.states)
    z = np.zeros((mdp.agents, mdp.agents))
    for (s, one), (t, other) in itertools.combinations(enumerate(states), 2):
        changed = [j for j in range(mdp.agents) if one[j] != other[j]]
        if len(changed) == 1:
            for i in range(mdp.agents):
                z[i, changed[0]] = max(z[i, changed[0]], _tv(policy[i][s], policy[i][t]))
    np.testing.assert_allclose(theory.policy_influence(mdp, policy), z, atol=1e-15)


def _pairs(mdp):
    """(joint state, joint action) as a tuple of each agent's pair."""
    return [
        (tuple(zip(s, a, strict=True)), i, k)
        for i, s in enumerate(_values(mdp.states))
        for k, a in enumerate(_values(mdp.actions))
    ]


def test_q_influence_is_that_of_definition_4():
    mdp = MDPS["ring"]
    q = coupling.q_functions(np.random.default_rng(0), mdp)
    z = np.zeros((mdp.agents, mdp.agents))
    for (one, s, a), (other, t, b) in itertools.combinations(_pairs(mdp), 2):
        changed = [j for j in range(mdp.agents) if one[j] != other[j]]
        if len(changed) == 1:
            z[:, changed[0]] = np.maximum(z[:, changed[0]], abs(q[:, s, a] - q[:, t, b]))
    np.testing.assert_allclose(theory.q_influence(mdp, q), z, atol=1e-15)


def test_second_order_influence_is_that_of_definition_8():
    mdp = builders.random_mdp(nx.path_graph(3), 4, states=(2,), actions=(2, 1, 2))
    q = coupling.q_functions(np.random.default_rng(1), mdp).mean(axis=0)
    at = {pairs: q[s, a] for pairs, s, a in _pairs(mdp)}
    local = [_values((s, a)) for s, a in zip(mdp.states, mdp.actions, strict=True)]
    h = np.zeros((3, 3))
    for i, j in itertools.permutations(range(3), 2):
        (k,) = {0, 1, 2} - {i, j}
        for zi, wi, zj, wj, zk in itertools.product(local[i], local[i], local[j], local[j], local[k]):

            def value(x, y, i=i, j=j, k=k, zk=zk):
                z = {i: x, j: y, k: zk}
                return at[tuple(z[agent] for agent in range(3))]

            change = (value(zi, zj) - value(wi, zj)) - (value(zi, wj) - value(wi, wj))
            h[i, j] = max(h[i, j], abs(change))
    found = theory.second_order_influence(mdp, q)
    np.testing.assert_allclose(found - np.diag(np.diag(found)), h, atol=1e-14)


def test_diagonal_of_h_is_the_own_state_against_the_own_action():
    mdp = builders.random_mdp(nx.path_graph(1), 4, states=(3,), actions=(2,))
    q = np.array([[1.0, 2.0], [1.0, 5.0], [4.0, 4.5]])
    assert theory.second_order_influence(mdp, q)[0, 0] == 3.5  # (5 - 1) - (4.5 - 4)


def test_decay_weighs_rows_and_columns_by_distance():
    mdp = MDPS["line"]
    matrix = np.array([[0.0, 1.0, 3.0], [0.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
    assert theory.row_decay(mdp, matrix, 2.0) == 4 + 27
    assert theory.column_decay(mdp, matrix, 2.0) == 27 + 5
    assert theory.decay(mdp, matrix, 2.0) == 32


def test_regularity_neighbourhoods_and_total_variation():
    assert theory.regularity([np.array([[0.5, 0.5], [0.2, 0.8]]), np.ones((2, 1))]) == pytest.approx(np.log(4))
    assert theory.regularity([np.array([[1.0, 0.0]])]) == np.inf
    mdp = lpi.spreading_process(nx.path_graph(15))
    assert [theory.neighbourhood_size(mdp, kappa) for kappa in (0, 1, 2, 20)] == [1, 3, 5, 15]
    assert theory.total_variation(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1
    local = lpi.LocalPolicy(mdp, 0, [np.array([[0.5, 0.5]] * 3 + [[0.25, 0.75]])] * 15)
    assert theory.regularity(local) == pytest.approx(np.log(3))


def test_truncation_sees_what_is_near_and_averages_or_fixes_the_rest():
    mdp = MDPS["line"]
    q = coupling.q_functions(np.random.default_rng(3), mdp)
    full, near = q[0].reshape(*mdp.states, *mdp.actions), theory.truncate_q(mdp, q, 1)[0]
    np.testing.assert_allclose(
        near.reshape(full.shape), np.broadcast_to(full.mean(axis=(2, 5), keepdims=True), full.shape)
    )
    np.testing.assert_array_equal(theory.truncate_q(mdp, q, 2), q)
    rng = np.random.default_rng(4)
    policy = [builders.random_rows(rng, (mdp.joint_states, int(a))) for a in mdp.actions]
    cut = theory.truncate_policy(mdp, policy, 0, default=1)
    table = policy[0].reshape(*mdp.states, -1)
    np.testing.assert_array_equal(cut[0].reshape(table.shape)[1, 2, 0], table[1, 1, 1])


def test_local_policies_spread_over_joint_states(mdp):
    local = builders.random_policy(mdp, 1, 0, 0.05)
    tables = dense.joint_policy(mdp, local)
    for k, state in enumerate(_values(mdp.states)):
        for i in range(mdp.agents):
            np.testing.assert_array_equal(tables[i][k], local.probabilities(i, state))
    np.testing.assert_allclose(theory.policy_influence(mdp, local), theory.policy_influence(mdp, tables))
    with pytest.raises(ValueError, match=r"policy: shapes .* are not allowed"):
        dense.joint_policy(mdp, tables[:-1])


def test_local_values_satisfy_equations_5_and_6(mdp, policy):
    """By loops over joint states, actions and next states, with V_i as given."""
    tau, n = 0.3, mdp.agents
    values = DenseModel(mdp).evaluate(policy, tau)
    states, actions = _values(mdp.states), _values(mdp.actions)
    around = oracles.neighbourhoods(mdp, 1)
    for s, state in enumerate(states[:5]):
        mean = np.zeros(n)
        for a, action in enumerate(actions):
            local = [mdp.transitions[i][(*(state[j] for j in around[i]), action[i])] for i in range(n)]
            ahead = sum(
                np.prod([local[i][after[i]] for i in range(n)]) * values.v[:, t] for t, after in enumerate(states)
            )
            q = np.array([mdp.rewards[i][state[i], action[i]] for i in range(n)]) + mdp.gamma * ahead
            np.testing.assert_allclose(values.q[:, s, a], q, rtol=1e-12)
            chance = [policy[i][s, action[i]] for i in range(n)]
            mean += np.prod(chance) * (q - n * tau * np.log(chance))
        np.testing.assert_allclose(values.v[:, s], mean, rtol=1e-12)


def test_mean_of_local_values_is_j(mdp):
    local = builders.random_policy(mdp, 1, 0, 0.05)
    model = DenseModel(mdp)
    v = model.evaluate(dense.joint_policy(mdp, local), 0.2).v.mean(axis=0)
    assert model.rho @ v == pytest.approx(joint.evaluate(mdp, local, 0.2).regularized, abs=1e-12)


def test_algorithm_3_reaches_the_centralised_optimum_where_it_is_a_product():
    mdp = lpi.spreading_process(nx.path_graph(3), p1_means="success", p2_means="success")
    model = DenseModel(mdp)
    trail = model.policy_iteration(0.05, dense.uniform_policy(mdp))
    values = [values.v.mean(axis=0) for _, values in trail]
    assert model.rho @ values[-1] == pytest.approx(joint.optimum(mdp, 0.05), abs=1e-9)
    assert all((after >= before - 1e-12).all() for before, after in itertools.pairwise(values))
    fixed, _ = model.bellman(values[-1], 0.05)
    np.testing.assert_allclose(fixed, values[-1], atol=1e-9)


def test_algorithm_3_agrees_with_the_fast_one():
    for seed in range(4):
        mdp, _ = coupling.weakly_coupled(np.random.default_rng(seed))
        model = DenseModel(mdp)
        policy, values = model.policy_iteration(20.0, dense.uniform_policy(mdp))[-1]
        last = iteration.policy_iteration(mdp, 20.0).iterates[-1]
        assert model.rho @ values.v.mean(axis=0) == pytest.approx(last.regularized, abs=1e-8)
        assert max(np.abs(a - b).max() for a, b in zip(policy, last.policy, strict=True)) < 1e-4


def test_improvement_is_the_best_of_many_product_policies():
    mdp = MDPS["ring"]
    model, rng = DenseModel(mdp), np.random.default_rng(0)
    q, tau = rng.normal(size=(12, 8)), 5.0
    best = model.improve(q, tau)
    assert max(abs(table - 1 / 2).max() for table in best) > 0.02  # not the start
    value = model.expected(q, best) + tau * dense.entropy(best).sum(axis=0)
    for _ in range(50):
        other = coupling.regular_policy(rng, mdp, 1.0)
        assert (model.expected(q, other) + tau * dense.entropy(other).sum(axis=0) <= value + 1e-12).all()
    step = model.jacobi_step(q, tau, best)
    assert max(np.abs(a - b).max() for a, b in zip(step, best, strict=True)) < 1e-12


def test_too_many_pairs_are_refused():
    with pytest.raises(ValueError, match="agents: 15 is not allowed here: .* at most"):
        DenseModel(lpi.spreading_process(nx.path_graph(15)))


def test_an_improvement_that_does_not_settle_is_no_result(monkeypatch):
    monkeypatch.setattr(dense, "SWEEPS", 1)
    model = DenseModel(MDPS["ring"])
    q = np.random.default_rng(0).normal(size=(12, 8))
    with pytest.raises(ArithmeticError, match="not settled after 1 sweeps"):
        model.improve(q, 5.0)
