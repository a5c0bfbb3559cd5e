"""Measures what the commands take by which this package is checked, each of them or those that are named.

    .venv/bin/python benchmarks/checks.py
    .venv/bin/python benchmarks/checks.py tests verify

The commands are those of `lpi.report.words.CHECKS`, run in this folder; they write what they write.  Rows of others stay.
Writes figures/report/checks.csv, from which `python -m lpi.report` fills in docs/artifact.md.  `load` is the system's load
before the command.
"""

from __future__ import annotations

import csv
import os
import shlex
import sys

from measuring import ROOT, machine, run

from lpi.report.words import CHECKS

OUTPUT = ROOT / "figures/report/checks.csv"


def main() -> None:
    names = sys.argv[1:] or list(CHECKS)
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        sys.exit(f"checks: {unknown[0]}: no such check; one of {', '.join(CHECKS)}")
    for name in names:
        load = f"{os.getloadavg()[0]:.1f}"
        spent = run(shlex.split(CHECKS[name]), ROOT)
        print(f"{name}: {spent.wall:.1f} s by the clock, {spent.cpu:.1f} s of CPU time")
        times = {"wall_seconds": f"{spent.wall:.1f}", "cpu_seconds": f"{spent.cpu:.1f}", "megabytes": "0"}
        keep({"what": name, **times, "load": load, **machine("snakemake", "pytest")})


def keep(row: dict[str, str]) -> None:
    """Put a row in its place."""
    rows = {}
    if OUTPUT.exists():
        with OUTPUT.open(newline="", encoding="utf-8") as file:
            rows = {old["what"]: old for old in csv.DictReader(file)}
    rows[row["what"]] = row
    with OUTPUT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[name] for name in CHECKS if name in rows)


if __name__ == "__main__":
    main()
