"""Exact values and optima against brute force over all joint states."""

from __future__ import annotations

import itertools

import joint
import networkx as nx
import numpy as np
import oracles
import pytest
from builders import GRAPHS, random_mdp, random_policy, random_rows

from lpi import exact
from lpi.network import Network
from lpi.policy import LocalPolicy
from lpi.solvers import joint_chain, krylov
from lpi.solvers.component import _alike, autonomous_component, independent_ranks
from lpi.solvers.elimination import average, averaged, elimination, probabilities
from lpi.spreading import INITIAL, MEANINGS, spreading_process

TAU = 0.07
CHAINS = {"line": nx.path_graph(3), "ring": nx.cycle_graph(3), "star": nx.star_graph(3), "tree": nx.path_graph(4)}
# centralised J* under uniform rho: convention, agents, tau, J*
PUBLISHED = [
    ("failure", 4, 0.05, 39.49939149),
    ("failure", 8, 0.02, 38.83022807),
    ("failure", 8, 0.05, 41.50248975),
    ("success", 4, 0.05, 37.13157699),
    ("success", 8, 0.05, 37.55116226),
    ("success", 8, 0.1, 42.95587901),
]


def spreading(graph, convention: str = "success", **more):
    return spreading_process(graph, p1_means=convention, p2_means=convention, **more)


def numbers(found) -> tuple[float, float, float]:
    return found.regularized, found.unregularized, found.error_bound


def check(mdp, policy, tau: float = TAU) -> None:
    """`exact.evaluate` agrees with brute force to 1e-9 and knows how far it may be off."""
    found, expected = exact.evaluate(mdp, policy, tau), joint.evaluate(mdp, policy, tau)
    assert found.regularized == pytest.approx(expected.regularized, rel=0, abs=1e-9)
    assert found.unregularized == pytest.approx(expected.unregularized, rel=0, abs=1e-9)
    assert 0 <= found.error_bound <= (1 + tau) * 1e-9 * (1 + 1e-12)


# ------------------------------------------------------------------------------------------------ values of a policy


@pytest.mark.parametrize("kappa", [0, 1, 2])
@pytest.mark.parametrize("graph", GRAPHS)
def test_random_mdps_agree_with_brute_force(graph, kappa):
    mdp = random_mdp(GRAPHS[graph], seed=kappa, components=1 + kappa)
    check(mdp, random_policy(mdp, kappa, seed=1))


@pytest.mark.parametrize("rho", INITIAL)
@pytest.mark.parametrize("convention", MEANINGS)
@pytest.mark.parametrize("graph", ["line", "star"])
def test_the_spreading_process_agrees_with_brute_force(graph, convention, rho):
    mdp = spreading(GRAPHS[graph], convention, rho=rho, rho_infected=0.2, rho_protected=0.9)
    for kappa in range(3):
        check(mdp, random_policy(mdp, kappa, seed=kappa))


@pytest.mark.parametrize("block", [8, 17, 64])
@pytest.mark.parametrize("kappa", [0, 1, 2])
@pytest.mark.parametrize("graph", CHAINS)
def test_mdps_that_decouple_agree_with_brute_force(graph, kappa, block, monkeypatch):
    """More than two values and ranks, some agents with one; blocks that leave one or two joint values over, or none."""
    monkeypatch.setattr(joint_chain, "_BLOCK", block)
    mdp = joint.decoupling_mdp(CHAINS[graph], seed=3)
    assert autonomous_component(mdp).values.tolist() == [3, 2, 3, 2][: mdp.agents]
    check(mdp, random_policy(mdp, kappa, seed=kappa))


@pytest.mark.parametrize("values, ranks", [((3,), (1,)), ((2, 1), (2,)), ((4, 3), (1, 2))])
def test_few_or_no_ranks_and_narrow_components(values, ranks):
    mdp = joint.decoupling_mdp(nx.path_graph(3), seed=4, values=values, ranks=ranks)
    check(mdp, random_policy(mdp, 1, seed=4))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.999])
def test_any_discount(gamma):
    mdp = random_mdp(GRAPHS["tree"], seed=5, gamma=gamma)
    policy = random_policy(mdp, 1, seed=5)
    found, expected = exact.evaluate(mdp, policy, TAU), joint.evaluate(mdp, policy, TAU)
    assert found.regularized == pytest.approx(expected.regularized, rel=0, abs=2e-9)


def test_policies_that_never_take_an_action():
    mdp = spreading(GRAPHS["line"])
    tables = [np.eye(2)[np.indices(table.shape[:-1]).sum(axis=0) % 2] for table in LocalPolicy.uniform(mdp, 1).tables]
    check(mdp, LocalPolicy(mdp, 1, tables))


@pytest.mark.parametrize("tolerance", [3e-1, 1e-2, 1e-4, 1e-7])
@pytest.mark.parametrize("seed", range(4))
def test_the_error_bound_is_the_largest_residual_and_holds(tolerance, seed):
    mdp = random_mdp(GRAPHS["line"], seed, gamma=0.95)
    assert autonomous_component(mdp) is None  # so that joint states keep their order
    policy = random_policy(mdp, 1, seed)
    found, expected = exact.evaluate(mdp, policy, TAU, tolerance), joint.evaluate(mdp, policy, TAU)
    transition, stage = joint.system(mdp, policy)
    values = found.start.reshape(-1, 2)  # V without entropy, and the discounted entropy
    residual = np.abs(stage + mdp.gamma * transition @ values - values).max()
    assert found.error_bound == pytest.approx(residual * (1 + TAU) / (1 - mdp.gamma), rel=1e-5, abs=1e-11)
    assert found.error_bound <= (1 + TAU) * tolerance
    assert np.abs(values - expected.states).max() * (1 + TAU) <= found.error_bound + 1e-11
    assert abs(found.regularized - expected.regularized) <= found.error_bound + 1e-11
    assert abs(found.unregularized - expected.unregularized) <= found.error_bound + 1e-11


def test_a_warm_start_gives_the_same_value_in_fewer_sweeps():
    mdp = spreading(nx.path_graph(5))
    evaluator = exact.Evaluator(mdp, 1)
    rng = np.random.default_rng(7)
    policy = random_policy(mdp, 1, seed=7).flat().reshape(-1, 2)
    for step in range(4):
        warm = evaluator.evaluate(policy.ravel(), TAU, 1e-6)
        cold = exact.Evaluator(mdp, 1).evaluate(policy.ravel(), TAU, 1e-6)
        assert abs(warm.regularized - cold.regularized) <= warm.error_bound + cold.error_bound
        assert abs(warm.unregularized - cold.unregularized) <= warm.error_bound + cold.error_bound
        assert step == 0 or warm.sweeps < cold.sweeps
        policy = policy + 1e-3 * rng.normal(size=(len(policy), 1)) * [1, -1]
        policy = np.clip(policy, 0, 1)
    again = evaluator.evaluate(policy.ravel(), TAU, 1e-6)
    same = evaluator.evaluate(policy.ravel(), TAU, 1e-6)
    assert numbers(same) == numbers(again) and same.sweeps == 1


def test_the_same_arguments_give_the_same_bytes():
    mdp = joint.decoupling_mdp(CHAINS["ring"], seed=8)
    first, second = (exact.evaluate(mdp, random_policy(mdp, 1, seed=8), TAU) for _ in range(2))
    assert first.start.tobytes() == second.start.tobytes()
    assert numbers(first) == numbers(second)


def test_too_many_joint_states_are_refused():
    mdp = spreading(nx.path_graph(20))
    assert not exact.fits(mdp)
    with pytest.raises(ValueError, match=r"1\.1e\+12 joint states need \S+ GB; at most 2\.15 GB") as refused:
        exact.evaluate(mdp, LocalPolicy.uniform(mdp, 0), TAU)
    assert "\n" not in str(refused.value)


def test_memory_counts_what_the_policies_see():
    mdp = random_mdp(nx.path_graph(6), seed=9)
    limit = next(size for size in range(0, 10**6, 1000) if exact.fits(mdp, 0, size))
    exact.Evaluator(mdp, 0, limit)
    assert not exact.fits(mdp, 5, limit)
    with pytest.raises(ValueError, match="joint states need"):
        exact.Evaluator(mdp, 5, limit)


# -------------------------------------------------------------------------------- V, V_i, Q_i, and the occupancy

SMALL = {
    "single": nx.path_graph(1),
    "line": nx.path_graph(4),
    "ring": nx.cycle_graph(3),
    "star": nx.star_graph(3),
    "random": nx.gnp_random_graph(4, 0.6, seed=3),
}


def small_mdps(graph, seed: int):
    """One that nothing is known of, one that decouples, one with a single action for some agents, and no future."""
    yield random_mdp(graph, seed, states=(2, 3), actions=(3, 2), components=2)
    yield random_mdp(graph, seed, states=(2,), actions=(1, 2), gamma=0.0)
    yield joint.decoupling_mdp(graph, seed, values=(2, 1), ranks=(1, 2), actions=(2, 3))


@pytest.mark.parametrize("kappa", [0, 1, 2])
@pytest.mark.parametrize("graph", SMALL)
def test_values_and_q_functions_agree_with_brute_force(graph, kappa):
    for mdp in small_mdps(SMALL[graph], seed=kappa):
        policy = random_policy(mdp, kappa, seed=2)
        found = exact.evaluate(mdp, policy, TAU, 1e-10, per_agent=True)
        mean = exact.evaluate(mdp, policy, TAU, 1e-10)
        expected = joint.evaluate(mdp, policy, TAU)
        for name in ("regularized", "unregularized"):
            for one in (found, mean):
                assert getattr(one, name) == pytest.approx(getattr(expected, name), rel=0, abs=1e-9)
        values, q = joint.agent_values(mdp, policy, TAU)
        plain, plain_q = joint.agent_values(mdp, policy, 0.0)
        close(found.v_agents, values)
        close(found.v_agents_unregularized, plain)
        for one in (found, mean):
            close(one.v, expected.states @ [1, TAU])
            close(one.v_unregularized, expected.states[:, 0])
        close(mean.q(), q.mean(axis=0))
        close(mean.q(regularized=False), plain_q.mean(axis=0))
        for i in range(mdp.agents):
            close(found.q_agent(i), q[i])
        close(found.q_agent(0, regularized=False), plain_q[0])


def close(found, expected) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kappa", [0, 1, 2])
@pytest.mark.parametrize("graph", SMALL)
def test_the_occupancy_agrees_with_brute_force(graph, kappa):
    for mdp in (*small_mdps(SMALL[graph], seed=kappa), spreading(SMALL[graph], rho="one_infected")):
        policy = random_policy(mdp, kappa, seed=3)
        found, expected = exact.occupancy(mdp, policy), joint.occupancy(mdp, policy)
        assert found.shape == expected.shape and np.abs(found - expected).sum() <= 1e-9
        assert exact.occupancy(mdp, policy, 1e-4).sum() == pytest.approx(1, rel=0, abs=1e-4)


@pytest.mark.parametrize("agents", [3, 4])
def test_the_occupancy_gives_j(agents):
    """J = <d, stage reward> / (1 - gamma)."""
    mdp = spreading(nx.path_graph(agents))
    policy = random_policy(mdp, 1, seed=4)
    _, stage = joint.system(mdp, policy)
    expected = exact.occupancy(mdp, policy) @ stage @ [1, TAU] / (1 - mdp.gamma)
    assert exact.evaluate(mdp, policy, TAU).regularized == pytest.approx(expected, rel=0, abs=1e-8)


def test_a_start_of_another_kappa_saves_sweeps_and_of_another_mdp_is_refused():
    mdp = spreading(nx.path_graph(5))
    uniform = exact.evaluate(mdp, LocalPolicy.uniform(mdp, 0), TAU, per_agent=True)
    for per_agent in (False, True):
        cold = exact.evaluate(mdp, LocalPolicy.uniform(mdp, 1), TAU, per_agent=per_agent)
        warm = exact.evaluate(mdp, LocalPolicy.uniform(mdp, 1), TAU, start=uniform.start, per_agent=per_agent)
        assert warm.regularized == pytest.approx(cold.regularized, rel=0, abs=1e-9)
        assert warm.sweeps <= mdp.agents < cold.sweeps
    with pytest.raises(ValueError, match=r"start: shape \(5, 2048\) is not allowed") as refused:
        other = spreading(nx.path_graph(4))
        exact.evaluate(other, LocalPolicy.uniform(other, 1), TAU, start=uniform.start)
    assert "\n" not in str(refused.value)


def test_what_was_not_asked_for_or_does_not_fit_is_refused():
    mdp = spreading(nx.path_graph(3))
    found = exact.evaluate(mdp, LocalPolicy.uniform(mdp, 1), TAU)
    for ask in (lambda: found.v_agents, lambda: found.v_agents_unregularized, lambda: found.q_agent(0)):
        with pytest.raises(ValueError, match="per_agent: False is not allowed here"):
            ask()
    with pytest.raises(ValueError, match=r"agent: 3 is not allowed; an integer in 0\.\.2"):
        found.q_agent(3)
    with pytest.raises(ValueError, match=r"tau: -1\.0 is not allowed"):
        exact.evaluate(mdp, LocalPolicy.uniform(mdp, 1), -1.0)
    wide = spreading(nx.path_graph(6))
    found = exact.evaluate(wide, LocalPolicy.uniform(wide, 0), TAU, 1e-3, memory_limit=3_000_000)
    with pytest.raises(ValueError, match=r"4\.1e\+03 joint states x 64 joint actions need \S+ GB; at most 0\.003 GB"):
        found.q()
    assert not exact.fits(wide, 1, 2_000_000, per_agent=True) and exact.fits(wide, 1, 2_000_000)
    with pytest.raises(ValueError, match="joint states need"):
        exact.evaluate(wide, LocalPolicy.uniform(wide, 1), TAU, per_agent=True, memory_limit=2_000_000)


def test_large_rewards_are_known_as_well_as_rounding_allows():
    base = random_mdp(GRAPHS["line"], seed=6)
    mdp = type(base)(base.network, base.transitions, [1e9 * r for r in base.rewards], 0.99, base.rho)
    found, expected = (f.evaluate(mdp, random_policy(mdp, 1, seed=6), TAU) for f in (exact, joint))
    assert found.regularized == pytest.approx(expected.regularized, rel=1e-12)
    assert abs(found.regularized - expected.regularized) <= 2 * found.error_bound


@pytest.mark.parametrize("kappa, graph", [(0, nx.path_graph(5)), (1, nx.cycle_graph(4)), (2, nx.star_graph(3))])
def test_unregularised_values_agree_with_quantecon(kappa, graph):
    """A randomised policy as the only action of a decision process of its own."""
    from quantecon.markov import DiscreteDP  # slow to import

    for mdp in (spreading(graph), random_mdp(graph, seed=7, states=(2, 3, 2), actions=(2, 3))):
        policy = random_policy(mdp, kappa, seed=7)
        transition, stage = joint.system(mdp, policy)
        process = DiscreteDP(stage[:, :1], transition[:, None, :], mdp.gamma)
        expected = process.evaluate_policy(np.zeros(len(stage), dtype=np.int64))
        found = exact.evaluate(mdp, policy, TAU)
        np.testing.assert_allclose(found.v_unregularized, expected, rtol=0, atol=1e-8)
        assert found.unregularized == pytest.approx(joint.rho(mdp) @ expected, rel=0, abs=1e-8)


# ------------------------------------------------------------------------------------------------------------ optima


@pytest.mark.parametrize("tau", [0.0, 0.05])
@pytest.mark.parametrize("convention", MEANINGS)
def test_the_optimum_agrees_with_joint_soft_value_iteration(convention, tau):
    mdp = spreading(nx.path_graph(3), convention)
    found = exact.optimum(mdp, tau)
    assert found.regularized == pytest.approx(joint.optimum(mdp, tau), rel=0, abs=1e-8)
    assert 0 <= found.error_bound <= 1e-8


@pytest.mark.parametrize("tau", [0.0, 0.3])
def test_the_optimum_of_a_random_mdp_that_decouples(tau):
    mdp = joint.decoupling_mdp(CHAINS["line"], seed=10)
    assert exact.optimum(mdp, tau).regularized == pytest.approx(joint.optimum(mdp, tau), rel=0, abs=1e-8)


@pytest.mark.parametrize("convention, agents, tau, published", PUBLISHED)
def test_the_optimum_of_the_experiment(convention, agents, tau, published):
    found = exact.optimum(spreading(nx.path_graph(agents), convention), tau)
    assert found.regularized == pytest.approx(published, rel=0, abs=1e-7)


def test_the_optimal_policy_has_the_value_of_the_optimum():
    """On a line of 3 it is a 2-hop policy."""
    mdp = spreading(nx.path_graph(3))
    found = exact.optimum(mdp, TAU)
    component = autonomous_component(mdp)
    tables = [np.empty((4, 4, 4, 2)) for _ in range(3)]
    for s in itertools.product(range(4), repeat=3):
        c = np.ravel_multi_index([component.label[i][s[i]] for i in range(3)], (2, 2, 2))
        for i in range(3):
            tables[i][s] = found.policy[i][c, component.rank[i][s[i]]]
    evaluated = exact.evaluate(mdp, LocalPolicy(mdp, 2, tables), TAU)
    assert evaluated.regularized == pytest.approx(found.regularized, rel=0, abs=1e-8)
    assert evaluated.unregularized == pytest.approx(found.unregularized, rel=0, abs=1e-8)


def test_an_optimum_that_is_not_available_is_refused():
    with pytest.raises(ValueError, match=r"tau: -0\.1 is not allowed"):
        exact.optimum(spreading(nx.path_graph(2)), -0.1)


# --------------------------------------------------------------------------------------------------------- component


@pytest.mark.parametrize("graph", [name for name in GRAPHS if name != "single"])
def test_the_component_of_the_spreading_process_is_s1(graph):
    mdp = spreading(GRAPHS[graph])
    component = autonomous_component(mdp)
    assert independent_ranks(mdp, component)
    for i, around in enumerate(oracles.neighbourhoods(mdp, 1)):
        assert component.label[i].tolist() == [0, 0, 1, 1]
        assert component.rank[i].tolist() == [0, 1, 0, 1]
        for c in itertools.product((0, 1), repeat=len(around)):
            spread = 0.6 if any(c) else 0.0
            np.testing.assert_allclose(component.transitions[i][c], [1 - spread, spread], rtol=0, atol=1e-15)


def test_tables_are_alike_when_they_agree_to_twelve_decimals():
    table = spreading(GRAPHS["star"]).transitions[0]
    assert _alike(table, table) and _alike(table, table + 1e-15)
    other = table.copy()
    other[-1, -1] += 1e-11  # in the last part alone
    assert not _alike(table, other)


def test_a_random_mdp_has_no_component():
    assert autonomous_component(random_mdp(GRAPHS["ring"], seed=12)) is None


@pytest.mark.parametrize("mdp", [spreading(GRAPHS["tree"]), joint.decoupling_mdp(CHAINS["star"], seed=13)])
def test_the_component_is_found_after_renumbering_the_local_states(mdp):
    renumbered, order = joint.renumbered(mdp, seed=14)
    component, expected = autonomous_component(renumbered), autonomous_component(mdp)
    assert component.values.tolist() == expected.values.tolist()
    for i in range(mdp.agents):
        pairs = set(zip(component.label[i].tolist(), expected.label[i][order[i]].tolist(), strict=True))
        assert len(pairs) == component.values[i]
    assert independent_ranks(renumbered, component)
    best, known = exact.optimum(renumbered, TAU), exact.optimum(mdp, TAU)
    assert best.regularized == pytest.approx(known.regularized, rel=0, abs=1e-8)
    found, expected = (exact.evaluate(m, LocalPolicy.uniform(m, 1), TAU) for m in (renumbered, mdp))
    assert found.regularized == pytest.approx(expected.regularized, rel=0, abs=1e-9)
    assert found.unregularized == pytest.approx(expected.unregularized, rel=0, abs=1e-9)


def test_ranks_that_are_drawn_with_the_component_are_not_used():
    """The next value and rank of agent 0 are made dependent: there is a component, but nothing decouples."""
    mdp = joint.decoupling_mdp(nx.path_graph(2), seed=15, values=(2,), ranks=(2,), actions=(2,))
    component = autonomous_component(mdp)
    table = mdp.transitions[0].copy()
    swapped = [np.flatnonzero((component.label[0] == c) & (component.rank[0] == r))[0] for c, r in [(0, 0), (1, 1)]]
    other = [np.flatnonzero((component.label[0] == c) & (component.rank[0] == r))[0] for c, r in [(0, 1), (1, 0)]]
    moved = 0.5 * table[..., other].min(axis=-1)  # keeps what the next label's and the next rank's probabilities are
    for state, sign in [*((s, 1) for s in swapped), *((s, -1) for s in other)]:
        table[..., state] += sign * moved
    coupled = type(mdp)(mdp.network, [table, mdp.transitions[1]], mdp.rewards, mdp.gamma, mdp.rho)
    assert not independent_ranks(coupled, autonomous_component(coupled))
    check(coupled, random_policy(coupled, 1, seed=15))
    found = exact.optimum(coupled, TAU)
    assert found.method == "joint"
    assert joint.optimum(coupled, TAU) == pytest.approx(found.regularized + found.error_bound, rel=0, abs=1e-5)


# -------------------------------------------------------------------------------------------------- the tools beneath


@pytest.mark.parametrize("graph", ["ring", "star", "random"])
def test_elimination_averages_over_a_product_of_distributions(graph):
    network = Network.from_graph(GRAPHS[graph])
    rng, around = np.random.default_rng(16), network.neighbourhoods(1)
    sizes = [(2, 1, 3)[i % 3] for i in range(network.agents)]
    tables = [random_rows(rng, (*(sizes[j] for j in members), sizes[i])) for i, members in enumerate(around)]
    values = rng.normal(size=(*sizes, 5))
    expected = np.empty_like(values)
    for s in itertools.product(*(range(size) for size in sizes)):
        product = values
        for i, members in enumerate(around):
            product = np.tensordot(tables[i][tuple(s[j] for j in members)], product, axes=1)
        expected[s] = product
    plan = elimination(around, sizes)
    work = [np.empty(plan.largest * 5) for _ in range(2)]
    found = averaged(plan, *probabilities(tables), values.ravel(), 5, *work)
    np.testing.assert_allclose(found, expected.ravel(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize(("graph", "paired"), [("line", 5), ("ring", 4), ("grid", 3), ("star", 1)])
def test_two_variables_at_a_time_are_two_one_after_the_other(graph, paired, kind):
    """To the last bit, where some steps allow it, in blocks and with weights of their own for each number of a block."""
    network, rng = Network.named(graph, 6), np.random.default_rng(19)
    around, n = network.neighbourhoods(1), network.agents
    plan = elimination(around, [2] * n)
    assert plan.paired.sum() == paired
    kernel, offset = probabilities([rng.uniform(size=(*(2,) * len(members), 2)) for members in around])
    for each, stride in ((False, 1), (True, 5)):
        weights, found = np.repeat(kernel, stride).astype(kind) + (each * rng.uniform(size=len(kernel) * stride)), []
        values = rng.normal(size=plan.largest * 5).astype(kind)
        for one in (plan, plan._replace(paired=np.zeros(n, dtype=bool))):
            work = values.copy(), np.zeros_like(values)
            found.append(average(one, weights.astype(kind), offset * stride, stride, 5, each, *work)[: 2**n * 5].copy())
        np.testing.assert_array_equal(*found)


def _chain(seed: int, groups: int = 6, size: int = 10):
    """I - gamma P, where each of `groups` blocks of states moves to the next blocks whatever the state in it."""
    rng = np.random.default_rng(seed)
    between, within = random_rows(rng, (groups, groups)), random_rows(rng, (groups * size, groups, size))
    chain = (np.repeat(between, size, axis=0)[:, :, None] * within).reshape(groups * size, -1)
    # states in the order (position in the group, group)
    order = np.arange(groups * size).reshape(groups, size).T.ravel()
    return np.eye(len(chain)) - 0.97 * chain[np.ix_(order, order)], np.eye(groups) - 0.97 * between


@pytest.mark.parametrize("limit", [1e-3, 1e-7, 1e-12])
def test_gmres_solves_within_and_outside_the_invariant_subspace(limit):
    matrix, between = _chain(17)
    target = np.random.default_rng(17).normal(size=len(matrix))
    invariant = krylov.Invariant(len(between), lambda row, _: np.linalg.solve(between, row))
    for subspace in (invariant, krylov.constants(0.97, 1)):
        found, largest, _ = krylov.gmres(lambda x: matrix.astype(x.dtype) @ x, target, 0 * target, limit, subspace)
        assert largest <= limit
        assert np.abs(target - matrix @ found).max() == pytest.approx(largest, rel=1e-6, abs=1e-14)


def test_gmres_says_that_it_did_not_get_there():
    matrix, _ = _chain(18)
    with pytest.raises(ArithmeticError, match="GMRES: residual"):
        krylov.gmres(lambda x: matrix.astype(x.dtype) @ x, matrix[1], matrix[0], -1.0, krylov.constants(0.97, 1))
    with pytest.raises(ArithmeticError, match="nan"):
        krylov.gmres(lambda x: x * np.nan, matrix[0], matrix[0], 1e-3, krylov.constants(0.97, 1))
