"""The tidy table of learning curves: its columns, and the only code that writes, reads, checks and joins it.

One row per outer loop of a run; m = 0 is the initial policy, so that a run of M outer loops has M + 1 rows.  pandas is
imported only where a DataFrame is asked for, because every training job imports this module.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lpi.mistakes import Mistake

if TYPE_CHECKING:
    import pandas


class ResultsError(Mistake):
    """A results file that cannot be used; one line that names the file, the column and the row."""


class Column(NamedTuple):
    """A column's type ("str", "int" or "float"), its meaning with unit, and the words allowed (empty: any)."""

    kind: str
    description: str
    of: tuple[str, ...] = ()


COLUMNS: dict[str, Column] = {
    "reading": Column("str", "name of the reading"),
    "graph": Column("str", "family of the network"),
    "agents": Column("int", "number of agents n"),
    "kappa": Column("int", "hops that a policy sees"),
    "beta": Column("int", "hops that a truncated Q function sees"),
    "tau": Column("float", "entropy weight tau"),
    "seed": Column("int", "seed of the run"),
    "outer_loop": Column("int", "outer loop m; 0 is the initial policy"),
    "regularized": Column("float", "J of (2) under rho: discounted sum with entropy weight n tau per agent"),
    "regularized_se": Column("float", "its standard error; 0 where the method is exact"),
    "unregularized": Column("float", "J of (2) under rho without the entropy: discounted sum of rewards"),
    "unregularized_se": Column("float", "its standard error; 0 where the method is exact"),
    "reported": Column("float", "what the reading calls the regularised reward (setting entropy_weight)"),
    "reported_se": Column("float", "its standard error; 0 where the method is exact"),
    "method": Column("str", "how J was computed", of=("exact", "monte_carlo")),
    "samples": Column("int", "TD updates of each agent so far"),
    "td_error": Column("float", "mean |TD error| in the loop; empty at loop 0"),
    "visited_share": Column("float", "share of Q table entries ever updated, 0 to 1"),
    "entropy": Column("float", "mean over agents and policy rows of entropy / log |A_i|, 0 to 1"),
}
QUANTITIES = {
    "reported": "Regularised reward J",
    "regularized": "Regularised reward J",
    "unregularized": "Unregularised reward J",
}
"""The columns that can be drawn or summarised, and what they are called."""
RUN = ("reading", "agents", "tau", "kappa", "seed")
"""The columns that together name a run; runs are sorted by them."""


def write_rows(path: str | os.PathLike, rows: Sequence[Mapping[str, Any]]) -> None:
    """Check rows (keys, types, NaN) and write them as CSV in one step; ResultsError leaves nothing behind."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, row in enumerate(rows, 1):
        unexpected = set(COLUMNS) ^ set(row)
        if unexpected:
            name = min(unexpected)
            state = "missing" if name in COLUMNS else "not one of the columns"
            raise ResultsError(f"{path}: row {number}, column {name}: {state}")
        fields = {name: text_of(row[name], column.kind) for name, column in COLUMNS.items()}
        for name in COLUMNS:
            _value(fields, name, f"{path}: row {number}")
        writer.writerow(fields.values())
    atomic_write(path, text.getvalue())


def read_rows(path: str | os.PathLike, outer_loops: int | None = None, runs: int | None = None) -> list[dict[str, Any]]:
    """The checked rows of one CSV file, in the file's order, with values in their columns' types.

    A file that is cut at the end of a line looks like one of shorter or fewer runs: whoever knows how many there must be
    says so.

    Args:
        path: the file.
        outer_loops: the last loop of each of its runs.
        runs: how many it holds.

    Raises:
        ResultsError: no or empty file, missing or extra column, a value of the wrong type, NaN where it is not
            allowed, a row given twice, a run without some of its loops, runs of different length, or not those that it
            must hold.
    """
    lines = read_lines(path, COLUMNS)
    rows = [_row(fields, lines[0], f"{path}: row {number}") for number, fields in enumerate(lines[1:], 1)]
    _check_runs(rows, path)
    last = max(row["outer_loop"] for row in rows)
    if outer_loops is not None and last != outer_loops:
        raise ResultsError(f"{path}: column outer_loop: {last} is the last loop; {outer_loops}")
    if runs is not None and len(found := {run_of(row) for row in rows}) != runs:
        raise ResultsError(f"{path}: {len(found)} runs are not allowed; {runs}")
    return rows


def read_lines(path: str | os.PathLike, columns: Mapping[str, Column]) -> list[list[str]]:
    """The fields of each line of a CSV file, the first being its header: these columns, each once, in any order."""
    try:
        lines = list(csv.reader(io.StringIO(Path(path).read_bytes().decode("utf-8"), newline=""), strict=True))
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ResultsError(f"{path}: not a CSV file in UTF-8: {error}") from error
    if not lines:
        raise ResultsError(f"{path}: the file is empty")
    _check_header(lines[0], columns, path)
    return lines


def read_curves(path: str | os.PathLike) -> pandas.DataFrame:
    """The checked rows of a curves file as a DataFrame.

    Raises:
        ResultsError: as `read_rows`; or some panel (n, tau) lacks a kappa or a seed that another has, as in a file that
            is cut between two runs.  One that is cut between two panels is seen by whoever asks for the panels lost.
    """
    import pandas

    must_exist(path, "snakemake --cores 2")
    rows = read_rows(path)
    _check_grid({run_of(row) for row in rows}, path)
    kinds = {"str": "str", "int": "int64", "float": "float64"}
    return pandas.DataFrame(rows, columns=list(COLUMNS)).astype({name: kinds[c.kind] for name, c in COLUMNS.items()})


def must_exist(path: str | os.PathLike, command: str) -> None:
    """ResultsError with the command of the project's environment that makes it, if there is no such file."""
    if not os.path.exists(path):
        raise ResultsError(f"{path}: no such file; `.venv/bin/{command}` in the project's folder makes it")


def aggregate(
    paths: Iterable[str | os.PathLike],
    output: str | os.PathLike,
    outer_loops: int | None = None,
    runs: int | None = None,
) -> None:
    """Join the runs of one reading into one curves file, sorted by run and outer loop.

    The bytes do not depend on the order of the paths.  `outer_loops` and `runs` are those of each file (`read_rows`).
    """
    rows: list[dict[str, Any]] = []
    origin: dict[tuple, str | os.PathLike] = {}
    for path in paths:
        new = read_rows(path, outer_loops, runs)
        for run in dict.fromkeys(run_of(row) for row in new):
            if run in origin:
                raise ResultsError(f"{path}: the run {_describe(run)} is also in {origin[run]}")
            origin[run] = path
        rows += new
    readings = sorted({row["reading"] for row in rows})
    if len(readings) != 1:
        raise ResultsError(f"{output}: column reading: {readings} is not allowed; the runs of exactly one reading")
    rows.sort(key=lambda row: (*run_of(row), row["outer_loop"]))
    _check_runs(rows, output)
    write_rows(output, rows)


def run_of(row: Mapping[str, Any]) -> tuple:
    """The values that name the run of a row."""
    return tuple(row[name] for name in RUN)


def atomic_write(path: str | os.PathLike, data: bytes | str) -> None:
    """Write a file under a temporary name in its folder and rename it: it is there complete or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data.encode("utf-8") if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def text_of(value: Any, kind: str) -> str:
    """A value as it stands in a CSV file: NaN is empty, other floats have all their digits."""
    if kind != "float":
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return "" if math.isnan(number) else repr(number)


def _row(fields: list[str], header: list[str], place: str) -> dict[str, Any]:
    if len(fields) != len(header):
        raise ResultsError(f"{place}: {len(fields)} values; the table has {len(header)} columns")
    named = dict(zip(header, fields, strict=True))
    return {name: _value(named, name, place) for name in COLUMNS}


def _value(fields: Mapping[str, str], name: str, place: str) -> Any:
    """One value in its column's type."""
    if name == "td_error" and fields[name] == "" and fields["outer_loop"] == "0":
        return math.nan
    return parsed(fields[name], COLUMNS[name], f"{place}, column {name}")


def parsed(text: str, column: Column, place: str) -> Any:
    """A field of a CSV file in its column's type; ResultsError, which begins with `place`, if it is not of it."""
    if column.kind == "float" and text == "":
        raise ResultsError(f"{place}: empty or NaN is not allowed; a number")
    if column.kind == "str":
        if text and (not column.of or text in column.of):
            return text
        raise ResultsError(f"{place}: {text!r} is not allowed; {' or '.join(column.of) or 'a name'}")
    try:
        value = int(text) if column.kind == "int" else float(text)
    except ValueError:
        value = math.nan
    # int() also takes "1_0" and "+1", which no writer of ours makes.
    if not math.isfinite(value) or (column.kind == "int" and str(value) != text):
        kind = "an integer" if column.kind == "int" else "a finite number"
        raise ResultsError(f"{place}: {text!r} is not allowed; {kind}")
    return value


def _check_header(header: list[str], columns: Mapping[str, Column], path: str | os.PathLike) -> None:
    missing = [name for name in columns if name not in header]
    extra = [name for name in header if name not in columns]
    twice = [name for name in columns if header.count(name) > 1]
    for problem, names in (("missing", missing), ("not one of the columns", extra), ("given twice", twice)):
        if names:
            raise ResultsError(f"{path}: column {', '.join(names)}: {problem}")


def _check_runs(rows: Sequence[Mapping[str, Any]], path: str | os.PathLike) -> None:
    """Every run has each of the loops 0..M once, with the same M for all runs of a reading."""
    if not rows:
        raise ResultsError(f"{path}: the table has no rows")
    loops: dict[tuple, set[int]] = {}
    for number, row in enumerate(rows, 1):
        seen = loops.setdefault(run_of(row), set())
        if row["outer_loop"] in seen:
            raise ResultsError(
                f"{path}: row {number}, column outer_loop: loop {row['outer_loop']} of the run "
                f"{_describe(run_of(row))} is given twice"
            )
        seen.add(row["outer_loop"])
    longest: dict[str, int] = {}
    for run, seen in loops.items():
        longest[run[0]] = max(longest.get(run[0], 0), *seen)
    for run, seen in loops.items():
        missing = sorted(set(range(longest[run[0]] + 1)) - seen)
        if missing or min(seen) < 0:
            what = f"loop {missing[0]} is missing" if missing else f"loop {min(seen)} is not allowed; 0 or more"
            raise ResultsError(f"{path}: column outer_loop: {what} in the run {_describe(run)}")


def _check_grid(runs: set[tuple], path: str | os.PathLike) -> None:
    """Every reading and panel has a run for each kappa and each seed of the file."""
    panels = sorted({run[:3] for run in runs})
    kappas, seeds = (sorted({run[at] for run in runs}) for at in (3, 4))
    for panel, kappa, seed in itertools.product(panels, kappas, seeds):
        if (run := (*panel, kappa, seed)) not in runs:
            raise ResultsError(f"{path}: no run for {_describe(run)}; one, as for the other kappas, seeds and panels")


def _describe(run: tuple) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(RUN, run, strict=True))
