"""Every claim judged under every reading of the multiverse, from the curves of its jobs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lpi import claims
from lpi.config import EnvironmentConfig, Settings
from lpi.multiverse.design import CURVES, Design, Reading
from lpi.multiverse.effects import text_of
from lpi.results import COLUMNS, ResultsError, must_exist
from lpi.summary import area, improved, loops_to, matrix

FINALS = ("final_regularized", "final_unregularized", "area_reported", "loops50", "loops90", "visited_share", "entropy")
JUDGED = ("claim", "part", "statistic", "low", "high", "unit", "verdict", "parts", "parts_supported")
"""What is kept of the verdict on a claim; the numbers are those of its part (pair of kappas) with the smallest
statistic: a claim about all pairs stands or falls with it."""
CLAIMS = (
    "reward_by_size", "rate_own", "rate_gap", "unregularized_rises", "kappa3_worse", "works_outside", "samples",
    "beyond_local", "large_local_loss", "gap_decays",
)  # fmt: skip
"""The claims that curves of one number of agents and tau can decide; reward_by_tau would repeat reward_by_size, and what
default_state does is an effect."""


def read_jobs(paths: Iterable[str | os.PathLike], design: Design, agents: int) -> pd.DataFrame:
    """The curves of all jobs at one number of agents, with the columns `multiverse.CURVES`.

    Raises:
        ResultsError: a file that is no job's, or cases, kappas, seeds or loops that are missing or twice.
    """
    parts = []
    for path in paths:
        must_exist(path, "snakemake --cores 2 multiverse")
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


def claims_under(design: Design, agents: int, table: pd.DataFrame) -> Callable[[Reading, pd.DataFrame], pd.DataFrame]:
    """Function from a reading and its curves to its verdicts by `lpi.claims`, with the columns `JUDGED`.

    The optimum and the best kappa-hop policies, which the claims hold the curves against, are computed once for each
    environment.  Where a reading was run for several trajectory lengths, the claim about samples sees all of them.
    """
    cases = {case.name: case for case in design.cases(agents)}
    others = _other_lengths(design, agents, table)
    known: dict[EnvironmentConfig, tuple[pd.DataFrame, pd.DataFrame]] = {}

    def evaluate(reading: Reading, curves: pd.DataFrame) -> pd.DataFrame:
        settings = design.resolve(cases[reading.case], max(design.kappas))
        environment = settings.environment
        if environment not in known:
            known[environment] = _truth(settings, design.kappas)
        optima, locality = known[environment]
        found = claims.evaluate(
            curves,
            optima.assign(reading=reading.name),
            locality,
            lengths=others(reading),
            conventions={reading.name: (environment.p1_means, environment.p2_means)},
            claims=CLAIMS,
        )
        return _one_row_each(found)

    return evaluate


def _other_lengths(design: Design, agents: int, table: pd.DataFrame) -> Callable[[Reading], pd.DataFrame | None]:
    """Function from a reading to its curves at all trajectory lengths, all else equal; None where there is only one."""
    cases = {case.name: case for case in design.cases(agents)}
    parts = dict(iter(table.groupby("case", sort=False)))
    alike: dict[tuple, list[str]] = {}
    for case in cases.values():
        alike.setdefault(_but_length(case.values), []).append(case.name)

    def lengths(reading: Reading) -> pd.DataFrame | None:
        found = []
        for name in alike[_but_length(cases[reading.case].values)]:
            length = design.resolve(cases[name], design.kappas[0]).training.trajectory_length
            found.append(_curves(design, reading, parts[name], cases[name]).assign(trajectory_length=length))
        return pd.concat(found, ignore_index=True) if len(found) > 1 else None

    return lengths


def _but_length(values: Mapping[str, Any]) -> tuple:
    return tuple((key, value) for key, value in values.items() if key != "trajectory_length")


def _one_row_each(found: pd.DataFrame) -> pd.DataFrame:
    """The overall verdict on each claim, with the part whose statistic is the smallest."""
    weakest = found.sort_values("statistic", kind="stable").drop_duplicates("claim").set_index("claim")
    overall = claims.overall(found).rename(columns={"supported": "parts_supported"})
    numbers = weakest.loc[overall["claim"], ["part", "statistic", "low", "high", "unit"]].reset_index(drop=True)
    return pd.concat([overall, numbers], axis=1)[list(JUDGED)]


def _truth(settings: Settings, kappas: Iterable[int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The optimum, a row, and the best kappa-hop policies found, a row per kappa, of one environment."""
    from lpi import exact
    from lpi.policy import LocalPolicy
    from lpi.spreading import from_settings

    mdp, environment, tau = from_settings(settings.environment), settings.environment, settings.training.tau
    best, uniform = exact.optimum(mdp, tau), exact.evaluate(mdp, LocalPolicy.uniform(mdp, 0), tau)
    shared = {"graph": environment.graph, "agents": environment.agents, "tau": tau, "optimum": best.regularized}
    optimum = {
        **shared,
        "optimum_unregularized": best.unregularized,
        "ceiling": exact.optimum(mdp, 0.0).unregularized,
        "uniform": uniform.regularized,
        "uniform_unregularized": uniform.unregularized,
    }
    found = exact.best_local_up_to(mdp, max(kappas), tau)
    conventions = {"p1_means": environment.p1_means, "p2_means": environment.p2_means}
    local = [
        {
            **conventions,
            **shared,
            "kappa": kappa,
            "uniform_loss": best.regularized - uniform.regularized,
            "regularized": found[kappa].regularized,
            "loss": best.regularized - found[kappa].regularized,
        }
        for kappa in kappas
    ]
    return pd.DataFrame([optimum]), pd.DataFrame(local)


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
