"""Committed tables held against runs of today: which values differ, and by how much.

`.venv/bin/snakemake --cores 2 verify` trains a sample of the grid anew, with all kappas and seeds, and summarises it as
the workflow does.  Compared are the rows of each reading's summary.csv and optima.csv that the sample determines, all columns
but the verdicts, which depend on the whole grid.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lpi import tables
from lpi.results import COLUMNS, ResultsError, read_rows
from lpi.summary import SUMMARY_COLUMNS, summarize
from lpi.truth.tables import OPTIMA

TOLERANCE = 1e-6
"""Largest difference between numbers that count as equal: a choice, and no bound on their errors.

It is far above what rounding moves a sum of rewards by, and above the error of the optimum (`error_bound` in optima.csv).
J in a curve is only known to `lpi.algorithm.EXACT_TOLERANCE`; but the same policy, evaluated in the same steps, has the
same error.  So a larger difference says that something was computed otherwise, not which value is right: two J up to twice
EXACT_TOLERANCE apart may both be.
"""
SUMMARY_KEY = ("figure", "quantity", "agents", "tau", "kappa")
OPTIMA_KEY = ("graph", "agents", "tau")


class Value(NamedTuple):
    """A value of a committed table and what it is today, as they stand in CSV files."""

    file: str
    row: str
    column: str
    committed: str
    today: str

    @property
    def distance(self) -> float:
        """Absolute difference; infinite where one of them is no number, 0 where they are the same text."""
        if self.committed == self.today:
            return 0.0
        try:
            distance = abs(float(self.committed) - float(self.today))
        except ValueError:
            return math.inf
        return math.inf if math.isnan(distance) else distance

    def __str__(self):
        apart = f", {self.distance:.3g} apart" if math.isfinite(self.distance) else ""
        place = f"{self.file}: {self.row}: {self.column}"
        return f"{place}: committed {self.committed or 'empty'}, today {self.today or 'empty'}{apart}"


def compare(figures: str | os.PathLike, runs: Iterable[Path], optima: Iterable[Path]) -> list[Value]:
    """Every value of the committed tables that the runs and optima determine, beside today's.

    Args:
        figures: the folder with a folder of committed tables for each reading.
        runs: curves of single runs; of each (reading, n, kappa, tau) all seeds.
        optima: files of optima of the same readings, n and tau.

    Raises:
        ResultsError: a file that cannot be used, or a committed table without a row that the sample determines.
    """
    curves = pd.DataFrame([row for path in runs for row in read_rows(path)], columns=list(COLUMNS))
    found = pd.DataFrame([row for path in optima for row in tables.read(path, OPTIMA)], columns=list(OPTIMA.columns))
    values: list[Value] = []
    for reading, own in curves.groupby("reading", sort=False):
        folder = Path(figures) / str(reading)
        best = found[found["reading"] == reading]
        values += _summary(folder / "summary.csv", own, best)
        committed = _read(folder / "optima.csv", OPTIMA.columns)
        values += _pairs(folder / "optima.csv", committed, _texts(best), OPTIMA_KEY, list(OPTIMA.columns))
    return values


def _summary(path: Path, curves: pd.DataFrame, optima: pd.DataFrame) -> Iterator[Value]:
    """The values of a reading's committed summary beside today's."""
    committed = _read(path, SUMMARY_COLUMNS)
    for agents, tau in sorted(set(zip(curves["agents"], curves["tau"], strict=True))):
        shown = committed[(committed["agents"] == str(agents)) & (committed["tau"].map(_number) == tau)]
        if shown.empty:
            raise ResultsError(f"{path}: no row of n = {agents}, tau = {tau}; a panel of the committed figures")
        for figure, quantity in sorted(set(zip(shown["figure"], shown["quantity"], strict=True))):
            panel = {figure: {"agents": [agents], "taus": [tau], "quantity": quantity}}
            today = _texts(summarize(curves, panel, optima))
            yield from _pairs(path, committed, today, SUMMARY_KEY, list(SUMMARY_COLUMNS))


def _pairs(
    path: Path, committed: pd.DataFrame, today: pd.DataFrame, key: Sequence[str], columns: Sequence[str]
) -> Iterator[Value]:
    """Each value of today's rows beside that of the committed row with the same key."""
    rows = {tuple(row[name] for name in key): row for row in committed.to_dict("records")}
    for row in today.to_dict("records"):
        words = ", ".join(f"{name} {row[name]}" for name in key)
        known = rows.get(tuple(row[name] for name in key))
        if known is None:
            raise ResultsError(f"{path}: no row of {words}; a table of the configuration that is verified")
        for name in columns:
            yield Value(str(path), words, name, known[name], row[name])


def _read(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """A committed table, all values as they are written."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror}; a table of the committed results") from error
    except ValueError as error:
        raise ResultsError(f"{path}: not a CSV file in UTF-8: {error}") from error
    missing = [name for name in columns if name not in table]
    if missing:
        raise ResultsError(f"{path}: column {', '.join(missing)}: missing")
    return table


def _texts(table: pd.DataFrame) -> pd.DataFrame:
    """Today's values as the workflow would write them."""
    return pd.read_csv(io.StringIO(table.to_csv(index=False)), dtype=str, keep_default_na=False)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def report(values: Sequence[Value], tolerance: float = TOLERANCE) -> tuple[list[str], int]:
    """Lines that say what was compared and what differs, and how many values differ by more than the tolerance."""
    lines, different = [], [value for value in values if not value.distance <= tolerance]
    for file in dict.fromkeys(value.file for value in values):
        own = [value for value in values if value.file == file]
        same = sum(value.committed == value.today for value in own)
        near = sum(0 < value.distance <= tolerance for value in own)
        rows = len({value.row for value in own})
        far = len(own) - same - near
        lines.append(f"{file}: {rows} rows, {same} values to the digit, {near} within {tolerance:g}, {far} differ")
    lines += [str(value) for value in different]
    lines.append(f"verify: {len(different)} of {len(values)} values differ by more than {tolerance:g}")
    return lines, len(different)


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m lpi.verify --figures FOLDER --runs CSV ... --optima CSV ...`: 0 equal, 1 different, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m lpi.verify", description="committed tables against runs of today")
    parser.add_argument("--figures", required=True, type=Path, help="folder of the committed tables")
    parser.add_argument("--runs", required=True, nargs="+", type=Path, help="curves of runs of today")
    parser.add_argument("--optima", required=True, nargs="+", type=Path, help="optima of today")
    options = parser.parse_args(arguments)
    try:
        lines, different = report(compare(options.figures, options.runs, options.optima))
    except ResultsError as error:
        print(f"verify: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
