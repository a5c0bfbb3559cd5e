"""Environments by name: what the setting `environment` may be, beside the paper's spreading process.

An environment is made from a network, a discount factor and parameters of its own.  Those that are shipped have a name;
one of a user's own is the name of a Python file that defines `ENVIRONMENT` (`lpi.own_files`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from lpi.config import LOCAL_ACTIONS, LOCAL_STATES, SPREADING, ConfigError, EnvironmentConfig, unknown_key
from lpi.mistakes import shown
from lpi.network import Network
from lpi.own_files import FAULTS, defined, told

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
    found = defined("environment", name, "ENVIRONMENT", Environment)
    for what, size in (("states", found.states), ("actions", found.actions)):
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ConfigError(f"environment: {name!r} defines ENVIRONMENT with {what} = {size!r}; an integer >= 1")
    if not isinstance(found.parameters, Mapping):
        raise ConfigError(
            f"environment: {name!r} defines ENVIRONMENT with parameters = {found.parameters!r}; a mapping"
        )
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
    from lpi.mdp import NetworkedMDP

    found, name = find(environment.environment), environment.environment
    network = Network.named(environment.graph, environment.agents)
    parameters = {**found.parameters, **(environment.environment_parameters or {})}
    try:
        mdp = found.make(network, environment.gamma, **parameters)
    except MemoryError:
        raise
    except FAULTS as error:
        raise ConfigError(f"environment: {name!r} cannot be made: {told(error)}") from error
    if not isinstance(mdp, NetworkedMDP):
        raise ConfigError(f"environment: {name!r} makes {shown(mdp)}; an lpi.NetworkedMDP")
    if mdp.agents != network.agents:
        raise ConfigError(f"environment: {name!r} makes {mdp.agents} agents; the network's {network.agents}")
    if set(mdp.states.tolist()) != {found.states} or set(mdp.actions.tolist()) != {found.actions}:
        raise ConfigError(f"environment: {name!r} has other local states or actions than its ENVIRONMENT says")
    return mdp
