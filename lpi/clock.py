"""Files from the future, as after a clock that was set back: Snakemake refuses whatever is made from them.

What is made now would look older than its inputs, so Snakemake removes it again, in each call until the clock has caught up.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable

_APART = 1000
"""Nanoseconds between files that are set back."""


def set_back(paths: Iterable[str | os.PathLike[str]], folder: str | os.PathLike[str]) -> tuple[int, int]:
    """Give files from the future the present time, in the same order.

    Args:
        paths: Files and folders; those that are not there are left out.
        folder: A folder that can be written, whose file system's clock is the one that counts.

    Returns:
        How many were set, and how many could not be, which belong to somebody else.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=os.fspath(folder), prefix=".clock-") as file:
            now = os.stat(file.name).st_mtime_ns
    except OSError:  # a full disk: the jobs will say so
        return 0, 0
    later = []
    for path in {os.fspath(path) for path in paths}:
        with contextlib.suppress(OSError):
            time = os.stat(path).st_mtime_ns
            if time > now:
                later.append((time, path))
    times = sorted({time for time, _ in later})
    new = {time: now - _APART * back for back, time in enumerate(reversed(times))}
    done = 0
    for time, path in later:
        with contextlib.suppress(OSError):
            os.utime(path, ns=(new[time], new[time]))
            done += 1
    return done, len(later) - done
