"""Policy improvement against (11) and (12), looped over every (s, a) with the extension operator of Definition 6."""

from __future__ import annotations

import networkx as nx
import numpy as np
import oracles
import pytest
from builders import GRAPHS, random_mdp, random_policy, state_index
from hypothesis import given, settings
from hypothesis import strategies as st

from lpi.algorithm import q_start, train
from lpi.config import TrainingConfig
from lpi.evaluation import entropies, localized_td, q_tables
from lpi.improvement import aggregated_q, improvement_plan, multiplicative_weights
from lpi.policy import LocalPolicy

ETA, TAU = 0.3, 0.4
STATES, ACTIONS = (2, 3, 2, 2), (2, 3, 1, 2)  # agent 2 has a single action
HOPS = [(0, 0), (1, 1), (0, 2), (1, 2), (2, 1), (1, 0), (2, 2)]


def _problem(graph, kappa, beta, seed, states=STATES, actions=ACTIONS):
    """An MDP, a policy, random Q tables of the size of true values, and non-zero defaults that differ by agent."""
    mdp = random_mdp(graph, seed, states=states, actions=actions)
    rng = np.random.default_rng(seed + 1)
    q = q_tables(mdp, beta, 0.0)
    q.values[:] = rng.uniform(-5, 40, size=len(q.values))
    default_state = [int(size) - 1 - i % 2 for i, size in enumerate(mdp.states)]
    default_action = [int(size) - 1 for size in mdp.actions]
    return mdp, random_policy(mdp, kappa, seed + 2), q, default_state, default_action


def _improved(mdp, policy, beta, q, default_state, default_action, eta=ETA, tau=TAU, steps=3):
    """The kernels' new policy, flat, and its logarithm."""
    plan = improvement_plan(mdp, state_index(mdp, policy.kappa), policy.kappa, beta, q, default_state, default_action)
    with np.errstate(divide="ignore"):
        log_policy = np.log(policy.flat())
    before = log_policy.copy(), q.values.copy()
    result = multiplicative_weights(plan, aggregated_q(plan, q), log_policy, eta, tau, steps)
    np.testing.assert_array_equal(before[0], log_policy)
    np.testing.assert_array_equal(before[1], q.values)
    return result


def _expected(mdp, policy, beta, q, default_state, default_action, eta=ETA, tau=TAU, steps=3):
    tables = oracles.q_dictionaries(mdp, beta, q.values)
    start = oracles.policy_dictionaries(mdp, policy)
    pi = oracles.improve(mdp, policy.kappa, beta, tables, start, eta, tau, steps, default_state, default_action)
    return np.array([p for table in pi for row in table.values() for p in row])


def _compare(*problem, **settings):
    found, logs = _improved(*problem, **settings)
    np.testing.assert_allclose(found, _expected(*problem, **settings), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(np.exp(logs), found, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("kappa, beta", HOPS)
@pytest.mark.parametrize("graph", GRAPHS)
def test_equations_11_and_12(graph, kappa, beta):
    """Three simultaneous steps from a random policy, Q tables that differ by agent, non-zero defaults."""
    mdp, policy, *rest = _problem(GRAPHS[graph], kappa, beta, seed=3)
    _compare(mdp, policy, beta, *rest)


@pytest.mark.parametrize("steps", [1, 2, 11])
def test_several_steps_from_the_uniform_policy(steps):
    """Line 9 as printed; 11 steps is p = 0, ..., p_max = 10 of line 8."""
    mdp, _, *rest = _problem(GRAPHS["line"], 1, 1, seed=7)
    _compare(mdp, LocalPolicy.uniform(mdp, 1), 1, *rest, steps=steps, eta=0.05, tau=0.05)


@pytest.mark.parametrize("kappa, beta", [(1, 1), (1, 2)])
def test_eta_tau_of_one(kappa, beta):
    """The step size of Theorem 2: the old policy enters through the expectation only."""
    mdp, policy, *rest = _problem(GRAPHS["ring"], kappa, beta, seed=9)
    _compare(mdp, policy, beta, *rest, eta=2.5, tau=0.4, steps=4)


def test_no_entropy():
    mdp, policy, *rest = _problem(GRAPHS["star"], 1, 1, seed=10)
    _compare(mdp, policy, 1, *rest, tau=0.0)


def test_scores_that_overflow_a_plain_exponential():
    """eta E[Q] of 10^4 and more: only differences between actions count, and nothing becomes infinite or NaN."""
    mdp, policy, q, *defaults = _problem(GRAPHS["line"], 1, 1, seed=11)
    moderate, _ = _improved(mdp, policy, 1, q, *defaults)
    q.values[:] += 1e5
    shifted, _ = _improved(mdp, policy, 1, q, *defaults)
    np.testing.assert_allclose(shifted, moderate, rtol=1e-8)
    q.values[:] = (q.values - 1e5) * 1000
    extreme, logs = _improved(mdp, policy, 1, q, *defaults)
    assert np.isfinite(extreme).all() and np.isfinite(logs).all() and extreme.min() == 0
    for table in LocalPolicy.from_flat(mdp, 1, extreme).tables:
        np.testing.assert_allclose(table.sum(axis=-1), 1, rtol=1e-13)


def test_actions_ruled_out_stay_so():
    """pi^0(a) = 0 stays 0 where eta tau < 1, and the others' expectations leave it out."""
    mdp, policy, *rest = _problem(GRAPHS["line"], 1, 1, seed=12)
    _compare(mdp, _with_zeros(mdp, policy), 1, *rest)


def test_actions_ruled_out_return_at_eta_tau_of_one():
    """0^0 = 1 in (12): the old policy does not count at all."""
    mdp, policy, *rest = _problem(GRAPHS["line"], 1, 1, seed=12)
    _compare(mdp, _with_zeros(mdp, policy), 1, *rest, eta=2.5, tau=0.4)


def _with_zeros(mdp, policy):
    tables = [table.copy() for table in policy.tables]
    tables[0][0, 1] = [1, 0]
    tables[1][..., 1] = 0
    tables[1] /= tables[1].sum(axis=-1, keepdims=True)
    return LocalPolicy(mdp, 1, tables)


@pytest.mark.parametrize("beta", [1, 2, 3])
def test_neighbourhoods_that_overlap_in_many_ways(beta):
    """A line long enough for N_j^beta and N_i^kappa to meet in sets of every size, nested and not."""
    mdp, policy, *rest = _problem(nx.path_graph(7), 2, beta, seed=19, states=(2, 3, 2), actions=(2, 2, 3, 2, 1, 2))
    _compare(mdp, policy, beta, *rest, steps=2)


def test_many_rows_and_actions():
    """More rows of one agent than any block of the kernel, not a multiple of a power of two; three actions each."""
    mdp, policy, *rest = _problem(nx.path_graph(5), 1, 1, seed=13, states=(5, 3, 5, 3, 5), actions=(3,))
    assert max(state_index(mdp, 1).size) == 75
    _compare(mdp, policy, 1, *rest, steps=2)


@pytest.mark.parametrize("agent", range(4))
def test_defaults_move_the_policies_that_they_should(agent):
    """One step on a line, kappa = 1, beta = 2: the default of agent l concerns exactly those who do not see l."""
    problem = _problem(GRAPHS["line"], 1, 2, seed=14, states=(2,), actions=(2,))
    mdp, policy, q, default_state, default_action = problem
    before, _ = _improved(mdp, policy, 2, q, default_state, default_action, steps=1)
    ends = state_index(mdp, 1).offset * 2
    flipped_state, flipped_action = list(default_state), list(default_action)
    flipped_state[agent] = 1 - flipped_state[agent]
    flipped_action[agent] = 1 - flipped_action[agent]
    for defaults in ((flipped_state, default_action), (default_state, flipped_action)):
        after, _ = _improved(mdp, policy, 2, q, *defaults, steps=1)
        changed = before != after
        assert [i for i in range(4) if changed[ends[i] : ends[i + 1]].any()] == [
            i for i in range(4) if abs(i - agent) > 1
        ]


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_random_problems(data):
    n = data.draw(st.integers(1, 5))
    graph = nx.random_labeled_tree(n, seed=data.draw(st.integers(0, 1000)))
    if n > 2:
        pairs = st.lists(st.integers(0, n - 1), min_size=2, max_size=2, unique=True)
        graph.add_edges_from(data.draw(st.lists(pairs, max_size=3)))
    states, actions = (data.draw(st.lists(st.integers(1, 3), min_size=n, max_size=n)) for _ in range(2))
    kappa, beta = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))
    mdp, policy, q, _, _ = _problem(graph, kappa, beta, data.draw(st.integers(0, 1000)), states, actions)
    defaults = [[data.draw(st.integers(0, size - 1)) for size in sizes] for sizes in (states, actions)]
    eta, tau = data.draw(st.sampled_from([(0.05, 0.05), (0.5, 0.0), (2.0, 0.5)]))
    _compare(mdp, policy, beta, q, *defaults, eta=eta, tau=tau, steps=data.draw(st.integers(1, 3)))


@pytest.mark.parametrize("kappa, beta", [(1, 1), (1, 2), (2, 1)])
def test_line_6_of_algorithm_2_cancels(kappa, beta):
    """Evaluation by the kernel, improvement by the oracle with line 6 done to the letter: the same policy."""
    mdp, policy, q, default_state, default_action = _problem(GRAPHS["line"], kappa, beta, seed=15)
    index = state_index(mdp, kappa)
    bonus = mdp.agents * TAU * entropies(policy.flat(), index, mdp.actions)
    rng = np.random.default_rng(16)
    localized_td(mdp.tables(), q, policy.flat(), index, bonus, 2000, 20, "departure", (0.1, None), rng)
    found, _ = _improved(mdp, policy, beta, q, default_state, default_action)

    tables = oracles.policy_dictionaries(mdp, policy)
    raw = oracles.q_dictionaries(mdp, beta, q.values)
    corrected = [oracles.line_6(mdp, i, beta, raw[i], tables, kappa, TAU, default_state) for i in range(mdp.agents)]
    assert all(abs(corrected[i][key] - raw[i][key]) > 1e-3 for i in (0, 1) for key in raw[i])
    pi = oracles.improve(mdp, kappa, beta, corrected, tables, ETA, TAU, 3, default_state, default_action)
    expected = np.array([p for table in pi for row in table.values() for p in row])
    np.testing.assert_allclose(found, expected, rtol=1e-11)


SMALL = dict(tau=0.1, eta=0.8, inner_steps=3, outer_loops=3, trajectory_length=60, default_state=1)
LOOPS = {
    "as printed": dict(kappa=1),
    "carried": dict(kappa=1, inner_start="carried", q_start="optimistic", q_reset="once", reward_at="departure"),
    "policy alone": dict(kappa=1, beta=0, inner_start="carried", default_action=(1, 2, 0, 1)),
    "Q alone": dict(kappa=0, beta=1, q_reset="once", q_start=-2.5, default_action=(0, 1, 0, 1)),
    "decaying": dict(kappa=1, step_schedule="decaying", step_h=3, step_t0=12, q_reset="once"),
    "per_visit": dict(kappa=1, step_schedule="per_visit", step_power=0.6, step_smallest=0.05, q_reset="once"),
    "lstd": dict(kappa=1, policy_evaluation="lstd", q_reset="once", inner_start="carried", q_start=2.0),
    "lstd_reset": dict(kappa=0, beta=1, policy_evaluation="lstd", reward_at="departure"),
    "per_visit_reset": dict(kappa=1, step_schedule="per_visit", step_power=0.6, step_smallest=0.05),
}


@pytest.mark.parametrize("episode_length", [None, 7])
@pytest.mark.parametrize("name", LOOPS)
def test_outer_loops_of_algorithm_1(name, episode_length):
    """Three loops from the first draw of rho to the last policy: what is carried over and what starts again."""
    mdp = random_mdp(GRAPHS["line"], 17, states=STATES, actions=ACTIONS, components=2)
    config = TrainingConfig(**SMALL, **LOOPS[name], episode_length=episode_length)
    result = train(mdp, config, seed=5)
    rng = np.random.default_rng(np.random.SeedSequence(5).spawn(2)[0])
    pi, error, updated = oracles.localized_policy_iteration(mdp, config, q_start(mdp, config), rng)
    expected = np.array([p for table in pi for row in table.values() for p in row])
    np.testing.assert_allclose(result.policy.flat(), expected, rtol=1e-10)
    last = result.records[-1]
    beta = config.kappa if config.beta is None else config.beta
    assert last.td_error == pytest.approx(error, rel=1e-10)
    assert last.visited_share == pytest.approx(updated / len(q_tables(mdp, beta, 0.0).values), rel=1e-12)
    assert [record.samples for record in result.records] == [0, 60, 120, 180]


def test_optimistic_start_is_the_largest_value_of_a_q_function():
    """(6) with the largest reward and the largest entropy at every step."""
    mdp = random_mdp(GRAPHS["line"], 18, states=STATES, actions=ACTIONS, gamma=0.8)
    most = max(float(table.max()) for table in mdp.rewards) + 4 * 0.1 * np.log(3)
    assert q_start(mdp, TrainingConfig(tau=0.1, q_start="optimistic")) == pytest.approx(most / (1 - 0.8), rel=1e-13)
    assert q_start(mdp, TrainingConfig()) == 0 and q_start(mdp, TrainingConfig(q_start=-2)) == -2


def test_sums_on_the_way_of_more_rows_than_a_block():
    """N_0^1 has 81 joint states and is summed over before N_1^2, which contains it."""
    mdp, policy, *rest = _problem(nx.path_graph(4), 2, 1, seed=20, states=(9, 9, 1, 2), actions=(2, 2, 3, 1))
    _compare(mdp, policy, 1, *rest, steps=2)
