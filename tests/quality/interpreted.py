"""A pytest plugin for compiled code that runs interpreted (NUMBA_DISABLE_JIT=1): fields of records are attributes.

numba reads `record.field`; numpy has that for its record arrays alone, so what would be an array of structures is one.
"""

import functools
import os

import numpy as np

MAKERS = {name: getattr(np, name) for name in ("zeros", "empty", "concatenate")}


def with_attributes(maker):
    @functools.wraps(maker)
    def make(*arguments, **named):
        made = maker(*arguments, **named)
        return made if made.dtype.names is None else made.view(np.recarray)

    return make


def pytest_configure():
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        for name, maker in MAKERS.items():
            setattr(np, name, with_attributes(maker))
        np.seterr(over="ignore")  # unsigned numbers wrap, as compiled ones do


def pytest_unconfigure():
    for name, maker in MAKERS.items():
        setattr(np, name, maker)
