"""What the choices do to the verdicts: effects with intervals, and the reading that satisfies the most claims.

An *effect* is a contrast of a linear model with all main effects and, where the design can tell them apart, all pairs,
fitted to the readings of the fraction at one number of agents.  A main effect is the difference between the mean
outcome at a value of a choice and at its first value; a pair is the difference of two such differences.  The outcomes
of a claim are whether it is supported and whether it is contradicted (0 or 1, so an effect is a difference of shares),
and its statistic.

Intervals are delete-one-cluster jackknife with Student's t.  A cluster holds the readings that agree in everything but
trajectory_length and what is only measured.  They say how far an effect depends on the settings it was averaged over
and on the noise of the runs; all readings share the seeds, so noise common to all of them is not in the intervals.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from lpi.multiverse.design import MEASURED, Design
from lpi.results import ResultsError, must_exist

WITHIN = ("trajectory_length", *MEASURED)
"""Choices that vary within a cluster."""
OUTCOMES = ("supported", "contradicted", "statistic")
LEVEL = 0.95
DIGITS = 10
COLUMNS = (
    "agents", "claim", "outcome", "choice", "value", "with_choice", "with_value", "effect", "low", "high", "clear",
    "readings",
)  # fmt: skip
BEST_LABEL = "found by search, not what the authors did"
RULE = (
    "most claims supported; of these, fewest contradicted; of these, fewest choices that depart from as_printed; "
    "of these, the first name"
)
"""How the best reading is chosen; fixed before the multiverse was run."""
SENTENCES = ("reward_by_size", "rate_own", "unregularized_rises", "kappa3_worse", "works_outside")
"""One entry for each sentence of section 6.2 that curves of one number of agents can decide: a count without the claims on
best policies, and without a second measure of the same sentence.  It chooses nothing; it was added after looking."""


class Term(NamedTuple):
    """A contrast: one value of a choice against its first, alone or with another."""

    parts: tuple[tuple[str, str], ...]  # (choice, value as text)


def effects(verdicts: pd.DataFrame, design: Design, agents: int) -> pd.DataFrame:
    """Main effects and pairs on every claim at one number of agents, with the columns `COLUMNS`.

    `clear` says that the interval with the level shared among all effects on the same claim and outcome (Bonferroni)
    leaves out 0.  A statistic that is missing under some readings is fitted to the others.

    Args:
        verdicts: rows of `judge`: a row per reading and claim.
        design: gives the choices, in the order of the rows of the result.
        agents: number of agents.
    """
    table = verdicts[(verdicts["agents"] == agents) & verdicts["designed"]]
    if table.empty:
        raise ResultsError(f"agents: {agents} is not allowed; the verdicts have {sorted(set(verdicts['agents']))}")
    about = table.drop_duplicates("reading").set_index("reading")
    outcomes = _outcomes(table).reindex(about.index)
    fitted: dict[tuple[str, str], list[dict]] = {}
    # outcomes that are known under the same readings share their fits
    for known, columns in outcomes.T.groupby(lambda column: np.isfinite(outcomes[column]).to_numpy().tobytes()):
        rows = about[np.frombuffer(known, dtype=bool)]
        fitted |= zip(columns.index, _fit(rows, columns[rows.index].T.to_numpy(), design), strict=True)
    found = [
        {"agents": agents, "claim": claim, "outcome": outcome, **row}
        for claim, outcome in outcomes
        for row in fitted[claim, outcome]
    ]
    return pd.DataFrame(found, columns=list(COLUMNS))


def _outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """A row per reading, a column per (claim, outcome)."""
    found = {}
    for claim, rows in table.groupby("claim", sort=False):
        by_reading = rows.set_index("reading")
        for outcome in OUTCOMES[:2]:
            found[claim, outcome] = (by_reading["verdict"] == outcome).astype(float)
        found[claim, "statistic"] = by_reading["statistic"]
    return pd.DataFrame(found)


def _fit(rows: pd.DataFrame, values: np.ndarray, design: Design) -> list[list[dict]]:
    """Effects on outcomes, shape (readings, outcomes); none where the readings do not determine the main effects."""
    keys = [key for key in design.choices if rows[key].nunique() > 1]
    between = [key for key in keys if key not in WITHIN]
    cluster = rows.groupby(between, sort=False).ngroup().to_numpy() if between else np.zeros(len(rows))
    for order in (2, 1):
        terms, matrix = _contrasts(rows, keys, design, order)
        estimates = _jackknife(matrix, values, cluster) if terms else None
        if estimates is not None:
            break
    else:
        return [[] for _ in values.T]
    effect, error, freedom = estimates
    half = stats.t.ppf((1 + LEVEL) / 2, freedom) * error
    shared = stats.t.ppf(1 - (1 - LEVEL) / 2 / len(terms), freedom) * error
    return [
        [_described(term, *numbers, len(rows)) for term, *numbers in zip(terms, *columns, strict=True)]  # type: ignore[call-arg]
        for columns in zip(effect[1:].T, half[1:].T, shared[1:].T, strict=True)  # the constant is first
    ]


def _described(term: Term, effect: float, half: float, shared: float, readings: int) -> dict:
    (choice, value), (other, with_value) = (*term.parts, ("", ""))[:2]
    return {
        "choice": choice,
        "value": value,
        "with_choice": other,
        "with_value": with_value,
        "effect": effect,
        "low": effect - half,
        "high": effect + half,
        "clear": bool(abs(effect) > shared),
        "readings": readings,
    }


def _contrasts(rows: pd.DataFrame, keys: Sequence[str], design: Design, order: int) -> tuple[list[Term], np.ndarray]:
    """Terms up to an order, and the model matrix with a constant before them; columns are centred by design."""
    single: dict[str, list[tuple[Term, np.ndarray]]] = {}
    for key in keys:
        text = rows[key].to_numpy()
        levels = [level for level in map(text_of, design.choices[key]) if level in set(text)]
        single[key] = [(Term(((key, level),)), (text == level) - 1 / len(levels)) for level in levels[1:]]
    terms = list(itertools.chain.from_iterable(single.values()))
    if order == 2:
        for one, other in itertools.combinations(keys, 2):
            for (a, x), (b, y) in itertools.product(single[one], single[other]):
                terms.append((Term(a.parts + b.parts), x * y))
    columns = [np.ones(len(rows)), *(column for _, column in terms)]
    return [term for term, _ in terms], np.column_stack(columns)


def _jackknife(matrix: np.ndarray, values: np.ndarray, cluster: np.ndarray):
    """Least squares, jackknife standard errors, degrees of freedom; None where some fit is not determined.

    Shapes (coefficients, outcomes).  Rounded, so that a difference that is 0 but for rounding counts as 0.
    """
    groups = np.unique(cluster)
    if len(groups) < 2 or np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        return None
    normal, right = matrix.T @ matrix, matrix.T @ values
    left_out = []
    for group in groups:
        inside = cluster == group
        part = matrix[inside]
        left = normal - part.T @ part
        if np.linalg.matrix_rank(left, hermitian=True) < len(left):
            return None
        left_out.append(np.linalg.solve(left, right - part.T @ values[inside]))
    without = np.array(left_out)
    count = len(groups)
    error = np.sqrt((count - 1) / count * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    return np.linalg.solve(normal, right).round(DIGITS), error.round(DIGITS), count - 1


def text_of(value) -> str:
    """A value of a choice as the tables hold it."""
    return "null" if value is None else str(value)


def read_verdicts(path: str | os.PathLike) -> pd.DataFrame:
    """The table that `lpi multiverse verdicts` or `effects` wrote; the values of choices are text, as in `text_of`.

    Raises:
        ResultsError: no such file, or a column that is missing.
    """
    must_exist(path, "snakemake --cores 2 multiverse")
    header = pd.read_csv(path, nrows=0).columns
    missing = [
        name for name in ("agents", "reading", "designed", "claim", "statistic", "verdict") if name not in header
    ]
    if missing:
        raise ResultsError(f"{path}: column {missing[0]}: missing")
    numbers = {"agents": int, "designed": bool, "statistic": float, "low": float, "high": float}
    kinds = {name: numbers.get(name, str) for name in header}
    empty = {name: [""] for name, kind in kinds.items() if kind is float}
    return pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=empty)


def read_effects(path: str | os.PathLike) -> pd.DataFrame:
    """The table that `lpi multiverse effects` wrote; ResultsError if there is none or its columns are others."""
    must_exist(path, "snakemake --cores 2 multiverse")
    table = pd.read_csv(path, dtype={"value": str, "with_value": str}, keep_default_na=False)
    if tuple(table.columns) != COLUMNS:
        raise ResultsError(f"{path}: columns {', '.join(table.columns)} are not allowed; {', '.join(COLUMNS)}")
    return table


def counts(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Number of claims by verdict for each reading and number of agents, with the columns supported, contradicted."""
    keys = ["agents", "reading"]
    tallies = {
        name: (verdicts["verdict"] == name).groupby([verdicts[key] for key in keys]).sum() for name in OUTCOMES[:2]
    }
    return pd.DataFrame(tallies).reset_index()


def ordered(verdicts: pd.DataFrame, printed: str) -> pd.DataFrame:
    """`counts` of the readings at one number of agents, the one that satisfies the most claims first, by `RULE`.

    Args:
        verdicts: a row per reading and claim.
        printed: the name that as_printed has in the design.
    """
    tally = counts(verdicts)
    departures = tally["reading"].map(lambda name: sum(a != b for a, b in zip(name, printed, strict=True)))
    order = ["supported", "contradicted", "departures", "reading"]
    table = tally.assign(departures=departures).sort_values(order, ascending=[False, True, True, True])
    return table.reset_index(drop=True)


def best(verdicts: pd.DataFrame, design: Design) -> dict[str, Any]:
    """The reading that satisfies the most claims at the first number of agents of the design, ready for JSON.

    The first in the order of `ordered`; `tied` counts the readings that satisfy and contradict as many.
    """
    agents = design.blocks[0].agents
    table, printed = verdicts[verdicts["agents"] == agents], design.name_of("as_printed")
    tally = ordered(table, printed)
    first = tally.iloc[0]
    equal = (tally[list(OUTCOMES[:2])] == first[list(OUTCOMES[:2])]).all(axis=1)
    mine = table[(table["reading"] == first["reading"]) & (table["verdict"] == OUTCOMES[0])]
    return {
        "label": BEST_LABEL,
        "rule": RULE,
        "agents": agents,
        "reading": str(first["reading"]),
        "settings": reading_settings(design, str(first["reading"])),
        "claims": int(table["claim"].nunique()),
        "supported": int(first["supported"]),
        "contradicted": int(first["contradicted"]),
        "tied": int(equal.sum()),
        "among": len(tally),
        "claims_supported": list(mine["claim"]),
        "sentences": _by_sentences(table, printed, str(first["reading"])),
    }


def _by_sentences(table: pd.DataFrame, printed: str, best: str) -> dict[str, Any]:
    """What the same rule finds when it counts `SENTENCES` alone, beside what the best reading gets there."""
    tally = ordered(table[table["claim"].isin(SENTENCES)], printed)
    first, mine = tally.iloc[0], tally[tally["reading"] == best].iloc[0]
    equal = (tally[list(OUTCOMES[:2])] == first[list(OUTCOMES[:2])]).all(axis=1)
    found = table[(table["reading"] == first["reading"]) & table["claim"].isin(SENTENCES)]
    return {
        "claims": int(found["claim"].nunique()),
        "reading": str(first["reading"]),
        "supported": int(first["supported"]),
        "contradicted": int(first["contradicted"]),
        "claims_supported": list(found.loc[found["verdict"] == OUTCOMES[0], "claim"]),
        "tied": int(equal.sum()),
        "best_supported": int(mine["supported"]),
        "best_contradicted": int(mine["contradicted"]),
    }


def reading_settings(design: Design, name: str) -> dict:
    """The values of the choices that a reading's name stands for."""
    keys: Iterable[str] = (*design.trained, *design.measured)
    return {key: design.choices[key][int(digit)] for key, digit in zip(keys, name, strict=True)}
