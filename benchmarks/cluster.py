"""Measures what a large grid asks of a cluster beside its training, and writes cluster.csv beside this file.

    .venv/bin/python benchmarks/cluster.py

Files and bytes of a run, in a small workflow; memory for planning; what a Slurm of one node on this machine takes for
submissions, queries and jobs.  Needs what tests/slurm needs, and about seven minutes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dag
import yaml
from measuring import ROOT, clone, figure, machine, run, write

sys.path.insert(0, str(ROOT / "tests"))
import slurm_node

QUEUED = 1000  # empty jobs
LAST = 50  # calls of which the least time counts
PLANNED = ((53, 5), (417, 5), (417, 1))  # seeds of each curve, seeds a job
SIZES = dict(readings=["working"], seeds=[0], seeds_per_job=1, settings=dict(outer_loops=5, trajectory_length=200))
TINY = dict(
    readings=["working"], kappas=[0], seeds=list(range(4)), seeds_per_job=1,
    figures=dict(figure1=None, figure2=dict(agents=[3], taus=[0.05]), figure3=None),
    settings=dict(outer_loops=2, trajectory_length=50),
)  # fmt: skip
CURVES = "results/working/curves.csv"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        node = slurm_node.Node(Path(folder))
        try:
            node.start()
        except slurm_node.Unavailable as reason:
            sys.exit(f"cluster: {reason}; nothing was measured")
        try:
            rows = [*queue(), submission(node, clone(Path(folder, "clone")))]
        finally:
            node.stop()
    with tempfile.TemporaryDirectory() as folder:
        rows += [*planning(clone(Path(folder, "planned"))), *sizes(clone(Path(folder, "clone")))]
    write("cluster", rows, machine("snakemake"))


def slurm(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def seconds(*command: str) -> float:
    """How long a command took."""
    start = time.perf_counter()
    slurm(*command)
    return time.perf_counter() - start


def queue() -> list[dict]:
    """What submissions and queries take at the least, with many jobs waiting."""
    submit = ("sbatch", "--hold", "--mem=1", "--output=/dev/null", "--wrap=true")
    submitted = [seconds(*submit) for _ in range(QUEUED)]
    asked = [seconds("squeue", "--noheader", "--states=all", "--format=%i|%T") for _ in range(LAST)]
    slurm("scancel", "--user=root")
    return [
        figure("sbatch: a submission", 1000 * min(submitted[-LAST:]), "ms"),
        figure(f"squeue: {QUEUED} jobs", 1000 * min(asked), "ms"),
    ]


def submission(node: slurm_node.Node, workflow: Path) -> dict:
    """What a submission takes beside its jobs: the same jobs in one submission, and in one each."""
    (workflow / "grid.yaml").write_text(yaml.safe_dump(TINY), encoding="utf-8")
    run([sys.executable, "-m", "snakemake", CURVES, "--cores", "2", "--configfile", "grid.yaml"], workflow)  # compiles
    took = {}
    for jobs in (len(TINY["seeds"]), 1):
        for path in (workflow / "results").rglob("*.csv"):
            path.unlink()
        options = ["--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "1"]
        grouped = ["--group-components", f"train={jobs}", "join=1", "--configfile", "grid.yaml"]
        before = node.processor_seconds()
        run([sys.executable, "-m", "snakemake", CURVES, *options, *grouped], workflow)
        training = trained()
        took[jobs] = sum(cpu for job, cpu in node.processor_seconds().items() if job in training and job not in before)
    beside = (took[1] - took[len(TINY["seeds"])]) / (len(TINY["seeds"]) - 1)
    return figure("CPU time of a submission beside its jobs", beside, "s")


def trained() -> set[str]:
    """Ids of the submissions of training jobs."""
    jobs = (
        dict(re.findall(r"(\w+)=(\S+)", line)) for line in slurm("scontrol", "--oneliner", "show", "jobs").splitlines()
    )
    return {job["JobId"] for job in jobs if "train" in job.get("Comment", "")}


def planning(workflow: Path) -> list[dict]:
    """Memory of a dry run."""
    rows = []
    for seeds, seeds_per_job in PLANNED:
        grid = dict(readings=["as_printed", "working"], seeds=list(range(seeds)), seeds_per_job=seeds_per_job)
        (workflow / "grid.yaml").write_text(yaml.safe_dump(grid), encoding="utf-8")
        options = ["--dry-run", "--quiet", "all", "--cores", "2", "--configfile", "grid.yaml"]
        command = [sys.executable, "-m", "snakemake", *options]
        process = subprocess.Popen(command, cwd=workflow, stdout=subprocess.PIPE, text=True)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit("cluster: a dry run failed; nothing was written")
        jobs = next(line.split()[1] for line in output.splitlines() if line.startswith("total "))
        what = f"planning {dag.CURVES * seeds} runs, {seeds_per_job} seeds a job, {jobs} jobs: peak memory"
        rows.append(figure(what, 1024 * usage.ru_maxrss / 1e9, "GB"))
    return rows


def sizes(workflow: Path) -> list[dict]:
    """Files and bytes of the runs of the shipped grid, with fewer outer loops: a curve has a row more than these."""
    (workflow / "grid.yaml").write_text(yaml.safe_dump(SIZES), encoding="utf-8")
    run([sys.executable, "-m", "snakemake", CURVES, "--cores", "2", "--configfile", "grid.yaml"], workflow)
    top = workflow / "results"
    curves, policies = (list((top / "working/runs").glob(f"*.{kind}")) for kind in ("csv", "npz"))
    kept = list((workflow / ".snakemake/metadata").rglob("*"))
    outputs = [path for path in top.rglob("*") if path.is_file() and not {"logs", "benchmarks"} & set(path.parts)]
    logs = [path for name in ("logs", "benchmarks") for path in (top / name / "train").rglob("*") if path.is_file()]
    records = [path for path in kept if path.is_file()]
    return [
        figure("row of a curve", mean(curves) / (SIZES["settings"]["outer_loops"] + 1), "B"),
        figure("policy of a run", mean(policies), "B"),
        figure("files of a run beside its records", (len(curves) + len(policies)) / len(curves), "files"),
        figure("records of a file that a job makes", len(records) / len(outputs), "files"),
        figure("a record", mean(records), "B"),
        figure("files of a training job beside its runs", len(logs) / len(curves), "files"),
        figure("smallest file on this disk", 0, "B") | {"value": os.statvfs(workflow).f_frsize},
    ]


def mean(paths: list[Path]) -> float:
    """Bytes of a file."""
    return sum(path.stat().st_size for path in paths) / len(paths)


if __name__ == "__main__":
    main()
