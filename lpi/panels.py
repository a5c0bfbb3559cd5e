"""Panels: a number of agents n with an entropy weight tau each; which are asked for, and their rows in a table of curves.

Notebooks pass on what their user has typed, so that everything is checked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import pandas as pd

from lpi.mistakes import shown
from lpi.results import ResultsError


def panels_of(agents: Iterable[int], taus: Iterable[float]) -> list[tuple[int, float]]:
    """The panels of a figure: every n with every tau, in the order given; ResultsError for what is no list of numbers."""
    agents, taus = number_list("agents", agents), number_list("taus", taus)
    return [(n, tau) for n in agents for tau in taus]


def number_list(name: str, values: Any) -> list[Any]:
    """A parameter that is a list of numbers; ResultsError, with its name, for anything else or an empty one."""
    listed = list(values) if isinstance(values, Iterable) else []
    if not listed or any(isinstance(value, bool) or not isinstance(value, Real) for value in listed):
        raise ResultsError(f"{name}: {shown(values)} is not allowed; a list of one or more numbers")
    return listed


def check_panels(panels: Any) -> None:
    """ResultsError for what is no list of pairs (agents, tau)."""
    pairs = isinstance(panels, Sequence) and all(isinstance(panel, Sequence) and len(panel) == 2 for panel in panels)
    if not pairs or not panels:
        raise ResultsError(f"panels: {shown(panels)} is not allowed; a list of one or more pairs of n and tau")
    number_list("panels", [value for panel in panels for value in panel])


def select(curves: pd.DataFrame, agents: int, tau: float, kappas: Sequence[int] | None = None) -> pd.DataFrame:
    """The rows of one panel; ResultsError if a kappa has none or if there is more than one reading."""
    readings = sorted(set(curves["reading"]))
    if len(readings) != 1:
        raise ResultsError(f"column reading: {readings} is not allowed; curves of exactly one reading")
    panel = curves[(curves["agents"] == agents) & (curves["tau"] == tau)]
    wanted = sorted(set(panel["kappa"])) if kappas is None else number_list("kappas", kappas)
    missing = [kappa for kappa in wanted if kappa not in set(panel["kappa"])]
    if panel.empty or missing:
        lacking = f", kappa {', '.join(map(str, missing))}" if missing else ""
        there = f"kappa {_listed(panel['kappa'])}" if len(panel) else _panels_in(curves)
        raise ResultsError(
            f"reading {readings[0]}: no curves for agents {agents}, tau {tau}{lacking}; there are {there}"
        )
    return panel[panel["kappa"].isin(wanted)]


def _listed(values: Iterable) -> str:
    return ", ".join(f"{value:g}" for value in sorted(set(values)))


def _panels_in(curves: pd.DataFrame) -> str:
    taus = curves.groupby("agents")["tau"]
    return "; ".join(f"agents {n}, tau {_listed(values)}" for n, values in taus)
