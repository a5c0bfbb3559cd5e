"""What the CSV files beside this file hold: by file, the columns that name a measurement and those that are one."""

from __future__ import annotations

import csv
from typing import NamedTuple

from measuring import HERE


class Table(NamedTuple):
    """Of a benchmark: columns that name a row, and its measurements with their units."""

    names: tuple[str, ...]
    values: dict[str, str]


LISTED = Table(("measurement",), {"value": ""})
"""A table with a column of its own for the unit."""

TABLES = {
    "measured": LISTED,
    "yardstick": Table(("kernel", "kappa"), {"now": "", "C": "", "C / now": "times"}),
    "growth": Table(("part", "graph", "agents", "kappa", "episodes"), {"learning_seconds": "s", "peak_gb": "GB"}),
    "causes": Table(("graph", "kappa", "agents"), {"td_ns": "ns", "td_few_entries_ns": "ns", "setup_ns": "ns"}),
    "dag": Table(("curves", "runs", "seeds_per_job"), {"wall_s": "s", "cpu_s": "s"}),
    "batches": Table(("seeds_per_job",), {"wall_s": "s", "cpu_s": "s"}),
    "joining": Table(("level", "runs"), {"cpu_s": "s", "peak_gb": "GB"}),
    "engines": Table(("engine",), {"wall_s": "s", "cpu_s": "s", "cpu_ms_a_job_over_xargs": "ms"}),
    "general_solvers": Table(("solver", "agents"), {"solve, s": "s", "memory, MB": "MB"}),
    "job": LISTED,
}
"""In the order in which `all.py` runs them; the default job, which takes longest, comes last."""

VERSIONS = ("python", "numpy", "numba", "snakemake")


def read(name: str) -> list[dict[str, str]]:
    """The rows of a benchmark's CSV; none where it has not been run."""
    path = HERE / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def measurements(name: str) -> list[dict[str, str]]:
    """The measurements of a benchmark one by one, with machine and versions."""
    found = []
    for row in read(name):
        named = [row[column] for column in TABLES[name].names]
        if TABLES[name] is not LISTED:
            named = [f"{column} {text}" for column, text in zip(TABLES[name].names, named, strict=True) if text]
        if "run" in row:
            named.append(row["run"])
        for column, unit in TABLES[name].values.items():
            if row[column] != "":
                what = ", ".join([*named, column] if TABLES[name] is not LISTED else named)
                value = {"measurement": what, "value": row[column], "unit": unit or row.get("unit", "")}
                found.append(
                    {"machine": row["machine"], **{key: row.get(key, "") for key in VERSIONS}, "benchmark": name}
                    | value
                )
    return found
