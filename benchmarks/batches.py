"""Measures what seeds_per_job costs, and writes batches.csv beside this file.

    .venv/bin/python benchmarks/batches.py

Trains all curves of two readings at n = 5, with ten seeds and the shipped settings, on two cores, once for each value; the
values take turns, and each has the least of its times.  Needs about eight minutes.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

import yaml
from measuring import clone, machine, run, write

SEEDS_PER_JOB = (1, 2, 5, 10)
TURNS = 2
GRID = dict(
    readings=["as_printed", "working"], seeds=list(range(10)),
    figures=dict(figure1=None, figure2=None, figure3=dict(agents=[5], taus=[0.05])),
)  # fmt: skip
TARGETS = [f"results/{reading}/curves.csv" for reading in GRID["readings"]]


def main() -> None:
    times: dict[int, list] = {seeds: [] for seeds in SEEDS_PER_JOB}
    found = set()
    with tempfile.TemporaryDirectory() as folder:
        workflow = clone(Path(folder, "clone"))
        train(workflow, 10)  # compiles
        for _ in range(TURNS):
            for seeds, spent in times.items():
                spent.append(train(workflow, seeds))
                found.add(digest(workflow, TARGETS))
    if len(found) != 1:
        sys.exit("batches: the curves differ between values of seeds_per_job; nothing was written")
    runs = len(GRID["readings"]) * 4 * len(GRID["seeds"])
    least = {seeds: (min(s.cpu for s in spent), min(s.wall for s in spent)) for seeds, spent in times.items()}
    rows = [
        {
            "seeds_per_job": seeds, "runs": runs, "training_jobs": runs // seeds, "cpu_s": f"{cpu:.1f}",
            "wall_s": f"{wall:.1f}", "cpu_of_least": f"{cpu / min(c for c, _ in least.values()):.2f}",
        }
        for seeds, (cpu, wall) in least.items()
    ]  # fmt: skip
    write("batches", rows, machine("snakemake", "numpy", "numba"))


def train(workflow: Path, seeds_per_job: int):
    """Train all curves from nothing with so many seeds a job."""
    for name in ("results", ".snakemake"):
        shutil.rmtree(workflow / name, ignore_errors=True)
    (workflow / "grid.yaml").write_text(yaml.safe_dump(GRID | {"seeds_per_job": seeds_per_job}), encoding="utf-8")
    options = ["--cores", "2", "--quiet", "all", "--configfile", "grid.yaml"]
    return run([sys.executable, "-m", "snakemake", *TARGETS, *options], workflow)


def digest(folder: Path, names: list[str]) -> str:
    """Of the bytes of all these files."""
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in names)).hexdigest()


if __name__ == "__main__":
    main()
