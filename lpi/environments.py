"""Environments by name: what the setting `environment` may be, beside the paper's spreading process.

An environment is made from a network, a discount factor and parameters of its own.  Those that are shipped have a name;
one of a user's own is the name of a Python file that defines `ENVIRONMENT`.  That file is executed, as any program that is
called by its name: nothing else that a config names is.
"""

from __future__ import annotations

import importlib
import runpy
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lpi.config import LOCAL_ACTIONS, LOCAL_STATES, SPREADING, ConfigError, EnvironmentConfig, unknown_key
from lpi.network import Network

if TYPE_CHECKING:
    from lpi.mdp import NetworkedMDP


class Environment(NamedTuple):
    """How a networked MDP is made; every agent has as many local states and actions as every other."""

    make: Callable[..., NetworkedMDP]
    """function of a `Network`, gamma and the parameters by name; ValueError for a value that is not allowed"""
    states: int
    actions: int
    parameters: Mapping[str, float]
    """name -> default"""


SHIPPED = {"sis": "lpi.epidemic"}
"""Name -> module that defines `ENVIRONMENT`."""


@cache
def find(name: str) -> Environment:
    """The environment of that name, or of the Python file of that name, which is executed.

    Raises:
        ConfigError: one line that says what is wrong with the file.
    """
    if name in SHIPPED:
        return importlib.import_module(SHIPPED[name]).ENVIRONMENT
    try:
        exists = Path(name).is_file()
    except OSError as error:  # a name too long for any file
        raise ConfigError(f"environment: {name!r} is not allowed, {error.strerror}; a Python file") from error
    if not exists:
        raise ConfigError(f"environment: {name!r} is not allowed, there is no such file; a Python file")
    try:
        found = runpy.run_path(name).get("ENVIRONMENT")
    except Exception as error:  # whatever a user's program may raise
        raise ConfigError(f"environment: {name!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(found, Environment):
        raise ConfigError(f"environment: {name!r} defines no ENVIRONMENT; an lpi.environments.Environment")
    return found


def local_sizes(environment: EnvironmentConfig) -> tuple[int, int]:
    """Numbers of local states and actions of each agent."""
    if environment.environment == SPREADING:
        return LOCAL_STATES, LOCAL_ACTIONS
    found = find(environment.environment)
    return found.states, found.actions


def check_parameters(environment: EnvironmentConfig) -> None:
    """ConfigError for a parameter that the environment does not have."""
    given = environment.environment_parameters or {}
    known = {} if environment.environment == SPREADING else find(environment.environment).parameters
    for key in given:
        if not known:
            raise ConfigError(
                f"environment_parameters: {key!r} is not allowed with environment = {environment.environment}, "
                "which has none"
            )
        if key not in known:
            raise ConfigError(f"environment_parameters.{unknown_key(key, known)}")


def model(environment: EnvironmentConfig) -> NetworkedMDP:
    """The networked MDP that the settings describe.

    Raises:
        ConfigError: an environment that cannot be made from its parameters, or not as large as it says.
    """
    if environment.environment == SPREADING:
        from lpi.spreading import from_settings

        return from_settings(environment)
    found, name = find(environment.environment), environment.environment
    network = Network.named(environment.graph, environment.agents)
    parameters = {**found.parameters, **(environment.environment_parameters or {})}
    try:
        mdp = found.make(network, environment.gamma, **parameters)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"environment: {name!r} cannot be made: {error}") from error
    if set(mdp.states.tolist()) != {found.states} or set(mdp.actions.tolist()) != {found.actions}:
        raise ConfigError(f"environment: {name!r} has other local states or actions than its ENVIRONMENT says")
    return mdp
