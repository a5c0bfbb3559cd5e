"""A pytest plugin for compiled code that runs interpreted (NUMBA_DISABLE_JIT=1): fields of records are attributes.

numba reads `record.field`; numpy has that for its record arrays alone, so what would be an array of structures is one.
"""

import os

import numpy as np

_zeros = np.zeros


def zeros(*arguments, **named):
    made = _zeros(*arguments, **named)
    return made if made.dtype.names is None else made.view(np.recarray)


def pytest_configure():
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        np.zeros = zeros
        np.seterr(over="ignore")  # unsigned numbers wrap, as compiled ones do


def pytest_unconfigure():
    np.zeros = _zeros
