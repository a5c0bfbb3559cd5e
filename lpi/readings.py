"""The shipped readings: named ways to resolve what the paper leaves open; their settings are checked in `lpi.config`."""

from __future__ import annotations

from typing import Any

READINGS: dict[str, dict[str, Any]] = {
    "as_printed": {
        "p1_means": "failure",
        "p2_means": "failure",
        "inner_start": "uniform",
        "q_start": "zero",
        "q_reset": "every_loop",
        "reward_at": "arrival",
        "trajectory_length": 10_000,
        "episode_length": None,
        "rho": "uniform",
        "entropy_weight": "network",
    },
    "working": {
        "p1_means": "success",
        "p2_means": "success",
        "inner_start": "carried",
        "q_start": "optimistic",
        "q_reset": "once",
        "reward_at": "departure",
        "trajectory_length": 100_000,
        "episode_length": 20,
        "rho": "uniform",
        "entropy_weight": "network",
    },
    # found by search, not what the authors did: of the readings with the most claims supported one that departs least
    # from as_printed (figures/multiverse)
    "best_match": {
        "p1_means": "success",
        "p2_means": "success",
        "inner_start": "carried",
        "q_start": "optimistic",
        "q_reset": "once",
        "reward_at": "departure",
        "trajectory_length": 10_000,
        "episode_length": None,
        "rho": "uniform",
        "entropy_weight": "network",
    },
}
