"""The numbers of `numpy.random.Generator.random`, drawn by compiled code: the same bytes in a quarter of the time.

The generator is PCG64, a linear congruential one of 128 bits (O'Neill, 2014): x <- M x + c mod 2^128.  Many steps are one
step with a power of M and another c, so lanes that each hold one state do not wait for each other, and share vectors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lpi.kernels import njit

LANES = 64  # enough for loops over them to become vector instructions in wider kernels than `fill` too
_MULTIPLIER = 2549297995355413924 << 64 | 4865540595714422341
_MODULUS = 2**128
_SMALLEST = 2.0**-53
_WORD = np.uint64(64)
_HALF = np.uint64(32)
_LOW_HALF = np.uint64(2**32 - 1)


class Stream(NamedTuple):
    """Where the lanes stand; the caller's generator stays where it is until `advance`."""

    high: np.ndarray  # (LANES,) uint64, upper half of each lane's state
    low: np.ndarray  # (LANES,) uint64, lower half
    step: np.ndarray  # (4,) uint64: multiplier and increment from a number of a lane to its next, upper half first
    halves: np.ndarray  # (2,) uint64: lower and upper half of the multiplier's lower half


def stream(rng: np.random.Generator) -> Stream:
    """The numbers that `rng.random` would return next, taken by the lanes in turn.

    Raises:
        ValueError: a generator that is not PCG64, the one of `numpy.random.default_rng`.
    """
    return _stream(rng, 1, LANES)


def streams(rng: np.random.Generator, apart: int) -> tuple[Stream, Stream]:
    """Lanes that stand `apart` numbers from each other, and the same ones with a step over what the others take.

    After `apart` numbers of each lane from the first stream, a number of each from the second, which is to be thrown away,
    moves the lanes to their next `apart` numbers.  Raises as `stream`.
    """
    found = _stream(rng, apart, 1)
    step, halves = _step(rng.bit_generator.state["state"]["inc"], (LANES - 1) * apart)
    return found, found._replace(step=step, halves=halves)


def _stream(rng: np.random.Generator, apart: int, step: int) -> Stream:
    if not isinstance(rng.bit_generator, np.random.PCG64):
        raise ValueError(f"rng: {type(rng.bit_generator).__name__} is not allowed; numpy.random.default_rng")
    found = rng.bit_generator.state["state"]
    multiplier, shift = _steps(found["inc"], apart)
    states = [(found["state"] * _MULTIPLIER + found["inc"]) % _MODULUS]
    while len(states) < LANES:
        states.append((states[-1] * multiplier + shift) % _MODULUS)
    low, high = _words(states).T.copy()
    return Stream(high, low, *_step(found["inc"], step))


def _step(increment: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """`Stream.step` and `Stream.halves`."""
    multiplier, shift = _steps(increment, number)
    halves = np.array([multiplier % 2**32, multiplier % 2**64 >> 32], dtype=np.uint64)
    return _words([multiplier, shift])[:, ::-1].ravel(), halves


def _steps(increment: int, number: int) -> tuple[int, int]:
    """Multiplier and increment of so many steps in one, by repeated doubling."""
    multiplier, shift, power, more = 1, 0, _MULTIPLIER, increment
    while number:
        if number % 2:
            multiplier, shift = multiplier * power % _MODULUS, (shift * power + more) % _MODULUS
        power, more = power * power % _MODULUS, more * (power + 1) % _MODULUS
        number //= 2
    return multiplier, shift


def _words(numbers: list[int]) -> np.ndarray:
    """Numbers of 128 bits as (numbers, 2) uint64, lower half first."""
    return (
        np.frombuffer(b"".join(x.to_bytes(16, "little") for x in numbers), dtype="<u8").reshape(-1, 2).astype(np.uint64)
    )


def advance(rng: np.random.Generator, numbers: int) -> None:
    """Leave `rng` as if it had drawn so many numbers."""
    rng.bit_generator.advance(numbers)  # type: ignore[attr-defined]  # PCG64 has it


@njit(cache=True)
def fill(stream, target):
    """The next numbers, in [0, 1); the length of `target` is a multiple of LANES."""
    high, low = stream.high, stream.low
    factor_high, factor, shift_high, shift = stream.step
    factor0, factor1 = stream.halves[0] & _LOW_HALF, stream.halves[1] & _LOW_HALF
    for at in range(0, len(target), LANES):
        for k in range(LANES):
            upper, lower = high[k], low[k]
            word, turn = upper ^ lower, upper >> np.uint64(58)
            word = (word >> turn) | (word << ((_WORD - turn) & np.uint64(63)))
            target[np.uint64(at + k)] = np.int64(word >> np.uint64(11)) * _SMALLEST
            # the upper half of lower * factor, from products of 32 bits each; `halves` come from memory, since a compiler
            # that sees what this computes puts in the processor's wide multiplication, which has no vectors
            lower0, lower1 = lower & _LOW_HALF, lower >> _HALF
            cross0, cross1 = lower0 * factor1, lower1 * factor0
            middle = ((lower0 * factor0) >> _HALF) + (cross0 & _LOW_HALF) + cross1
            carried = lower1 * factor1 + (cross0 >> _HALF) + (middle >> _HALF)
            total = lower * factor + shift
            low[k] = total
            high[k] = carried + upper * factor + lower * factor_high + shift_high + np.uint64(total < shift)
