"""Memory: what a run takes, predicted before it starts, and what is refused."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lpi import cli, experiment, memory
from lpi.config import ConfigError, resolve
from lpi.memory import training_memory
from lpi.network import Network

SHORT = ("--set", "outer_loops=2", "--set", "trajectory_length=500", "--set", "evaluation_episodes=70")
PEAK = """
import sys
from pathlib import Path
from lpi.cli import main
status = main(sys.argv[1:])
print(*(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
sys.exit(status)
"""


def size(arrays):
    """Bytes of all arrays in nested tuples."""
    return sum(size(part) for part in arrays) if isinstance(arrays, tuple) else np.asarray(arrays).nbytes


@pytest.mark.parametrize("count", [False, True])
@pytest.mark.parametrize(
    ("graph", "agents", "kappa", "beta"),
    [
        ("line", 8, 3, 3),
        ("line", 8, 2, 3),
        ("line", 8, 3, 1),
        ("line", 100, 1, 1),
        ("ring", 8, 2, 2),
        ("star", 7, 1, 0),
        ("grid", 9, 1, 1),
        ("tree", 7, 2, 1),
    ],
)
def test_training_memory_is_what_the_tables_take(graph, agents, kappa, beta, count):
    from lpi.evaluation import q_tables
    from lpi.improvement import aggregated_q, improvement_plan
    from lpi.policy import policy_index, uniform_table
    from lpi.spreading import spreading_process

    network = Network.named(graph, agents)
    mdp = spreading_process(network)
    q = q_tables(mdp, beta, 0.0, count)
    plan = improvement_plan(mdp, policy_index(mdp, kappa), kappa, beta, q, [0] * agents, [0] * agents)
    policies = (uniform_table(mdp, kappa),) * 4
    held = size((q, plan, aggregated_q(plan, q), policies, mdp.tables(), mdp.transitions))
    said = training_memory(network, mdp.states, mdp.actions, kappa, beta, count)
    assert abs(said / held - 1) < 0.1


@pytest.mark.parametrize(
    ("values", "limit"),
    [
        ({"agents": 15, "kappa": 6}, 0.6),
        ({"agents": 8, "kappa": 5}, 0.3),
        ({"agents": 1000, "kappa": 40}, 1.0),
        ({"agents": 9, "kappa": 2, "graph": "star"}, 0.6),
        ({"agents": 100, "kappa": 2, "graph": "random_regular"}, 0.5),
        ({"agents": 8, "kappa": 5, "beta": 0}, 0.4),
    ],
)
def test_the_kappa_that_is_said_to_fit_does_and_the_next_does_not(values, limit):
    with pytest.raises(ConfigError, match=r"^kappa: \d+ is not allowed .* kappa <= \d+ fits$") as raised:
        memory.check_memory(resolve("working", values), limit)
    fits = int(re.search(r"kappa <= (\d+) fits", str(raised.value))[1])
    memory.check_memory(resolve("working", values | {"kappa": fits}), limit)
    with pytest.raises(ConfigError, match=rf"kappa <= {fits} fits"):
        memory.check_memory(resolve("working", values | {"kappa": fits + 1}), limit)


def test_beta_is_named_where_no_kappa_helps():
    with pytest.raises(ConfigError, match=r"^beta: 7 is not allowed .* beta <= 3 fits$"):
        memory.check_memory(resolve("working", {"agents": 15, "kappa": 0, "beta": 7}), 1)


def test_a_config_whose_runs_do_not_fit():
    with pytest.raises(ConfigError, match=r"^kappas: 6 is not allowed with 15 agents .* kappa <= 3 fits \(reading"):
        experiment.load({"kappas": [6], "memory_limit_gb": 0.6})
    experiment.load({"kappas": [3], "memory_limit_gb": 0.6})


def test_the_memory_limit_of_the_environment(monkeypatch):
    settings = resolve("working", {"agents": 8, "kappa": 3})
    memory.check_memory(settings)
    monkeypatch.setenv(memory.LIMIT_VARIABLE, "0.25")
    with pytest.raises(ConfigError, match=r"^kappa: 3 .* the limit is 0.25 GB; kappa <= 2 fits$"):
        memory.check_memory(settings)
    monkeypatch.setenv(memory.LIMIT_VARIABLE, "0.1")
    with pytest.raises(ConfigError, match=r"no kappa fits, kappa = beta = 0 takes 0.\d+ GB; use fewer agents"):
        memory.check_memory(settings)
    monkeypatch.setenv(memory.LIMIT_VARIABLE, "much")
    with pytest.raises(ConfigError, match="^LPI_MEMORY_LIMIT_GB: 'much' is not allowed; a number > 0"):
        memory.check_memory(settings)


def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path):
    output = tmp_path / "run.csv"
    arguments = ["train", "--agents", "15", "--kappa", "4", "--output", str(output)]
    command = [sys.executable, "-m", "lpi", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and not output.exists()
    assert re.fullmatch(r"lpi train: kappa: 4 is not allowed .* the limit is 4 GB; kappa <= 3 fits\n", done.stderr)


def peak(folder, *options):
    """Peak memory of `lpi train` in a process of its own, bytes."""
    output = folder / "run.csv"
    arguments = ["train", *options, "--output", str(output), "--policy", str(folder / "run.npz"), "--quiet"]
    done = subprocess.run([sys.executable, "-c", PEAK, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) * 1024


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The kernels are in numba's cache: to compile them takes memory of its own."""
    for agents, method in (("10", "exact"), ("15", "monte_carlo")):
        peak(tmp_path_factory.mktemp("compiled"), "--agents", agents, "--set", f"evaluation={method}", *SHORT)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to measure a peak")
@pytest.mark.parametrize(
    ("graph", "agents", "kappa", "method"),
    [
        ("line", 5, 1, "exact"),
        ("line", 8, 3, "exact"),
        ("line", 10, 1, "exact"),
        ("star", 9, 0, "exact"),
        ("grid", 12, 1, "monte_carlo"),
        ("random_regular", 12, 0, "monte_carlo"),
        ("line", 15, 1, "monte_carlo"),
        ("random_regular", 600, 1, "monte_carlo"),
        ("ring", 200, 2, "monte_carlo"),
    ],
)
def test_predicted_memory_is_what_a_run_takes(compiled, tmp_path, graph, agents, kappa, method):
    values = {"graph": graph, "agents": agents, "kappa": kappa, "evaluation": method}
    options = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    measured = peak(tmp_path, *options, *SHORT)
    assert abs(memory.run_memory(resolve("working", values)) / measured - 1) < 0.2


def test_a_reference_that_is_given_need_not_be_solved_for():
    settings = resolve("working", {"agents": 15, "kappa": 0})
    assert memory.run_memory(settings, known=True) < 0.5 * memory.run_memory(settings)


def test_exact_memory_is_what_the_evaluator_asks_for():
    from lpi import exact
    from lpi.spreading import spreading_process

    for agents in range(9, 13):
        mdp = spreading_process(Network.named("line", agents))
        settings = resolve("working", {"agents": agents, "evaluation": "exact"})
        if exact.fits(mdp):
            memory.check_memory(settings)
            continue
        with pytest.raises(ConfigError, match=r"^evaluation: 'exact'.* at most \d+ agents$"):
            memory.check_memory(settings)
        with pytest.raises(ValueError, match="joint states need") as refused:
            exact.Evaluator(mdp, 0)
        needed = float(re.search(r"need (\S+) GB", str(refused.value))[1]) * 1e9
        assert abs(memory.exact_memory(mdp.joint_states) / needed - 1) < 0.2


def test_references_that_do_not_fit_are_refused(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LPI_MEMORY_LIMIT_GB", "0.5")
    output = ["--output", str(tmp_path / "reference.npz")]
    assert cli.main(["reference", "--agents", "16", "--graph", "star", *output]) == 2
    message = "agents: 16 is not allowed with graph = star: their references take 1.24e+03 GB, the limit is 0.5 GB"
    assert f"{message}; 10 agents fit\n" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert cli.main(["reference", "--agents", "5", "--graph", "star", *output]) == 0
