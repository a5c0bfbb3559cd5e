"""Joins tables of learning curves file by file, in memory that does not grow with the number of files.

`lpi.results.aggregate` makes the same bytes from all rows at once, and still does where files overlap.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from lpi.results import COLUMNS, RUN, aggregate, parsed, read_rows, run_of, text_of


def join(
    paths: Iterable[str | os.PathLike],
    output: str | os.PathLike,
    outer_loops: int | None = None,
    runs: int | None = None,
) -> None:
    """Join the runs of one reading into one curves file, sorted by run and outer loop, whole or not at all.

    Files whose runs come one after another, as those of single runs or of points of the grid do, are read one at a
    time; others all at once.  The bytes do not depend on the order of the paths.

    Args:
        paths: CSV files of runs.
        output: the file to write.
        outer_loops, runs: the last loop of each run, and the number of runs in each file, where they are known
            (`lpi.results.read_rows`).

    Raises:
        ResultsError: as `read_rows`; runs of several readings or none, a run given twice, runs of different length.
    """
    paths = sorted(paths, key=_first_run)
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            separate = _write(paths, file, outer_loops, runs)
            file.flush()
            os.fsync(file.fileno())
        if separate:
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if not separate:
        aggregate(paths, output, outer_loops, runs)


def _write(paths: list[str | os.PathLike], file: TextIO, outer_loops: int | None, runs: int | None) -> bool:
    """Write all rows; False, with something written, where only a look at all rows can say what is right or wrong."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    last, length = None, None
    for path in paths:
        rows = sorted(read_rows(path, outer_loops, runs), key=lambda row: (*run_of(row), row["outer_loop"]))
        first, loops = run_of(rows[0]), rows[-1]["outer_loop"]
        if last is not None and (first <= last or first[0] != last[0]):
            return False
        if loops != (length := loops if length is None else length) or rows[-1]["reading"] != first[0]:
            return False
        last = run_of(rows[-1])
        writer.writerows(map(_texts, rows))
    return last is not None


def _texts(row: dict[str, Any]) -> list[str]:
    return [text_of(row[name], column.kind) for name, column in COLUMNS.items()]


def _first_run(path: str | os.PathLike) -> tuple:
    """The run of a file's first row, or none where it is no such file, which reading it says."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            row = next(csv.DictReader(file))
        return tuple(parsed(row[name], COLUMNS[name], f"{path}: row 1, column {name}") for name in RUN)
    except (OSError, ValueError, KeyError, TypeError, StopIteration, csv.Error):
        return ()
