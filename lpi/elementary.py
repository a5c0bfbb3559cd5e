"""exp and log from additions, multiplications and divisions alone.

The system's libm picks its routine by processor, so its last bit differs between machines; these are meant to
give the same bytes on any x86-64 processor (numba contracts nothing without fastmath).  Errors stay below 1 unit
in the last place or so: the tests compare with the system's on the ranges in use.  Not for subnormal numbers.
Written so that loops over them become vector instructions, if they do not check for a division by zero: no branch,
no table that depends on the argument.
"""

import math

import numpy as np

from lpi.kernels import njit

_LN2_HIGH = 6.93147180369123816490e-01  # ln 2 split so that k * _LN2_HIGH is exact for |k| < 2^20
_LN2_LOW = 1.90821492927058770002e-10
_INVERSE_LN2 = 1.44269504088896338700
_SQRT_HALF = 0.70710678118654752440
_SERIES = 1.0 / np.array([float(math.factorial(k)) for k in range(14)])
_ODD = 1.0 / np.arange(23.0, 1.0, -2.0)
_FRACTION = np.int64(2**52 - 1)  # of a number's 64 bits
_SMALLEST = 2.0**-1022  # below, numbers are subnormal
_UP = 2.0**54
_HALF = np.float64(0.5).view(np.int64)


@njit(inline="always")
def exp(x):
    """e ** x; 0.0 below -700, infinity above 709."""
    clipped = min(max(x, -700.0), 709.0)
    k = np.floor(clipped * _INVERSE_LN2 + 0.5)
    r = (clipped - k * _LN2_HIGH) - k * _LN2_LOW
    total = _SERIES[13]
    for degree in range(12, -1, -1):
        total = total * r + _SERIES[degree]
    result = total * np.int64((np.int64(k) + 1023) << 52).view(np.float64)
    result = np.inf if x > 709.0 else result
    return 0.0 if x < -700.0 else result


@njit(inline="always")
def log(x):
    """Natural logarithm of x > 0; minus infinity at 0."""
    tiny = x < _SMALLEST
    bits = np.float64(x * _UP if tiny else x).view(np.int64)
    mantissa = np.int64(bits & _FRACTION | _HALF).view(np.float64)  # in [1/2, 1)
    low = mantissa < _SQRT_HALF
    k = (bits >> 52) - (1023 if low else 1022) - (54 if tiny else 0)
    mantissa = mantissa * 2.0 if low else mantissa
    z = (mantissa - 1.0) / (mantissa + 1.0)
    square = z * z
    total = 0.0
    for term in range(len(_ODD)):
        total = (total + _ODD[term]) * square
    result = k * _LN2_HIGH + (2.0 * z + (2.0 * z * total + k * _LN2_LOW))
    return -np.inf if x <= 0.0 else result


@njit(cache=True, error_model="numpy")
def _exponentials(values, result):
    for k in range(len(values)):
        result[k] = exp(values[k])


@njit(cache=True, error_model="numpy")
def _logarithms(values, result):
    for k in range(len(values)):
        result[k] = log(values[k])


def exponentials(values: np.ndarray) -> np.ndarray:
    """`exp` of every entry, same shape."""
    flat = np.ascontiguousarray(values, dtype=float).ravel()
    result = np.empty_like(flat)
    _exponentials(flat, result)
    return result.reshape(np.shape(values))


def logarithms(values: np.ndarray) -> np.ndarray:
    """`log` of every entry, same shape."""
    flat = np.ascontiguousarray(values, dtype=float).ravel()
    result = np.empty_like(flat)
    _logarithms(flat, result)
    return result.reshape(np.shape(values))
