"""The config file: every mistake ends in one line that names the key, the value and what is allowed."""

import ast
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import jsonschema
import pytest
import yaml

from lpi import config_keys, experiment, schema
from lpi.config import LATER, SETTINGS, ConfigError, allowed, flat, parse_assignment, resolve

ROOT = Path(__file__).parents[1]


def setting(key, value):
    return {"settings": {key: value}}


def panel(agents=(8,), taus=(0.05,), figure="figure1", **more):
    return {"figures": {figure: {"agents": list(agents), "taus": list(taus), **more}}}


# A config, and what its message must say: the key with its place in the file, the value, what is allowed.
MISSPELT = {
    "unknown key": ({"colour": 1}, "colour", "one of readings"),
    "misspelt key": ({"kapas": [1]}, "kapas", "did you mean 'kappas'"),
    "setting at the top": ({"outer_loops": 3}, "outer_loops", "did you mean 'settings.outer_loops'"),
    "grid setting at the top": ({"kappa": 3}, "kappa", "did you mean 'kappas'"),
    "misspelt setting": (setting("gama", 0.9), "settings.gama", "did you mean 'gamma'"),
    "misspelt figure": ({"figures": {"figur1": None}}, "figures.figur1", "did you mean 'figure1'"),
    "misspelt list": (panel(tau=[1]), "figures.figure1.tau", "did you mean 'taus'"),
    "missing list": ({"figures": {"figure2": {"taus": [0.1]}}}, "figures.figure2.agents", "missing"),
    "misspelt in a reading": (
        {"custom_readings": {"mine": {"q_strat": 0}}},
        "custom_readings.mine.q_strat",
        "did you mean 'q_start'",
    ),
}
STRUCTURE = {
    "settings no mapping": ({"settings": [1]}, "settings: [1]", "a mapping from settings"),
    "figures no mapping": ({"figures": [8]}, "figures: [8]", "figure1, figure2, figure3"),
    "figure no mapping": ({"figures": {"figure1": 8}}, "figures.figure1: 8", "agents: list, taus: list"),
    "custom readings no mapping": ({"custom_readings": "mine"}, "custom_readings: 'mine'", "a mapping"),
    "custom reading no mapping": ({"custom_readings": {"mine": 3}}, "custom_readings.mine: 3", "a mapping"),
    "custom reading without a name": ({"custom_readings": {"a/b": {}}}, "custom_readings: 'a/b'", "new names"),
    "kappas no list": ({"kappas": 2}, "kappas: 2", "a list of different values, each an integer >= 0"),
    "seeds no list": ({"seeds": 3}, "seeds: 3", "a list of different integers"),
    "no seeds": ({"seeds": []}, "seeds: []", "at least one"),
    "no kappas": ({"kappas": []}, "kappas: []", "at least one"),
    "no readings": ({"readings": []}, "readings: []", "at least one"),
    "no agents": (panel(agents=[]), "figures.figure1.agents: []", "at least one"),
    "null kappas": ({"kappas": None}, "kappas: None", "a list"),
    "duplicate seeds": ({"seeds": [1, 2, 1]}, "seeds: [1, 2, 1]", "1 is there twice"),
    "duplicate kappas": ({"kappas": [1, 1]}, "kappas: [1, 1]", "1 is there twice"),
    "duplicate readings": ({"readings": ["working"] * 2}, "readings: ['working', 'working']", "twice"),
    "negative seed": ({"seeds": [-1]}, "seeds: -1", "an integer >= 0"),
    "fractional seed": ({"seeds": [0.5]}, "seeds: 0.5", "an integer >= 0"),
    "boolean seed": ({"seeds": [True]}, "seeds: True", "an integer >= 0"),
    "seed in words": ({"seeds": ["one"]}, "seeds: 'one'", "an integer >= 0"),
    "huge seed": ({"seeds": [2**32]}, "seeds: 4294967296", "<= 4294967295"),
    "negative kappa": ({"kappas": [0, -1]}, "kappas: -1", "an integer >= 0"),
    "fractional kappa": ({"kappas": [1.5]}, "kappas: 1.5", "an integer >= 0"),
    "boolean kappa": ({"kappas": [True]}, "kappas: True", "an integer >= 0"),
    "no agent": (panel(agents=[0]), "figures.figure1.agents: 0", "an integer >= 1"),
    "agents in words": (panel(agents=["eight"]), "figures.figure1.agents: 'eight'", "an integer >= 1"),
    "negative tau": (panel(taus=[-0.1]), "figures.figure1.taus: -0.1", "a number >= 0"),
    "tau as YAML reads 1e-2": (panel(taus=["1e-2"]), "figures.figure1.taus: '1e-2'", "write 0.01"),
    "gamma of one": (setting("gamma", 1), "settings.gamma: 1", ">= 0 and <= 0.9999"),
    "gamma above one": (setting("gamma", 1.2), "settings.gamma: 1.2", ">= 0 and <= 0.9999"),
    "p1 above one": (setting("p1", 1.01), "settings.p1: 1.01", ">= 0 and <= 1"),
    "p2 below zero": (setting("p2", -0.01), "settings.p2: -0.01", ">= 0 and <= 1"),
    "p_eff in words": (setting("p_eff", "much"), "settings.p_eff: 'much'", "a number"),
    "convention": (setting("p1_means", "maybe"), "settings.p1_means: 'maybe'", "'failure' or 'success'"),
    "graph": (setting("graph", "directed"), "settings.graph: 'directed'", "'line' or 'ring'"),
    "eta of zero": (setting("eta", 0), "settings.eta: 0", "a number > 0"),
    "no loops": (setting("outer_loops", 0), "settings.outer_loops: 0", "an integer >= 1"),
    "fractional loops": (setting("outer_loops", 1.5), "settings.outer_loops: 1.5", "an integer >= 1"),
    "boolean loops": (setting("outer_loops", True), "settings.outer_loops: True", "an integer >= 1"),
    "null where not allowed": (setting("eta", None), "settings.eta: None", "a number > 0"),
    "a list for a number": (setting("cost", [0.3]), "settings.cost: [0.3]", "a number"),
    "step size": (setting("step_size", 1.5), "settings.step_size: 1.5", "> 0 and <= 1"),
    "q_start": (setting("q_start", "high"), "settings.q_start: 'high'", "'zero' or 'optimistic' or a number"),
    "value in a reading": (
        {"custom_readings": {"mine": {"gamma": 2}}},
        "custom_readings.mine.gamma: 2",
        ">= 0 and <= 0.9999",
    ),
    "no seed per job": ({"seeds_per_job": 0}, "seeds_per_job: 0", "an integer >= 1"),
    "fractional seeds per job": ({"seeds_per_job": 2.5}, "seeds_per_job: 2.5", "an integer >= 1"),
    "boolean seeds per job": ({"seeds_per_job": True}, "seeds_per_job: True", "an integer >= 1"),
    "empty folder": ({"results_folder": ""}, "results_folder: ''", "the name of a folder"),
    "folder of the wrong type": ({"figures_folder": 3}, "figures_folder: 3", "the name of a folder"),
    "no memory": ({"memory_limit_gb": 0}, "memory_limit_gb: 0", "a number > 0"),
    "memory in words": ({"memory_limit_gb": "4 GB"}, "memory_limit_gb: '4 GB'", "a number > 0"),
    "locality no mapping": ({"locality": [8]}, "locality: [8]", "agents: list, taus: list"),
    "locality without taus": ({"locality": {"agents": [8]}}, "locality.taus", "missing"),
    "acting with a misspelt key": ({"acting": {"agents": 5, "taus": 0.1}}, "acting.taus", "did you mean 'tau'"),
    "acting without p_eff": ({"acting": {"agents": 5, "tau": 0.1, "p_eff": []}}, "acting.p_eff: []", "at least one"),
    "p_eff above 1": ({"acting": {"agents": 5, "tau": 0.1, "p_eff": [2]}}, "acting.p_eff: 2", "<= 1"),
}
# What a schema cannot say: values that depend on each other.
TOGETHER = {
    "no mapping": ([1], "config: [1]", "a mapping with the keys"),
    "locality too large": ({"locality": {"agents": [5, 12], "taus": [0.1]}}, "locality.agents: 12", "fewer agents"),
    "no figure": ({"figures": {"figure1": None}}, "figures: {'figure1': None}", "at least one figure"),
    "agents in settings": (setting("agents", 5), "settings.agents: 5", "figures.<figure>.agents"),
    "kappa in settings": (setting("kappa", 2), "settings.kappa: 2", "use kappas"),
    "tau in a reading": (
        {"custom_readings": {"mine": {"tau": 0.1}}},
        "custom_readings.mine.tau: 0.1",
        "figures.<figure>.taus",
    ),
    "unknown reading": ({"readings": ["wroking"]}, "readings: 'wroking'", "as_printed, working"),
    "shipped reading redefined": ({"custom_readings": {"working": {}}}, "custom_readings: 'working'", "new names"),
    "the same folder": ({"figures_folder": "results"}, "figures_folder: 'results'", "not results_folder"),
    "the same folder, written otherwise": ({"figures_folder": "./a/../results"}, "figures_folder: './a", "not results"),
    "a reading named like a folder": (
        {"custom_readings": {"logs": {}}},
        "custom_readings: 'logs'",
        "multiverse, studies, scaling, baseline itself",
    ),
    "or nearly": ({"custom_readings": {"Package": {}}}, "custom_readings: 'Package'", "the results folder needs logs"),
    "a brace in a folder": ({"results_folder": "a{b}"}, "results_folder: 'a{b}'", "without {}<>"),
    "infinite tau": (panel(taus=[float("inf")]), "figures.figure1.taus: inf", "a number >= 0"),
    "gamma not a number": (setting("gamma", float("nan")), "settings.gamma: nan", "<= 0.9999"),
    "eta tau above one": ({**panel(taus=[0.5]), **setting("eta", 3)}, "eta: 3", "tau = 0.5", "eta * tau <= 1"),
    "tau above 1 / eta": (panel(taus=[20.5]), "eta: 0.05", "tau = 20.5", "eta * tau <= 1"),
    "H above t0": (
        setting("step_schedule", "decaying") | {"settings": {"step_schedule": "decaying", "step_h": 200}},
        "step_h: 200",
        "at most step_t0 = 160",
    ),
    "default state too large": (setting("default_state", 4), "default_state: 4", "an integer in 0..3"),
    "default action per agent": (
        {**panel(agents=[3]), **setting("default_action", [0, 1])},
        "default_action: (0, 1)",
        "or 3 of them",
    ),
    "kappa too large": ({"kappas": [0, 7]}, "kappas: 7", "line", "kappa <= 3 fits"),
    "beta too large": (setting("beta", 9), "beta: 9", "15 agents", "beta <= 3 fits"),
    "star too large": (
        {**panel(agents=[40]), **setting("graph", "star"), "kappas": [0]},
        "kappas: 0",
        "40 agents and graph = star",
        "no kappa fits",
    ),
    "numbers beyond a float": (
        {**panel(agents=[400]), **setting("graph", "star"), "kappas": [2]},
        "kappas: 2",
        "about 10^",
        "no kappa fits",
    ),
    "exact evaluation too large": (
        setting("evaluation", "exact"),
        "evaluation: 'exact'",
        "15 agents",
        "at most 11 agents",
    ),
}
BAD = MISSPELT | STRUCTURE | TOGETHER


def read(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_one_line(name):
    config, key, *fragments = BAD[name]
    with pytest.raises(ConfigError) as raised:
        experiment.load(config)
    message = str(raised.value)
    assert "\n" not in message and len(message) < 400
    assert message.startswith(f"{key.split(':')[0]}:")
    for fragment in (key, *fragments):
        assert fragment in message


@pytest.mark.parametrize("name", MISSPELT | STRUCTURE)
def test_the_schema_refuses_the_same_structures(name):
    config, *_ = BAD[name]
    assert not jsonschema.Draft202012Validator(schema.config_schema()).is_valid(config)


@pytest.mark.parametrize("name", ["config/config.yaml", "config/quick.yaml"])
def test_config_files_are_accepted_by_both(name):
    experiment.load(read(name))
    jsonschema.validate(read(name), schema.config_schema())


def test_each_default_in_the_schema_is_one():
    properties = schema.config_schema()["properties"]
    assert experiment.load({key: value["default"] for key, value in properties.items()}) == experiment.load({})
    defaults = {
        key: value["default"] for key, value in schema.config_schema()["$defs"]["settings"]["properties"].items()
    }
    assert flat(resolve("defaults", defaults, readings={"defaults": {}})) == flat(
        resolve("defaults", readings={"defaults": {}})
    )


def test_generated_texts_are_up_to_date():
    assert (ROOT / schema.SCHEMA).read_text(encoding="utf-8") == schema.schema_text()
    readme, config = ((ROOT / name).read_text(encoding="utf-8") for name in (schema.README, schema.CONFIG))
    assert schema.readme_text(readme) == readme
    assert schema.config_text(config) == config
    assert all(f"| `{key}` |" in readme for key in SETTINGS)


def test_the_config_file_explains_every_key():
    text = (ROOT / "config/config.yaml").read_text(encoding="utf-8")
    for key in config_keys.KEYS:
        assert re.search(rf"^# .*\n{key}:", text, re.MULTILINE), key
    for key, field in SETTINGS.items():
        if key not in config_keys.GRID:
            words = f"{field.metadata['description']} {allowed(key)[0].upper()}{allowed(key)[1:]}."
            comment = textwrap.fill(words, 116, initial_indent="  # ", subsequent_indent="  # ")
            assert re.search(rf"^{re.escape(comment)}\n  (# )?{key}: ", text, re.MULTILINE), key


def test_the_default_grid_is_that_of_the_paper():
    found = experiment.load({})
    points = [(8, tau) for tau in (0.02, 0.05, 0.1)] + [(n, 0.05) for n in (5, 10, 15)]
    assert found.points == tuple((n, kappa, tau) for n, tau in points for kappa in range(4))
    assert len(found.points) * len(found.seeds) == 240


def test_seeds_are_batched_in_blocks_that_a_further_seed_leaves_alone():
    ten = experiment.load({"seeds_per_job": 5}).batches
    assert ten == {"0-4": (0, 1, 2, 3, 4), "5-9": (5, 6, 7, 8, 9)}
    eleven = experiment.load({"seeds": [10, *reversed(range(10))], "seeds_per_job": 5}).batches
    assert eleven == {**ten, "10-14": (10,)}
    assert list(experiment.load({"seeds_per_job": 1}).batches.values()) == [(seed,) for seed in range(10)]


def test_exact_up_to_ten_agents():
    found = experiment.load({})
    assert [n for n in (5, 8, 10, 11, 15) if found.simulated("working", n)] == [11, 15]
    simulated = experiment.load(setting("evaluation", "monte_carlo"))
    assert simulated.simulated("as_printed", 5)


def test_a_figure_that_is_null_is_not_trained():
    found = experiment.load({"figures": {"figure1": None, "figure2": {"agents": [8], "taus": [0.05]}}})
    assert list(found.figures) == ["figure2"]
    assert [point.agents for point in found.points] == [8, 8, 8, 8]


@pytest.mark.parametrize(
    "settings",
    [{}, {"q_start": 3, "beta": 2, "graph": "ring"}, {"episode_length": None, "default_state": [0, 1, 2, 3, 0]}],
)
@pytest.mark.parametrize("reading", ["as_printed", "working", "mine"])
def test_the_command_line_leads_to_the_settings_of_the_config(reading, settings):
    mine = {"gamma": 0.9, "q_start": "optimistic", "episode_length": 7}
    config = {"readings": [reading], "custom_readings": {"mine": mine}, "settings": settings, **panel(agents=[5])}
    found = experiment.load(config)
    point = found.points[1]
    given = dict(parse_assignment(text) for text in found.assignments(reading))
    readings = {"mine": {}}  # what `lpi train --custom` starts from
    assert resolve(reading, given, point._asdict(), readings=readings) == found.resolve(reading, point)


def test_an_override_that_repeats_the_reading_reruns_nothing():
    repeated = {"outer_loops": 50, "q_start": "optimistic", "cost": 0.3, "beta": None}
    assert experiment.load({"settings": repeated}).assignments("working") == ()
    assert experiment.load({"settings": repeated}).assignments("as_printed") == ("q_start=optimistic",)


def test_settings_override_a_custom_reading():
    config = {"readings": ["mine"], "custom_readings": {"mine": {"gamma": 0.9, "cost": 0.1}}, **setting("gamma", 0.8)}
    environment = experiment.load(config).resolve("mine", experiment.Point(8, 1, 0.05)).environment
    assert (environment.gamma, environment.cost) == (0.8, 0.1)


def test_the_recorded_configuration_is_complete():
    found = json.loads(json.dumps(experiment.load({"seeds": [3]}).configuration("working")))
    assert set(found["settings"]) == set(SETTINGS) - set(config_keys.GRID) - set(LATER)
    assert found["settings"]["q_start"] == "optimistic"
    assert found["seeds"] == [3] and found["figures"]["figure3"] == {"agents": [5, 10, 15], "taus": [0.05]}


@pytest.mark.parametrize("name", ["figure1", "figure2", "figure3", "summary", "optimality_gap"])
def test_notebooks_have_the_parameters_that_they_are_run_with(name):
    cells = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    (cell,) = (cell for cell in cells if "parameters" in cell["metadata"].get("tags", []))
    known = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse("".join(cell["source"])).body}
    given = json.loads(json.dumps(experiment.load({}).notebook_parameters(name, "working", "results")))
    assert set(given) == set(known)
    assert known["settings"] is None and given["settings"]["q_start"] == "optimistic"
    if name.startswith("figure"):
        assert (list(given["agents"]), list(given["taus"])) == tuple(config_keys.KEYS["figures"].default[name].values())
        assert known["quantity"] == given["quantity"] == config_keys.FIGURES[name]
    elif name == "optimality_gap":
        shared = ("panels", "kappas", "convention")
        assert [given[key] for key in shared] == [known[key] for key in shared]
        assert [f"../{path}" for path in given["locality"] + given["acting"]] == known["locality"] + known["acting"]


def test_the_convention_of_a_reading_is_known_only_where_its_environment_is_the_shared_one():
    custom = {"mine": {"p2_means": "success"}, "other": {"gamma": 0.9}}
    found = experiment.load({"custom_readings": custom, **setting("cost", 0.2)})
    assert found.convention("working") == ("success", "success")
    assert found.convention("as_printed") == ("failure", "failure")
    assert found.convention("mine") == ("failure", "success")
    assert found.convention("other") is None
    assert experiment.load({"custom_readings": custom, **setting("gamma", 0.9)}).convention("other") is not None


def test_the_environment_of_the_ground_truth_is_that_of_the_runs():
    found = experiment.load(
        {"settings": {"graph": "ring", "step_size": 0.2, "p2_means": "success", "p_eff": 0.3, "cost": 0.3}}
    )
    assert found.environment_assignments("as_printed") == ("graph=ring", "p_eff=0.3", "p2_means=success")
    assert found.environment_assignments("working") == ("graph=ring", "p_eff=0.3")
    assert found.environment_assignments() == ("graph=ring",)  # the meanings and p_eff are varied there


def test_reading_a_config_imports_nothing_slow():
    script = "import sys, lpi.experiment, lpi.provenance; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"numba", "pandas", "matplotlib", "jsonschema", "networkx", "scipy"} & set(done.stdout.split())
