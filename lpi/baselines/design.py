"""What is run to compare LPI with the localized actor-critic, as data.

The grid of steps and everything else was fixed before the runs.  Each algorithm's step is the one of its grid with the
largest mean share of the gap closed over all kappas at the last loop, on the seeds SCREENING, which are not those of the
result.  LPI is also run with the step of the paper.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lpi.config import Settings, flat, resolve

READING, AGENTS, TAU, KAPPAS = "working", 8, 0.05, (0, 1, 2)
SEEDS, SCREENING = tuple(range(5)), (1000, 1001)
PAPER_STEP = 0.05
"""eta of (12) in section 6.1."""


class Entry(NamedTuple):
    """An algorithm with the grid that its step is chosen from."""

    says: str
    steps: tuple[float, ...]


ALGORITHMS = {
    "lpi": Entry("LPI", (0.05, 0.2, 1.0, 5.0)),
    "centred": Entry("localized actor-critic, centred", (1.0, 10.0, 100.0, 1000.0)),
    "plain": Entry("localized actor-critic", (0.1, 1.0, 10.0, 100.0)),
}
PARTS = {"screen": SCREENING, "result": SEEDS}


def settings_of(kappa: int, step: float | None = None) -> Settings:
    """The settings of the runs at one kappa; `step` is LPI's eta."""
    more = {} if step is None else {"eta": step}
    return resolve(READING, {"agents": AGENTS, "tau": TAU, "kappa": kappa, **more})


def tried(part: str, chosen: dict[str, float] | None = None) -> list[tuple[str, float]]:
    """Algorithms and steps that a part runs."""
    if part == "screen":
        return [(name, step) for name, entry in ALGORITHMS.items() for step in entry.steps]
    return list(dict.fromkeys([("lpi", PAPER_STEP), *(chosen or {}).items()]))


def configuration() -> dict[str, Any]:
    """What the comparison is made from, ready for JSON."""
    left_out = ("kappa", "eta")
    settings = {key: value for key, value in flat(settings_of(0)).items() if key not in left_out}
    grids = {name: list(entry.steps) for name, entry in ALGORITHMS.items()}
    parts = {name: list(seeds) for name, seeds in PARTS.items()}
    return {"kappas": list(KAPPAS), "steps": grids, "seeds": parts, "settings": settings}
