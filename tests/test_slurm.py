"""The workflow on a real Slurm: tests/slurm installs what this needs and runs it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import slurm_node
import yaml
from test_workflow import TINY, Clone

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif("LPI_SLURM" not in os.environ, reason="a Slurm is installed and started by tests/slurm alone"),
]
GRID = TINY | {"seeds": [0, 1, 2, 3], "seeds_per_job": 1}
CURVES = "results/mine/curves.csv"
RUN = "results/mine/runs/n3_kappa0_tau0.05_seed{}"
LIMIT = 300  # seconds of one call


class Submitted(Clone):
    """A clone whose jobs go to Slurm."""

    @contextmanager
    def started(self, *options: str) -> Iterator[subprocess.Popen]:
        """A call that runs; it does not outlive what is done with it."""
        (self.folder / "grid.yaml").write_text(yaml.safe_dump(GRID), encoding="utf-8")
        quick = ["--slurm-init-seconds-before-status-checks", "8", "--latency-wait", "5"]
        command = [sys.executable, "-m", "snakemake", CURVES, "--profile", "profiles/slurm", *quick, *options]
        with (self.folder / "output").open("w") as output:
            process = subprocess.Popen(
                [*command, "--configfile", "grid.yaml"], cwd=self.folder, stdout=output, stderr=subprocess.STDOUT
            )
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

    def submit(self, *options: str) -> tuple[int, str]:
        """Exit status of a call and what it wrote."""
        with self.started(*options) as process:
            output = self.finish(process)
        return process.returncode, output

    def lose(self, seed: int) -> dict[str, bytes]:
        """Remove a run, as if it had never been; what is left."""
        for kind in ("csv", "npz"):
            (self.folder / f"{RUN.format(seed)}.{kind}").unlink()
        return self.runs()

    def runs(self) -> dict[str, bytes]:
        return {name: content for name, content in self.files().items() if "/runs/" in name}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = slurm_node.Node(tmp_path_factory.mktemp("slurm"))
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Everything up to the curves, made on this machine."""
    clone = Clone(tmp_path_factory.mktemp("local"))
    done = clone.snakemake(CURVES, **GRID)
    assert done.returncode == 0, done.stdout + done.stderr
    return clone.files()


@pytest.fixture(scope="module")
def finished(node, tmp_path_factory):
    """A clone in which the grid has been run in two group jobs, one of which was killed; what the call wrote."""
    clone = Submitted(tmp_path_factory.mktemp("a clone"))
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
    assert output.count("Group job train") == 3  # two, and one of them again
    assert clone.files() == local


def test_running_out_of_memory_in_one_job_does_not_stop_the_others(finished, local):
    clone, *_ = finished
    for seed in (1, 2):
        clone.lose(seed)
    alone = ["--group-components", "train=1", "--retries", "0"]
    status, output = clone.submit(*alone, "--set-resources", "train_1_1:mem_mb=20")
    assert status != 0
    assert "SLURM status is: 'OUT_OF_MEMORY'" in output
    assert clone.runs() == {
        name: content for name, content in local.items() if "/runs/" in name and "seed1" not in name
    }
    assert clone.submit()[0] == 0
    assert clone.files() == local


def test_a_missing_partition_is_named_and_nothing_is_lost(finished, local):
    clone, *_ = finished
    kept = clone.lose(3)
    profile = clone.folder / "profiles/slurm/config.yaml"
    text = profile.read_text(encoding="utf-8")
    profile.write_text(text.replace('# slurm_partition: ""', "slurm_partition: nowhere"), encoding="utf-8")
    status, output = clone.submit("--retries", "0")
    assert status != 0
    assert "invalid partition specified: nowhere" in output
    assert clone.runs() == kept
    profile.write_text(text, encoding="utf-8")
    assert clone.submit()[0] == 0
    assert clone.files() == local


def test_a_node_without_the_package_says_so_and_nothing_is_lost(finished, node, tmp_path):
    clone, *_ = finished
    kept = clone.lose(3)
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['lpi'] = None\n", encoding="utf-8")
    node.give(PYTHONPATH=str(tmp_path))
    status, output = clone.submit("--retries", "0")
    node.give()
    assert status != 0
    assert "lpi" in output and "ModuleNotFoundError" in output
    assert clone.runs() == kept


def test_a_scheduler_that_is_down_is_named_and_nothing_is_lost(finished, node):
    clone, *_ = finished
    kept = clone.runs()
    node.stop_scheduler()
    status, output = clone.submit("--retries", "0")
    assert status != 0
    assert "Unable to contact slurm controller" in output
    assert clone.runs() == kept
    node.start_scheduler()


def test_a_scheduler_that_comes_back_is_waited_for(finished, node, local):
    clone, *_ = finished
    with clone.started() as process:
        slurm_node.wait_for_job("train")
        node.stop_scheduler()
        time.sleep(20)  # longer than Snakemake takes to ask for the first time
        assert process.poll() is None
        node.start_scheduler()
        output = clone.finish(process)
    assert process.returncode == 0, output
    assert clone.files() == local
