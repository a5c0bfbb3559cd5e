"""How much of a run is left, and of a workflow, beneath Snakemake's own count of finished jobs; on a terminal only."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

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
            with contextlib.suppress(OSError, ValueError):  # a terminal that is gone must not stop Snakemake
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


class LoopBar:
    """A progress bar over outer loops on a terminal; nothing elsewhere."""

    def __init__(self, total: int, quiet: bool):
        self._total = total
        self._bar: Any = None
        self._shown = not quiet and sys.stderr.isatty()

    def __enter__(self) -> Callable[[int], None]:
        if self._shown:
            from tqdm import tqdm

            from lpi import kernels

            compiled = any(kernels.folder().rglob("*.nbi"))
            name = "outer loops" if compiled else "compiling, once"  # half a minute without a step
            self._bar = tqdm(total=self._total, desc=name, unit="loop", leave=False)
        return self._step

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _step(self, m: int) -> None:
        if self._bar is not None:
            self._bar.set_description("outer loops", refresh=False)
            self._bar.update(1)
