"""Measures how long snakemake takes to plan a large grid, and writes dag.csv beside this file.

    .venv/bin/python benchmarks/dag.py

`snakemake --dry-run` in a clone where nothing has been computed: two readings of the shipped config with more seeds, that
is 48 curves, or one curve with as many seeds.  Needs about four minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from measuring import clone, machine, run, write

RUNS = (2_500, 5_000, 10_000, 20_000)
LIMIT_SECONDS = 20  # for 20,000 runs
CURVES = 48
ONE_CURVE = dict(
    readings=["working"], kappas=[1], figures=dict(figure1=None, figure2=None, figure3=dict(agents=[5], taus=[0.05]))
)


def main() -> None:
    where, rows = machine("snakemake"), []
    with tempfile.TemporaryDirectory() as folder:
        workflow = clone(Path(folder, "clone"))
        plan(workflow, 48, 5, {"readings": ["as_printed", "working"]})  # warms the file cache
        for seeds_per_job in (5, 1):
            for runs in RUNS:
                seeds = -(-runs // CURVES)
                rows.append(
                    plan(workflow, seeds, seeds_per_job, {"readings": ["as_printed", "working"]}, curves=CURVES)
                )
        rows += [plan(workflow, runs, 1, ONE_CURVE) for runs in RUNS[:2]]
    write("dag", rows, where)


def plan(workflow: Path, seeds: int, seeds_per_job: int, changes: dict, curves: int = 1) -> dict:
    """A row: what a dry run of the grid takes."""
    import yaml

    grid = {"seeds": list(range(seeds)), "seeds_per_job": seeds_per_job, **changes}
    (workflow / "grid.yaml").write_text(yaml.safe_dump(grid), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--dry-run",
        "--quiet",
        "all",
        "--cores",
        "2",
        "--configfile",
        "grid.yaml",
    ]
    spent = run(command, workflow)
    jobs = next(line.split()[1] for line in spent.output.splitlines() if line.startswith("total "))
    return {
        "curves": curves, "runs": curves * seeds, "seeds_per_job": seeds_per_job, "jobs": jobs,
        "wall_s": f"{spent.wall:.1f}", "cpu_s": f"{spent.cpu:.1f}",
    }  # fmt: skip


if __name__ == "__main__":
    main()
