"""The structures in a config file, and checks of its values; what these raise is one line with the key, the value and what is allowed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from lpi.config import allowed, check_setting
from lpi.mistakes import ConfigError, shown, twice, unknown_key, written_as_text


class Panels(NamedTuple):
    """The panels of a figure: every number of agents with every tau."""

    agents: tuple[int, ...]
    taus: tuple[float, ...]


class Acting(NamedTuple):
    """Where it is computed when the optimal policy acts."""

    agents: int
    tau: float
    p_eff: tuple[float, ...]


def refused(where: str, value: Any, what: str) -> ConfigError:
    """The error that says of a value in its place that it is not allowed, and what is."""
    return ConfigError(f"{where}: {shown(value)} is not allowed; {what}{written_as_text(value)}")


def setting_value(where: str, key: str, value: Any) -> Any:
    """The checked value of a setting; `where` is its place in the file."""
    try:
        return check_setting(key, value)
    except ConfigError:
        raise refused(where, value, allowed(key)) from None


def setting_values(where: str, key: str, values: Any) -> tuple:
    """Checked values of a setting that varies over the grid."""
    check_list(where, values, f"a list of different values, each {allowed(key)}")
    checked = tuple(setting_value(where, key, value) for value in values)
    check_list(where, list(checked), "each value once")
    return checked


def check_list(where: str, values: Any, what: str) -> None:
    """A list, not empty, no value twice."""
    if not isinstance(values, list) or not values:
        raise refused(where, values, f"{what}; at least one")
    for value in twice(values):
        raise refused(where, values, f"{what}; {shown(value)} is there twice")


def fields_of(where: str, values: Any, kind: Any, what: str) -> list:
    """The values of the fields of a NamedTuple, all of which must be given."""
    if not isinstance(values, Mapping):
        raise refused(where, values, what)
    for key in values:
        if key not in kind._fields:
            raise ConfigError(f"{where}.{unknown_key(key, kind._fields)}")
    for key in kind._fields:
        if key not in values:
            raise ConfigError(f"{where}.{key}: missing; {what}")
    return [values[key] for key in kind._fields]


def word(value: Any) -> str:
    """A setting's value as `lpi train --set` reads it."""
    return value if isinstance(value, str) else json.dumps(value)
