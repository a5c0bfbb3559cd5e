"""What the benchmarks share: tables of measurements with the machine beside them, and clones of the workflow."""

from __future__ import annotations

import csv
import os
import platform
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parent
SOURCES = ("Snakefile", "workflow", "profiles", "config", "notebooks", "lpi", "figures", "docs", "constraints.txt")
"""What the workflow reads."""


class Spent(NamedTuple):
    """What a program took, its children included."""

    wall: float  # s
    cpu: float  # s
    output: str


def figure(measurement: str, value: float, unit: str) -> dict:
    """A row of a table of measurements."""
    return {"measurement": measurement, "value": f"{value:.3g}", "unit": unit}


def machine(*packages: str) -> dict[str, str]:
    """Processor, system, and versions of Python and of packages."""
    found = {"machine": f"{processor()}, {platform.system()}", "python": platform.python_version()}
    return found | {package: version(package) for package in packages}


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def caches() -> str:
    """Sizes of the first processor's caches for data, by level."""
    found = []
    for path in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((path / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            found.append(f"L{level} {size}")
    return ", ".join(found)


def write(name: str, rows: list[dict], where: dict[str, str]) -> None:
    """Rows with the machine in every one as NAME.csv beside the benchmarks, and into the pages that show them.

    All rows have the same keys.
    """
    with (HERE / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], *where], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, **where} for row in rows)
    for row in rows:
        print(*row.values(), sep=", ")
    import cost_model
    import performance

    performance.main()
    cost_model.main()


def clone(folder: str | os.PathLike) -> Path:
    """A copy of the workflow and its package, compiled kernels included, in which nothing has been computed."""
    Path(folder).mkdir(exist_ok=True)
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, Path(folder, name))
    return Path(folder)


def run(command: list[str], folder: str | os.PathLike, **environment: str) -> Spent:
    """Run a command to its end; where it fails, show what it said, and end the program with its last line."""
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **environment})
    wall, after = time.perf_counter() - start, os.times()
    if done.returncode != 0:
        sys.stderr.write(done.stdout + done.stderr)
        last = ((done.stderr + done.stdout).strip().splitlines() or ["no message"])[-1]
        sys.exit(f"{' '.join(command)[:200]}: {last}")
    cpu = sum(getattr(after, key) - getattr(before, key) for key in ("children_user", "children_system"))
    return Spent(wall, cpu, done.stdout)
