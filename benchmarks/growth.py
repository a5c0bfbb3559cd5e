"""Measures how a run grows with n and with kappa, and writes growth.csv beside this file; `notebooks/scaling.ipynb` shows it.

    .venv/bin/python benchmarks/growth.py

CPU time of one process and one thread, compiled before, without J the least of several repetitions; peak memory and visited share
are those of `lpi train` in a process of its own.  Needs about ten minutes on an otherwise idle machine, and Linux.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np
import performance
from measuring import HERE, processor

import lpi
from lpi.config import ConfigError, flat, resolve
from lpi.memory import check_memory, run_memory
from lpi.network import Network
from lpi.reference import reference
from lpi.scaling import COLUMNS
from lpi.spreading import from_settings

GRAPHS = ("line", "ring", "grid", "random_regular")
SIZES = (5, 10, 20, 50, 100, 200, 500, 1000)  # the families that have no graph of 5 agents begin with 6
KAPPAS = (0, 1, 2)
MOST_KAPPA, AGENTS = 5, 8
READING, LOOPS, UPDATES, EPISODES = "working", 2, 10_000, 160
TARGET = dict(agents=1000, kappa=1, outer_loops=50, trajectory_length=10_000)
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
TRAIN = """
import resource, sys
from pathlib import Path
from lpi.cli import main
status = main(sys.argv[1:])
peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
usage = resource.getrusage(resource.RUSAGE_SELF)
print(int(peak) * 1024, usage.ru_utime + usage.ru_stime)
sys.exit(status)
"""


def main() -> None:
    os.environ.update(THREADS)
    machine = {
        "machine": f"{processor()}, {platform.system()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
    }
    points = [("size", graph, size(graph, n), kappa) for graph in GRAPHS for kappa in KAPPAS for n in SIZES]
    points += [("kappa", "line", AGENTS, kappa) for kappa in range(MOST_KAPPA + 1)]
    with (HERE / "growth.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        train_process(settings_of(graph="line", agents=6))  # compiles
        for part, graph, agents, kappa in points:
            settings = settings_of(graph=graph, agents=agents, kappa=kappa)
            writer.writerow(measured(part, settings) | machine)
            file.flush()
        for episodes in (EPISODES, EPISODES // 10):
            settings = settings_of(**TARGET, evaluation_episodes=episodes)
            writer.writerow(facts("target", settings) | train_process(settings) | machine)
    performance.main()


def size(graph: str, agents: int) -> int:
    return agents + 1 if agents == 5 and graph in ("grid", "random_regular") else agents


def settings_of(**values):
    """The common settings with these values.  J is always simulated: the time of its exact value grows with 4^n."""
    common = dict(outer_loops=LOOPS, trajectory_length=UPDATES, evaluation="monte_carlo", evaluation_episodes=EPISODES)
    return resolve(READING, common, values)


def facts(part: str, settings) -> dict:
    """What is known of a run before it starts."""
    environment, training = settings.environment, settings.training
    network = Network.named(environment.graph, environment.agents)
    members = [len(around) for around in network.neighbourhoods(training.kappa)]
    return {
        "part": part, "graph": environment.graph, "agents": environment.agents, "kappa": training.kappa,
        "in_sight": max(members), "entries": sum(8**m for m in members), "outer_loops": training.outer_loops,
        "trajectory_length": training.trajectory_length, "episodes": settings.reporting.evaluation_episodes,
        "predicted_gb": f"{run_memory(settings) / 1e9:.4g}",
    }  # fmt: skip


def measured(part: str, settings) -> dict:
    """A row; without measurements where the run is refused."""
    row = facts(part, settings)
    try:
        check_memory(settings)
    except ConfigError as error:
        print(f"{row['graph']}: {error}", flush=True)
        return row
    in_process = json.loads(child(f"import growth; print(growth.seconds({part_settings(settings)!r}))"))
    row |= train_process(settings) | in_process
    print(*row.values(), flush=True)
    return row


def part_settings(settings) -> dict:
    environment, training = settings.environment, settings.training
    return {"graph": environment.graph, "agents": environment.agents, "kappa": training.kappa}


def seconds(values: dict) -> str:
    """CPU time of training with and without the measurement of J, as JSON; the references of J are not counted."""
    settings = settings_of(**values)
    mdp = from_settings(settings.environment)
    known = reference(mdp, settings.training.tau)
    found = {}
    # no exponent is fitted to the time with J, which is long for many agents: one run of it, with the kernels there
    for name, episodes, most in (("learning_seconds", 2, 7), ("seconds", EPISODES, 1)):
        reporting = settings_of(**values, evaluation_episodes=episodes).reporting
        times = []
        if name == "learning_seconds":
            lpi.train(mdp, settings.training, 0, reporting, known=known)  # loads the kernels
        while not times or (len(times) < most and sum(times) < 2):
            start = time.process_time()
            lpi.train(mdp, settings.training, 0, reporting, known=known)
            times.append(time.process_time() - start)
        found[name] = f"{min(times):.4g}"
    return json.dumps(found)


def train_process(settings) -> dict:
    """`lpi train` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "run.csv")
        arguments = ["train", "--reading", READING, "--seed", "0", "--output", str(output), "--quiet"]
        for key, value in flat(settings).items():
            arguments += ["--set", f"{key}={json.dumps(value)}"]
        peak, spent = child(TRAIN, *arguments).split()
        with output.open(encoding="utf-8") as file:
            last = list(csv.DictReader(file))[-1]
    return {
        "process_seconds": f"{float(spent):.4g}",
        "peak_gb": f"{int(peak) / 1e9:.4g}",
        "visited_share": f"{float(last['visited_share']):.4g}",
    }


def child(code: str, *arguments: str) -> str:
    """What a program of this folder prints."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
