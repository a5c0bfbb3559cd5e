"""How often the intervals of the claims cover what they are about, measured on values like those of final rewards.

`python -m lpi.report --coverage` writes the table; `lpi.claims` uses Student-t, the BCa bootstrap is there to compare.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from lpi.claims.intervals import LEVEL, bca, family, quantile

COLUMNS = ("shape", "quantity", "seeds", "method", "level", "repeats", "coverage")
SEEDS = (10, 5)
"""Seeds of the readings on the whole grid, and of the multiverse."""
REPEATS = {"student": 20_000, "bca": 1000}
"""Samples drawn for each row; the standard error of a coverage is at most half of their number to the power -1/2."""
RESAMPLES = 999
MOST_PARTS = 24
"""Parts of the claim that has most of them, whose intervals hold together."""
MEAN, ALIKE, UNLIKE = "mean", "paired difference, both so", "paired difference, one so"


class Shape(NamedTuple):
    """A distribution of one run's result."""

    draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
    mean: float


SHAPES = {
    "normal": Shape(lambda rng, shape: rng.normal(0, 1, shape), 0.0),
    "uniform": Shape(lambda rng, shape: rng.random(shape), 0.5),
    "two sorts of runs": Shape(lambda rng, shape: rng.normal(0, 1, shape) - 3 * (rng.random(shape) < 0.3), -0.9),
    "skewed": Shape(lambda rng, shape: -rng.gamma(4, 1, shape), -4.0),
    "exponential": Shape(lambda rng, shape: -rng.exponential(1, shape), -1.0),
    "one run in ten fails": Shape(lambda rng, shape: rng.normal(0, 1, shape) - 5 * (rng.random(shape) < 0.1), -0.5),
}
"""Symmetric ones; a few runs that fell behind; strongly skewed ones."""


def table() -> pd.DataFrame:
    """Every row, with the columns `COLUMNS`."""
    keys = [(shape, quantity, seeds) for shape in SHAPES for quantity in (MEAN, ALIKE, UNLIKE) for seeds in SEEDS]
    rows = [row(*key, "student") for key in keys] + [row(*key, "bca") for key in keys if key[1] == MEAN]
    rows += [row(shape, MEAN, SEEDS[0], "student", family(LEVEL, MOST_PARTS)) for shape in SHAPES]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def row(shape: str, quantity: str, seeds: int, method: str, level: float = LEVEL) -> tuple:
    """Share of the intervals that cover the true value; the same samples for both methods."""
    repeats = REPEATS[method]
    samples, truth = _samples(shape, quantity, seeds)
    samples = samples[:repeats]
    if method == "student":
        half = quantile(seeds - 1, level) * samples.std(axis=1, ddof=1) / np.sqrt(seeds)
        covers = np.abs(samples.mean(axis=1) - truth) <= half
    else:
        found = [bca(sample, level, RESAMPLES) for sample in samples]
        covers = np.array([interval.low <= truth <= interval.high for interval in found])
    return shape, quantity, seeds, method, round(level, 6), repeats, round(float(covers.mean()), 4)


def _samples(shape: str, quantity: str, seeds: int) -> tuple[np.ndarray, float]:
    """Values by repeat and seed, shape (repeats, seeds), and their true mean."""
    rng = np.random.default_rng([list(SHAPES).index(shape), (MEAN, ALIKE, UNLIKE).index(quantity), seeds])
    size = (max(REPEATS.values()), seeds)
    one, truth = SHAPES[shape].draw(rng, size), SHAPES[shape].mean
    if quantity == MEAN:
        return one, truth
    if quantity == ALIKE:
        return one - SHAPES[shape].draw(rng, size), 0.0
    return one - rng.normal(0, 1, size), truth
