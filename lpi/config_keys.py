"""The keys of the config file, with their words and defaults, and the names that the workflow gives to what it makes.

`lpi.experiment` checks a file against them.  Snakemake loads this module on every call, so it imports nothing slow.
"""

from __future__ import annotations

import itertools
import re
from typing import Any, NamedTuple

from lpi.config import LARGEST_SEED, READINGS
from lpi.memory import DEFAULT_LIMIT_GB

FIGURES = {"figure1": "reported", "figure2": "unregularized", "figure3": "reported"}
"""The column of the curves that each figure shows."""

GAP, JUDGED = "optimality_gap", "claims"
TRUTHS = ("figure4", "figure5", "figure6")
"""The notebook that holds the curves against the optimum, and its figures: gap, cost of locality, optimal policy."""

CONVENTION = ("p1_means", "p2_means")
CONVENTIONS = tuple(itertools.product(("failure", "success"), repeat=2))
"""What p1 and p2 may mean."""
VARIED = (*CONVENTION, "p_eff")
GRID = {"agents": "figures.<figure>.agents", "kappa": "kappas", "tau": "figures.<figure>.taus"}
"""The settings that vary over the grid, and the config key that lists their values."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
RESERVED = (
    *("logs", "package", "benchmarks", "quick", "notebooks", "report", "verify"),
    *("locality", "acting", "theory", "multiverse", "studies", "scaling", "baseline"),
)
"""Folders in the results folder, beside those of the readings."""


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
    "seeds_per_job": Key(
        "Width of the blocks of seeds 0.., that one job trains together; results do not depend on it.",
        f"an integer >= 1 and <= {LARGEST_SEED}",
        5,
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
    "locality": Key(
        "Networks for which the best policies of each kappa are searched, under all four meanings of p1 and p2.",
        "{agents: list, taus: list}, small enough for exact evaluation",
        {"agents": [5, 8], "taus": [0.02, 0.05, 0.1]},
    ),
    "acting": Key(
        "Network for which it is computed when the optimal policy acts, under all four meanings of p1 and p2.",
        "{agents: an integer, tau: a number, p_eff: a list of different numbers}",
        {"agents": 9, "tau": 0.05, "p_eff": [0.1, 0.3, 0.4, 0.5, 0.7, 0.9]},
    ),
    "verify": Key(
        "Panels that the target verify trains anew and holds against the committed tables.",
        "{agents: list, taus: list}, each of the panels one of a figure",
        {"agents": [5], "taus": [0.05]},
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
