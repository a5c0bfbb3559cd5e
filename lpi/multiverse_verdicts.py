"""Every claim judged under every reading of the multiverse, from the curves of its jobs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from lpi.multiverse import CURVES, Design, Reading
from lpi.multiverse_effects import text_of
from lpi.results import COLUMNS, ResultsError
from lpi.summary import area, improved, loops_to, matrix

FINALS = ("final_regularized", "final_unregularized", "area_reported", "loops50", "loops90", "visited_share", "entropy")
JUDGED = ("claim", "kappa", "tau", "statistic", "low", "high", "verdict")
"""Columns taken over from `claims.evaluate`."""


def read_jobs(paths: Iterable[str | os.PathLike], design: Design, agents: int) -> pd.DataFrame:
    """The curves of all jobs at one number of agents, with the columns `multiverse.CURVES`.

    Raises:
        ResultsError: a file that is no job's, or cases, kappas, seeds or loops that are missing or twice.
    """
    parts = []
    for path in paths:
        if not Path(path).exists():
            raise ResultsError(f"{path}: no such file; `snakemake --cores 2 multiverse` makes it")
        part = pd.read_csv(path, dtype={"case": str})
        if tuple(part.columns) != CURVES:
            raise ResultsError(f"{path}: columns {', '.join(part.columns)} are not allowed; {', '.join(CURVES)}")
        parts.append(part)
    table = pd.concat(parts, ignore_index=True).sort_values(list(CURVES[:5]), ignore_index=True)
    cases = design.cases(agents)
    loops = design.resolve(cases[0], design.kappas[0]).training.outer_loops
    names = sorted(case.name for case in cases)
    expected = pd.MultiIndex.from_product(
        [names, [agents], sorted(design.kappas), sorted(design.seeds), range(loops + 1)]
    )
    if not pd.MultiIndex.from_frame(table[list(CURVES[:5])]).equals(expected):
        raise ResultsError(
            f"curves: {len(table)} rows are not those of the design at {agents} agents; {len(names)} cases, "
            f"{len(design.kappas)} kappas, {len(design.seeds)} seeds and {loops + 1} loops, each once"
        )
    return table


def curves_of(design: Design, agents: int, table: pd.DataFrame) -> Iterator[tuple[Reading, pd.DataFrame]]:
    """Each reading with its curves as `results.read_curves` has them; TD errors are not kept and read as missing."""
    cases = {case.name: case for case in design.cases(agents)}
    parts = dict(iter(table.groupby("case", sort=False)))
    for reading in design.readings(agents):
        yield reading, _curves(design, reading, parts[reading.case], cases[reading.case])


def _curves(design: Design, reading: Reading, part: pd.DataFrame, case) -> pd.DataFrame:
    settings = design.resolve(case, design.kappas[0])
    # As `algorithm.train` reports it, in the same operations, so that the numbers are the same.
    share = 1.0 if reading.values.get("entropy_weight", "network") == "network" else 1.0 / reading.agents
    reported = part["unregularized"] + share * (part["regularized"] - part["unregularized"])
    beta = part["kappa"] if settings.training.beta is None else settings.training.beta
    constant = {
        "reading": reading.name, "graph": settings.environment.graph, "tau": settings.training.tau, "method": "exact",
        "regularized_se": 0.0, "unregularized_se": 0.0, "reported_se": 0.0, "td_error": np.nan,
    }  # fmt: skip
    samples = part["outer_loop"] * settings.training.trajectory_length
    return part.assign(**constant, beta=beta, reported=reported, samples=samples)[list(COLUMNS)].reset_index(drop=True)


def judge(
    design: Design, agents: int, table: pd.DataFrame, evaluate: Callable[[Reading, pd.DataFrame], pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Verdicts, a row per reading and claim, and what the runs come to, a row per reading and kappa.

    Args:
        design: the design that was run.
        agents: number of agents.
        table: from `read_jobs`.
        evaluate: the claims under one reading, with the columns `JUDGED`.
    """
    verdicts, finals = [], []
    for reading, curves in curves_of(design, agents, table):
        about = {"agents": agents, "reading": reading.name, "designed": reading.designed}
        chosen = {key: text_of(reading.values[key]) for key in design.choices}
        judged = evaluate(reading, curves)
        verdicts.append(judged[list(JUDGED)].assign(**about, **chosen)[[*about, *chosen, *JUDGED]])
        for kappa, runs in curves.groupby("kappa"):
            finals.append({**about, "kappa": kappa, **_final(runs)})
    return pd.concat(verdicts, ignore_index=True), pd.DataFrame(finals)


def _final(runs: pd.DataFrame) -> dict[str, float]:
    """Means over the seeds of `FINALS`, medians of the loops over the seeds that improved."""
    reported = matrix(runs, "reported")
    rising = reported[improved(reported, np.zeros_like(reported))]
    last = {
        name: matrix(runs, name)[:, -1].mean() for name in ("regularized", "unregularized", "visited_share", "entropy")
    }
    values = (
        last["regularized"], last["unregularized"], area(reported).mean(),
        *(float(np.median(loops_to(rising, share))) if len(rising) else np.nan for share in (0.5, 0.9)),
        last["visited_share"], last["entropy"],
    )  # fmt: skip
    return dict(zip(FINALS, map(float, values), strict=True))
