"""Runs the workflow once and writes what it cost to job.csv and job.md beside this file.

    .venv/bin/python benchmarks/job.py [options of snakemake; default: --cores 2]

Call it where nothing has been computed yet.  CPU time is that of snakemake (the engine) and of all its jobs.  Start-up
is that of one training job which learns nothing, times the number of training jobs.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from run import HERE, run_job

ENGINE = """
import atexit, resource, sys
from pathlib import Path
from snakemake.cli import main

def note():
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    Path(sys.argv[1]).write_text(" ".join(str(u.ru_utime + u.ru_stime) for u in usage))

atexit.register(note)
main(sys.argv[2:])
"""


def main() -> None:
    options = sys.argv[1:] or ["--cores", "2"]
    plan = subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "rules", *options],
        cwd=HERE.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    training = sum(int(count) for count in re.findall(r"^train_\w+ +(\d+)$", plan.stdout, re.MULTILINE))
    with tempfile.TemporaryDirectory() as folder:
        usage = Path(folder, "usage")
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", ENGINE, str(usage), *options], cwd=HERE.parent)
        wall = time.perf_counter() - start
        if done.returncode != 0 or not training:
            sys.exit("snakemake failed or had nothing to train; nothing was measured")
        engine, jobs = (float(word) for word in usage.read_text().split())
    first = run_job(5, 1, "as_printed", outer_loops=1, trajectory_length=1)
    start_up = training * (first.ru_utime + first.ru_stime)
    rows = [
        ("wall time", f"{wall:.0f}", "s"),
        ("CPU time", f"{engine + jobs:.0f}", "s"),
        ("training jobs", f"{training}", ""),
        ("CPU time of the engine", f"{engine:.0f}", "s"),
        ("CPU time of the training jobs' imports and start-up", f"{start_up:.0f}", "s"),
        ("share of both", f"{100 * (engine + start_up) / (engine + jobs):.1f}", "%"),
    ]
    with (HERE / "job.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("measurement", "value", "unit"), *rows])
    lines = [f"`snakemake {' '.join(options)}`, measured by `benchmarks/job.py`.", ""]
    lines += ["| measurement | value | unit |", "|---|---:|---|", *(f"| {' | '.join(row)} |" for row in rows), ""]
    (HERE / "job.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
