"""The command line: what it prints, what it writes, and that bad input ends in one line, status 2 and no file."""

from __future__ import annotations

import importlib
import json
import math
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import lpi
from lpi import cli, config, results
from lpi.algorithm import EXACT_TOLERANCE
from lpi.spreading import spreading_process

ROOT = Path(__file__).parents[1]
SUCCESS = ["--p1-means", "success", "--p2-means", "success"]
SHORT = ["--agents", "3", "--set", "trajectory_length=200", "--set", "outer_loops=3"]
ENVIRONMENT = ("graph", "agents", "p1", "p2", "p_eff", "cost", "gamma", "p1_means", "p2_means", "rho")


def run(*arguments: str) -> int:
    """Exit status of the command, however it ends."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code


@pytest.fixture
def answer(capsys):
    """Runs a command that succeeds; what it prints, as JSON."""

    def run_and_read(*arguments):
        assert run(*arguments) == 0
        printed = capsys.readouterr()
        assert printed.err == "" and printed.out.count("\n") == 1
        return json.loads(printed.out)

    return run_and_read


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def uniform(path: Path, agents: int, kappa: int = 0) -> None:
    mdp = spreading_process(lpi.Network.named("line", agents))
    lpi.LocalPolicy.uniform(mdp, kappa).save(path)


def files(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "means, agents, tau, best, of_uniform",
    [
        ("failure", 4, 0.05, 39.49939149, 38.50626120),
        ("failure", 8, 0.02, 38.83022807, 37.65502374),
        ("failure", 8, 0.05, 41.50248975, 40.98212981),
        ("success", 4, 0.05, 37.13157699, 36.39508878),
        ("success", 8, 0.05, 37.55116226, 37.26525690),
        ("success", 8, 0.1, 42.95587901, 42.81043415),
    ],
)
def test_values_of_the_experiment(means, agents, tau, best, of_uniform, answer, folder):
    """Values of independent prototypes, to the digits that brute force confirms."""
    options = ["--agents", agents, "--tau", tau, "--p1-means", means, "--p2-means", means]
    found = answer("optimum", *options)
    assert found["regularized"] == pytest.approx(best, abs=1e-7, rel=0)
    assert found["unregularized"] < found["regularized"]
    uniform(folder / "uniform.npz", agents)
    found = answer("evaluate", "uniform.npz", "--method", "exact", *options)
    assert found["regularized"] == pytest.approx(of_uniform, abs=1e-6, rel=0)


def test_optimum_prints_what_it_is_the_optimum_of(answer):
    found = answer("optimum", "--agents", "3", "--graph", "ring", "--tau", "0.1", "--p2", "0.5")
    assert found.keys() >= {"regularized", "unregularized", "method", "error_bound", "tau", *ENVIRONMENT}
    assert (found["graph"], found["agents"], found["tau"], found["p2"]) == ("ring", 3, 0.1, 0.5)
    assert found["method"] == "decoupled" and 0 <= found["error_bound"] < 1e-6


def test_optimum_without_entropy(answer):
    found = answer("optimum", "--agents", "4", "--tau", "0", *SUCCESS)
    assert found["regularized"] == found["unregularized"] == pytest.approx(35.94035029, abs=1e-7, rel=0)
    assert found["method"] == "decoupled" and 0 <= found["error_bound"] < 1e-8


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder in which nobody can write")
def test_an_output_that_cannot_be_written_is_named():
    with pytest.raises(
        config.ConfigError, match=r"output: '/proc/o.csv' is not allowed \(.*\); a file in a folder that can be"
    ):
        cli.check_outputs(output=Path("/proc/o.csv"))


def test_defaults_are_those_of_the_settings_and_the_failure_convention(answer):
    found = answer("optimum")
    for key in (*ENVIRONMENT, "tau"):
        assert found[key] == config.SETTINGS[key].default
    assert found["p1_means"] == found["p2_means"] == "failure"
    assert found["regularized"] == pytest.approx(41.50248975, abs=1e-7, rel=0)
    assert answer("optimum", *SUCCESS)["regularized"] == pytest.approx(37.55116226, abs=1e-7, rel=0)


def test_evaluate_is_exact_evaluation_where_that_fits(answer, folder):
    uniform(folder / "uniform.npz", 8, kappa=1)
    found = answer("evaluate", "uniform.npz", "--agents", "8", "--tau", "0.05", *SUCCESS)
    mdp = spreading_process(lpi.Network.named("line", 8), p1_means="success", p2_means="success")
    expected = lpi.exact.evaluate(mdp, lpi.LocalPolicy.load("uniform.npz", mdp), 0.05)
    assert found["method"] == "exact"
    assert found["regularized"] == pytest.approx(37.265257, abs=1e-6, rel=0)
    assert (found["regularized"], found["unregularized"]) == (expected.regularized, expected.unregularized)


def test_evaluate_by_simulation_prints_standard_errors(answer, folder):
    mdp = spreading_process(lpi.Network.named("line", 4))
    lpi.train(mdp, lpi.TrainingConfig(trajectory_length=500, outer_loops=5), seed=0).policy.save("some.npz")
    options = ["some.npz", "--agents", "4"]
    exact = answer("evaluate", *options)
    simulated = ["evaluate", *options, "--method", "monte_carlo", "--episodes", "500"]
    found = answer(*simulated)
    assert (found["method"], found["episodes"]) == ("monte_carlo", 500)
    for quantity in ("regularized", "unregularized"):
        error = found[f"{quantity}_se"]
        assert 0 < error < 0.5
        assert abs(found[quantity] - exact[quantity]) < 4 * error
    assert answer(*simulated) == found
    assert answer(*simulated, "--seed", "1")["regularized"] != found["regularized"]


def test_evaluate_simulates_where_the_states_do_not_fit(answer, folder):
    uniform(folder / "uniform.npz", 15)
    found = answer("evaluate", "uniform.npz", "--agents", "15", "--episodes", "2")
    assert found["method"] == "monte_carlo" and math.isfinite(found["regularized"])


def test_train_writes_a_row_per_outer_loop_and_the_final_policy(answer, folder, capsys):
    options = ["--kappa", "2", "--tau", "0.1", "--seed", "7", "--policy", "run.npz"]
    assert run("train", "--output", "run.csv", *SHORT, *options) == 0
    assert capsys.readouterr() == ("", "")
    assert sorted(path.name for path in folder.iterdir()) == ["run.csv", "run.npz"]
    assert Path("run.csv").read_text().splitlines()[0] == ",".join(results.COLUMNS)
    rows = results.read_rows("run.csv")
    assert [row["outer_loop"] for row in rows] == [0, 1, 2, 3]
    assert [row["samples"] for row in rows] == [0, 200, 400, 600]
    named = {"reading": "working", "graph": "line", "agents": 3, "kappa": 2, "beta": 2, "tau": 0.1, "seed": 7}
    assert all(named.items() <= row.items() for row in rows)
    found = answer("evaluate", "run.npz", "--agents", "3", "--tau", "0.1", *SUCCESS)
    for quantity in ("regularized", "unregularized"):
        assert found[quantity] == pytest.approx(rows[-1][quantity], abs=EXACT_TOLERANCE, rel=0)
    assert rows[-1]["regularized"] != rows[0]["regularized"]


def test_same_seed_same_bytes(folder):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert run("train", "--output", f"{name}.csv", "--policy", f"{name}.npz", "--seed", seed, *SHORT) == 0
    content = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert content["a.csv"] == content["b.csv"] and content["a.npz"] == content["b.npz"]
    rows = {name: results.read_rows(f"{name}.csv") for name in "ac"}
    assert rows["a"][-1]["regularized"] != rows["c"][-1]["regularized"]


@pytest.mark.parametrize("evaluation", ["exact", "monte_carlo"])
def test_several_seeds_and_a_reference_from_a_file_change_no_byte(evaluation, folder):
    options = [*SHORT, "--kappa", "1", "--set", f"evaluation={evaluation}"]
    for seed in (3, 0):
        assert run("train", "--seed", seed, "--output", f"{seed}.csv", "--policy", f"{seed}.npz", *options) == 0
    assert run("reference", "--output", "reference.npz", "--agents", "3") == 0
    together = ["--seed", 0, 3, "--output", "a.csv", "b.csv", "--policy", "a.npz", "b.npz"]
    assert run("train", *together, "--reference", "reference.npz", *options) == 0
    content = {path.name: path.read_bytes() for path in folder.iterdir()}
    for alone, one in (("0", "a"), ("3", "b")):
        assert content[f"{alone}.csv"] == content[f"{one}.csv"] and content[f"{alone}.npz"] == content[f"{one}.npz"]
    assert content["a.csv"] != content["b.csv"]


def test_a_reference_for_something_else_is_refused(folder, capsys):
    assert run("reference", "--output", "reference.npz", "--agents", "3") == 0
    options = ["--output", "run.csv", "--reference", "reference.npz", *SHORT, "--set", "evaluation=monte_carlo"]
    for other in (["--tau", "0.1"], ["--p2", "0.5"], ["--set", "agents=4"]):
        assert run("train", *options, *other) == 2
        assert "reference: 'reference.npz' is not allowed, it was made for another" in capsys.readouterr().err
    assert not Path("run.csv").exists()


def trained_settings(*arguments: str) -> config.Settings:
    """The settings that `lpi train` would run with."""
    options = cli._parser().parse_args(["train", "--output", "run.csv", *arguments])
    return cli._settings(options)


def test_set_is_repeatable_and_overrides_options_and_reading():
    arguments = ["--agents", "3", "--set", "agents=4", "--set", "eta=0.1", "--set", "eta=0.2", "--set", "q_start=1.5"]
    found = trained_settings(*arguments)
    assert found == config.resolve("working", {"agents": 4, "eta": 0.2, "q_start": 1.5})


def test_the_reading_is_working_unless_named():
    assert trained_settings() == config.resolve("working")
    assert trained_settings("--reading", "as_printed") == config.resolve("as_printed")
    assert config.resolve("working") != config.resolve("as_printed")


def test_a_reading_of_ones_own_starts_from_the_defaults(folder):
    assert run("train", "--output", "run.csv", "--custom", "--reading", "my-own_2", *SHORT) == 0
    assert {row["reading"] for row in results.read_rows("run.csv")} == {"my-own_2"}
    # working starts from other Q values and restarts: the curve differs from the second row on
    assert run("train", "--output", "working.csv", *SHORT) == 0
    assert results.read_rows("run.csv")[1]["td_error"] != results.read_rows("working.csv")[1]["td_error"]


def test_seeds_are_those_of_the_workflow(folder):
    assert run("train", "--output", "run.csv", "--seed", config.LARGEST_SEED, *SHORT) == 0
    assert results.read_rows("run.csv")[0]["seed"] == config.LARGEST_SEED


@pytest.mark.parametrize("terminal, quiet, shown", [(True, [], True), (False, [], False), (True, ["--quiet"], False)])
def test_progress_bar_on_a_terminal_only(terminal, quiet, shown, folder, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert run("train", "--output", "run.csv", *SHORT, *quiet) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert ("outer loops" in printed.err) is shown
    assert shown or printed.err == ""


BAD = {
    "unknown command": ("tarin", ["'tarin'", "train"]),
    "no command": ("", ["command"]),
    "unknown option": ("train --output o.csv --bogus 2", ["--bogus"]),
    "abbreviated option": ("train --output o.csv --gamm 0.5", ["--gamm"]),
    "no output": ("train", ["--output"]),
    "option without a value": ("optimum --tau", ["--tau"]),
    "unknown key": ("train --output o.csv --set kapa=1", ["kapa", "'kappa'"]),
    "no equals sign": ("train --output o.csv --set kappa", ["--set", "'kappa'", "key=value"]),
    "negative tau": ("train --output o.csv --tau -0.1", ["tau: -0.1", ">= 0"]),
    "tau is no number": ("optimum --tau NaN", ["tau: nan", ">= 0"]),
    "gamma of 1": ("optimum --gamma 1", ["gamma: 1", "<= 0.9999"]),
    "eta and tau": ("train --output o.csv --set eta=30 --tau 0.05", ["eta: 30", "tau = 0.05", "eta * tau <= 1"]),
    "p1 above 1": ("train --output o.csv --p1 1.2", ["p1: 1.2", ">= 0 and <= 1"]),
    "p1_means": ("optimum --p1-means sucess", ["p1_means: 'sucess'", "'failure' or 'success'"]),
    "negative kappa": ("train --output o.csv --kappa -1", ["kappa: -1", ">= 0"]),
    "kappa is no integer": ("train --output o.csv --kappa 1.5", ["kappa: 1.5", "an integer"]),
    "kappa with an exponent": ("train --output o.csv --kappa 1e0", ["kappa: 1e0", "an integer >= 0"]),
    "agents with an exponent": ("optimum --agents 1e1", ["agents: 1e1", "an integer >= 1"]),
    "loops with a point": ("train --output o.csv --set outer_loops=2.0", ["outer_loops: 2.0", "an integer >= 1"]),
    "last loop in words": ("aggregate o.csv --output p.csv --outer-loops all", ["outer_loops: 'all'", ">= 1"]),
    "runs with a point": ("aggregate o.csv --output p.csv --each 1.0", ["each: '1.0'", "an integer >= 1"]),
    "rows in words": ("join optima o.csv --output p.csv --rows all", ["rows: 'all'", "an integer >= 1"]),
    "no agents": ("optimum --agents 0", ["agents: 0", ">= 1"]),
    "agents in words": ("optimum --agents two", ["agents: 'two'", "an integer >= 1"]),
    "negative seed": ("train --output o.csv --seed -1", ["seed: -1", ">= 0 and <= 4294967295"]),
    "seed too large": ("train --output o.csv --seed 4294967296", ["seed: 4294967296", "<= 4294967295"]),
    "seed with thousands of digits": (f"train --output o.csv --seed {'9' * 5000}", ["seed: 999", "<= 4294967295"]),
    "seed in words": ("evaluate three.npz --agents 3 --seed one", ["seed: 'one'", "an integer >= 0"]),
    "seed in another script": ("train --output o.csv --seed ٣", ["seed: '٣'", "an integer >= 0"]),
    "a seed twice": ("train --seed 1 2 1 --output a b c", ["seed: 1 is there twice"]),
    "more seeds than files": ("train --seed 1 2 --output a", ["output: 1 files", "2 seeds; one for each"]),
    "more files than seeds": ("train --output a --policy b c", ["policy: 2 files", "1 seeds; one for each"]),
    "a file for two seeds": ("train --seed 1 2 --output a a", ["output: 'a'", "other than --output"]),
    "no reference file": (
        "train --output a --agents 3 --set evaluation=monte_carlo --reference none.npz",
        ["reference: 'none.npz'", "No such file", "a file that lpi reference wrote"],
    ),
    "reference is a policy": (
        "train --output a --agents 3 --set evaluation=monte_carlo --reference three.npz",
        ["reference: 'three.npz'", "a file that lpi reference wrote"],
    ),
    "output is the reference": ("train --output text.npz --reference text.npz", ["output: 'text.npz'", "an input"]),
    "reference in no folder": ("reference --output none/r.npz", ["output: 'none/r.npz'", "a folder that exists"]),
    "unknown reading": ("train --output o.csv --reading printed", ["reading: 'printed'", "as_printed, working"]),
    "reading without a name": ("train --output o.csv --custom --reading=", ["reading: ''", "letters"]),
    "reading with a comma": ("train --output o.csv --custom --reading a,b", ["reading: 'a,b'", "letters"]),
    "reading that leaves the folder": ("train --output o.csv --custom --reading ../a", ["reading: '../a'", "letters"]),
    "reading with a known name": ("train --output o.csv --custom", ["reading: 'working'", "other than"]),
    "graph": ("optimum --graph triangle", ["graph: 'triangle'", "'line'", "'ring'"]),
    "default state": ("train --output o.csv --set default_state=4", ["default_state: 4", "0..3"]),
    "output in no folder": ("train --output none/o.csv", ["output: 'none/o.csv'", "a folder that exists"]),
    "output is a folder": ("train --output sub", ["output: 'sub'", "a file in a folder"]),
    "output is a pipe": ("train --output pipe --agents 1", ["output: 'pipe'", "a file in a folder"]),
    "name too long": (f"train --output {'o' * 250}", ["output: 'ooo", "File name too long"]),
    "policy in no folder": ("train --output o.csv --policy none/p.npz", ["policy: 'none/p.npz'", "that exists"]),
    "one file twice": ("train --output o.csv --policy sub/../o.csv", ["policy: 'sub/../o.csv'", "than --output"]),
    "table too large": ("train --output o.csv --agents 15 --kappa 9", ["kappa: 9", "15 agents", "kappa <= 3 fits"]),
    "exact curve too large": ("train --output o.csv --agents 15 --set evaluation=exact", ["evaluation", "GB", "11"]),
    "no policy file": ("evaluate none.npz", ["policy: 'none.npz'", "No such file", "lpi train"]),
    "policy is a folder": ("evaluate sub", ["policy: 'sub'", "lpi train"]),
    "policy is text": ("evaluate text.npz", ["policy", "text.npz", "written by lpi"]),
    "policy is cut off": ("evaluate cut.npz --agents 3", ["policy", "cut.npz", "written by lpi"]),
    "policy of 3 agents": ("evaluate three.npz --agents 4", ["policy", "3 tables", "one per agent, 4"]),
    "policy of 3 agents for the default 8": ("evaluate three.npz", ["policy", "3 tables", "one per agent, 8"]),
    "method": ("evaluate three.npz --agents 3 --method guess", ["--method", "'guess'", "monte_carlo"]),
    "one episode": ("evaluate three.npz --episodes 1", ["episodes: 1 is not allowed; an integer >= 2"]),
    "episodes in words": ("evaluate three.npz --episodes x", ["episodes: 'x' is not allowed; an integer >= 2"]),
    "too many states": (
        "evaluate fifteen.npz --agents 15 --method exact",
        ["1.07e+09 joint states", "387 GB", "at most 2.15 GB"],
    ),
    "optimum too large": ("optimum --agents 40", ["agents: 40", "GB", "fit"]),
    "aggregate over its input": ("aggregate run.csv --output run.csv", ["output: 'run.csv'", "other than an input"]),
    "aggregate of no table": ("aggregate text.npz --output o.csv", ["text.npz", "column"]),
    "summary into one file": (
        "summary --curves run.csv --figures f.json --csv s --markdown s --latex t",
        ["markdown: 's'", "--csv"],
    ),
    "notebook over itself": ("notebook a --parameters p --output a --html h", ["output: 'a'", "an input"]),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "sub").mkdir()
    os.mkfifo(folder / "pipe")  # stands for /dev/null, which a test must not put at risk
    uniform(folder / "three.npz", 3)
    uniform(folder / "fifteen.npz", 15)
    content = (folder / "three.npz").read_bytes()
    (folder / "cut.npz").write_bytes(content[: len(content) // 2])
    (folder / "text.npz").write_text("no policy\n")
    (folder / "run.csv").write_text("no table\n")
    return folder


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_status_2_and_no_file(name, inputs, monkeypatch, capsys):
    monkeypatch.chdir(inputs)
    before = files(inputs)
    command, parts = BAD[name]
    assert run(*command.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("lpi") and printed.err.endswith("\n") and printed.err.count("\n") == 1
    for part in parts:
        assert part in printed.err
    assert "Traceback" not in printed.err
    assert files(inputs) == before


@pytest.mark.parametrize("arguments", [["--reading", "a\nb"], ["--bogus", "a\nb"], ["--agents", "8\n9"]])
def test_line_breaks_in_bad_input_do_not_reach_the_message(arguments, folder, capsys):
    assert run("train", "--output", "o.csv", *arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "error, status, message",
    [
        (MemoryError("Unable to allocate 9 GiB"), 2, "out of memory: Unable to allocate 9 GiB; fewer agents"),
        (OverflowError("too\nlarge"), 1, "arithmetic failed: OverflowError: too large"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
    ],
)
def test_failures_end_in_one_line(error, status, message, folder, capsys, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr("lpi.algorithm.train", fail)
    assert run("train", "--output", "run.csv", "--policy", "run.npz", *SHORT) == status
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("lpi train: ") and printed.err.count("\n") == 1
    assert message in printed.err
    assert list(folder.iterdir()) == []


def test_a_policy_that_cannot_be_written_leaves_the_curve_and_says_so(folder, capsys, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lpi.LocalPolicy, "save", fail)
    assert run("train", "--output", "run.csv", "--policy", "run.npz", *SHORT) == 2
    message = "policy: 'run.npz' could not be written (No space left on device); 'run.csv' was written"
    assert capsys.readouterr().err == f"lpi train: {message}\n"
    assert len(results.read_rows("run.csv")) == 4
    assert [path.name for path in folder.iterdir()] == ["run.csv"]


def test_a_curve_that_cannot_be_written_leaves_no_policy(folder, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results, "write_rows", fail)
    assert run("train", "--output", "run.csv", "--policy", "run.npz", *SHORT) == 2
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--output", ""],
        ["train", "--output", "o.csv", "--policy", ""],
        ["evaluate", ""],
        ["aggregate", "", "--output", "o.csv"],
        ["join", "optima", "o.csv", "--output", ""],
        ["multiverse", "train", "--design", "", "--job", "n5_000", "--output", "o.csv"],
    ],
)
def test_an_empty_path_is_called_so(arguments, folder, capsys):
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert "the path is empty; the name of a file" in error and error.count("\n") == 1
    assert files(folder) == {}


def test_exit_status_of_the_module_and_the_console_script(tmp_path):
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, function = scripts["lpi"].split(":")
    assert getattr(importlib.import_module(module), function) is cli.main
    script = f"import sys; from {module} import {function}; sys.exit({function}())"  # what pip installs
    for start in (["-m", "lpi"], ["-c", script]):
        for arguments, status in (("--help", 0), ("optimum --agents 0", 2), ("train", 2)):
            command = [sys.executable, *start, *arguments.split()]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == status
            assert bool(done.stdout) is (status == 0)
            assert done.stderr.count("\n") == (status != 0)
