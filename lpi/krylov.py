"""Restarted GMRES with the same bytes on every machine: its inner products are plain loops, not BLAS calls.

Corrections are computed in single precision, which halves the memory traffic that bounds the speed; residuals in
double, so each restart gains several digits and the result is as accurate as its double-precision residual says.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

BASIS = 30  # basis vectors between two restarts
_SINGLE = 1e-5  # reduction of the residual that single precision is trusted with between two restarts
_MOST = 2000  # applications of the operator before giving up


def gmres(
    operator: Callable[[np.ndarray], np.ndarray], target: np.ndarray, start: np.ndarray, limit: float
) -> tuple[np.ndarray, float, int]:
    """Solve operator(x) = target until the largest residual is at most `limit`.

    Args:
        operator: a linear map of float64 and of float32 arrays to arrays of the same type.
        target, start: shape (size,) float64.
        limit: bound on the largest absolute residual.

    Returns:
        x, its largest residual (recomputed, not estimated) and the number of applications of `operator`.

    Raises:
        ArithmeticError: `limit` not reached.
    """
    x, applications = start.copy(), 0
    basis = np.empty((BASIS + 1, len(target)), dtype=np.float32)
    while True:
        residual = target - operator(x)
        applications += 1
        largest = float(np.abs(residual).max())
        if largest <= limit:
            return x, largest, applications
        if applications > _MOST or not np.isfinite(largest):
            raise ArithmeticError(f"GMRES: residual {largest:.3g} after {applications} sweeps; {limit:.3g} was asked")
        norm = np.sqrt(_dot(residual, residual))
        np.multiply(residual, 1 / norm, out=basis[0], casting="same_kind")
        goal = max(0.1 * limit / largest, _SINGLE) * norm
        hessenberg = np.zeros((BASIS + 1, BASIS))
        for k in range(BASIS):
            vector = basis[k + 1]
            vector[:] = operator(basis[k])
            applications += 1
            for j in range(k + 1):
                hessenberg[j, k] = _dot(basis[j], vector)
                _add(vector, np.float32(-hessenberg[j, k]), basis[j])
            hessenberg[k + 1, k] = np.sqrt(_dot(vector, vector))
            weights, rest = _least_squares(hessenberg[: k + 2, : k + 1], norm)
            if rest <= goal or hessenberg[k + 1, k] <= 1e-6:
                break
            vector *= np.float32(1 / hessenberg[k + 1, k])
        for k, weight in enumerate(weights):
            _add(x, weight, basis[k])


@njit(cache=True)
def _dot(a, b):
    """Inner product in eight interleaved partial sums, a fixed order that still vectorises."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    whole = len(a) - len(a) % 8
    for k in range(0, whole, 8):
        s0 += np.float64(a[k]) * np.float64(b[k])
        s1 += np.float64(a[k + 1]) * np.float64(b[k + 1])
        s2 += np.float64(a[k + 2]) * np.float64(b[k + 2])
        s3 += np.float64(a[k + 3]) * np.float64(b[k + 3])
        s4 += np.float64(a[k + 4]) * np.float64(b[k + 4])
        s5 += np.float64(a[k + 5]) * np.float64(b[k + 5])
        s6 += np.float64(a[k + 6]) * np.float64(b[k + 6])
        s7 += np.float64(a[k + 7]) * np.float64(b[k + 7])
    for k in range(whole, len(a)):
        s0 += np.float64(a[k]) * np.float64(b[k])
    return ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7))


@njit(cache=True)
def _add(x, weight, y):
    for k in range(len(x)):
        x[k] += weight * y[k]


def _least_squares(hessenberg: np.ndarray, norm: float) -> tuple[np.ndarray, float]:
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
