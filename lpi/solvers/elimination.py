"""Averaging over a product of next-value distributions, one variable at a time.

v_0', v_1', ... are drawn independently, v_k' from a distribution that depends on the present values of the variables in
D_k.  What is kept between two steps is a table over the next values still to be averaged and the present values read
so far, so on a line the work grows with the width of the neighbourhoods and not with the square of the state space.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpi.kernels import njit
from lpi.network import extended_index


class Elimination(NamedTuple):
    """Averaging over the variables v_0', v_1', ... in turn; v_k' depends on the variables in D_k."""

    variable: np.ndarray  # int64: the variables with more than one value, in order; one step each
    step: np.ndarray  # (steps + 1,) int64: rows of a step are step[k]..step[k + 1]
    source_row: np.ndarray  # int64: the row of the table before the step that each row after it is read from
    kernel_row: np.ndarray  # int64: the row of v_k's distribution
    size: np.ndarray  # (steps,) int64, number of values of the step's variable
    rest: np.ndarray  # (steps,) int64, joint values of the variables after it
    order: np.ndarray  # int64: the rows of each step by the row that they read
    paired: np.ndarray  # (steps,) bool: in this order rows 0 and 1, 2 and 3, ... of the step read the same row
    largest: int  # entries of the largest table on the way, the one that is averaged included


def elimination(
    depends: Sequence[Sequence[int]],
    sizes: Sequence[int] | np.ndarray,
    present: Sequence[int] | np.ndarray | None = None,
) -> Elimination:
    """Plan for averaging over v_0', v_1', ... where v_k' depends on the variables `depends[k]`.

    `sizes` are the numbers of next values, `present` those of present values (default: the same): more variables than
    have next values where something else is read, such as actions; 1 for a variable whose value is fixed.
    """
    n = len(depends)
    present = sizes if present is None else present
    default = [0] * len(present)
    depends = [tuple(j for j in around if present[j] > 1) for around in depends]
    read: tuple[int, ...] = ()
    step, source_row, kernel_row, rest = [0], [], [], []
    variables = [k for k in range(n) if sizes[k] > 1]
    for k in variables:
        after = tuple(sorted({*read, *depends[k]}))
        source_row.append(extended_index(after, read, present, default))
        kernel_row.append(extended_index(after, depends[k], present, default))
        step.append(step[-1] + len(source_row[-1]))
        rest.append(int(np.prod(sizes[k + 1 :])))
        read = after
    none, order = np.zeros(0, dtype=np.int64), [np.argsort(rows, kind="stable") for rows in source_row]
    return Elimination(
        np.array(variables, dtype=np.int64),
        np.array(step),
        np.concatenate([none, *source_row]),
        np.concatenate([none, *kernel_row]),
        np.asarray(sizes, dtype=np.int64)[variables],
        np.array(rest, dtype=np.int64),
        np.concatenate([none, *(begin + rows for begin, rows in zip(step, order, strict=False))]),
        np.array([_paired(rows[by]) for rows, by in zip(source_row, order, strict=True)], dtype=bool),
        max([int(np.prod(sizes)), *(len(rows) * after for rows, after in zip(source_row, rest, strict=True))]),
    )


def _paired(rows: np.ndarray) -> bool:
    return len(rows) % 2 == 0 and np.array_equal(rows[::2], rows[1::2])


def probabilities(tables: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Distributions over the last axis, one table per variable, as `average` reads them, and where each begins."""
    flat = [table[..., 1:].ravel() for table in tables]
    return np.concatenate(flat), np.cumsum([0, *(len(table) for table in flat[:-1])], dtype=np.int64)


@njit(cache=True, error_model="numpy")
def averaged(plan, kernel, offset, values, inside, first, second):
    """E over all variables of `values`, whose entries are blocks of `inside` numbers; valid until the next call."""
    first[: len(values)] = values
    return average(plan, kernel, offset, 1, inside, False, first, second)[: len(values)]


@njit(error_model="numpy")
def average(plan, kernel, offset, stride, inside, each, first, second):
    """All steps of an elimination, from the table in `first`, whose entries are blocks of `inside` numbers.

    The probability of value v >= 1 of variable k in a row of its distribution begins at ``kernel[offset[k] +
    (row * (size[k] - 1) + v - 1) * stride]``: one number, or, if `each`, one for each number of an entry.  That of
    value 0 is what is missing to 1.

    Returns `first` or `second`, whichever ends up with the result; both hold `plan.largest * inside` numbers or more.
    """
    source, target, k = first, second, 0
    while k < len(plan.size):
        if k + 1 < len(plan.size) and plan.size[k] == 2 and plan.size[k + 1] == 2 and plan.paired[k + 1]:
            _average_two(plan, k, kernel, offset, stride, inside, each, source, target)
            k += 2
        else:
            _average_step(plan, k, kernel, offset, stride, inside, each, source, target)
            k += 1
        source, target = target, source
    return source


@njit(error_model="numpy")
def _average_two(plan, k, kernel, offset, stride, inside, each, source, target):
    """Steps k and k + 1, of two values each and the second one `paired`, in one pass over the tables."""
    length = plan.rest[k + 1] * inside
    begin, further = offset[plan.variable[k]], offset[plan.variable[k + 1]]
    block = inside if each else length  # as in `_average_step`
    for pair in range(plan.step[k + 1], plan.step[k + 2], 2):
        r, other = plan.order[pair], plan.order[pair + 1]
        middle = plan.step[k] + plan.source_row[r]
        w = begin + plan.kernel_row[middle] * stride
        u, v = further + plan.kernel_row[r] * stride, further + plan.kernel_row[other] * stride
        origin, to = plan.source_row[middle] * 4 * length, (r - plan.step[k + 1]) * length
        apart = (other - r) * length
        for part in range(0, length, block):
            if each:
                _mix_each(kernel, w, u, v, source, origin + part, length, block, target, to + part, apart)
            else:
                _mix(kernel[w], kernel[u], kernel[v], source, origin + part, length, block, target, to + part, apart)


@njit(error_model="numpy")
def _mix(w, u, v, source, at, length, block, target, to, apart):
    """Two rows: averages with weight w over the slower value, then with weight u or v over the faster one."""
    second, third, fourth, other = at + length, at + 2 * length, at + 3 * length, to + apart
    for x in range(block):
        low, high = source[np.uint64(at + x)], source[np.uint64(second + x)]
        low += w * (source[np.uint64(third + x)] - low)
        high += w * (source[np.uint64(fourth + x)] - high)
        target[np.uint64(to + x)] = low + u * (high - low)
        target[np.uint64(other + x)] = low + v * (high - low)


@njit(error_model="numpy")
def _mix_each(kernel, w, u, v, source, at, length, block, target, to, apart):
    """`_mix` with weights that begin at w, u and v, one for each number."""
    second, third, fourth, other = at + length, at + 2 * length, at + 3 * length, to + apart
    for x in range(block):
        low, high, weight = source[np.uint64(at + x)], source[np.uint64(second + x)], kernel[np.uint64(w + x)]
        low += weight * (source[np.uint64(third + x)] - low)
        high += weight * (source[np.uint64(fourth + x)] - high)
        target[np.uint64(to + x)] = low + kernel[np.uint64(u + x)] * (high - low)
        target[np.uint64(other + x)] = low + kernel[np.uint64(v + x)] * (high - low)


@njit(error_model="numpy")
def _average_step(plan, k, kernel, offset, stride, inside, each, source, target):
    """From the table before step k to the one after it."""
    length = plan.rest[k] * inside
    others = plan.size[k] - 1
    begin = offset[plan.variable[k]]
    block = inside if each else length  # numbers that follow each other in both tables and, if `each`, in the kernel
    for r in range(plan.step[k], plan.step[k + 1]):
        at = begin + plan.kernel_row[r] * others * stride
        origin = plan.source_row[r] * (others + 1) * length
        to = (r - plan.step[k]) * length
        if length == 2 and not each:  # most rows by far: a vectorised loop costs more to enter than these to do
            x, y = source[np.uint64(origin)], source[np.uint64(origin + 1)]
            dx, dy = 0.0 * x, 0.0 * y
            for v in range(1, others + 1):
                weight = kernel[at + (v - 1) * stride]
                dx += weight * (source[np.uint64(origin + 2 * v)] - x)
                dy += weight * (source[np.uint64(origin + 2 * v + 1)] - y)
            target[np.uint64(to)], target[np.uint64(to + 1)] = x + dx, y + dy
            continue
        for part in range(0, length, block):
            a, b, z = origin + part, origin + length + part, to + part
            if each:
                for x in range(block):
                    base = source[np.uint64(a + x)]
                    target[np.uint64(z + x)] = base + kernel[np.uint64(at + x)] * (source[np.uint64(b + x)] - base)
            else:
                weight = kernel[at]
                for x in range(block):
                    base = source[np.uint64(a + x)]
                    target[np.uint64(z + x)] = base + weight * (source[np.uint64(b + x)] - base)
        for v in range(2, others + 1):
            p = at + (v - 1) * stride
            for part in range(0, length, block):
                a, b, z = origin + part, origin + v * length + part, to + part
                if each:
                    for x in range(block):
                        difference = source[np.uint64(b + x)] - source[np.uint64(a + x)]
                        target[np.uint64(z + x)] += kernel[np.uint64(p + x)] * difference
                else:
                    weight = kernel[p]
                    for x in range(block):
                        difference = source[np.uint64(b + x)] - source[np.uint64(a + x)]
                        target[np.uint64(z + x)] += weight * difference


@njit(error_model="numpy")
def spread(plan, kernel, offset, stride, inside, each, first, second):
    """The transpose of `average`: from weights of the present values in `first` to weights of the next ones.

    Arguments, and where the result is, as for `average`.
    """
    source, target = first, second
    for k in range(len(plan.size) - 1, -1, -1):
        _spread_step(plan, k, kernel, offset, stride, inside, each, source, target)
        source, target = target, source
    return source


@njit(error_model="numpy")
def tape_begins(plan, inside):
    """Where each step's table begins on the tape that `differentiate` needs, and how long the tape is."""
    begin = np.zeros(len(plan.size) + 1, dtype=np.int64)
    rows = 1
    for k in range(len(plan.size)):
        begin[k + 1] = begin[k] + rows * plan.size[k] * plan.rest[k] * inside
        rows = plan.step[k + 1] - plan.step[k]
    return begin


@njit(error_model="numpy")
def differentiate(plan, kernel, offset, stride, inside, each, tape, begin, first, second, gradient):
    """Add to `gradient` the derivatives of <weights, average of values> by the entries of `kernel`.

    The weights of the present values are in `first`, the values at the beginning of `tape`; `begin` from `tape_begins`.
    The other arguments as for `average`; `gradient` has the shape of `kernel`.
    """
    for k in range(len(plan.size) - 1):
        before, after = tape[begin[k] : begin[k + 1]], tape[begin[k + 1] :]
        _average_step(plan, k, kernel, offset, stride, inside, each, before, after)
    source, target = first, second
    for k in range(len(plan.size) - 1, -1, -1):
        values = tape[begin[k] : begin[k + 1]]
        length = plan.rest[k] * inside
        others = plan.size[k] - 1
        for r in range(plan.step[k], plan.step[k + 1]):
            at = offset[plan.variable[k]] + plan.kernel_row[r] * others * stride
            origin = plan.source_row[r] * (others + 1) * length
            weights = (r - plan.step[k]) * length
            for v in range(1, others + 1):
                _products(source, weights, values, origin, v, length, inside, each, gradient, at + (v - 1) * stride)
        _spread_step(plan, k, kernel, offset, stride, inside, each, source, target)
        source, target = target, source


@njit(error_model="numpy")
def _products(weights, w, values, origin, v, length, inside, each, gradient, at):
    """gradient += weights (values_v - values_0), summed over a block, or over each number's part of it."""
    shift = v * length
    if each:
        for begin in range(0, length, inside):
            for x in range(inside):
                here = np.uint64(origin + begin + x)
                difference = values[np.uint64(origin + begin + x + shift)] - values[here]
                gradient[np.uint64(at + x)] += weights[np.uint64(w + begin + x)] * difference
        return
    total = 0.0
    for x in range(length):
        total += weights[w + x] * (values[origin + x + shift] - values[origin + x])
    gradient[at] += total


@njit(error_model="numpy")
def _spread_step(plan, k, kernel, offset, stride, inside, each, source, target):
    """The transpose of `_average_step`."""
    length = plan.rest[k] * inside
    others = plan.size[k] - 1
    rows = plan.step[k] - plan.step[k - 1] if k > 0 else 1
    target[: rows * (others + 1) * length] = 0.0
    for r in range(plan.step[k], plan.step[k + 1]):
        at = offset[plan.variable[k]] + plan.kernel_row[r] * others * stride
        origin = plan.source_row[r] * (others + 1) * length
        begin = (r - plan.step[k]) * length
        for x in range(length):
            target[np.uint64(origin + x)] += source[np.uint64(begin + x)]
        for v in range(1, others + 1):
            p, to = at + (v - 1) * stride, origin + v * length
            if each:
                for block in range(0, length, inside):
                    for x in range(inside):
                        moved = kernel[np.uint64(p + x)] * source[np.uint64(begin + block + x)]
                        target[np.uint64(to + block + x)] += moved
                        target[np.uint64(origin + block + x)] -= moved
            else:
                weight = kernel[p]
                for x in range(length):
                    moved = weight * source[np.uint64(begin + x)]
                    target[np.uint64(to + x)] += moved
                    target[np.uint64(origin + x)] -= moved
