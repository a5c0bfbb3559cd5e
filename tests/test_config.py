"""Settings: described, checked, resolved from readings, and refused in one clear line."""

from __future__ import annotations

import dataclasses
import math

import pytest

from lpi.config import (
    LATER,
    READINGS,
    SECTIONS,
    SETTINGS,
    ConfigError,
    TrainingConfig,
    allowed,
    check_setting,
    flat,
    parse_assignment,
    resolve,
    unknown_key,
)
from lpi.network import GRAPHS
from lpi.spreading import INITIAL, MEANINGS

# The items of the text that are open or contradictory, and the settings that must exist for them.
OPEN = {
    "p1_means", "p2_means", "inner_start", "q_start", "q_reset", "trajectory_length", "episode_length", "rho",
    "reward_at", "entropy_weight", "default_state", "default_action", "step_schedule", "step_size", "beta",
}  # fmt: skip


def _refused(action, *words: str):
    """ConfigError, one line, with all the words."""
    with pytest.raises(ConfigError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert str(word) in message, message
    return message


@pytest.mark.parametrize("key", SETTINGS)
def test_every_setting_is_described(key):
    metadata = SETTINGS[key].metadata
    assert len(metadata["description"]) > 10 and metadata["description"].endswith(".")
    assert metadata["source"]
    assert set(metadata["kinds"]) <= {"integer", "number", "null", "list", "file", "python", "mapping"}
    assert metadata["kinds"] or metadata["of"]
    assert allowed(key)


@pytest.mark.parametrize("key", SETTINGS)
def test_every_default_passes_its_own_check(key):
    default = SETTINGS[key].default
    checked = check_setting(key, default)
    assert checked == default and type(checked) is type(default)


def test_sections_share_no_key_and_open_items_are_settings():
    assert sum(len(dataclasses.fields(section)) for section in SECTIONS) == len(SETTINGS)
    assert set(SETTINGS) >= OPEN


def test_words_are_those_of_the_modules_that_use_them():
    assert SETTINGS["graph"].metadata["of"] == GRAPHS
    assert set(SETTINGS["rho"].metadata["of"]) == set(INITIAL)
    assert SETTINGS["p1_means"].metadata["of"] == SETTINGS["p2_means"].metadata["of"] == MEANINGS


def test_the_experiment_s_numbers_are_the_defaults():
    """Section 6.1, "Parameter Settings"."""
    printed = dict(
        p1=0.6, p2=0.7, p_eff=0.4, cost=0.3, gamma=0.95, eta=0.05, step_size=0.1, outer_loops=50, inner_steps=10,
        graph="line", agents=8, beta=None,
    )  # fmt: skip
    assert {key: SETTINGS[key].default for key in printed} == printed


def test_a_section_checks_itself():
    with pytest.raises(ConfigError, match=r"^kappa: -1 is not allowed; an integer >= 0 and <= 10000$"):
        TrainingConfig(kappa=-1)
    assert TrainingConfig(tau=1).tau == 1.0 and isinstance(TrainingConfig(tau=1).tau, float)
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainingConfig().kappa = 2


def test_as_printed_is_the_text_to_the_letter():
    settings = resolve("as_printed")
    environment, training = settings.environment, settings.training
    assert (environment.p1_means, environment.p2_means, environment.rho) == ("failure", "failure", "uniform")
    assert (training.inner_start, training.q_start, training.q_reset) == ("uniform", "zero", "every_loop")
    assert (training.reward_at, training.step_schedule) == ("arrival", "constant")
    assert (training.trajectory_length, training.episode_length) == (10_000, None)


def test_working_is_what_the_issue_asks():
    settings = resolve("working")
    environment, training = settings.environment, settings.training
    assert (environment.p1_means, environment.p2_means) == ("success", "success")
    assert (training.inner_start, training.q_start, training.q_reset) == ("carried", "optimistic", "once")
    assert training.trajectory_length == 100_000 and training.episode_length is not None


@pytest.mark.parametrize("reading", READINGS)
def test_readings_resolve(reading):
    settings = resolve(reading)
    values = flat(settings)
    assert list(values) == [key for key in SETTINGS if key not in LATER]
    for key, value in values.items():
        assert value == READINGS[reading].get(key, SETTINGS[key].default)
    assert flat(resolve(reading, values)) == values


def test_overrides_come_in_order_and_further_readings_start_from_the_defaults():
    settings = resolve("mine", {"kappa": 2, "tau": 0.1}, {"kappa": 3}, readings={"mine": {"rho": "all_infected"}})
    assert flat(settings) == {key: field.default for key, field in SETTINGS.items() if key not in LATER} | {
        "kappa": 3, "tau": 0.1, "rho": "all_infected"
    }  # fmt: skip


def test_unknown_reading():
    _refused(lambda: resolve("workin"), "reading: 'workin' is not allowed", *READINGS)


@pytest.mark.parametrize("key, nearest", [("kapa", "kappa"), ("Tau", "tau"), ("episode_lenght", "episode_length")])
def test_unknown_keys_suggest_the_nearest(key, nearest):
    for action in (
        lambda: check_setting(key, 1),
        lambda: resolve("working", {key: 1}),
        lambda: resolve("mine", readings={"mine": {key: 1}}),
    ):
        assert _refused(action, key) == f"{key}: no such key; did you mean {nearest!r}?"
    assert "one of a, b" in unknown_key("zzz", ["a", "b"])


BAD = {
    "agents": [0, -1, 2.5, "8", None, True, math.nan, math.inf, [8], {}],
    "kappa": [-1, 0.5, "one", None],
    "beta": [-1, "null"],
    "tau": [-0.01, "0.1", None, math.nan, False],
    "gamma": [1, 1.0, -0.1, 2],
    "eta": [0, -1, math.inf],
    "p1": [-0.1, 1.1, "0.6", None],
    "p2": [-0.1, 1.1],
    "p_eff": [2],
    "step_size": [0, 1.5],
    "outer_loops": [0, 1.5],
    "trajectory_length": [0, None],
    "episode_length": [0, -5],
    "graph": ["lin", 3, None, ["line"]],
    "rho": ["Uniform", 1],
    "reward_at": ["now", True],
    "q_start": ["one", None, [0], math.nan],
    "default_state": [[], [0, -1], [0, 1.5], [True], "0", None],
    "evaluation_episodes": [1],
}


@pytest.mark.parametrize("key, value", [(key, value) for key, values in BAD.items() for value in values])
def test_bad_values_name_key_value_and_what_is_allowed(key, value):
    message = _refused(lambda: resolve("working", {key: value}))
    assert message.startswith(f"{key}: {value!r} is not allowed; {allowed(key)}")


@pytest.mark.parametrize("key", ["tau", "gamma", "agents", "q_start"])
def test_integers_too_large_for_a_float(key):
    _refused(lambda: resolve("working", {key: 10**400}), f"{key}: 1000")


@pytest.mark.parametrize(
    "key, value, checked",
    [
        ("agents", 8.0, 8),
        ("tau", 0, 0.0),
        ("gamma", 0, 0.0),
        ("p1", 1, 1.0),
        ("p1", 0, 0.0),
        ("beta", None, None),
        ("beta", 2, 2),
        ("episode_length", None, None),
        ("q_start", "optimistic", "optimistic"),
        ("q_start", -3, -3.0),
        ("step_size", 1, 1.0),
        ("default_state", [0, 3], (0, 3)),
        ("default_action", 1, 1),
        ("trajectory_length", 1e5, 100_000),
    ],
)
def test_good_values_take_their_type(key, value, checked):
    found = check_setting(key, value)
    assert found == checked and type(found) is type(checked)


@pytest.mark.parametrize(
    "values, words",
    [
        (dict(eta=30, tau=0.05), ["eta: 30", "tau = 0.05", "eta * tau <= 1"]),
        (dict(step_schedule="decaying", step_h=200), ["step_h: 200", "step_t0 = 160"]),
        (dict(default_state=-1), ["default_state: -1", "0..3"]),
        (dict(default_state=4), ["default_state: 4", "0..3"]),
        (dict(default_action=2), ["default_action: 2", "0..1"]),
        (dict(agents=3, default_state=[0, 1]), ["default_state: (0, 1)", "3 of them"]),
        (dict(agents=2, default_action=[0, 2]), ["default_action: (0, 2)", "0..1"]),
    ],
)
def test_values_that_do_not_fit_together(values, words):
    _refused(lambda: resolve("working", values), "is not allowed", *words)


def test_values_at_the_edge_fit_together():
    assert resolve("working", dict(eta=20, tau=0.05)).training.eta == 20
    for tau in (0.02, 0.05, 0.07, 0.1, 3):
        assert resolve("working", dict(eta=1 / tau, tau=tau)).training.tau == tau  # eta = 1 / tau of Theorem 2
    assert resolve("working", dict(step_h=500)).training.step_h == 500  # not in use under the constant schedule
    assert resolve("working", dict(agents=2, default_state=[3, 1])).training.default_state == (3, 1)


@pytest.mark.parametrize(
    "text, key, value",
    [
        ("kappa=2", "kappa", 2),
        ("tau=0.1", "tau", 0.1),
        ("beta=null", "beta", None),
        ("beta=none", "beta", None),
        ("graph=ring", "graph", "ring"),
        ('graph="ring"', "graph", "ring"),
        ("default_state=[0, 1]", "default_state", [0, 1]),
        ("trajectory_length=100000", "trajectory_length", 100000),
        ("eta=1e-2", "eta", 0.01),
        (" kappa =2", "kappa", 2),
        ("rho=a=b", "rho", "a=b"),
        ("graph=", "graph", ""),
    ],
)
def test_assignments(text, key, value):
    assert parse_assignment(text) == (key, value)


def test_assignments_need_a_value():
    _refused(lambda: parse_assignment("kappa"), "--set: 'kappa' is not allowed; key=value")


@pytest.mark.parametrize("text", ["1e3", "3.0", "3.", "+3", "03.", " 3"])
@pytest.mark.parametrize("key", ["kappa", "beta", "trajectory_length", "default_state"])
def test_assignments_of_integers_are_plain(key, text):
    _refused(lambda: parse_assignment(f"{key}={text}"), f"{key}: {text.strip()} is not allowed; an integer")


@pytest.mark.parametrize("text", ["tau=NaN", "tau=-Infinity", "agents=true", "graph=", "=3", "kappa=two", "a\nb=1"])
def test_assignments_that_no_setting_allows(text):
    _refused(lambda: resolve("working", dict([parse_assignment(text)])))
