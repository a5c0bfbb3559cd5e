"""The claims of one reading judged on the tables that the workflow computes for it.

    python -m lpi.claims.judge --curves curves.csv --optima optima.csv --output claims.csv \
        [--convention success,success --locality success_success.csv --acting success_success.csv]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

import pandas as pd

from lpi.claims import evaluate
from lpi.claims.report import write
from lpi.results import ResultsError, read_curves
from lpi.tables import frame
from lpi.truth.tables import ACTING, LOCALITY, OPTIMA


def acting_of(table: pd.DataFrame) -> pd.DataFrame:
    """A table of `lpi acting` with the columns that the claims read: agent, probability, high, protected as a truth value."""
    agent = table["agents"] // 2 * (table["place"] == "middle")
    return table.assign(
        agent=agent, probability=table["acting"], high=table["most"], protected=table["protected"] == "yes"
    )


def judge(
    curves: Path, optima: Path, convention: str | None = None, locality: Path | None = None, acting: Path | None = None
) -> pd.DataFrame:
    """Table of `claims.evaluate` for the one reading of a curves file.

    Without a convention of p1 and p2 the best local and the optimal policies say nothing of the reading, because its
    environment is another one.

    Raises:
        ResultsError: a file that cannot be used, or optima without one of the panels of the curves.
    """
    rows = read_curves(curves)
    (reading,) = set(rows["reading"])
    best = frame(optima, OPTIMA)
    known = set(zip(best["agents"], best["tau"], strict=True))
    for agents, tau in sorted(set(zip(rows["agents"], rows["tau"], strict=True)) - known):
        raise ResultsError(f"{optima}: no row for agents {agents}, tau {tau}; one for each panel of {curves}")
    return evaluate(
        rows,
        best.dropna(subset=["optimum"]),
        None if locality is None else frame(locality, LOCALITY),
        None if acting is None else acting_of(frame(acting, ACTING)),
        conventions={} if convention is None else {reading: cast("tuple[str, str]", tuple(convention.split(",")))},
    )


def main(arguments: list[str] | None = None) -> None:
    """Judge and write."""
    parser = argparse.ArgumentParser(prog="python -m lpi.claims.judge", description=__doc__.splitlines()[0])
    for name in ("curves", "optima", "output"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    for name in ("locality", "acting"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--convention", help="what p1 and p2 mean, such as success,success")
    options = parser.parse_args(arguments)
    found = judge(options.curves, options.optima, options.convention, options.locality, options.acting)
    write(found, options.output)


if __name__ == "__main__":
    main()
