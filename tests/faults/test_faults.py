"""Faults done to real processes: after each, one documented command leads to the bytes of an undisturbed run.

`pytest tests/faults --faults` does each as often as docs/faults.md says and writes the numbers into tests/faults/faults.csv;
with -k it does some of them, and writes their rows alone.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from harness import LIMIT, RUN, Faulty, interrupt, partial, stop, wait_for, working
from table import Outcomes

pytestmark = pytest.mark.workflow
ROOTED = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None,
    reason="mounts a file system of its own, which needs root",
)
SAME = "the same command"


def often(count: int, ordinary: int = 0) -> pytest.MarkDecorator:
    """So many seeded repetitions, of which the ordinary suite runs the first few or none."""
    marks = [() if seed < ordinary else pytest.mark.faults for seed in range(count)]
    return pytest.mark.parametrize("seed", [pytest.param(s, marks=m) for s, m in zip(range(count), marks, strict=True)])


@pytest.fixture(scope="session")
def outcomes(request):
    counted = Outcomes()
    yield counted
    if request.config.getoption("--faults"):
        counted.write()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """A clone, the bytes of a run of it that nothing disturbs, and how long that takes once kernels are compiled."""
    clone = Faulty(tmp_path_factory.mktemp("a clone"))
    status, output = clone.call()
    assert status == 0, output
    whole = clone.results()
    clone.reset()
    before = time.monotonic()
    status, output = clone.call()
    assert status == 0, output
    assert clone.results() == whole
    return clone, whole, time.monotonic() - before


@pytest.fixture
def fault(undisturbed, outcomes):
    """The clone set back; called with the name of the fault and the options of the recovery, it recovers and compares."""
    clone, whole, _ = undisturbed
    clone.reset()

    def survived(name: str, *options: str, recovery: str = SAME):
        outcomes.tried(name, recovery)
        assert partial(clone.results(), whole, clone.folder) == []
        recover(name, *options, recovery=recovery)

    def recover(name: str, *options: str, recovery: str = SAME):
        status, output = clone.call(*options)
        assert status == 0, output
        assert clone.results() == whole
        outcomes.survived(name, recovery)

    survived.recover = recover
    return survived


def moment(undisturbed, seed: int) -> float:
    """A random time within an undisturbed run, in seconds."""
    return random.Random(seed).uniform(0, undisturbed[2])


@often(20, ordinary=2)
def test_kill_of_snakemake(seed, undisturbed, fault):
    """The jobs that it started go on, as they do in a terminal, while the next call already runs."""
    clone = undisturbed[0]
    process = clone.start()
    time.sleep(moment(undisturbed, seed))
    process.kill()
    process.wait()
    fault("kill -9 of snakemake")


@often(5)
def test_kill_of_everything(seed, undisturbed, fault):
    """As a power cut ends it, but for what the disk keeps."""
    process = undisturbed[0].start()
    time.sleep(moment(undisturbed, 100 + seed))
    stop(process)
    fault("kill -9 of snakemake and all its jobs")


@often(5)
def test_kill_of_a_training_job(seed, undisturbed, fault):
    clone = undisturbed[0]
    process = clone.start()
    job = wait_for(lambda: working(process, "lpi train"), process)
    time.sleep(random.Random(200 + seed).uniform(0, 0.5))
    job.kill()
    status, output = clone.finish(process)
    assert status != 0 or "lpi train" not in output  # a job may have ended before it was killed
    fault("kill -9 of a training job")


@often(5)
def test_kill_of_a_notebook_kernel(seed, undisturbed, fault):
    clone = undisturbed[0]
    process = clone.start()
    kernel = wait_for(lambda: working(process, "ipykernel_launcher"), process)
    time.sleep(random.Random(300 + seed).uniform(0, 0.5))
    kernel.kill()
    status, output = clone.finish(process)
    assert status == 0 or "the kernel d" in output  # died, or did not start
    fault("kill -9 of a notebook's kernel")


@often(5)
def test_interruption(seed, undisturbed, fault):
    clone = undisturbed[0]
    process = clone.start()
    time.sleep(moment(undisturbed, 400 + seed))
    interrupt(process)
    clone.finish(process)
    fault("Ctrl-C")


@often(3, ordinary=1)
def test_two_at_once(seed, undisturbed, fault):
    """The second is refused, whether it comes while the first looks around or while it works."""
    clone = undisturbed[0]
    first = clone.start()
    wait_for(lambda: list((clone.folder / ".snakemake").glob("locks/*")), first)
    clone.output.rename(clone.output.with_name("first"))
    time.sleep(random.Random(500 + seed).uniform(0, 2))
    status, said = clone.call()
    assert status != 0 and "cannot be locked" in said
    assert first.wait(LIMIT) == 0
    fault("two snakemake at once")


@contextmanager
def mounted(folder, *options: str):
    """A file system mounted on a folder."""
    if subprocess.run(["mount", *options, str(folder)], capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


ROOM = (60, 150, 400)
"""kB that the results find; they need more."""


@ROOTED
@often(3)
def test_full_disk_of_the_results(seed, undisturbed, fault):
    folder = undisturbed[0].folder / "results"
    folder.mkdir()
    with mounted(folder, "-t", "tmpfs", "-o", f"size={ROOM[seed]}k", "tmpfs"):
        status, output = undisturbed[0].call()
        assert status != 0 and "results: the disk is full" in output
        subprocess.run(["mount", "-o", "remount,size=100m", str(folder)], check=True)
        fault("full disk, results on it", recovery="make room, the same command")


@ROOTED
@often(3)
def test_full_disk_of_everything(seed, undisturbed, fault, tmp_path):
    """Snakemake's own notes, and files that numba and Python keep, are on it as well."""
    clone = undisturbed[0]
    with mounted(tmp_path, "-t", "tmpfs", "-o", "size=200m", "tmpfs"):
        shutil.copytree(clone.folder, tmp_path / "clone")
        with mounted(clone.folder, "--bind", str(tmp_path / "clone")):
            ballast = clone.folder / "ballast"
            ballast.write_bytes(bytes(shutil.disk_usage(clone.folder).free - 1000 * ROOM[seed]))
            status, output = clone.call()
            assert status != 0 and ("the disk is full" in output or "No space left on device" in output)
            ballast.unlink()
            fault("full disk, everything on it", recovery="make room, the same command")


@ROOTED
@often(2)
def test_folder_that_cannot_be_written(seed, undisturbed, fault):
    clone = undisturbed[0]
    folder = clone.folder / ("results", "results/mine/runs")[seed]
    folder.mkdir(parents=True)
    with mounted(folder, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        status, output = clone.call()
        assert status != 0 and "Read-only file system" in output
    fault("folder that cannot be written", recovery="make it writable, the same command")


@often(3, ordinary=1)
def test_table_cut_off(seed, undisturbed, fault, outcomes):
    """The message names the file, and -R with its name trains it again."""
    clone, whole, _ = undisturbed
    assert clone.call()[0] == 0
    path = clone.folder / f"{RUN}.csv"
    path.write_bytes(path.read_bytes()[: random.Random(600 + seed).randrange(len(whole[f"{RUN}.csv"]))])
    status, output = clone.call()
    assert status != 0 and f"lpi aggregate: {RUN}.csv: " in output
    outcomes.tried("truncated CSV", "the same command with -R FILE")
    fault.recover("truncated CSV", "-R", f"{RUN}.csv", recovery="the same command with -R FILE")


@often(3)
def test_policy_damaged(seed, undisturbed, fault, outcomes):
    """The workflow reads no policy; whoever does is refused."""
    clone, whole, _ = undisturbed
    assert clone.call()[0] == 0
    path, content = clone.folder / f"{RUN}.npz", bytearray(whole[f"{RUN}.npz"])
    middle = len(content) // 2
    content[middle : middle + 40] = random.Random(700 + seed).randbytes(40)
    path.write_bytes(content)
    command = ["-m", "lpi", "evaluate", f"{RUN}.npz", "--agents", "5", "--p1-means", "failure", "--p2-means", "failure"]
    done = subprocess.run([sys.executable, *command], cwd=clone.folder, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("lpi evaluate: policy: ") and done.stderr.count("\n") == 1
    outcomes.tried("damaged policy file", "the same command with -R FILE")
    fault.recover("damaged policy file", "-R", f"{RUN}.npz", recovery="the same command with -R FILE")


@often(3)
def test_kernels_compiled_before_are_damaged(seed, undisturbed, fault):
    clone = undisturbed[0]
    folders = list((clone.folder / "lpi/__pycache__").glob("kernels-*"))
    files = sorted(path for folder in folders for path in folder.rglob("*.nb[ci]"))
    assert files
    for path in files:
        content = path.read_bytes()
        path.write_bytes((b"", content[: len(content) // 2], bytes(len(content)))[seed])
    fault("damaged cache of compiled kernels")


@often(2)
def test_clock_set_back(seed, undisturbed, fault):
    """Half the results are from tomorrow, as if the clock had been set back since."""
    clone = undisturbed[0]
    assert clone.call(targets=(f"{RUN}.csv",))[0] == 0
    tomorrow = time.time() + (3600, 86400)[seed]
    for path in [*(clone.folder / "results").rglob("*"), *(clone.folder / "lpi").rglob("*.py")]:
        if path.is_file():
            os.utime(path, (tomorrow, tomorrow))
    fault("clock set back")
    status, output = clone.call()
    assert status == 0 and "Nothing to be done" in output


@pytest.mark.parametrize("cores", [pytest.param(1, marks=pytest.mark.faults), pytest.param(8)])
def test_any_number_of_cores_makes_the_same_bytes(cores, undisturbed, fault):
    clone, whole, _ = undisturbed
    status, output = clone.call(cores=cores)
    assert status == 0, output
    assert clone.results() == whole


def test_doing_everything_again_makes_the_same_bytes(undisturbed, fault):
    clone, whole, _ = undisturbed
    for options in ((), ("--forceall",)):
        status, output = clone.call(*options)
        assert status == 0, output
        assert clone.results() == whole
