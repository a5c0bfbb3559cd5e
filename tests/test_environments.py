"""Environments by name: the SIS epidemic against its definition and brute force, a file of one's own, what is refused."""

from __future__ import annotations

import json
import math

import joint
import networkx as nx
import numpy as np
import oracles
import pytest
from builders import GRAPHS, random_policy

from lpi import cli, environments, exact, experiment
from lpi.config import ConfigError, resolve
from lpi.epidemic import PARAMETERS, sis_epidemic
from lpi.memory import check_memory, run_memory
from lpi.policy import LocalPolicy
from lpi.solvers.decoupled import decoupled_problem
from lpi.truth.ground_truth import optima

TAU = 0.05
OWN = """
import numpy as np
from lpi.environments import Environment
from lpi.mdp import NetworkedMDP

def make(network, gamma, keep):
    tables = [np.full((2,) * len(network.neighbourhood(i, 1)) + (3, 2), 0.5) for i in range(network.agents)]
    return NetworkedMDP(network, tables, [np.full((2, 3), keep)] * network.agents, gamma)

ENVIRONMENT = Environment(make, states=2, actions=3, parameters={"keep": 0.5})
"""


def probability(s_around, s_own, action, target, infection, outside, protection, recovery, cure):
    """P(s_i(t+1) = target) with the states of the neighbours, i itself not among them."""
    if s_own == 1:
        infected = (1 - recovery) * ((1 - cure) if action == 1 else 1)
    else:
        escaped = 1 - outside
        for s in s_around:
            escaped *= 1 - infection * (1 - protection * action) if s == 1 else 1
        infected = 1 - escaped
    return infected if target == 1 else 1 - infected


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_definition(graph):
    values = dict(infection=0.35, outside=0.03, protection=0.6, recovery=0.25, cure=0.45)
    mdp = sis_epidemic(GRAPHS[graph], **values, cost=0.4, infected=0.2)
    for i, around in enumerate(oracles.neighbourhoods(mdp, 1)):
        for s in oracles.all_values(mdp.states, around):
            others = [s[k] for k, j in enumerate(around) if j != i]
            for a in (0, 1):
                expected = [probability(others, s[around.index(i)], a, target, **values) for target in (0, 1)]
                np.testing.assert_allclose(mdp.transitions[i][(*s, a)], expected, rtol=1e-13)
        np.testing.assert_allclose(mdp.rewards[i], [[1.4, 1.0], [0.4, 0.0]])
        np.testing.assert_allclose(mdp.rho.marginals[i], [[0.8, 0.2]])


@pytest.mark.parametrize("graph", ["line", "star", "ring"])
def test_exact_values_agree_with_brute_force(graph):
    mdp = sis_epidemic(GRAPHS[graph])
    for kappa in (0, 1):
        policy = random_policy(mdp, kappa, seed=kappa)
        expected = joint.evaluate(mdp, policy, TAU)
        assert exact.evaluate(mdp, policy, TAU).regularized == pytest.approx(expected.regularized, abs=1e-8)


def test_the_optimum_agrees_with_brute_force():
    """The best joint policy is within the bound above the best product policy; they are one policy for tau = 0."""
    mdp = sis_epidemic(nx.path_graph(3))
    found = exact.optimum(mdp, TAU)
    assert decoupled_problem(mdp) is None and found.method == "joint"
    best = joint.optimum(mdp, TAU)
    assert found.regularized - 1e-9 <= best <= found.regularized + found.error_bound + 1e-8
    assert found.error_bound < 1e-3 * best
    assert exact.optimum(mdp, 0.0).regularized == pytest.approx(joint.optimum(mdp, 0.0), abs=1e-7)


def test_seeing_neighbours_helps_a_little():
    mdp = sis_epidemic(nx.path_graph(4))
    blind, seeing = exact.best_local_up_to(mdp, 1, TAU)
    uniform = exact.evaluate(mdp, LocalPolicy.uniform(mdp, 0), TAU).regularized
    assert uniform < blind.regularized - 0.1 and seeing.regularized > blind.regularized + 1e-3


def test_a_row_of_the_optima():
    mdp = sis_epidemic(nx.path_graph(3))
    row = optima(mdp, TAU)
    assert row["method"] == "joint" and row["uniform"] < row["optimum"]
    assert row["optimum_unregularized"] < row["ceiling"]
    assert row["optimum"] == exact.optimum(mdp, TAU).regularized


def test_parameters_are_those_of_the_function():
    import inspect

    defaults = {name: p.default for name, p in inspect.signature(sis_epidemic).parameters.items()}
    assert {name: defaults[name] for name in PARAMETERS} == PARAMETERS
    for name in PARAMETERS:
        with pytest.raises(ValueError, match=f"{name}: 1.5 is not allowed"):
            sis_epidemic(nx.path_graph(2), **{name: 1.5})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    environments.find.cache_clear()
    return tmp_path


SHORT = ["--agents", "3", "--set", "outer_loops=3", "--set", "trajectory_length=200", "--quiet"]


@pytest.mark.parametrize("name", ["sis", "own.py"])
def test_from_the_command_line(folder, name, capsys):
    run = ["--environment", name, "--reading", "mine", "--custom", *SHORT]
    assert cli.main(["train", *run, "--output", "o.csv", "--policy", "p.npz"]) == 0
    assert cli.main(["evaluate", "p.npz", "--environment", name, "--agents", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    last = (folder / "o.csv").read_text().splitlines()[-1].split(",")
    assert math.isclose(found["regularized"], float(last[8]), abs_tol=1e-4) and found["environment"] == name
    assert cli.main(["optima", "--environment", name, "--agents", "3", "--output", "optima.csv"]) == 0


def test_parameters_from_the_command_line(folder, capsys):
    found = []
    for text in ('{"cost": 0.3}', '{"cost": 0.9, "recovery": 0.5}'):
        assert cli.main(["optimum", "--environment", "sis", "--agents", "3", "--environment-parameters", text]) == 0
        found.append(json.loads(capsys.readouterr().out)["regularized"])
    assert found[0] == pytest.approx(exact.optimum(sis_epidemic(nx.path_graph(3)), TAU).regularized)
    assert found[1] > found[0] + 1


REFUSED = {
    "no such environment": ("--environment flu", "environment: 'flu' is not allowed; 'spreading' or 'sis' or a Python"),
    "no such file": ("--environment none.py", "environment: 'none.py' is not allowed, there is no such file"),
    "a file that fails": ("--environment bad.py", "environment: 'bad.py' failed: ZeroDivisionError"),
    "a file without one": ("--environment empty.py", "environment: 'empty.py' defines no ENVIRONMENT"),
    "no such parameter": (
        '--environment sis --environment-parameters {"cure_":1}',
        "environment_parameters.cure_: no such key; did you mean 'cure'?",
    ),
    "parameter out of range": ('--environment sis --environment-parameters {"cure":2}', "cure: 2.0 is not allowed"),
    "no number": ('--environment sis --environment-parameters {"cure":"1"}', "a mapping from names to numbers"),
    "parameters of spreading": (
        '--environment-parameters {"p1":1}',
        "'p1' is not allowed with environment = spreading",
    ),
    "spreading's own": ("--environment sis --p-eff 0.3", "p_eff: 0.3 is not allowed with environment = sis"),
    "default state": ("--environment sis --set default_state=2", "default_state: 2 is not allowed; an integer in 0..1"),
    "a file that ends itself": ("--environment leaves.py", "environment: 'leaves.py' failed: SystemExit: 7"),
    "make fails": ("--environment fails.py", "environment: 'fails.py' cannot be made: NameError: name 'tables'"),
    "make ends the program": ("--environment ends.py", "environment: 'ends.py' cannot be made: SystemExit: 7"),
    "make makes nothing": ("--environment none_made.py", "environment: 'none_made.py' makes None; an lpi.NetworkedMDP"),
    "other agents": ("--environment alone.py", "environment: 'alone.py' makes 1 agents; the network's 3"),
    "no sizes": ("--environment sizes.py", "'sizes.py' defines ENVIRONMENT with states = '2'; an integer >= 1"),
    "no parameters": ("--environment given.py", "'given.py' defines ENVIRONMENT with parameters = ['keep']; a mapping"),
    "other sizes": ("--environment lies.py", "'lies.py' has other local states or actions"),
}

BROKEN = {
    "lies": ("actions=3", "actions=2"),
    "leaves": ("import numpy as np", "raise SystemExit(7)"),
    "fails": ("    tables =", "    others ="),
    "ends": ("    tables =", "    raise SystemExit(7)\n    tables ="),
    "none_made": ("    return", "    made ="),
    "alone": ("    return", "    from lpi.network import Network\n    network = Network(1, [])\n"
              "    tables = [np.full((2, 3, 2), 0.5)]\n    return"),
    "sizes": ("states=2", "states='2'"),
    "given": ('{"keep": 0.5}', '["keep"]'),
}  # fmt: skip
"""What is written in the place of what in `OWN`, by the file."""


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(folder, capsys, case):
    (folder / "bad.py").write_text("1 / 0", encoding="utf-8")
    (folder / "empty.py").write_text("", encoding="utf-8")
    for name, (old, new) in BROKEN.items():
        assert old in OWN
        (folder / f"{name}.py").write_text(OWN.replace(old, new), encoding="utf-8")
    options, message = REFUSED[case]
    assert cli.main(["train", *options.split(), *SHORT, "--output", "o.csv"]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (folder / "o.csv").exists()


def test_in_the_config_it_belongs_to_a_reading(folder):
    config = {
        "readings": ["working", "mine"],
        "custom_readings": {"mine": {"environment": "own.py", "environment_parameters": {"keep": 0.25}}},
    }
    found = experiment.load(config)
    assert found.environment_assignments("mine") == ("environment=own.py", 'environment_parameters={"keep": 0.25}')
    assert found.files == ("own.py",) and found.convention("mine") is None
    assert found.environment_assignments() == found.environment_assignments("as_printed") == ()
    assert not found.simulated("mine", 15) and found.simulated("working", 15)
    with pytest.raises(ConfigError, match="settings.environment: 'sis' is not allowed; a setting of a reading"):
        experiment.load({"settings": {"environment": "sis"}})


def test_memory_follows_the_local_states():
    sizes = [run_memory(resolve("mine", {"agents": 9}, readings={"mine": {"environment": name}})) for name in
             ("spreading", "sis")]  # fmt: skip
    assert sizes[1] < sizes[0]
    with pytest.raises(ConfigError, match="at most 22 agents"):
        check_memory(resolve("mine", {"agents": 23, "evaluation": "exact"}, readings={"mine": {"environment": "sis"}}))
