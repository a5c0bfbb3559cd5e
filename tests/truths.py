"""Tables made up for the tests of Figures 4 to 6 and their sentences."""

from __future__ import annotations

import itertools
import math

from lpi import tables
from lpi.truth.tables import ACTING, LOCALITY, OPTIMA


def optimum(agents=8, tau=0.05, reading="working", **changed):
    """A row of the optima: J* = 40 and the uniform policy 37, of the unregularised reward 39 and 36."""
    return {
        "reading": reading,
        "graph": "line",
        "agents": agents,
        "tau": tau,
        "optimum": 40.0,
        "optimum_unregularized": 38.0,
        "ceiling": 39.0,
        "uniform": 37.0,
        "uniform_unregularized": 36.0,
        "error_bound": 1e-9,
        "method": "decoupled",
    } | changed


def optima(path, *rows):
    """A file of optima."""
    tables.write(path, OPTIMA, rows)
    return path


def locality(path, means=("success", "success"), agents=(8,), taus=(0.05,), losses=(0.1, 0.01, 1e-12), **changed):
    """A file of losses by kappa; that of the last kappa is below its error bound."""
    rows = [
        {
            "p1_means": means[0],
            "p2_means": means[1],
            "graph": "line",
            "agents": n,
            "tau": tau,
            "gamma": 0.95,
            "kappa": kappa,
            "optimum": 40.0,
            "uniform_loss": 0.5,
            "regularized": 40.0 - value,
            "loss": value,
            "error_bound": 1e-9,
            "stationarity": 1e-10,
            "start": "uniform",
            "starts": 4,
            "spread": 2e-9,
            "iterations": 3,
            "interaction": 2.08,
            "least_tau": math.nan,
            "hypotheses_met": "no",
            "bound": math.nan,
            "range": 31.5,
        }
        | changed
        for n in agents
        for tau in taus
        for kappa, value in enumerate(losses)
    ]
    tables.write(path, LOCALITY, rows)
    return path


def acting(path, means=("success", "success"), p_effs=(0.1, 0.5), widths=(3.0, 2.0), place="middle"):
    """A file of acting probabilities that fall linearly from 0.8 at one hop to 0.2 over `widths` hops."""
    rows = []
    for p_eff, width in zip(p_effs, widths, strict=True):
        for protected, distance in itertools.product(("no", "yes"), (0.0, 1.0, 2.0, 3.0, 4.0, math.nan)):
            far = 1.0 if math.isnan(distance) else min(max(distance - 1, 0) / width, 1.0)
            value = 0.8 - 0.6 * far
            rows.append(
                {
                    "p1_means": means[0],
                    "p2_means": means[1],
                    "graph": "line",
                    "agents": 9,
                    "tau": 0.05,
                    "p_eff": p_eff,
                    "place": place,
                    "protected": protected,
                    "distance": distance,
                    "states": 2,
                    "acting": value,
                    "least": value - 0.01,
                    "most": value + 0.02,
                }
            )
    tables.write(path, ACTING, rows)
    return path
