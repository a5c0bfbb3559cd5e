"""Localized Policy Iteration in networked multi-agent reinforcement learning: algorithm, exact values, experiments."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpi import exact, simulation, theory
    from lpi.algorithm import TrainingResult, train
    from lpi.config import ConfigError, EnvironmentConfig, ReportingConfig, TrainingConfig
    from lpi.mdp import InitialDistribution, NetworkedMDP
    from lpi.network import Network
    from lpi.policy import LocalPolicy
    from lpi.spreading import spreading_process

_HOME = {
    "ConfigError": "config",
    "EnvironmentConfig": "config",
    "InitialDistribution": "mdp",
    "LocalPolicy": "policy",
    "Network": "network",
    "NetworkedMDP": "mdp",
    "ReportingConfig": "config",
    "TrainingConfig": "config",
    "TrainingResult": "algorithm",
    "spreading_process": "spreading",
    "train": "algorithm",
}
_MODULES = ("exact", "simulation", "theory")
__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str):
    """Import on first use: a workflow that only reads configurations must not pay for numba."""
    if name in _HOME:
        return getattr(importlib.import_module(f"lpi.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"lpi.{name}")
    raise AttributeError(f"module 'lpi' has no attribute {name!r}")
