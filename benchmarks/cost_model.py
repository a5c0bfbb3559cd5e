"""Fills in the tables of docs/scaling.md: what grids of 10^5 to 10^7 runs cost, from the CSV files of the benchmarks.

    .venv/bin/python benchmarks/cost_model.py

Nothing is measured here; every benchmark calls this when it has written its file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import yaml
from measuring import ROOT
from performance import table
from tables import read

from lpi.config import SETTINGS
from lpi.experiment import load

PAGE = ROOT / "docs/scaling.md"
BLOCK = re.compile(r"(<!-- (\w+): made by benchmarks/cost_model.py -->\n).*?(\n<!-- end of \2 -->)", re.DOTALL)
MISSING = "not measured yet"
SEEDS_A_POINT = 100
DISK_BLOCK = "smallest file on this disk"


class Plan(NamedTuple):
    """A grid, and how it is cut into jobs."""

    runs: int
    seeds_per_job: int
    group: int  # training jobs of a submission
    calls: int  # of snakemake side by side, each on a part of the grid

    @property
    def cores(self) -> int:
        """As many as submissions in the queue, of which the profile allows each call so many."""
        return QUEUED * self.calls

    @property
    def points(self) -> int:
        return self.runs // SEEDS_A_POINT

    @property
    def training_jobs(self) -> int:
        return self.runs // self.seeds_per_job

    @property
    def jobs(self) -> int:
        return self.training_jobs + self.points

    @property
    def training_submissions(self) -> int:
        return -(-self.training_jobs // self.group)

    @property
    def submissions(self) -> int:
        return self.training_submissions + -(-self.points // JOINS)


CONFIG, PROFILE = (
    yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    for name in ("config/config.yaml", "profiles/slurm/config.yaml")
)
GROUPS = dict(text.split("=") for text in PROFILE["group-components"])
QUEUED, JOINS = PROFILE["jobs"], int(GROUPS["join"])
SHIPPED = tuple(Plan(10**decade, CONFIG["seeds_per_job"], int(GROUPS["train"]), 1) for decade in (5, 6, 7))
CHANGED = (Plan(10**5, 20, 10, 1), Plan(10**6, 100, 10, 10), Plan(10**7, 100, 10, 50))


class Measured(NamedTuple):
    """What the model needs, from the files; seconds, bytes."""

    run: float
    """Core seconds of a run of the shipped grid, all jobs of the workflow included."""
    start: float
    """CPU seconds of a training job beside its runs."""
    beside: float
    """CPU seconds of a submission beside its jobs."""
    sbatch: float
    squeue: float
    planning: np.ndarray
    """Seconds: fixed, a job, a run."""
    planning_bytes: np.ndarray
    """The same in bytes."""
    engine: float
    """CPU seconds of snakemake for a job, while the workflow runs."""
    joining: float
    """CPU seconds of a run in both levels."""
    curve: float
    policy: float
    record: float
    block: float
    files_a_run: float
    files_a_job: float
    records_a_file: float


def main() -> None:
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def filled(text: str) -> str:
    """The page with its tables as the CSV files have them."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{BLOCKS[match[2]]()}\n{match[3]}", text)


def measured() -> Measured | None:
    """None where a benchmark has not been run."""
    if not all(read(name) for name in ("dag", "batches", "engines", "joining", "cluster")):
        return None
    cluster = {row["measurement"]: float(row["value"]) for row in read("cluster")}
    batches = [(int(row["training_jobs"]), float(row["cpu_s"])) for row in read("batches")]
    joined = {row["level"]: float(row["cpu_ms_a_run"]) / 1000 for row in read("joining")}  # the last is the largest
    engine = next(float(row["cpu_ms_a_job_over_xargs"]) for row in read("engines") if row["engine"] == "snakemake")
    peaks = [
        ([1, *map(float, (found[2], found[1]))], 1e9 * value)
        for name, value in cluster.items()
        if (found := re.match(r"planning (\d+) runs, \d+ seeds a job, (\d+) jobs", name))
    ]
    return Measured(
        run=seconds_a_run(),
        start=np.polyfit(*zip(*batches, strict=True), 1)[0],
        beside=cluster["CPU time of a submission beside its jobs"],
        sbatch=cluster["sbatch: a submission"] / 1000,
        squeue=cluster["squeue: 1000 jobs"] / 1000,
        planning=fitted([([1, float(r["jobs"]), float(r["runs"])], float(r["wall_s"])) for r in read("dag")]),
        planning_bytes=fitted(peaks),
        engine=engine / 1000,
        joining=joined["seeds"] + joined["points"],
        curve=cluster["row of a curve"] * (SETTINGS["outer_loops"].default + 1),
        policy=cluster["policy of a run"],
        record=cluster["a record"],
        block=cluster[DISK_BLOCK],
        files_a_run=cluster["files of a run beside its records"],
        files_a_job=cluster["files of a training job beside its runs"],
        records_a_file=cluster["records of a file that a job makes"],
    )


def fitted(rows: list[tuple[list[float], float]]) -> np.ndarray:
    """Least squares."""
    left, right = zip(*rows, strict=True)
    return np.linalg.lstsq(np.array(left), np.array(right), rcond=None)[0]


def shipped_runs() -> int:
    """Runs of the shipped grid."""
    experiment = load(CONFIG)
    return len(experiment.readings) * len(experiment.points) * len(experiment.seeds)


def seconds_a_run() -> float:
    with (ROOT / "figures/report/benchmarks.csv").open(encoding="utf-8", newline="") as file:
        default = next(row for row in csv.DictReader(file) if row["part"] == "default")
    return float(default["seconds"]) / shipped_runs()


def block_of_inputs() -> str:
    """What the model starts from."""
    m = measured()
    if m is None:
        return MISSING
    seconds = m.planning
    rows = [
        ("core time of a run, all other jobs of the shipped grid included", f"{m.run:.3g} s", "`figures/report/benchmarks.csv`"),
        ("CPU time of a training job beside its runs", f"{m.start:.3g} s", "`benchmarks/batches.csv`"),
        ("CPU time of a submission beside its jobs", f"{m.beside:.3g} s", "`benchmarks/cluster.csv`"),
        ("planning", f"{seconds[0]:.2g} s + {1e3 * seconds[1]:.2g} ms a job + {1e3 * seconds[2]:.2g} ms a run", "`benchmarks/dag.csv`"),
        ("memory for planning", memory_text(m.planning_bytes), "`benchmarks/cluster.csv`"),
        ("Snakemake's CPU time for a job that runs", f"{1e3 * m.engine:.3g} ms", "`benchmarks/engines.csv`"),
        ("joining a run, both levels", f"{1e3 * m.joining:.3g} ms", "`benchmarks/joining.csv`"),
        ("a submission (`sbatch`)", f"{1e3 * m.sbatch:.3g} ms", "`benchmarks/cluster.csv`"),
        ("a query (`squeue`) of 1000 jobs", f"{1e3 * m.squeue:.3g} ms", "`benchmarks/cluster.csv`"),
        ("curve and policy of a run", f"{m.curve:.0f} B, {m.policy:.0f} B", "`benchmarks/cluster.csv`"),
        ("Snakemake's records of a file", f"{m.records_a_file:.3g} of {m.record:.0f} B", "`benchmarks/cluster.csv`"),
    ]  # fmt: skip
    return table(["what", "measured", "file"], rows)


def memory_text(coefficients: np.ndarray) -> str:
    fixed, job, run = coefficients
    return f"{fixed / 1e9:.2g} GB + {job / 1e3:.2g} kB a job + {run / 1e3:.2g} kB a run"


def costs(plans: tuple[Plan, ...]) -> Callable[[], str]:
    """A block: a column for each plan."""

    def block() -> str:
        m = measured()
        if m is None:
            return MISSING
        columns = [column(plan, m) for plan in plans]
        names = ["", *(f"10{str(len(str(plan.runs)) - 1).translate(SUPERSCRIPTS)} runs" for plan in plans)]
        return table(names, [(name, *(found[name] for found in columns)) for name in columns[0]])

    return block


SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def column(plan: Plan, m: Measured) -> dict[str, str]:
    """What a plan costs, as texts by name."""
    work = plan.runs * m.run
    beside = plan.training_jobs * m.start + plan.submissions * m.beside
    size = np.array([1, plan.jobs / plan.calls, plan.runs / plan.calls])
    held = plan.group * (plan.seeds_per_job * m.run + m.start) + m.beside
    files, block = plan.runs * m.files_a_run, m.block
    records = m.records_a_file * files
    beside_files = plan.training_jobs * m.files_a_job
    raw = plan.runs * (m.curve + m.policy) + records * m.record
    blocks = plan.runs * (rounded(m.curve, block) + rounded(m.policy, block))
    blocks += records * rounded(m.record, block) + beside_files * block
    engine = plan.jobs * m.engine + plan.submissions * m.sbatch
    return {
        "seeds a job, jobs a submission": f"{plan.seeds_per_job}, {plan.group}",
        "calls of Snakemake, cores of each": f"{plan.calls}, {QUEUED}",
        "points of the grid": count(plan.points),
        "jobs (training and joining)": count(plan.jobs),
        "submissions": count(plan.submissions),
        "a submission runs for": duration(held),
        "submissions an hour": count(3600 * plan.cores / held),
        "`sbatch`, all submissions": duration(plan.submissions * m.sbatch),
        "core time": duration(work + beside),
        "of it beside training": f"{100 * beside / (work + beside):.2g} %",
        "time on these cores": duration(held * -(-plan.training_submissions // plan.cores)),
        "planning, each call": duration(float(size @ m.planning)),
        "memory for planning, each call": amount(float(size @ m.planning_bytes)),
        "Snakemake while it runs, each call": duration(engine / plan.calls),
        "joining, CPU time": duration(plan.runs * m.joining),
        "files": count(files + beside_files + records),
        "of them Snakemake's records": count(records),
        "storage, in blocks of the file system": amount(blocks),
        "storage, bytes of curves, policies, records": amount(raw),
        "the joined curves": amount(plan.runs * m.curve),
    }


def rounded(size: float, block: float) -> float:
    return -(-size // block) * block


def count(number: float) -> str:
    """With three digits and thin thousands: 1,230,000."""
    digits = max(0, len(f"{number:.0f}") - 3)
    return f"{round(number, -digits):,.0f}"


def amount(size: float) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size / 1e6:.3g} MB"


def duration(seconds: float) -> str:
    for unit, factor in (("years", 365 * 86400), ("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds:.3g} s"


BLOCKS = {"inputs": block_of_inputs, "shipped": costs(SHIPPED), "changed": costs(CHANGED)}


if __name__ == "__main__":
    main()
