"""Faults done to real processes: after each, one documented command leads to the bytes of an undisturbed run.

`pytest tests/faults --faults` does each as often as docs/faults.md says and writes the numbers into tests/faults/faults.csv;
with -k it does some of them, and writes their rows alone.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager

import pytest
from harness import LIMIT, RUN, Faulty, interrupt, kill, partial, stop, wait_for, working
from table import Outcomes

pytestmark = pytest.mark.workflow
SAME = "the same command"
ROOM_FIRST = "make room, the same command"
MADE_AGAIN = "the same command with -R FILE"


def often(count: int, name: str, recovery: str = SAME, ordinary: int = 0) -> pytest.MarkDecorator:
    """So many seeded repetitions of a fault, of which the ordinary suite runs the first few or none."""
    marks = [() if seed < ordinary else pytest.mark.faults for seed in range(count)]
    cases = [pytest.param((name, recovery), seed, marks=marks[seed], id=str(seed)) for seed in range(count)]
    return pytest.mark.parametrize("fault, seed", cases, indirect=["fault"])


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
    needed = time.monotonic() - before
    clone.keep()
    return clone, whole, needed


@pytest.fixture
def clone(undisturbed):
    """The clone set back."""
    undisturbed[0].reset()
    return undisturbed[0]


@pytest.fixture
def finished(undisturbed, clone):
    """The clone as the undisturbed run left it."""
    clone.restore()
    return clone


@pytest.fixture(scope="session")
def mount():
    """That this process may mount a file system."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounts a file system of its own, which needs root")
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode:
            pytest.skip("this machine does not let root mount a file system")
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def fault(request, undisturbed, clone, outcomes):
    """Counts a fault as tried; called with the options of the recovery, it recovers, compares, and counts it as survived."""
    whole = undisturbed[1]
    outcomes.tried(*request.param)

    def survived(*options: str, whole: dict[str, bytes] = whole, **more):
        assert partial(clone.results(), whole, clone.folder) == []
        recovered(*options, whole=whole, **more)

    def recovered(*options: str, whole: dict[str, bytes] = whole, **more):
        status, output = clone.call(*options, **more)
        assert status == 0, output
        assert clone.results() == whole
        outcomes.survived(*request.param)

    survived.recovered = recovered
    return survived


TRIES = 5
"""Moments drawn for one fault: each but the last came too late to be one."""


def strike(
    clone: Faulty, seed: int, latest: float, fault: Callable[[subprocess.Popen, Callable[[], None]], bool], **more
) -> None:
    """Do a fault to a call (`more` is what it is given) at a random moment, other calls until it was in time.

    `fault` is given the call, and a function that waits for a random time up to `latest` seconds; it returns whether it
    came before the end of what it hits.  A call that ended in less time says that the machine has become less busy.
    """
    draws = random.Random(seed)
    for _ in range(TRIES):
        clone.reset()
        before = time.monotonic()
        if fault(clone.start(**more), lambda latest=latest: time.sleep(draws.uniform(0, latest))):
            return
        latest = min(latest, time.monotonic() - before)
    pytest.fail(f"each of {TRIES} faults came too late")


def kill_snakemake(process: subprocess.Popen, wait: Callable[[], None]) -> bool:
    """The jobs that it started go on, as they do in a terminal, while the next call already runs."""
    wait()
    process.kill()
    return process.wait() == -signal.SIGKILL


@often(20, "kill -9 of snakemake", ordinary=2)
def test_kill_of_snakemake(seed, undisturbed, clone, fault):
    strike(clone, seed, undisturbed[2], kill_snakemake)
    fault()


@pytest.fixture(scope="session")
def everything(undisturbed):
    """The bytes of all that the first command makes of the grid, and how long that takes."""
    clone = undisturbed[0]
    clone.reset()
    before = time.monotonic()
    status, output = clone.call(targets=())
    assert status == 0, output
    return clone.results(), time.monotonic() - before


@often(3, "kill -9 of snakemake, all targets")
def test_kill_of_snakemake_at_work_on_everything(seed, everything, clone, fault):
    whole, needed = everything
    assert {"figures/index.html", "figures/mine/claims.csv", "figures/theory/theory.csv"} <= set(whole)
    strike(clone, 800 + seed, needed, kill_snakemake, targets=())
    fault(whole=whole, targets=())


@often(5, "kill -9 of snakemake and all its jobs")
def test_kill_of_everything(seed, undisturbed, clone, fault):
    """As a power cut ends it, but for what the disk keeps."""

    def killed(process, wait):
        wait()
        stop(process)
        return process.returncode == -signal.SIGKILL

    strike(clone, 100 + seed, undisturbed[2], killed)
    fault()


@often(5, "kill -9 of a training job")
def test_kill_of_a_training_job(seed, clone, fault):
    def killed(process, wait):
        job = wait_for(lambda: working(process, "lpi train"), process)
        wait()
        kill(job)
        status, output = clone.finish(process)
        assert status == 0 or "rule train" in output  # what fails is what was hit
        return status != 0

    strike(clone, 200 + seed, 0.5, killed)
    fault()


@often(5, "kill -9 of a notebook's kernel")
def test_kill_of_a_notebook_kernel(seed, clone, fault):
    """One that dies before it answers is started again; one that dies at work ends the job."""

    def killed(process, wait):
        kernel = wait_for(lambda: working(process, "ipykernel_launcher"), process)
        wait()
        kill(kernel)
        again = wait_for(lambda: working(process, "ipykernel_launcher", kernel), process)
        status, output = clone.finish(process)
        assert status == 0 or "the kernel died" in output
        return status != 0 or again is not None

    strike(clone, 300 + seed, 0.5, killed)
    fault()


@often(5, "Ctrl-C")
def test_interruption(seed, undisturbed, clone, fault):
    def interrupted(process, wait):
        wait()
        interrupt(process)
        return clone.finish(process)[0] != 0

    strike(clone, 400 + seed, undisturbed[2], interrupted)
    fault()


@often(3, "two snakemake at once", ordinary=1)
def test_two_at_once(seed, clone, fault):
    """The second is refused, whether it comes while the first looks around or while it works."""
    first = clone.start()
    wait_for(lambda: list((clone.folder / ".snakemake").glob("locks/*")), first)
    clone.output.rename(clone.output.with_name("first"))
    time.sleep(random.Random(500 + seed).uniform(0, 2))
    status, said = clone.call()
    assert status != 0 and "cannot be locked" in said
    assert first.wait(LIMIT) == 0
    fault()


@contextmanager
def mounted(folder, *options: str):
    """A file system mounted on a folder."""
    subprocess.run(["mount", *options, str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


ROOM = (60, 150, 400)
"""kB that the results find; they need more."""


@often(3, "full disk, results on it", ROOM_FIRST)
def test_full_disk_of_the_results(seed, mount, clone, fault):
    folder = clone.folder / "results"
    folder.mkdir()
    with mounted(folder, "-t", "tmpfs", "-o", f"size={ROOM[seed]}k", "tmpfs"):
        status, output = clone.call()
        assert status != 0 and "results: the disk is full" in output
        subprocess.run(["mount", "-o", "remount,size=100m", str(folder)], check=True)
        fault()


@often(3, "full disk, everything on it", ROOM_FIRST)
def test_full_disk_of_everything(seed, mount, clone, fault, tmp_path):
    """Snakemake's own notes, and files that numba and Python keep, are on it as well."""
    with mounted(tmp_path, "-t", "tmpfs", "-o", "size=200m", "tmpfs"):
        shutil.copytree(clone.folder, tmp_path / "clone")
        with mounted(clone.folder, "--bind", str(tmp_path / "clone")):
            ballast = clone.folder / "ballast"
            ballast.write_bytes(bytes(shutil.disk_usage(clone.folder).free - 1000 * ROOM[seed]))
            status, output = clone.call()
            assert status != 0 and ("the disk is full" in output or "No space left on device" in output)
            ballast.unlink()
            fault()


@often(2, "folder that cannot be written", "make it writable, the same command")
def test_folder_that_cannot_be_written(seed, mount, clone, fault):
    folder = clone.folder / ("results", "results/mine/runs")[seed]
    folder.mkdir(parents=True)
    with mounted(folder, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        status, output = clone.call()
        assert status == 2 and f"{folder.relative_to(clone.folder)}: cannot be written\n" in output
        assert output.count("cannot be") == 1 and not list(clone.folder.glob("results/**/*.csv"))  # before any job
    fault()


@often(4, "truncated CSV", MADE_AGAIN, ordinary=2)
def test_table_cut_off(seed, undisturbed, finished, fault):
    """The message names the file, and -R with its name trains it again; every other cut is at the end of a line."""
    clone, whole = finished, undisturbed[1][f"{RUN}.csv"]
    draws = random.Random(600 + seed)
    ends = [place + 1 for place, byte in enumerate(whole[:-1]) if byte == ord("\n")]
    cut = draws.choice(ends[1:]) if seed % 2 else draws.randrange(len(whole))  # at least one row is left
    path = clone.folder / f"{RUN}.csv"
    path.write_bytes(whole[:cut])
    status, output = clone.call()
    assert status != 0 and f"lpi aggregate: {RUN}.csv: " in output
    fault.recovered("-R", f"{RUN}.csv")


@often(3, "damaged policy file", MADE_AGAIN)
def test_policy_damaged(seed, undisturbed, finished, fault):
    """The workflow reads no policy; whoever does is refused."""
    clone, whole = finished, undisturbed[1]
    path, content = clone.folder / f"{RUN}.npz", bytearray(whole[f"{RUN}.npz"])
    middle = len(content) // 2
    content[middle : middle + 40] = random.Random(700 + seed).randbytes(40)
    path.write_bytes(content)
    command = ["-m", "lpi", "evaluate", f"{RUN}.npz", "--agents", "5", "--p1-means", "failure", "--p2-means", "failure"]
    done = subprocess.run([sys.executable, *command], cwd=clone.folder, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("lpi evaluate: policy: ") and done.stderr.count("\n") == 1
    fault.recovered("-R", f"{RUN}.npz")


@often(4, "damaged cache of compiled kernels")
def test_kernels_compiled_before_are_damaged(seed, clone, fault):
    files = sorted((clone.folder / "lpi/__pycache__").rglob("*.nb[ci]"))
    assert files
    damaged = {}
    for path in files:
        content = path.read_bytes() or bytes(200)
        one_bit = content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]
        path.write_bytes((b"", content[: len(content) // 2], bytes(len(content)), one_bit)[seed])
        damaged[path] = path.read_bytes()
    fault()
    assert any(path.read_bytes() != content for path, content in damaged.items())  # some are needed, and made again


@often(1, "stale cache of compiled kernels")
def test_kernels_compiled_before_are_stale(seed, undisturbed, clone, fault):
    """Compiled from another source of a function that they contain; the source is then set back, its time too."""
    source = clone.folder / "lpi/elementary.py"
    text, times = source.read_text(encoding="utf-8"), source.stat()
    changed = text.replace("result = k * _LN2_HIGH +", "result = 1e-3 + k * _LN2_HIGH +")
    source.write_text(changed, encoding="utf-8")
    assert (
        clone.call()[0] == 0 and clone.results()["results/mine/curves.csv"] != undisturbed[1]["results/mine/curves.csv"]
    )
    clone.reset()
    source.write_text(text, encoding="utf-8")
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
    fault()


@often(2, "clock set back")
def test_clock_set_back(seed, clone, fault):
    """Half the results and the source are from later, as if the clock had been set back since.

    Not the source of kernels: they would be compiled again, which takes long and has nothing to do with it.
    """
    assert clone.call(targets=(f"{RUN}.csv",))[0] == 0
    later = time.time() + (3600, 86400)[seed]
    sources = [path for path in (clone.folder / "lpi").rglob("*.py") if "njit" not in path.read_text(encoding="utf-8")]
    for path in [*(clone.folder / "results").rglob("*"), *sources]:
        if path.is_file():
            os.utime(path, (later, later))
    fault()
    status, output = clone.call()
    assert status == 0 and "Nothing to be done" in output


@pytest.mark.parametrize("cores", [pytest.param(1, marks=pytest.mark.faults), pytest.param(8)])
def test_any_number_of_cores_makes_the_same_bytes(cores, undisturbed, clone):
    status, output = clone.call(cores=cores)
    assert status == 0, output
    assert clone.results() == undisturbed[1]


def test_doing_everything_again_makes_the_same_bytes(undisturbed, clone):
    for options in ((), ("--forceall",)):
        status, output = clone.call(*options)
        assert status == 0, output
        assert clone.results() == undisturbed[1]
