"""How much of a workflow is left, beneath Snakemake's own count of finished jobs; on a terminal only."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import TextIO

SETTLED = 10
"""Seconds before which the rate says nothing."""


class TimeLeft(logging.Handler):
    """Adds to each of Snakemake's progress events how long the rest takes at the rate so far.

    Jobs take very different times, so this is a rough figure: of the jobs of this call, all alike.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic):
        super().__init__()
        self._stream, self._clock = stream, clock
        self._begin = clock()

    def emit(self, record: logging.LogRecord) -> None:
        """A line for a progress event; nothing for any other, and nothing where no terminal is."""
        stream = self._stream or sys.stderr
        event = getattr(record, "event", None)
        if getattr(event, "value", event) != "progress" or not stream.isatty():
            return
        done, total = getattr(record, "done", 0), getattr(record, "total", 0)
        passed = self._clock() - self._begin
        if 0 < done < total and passed >= SETTLED:
            left = passed / done * (total - done)
            stream.write(f"about {in_words(left)} left at the rate so far\n")
            stream.flush()


def in_words(seconds: float) -> str:
    """Seconds, minutes or hours, as coarse as the figure is."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def watch() -> None:
    """Listen to Snakemake from now on."""
    from snakemake.logging import logger

    logger.addHandler(TimeLeft())
