"""A config file, checked in full, as the grid of runs that the workflow trains.

Whatever is wrong with a config ends in one line (`ConfigError`) that names the key, the value and what is allowed,
before any job starts.  Snakemake loads this module on every call, so it imports nothing slow.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple

from lpi.config import (
    LARGEST_SEED,
    READINGS,
    SETTINGS,
    ConfigError,
    EnvironmentConfig,
    Settings,
    flat,
    resolve,
    unknown_key,
)
from lpi.config_keys import CONVENTION, CONVENTIONS, FIGURES, GAP, GRID, JUDGED, KEYS, NAME, RESERVED, VARIED
from lpi.config_values import Acting, Panels, check_list, fields_of, refused, setting_value, setting_values, word
from lpi.edge_list import is_file
from lpi.environments import local_sizes
from lpi.memory import check_decoupled, check_locality, check_memory
from lpi.network import Network
from lpi.own_files import is_own

_ENVIRONMENT = tuple(f.name for f in fields(EnvironmentConfig) if f.name not in GRID)
_FOLDER = re.compile(r"[^{}<>\x00-\x1f]*[^{}<>\x00-\x1f/ ]")


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
    seeds_per_job: int
    figures: Mapping[str, Panels]
    locality: Panels
    acting: Acting
    verify: Panels
    settings: Mapping[str, Any]
    multiverse: str
    results_folder: str
    figures_folder: str
    memory_limit_gb: float

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Every (n, kappa, tau) that some figure shows, each once."""
        return tuple(Point(n, kappa, tau) for n, tau in self.panels for kappa in self.kappas)

    @cached_property
    def panels(self) -> tuple[tuple[int, float], ...]:
        """Every (n, tau) that some figure shows, each once."""
        panels = [(n, tau) for figure in self.figures.values() for n in figure.agents for tau in figure.taus]
        return tuple(dict.fromkeys(panels))

    @cached_property
    def verified(self) -> tuple[tuple[int, float], ...]:
        """Every (n, tau) of the key verify; asked only by its target, so that other grids need not name it.

        Raises:
            ConfigError: one that no figure shows.
        """
        panels = tuple((n, tau) for n in self.verify.agents for tau in self.verify.taus)
        for panel in panels:
            if panel not in self.panels:
                raise refused("verify", self.verify._asdict(), f"panels of a figure, which (n, tau) = {panel} is not")
        return panels

    @cached_property
    def batches(self) -> dict[str, tuple[int, ...]]:
        """The seeds that one job trains, by a name for them; blocks of numbers, so that a seed stays in its own."""
        batches: dict[str, tuple[int, ...]] = {}
        for seed in sorted(self.seeds):
            first = seed - seed % self.seeds_per_job
            name = f"{first}-{first + self.seeds_per_job - 1}"
            batches[name] = (*batches.get(name, ()), seed)
        return batches

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Files that settings of the environment name: what they hold makes results, as the package's own files do."""
        used = [self.resolve(reading, self.points[0]).environment for reading in self.readings]
        graphs = [*(environment.graph for environment in used), self.settings.get("graph", "")]
        own = [environment.environment for environment in used if is_own(environment.environment)]
        return tuple(sorted({*filter(is_file, graphs), *own}))

    @cached_property
    def policy_evaluations(self) -> tuple[str, ...]:
        """Files that the setting policy_evaluation names: what they hold makes runs alone."""
        used = {self.resolve(reading, self.points[0]).training.policy_evaluation for reading in self.readings}
        return tuple(sorted(filter(is_own, used)))

    def simulated(self, reading: str, agents: int) -> bool:
        """Whether J of the runs of a reading with so many agents is simulated."""
        settings = self.resolve(reading, self.points[0])
        return not settings.reporting.exact(local_sizes(settings.environment)[0] ** agents)

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
        return tuple(f"{key}={word(end[key])}" for key in end if key not in GRID and end[key] != start.get(key))

    def environment_assignments(self, reading: str | None = None) -> tuple[str, ...]:
        """`assignments` of the environment alone; without a reading those of the tables that all readings share, which
        start from the defaults and vary what p1 and p2 mean, and p_eff, themselves."""
        if reading is None:
            own = {key: self.settings[key] for key in _ENVIRONMENT if key in self.settings and key not in VARIED}
            return tuple(f"{key}={word(value)}" for key, value in own.items() if value != SETTINGS[key].default)
        return tuple(text for text in self.assignments(reading) if text.partition("=")[0] in _ENVIRONMENT)

    def convention(self, reading: str) -> tuple[str, str] | None:
        """What p1 and p2 mean in a reading whose environment is otherwise that of the shared tables; else None."""
        point = self.points[0]._asdict()
        own = self.resolve(reading, self.points[0]).environment
        shared = resolve("shared", self.settings, point, readings={"shared": {}}).environment
        alike = all(getattr(own, key) == getattr(shared, key) for key in _ENVIRONMENT if key not in CONVENTION)
        return (own.p1_means, own.p2_means) if alike else None

    def notebook_parameters(self, notebook: str, reading: str, folder: str) -> dict[str, Any]:
        """The parameters of a notebook for a reading whose results are below `folder`, ready for JSON."""
        own = f"{folder}/{reading}"
        if notebook == JUDGED:
            return {"table": f"{own}/claims.csv", "output": f"{own}/notebooks/{notebook}"}
        figures = {name: {**figure._asdict(), "quantity": FIGURES[name]} for name, figure in self.figures.items()}
        parameters: dict[str, Any] = {"curves": f"{own}/curves.csv", "output": f"{own}/notebooks/{notebook}"}
        if notebook in figures:
            parameters |= figures[notebook] | {"kappas": list(self.kappas)}
        else:
            parameters["optima"] = f"{own}/optima.csv"
        if notebook == "summary":
            parameters |= {"figures": figures, "claims": f"{own}/claims.csv"}
        if notebook == GAP:
            convention, names = self.convention(reading), ["_".join(means) for means in CONVENTIONS]
            parameters |= {
                "output": f"{own}/notebooks",
                "locality": [f"{folder}/locality/{name}.csv" for name in names],
                "acting": [f"{folder}/acting/{name}.csv" for name in names],
                "panels": [list(panel) for panel in self.panels],
                "kappas": list(self.kappas),
                "convention": convention and list(convention),
            }
        return parameters | {"settings": self.configuration(reading)["settings"]}


def load(config: Mapping[str, Any]) -> Experiment:
    """The experiment that a config file describes; keys that it lacks have their defaults.

    Raises:
        ConfigError: one line that names the key, the value and what is allowed.
    """
    if not isinstance(config, Mapping):
        raise refused("config", config, f"a mapping with the keys {', '.join(KEYS)}")
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
        kappas=setting_values("kappas", "kappa", values["kappas"]),
        seeds=_seeds(values["seeds"]),
        seeds_per_job=_at_least_one("seeds_per_job", values["seeds_per_job"]),
        figures=_figures(values["figures"]),
        locality=_panels("locality", values["locality"]),
        acting=_acting(values["acting"]),
        verify=_panels("verify", values["verify"]),
        settings=_settings("settings", values["settings"]),
        multiverse=_folder("multiverse", values["multiverse"]),
        results_folder=_folder("results_folder", values["results_folder"]),
        figures_folder=_folder("figures_folder", values["figures_folder"]),
        memory_limit_gb=_positive("memory_limit_gb", values["memory_limit_gb"]),
    )
    if os.path.abspath(experiment.figures_folder) == os.path.abspath(experiment.results_folder):
        raise _refused_key("figures_folder", experiment.figures_folder)
    _check_shared(experiment)
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


def _refused_key(key: str, value: Any) -> ConfigError:
    return refused(key, value, KEYS[key].allowed)


def _settings(where: str, values: Any) -> dict[str, Any]:
    """Checked overrides; null, what YAML makes of a key with all lines below it commented out, is none."""
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise refused(where, values, "a mapping from settings to values")
    checked = {}
    for key, value in values.items():
        if key in GRID:
            raise refused(f"{where}.{key}", value, f"the grid sets it; use {GRID[key]}")
        if key in ("environment", "environment_parameters") and where == "settings":
            raise refused(f"{where}.{key}", value, "a setting of a reading, under custom_readings")
        if key not in SETTINGS:
            raise ConfigError(f"{where}.{unknown_key(key, [name for name in SETTINGS if name not in GRID])}")
        checked[key] = setting_value(f"{where}.{key}", key, value)
    return checked


def _custom_readings(values: Any) -> dict[str, dict[str, Any]]:
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise _refused_key("custom_readings", values)
    for name in values:
        if not isinstance(name, str) or not NAME.fullmatch(name) or name in READINGS:
            raise _refused_key("custom_readings", name)
        # some file systems do not tell upper from lower case
        if name.lower() in RESERVED:
            raise refused("custom_readings", name, f"the results folder needs {', '.join(RESERVED)} itself")
        for other in (*READINGS, *values):
            if name != other and name.lower() == str(other).lower():
                raise refused("custom_readings", name, f"a name that differs from {other!r} in more than its case")
    return {name: _settings(f"custom_readings.{name}", settings) for name, settings in values.items()}


def _readings(values: Any, custom: Mapping[str, Any]) -> tuple[str, ...]:
    known = [*READINGS, *custom]
    check_list("readings", values, f"a list of different names out of {', '.join(known)}")
    for name in values:
        if name not in known:
            raise refused("readings", name, f"one of {', '.join(known)}")
    return tuple(values)


def _seeds(values: Any) -> tuple[int, ...]:
    check_list("seeds", values, KEYS["seeds"].allowed)
    for seed in values:
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= LARGEST_SEED:
            raise refused("seeds", seed, f"an integer >= 0 and <= {LARGEST_SEED}")
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
        figures[name] = _panels(f"figures.{name}", panels, ", or null")
    if not figures:
        raise _refused_key("figures", values)
    return figures


def _panels(where: str, values: Any, alternative: str = "") -> Panels:
    agents, taus = fields_of(where, values, Panels, f"{{agents: list, taus: list}}{alternative}")
    return Panels(setting_values(f"{where}.agents", "agents", agents), setting_values(f"{where}.taus", "tau", taus))


def _acting(values: Any) -> Acting:
    agents, tau, p_eff = fields_of("acting", values, Acting, KEYS["acting"].allowed)
    return Acting(
        setting_value("acting.agents", "agents", agents),
        setting_value("acting.tau", "tau", tau),
        setting_values("acting.p_eff", "p_eff", p_eff),
    )


def _check_shared(experiment: Experiment) -> None:
    """The networks of the tables that all readings share exist, and those evaluated exactly fit in memory."""
    graph = experiment.settings.get("graph", SETTINGS["graph"].default)
    for key, sizes in (("locality.agents", experiment.locality.agents), ("acting.agents", [experiment.acting.agents])):
        for agents in sizes:
            try:
                Network.named(graph, agents)
            except ValueError as error:
                raise ConfigError(f"{key}: {error}") from None
            check = check_locality if key == "locality.agents" else check_decoupled
            check(EnvironmentConfig(agents=agents), key)


def _folder(where: str, value: Any) -> str:
    if not isinstance(value, str) or not _FOLDER.fullmatch(value):
        raise _refused_key(where, value)
    return value


def _positive(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= sys.float_info.max:
        raise _refused_key(where, value)
    return value


def _at_least_one(where: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST_SEED:
        raise _refused_key(where, value)
    return value
