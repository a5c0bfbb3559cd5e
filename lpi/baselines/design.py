"""What is run to compare LPI with the localized actor-critic, as data.

Steps are chosen by the mean share of the gap closed at the last loop, on the seeds SCREENING, which are not those of the
result: one step for all kappas, and one for each kappa.  LPI is also run with the step of the paper.

This is the second run.  The first one (FIRST_STEPS, up to kappa = 2, fewer seeds, two seeds of the screening; its results
are in FIRST_RUN) chose for LPI the smallest step of its grid, so that a smaller one might have been better, and had one
step for all kappas only.  Knowing its screening, the grids were extended downwards for LPI and the actor-critic without
centring, made finer where the first run was best, and relieved of steps that had lost at every kappa; then everything
here was fixed before the second run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from lpi.config import Settings, flat, resolve

READING, AGENTS, TAU, KAPPAS = "working", 8, 0.05, (0, 1, 2, 3)
SEEDS, SCREENING = tuple(range(10)), (1000,)
PAPER_STEP = 0.05
"""eta of (12) in section 6.1."""
FIRST_RUN = Path(__file__).with_name("first_run.csv")


class Entry(NamedTuple):
    """An algorithm with the grid that its step is chosen from, and the one of the first run."""

    says: str
    steps: tuple[float, ...]
    first_steps: tuple[float, ...]


ALGORITHMS = {
    "lpi": Entry("LPI", (0.005, 0.01, 0.02, 0.05, 0.2, 1.0), (0.05, 0.2, 1.0, 5.0)),
    "centred": Entry(
        "localized actor-critic, centred", (1.0, 10.0, 30.0, 100.0, 300.0, 1000.0), (1.0, 10.0, 100.0, 1000.0)
    ),
    "plain": Entry("localized actor-critic", (0.01, 0.1, 0.3, 1.0, 3.0, 10.0), (0.1, 1.0, 10.0, 100.0)),
}
PARTS = {"screen": SCREENING, "result": SEEDS}

Chosen = dict[str, dict[str, float]]
"""Steps by choice and algorithm: `one` is for all kappas, a number is a kappa."""


def settings_of(kappa: int, step: float | None = None) -> Settings:
    """The settings of the runs at one kappa; `step` is LPI's eta."""
    more = {} if step is None else {"eta": step}
    return resolve(READING, {"agents": AGENTS, "tau": TAU, "kappa": kappa, **more})


def choices(kappa: int, chosen: Chosen) -> dict[tuple[str, str], float]:
    """The step at one kappa of every algorithm and choice: `paper`, `one` for all kappas, `each`."""
    found = {("lpi", "paper"): PAPER_STEP}
    for name in ALGORITHMS:
        found |= {(name, "one"): chosen["one"][name], (name, "each"): chosen[str(kappa)][name]}
    return found


def tried(part: str, kappa: int, chosen: Chosen | None = None) -> list[tuple[str, float]]:
    """Algorithms and steps that a part runs at one kappa."""
    if part == "screen":
        return [(name, step) for name, entry in ALGORITHMS.items() for step in entry.steps]
    found = choices(kappa, chosen or {})
    return list(dict.fromkeys((name, step) for (name, _), step in found.items()))


def configuration() -> dict[str, Any]:
    """What the comparison is made from, ready for JSON."""
    left_out = ("kappa", "eta")
    settings = {key: value for key, value in flat(settings_of(0)).items() if key not in left_out}
    grids = {name: list(entry.steps) for name, entry in ALGORITHMS.items()}
    parts = {name: list(seeds) for name, seeds in PARTS.items()}
    return {"kappas": list(KAPPAS), "steps": grids, "seeds": parts, "settings": settings}
