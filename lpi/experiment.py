"""A config file, checked in full, as the grid of runs that the workflow trains.

Whatever is wrong with a config ends in one line (`ConfigError`) that names the key, the value and what is allowed,
before any job starts.  Snakemake loads this module on every call, so it imports nothing slow.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from lpi.config import (
    LARGEST_SEED,
    READINGS,
    SETTINGS,
    ConfigError,
    Settings,
    allowed,
    check_setting,
    flat,
    resolve,
    unknown_key,
)
from lpi.memory import DEFAULT_LIMIT_GB, check_memory

__all__ = ["FIGURES", "GRID", "KEYS", "Experiment", "Panels", "Point", "load"]

FIGURES = {"figure1": "reported", "figure2": "unregularized", "figure3": "reported"}
"""The column of the curves that each figure shows."""

GRID = {"agents": "figures.<figure>.agents", "kappa": "kappas", "tau": "figures.<figure>.taus"}
"""The settings that vary over the grid, and the config key that lists their values."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
RESERVED = ("logs", "package", "benchmarks", "quick", "multiverse", "notebooks")
"""Folders in the results folder, beside those of the readings."""
_FOLDER = re.compile(r"[^{}<>\x00-\x1f]*[^{}<>\x00-\x1f/ ]")


class Key(NamedTuple):
    """A key of the config file: what it is for, what it may be (in words), and its default."""

    description: str
    allowed: str
    default: Any


KEYS = {
    "readings": Key(
        "Readings to run; each is a named way to resolve what the paper leaves open.",
        f"a list of different names out of {', '.join(READINGS)} and those defined under custom_readings",
        list(READINGS),
    ),
    "custom_readings": Key(
        "Readings of your own, name: {setting: value}; what a reading does not set has the setting's default.",
        "a mapping from new names (letters, digits, _ and -, a letter first) to mappings from settings to values",
        {},
    ),
    "kappas": Key(
        "Hops that policies see; one curve for each in every panel.", "a list of different integers >= 0", [0, 1, 2, 3]
    ),
    "seeds": Key(
        "One run of every curve for each seed.",
        f"a list of different integers >= 0 and <= {LARGEST_SEED}",
        list(range(10)),
    ),
    "figures": Key(
        "Panels of the figures, one for each number of agents and each tau; a figure that is null is not drawn.",
        f"a mapping from {', '.join(FIGURES)} to {{agents: list, taus: list}} or null, with at least one figure",
        {
            "figure1": {"agents": [8], "taus": [0.02, 0.05, 0.1]},
            "figure2": {"agents": [8], "taus": [0.05]},
            "figure3": {"agents": [5, 10, 15], "taus": [0.05]},
        },
    ),
    "settings": Key("Settings for all readings, over what the readings say.", "a mapping from settings to values", {}),
    "multiverse": Key(
        "File with the design of the multiverse, which the target multiverse runs.",
        "the name of a YAML file, without {}<>",
        "config/multiverse.yaml",
    ),
    "results_folder": Key("Where everything is computed.", "the name of a folder, without {}<>", "results"),
    "figures_folder": Key(
        "Where the figures, tables and rendered notebooks are kept.",
        "the name of a folder, without {}<>, that is not results_folder",
        "figures",
    ),
    "memory_limit_gb": Key(
        "Most memory that one training job may need, in 10^9 bytes.", "a number > 0", DEFAULT_LIMIT_GB
    ),
}


class Panels(NamedTuple):
    """The panels of a figure: every number of agents with every tau."""

    agents: tuple[int, ...]
    taus: tuple[float, ...]


class Point(NamedTuple):
    """A point of the grid: what a curve is drawn for."""

    agents: int
    kappa: int
    tau: float


@dataclass(frozen=True)
class Experiment:
    """A checked config file; made by `load`."""

    readings: tuple[str, ...]
    custom_readings: Mapping[str, Mapping[str, Any]]
    kappas: tuple[int, ...]
    seeds: tuple[int, ...]
    figures: Mapping[str, Panels]
    settings: Mapping[str, Any]
    multiverse: str
    results_folder: str
    figures_folder: str
    memory_limit_gb: float

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Every (n, kappa, tau) that some figure shows, each once."""
        panels = [(n, tau) for figure in self.figures.values() for n in figure.agents for tau in figure.taus]
        return tuple(Point(n, kappa, tau) for n, tau in dict.fromkeys(panels) for kappa in self.kappas)

    def resolve(self, reading: str, point: Point) -> Settings:
        """All settings of the runs of a reading at a point of the grid."""
        return resolve(reading, self.settings, point._asdict(), readings=self.custom_readings)

    def configuration(self, reading: str) -> dict[str, Any]:
        """What the runs of a reading are made from, ready for JSON: the grid, and all settings outside it."""
        settings = flat(self.resolve(reading, self.points[0]))
        return {
            "reading": reading,
            "kappas": list(self.kappas),
            "seeds": list(self.seeds),
            "figures": {name: panels._asdict() for name, panels in self.figures.items()},
            "settings": {key: value for key, value in settings.items() if key not in GRID},
        }

    def assignments(self, reading: str) -> tuple[str, ...]:
        """`key=value` for each setting in which the runs differ from the reading of that name.

        What an override repeats is left out: writing down a default reruns nothing.
        """
        base = {} if reading in self.custom_readings else READINGS[reading]
        start, end = (
            flat(resolve("reading", values, readings={"reading": base}))
            for values in (
                {},
                {**self.custom_readings.get(reading, {}), **self.settings, "agents": self.points[0].agents},
            )
        )
        return tuple(f"{key}={_word(end[key])}" for key in end if key not in GRID and end[key] != start[key])

    def notebook_parameters(self, notebook: str, reading: str, curves: str, output: str) -> dict[str, Any]:
        """The parameters of figure1, figure2, figure3 or summary for the curves of a reading, ready for JSON."""
        figures = {name: {**figure._asdict(), "quantity": FIGURES[name]} for name, figure in self.figures.items()}
        parameters: dict[str, Any] = {"curves": curves, "output": output}
        if notebook in figures:
            parameters |= figures[notebook] | {"kappas": list(self.kappas)}
        else:
            parameters["figures"] = figures
        return parameters | {"settings": self.configuration(reading)["settings"]}


def load(config: Mapping[str, Any]) -> Experiment:
    """The experiment that a config file describes; keys that it lacks have their defaults.

    Raises:
        ConfigError: one line that names the key, the value and what is allowed.
    """
    if not isinstance(config, Mapping):
        raise _refused("config", config, f"a mapping with the keys {', '.join(KEYS)}")
    for key in config:
        if key in SETTINGS and key not in GRID:
            raise ConfigError(f"{key}: no such key at this level; did you mean 'settings.{key}'?")
        if key not in KEYS:
            raise ConfigError(unknown_key(key, KEYS))
    values = {name: config.get(name, key.default) for name, key in KEYS.items()}
    custom = _custom_readings(values["custom_readings"])
    experiment = Experiment(
        readings=_readings(values["readings"], custom),
        custom_readings=custom,
        kappas=_values("kappas", "kappa", values["kappas"]),
        seeds=_seeds(values["seeds"]),
        figures=_figures(values["figures"]),
        settings=_settings("settings", values["settings"]),
        multiverse=_folder("multiverse", values["multiverse"]),
        results_folder=_folder("results_folder", values["results_folder"]),
        figures_folder=_folder("figures_folder", values["figures_folder"]),
        memory_limit_gb=_positive("memory_limit_gb", values["memory_limit_gb"]),
    )
    if os.path.abspath(experiment.figures_folder) == os.path.abspath(experiment.results_folder):
        raise _refused_key("figures_folder", experiment.figures_folder)
    for reading in experiment.readings:
        for point in sorted(experiment.points, reverse=True):  # the largest first: what fits there fits everywhere
            _check_point(experiment, reading, point)
    return experiment


def _check_point(experiment: Experiment, reading: str, point: Point) -> None:
    """The settings of the runs at a point fit together, and their tables in memory."""
    try:
        check_memory(experiment.resolve(reading, point), experiment.memory_limit_gb, key="kappas")
    except ConfigError as error:
        raise ConfigError(f"{error} (reading {reading}, {point.agents} agents, tau = {point.tau})") from None


def _refused(where: str, value: Any, what: str) -> ConfigError:
    shown = repr(value)
    shown = shown if len(shown) <= 120 else f"{shown[:100]} ... {shown[-10:]}"
    hint = ""
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+e[+-]?\d+", value, re.IGNORECASE):
        hint = f" (YAML takes {value} for text; write {float(value)!r})"
    return ConfigError(f"{where}: {shown} is not allowed; {what}{hint}")


def _refused_key(key: str, value: Any) -> ConfigError:
    return _refused(key, value, KEYS[key].allowed)


def _setting(where: str, key: str, value: Any) -> Any:
    """The checked value of a setting; `where` is its place in the file."""
    try:
        return check_setting(key, value)
    except ConfigError:
        raise _refused(where, value, allowed(key)) from None


def _settings(where: str, values: Any) -> dict[str, Any]:
    """Checked overrides; null, what YAML makes of a key with all lines below it commented out, is none."""
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise _refused(where, values, "a mapping from settings to values")
    checked = {}
    for key, value in values.items():
        if key in GRID:
            raise _refused(f"{where}.{key}", value, f"the grid sets it; use {GRID[key]}")
        if key not in SETTINGS:
            raise ConfigError(f"{where}.{unknown_key(key, [name for name in SETTINGS if name not in GRID])}")
        checked[key] = _setting(f"{where}.{key}", key, value)
    return checked


def _custom_readings(values: Any) -> dict[str, dict[str, Any]]:
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise _refused_key("custom_readings", values)
    for name in values:
        if not isinstance(name, str) or not NAME.fullmatch(name) or name in READINGS:
            raise _refused_key("custom_readings", name)
        if name.lower() in RESERVED:  # some file systems do not tell upper from lower case
            raise _refused("custom_readings", name, f"the results folder needs {', '.join(RESERVED)} itself")
    return {name: _settings(f"custom_readings.{name}", settings) for name, settings in values.items()}


def _readings(values: Any, custom: Mapping[str, Any]) -> tuple[str, ...]:
    known = [*READINGS, *custom]
    _check_list("readings", values, f"a list of different names out of {', '.join(known)}")
    for name in values:
        if name not in known:
            raise _refused("readings", name, f"one of {', '.join(known)}")
    return tuple(values)


def _values(where: str, key: str, values: Any) -> tuple:
    """Checked values of a setting that varies over the grid."""
    _check_list(where, values, f"a list of different values, each {allowed(key)}")
    checked = tuple(_setting(where, key, value) for value in values)
    _check_list(where, list(checked), "each value once")
    return checked


def _seeds(values: Any) -> tuple[int, ...]:
    _check_list("seeds", values, KEYS["seeds"].allowed)
    for seed in values:
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= LARGEST_SEED:
            raise _refused("seeds", seed, f"an integer >= 0 and <= {LARGEST_SEED}")
    return tuple(values)


def _figures(values: Any) -> dict[str, Panels]:
    if not isinstance(values, Mapping):
        raise _refused_key("figures", values)
    figures = {}
    for name in values:
        if name not in FIGURES:
            raise ConfigError(f"figures.{unknown_key(name, FIGURES)}")
    for name, panels in values.items():
        if panels is None:
            continue
        where = f"figures.{name}"
        if not isinstance(panels, Mapping):
            raise _refused(where, panels, "{agents: list, taus: list}, or null")
        for key in panels:
            if key not in Panels._fields:
                raise ConfigError(f"{where}.{unknown_key(key, Panels._fields)}")
        for key in Panels._fields:
            if key not in panels:
                raise ConfigError(f"{where}.{key}: missing; a list of different values")
        figures[name] = Panels(
            _values(f"{where}.agents", "agents", panels["agents"]), _values(f"{where}.taus", "tau", panels["taus"])
        )
    if not figures:
        raise _refused_key("figures", values)
    return figures


def _check_list(where: str, values: Any, what: str) -> None:
    """A list, not empty, no value twice."""
    if not isinstance(values, list) or not values:
        raise _refused(where, values, f"{what}; at least one")
    for position, value in enumerate(values):
        # True == 1, but a boolean is refused by its type later on, with a better message.
        if value in values[:position] and not isinstance(value, bool):
            raise _refused(where, values, f"{what}; {value!r} is there twice")


def _folder(where: str, value: Any) -> str:
    if not isinstance(value, str) or not _FOLDER.fullmatch(value):
        raise _refused_key(where, value)
    return value


def _positive(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise _refused_key(where, value)
    return value


def _word(value: Any) -> str:
    """A setting's value as `lpi train --set` reads it."""
    return value if isinstance(value, str) else json.dumps(value)
