"""Runs all benchmarks, or those that are named, and appends what they found to history.csv beside this file.

    .venv/bin/python benchmarks/all.py
    .venv/bin/python benchmarks/all.py dag engines
    .venv/bin/python benchmarks/all.py --record-only job

`ratio` is a value over the first one in the history with the same name and machine.  Each benchmark writes its own CSV and
the tables of docs/performance.md are filled in from them.  All of them need about two hours on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from datetime import UTC, datetime

from measuring import HERE, ROOT
from tables import TABLES, VERSIONS, measurements

HISTORY = HERE / "history.csv"
COLUMNS = ("date", "commit", "machine", *VERSIONS, "benchmark", "measurement", "value", "unit", "ratio")
SCRIPTS = {"measured": "run"}
"""Benchmarks whose program has another name."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help=f"benchmarks to run, default all: {', '.join(TABLES)}")
    parser.add_argument("--record-only", action="store_true", help="run nothing, record what their CSV files say")
    parser.add_argument("--commit", help="what was measured, with --record-only; default the present one")
    options = parser.parse_args()
    names = options.names or list(TABLES)
    unknown = [name for name in names if name not in TABLES]
    if unknown:
        parser.error(f"{unknown[0]}: no such benchmark; one of {', '.join(TABLES)}")
    failed = []
    for name in names:
        if not options.record_only:
            done = subprocess.run([sys.executable, str(HERE / f"{SCRIPTS.get(name, name)}.py")], cwd=ROOT)
            if done.returncode != 0:
                failed.append(name)
                continue
        append(measurements(name), datetime.now(UTC).strftime("%Y-%m-%d"), options.commit or commit())
    if failed:
        sys.exit(f"all: {', '.join(failed)} failed and were not recorded")


def append(found: list[dict[str, str]], date: str, commit_id: str) -> None:
    """Add measurements to the history."""
    earlier = read()
    first = {(row["machine"], row["benchmark"], row["measurement"]): row["value"] for row in reversed(earlier)}
    with HISTORY.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not earlier:
            writer.writeheader()
        for row in found:
            base = first.get((row["machine"], row["benchmark"], row["measurement"]), row["value"])
            ratio = f"{float(row['value']) / float(base):.3g}" if float(base) else ""
            writer.writerow({"date": date, "commit": commit_id, "ratio": ratio, **row})


def read() -> list[dict[str, str]]:
    if not HISTORY.exists():
        return []
    with HISTORY.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def commit() -> str:
    """The commit that was measured, marked where package or benchmarks differ from it."""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--", "lpi", "workflow", "benchmarks/*.py"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    return found.stdout.strip() + ("+" if changed.stdout.strip() else "")


if __name__ == "__main__":
    main()
