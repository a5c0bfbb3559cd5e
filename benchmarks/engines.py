"""Runs the same training jobs through several engines, and writes engines.csv beside this file.

    .venv/bin/python benchmarks/engines.py

Short jobs of one seed each, on two cores: what an engine takes shows best beside next to no work.  Snakemake, make and
xargs start a process a job, as the workflow does; joblib (extra `[benchmark]`) keeps two that import once.  The engines
take turns, each has the least of its times, and all must make the same bytes.  Needs make, xargs and about four minutes.
"""

from __future__ import annotations

import itertools
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import yaml
from batches import digest
from measuring import clone, machine, run, write

TURNS, AGENTS, TAU, KAPPAS, SEEDS = 3, 5, 0.05, (0, 1, 2, 3), range(10)
SETTINGS = {"outer_loops": 2, "trajectory_length": 1000}
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
JOBLIB = """
import sys
from joblib import Parallel, delayed

def train(line):
    from lpi.cli import main
    assert main(line.split()[3:]) in (None, 0)

lines = open("jobs.txt", encoding="utf-8").read().splitlines()
Parallel(n_jobs=2, backend="loky")(delayed(train)(line) for line in lines)
"""


def main() -> None:
    times: dict[str, list] = {name: [] for name in ENGINES}
    again: dict[str, list] = {name: [] for name in ENGINES}
    found = set()
    with tempfile.TemporaryDirectory() as folder:
        workflow = clone(Path(folder, "clone"))
        prepare(workflow)
        empty(workflow)
        run(ENGINES["xargs"], workflow, **THREADS)  # compiles
        for _ in range(TURNS):
            for name, command in ENGINES.items():
                empty(workflow)
                times[name].append(run(command, workflow, **THREADS))
                found.add(digest(workflow, [f"{run}.csv" for run in runs()]))
                if name in KNOWING:
                    again[name].append(run(command, workflow, **THREADS))
    if len(found) != 1:
        sys.exit("engines: the curves differ between engines; nothing was written")
    base = min(spent.cpu for spent in times["xargs"])
    rows = [row(name, times[name], again[name], base) for name in ENGINES]
    write("engines", rows, machine("snakemake", "joblib", "numpy", "numba"))


def runs() -> list[str]:
    """The run files without their suffix."""
    points = itertools.product(KAPPAS, SEEDS)
    return [f"results/as_printed/runs/n{AGENTS}_kappa{kappa}_tau{TAU}_seed{seed}" for kappa, seed in points]


def prepare(workflow: Path) -> None:
    """The jobs, in the words of each engine."""
    settings = " ".join(f"--set {key}={value}" for key, value in SETTINGS.items())
    lines, rules = [], [f"all: {' '.join(f'{name}.csv' for name in runs())}", "\t@true"]
    for (kappa, seed), name in zip(itertools.product(KAPPAS, SEEDS), runs(), strict=True):
        options = f"--reading as_printed --agents {AGENTS} --kappa {kappa} --tau {TAU} --seed {seed} {settings}"
        line = f"{shlex.quote(sys.executable)} -m lpi train {options} --output {name}.csv --policy {name}.npz --quiet"
        lines.append(line)
        rules += [f"{name}.csv: lpi/algorithm.py", f"\t@{line}"]
    (workflow / "jobs.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    (workflow / "Makefile").write_text("\n".join([*rules, ""]), encoding="utf-8")
    (workflow / "joblib_engine.py").write_text(JOBLIB, encoding="utf-8")
    grid = {
        "readings": ["as_printed"], "seeds": list(SEEDS), "kappas": list(KAPPAS), "seeds_per_job": 1,
        "figures": {"figure1": None, "figure2": None, "figure3": {"agents": [AGENTS], "taus": [TAU]}},
        "settings": SETTINGS,
    }  # fmt: skip
    (workflow / "grid.yaml").write_text(yaml.safe_dump(grid), encoding="utf-8")


def empty(workflow: Path) -> None:
    """Nothing is done; only snakemake makes its folders itself."""
    for path in ("results", ".snakemake"):
        shutil.rmtree(workflow / path, ignore_errors=True)
    (workflow / "results/as_printed/runs").mkdir(parents=True)


def row(name: str, times: list, again: list, base: float) -> dict:
    """The least times of an engine, and what it takes a job beside those of xargs."""
    jobs, cpu = len(runs()), min(spent.cpu for spent in times)
    return {
        "engine": name, "jobs": jobs, "wall_s": f"{min(spent.wall for spent in times):.1f}", "cpu_s": f"{cpu:.1f}",
        "cpu_ms_a_job_over_xargs": f"{(cpu - base) / jobs * 1000:.0f}",
        "second_call_s": f"{min(spent.wall for spent in again):.3f}" if again else "",
    }  # fmt: skip


ENGINES = {
    "xargs": ["xargs", "-a", "jobs.txt", "-P", "2", "-d", "\n", "-n", "1", "sh", "-c"],
    "make": ["make", "-s", "-j", "2", "all"],
    "snakemake": [
        *(sys.executable, "-m", "snakemake", *(f"{name}.csv" for name in runs())),
        *("--cores", "2", "--quiet", "all", "--configfile", "grid.yaml"),
    ],
    "joblib": [sys.executable, "joblib_engine.py"],
}
KNOWING = ("make", "snakemake")
"""Engines that know what is done: a second call runs nothing."""


if __name__ == "__main__":
    main()
