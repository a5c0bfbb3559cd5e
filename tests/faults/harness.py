"""A clone in one folder that is set back between faults, processes to kill in it, and what undisturbed runs make."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import yaml
from test_workflow import Clone

from lpi.results import ResultsError, read_rows

GRID = {
    "readings": ["mine"],
    "custom_readings": {"mine": {"inner_start": "carried", "q_start": "optimistic", "episode_length": 10}},
    "kappas": [0, 1],
    "seeds": [0, 1],
    "seeds_per_job": 1,
    "figures": {"figure1": None, "figure2": {"agents": [3, 5], "taus": [0.05]}, "figure3": None},
    "locality": {"agents": [3], "taus": [0.05]},
    "acting": {"agents": 3, "tau": 0.05, "p_eff": [0.5]},
    "settings": {"outer_loops": 3, "trajectory_length": 2000},
}
RUN = "results/mine/runs/n5_kappa1_tau0.05_seed1"
TARGETS = ("results/mine/curves.csv", "results/mine/notebooks/figure2.png")
LIMIT = 900  # seconds of one call, whose kernels may be compiled first, on a busy machine


class Faulty(Clone):
    """A clone that faults are done to; kernels stay compiled when it is set back."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        for path in folder.glob("lpi/__pycache__/kernels-*"):
            shutil.rmtree(path)
        self.kept = folder.with_name("kept")
        self.output = folder.with_name("output")  # beside it: room and rights within may be lacking
        (folder / "grid.yaml").write_text(yaml.safe_dump(GRID), encoding="utf-8")

    def keep(self) -> None:
        """Note the state that `restore` leads back to."""
        for name in ("results", ".snakemake"):
            shutil.copytree(self.folder / name, self.kept / name)

    def restore(self) -> None:
        """What was kept, with its times."""
        self.reset()
        shutil.copytree(self.kept, self.folder, dirs_exist_ok=True)

    def reset(self) -> None:
        """No results, and no Snakemake that ever ran."""
        for name in ("results", "figures", ".snakemake"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def start(self, *options: str, targets: tuple[str, ...] = TARGETS, cores: int = 2) -> subprocess.Popen:
        """A call in a process group of its own, as a terminal starts it."""
        command = [sys.executable, "-m", "snakemake", *targets, "--cores", str(cores), *options]
        own = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
        with self.output.open("w") as output:
            return subprocess.Popen(
                [*command, "--configfile", "grid.yaml"],
                cwd=self.folder, env=own, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def finish(self, process: subprocess.Popen) -> tuple[int, str]:
        """Exit status of a call and all that it wrote."""
        try:
            process.wait(LIMIT)
        finally:
            stop(process)
        return process.returncode, self.output.read_text(encoding="utf-8", errors="replace")

    def call(self, *options: str, **more) -> tuple[int, str]:
        """`start` and `finish`."""
        return self.finish(self.start(*options, **more))

    def results(self) -> dict[str, bytes]:
        """The tables, policies, notebooks and figures there are."""
        return {name: content for name, content in self.files().items() if "/package/" not in name}


def descendants(process: subprocess.Popen) -> list[psutil.Process]:
    """All processes that a call has started and that still live."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def stop(process: subprocess.Popen) -> None:
    """End a call and what it started, and wait until they are gone."""
    family = descendants(process)
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    process.kill()
    process.wait()
    psutil.wait_procs(family, timeout=20)


def wait_for(found: Callable[[], object], process: subprocess.Popen) -> object:
    """What `found` returns once it is something; None if the call ends before."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        something = found()
        if something:
            return something
        if process.poll() is not None:
            return None
        time.sleep(0.005)
    raise TimeoutError(f"nothing found in {LIMIT} s")


def working(process: subprocess.Popen, words: str, other: psutil.Process | None = None) -> psutil.Process | None:
    """The interpreter below a call with these words in its command line; not the shell that started it, nor `other`."""
    for member in descendants(process):
        if member == other:
            continue
        try:
            line = member.cmdline()
        except psutil.Error:
            continue
        if line and "python" in os.path.basename(line[0]) and words in " ".join(line):
            return member
    return None


def kill(process: psutil.Process) -> None:
    """kill -9, unless it has ended."""
    with suppress(psutil.NoSuchProcess):
        process.kill()


def interrupt(process: subprocess.Popen) -> None:
    """Ctrl-C: a terminal sends it to every process in the foreground."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)


def partial(found: dict[str, bytes], whole: dict[str, bytes], folder: Path) -> list[str]:
    """Tables and policies that are neither absent nor whole, and runs that are cut off and yet are read as results."""
    wrong = []
    for name, content in found.items():
        if name.endswith((".csv", ".npz")) and content != whole.get(name):
            wrong.append(name)
            if "/runs/" in name and name.endswith(".csv"):
                try:
                    read_rows(folder / name, GRID["settings"]["outer_loops"])
                    wrong.append(f"{name} is read")
                except ResultsError:
                    pass
    return wrong
