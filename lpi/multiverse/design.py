"""The multiverse: many readings of the paper, chosen as a fraction of a factorial, and the runs that they need.

A *choice* is a setting that the paper leaves open, with the values tried; a *reading* takes one value of each.  Readings
that differ only in what is measured (`MEASURED`) share their runs; what is trained for them is called a *case* here.
Which readings are run is said by defining words (Box, Hunter and Hunter, Statistics for Experimenters, ch. 6): of a
full factorial only the combinations stay in which every word holds an even number of choices at their second value.
Snakemake loads this module on every call, so it imports nothing slow.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple

from lpi.config import (
    LARGEST_SEED,
    READINGS,
    SETTINGS,
    ConfigError,
    ReportingConfig,
    Settings,
    check_setting,
    flat,
    resolve,
    unknown_key,
)
from lpi.memory import check_memory
from lpi.mistakes import shown, twice
from lpi.own_files import is_own
from lpi.results import atomic_write
from lpi.yaml_files import read_yaml

MEASURED = ("entropy_weight",)
"""Choices that change what is reported of a run, never the run."""
KEYS = ("choices", "defining_words", "blocks", "also", "kappas", "seeds", "settings")
BLOCK_KEYS = ("agents", "only", "settings_per_job")
TAKEN = ("agents", "kappa", "graph", *(f.name for f in fields(ReportingConfig) if f.name not in MEASURED))
"""Settings that are no choice: blocks and kappas set them, or all curves must be exact and on the line of 6.1."""
LARGEST_FACTORIAL, MOST_CASES = 2**16, 10_000
"""Combinations of all choices, and settings trained, for each network size: each is gone through on every call."""
CURVES = ("case", "agents", "kappa", "seed", "outer_loop", "regularized", "unregularized", "visited_share", "entropy")
"""Columns of a job's file; a row per outer loop of a run, see `results.COLUMNS` for their meaning."""


class Block(NamedTuple):
    """A number of agents with the values that are kept of each choice."""

    agents: int
    only: Mapping[str, tuple]
    settings_per_job: int


class Case(NamedTuple):
    """What is trained: a value of each choice except those that are only measured."""

    name: str  # a digit for each choice: the position of its value
    agents: int
    values: Mapping[str, Any]
    designed: bool  # in the fraction; otherwise a shipped reading beside it


class Reading(NamedTuple):
    """A case and how it is measured."""

    name: str  # that of the case, then a digit for each measured choice
    case: str
    agents: int
    values: Mapping[str, Any]
    designed: bool


@dataclass(frozen=True)
class Design:
    """A checked design; made by `load`."""

    choices: Mapping[str, tuple]
    defining_words: tuple[tuple[str, ...], ...]
    blocks: tuple[Block, ...]
    also: tuple[str, ...]
    kappas: tuple[int, ...]
    seeds: tuple[int, ...]
    settings: Mapping[str, Any]

    @cached_property
    def trained(self) -> tuple[str, ...]:
        """The choices that change runs."""
        return tuple(key for key in self.choices if key not in MEASURED)

    @cached_property
    def measured(self) -> tuple[str, ...]:
        """The choices that change only what is reported."""
        return tuple(key for key in self.choices if key in MEASURED)

    def cases(self, agents: int) -> list[Case]:
        """What is trained at a number of agents, each once, the last choice varying fastest."""
        (block,) = (block for block in self.blocks if block.agents == agents)
        kept = [block.only.get(key, self.choices[key]) for key in self.trained]
        chosen = [values for values in map(self._named, itertools.product(*kept)) if self._in_fraction(values)]
        cases = {self._code(values, self.trained): (values, True) for values in chosen}
        for reading in self.also:
            values = self.values_of(reading, self.trained)
            cases.setdefault(self._code(values, self.trained), (values, False))
        return [Case(name, agents, *case) for name, case in cases.items()]

    def readings(self, agents: int) -> list[Reading]:
        """Every case with every way to measure it."""
        ways = [dict(zip(self.measured, way, strict=True)) for way in self._ways()]
        return [
            Reading(
                case.name + self._code(way, self.measured), case.name, agents, {**case.values, **way}, case.designed
            )
            for case in self.cases(agents)
            for way in ways
        ]

    def jobs(self) -> dict[str, list[Case]]:
        """The cases of each job, by its name."""
        jobs = {}
        for block in self.blocks:
            cases, size = self.cases(block.agents), block.settings_per_job
            for number, start in enumerate(range(0, len(cases), size)):
                jobs[f"n{block.agents}_{number:03d}"] = cases[start : start + size]
        return jobs

    def resolve(self, case: Case, kappa: int) -> Settings:
        """All settings of the runs of a case at a kappa."""
        values = {**case.values, "agents": case.agents, "kappa": kappa, "evaluation": "exact"}
        return resolve("multiverse", self.settings, values, readings={"multiverse": {}})

    def fingerprint(self, cases: Iterable[Case]) -> str:
        """Changes whenever the runs of the cases do."""
        runs = [[case.name, kappa, flat(self.resolve(case, kappa))] for case in cases for kappa in self.kappas]
        return hashlib.sha256(json.dumps([runs, self.seeds]).encode()).hexdigest()[:16]

    def configuration(self) -> dict[str, Any]:
        """The design, ready for JSON."""
        blocks = [block._asdict() for block in self.blocks]
        return {**{key: getattr(self, key) for key in KEYS}, "blocks": blocks}

    def values_of(self, reading: str, keys: Iterable[str]) -> dict[str, Any]:
        """The values that a shipped reading takes of some choices."""
        return {key: READINGS[reading].get(key, SETTINGS[key].default) for key in keys}

    def name_of(self, reading: str) -> str:
        """The name that a shipped reading has here."""
        order = (*self.trained, *self.measured)
        return self._code(self.values_of(reading, order), order)

    def departures(self, values: Mapping[str, Any]) -> int:
        """Number of choices that are not at their first value."""
        return sum(value != self.choices[key][0] for key, value in values.items())

    def _ways(self):
        return itertools.product(*(self.choices[key] for key in self.measured))

    def _named(self, values: tuple) -> dict[str, Any]:
        return dict(zip(self.trained, values, strict=True))

    def _code(self, values: Mapping[str, Any], keys: Iterable[str]) -> str:
        return "".join(str(self.choices[key].index(values[key])) for key in keys)

    def _in_fraction(self, values: Mapping[str, Any]) -> bool:
        return all(sum(self.choices[key].index(values[key]) for key in word) % 2 == 0 for word in self.defining_words)


def load(path: str | os.PathLike) -> Design:
    """The design in a YAML file.

    Raises:
        ConfigError: one line that names the file, the key, the value and what is allowed.
    """
    content = read_yaml(path, "multiverse")
    try:
        return check(content)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def check(content: Any) -> Design:
    """The design that the content of a file describes; ConfigError if it is not allowed."""
    _mapping("design", content, KEYS)
    choices = _choices(content["choices"])
    settings = _mapping("settings", content["settings"], [key for key in SETTINGS if key not in TAKEN])
    for key in settings:
        if key in choices:
            raise ConfigError(f"settings.{key}: {settings[key]!r} is not allowed; it is one of the choices")
    design = Design(
        choices=choices,
        defining_words=tuple(_word(word, choices) for word in _list("defining_words", content["defining_words"], 0)),
        blocks=tuple(_block(block, choices) for block in _list("blocks", content["blocks"])),
        also=tuple(_also(name, choices) for name in _list("also", content["also"], 0)),
        kappas=tuple(check_setting("kappa", kappa) for kappa in _list("kappas", content["kappas"])),
        seeds=tuple(_integer("seeds", seed, 0, LARGEST_SEED) for seed in _list("seeds", content["seeds"])),
        settings={key: check_setting(key, value) for key, value in settings.items()},
    )
    for value in (*choices.get("policy_evaluation", ()), settings.get("policy_evaluation", "td0")):
        if is_own(value):  # no job would know that the file has changed
            raise ConfigError(f"policy_evaluation: {value!r} is not allowed in a multiverse; one that is shipped")
    _list("blocks", [block.agents for block in design.blocks])
    for block in design.blocks:
        _check_number(design, block)
        cases = design.cases(block.agents)
        if len(cases) > MOST_CASES:
            raise ConfigError(
                f"blocks: {len(cases)} settings of {block.agents} agents are not allowed; at most {MOST_CASES}, "
                "by more defining_words or by only"
            )
        if not any(case.designed for case in cases):
            raise ConfigError(f"blocks: no reading of {block.agents} agents is in the fraction; other defining_words")
        for case in cases:
            design.resolve(case, design.kappas[0])
        check_memory(design.resolve(cases[0], max(design.kappas)), key="kappas")
    return design


def _check_number(design: Design, block: Block) -> None:
    """So few combinations that all can be gone through."""
    sizes = {key: len(block.only.get(key, values)) for key, values in design.choices.items() if key not in MEASURED}
    number = math.prod(sizes.values())
    if number > LARGEST_FACTORIAL:
        raise ConfigError(
            f"choices: {' * '.join(map(str, sizes.values()))} = {number} combinations are not allowed at {block.agents} "
            f"agents; at most {LARGEST_FACTORIAL}, with fewer values or by only"
        )


def run_job(design: Design, job: str, output: str | os.PathLike) -> None:
    """Train the cases of a job for every kappa and seed, and write their curves: the numbers of `lpi.train`.

    Raises:
        ConfigError: no such job, or a kappa whose tables do not fit in memory.
    """
    jobs = design.jobs()
    if job not in jobs:
        raise ConfigError(f"job: {job!r} is not allowed; one of {next(iter(jobs))} ... {list(jobs)[-1]}")
    from tqdm import tqdm

    rows: list[tuple] = []
    cases = list(itertools.product(jobs[job], design.kappas))
    for case, kappa in tqdm(cases, desc=job, unit="case", disable=None):  # None: on a terminal only
        rows += _runs(design, case, kappa)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CURVES)
    writer.writerows([value if isinstance(value, str) else repr(value) for value in row] for row in rows)
    atomic_write(output, text.getvalue())


def _runs(design: Design, case: Case, kappa: int) -> list[tuple]:
    """Rows of all seeds of a case at one kappa."""
    from lpi.algorithm import train
    from lpi.spreading import from_settings

    settings = design.resolve(case, kappa)
    check_memory(settings, key="kappas")
    mdp, rows = from_settings(settings.environment), []
    for seed in design.seeds:
        for r in train(mdp, settings.training, seed, settings.reporting).records:
            measured = (r.regularized, r.unregularized, r.visited_share, r.entropy)
            rows.append((case.name, case.agents, kappa, seed, r.outer_loop, *measured))
    return rows


def _choices(values: Any) -> dict[str, tuple]:
    if not isinstance(values, Mapping) or not values:
        raise ConfigError(f"choices: {shown(values)} is not allowed; a mapping from settings to lists of values")
    allowed = [key for key in SETTINGS if key not in TAKEN]
    choices = {}
    for key in values:
        if key not in allowed:
            raise ConfigError(f"choices.{unknown_key(key, allowed)}")
        checked = [check_setting(key, value) for value in _list(f"choices.{key}", values[key], least=2)]
        if len(checked) > 9:  # a digit each in the names of readings
            raise ConfigError(f"choices.{key}: {len(checked)} values are not allowed; at most 9")
        choices[key] = tuple(_list(f"choices.{key}", checked))
    return choices


def _word(word: Any, choices: Mapping[str, tuple]) -> tuple[str, ...]:
    two = [key for key, values in choices.items() if len(values) == 2 and key not in MEASURED]
    for key in _list("defining_words", word):
        if key not in two:
            raise ConfigError(
                f"defining_words: {shown(key)} is not allowed; one of the two-valued choices {', '.join(two)}"
            )
    return tuple(word)


def _block(block: Any, choices: Mapping[str, tuple]) -> Block:
    _mapping("blocks", block, BLOCK_KEYS, optional=("only", "settings_per_job"))
    kept = {}
    for key, values in _mapping("blocks.only", block.get("only", {}), choices, optional=choices).items():
        if key in MEASURED:
            raise ConfigError(f"blocks.only.{key}: not allowed; every way to measure a run is kept")
        kept[key] = tuple(_list(f"blocks.only.{key}", values))
        for value in kept[key]:
            if value not in choices[key]:
                raise ConfigError(f"blocks.only.{key}: {shown(value)} is not allowed; one of {list(choices[key])}")
    size = _integer("blocks.settings_per_job", block.get("settings_per_job", 1), 1, 10**6)
    return Block(check_setting("agents", block["agents"]), kept, size)


def _also(reading: Any, choices: Mapping[str, tuple]) -> str:
    if not isinstance(reading, str) or reading not in READINGS:
        raise ConfigError(f"also: {shown(reading)} is not allowed; one of {', '.join(READINGS)}")
    for key, values in choices.items():
        value = READINGS[reading].get(key, SETTINGS[key].default)
        if value not in values:
            raise ConfigError(
                f"also: {reading!r} is not allowed; its {key} is {value!r}, the choices are {list(values)}"
            )
    return reading


def _mapping(where: str, value: Any, known: Iterable[str], optional: Iterable[str] = ()) -> Mapping:
    """A mapping with known keys, all of them there unless optional; settings may lack any."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: {shown(value)} is not allowed; a mapping")
    for key in value:
        if key not in known:
            raise ConfigError(f"{where}.{unknown_key(key, known)}")
    missing = [] if where == "settings" else [key for key in known if key not in value and key not in optional]
    if missing:
        raise ConfigError(f"{where}.{missing[0]}: missing; the keys are {', '.join(known)}")
    return value


def _list(where: str, values: Any, least: int = 1) -> list:
    if not isinstance(values, list) or len(values) < least or twice(values):
        raise ConfigError(f"{where}: {shown(values)} is not allowed; a list of {least} or more different values")
    return values


def _integer(where: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{where}: {shown(value)} is not allowed; an integer >= {low} and <= {high}")
    return value
