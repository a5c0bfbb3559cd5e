"""What training jobs ask of a scheduler."""

import pytest

from lpi.cluster import training_request
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
