"""Localized Policy Iteration in networked multi-agent reinforcement learning: algorithm, exact values, experiments."""

import hashlib
import importlib
import os
import sys
import tempfile
from pathlib import Path
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


def _kernel_cache() -> str:
    """Folder for compiled kernels, one for each state of the package's source files.

    numba looks at the file of a kernel, not at the files of the functions that are compiled into it, and would go on
    using what was compiled from an older one.
    """
    package = Path(__file__).parent
    sources = b"".join(path.read_bytes() for path in sorted(package.rglob("*.py")))
    name = f"kernels-{hashlib.sha256(sources).hexdigest()[:16]}"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    for folder in (package / "__pycache__", home / "lpi"):
        try:
            (folder / name).mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder / name, os.W_OK):
            return str(folder / name)
    return tempfile.mkdtemp(prefix="lpi-")


if "NUMBA_CACHE_DIR" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = _kernel_cache()
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]


def __getattr__(name: str):
    """Import on first use: a workflow that only reads configurations must not pay for numba."""
    if name in _HOME:
        return getattr(importlib.import_module(f"lpi.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"lpi.{name}")
    raise AttributeError(f"module 'lpi' has no attribute {name!r}")
