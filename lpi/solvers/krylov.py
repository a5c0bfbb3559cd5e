"""Restarted GMRES, meant to give the same bytes on any x86-64 processor: inner products are loops, not BLAS calls.

Corrections are computed in single precision, which halves the memory traffic that bounds the speed; residuals in
double, so each restart gains several digits and the result is as accurate as its double-precision residual says.

The slowest modes of I - gamma P are functions of a part of the state that evolves by itself (constants at least).
They form a subspace that the operator maps into itself, so the equation is solved first for what lies outside, where
few iterations suffice, and then, as a much smaller problem, within.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lpi.kernels import njit

BASIS = 24  # basis vectors between two restarts
_SINGLE = 1e-7  # reduction of the residual that single precision is trusted with between two restarts
_SAFETY = 0.3  # what GMRES bounds is the Euclidean norm
_MOST = 2000  # applications of the operator before giving up
_LANES = 256  # partial sums of an inner product


class Invariant(NamedTuple):
    """A subspace that the operator maps into itself: of the vectors of shape (rows, columns), those of equal rows."""

    columns: int
    solve: Callable[[np.ndarray, float], np.ndarray]  # (columns,) row of a target, limit -> row of the solution


def gmres(
    operator: Callable[[np.ndarray], np.ndarray],
    target: np.ndarray,
    start: np.ndarray,
    limit: float,
    invariant: Invariant,
    size: Callable[[np.ndarray], float] | None = None,
    basis: np.ndarray | None = None,
) -> tuple[np.ndarray, float, int]:
    """Solve operator(x) = target until the largest residual (or another `size` of the residual) is at most `limit`.

    Args:
        operator: a linear map of float64 and of float32 arrays to arrays of the same type, which it may use again.
        target, start: shape (size,) float64.
        limit: bound on the residual.
        invariant: subspace in which the operator can be inverted by other means.
        size: of a residual; default its largest absolute value.
        basis: work space from `basis_space`, for solves one after another.

    Returns:
        x, the size of its residual (recomputed, not estimated) and the number of applications of `operator`.

    Raises:
        ArithmeticError: `limit` not reached.
    """
    size = _largest if size is None else size
    x, applications = start.copy(), 0
    basis = basis_space(len(target)) if basis is None else basis
    while True:
        residual = operator(x)
        np.subtract(target, residual, out=residual)
        applications += 1
        largest = size(residual)
        if largest <= limit:
            return x, largest, applications
        if applications > _MOST or not np.isfinite(largest):
            raise ArithmeticError(f"GMRES: residual {largest:.3g} after {applications} sweeps; {limit:.3g} was asked")
        applications += _correct(operator, residual, _SAFETY * max(limit, _SINGLE * largest), basis, invariant, size, x)


def _correct(operator, residual, limit: float, basis, invariant: Invariant, size, x) -> int:
    """Add to `x` what brings its `residual` (overwritten) to about `limit`; returns the applications of `operator`."""
    rows = [_split(residual, invariant.columns)]
    largest, norm = size(residual), np.sqrt(_dot(residual, residual))
    used, weights = 0, np.zeros(0)
    if largest > limit:
        np.multiply(residual, 1 / norm, out=basis[0], casting="same_kind")
        hessenberg = np.zeros((BASIS + 1, BASIS))
        goal = limit / largest * norm  # as if the residual kept its shape
        for k in range(BASIS):
            vector = operator(basis[k])
            used += 1
            rows.append(_split(vector, invariant.columns))
            for j in range(k + 1):
                hessenberg[j, k] = _dot(basis[j], vector)
                _add(vector, np.float32(-hessenberg[j, k]), basis[j])
            hessenberg[k + 1, k] = np.sqrt(_dot(vector, vector))
            weights, rest = _least_squares(hessenberg[: k + 2, : k + 1], norm)
            if rest <= goal or hessenberg[k + 1, k] <= 1e-6:
                break
            np.multiply(vector, np.float32(1 / hessenberg[k + 1, k]), out=basis[k + 1])
    row = rows[0]
    for k, weight in enumerate(weights):
        _add(x, weight, basis[k])
        row -= weight * rows[k + 1]
    _add_rows(x, invariant.solve(row, limit))
    return used


def basis_space(size: int) -> np.ndarray:
    """Room for the basis vectors of problems of one size: getting it from the system takes as long as some sweeps."""
    return np.empty((BASIS + 1, size), dtype=np.float32)


def constants(gamma: float, columns: int) -> Invariant:
    """The constants, one for each of `columns` interleaved quantities, for the operator I - gamma P."""
    return Invariant(columns, lambda row, limit: row / (1 - gamma))


def _largest(vector: np.ndarray) -> float:
    return max(float(vector.max()), -float(vector.min()))


@njit(cache=True)
def absolute_sum(vector):
    """Sum of absolute values, as a size of residuals that are weights of states."""
    total = 0.0
    for x in vector:
        total += abs(x)
    return total


@njit(cache=True, error_model="numpy")
def _split(vector, columns):
    """Take the mean row out of `vector`, in place; returns it as float64, shape (columns,)."""
    row = np.zeros(columns)
    for begin in range(0, len(vector), columns):
        for x in range(columns):
            row[np.uint64(x)] += vector[np.uint64(begin + x)]
    row /= len(vector) // columns
    typed = row.astype(vector.dtype)
    row[:] = typed
    for begin in range(0, len(vector), columns):
        for x in range(columns):
            vector[np.uint64(begin + x)] -= typed[np.uint64(x)]
    return row


@njit(cache=True)
def _add_rows(vector, row):
    for begin in range(0, len(vector), len(row)):
        for x in range(len(row)):
            vector[np.uint64(begin + x)] += row[np.uint64(x)]


@njit(cache=True)
def _dot(a, b):
    """Inner product in interleaved partial sums, a fixed order that still vectorises."""
    sums = np.zeros(_LANES)
    whole = len(a) - len(a) % _LANES
    for begin in range(0, whole, _LANES):
        for x in range(_LANES):
            sums[np.uint64(x)] += np.float64(a[np.uint64(begin + x)]) * np.float64(b[np.uint64(begin + x)])
    for x in range(whole, len(a)):
        sums[x - whole] += np.float64(a[x]) * np.float64(b[x])
    total = 0.0
    for x in range(_LANES):
        total += sums[x]
    return total


@njit(cache=True)
def _add(x, weight, y):
    for k in range(len(x)):
        x[k] += weight * y[k]


@njit(cache=True, error_model="numpy")
def _least_squares(hessenberg, norm):
    """min over y of |norm e_1 - H y| by Givens rotations; returns y and the minimum."""
    h, g = hessenberg.copy(), np.zeros(len(hessenberg))
    g[0] = norm
    for k in range(h.shape[1]):
        length = np.sqrt(h[k, k] ** 2 + h[k + 1, k] ** 2)
        cosine, sine = h[k, k] / length, h[k + 1, k] / length
        upper = cosine * h[k] + sine * h[k + 1]
        h[k + 1] = cosine * h[k + 1] - sine * h[k]
        h[k] = upper
        g[k], g[k + 1] = cosine * g[k], -sine * g[k]
    y = np.zeros(h.shape[1])
    for k in range(h.shape[1] - 1, -1, -1):
        y[k] = (g[k] - (h[k, k + 1 :] * y[k + 1 :]).sum()) / h[k, k]
    return y, abs(float(g[-1]))
