"""Small tidy tables of one row per case: checked when they are written, read and joined, there complete or not at all.

Learning curves, whose rows belong to runs, have a module of their own (`lpi.results`), which this one builds on.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lpi.results import Column, ResultsError, atomic_write, must_exist, parsed, read_lines, text_of

if TYPE_CHECKING:
    import pandas


class Table(NamedTuple):
    """What the rows of a file are.

    `key` are the columns that name a row: no two rows share them, and rows are sorted by them.  `missing` says of a row
    which of its columns are empty; all others have a value.  `made_by` is the command that writes such a file.  `grids`
    are pairs of groups of columns: in the rows of a file that share the values of the first group, each value of a column
    of the second comes with each value of the others.  By that a file is known that was cut at the end of a line.
    """

    columns: Mapping[str, Column]
    key: tuple[str, ...]
    made_by: str
    missing: Callable[[Mapping[str, Any]], Iterable[str]] = lambda row: ()
    grids: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()


def write(path: str | os.PathLike, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Check rows and write them, sorted by the table's key; ResultsError leaves nothing behind."""
    for number, row in enumerate(rows, 1):
        for name in set(table.columns) ^ set(row):
            state = "missing" if name in table.columns else "not one of the columns"
            raise ResultsError(f"{path}: row {number}, column {name}: {state}")
    checked = _checked(
        [{name: text_of(row[name], c.kind) for name, c in table.columns.items()} for row in rows], table, path
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    for row in sorted(checked, key=lambda row: _order(row, table)):
        writer.writerow(text_of(row[name], column.kind) for name, column in table.columns.items())
    atomic_write(path, text.getvalue())


def read(path: str | os.PathLike, table: Table, count: int | None = None) -> list[dict[str, Any]]:
    """The checked rows of a file, with values in their columns' types; NaN where one is missing.

    Args:
        path: the file.
        table: what its rows are.
        count: how many there must be, where that is known.

    Raises:
        ResultsError: no or empty file, missing or extra column, a value of the wrong type, a value where there must be
            none or none where there must be one, two rows of one key, or rows that are lacking.
    """
    header, *lines = read_lines(path, table.columns)
    rows = []
    for number, fields in enumerate(lines, 1):
        if len(fields) != len(header):
            raise ResultsError(f"{path}: row {number}: {len(fields)} values; the table has {len(header)} columns")
        rows.append(dict(zip(header, fields, strict=True)))
    checked = _checked(rows, table, path)
    if count is not None and len(checked) != count:
        raise ResultsError(f"{path}: {len(checked)} rows are not allowed; {count}")
    for shared, columns in table.grids:
        _check_grid(checked, shared, columns, path)
    return checked


def frame(path: str | os.PathLike, table: Table) -> pandas.DataFrame:
    """`read` as a DataFrame; raises as it does."""
    import pandas

    must_exist(path, table.made_by)
    return pandas.DataFrame(read(path, table), columns=list(table.columns))


def join(paths: Iterable[str | os.PathLike], table: Table, output: str | os.PathLike, count: int | None = None) -> None:
    """Join files of one kind into one; the bytes do not depend on the order of the paths.

    `count` is the number of rows of each, where that is known.
    """
    rows: list[dict[str, Any]] = []
    for path in paths:
        rows += read(path, table, count)
    write(output, table, rows)


def _check_grid(
    rows: Sequence[Mapping[str, Any]], shared: tuple[str, ...], columns: tuple[str, ...], path: str | os.PathLike
) -> None:
    """As `Table.grids` has it."""
    parts: dict[tuple, set[tuple]] = {}
    for row in rows:
        parts.setdefault(_values(row, shared), set()).add(_values(row, columns))
    for part, found in parts.items():
        for wanted in itertools.product(*(sorted(set(values)) for values in zip(*found, strict=True))):
            if wanted not in found:
                named = zip((*shared, *columns), (*part, *wanted), strict=True)
                words = ", ".join(f"{name} {'empty' if value == math.inf else value}" for name, value in named)
                raise ResultsError(f"{path}: no row for {words}; one, as for the others")


def _checked(rows: Sequence[Mapping[str, str]], table: Table, path: str | os.PathLike) -> list[dict[str, Any]]:
    if not rows:
        raise ResultsError(f"{path}: the table has no rows")
    checked: list[dict[str, Any]] = []
    seen: dict[tuple, int] = {}
    for number, fields in enumerate(rows, 1):
        row: dict[str, Any] = {}
        for name, column in table.columns.items():
            empty = column.kind == "float" and fields[name] == ""
            row[name] = math.nan if empty else parsed(fields[name], column, f"{path}: row {number}, column {name}")
        absent = set(table.missing(row))
        for name, column in table.columns.items():
            if column.kind == "float" and math.isnan(row[name]) != (name in absent):
                what = "a value is not allowed; empty" if name in absent else "empty or NaN is not allowed; a number"
                raise ResultsError(f"{path}: row {number}, column {name}: {what} in this row")
        key = _order(row, table)
        if key in seen:
            words = ", ".join(f"{name} {fields[name] or 'empty'}" for name in table.key)
            raise ResultsError(f"{path}: row {number}: the row of {words} is given twice")
        seen[key] = number
        checked.append(row)
    return checked


def _order(row: Mapping[str, Any], table: Table) -> tuple:
    """The key of a row, missing values last."""
    return _values(row, table.key)


def _values(row: Mapping[str, Any], columns: tuple[str, ...]) -> tuple:
    """The values of some columns, infinity where one is missing."""
    values = (row[name] for name in columns)
    return tuple(math.inf if isinstance(value, float) and math.isnan(value) else value for value in values)
