"""Learning curves made up for the tests of results, summary, figures and notebooks."""

from __future__ import annotations

import math

import numpy as np

from lpi import results


def run(values, *, seed=0, kappa=0, agents=8, tau=0.05, reading="working", method="exact", error=0.0, **changed):
    """The rows of one run whose reported reward has the given values; the unregularised one is 1 less."""
    return [
        {
            "reading": reading,
            "graph": "line",
            "agents": agents,
            "kappa": kappa,
            "beta": kappa,
            "tau": tau,
            "seed": seed,
            "outer_loop": loop,
            "regularized": value,
            "regularized_se": error,
            "unregularized": value - 1.0,
            "unregularized_se": error,
            "reported": value,
            "reported_se": error,
            "method": method,
            "samples": 100 * loop,
            "td_error": math.nan if loop == 0 else 0.5,
            "visited_share": float(loop > 0),
            "entropy": 1.0,
        }
        | changed
        for loop, value in enumerate(values)
    ]


def write(path, *runs):
    """A curves file of the runs."""
    results.write_rows(path, [row for rows in runs for row in rows])
    return path


def grid(path, *, agents=(8,), taus=(0.05,), kappas=(0, 1), seeds=3, loops=6, reading="working"):
    """A curves file of noisy rising curves for every combination; J is simulated above eight agents."""
    runs = []
    for n in agents:
        for tau in taus:
            for kappa in kappas:
                for seed in range(seeds):
                    noise = np.random.default_rng([n, round(1000 * tau), kappa, seed]).normal(0, 0.01, loops + 1)
                    values = 37 + (1 + kappa) * (1 - np.exp(-np.arange(loops + 1) / 2)) + noise
                    how = {"method": "monte_carlo", "error": 0.01} if n > 8 else {}
                    runs.append(run(values, seed=seed, kappa=kappa, agents=n, tau=tau, reading=reading, **how))
    return write(path, *runs)
