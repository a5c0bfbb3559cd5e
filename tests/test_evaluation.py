"""Localized TD(0) against Algorithm 2 line by line, and against the values that it must converge to."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import numpy as np
import oracles
import pytest
from builders import GRAPHS, random_mdp, random_policy, state_index
from numba import njit

from lpi import evaluation
from lpi.evaluation import draw_actions, draw_component, entropies, localized_td, q_tables, visit_steps
from lpi.mdp import InitialDistribution, NetworkedMDP
from lpi.memory import episodes_bytes
from lpi.policy import LocalPolicy
from lpi.spreading import spreading_process
from lpi.uniforms import LANES

TAU = 0.07
STEPS = {
    "constant": ((0.1, None), lambda k, visit: 0.1),
    "decaying": ((3.0, 12.0), lambda k, visit: 3.0 / (k + 12.0)),
    "per_visit": (visit_steps(0.7, 0.15), lambda k, visit: max(visit**-0.7, 0.15)),
}


def _kernel(mdp, policy, beta, rng, *, updates, episode_length, reward_at, step_size, start=0.0, tau=TAU):
    """`localized_td` with line 2's bonus; returns the tables and the mean |TD error|."""
    q, index = q_tables(mdp, beta, start, isinstance(step_size, np.ndarray)), state_index(mdp, policy.kappa)
    bonus = mdp.agents * tau * entropies(policy.flat(), index, mdp.actions)
    error = localized_td(
        mdp.tables(), q, policy.flat(), index, bonus, updates, episode_length, reward_at, step_size, rng
    )
    return q, error


def _oracle(mdp, policy, beta, rng, *, updates, episode_length, reward_at, alpha, start=0.0, tau=TAU):
    """Algorithm 1 lines 2 to 6, then Algorithm 2 of every agent; the tables, the pairs updated, the mean |TD error|."""
    rows = oracles.rows_of_uniforms(rng, mdp.agents)
    tables = oracles.policy_dictionaries(mdp, policy)
    records = oracles.collect_episodes(mdp, tables, policy.kappa, updates, episode_length, rows)
    q, updated, error = [], [], 0.0
    for i, around in enumerate(oracles.neighbourhoods(mdp, beta)):
        pairs = itertools.product(oracles.all_values(mdp.states, around), oracles.all_values(mdp.actions, around))
        line_1 = dict.fromkeys(pairs, start)
        learned = oracles.localized_td(mdp, i, beta, records, tables, policy.kappa, tau, alpha, reward_at, line_1)
        q.append(learned[0])
        updated.append(learned[1])
        error += learned[2]
    return q, updated, error / (mdp.agents * updates)


def _compare(mdp, policy, beta, seed, *, schedule="constant", **settings):
    step_size, alpha = STEPS[schedule]
    rng, same_rng = np.random.default_rng(seed), np.random.default_rng(seed)
    q, error = _kernel(mdp, policy, beta, rng, step_size=step_size, **settings)
    expected, updated, expected_error = _oracle(mdp, policy, beta, same_rng, alpha=alpha, **settings)
    assert rng.random() == same_rng.random(), "rows were drawn and thrown away"
    np.testing.assert_allclose(q.values, oracles.flat(expected), rtol=1e-12, atol=1e-12)
    visited = [pair in pairs for table, pairs in zip(expected, updated, strict=True) for pair in table]
    np.testing.assert_array_equal(q.visited, visited)
    assert sum(visited) > 0 and error == pytest.approx(expected_error, rel=1e-12)


@pytest.mark.parametrize("reward_at", ["arrival", "departure"])
@pytest.mark.parametrize("kappa, beta", [(1, 1), (0, 1), (1, 0), (2, 1), (0, 2)])
@pytest.mark.parametrize("graph", GRAPHS)
def test_algorithm_2(graph, kappa, beta, reward_at):
    """One trajectory, constant step; where beta < kappa the entropy still is that of the true s_{N_i^kappa}(t)."""
    mdp = random_mdp(GRAPHS[graph], seed=11)
    policy = random_policy(mdp, kappa, seed=12)
    _compare(mdp, policy, beta, 13, updates=150, episode_length=150, reward_at=reward_at)


@pytest.mark.parametrize("schedule", STEPS)
@pytest.mark.parametrize("reward_at", ["arrival", "departure"])
@pytest.mark.parametrize("episode_length", [1, 7, 50, 200, 1000])
def test_episodes_and_schedules(episode_length, reward_at, schedule):
    """Restarts from a mixture rho; 7 does not divide 200; t of the step size counts on across episodes."""
    mdp = random_mdp(GRAPHS["line"], seed=21, components=3)
    policy = random_policy(mdp, 1, seed=22)
    _compare(
        mdp,
        policy,
        1,
        23,
        updates=200,
        episode_length=episode_length,
        reward_at=reward_at,
        schedule=schedule,
        start=6.5,
    )


@pytest.mark.parametrize("name", ["uniform", "independent_bits", "one_infected", "all_infected"])
def test_the_experiment(name):
    mdp = spreading_process(nx.path_graph(4), rho=name, rho_infected=0.3, rho_protected=0.6, p1_means="success")
    policy = random_policy(mdp, 1, seed=31)
    _compare(mdp, policy, 1, 32, updates=300, episode_length=20, reward_at="departure", start=40.0)


def test_deterministic_policies():
    """Probabilities of 0 and 1: 0 log 0 = 0, and the impossible action is never drawn."""
    mdp = random_mdp(GRAPHS["ring"], seed=41)
    rng = np.random.default_rng(42)
    shapes = [table.shape for table in random_policy(mdp, 1, seed=0).tables]
    policy = LocalPolicy(mdp, 1, [np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])] for shape in shapes])
    assert (entropies(policy.flat(), state_index(mdp, 1), mdp.actions) == 0).all()
    _compare(mdp, policy, 1, 43, updates=200, episode_length=20, reward_at="departure")


def test_entropies():
    mdp = random_mdp(GRAPHS["line"], seed=51)
    policy = random_policy(mdp, 1, seed=52)
    expected = [oracles.entropy(row) for table in policy.tables for row in table.reshape(-1, table.shape[-1])]
    np.testing.assert_allclose(entropies(policy.flat(), state_index(mdp, 1), mdp.actions), expected, rtol=1e-14)


def test_values_carry_over_between_calls():
    """Two calls on the same tables: the second goes on from the first's values, and visited only grows."""
    mdp = random_mdp(GRAPHS["line"], seed=61)
    policy = random_policy(mdp, 1, seed=62)
    index, q = state_index(mdp, 1), q_tables(mdp, 1, 1.0)
    bonus = np.zeros(index.offset[-1])
    tables = oracles.policy_dictionaries(mdp, policy)
    expected, updated = oracles.q_dictionaries(mdp, 1, np.full(len(q.values), 1.0)), [set() for _ in range(4)]
    for seed in (63, 64):
        localized_td(
            mdp.tables(), q, policy.flat(), index, bonus, 90, 20, "departure", (0.1, None), np.random.default_rng(seed)
        )
        rows = oracles.rows_of_uniforms(np.random.default_rng(seed), 4)
        records = oracles.collect_episodes(mdp, tables, 1, 90, 20, rows)
        for i in range(4):
            expected[i], new, _ = oracles.localized_td(
                mdp, i, 1, records, tables, 1, 0.0, lambda k, visit: 0.1, "departure", expected[i]
            )
            updated[i] |= new
    np.testing.assert_allclose(q.values, oracles.flat(expected), rtol=1e-12)
    assert q.visited.sum() == sum(len(pairs) for pairs in updated)


@pytest.mark.parametrize("power, smallest", [(1.0, 0.001), (0.5, 0.01), (0.7, 0.3), (0.8, 1.0)])
def test_steps_of_visits(power, smallest):
    """The table holds every step above the smallest, which comes last."""
    steps = visit_steps(power, smallest)
    expected = [max(count**-power, smallest) for count in range(1, len(steps) + 20)]
    np.testing.assert_allclose(steps, expected[: len(steps)], rtol=1e-13)
    assert steps[-1] == smallest and set(expected[len(steps) :]) == {smallest}
    assert smallest not in steps[:-1]


def test_averaging_over_visits_forgets_the_start_and_is_the_mean():
    """1 / N with gamma = 0: an entry is the mean of the rewards of its updates, whatever it started at."""
    mdp = random_mdp(GRAPHS["line"], seed=91, gamma=0.0)
    policy = random_policy(mdp, 0, seed=92)
    run = dict(updates=400, episode_length=20, reward_at="departure", step_size=visit_steps(1.0, 0.001), tau=0.0)
    q, _ = _kernel(mdp, policy, 0, np.random.default_rng(93), start=1e6, **run)
    rewards = np.concatenate([table.ravel() for table in mdp.rewards])
    seen = q.visited == 1
    np.testing.assert_allclose(q.values[seen], rewards[seen], rtol=1e-9)
    assert seen.any() and (q.values[~seen] == 1e6).all()
    assert q.visits.sum() == 400 * mdp.agents


@pytest.mark.parametrize("rows", [1, 2, 3, 64, 5000])
def test_the_size_of_the_blocks_does_not_matter(monkeypatch, rows):
    mdp = random_mdp(GRAPHS["star"], seed=71, components=2)
    policy = random_policy(mdp, 1, seed=72)
    run = dict(updates=130, episode_length=9, reward_at="arrival", step_size=(3.0, 12.0))
    rng, same_rng = np.random.default_rng(73), np.random.default_rng(73)
    q, error = _kernel(mdp, policy, 1, rng, **run)
    monkeypatch.setattr(evaluation, "_ROWS", rows)
    again, same_error = _kernel(mdp, policy, 1, same_rng, **run)
    assert rng.random() == same_rng.random()
    np.testing.assert_array_equal(q.values, again.values)
    np.testing.assert_array_equal(q.visited, again.visited)
    assert error == same_error


@pytest.mark.parametrize("schedule", STEPS)
@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("kappa, beta", [(1, 1), (0, 1), (2, 1), (0, 0)])
@pytest.mark.parametrize("graph", GRAPHS)
def test_episodes_side_by_side_are_those_one_after_another(monkeypatch, graph, kappa, beta, components, schedule):
    """To the last bit: a whole block of episodes, and a part of one that ends within an episode."""
    mdp = random_mdp(GRAPHS[graph], seed=101, components=components)
    policy = random_policy(mdp, kappa, seed=102)
    run = dict(updates=4 * LANES + 30, episode_length=4, reward_at="departure", step_size=STEPS[schedule][0], start=5.0)
    found, numbers = [], []
    for fewest in (1, 10**9):
        monkeypatch.setattr(evaluation, "_FEWEST", fewest)
        rng = np.random.default_rng(103)
        found.append(_kernel(mdp, policy, beta, rng, **run))
        numbers.append(rng.random())
    (q, error), (same, same_error) = found
    assert error == same_error and numbers[0] == numbers[1]
    for name in ("values", "visited", "visits"):
        np.testing.assert_array_equal(getattr(q, name), getattr(same, name))


def test_long_episodes_are_not_walked_side_by_side(monkeypatch):
    """What is kept of 64 of them would outgrow what memory has been promised for it."""
    mdp = random_mdp(GRAPHS["line"], seed=111)
    policy = random_policy(mdp, 1, seed=112)
    monkeypatch.setattr(evaluation, "_learn_together", None)
    monkeypatch.setattr(evaluation, "EPISODES_BYTES", episodes_bytes(mdp.agents, 7) - 1)
    run = dict(updates=7 * LANES, reward_at="arrival", step_size=(0.1, None))
    _kernel(mdp, policy, 1, np.random.default_rng(113), episode_length=7, **run)
    with pytest.raises(TypeError):
        _kernel(mdp, policy, 1, np.random.default_rng(113), episode_length=6, **run)


def _ergodic(n: int, kappa: int):
    mdp = random_mdp(nx.path_graph(n), seed=81, states=(2,), actions=(2,), gamma=0.6, smallest=0.3)
    policy = random_policy(mdp, kappa, seed=82, smallest=0.35)
    return mdp, policy, oracles.policy_dictionaries(mdp, policy)


def _theorem_5(mdp, tables, kappa, beta, updates):
    """(H, t0) of Theorem 5, its xi and K_2 from the chain of (s, a)."""
    z, matrix = oracles.pair_chain(mdp, tables, kappa)
    weight = oracles.stationary(matrix)
    visits: dict = {}
    for i, around in enumerate(oracles.neighbourhoods(mdp, beta)):
        for (s, a), share in zip(z, weight, strict=True):
            key = i, oracles.restrict(s, around), oracles.restrict(a, around)
            visits[key] = visits.get(key, 0.0) + share
    h = 2 / ((1 - mdp.gamma) * min(visits.values()))
    k_2 = max(1.0, -1 / math.log(sorted(abs(np.linalg.eigvals(matrix)))[-2]))
    return h, max(4 * h, 2 * k_2 * math.log(updates))


TOLERANCE = 0.05  # over 20 seeds no entry was off by more than 0.011 (full) and 0.030 (truncated)
UPDATES = 2_000_000


def _learned(mdp, policy, tables, beta, reward_at, tau=TAU):
    """Estimates of four seeds, shape (4, entries)."""
    step_size = _theorem_5(mdp, tables, policy.kappa, beta, UPDATES)
    run = dict(updates=UPDATES, episode_length=UPDATES, reward_at=reward_at, step_size=step_size, tau=tau)
    return np.array([_kernel(mdp, policy, beta, np.random.default_rng(seed), **run)[0].values for seed in range(4)])


def test_theorem_5_finds_the_exact_q():
    """beta >= diameter: TD(0) from the reward of departure, then line 6, gives Q_i of (6).

    The reward of arrival, as line 4 is printed, gives E V_i(s') instead: gamma times it plus r_i is Q_i.  Neither the
    other index nor a missing entropy bonus stays within the tolerance.
    """
    mdp, policy, tables = _ergodic(2, kappa=0)
    beta, default = 1, (0, 0)
    exact = oracles.flat([oracles.exact_q(mdp, i, tables, 0, TAU) for i in range(2)])

    def worst(values):
        q = oracles.q_dictionaries(mdp, beta, values)
        corrected = [oracles.line_6(mdp, i, beta, q[i], tables, 0, TAU, default) for i in range(2)]
        return abs(oracles.flat(corrected) - exact).max()

    departure, arrival = (_learned(mdp, policy, tables, beta, at) for at in ("departure", "arrival"))
    assert max(worst(values) for values in departure) < TOLERANCE
    assert min(worst(values) for values in arrival) > 4 * TOLERANCE
    assert min(worst(values) for values in _learned(mdp, policy, tables, beta, "departure", tau=0)) > 4 * TOLERANCE

    everyone = [(0, 1), (0, 1)]
    own = [
        float(mdp.rewards[i][s[i], a[i]])
        for i, around in enumerate(everyone)
        for s in oracles.all_values(mdp.states, around)
        for a in oracles.all_values(mdp.actions, around)
    ]
    for values in arrival:
        assert abs(np.array(own) + mdp.gamma * values - exact).max() < TOLERANCE


@pytest.mark.parametrize("reward_at", ["departure", "arrival"])
@pytest.mark.parametrize("kappa, beta", [(1, 0), (0, 1)])
def test_theorem_5_finds_the_truncated_fixed_point(kappa, beta, reward_at):
    """beta < diameter: the values at which line 4 stands still on average under the stationary distribution."""
    mdp, policy, tables = _ergodic(3, kappa)
    expected = oracles.flat([oracles.td_limit(mdp, i, tables, kappa, beta, TAU, reward_at) for i in range(3)])
    found = _learned(mdp, policy, tables, beta, reward_at)
    assert abs(found - expected).max() < TOLERANCE


def _alone(gamma: float, reward: float):
    """A single agent with one state and one action."""
    graph = nx.path_graph(1)
    rho = InitialDistribution(np.ones(1), (np.ones((1, 1)),))
    return NetworkedMDP(graph, [np.ones((1, 1, 1))], [np.full((1, 1), reward)], gamma, rho)


@pytest.mark.parametrize(
    ("step_size", "values", "errors"),
    [
        ((0.5, None), [0.5, 0.875], [1, 0.75]),  # 0.875 = 0.5 * 0.5 + 0.5 * (1 + 0.5 * 0.5)
        ((2.0, 4.0), [0.5, 0.8], [1, 0.75]),  # steps 2 / 4 and 2 / 5: 0.6 * 0.5 + 0.4 * 1.25
        ((0.25, 0.5), [0.5, 0.625], [1, 0.75]),  # steps 1 / 2 and 1 / 6
        (visit_steps(1.0, 1.0), [1.0, 1.5], [1, 0.5]),  # a step of 1 alone
        (visit_steps(1.0, 0.4), [1.0, 1.25], [1, 0.5]),  # steps 1 and 1 / 2: 0.5 * 1 + 0.5 * 1.5
    ],
)
def test_two_updates_by_hand(step_size, values, errors):
    mdp = _alone(gamma=0.5, reward=1.0)
    run = dict(episode_length=5, reward_at="departure", step_size=step_size)
    for updates in (1, 2):
        q, error = _kernel(mdp, LocalPolicy.uniform(mdp, 0), 0, np.random.default_rng(0), updates=updates, **run)
        assert q.values.tolist() == pytest.approx([values[updates - 1]], rel=1e-15)
        assert error == pytest.approx(sum(errors[:updates]) / updates, rel=1e-15)
        # what is counted is where in the table of steps an entry is: no further than its end
        visits = [min(updates, len(step_size))] if isinstance(step_size, np.ndarray) else []
        assert q.visited.tolist() == [1] and q.visits.tolist() == visits


def test_q_tables_hold_an_entry_for_each_pair_of_a_neighbourhood():
    mdp = random_mdp(nx.path_graph(3), seed=1, states=(2, 3, 4), actions=(2, 1, 3))
    q = q_tables(mdp, 1, -2.5, count=True)
    sizes = [(2 * 3) * 2, (2 * 3 * 4) * (2 * 3), (3 * 4) * 3]
    assert q.offset.tolist() == [0, *itertools.accumulate(sizes)]
    assert q.values.shape == q.visited.shape == q.visits.shape == (sum(sizes),)
    assert (q.values == -2.5).all() and not q.visited.any() and not q.visits.any()
    assert len(q_tables(mdp, 1, 0.0).visits) == 0


def test_thresholds_are_the_cumulative_probabilities_but_the_last():
    mdp = random_mdp(nx.path_graph(2), seed=1, states=(2, 1), actions=(3, 2))
    index = state_index(mdp, 0)
    policy = np.array([0.2, 0.3, 0.5, 0.1, 0.1, 0.8, 0.4, 0.6])
    thresholds, offsets = evaluation.action_thresholds(policy, index, mdp.actions)
    np.testing.assert_allclose(thresholds, [0.2, 0.5, 0.1, 0.2, 0.4], rtol=1e-15)
    assert offsets.tolist() == [0, 4]
    assert evaluation.policy_row_offsets(index, mdp.actions).tolist() == [0, 6]


@njit
def _drawn(model, thresholds, offsets, index, uniforms, state, row, action):
    draw_actions(model, thresholds, offsets, index, uniforms, state, row, action)


def test_actions_are_drawn_by_the_inverse_of_the_cumulative_probabilities():
    mdp = random_mdp(GRAPHS["line"], seed=5, actions=(2, 3, 4, 1))
    policy, index = random_policy(mdp, 1, seed=6), state_index(mdp, 1)
    thresholds, offsets = evaluation.action_thresholds(policy.flat(), index, mdp.actions)
    rng, model = np.random.default_rng(7), mdp.tables()
    seen = set()
    for _ in range(60):
        state, uniforms = rng.integers(0, mdp.states), rng.random(8)
        row, action = np.empty(4, dtype=np.int64), np.empty(4, dtype=np.int64)
        _drawn(model, thresholds, offsets, index, uniforms, state, row, action)
        for i, around in enumerate(oracles.neighbourhoods(mdp, 1)):
            probabilities = policy.tables[i][oracles.restrict(tuple(state), around)]
            assert action[i] == np.searchsorted(np.cumsum(probabilities)[:-1], uniforms[4 + i], side="right")
            assert row[i] == np.ravel_multi_index([state[j] for j in around], [mdp.states[j] for j in around])
            seen.add((i, int(action[i])))
    assert len(seen) == mdp.actions.sum()


@njit
def _component(model, uniform):
    return draw_component(model, uniform)


@pytest.mark.parametrize(("uniform", "component"), [(0.0, 0), (0.24, 0), (0.25, 1), (0.74, 1), (0.75, 2), (0.99, 2)])
def test_the_component_of_rho(uniform, component):
    model = random_mdp(GRAPHS["line"], seed=5, components=3).tables()
    model = model._replace(rho_weights=np.array([0.25, 0.75, 1.0]))
    assert _component(model, uniform) == component
