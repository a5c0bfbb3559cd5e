"""exp and log against correctly rounded references of the decimal module, over the ranges in use."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from lpi.elementary import exp, exponentials, log, logarithms

SAMPLES = 3000


def _worst(found, reference, points) -> float:
    """Largest error in units in the last place of the result."""
    with localcontext(prec=40):
        exact = [reference(Decimal(float(x))) for x in points]
        errors = [
            abs(Decimal(found(float(x))) - y) / Decimal(math.ulp(float(y))) for x, y in zip(points, exact, strict=True)
        ]
    return float(max(errors))


@pytest.mark.parametrize("low, high", [(-1e-6, 0), (-1, 1), (-50, 0), (-700, 0), (0, 709)])
def test_exp(low, high):
    points = np.random.default_rng(1).uniform(low, high, SAMPLES)
    assert _worst(exp, Decimal.exp, points) < 2


def test_exp_where_the_reduction_changes():
    """Half-odd multiples of ln 2, from both sides."""
    middles = [(k + 0.5) * math.log(2) for k in range(-1000, 1000, 7)]
    points = [math.nextafter(x, side) for x in middles for side in (-math.inf, math.inf)]
    assert _worst(exp, Decimal.exp, points) < 2


@pytest.mark.parametrize(
    "points",
    [
        np.random.default_rng(2).uniform(1e-9, 1, SAMPLES),
        10.0 ** np.random.default_rng(3).uniform(-300, 0, SAMPLES),
        np.random.default_rng(4).uniform(1.001, 16, SAMPLES),
        1 - 10.0 ** np.random.default_rng(5).uniform(-15, -1, SAMPLES),
        1 + 10.0 ** np.random.default_rng(6).uniform(-15, -1, SAMPLES),
        [math.nextafter(math.sqrt(0.5) * 2.0**k, side) for k in range(-900, 900, 11) for side in (0, math.inf)],
    ],
    ids=["probabilities", "tiny", "normalisations", "just below 1", "just above 1", "where the exponent changes"],
)
def test_log(points):
    assert _worst(log, Decimal.ln, points) < 2


def test_exact_points():
    assert exp(0.0) == 1.0 and exp(-0.0) == 1.0
    assert log(1.0) == 0.0
    assert all(log(2.0**-k) == pytest.approx(-k * math.log(2), rel=1e-15) for k in range(1, 1000))


def test_edges():
    assert exp(-700.0) > 0 and exp(math.nextafter(-700.0, -math.inf)) == 0.0 and exp(-math.inf) == 0.0
    assert math.isfinite(exp(709.0)) and exp(math.nextafter(709.0, math.inf)) == math.inf == exp(math.inf)
    assert log(0.0) == -math.inf
    assert log(5e-324) == pytest.approx(math.log(5e-324), rel=1e-15)
    assert log(1.7976931348623157e308) == pytest.approx(math.log(1.7976931348623157e308), rel=1e-15)


def test_one_undoes_the_other():
    """What (12) does to a policy: probabilities to logarithms and back."""
    for p in np.random.default_rng(7).uniform(1e-12, 1, SAMPLES):
        assert exp(log(p)) == pytest.approx(p, rel=1e-14)


def test_arrays_entry_by_entry():
    """The array forms give the very same bits, whatever the shape and the memory order."""
    points = np.asfortranarray(np.random.default_rng(8).uniform(1e-9, 5, (4, 6)))[::2, 1:]
    for many, one in ((exponentials, exp), (logarithms, log)):
        found = many(points)
        assert found.shape == points.shape
        assert found.tolist() == [[one(float(x)) for x in row] for row in points]
    assert logarithms(np.array([2, 3])).tolist() == [log(2.0), log(3.0)]
