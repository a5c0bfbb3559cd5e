"""Measures what a new user waits for: from a command of README.md to the first figure, and to the end of the command.

    .venv/bin/python benchmarks/first_figure.py

Each command runs in a clone of its own, in which no kernel has been compiled and nothing computed.  Writes
figures/report/first_figure.csv, from which `python -m lpi.report` fills in docs/artifact.md.  Needs some four minutes on
an otherwise idle machine; on a busy one compare the CPU time.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import ROOT, clone, machine

from lpi.report.words import BEGINNINGS

OUTPUT = ROOT / "figures/report/first_figure.csv"
DRAWN = "results/quick/*/notebooks/figure*.png"
PAUSE = 0.05  # s


def main() -> None:
    where, rows = machine("snakemake", "numba"), []
    for command in BEGINNINGS.values():
        with tempfile.TemporaryDirectory() as folder:
            workflow = clone(Path(folder, "clone"))
            for compiled in list(workflow.rglob("__pycache__")):
                shutil.rmtree(compiled)
            rows.append({"command": command, **wait(command, workflow), **where})
        print(*rows[-1].values(), sep=", ")
    with OUTPUT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def wait(command: str, workflow: Path) -> dict[str, str]:
    """Seconds by the clock to the first figure and to the end, and of CPU time, of a command in a clone."""
    arguments = [sys.executable, "-m", "snakemake", *command.split()[1:]]
    before, start, first = os.times(), time.perf_counter(), None
    with (workflow / "output.txt").open("w") as output:
        own = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
        process = subprocess.Popen(arguments, cwd=workflow, env=own, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            if first is None and any(workflow.glob(DRAWN)):
                first = time.perf_counter() - start
            time.sleep(PAUSE)
    whole, after = time.perf_counter() - start, os.times()
    first = first or (whole if any(workflow.glob(DRAWN)) else None)
    if process.returncode != 0 or first is None:
        sys.exit(f"{command}: {(workflow / 'output.txt').read_text().strip().splitlines()[-1]}")
    cpu = sum(getattr(after, key) - getattr(before, key) for key in ("children_user", "children_system"))
    found = {"first_seconds": first, "wall_seconds": whole, "cpu_seconds": cpu}
    return {name: f"{value:.1f}" for name, value in found.items()}


if __name__ == "__main__":
    main()
