"""The workflow on a real Slurm: tests/slurm installs what this needs and runs it."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import slurm_node
import yaml
from test_workflow import TINY, Clone

STATE = os.environ.get("LPI_SLURM", "tests/slurm installs and starts it")
pytestmark = [pytest.mark.slurm, pytest.mark.skipif(STATE != "ready", reason=f"Slurm: {STATE}")]

GRID = TINY | {"kappas": [0, 1], "seeds": [0, 1, 2, 3], "seeds_per_job": 2}
CURVES = "results/mine/curves.csv"
POINT = "results/mine/points/n3_kappa0_tau0.05.csv"
RUN = "results/mine/runs/n3_kappa0_tau0.05_seed{}.{}"
QUICK = ["--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5"]
ONCE = ["--group-components", "train=1", "join=1", "--retries", "0"]
WITHOUT_PACKAGE = """
import sys


class Missing:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "lpi":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Missing)
"""
LIMIT = 600  # seconds of one call, which takes a minute on an idle machine


class Submitted(Clone):
    """A clone whose jobs go to Slurm."""

    @contextmanager
    def started(self, *options: str, profile: str = "profiles/slurm") -> Iterator[subprocess.Popen]:
        """A call that runs; it does not outlive what is done with it."""
        (self.folder / "grid.yaml").write_text(yaml.safe_dump(GRID), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", CURVES, "--profile", profile, *QUICK, *options]
        command = [*slurm_node.TIED, *command, "--configfile", "grid.yaml"]
        with (self.folder / "output").open("w") as output:
            process = subprocess.Popen(command, cwd=self.folder, stdout=output, stderr=subprocess.STDOUT)
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    def finish(self, process: subprocess.Popen) -> str:
        """Everything that the call wrote, once it ended."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(LIMIT)
        output = (self.folder / "output").read_text(encoding="utf-8")
        assert process.poll() is not None, f"no end after {LIMIT} s: {output}"
        return output

    def submit(self, *options: str, **started: str) -> tuple[int, str]:
        """Exit status of a call and what it wrote."""
        with self.started(*options, **started) as process:
            output = self.finish(process)
        return process.returncode, output

    def lose(self, *seeds: int) -> dict[str, bytes]:
        """Remove runs of kappa 0 and what was joined from them, as if they had never been; the runs that are left."""
        for name in (CURVES, POINT, *(RUN.format(seed, kind) for seed in seeds for kind in ("csv", "npz"))):
            (self.folder / name).unlink(missing_ok=True)
        return self.runs()

    def runs(self) -> dict[str, bytes]:
        return {name: content for name, content in self.files().items() if "/runs/" in name}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = slurm_node.Node(tmp_path_factory.mktemp("slurm"))
    try:
        node.start()
    except slurm_node.Unavailable as reason:
        pytest.skip(f"Slurm: {reason}")
    yield node
    node.stop()


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """A clone, and everything up to the curves as this machine makes it without Slurm."""
    clone = Submitted(tmp_path_factory.mktemp("a clone"))
    done = clone.snakemake(CURVES, **GRID)
    assert done.returncode == 0, done.stdout + done.stderr
    return clone, clone.files()


@pytest.fixture(scope="module")
def finished(node, local):
    """The clone once the grid has been run anew in two group jobs, one of which was killed; what the call wrote."""
    clone, _ = local
    for name in ("results", ".snakemake"):
        shutil.rmtree(clone.folder / name)
    with clone.started("--group-components", "train=2", "join=2") as process:
        killed = slurm_node.wait_for_job("train")
        subprocess.run(["scancel", killed], check=True)
        output = clone.finish(process)
    assert process.returncode == 0, output
    return clone, killed, output


def test_a_killed_group_job_runs_again_and_results_are_those_of_one_machine(finished, local):
    clone, killed, output = finished
    assert re.search(rf"JOB {killed} ON \S+ CANCELLED", output)  # of Slurm's log, which Snakemake shows
    assert "Trying to restart" in output
    assert output.count("Group job train") == 3  # two of two jobs each, and one of them again
    assert clone.files() == local[1]


def test_running_out_of_memory_in_one_job_does_not_stop_the_others(finished, local):
    clone, *_ = finished
    kept = clone.lose(0, 1, 2, 3)
    status, output = clone.submit(*ONCE, "--set-resources", "train_0_1:mem_mb=20")
    assert status != 0
    assert "Exceeded job memory limit" in output  # of Slurm's log, which Snakemake shows
    others = [RUN.format(seed, kind) for seed in (2, 3) for kind in ("csv", "npz")]
    assert clone.runs() == kept | {name: local[1][name] for name in others}


def test_a_missing_partition_is_named_and_nothing_is_lost(finished):
    clone, *_ = finished
    kept = clone.lose(0, 1)
    profile = shutil.copytree(clone.folder / "profiles/slurm", clone.folder / "profiles/mine") / "config.yaml"
    text = profile.read_text(encoding="utf-8")
    profile.write_text(text.replace('# slurm_partition: ""', "slurm_partition: nowhere"), encoding="utf-8")
    status, output = clone.submit(*ONCE, profile="profiles/mine")
    assert status == 2
    assert "slurm: invalid partition specified: nowhere" in output.splitlines()
    assert "Traceback" not in output
    assert clone.runs() == kept


def test_a_node_without_the_package_says_so_and_nothing_is_lost(finished, node, tmp_path):
    clone, *_ = finished
    kept = clone.lose(0, 1)
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_PACKAGE, encoding="utf-8")
    with node.giving(PYTHONPATH=str(tmp_path)):
        status, output = clone.submit(*ONCE)
    assert status != 0
    assert "No module named 'lpi'" in output
    assert clone.runs() == kept


def test_a_scheduler_that_is_down_is_named_and_nothing_is_lost(finished, node):
    clone, *_ = finished
    kept = clone.lose(0, 1)
    with node.without_scheduler():
        status, output = clone.submit(*ONCE)
    assert status == 2
    assert re.search("^slurm: .*Unable to contact slurm controller", output, re.MULTILINE)
    assert "Traceback" not in output
    assert clone.runs() == kept


def test_a_scheduler_that_comes_back_is_waited_for_and_the_same_command_makes_the_rest(finished, node, local):
    clone, *_ = finished
    clone.lose(0, 1)
    with clone.started() as process:
        slurm_node.wait_for_step(slurm_node.wait_for_job("train"))
        with node.without_scheduler():
            time.sleep(15)  # Snakemake asks 1 and 12 s after the first job
            assert process.poll() is None
        output = clone.finish(process)
    assert process.returncode == 0, output
    assert clone.files() == local[1]
