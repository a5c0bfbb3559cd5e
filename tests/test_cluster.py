"""What training jobs ask of a scheduler."""

import pytest

from lpi import cluster
from lpi.cluster import refusal, training_request
from lpi.config import resolve


def request(seeds=5, **settings):
    return training_request(resolve("working", settings), seeds)


def test_memory_follows_agents_kappa_and_beta():
    chosen = {"agents": 15, "evaluation": "monte_carlo"}
    sizes = [request(**chosen, kappa=kappa).megabytes for kappa in range(4)]
    assert sizes == sorted(sizes) and sizes[3] > 1.4 * sizes[0]
    assert request(**chosen, kappa=1, beta=3).megabytes > 1.2 * sizes[1]
    assert request(agents=1000, kappa=3).megabytes > 20 * sizes[3]


def test_an_exact_evaluation_asks_for_its_vectors():
    exact, simulated = (request(agents=10, kappa=0, evaluation=method) for method in ("exact", "monte_carlo"))
    assert exact.megabytes - simulated.megabytes == pytest.approx(1.25 * 360 * 4**10 / 1e6, abs=1)
    assert exact.minutes > simulated.minutes


def test_time_follows_the_work():
    base = request(kappa=1, outer_loops=500)
    for change in ({"agents": 9}, {"kappa": 4}, {"outer_loops": 1000}, {"trajectory_length": 10**6}):
        assert request(**{"kappa": 1, "outer_loops": 500} | change).minutes > base.minutes
    assert request(kappa=1, outer_loops=500, seeds=10).minutes > 1.5 * base.minutes


@pytest.fixture
def sbatch(tmp_path, monkeypatch):
    """Puts a script in the place of sbatch."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def write(script):
        program = tmp_path / "sbatch"
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)

    return write


def test_what_slurm_has_against_a_partition_or_account_is_said_in_its_words(sbatch):
    sbatch(
        'case "$*" in *--test-only*--partition=nowhere*--account=mine*) echo "sbatch: error: invalid partition specified: nowhere" >&2; exit 1;; esac'
    )
    assert refusal("nowhere", "mine") == "invalid partition specified: nowhere"
    assert refusal() is None
    sbatch('echo "allocation failure: Unable to contact slurm controller (connect failure)" >&2; exit 1')
    assert refusal() == "allocation failure: Unable to contact slurm controller (connect failure)"


def test_what_passes_is_no_refusal(sbatch):
    sbatch('echo "allocation failure: Required node not available (down, drained or reserved)" >&2; exit 1')
    assert refusal("batch") is None


def test_a_scheduler_without_an_answer_or_without_sbatch(sbatch, monkeypatch):
    sbatch("sleep 5")
    monkeypatch.setattr(cluster, "PATIENCE", 0.2)
    assert refusal() == "no answer within 0.2 s"
    monkeypatch.setenv("PATH", "")
    assert refusal() == "there is no sbatch on this machine"
