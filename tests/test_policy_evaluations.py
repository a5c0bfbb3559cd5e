"""A policy evaluation of one's own: what it is given, what becomes of what it returns, what is refused."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import oracles
import pytest
from builders import GRAPHS, random_mdp, random_policy, state_index

import lpi
from lpi import cli, experiment, policy_evaluations
from lpi.cluster import training_request
from lpi.config import ConfigError, resolve
from lpi.evaluation import entropies, q_tables
from lpi.local_samples import local_samples
from lpi.memory import run_memory
from lpi.multiverse.design import check

TAU = 0.07
HEAD = "import numpy as np\nfrom lpi.policy_evaluations import PolicyEvaluation\n"
TAIL = "\nPOLICY_EVALUATION = PolicyEvaluation(evaluate)\n"
LSTD = """
def evaluate(sample, values):
    left = np.unique(sample.pairs)
    where = {pair: place for place, pair in enumerate(left)}
    matrix, right = np.zeros((len(left), len(left))), np.zeros(len(left))
    for pair, following, reward in zip(sample.pairs, sample.following, sample.rewards, strict=True):
        row = where[pair]
        matrix[row, row] += 1
        right[row] += reward
        if following in where:
            matrix[row, where[following]] -= sample.gamma
        else:
            right[row] += sample.gamma * values[following]
    values[left] = np.linalg.solve(matrix, right)
    return values
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(HEAD + LSTD + TAIL, encoding="utf-8")
    policy_evaluations.find.cache_clear()
    return tmp_path


@pytest.mark.parametrize("reward_at", ["arrival", "departure"])
@pytest.mark.parametrize("kappa, beta, length", [(0, 0, 60), (1, 1, 7), (0, 1, 1)])
def test_what_it_is_given(kappa, beta, length, reward_at):
    """The transitions of trajectories that are simulated slowly, in their order, each agent its own view."""
    mdp = random_mdp(GRAPHS["star"], seed=161, components=2)
    policy, q, index = random_policy(mdp, kappa, seed=162), q_tables(mdp, beta, 1.5), state_index(mdp, kappa)
    bonus = mdp.agents * TAU * entropies(policy.flat(), index, mdp.actions)
    arguments = (mdp.tables(), q, policy.flat(), index, bonus, 60, length, reward_at)
    tables = oracles.policy_dictionaries(mdp, policy)
    rows = oracles.rows_of_uniforms(np.random.default_rng(163), mdp.agents)
    episodes = oracles.collect_episodes(mdp, tables, kappa, 60, length, rows)
    for i, (sample, values, _) in enumerate(local_samples(*arguments, np.random.default_rng(163))):
        seen = mdp.network.neighbourhood(i, beta)
        sizes = [[int(spaces[j]) for j in seen] for spaces in (mdp.states, mdp.actions)]
        pairs, rewards, last = [], [], []
        for episode in episodes:
            numbers = [
                int(np.ravel_multi_index([s[j] for j in seen], sizes[0])) * int(np.prod(sizes[1]))
                + int(np.ravel_multi_index([a[j] for j in seen], sizes[1]))
                for s, a in episode
            ]
            pairs += itertools.pairwise(numbers)
            own = [
                mdp.rewards[i][s[i], a[i]]
                + mdp.agents
                * TAU
                * oracles.entropy(tables[i][oracles.restrict(s, mdp.network.neighbourhood(i, kappa))])
                for s, a in episode
            ]
            rewards += own[1:] if reward_at == "arrival" else own[:-1]
            last += [False] * (len(episode) - 2) + [True]
        assert sample.agent == i and sample.gamma == mdp.gamma and (values == 1.5).all()
        np.testing.assert_array_equal(np.stack([sample.pairs, sample.following], axis=1), pairs)
        np.testing.assert_allclose(sample.rewards, rewards, rtol=1e-12)
        np.testing.assert_array_equal(sample.last, last)


def test_least_squares_written_as_ones_own_is_the_shipped_one(folder):
    mdp, results = random_mdp(nx.path_graph(3), seed=171), {}
    for name in ("own.py", "lstd"):
        config = lpi.TrainingConfig(
            kappa=0, beta=1, outer_loops=3, trajectory_length=120, episode_length=9, policy_evaluation=name,
            inner_start="carried", q_reset="once", q_start=2.0,
        )  # fmt: skip
        results[name] = lpi.train(mdp, config, seed=3)
    found, expected = results["own.py"], results["lstd"]
    np.testing.assert_allclose(found.policy.flat(), expected.policy.flat(), rtol=1e-8)
    columns = ["regularized", "td_error", "visited_share"]
    np.testing.assert_allclose(found.curve[columns], expected.curve[columns], rtol=1e-7)


SHORT = ["--agents", "2", "--kappa", "0", "--set", "outer_loops=1", "--set", "trajectory_length=20", "--quiet"]
REFUSED = {
    "no such file": (None, "'bad.py' is not allowed, there is no such file; a Python file"),
    "a file that fails": ("1 / 0", "'bad.py' failed: ZeroDivisionError: division by zero"),
    "a file that ends itself": ("raise SystemExit(7)", "'bad.py' failed: SystemExit: 7"),
    "a file without one": ("", "'bad.py' defines no POLICY_EVALUATION; an lpi.policy_evaluations.PolicyEvaluation"),
    "no function": ("evaluate = 3", "'bad.py' defines POLICY_EVALUATION with evaluate = 3; a function"),
    "no memory": (
        "evaluate = print\nPOLICY_EVALUATION = PolicyEvaluation(print, '1')",
        "with row_bytes = '1'; an integer",
    ),
    "it fails": (
        "def evaluate(sample, values):\n    return valves",
        "'bad.py' failed for agent 0: NameError: name 'valves'",
    ),
    "it ends the program": ("def evaluate(*_):\n    raise SystemExit(7)", "'bad.py' failed for agent 0: SystemExit: 7"),
    "nothing": ("def evaluate(sample, values):\n    pass", "returned an array of shape () for agent 0"),
    "other shape": (
        "def evaluate(sample, values):\n    return values[1:]",
        "returned an array of shape (7,) for agent 0",
    ),
    "not finite": ("def evaluate(sample, values):\n    return values / 0", "returned values that are not finite"),
}


@pytest.mark.filterwarnings("ignore:.*encountered in divide")
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(folder, capsys, case):
    text, message = REFUSED[case]
    if text is not None:
        ends = "" if "POLICY" in text or "evaluate" not in text else TAIL
        (folder / "bad.py").write_text(HEAD + text + ends, encoding="utf-8")
    assert cli.main(["train", *SHORT, "--set", "policy_evaluation=bad.py", "--output", "o.csv"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("lpi train: policy_evaluation: 'bad.py' ") and error.count("\n") == 1
    assert not (folder / "o.csv").exists()


def test_in_the_config(folder):
    found = experiment.load({"settings": {"policy_evaluation": "own.py"}})
    assert found.policy_evaluations == ("own.py",) and found.files == ()
    assert found.assignments("working") == ("policy_evaluation=own.py",) and found.environment_assignments() == ()
    assert found.configuration("working")["settings"]["policy_evaluation"] == "own.py"
    own = {"readings": ["mine"], "custom_readings": {"mine": {"policy_evaluation": "own.py"}}}
    assert experiment.load(own).policy_evaluations == ("own.py",)
    assert experiment.load({}).policy_evaluations == ()


def test_its_memory_and_time_are_asked_for(folder):
    (folder / "large.py").write_text(
        HEAD + LSTD + TAIL.replace("evaluate)", "evaluate, row_bytes=400)"), encoding="utf-8"
    )
    names = ("lstd", "own.py", "large.py")
    settings = [resolve("working", {"policy_evaluation": name, "kappa": 0}) for name in names]
    memory = [run_memory(each) for each in settings]
    assert memory[0] == memory[1] and 100_000 * 250 <= memory[2] - memory[1] < 100_000 * 300
    assert training_request(settings[1], 1).minutes > training_request(settings[0], 1).minutes


def test_a_multiverse_follows_no_files(folder):
    design = {
        "choices": {"q_reset": ["once", "every_loop"]}, "defining_words": [], "blocks": [{"agents": 3}], "also": [],
        "kappas": [0], "seeds": [0], "settings": {"policy_evaluation": "lstd"},
    }  # fmt: skip
    check(design)
    for part in ("settings", "choices"):
        value = "own.py" if part == "settings" else ["td0", "own.py"]
        changed = design | {"settings": {}} | {part: {"policy_evaluation": value}}
        with pytest.raises(ConfigError, match=r"policy_evaluation: 'own\.py' is not allowed in a multiverse"):
            check(changed)
