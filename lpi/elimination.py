"""Averaging over a product of next-value distributions, one variable at a time.

v_0', v_1', ... are drawn independently, v_k' from a distribution that depends on the present values of the variables in
D_k.  What is kept between two steps is a table over the next values still to be averaged and the present values read
so far, so on a line the work grows with the width of the neighbourhoods and not with the square of the state space.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from lpi.network import extended_index


class Elimination(NamedTuple):
    """Averaging over the variables v_0', v_1', ... in turn; v_k' depends on the variables in D_k."""

    variable: np.ndarray  # int64: the variables with more than one value, in order; one step each
    step: np.ndarray  # (steps + 1,) int64: rows of a step are step[k]..step[k + 1]
    source_row: np.ndarray  # int64: the row of the table before the step that each row after it is read from
    kernel_row: np.ndarray  # int64: the row of v_k's distribution
    size: np.ndarray  # (steps,) int64, number of values of the step's variable
    rest: np.ndarray  # (steps,) int64, joint values of the variables after it


def elimination(depends: Sequence[Sequence[int]], sizes: Sequence[int]) -> Elimination:
    """Plan for averaging over v_0', v_1', ... where v_k' depends on the variables `depends[k]`."""
    n = len(depends)
    default = [0] * n
    depends = [tuple(j for j in around if sizes[j] > 1) for around in depends]
    read: tuple[int, ...] = ()
    step, source_row, kernel_row, rest = [0], [], [], []
    variables = [k for k in range(n) if sizes[k] > 1]
    for k in variables:
        after = tuple(sorted({*read, *depends[k]}))
        source_row.append(extended_index(after, read, sizes, default))
        kernel_row.append(extended_index(after, depends[k], sizes, default))
        step.append(step[-1] + len(source_row[-1]))
        rest.append(int(np.prod(sizes[k + 1 :])))
        read = after
    none = np.zeros(0, dtype=np.int64)
    return Elimination(
        np.array(variables, dtype=np.int64),
        np.array(step),
        np.concatenate([none, *source_row]),
        np.concatenate([none, *kernel_row]),
        np.asarray(sizes, dtype=np.int64)[variables],
        np.array(rest, dtype=np.int64),
    )


def largest_table(elimination: Elimination) -> int:
    """Entries of the largest table on the way."""
    return int((np.diff(elimination.step) * elimination.rest).max(initial=1))


@njit(cache=True, error_model="numpy")
def averaged(plan, kernel, offset, values, inside, first, second):
    """E over all variables of `values`, whose entries are blocks of `inside` numbers; valid until the next call.

    `kernel` holds the distributions of variable k from `offset[k]` on; `first` and `second` are work space for
    `largest_table(plan) * inside` numbers each.
    """
    return average(plan, kernel, offset, values, 0, inside, first, second)


@njit(error_model="numpy")
def average(plan, kernel, offset, values, begin, inside, first, second):
    """All steps of an elimination; each entry of `values` from `begin` on is a block of `inside` numbers."""
    source, target = second, first
    for k in range(len(plan.size)):
        block = plan.rest[k] * inside
        choices = plan.size[k]
        for r in range(plan.step[k], plan.step[k + 1]):
            at = offset[k] + plan.kernel_row[r] * choices
            to = (r - plan.step[k]) * block
            if k == 0:
                origin = begin + plan.source_row[r] * choices * block
                _combine(values, origin, kernel, at, choices, block, target, to)
            else:
                origin = plan.source_row[r] * choices * block
                _combine(source, origin, kernel, at, choices, block, target, to)
        source, target = target, source
    return source


@njit(error_model="numpy")
def _combine(source, origin, kernel, at, choices, block, target, to):
    """target block = sum_v kernel[at + v] * v-th source block; one source a pass, which is what vectorises."""
    if block == 2:  # most rows by far: spelled out, since a vectorised loop costs more to enter than these to do
        x, y = 0.0 * kernel[at], 0.0 * kernel[at]
        for v in range(choices):
            weight = kernel[at + v]
            x += weight * source[np.uint64(origin + 2 * v)]
            y += weight * source[np.uint64(origin + 2 * v + 1)]
        target[np.uint64(to)], target[np.uint64(to + 1)] = x, y
        return
    weight = kernel[at]
    for x in range(block):
        target[np.uint64(to + x)] = weight * source[np.uint64(origin + x)]
    for v in range(1, choices):
        weight = kernel[at + v]
        for x in range(block):
            target[np.uint64(to + x)] += weight * source[np.uint64(origin + v * block + x)]
