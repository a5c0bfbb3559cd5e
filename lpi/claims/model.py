"""What exact numbers of the model say about the claims that concern no learning: best local policies, optimal actions.

The losses are those of the best κ-hop policies *found*; a smaller loss may exist.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import cast

import numpy as np
import pandas as pd

from lpi.claims.evidence import Data, Exact, Missing, _pair
from lpi.config import SETTINGS

TOLERANCE = 1e-6
"""Loss, in reward units, below which a policy counts as optimal."""
RESPONSE = 0.05
"""Rise of the probability of acting next to an infected agent below which nothing can be said of when it begins."""
EARLIER = 0.01
"""Difference in probability, or in the share of that rise, with an infected agent at two or more hops that counts."""
PREFERRED = 0.5
"""Probability above which an action is the preferred one: the entropy term keeps every probability inside (0, 1)."""
UPPER_BOUND = "of the best policies found: the loss may be smaller"


def local_loss(data: Data, contradicted_to: float, supported_from: float) -> list[Exact | Missing]:
    """Loss of the best policy on the own state alone (κ = 0), as a share of J* - J of the uniform policy."""
    found: list[Exact | Missing] = []
    for point, losses in data.losses.items():
        gap = data.gap(point)
        if gap is None or 0 not in losses:
            found.append(Missing("needs the optimum (table optima)" if gap is None else "needs κ = 0", *point))
            continue
        found.append(
            Exact(*point, "κ = 0", losses[0] / gap, "share of gap", contradicted_to, supported_from, UPPER_BOUND)
        )
    return found


def loss_decay(data: Data) -> list[Exact | Missing]:
    """log of the loss at κ over that at the next κ, for every κ whose loss is not yet within the tolerance."""
    found: list[Exact | Missing] = []
    for point, losses in data.losses.items():
        kappas = sorted(losses)
        for low, high in itertools.pairwise(kappas):
            if losses[low] > TOLERANCE:
                value = float(np.log(losses[low] / max(losses[high], TOLERANCE)))
            elif losses[high] > 2 * TOLERANCE:
                value = -np.inf
            else:
                continue
            bounds = 0.0, float(np.nextafter(0, 1))
            found.append(Exact(*point, _pair(low, high), value, "log ratio of losses", *bounds, UPPER_BOUND))
    return found


def acting_rows(data: Data, measure: Callable[[pd.DataFrame], list[Exact]]) -> list[Exact | Missing]:
    """A measure of the optimal policy of the agent in the middle of the line, unprotected, for each n."""
    found: list[Exact | Missing] = []
    for agents, rows in cast(pd.DataFrame, data.acting).groupby("agents"):
        middle = sorted(set(rows["agent"]), key=lambda i: (abs(2 * i - agents + 1), i))[0]
        rows = rows[(rows["agent"] == middle) & ~rows["protected"].astype(bool)]
        found += measure(rows.assign(hops=pd.to_numeric(rows["distance"], errors="coerce")))
    return found


def idle_when_safe(rows: pd.DataFrame) -> list[Exact]:
    """0.5 less the probability of acting when no agent is infected: positive if not acting is preferred."""
    safe = rows[rows["hops"].isna()]
    return [_exact(row, PREFERRED - row.high, "0.5 - probability", 0.0, 0.0) for row in safe.itertuples()]


def idle_when_unseen(rows: pd.DataFrame) -> list[Exact]:
    """0.5 less the largest probability of acting while nobody within κ hops is infected, at the paper's p_eff, by κ.

    κ is at least 1, since an agent with κ = 0 observes no neighbour, and so small that somebody can be infected beyond.
    """
    rows = rows[rows["p_eff"] == SETTINGS["p_eff"].default]
    found = []
    for kappa in range(1, int(rows["hops"].max()) if rows["hops"].notna().any() else 0):
        unseen = rows[~(rows["hops"] <= kappa)]
        value, part = PREFERRED - unseen["high"].max(), f"p_eff = {unseen['p_eff'].iloc[0]:g}, κ = {kappa}"
        found.append(Exact(int(unseen["agents"].iloc[0]), np.nan, part, float(value), "0.5 - probability", 0.0, 0.0))
    return found


def acts_when_near(rows: pd.DataFrame) -> list[Exact]:
    """The probability of acting less 0.5 with an infected neighbour, at the paper's p_eff: positive if acting is preferred."""
    return _acting_near(rows[rows["p_eff"] == SETTINGS["p_eff"].default])


def acts_when_near_elsewhere(rows: pd.DataFrame) -> list[Exact]:
    """`acts_when_near` at every other p_eff in the table."""
    return _acting_near(rows[rows["p_eff"] != SETTINGS["p_eff"].default])


def _acting_near(rows: pd.DataFrame) -> list[Exact]:
    near = rows[rows["hops"] == 1]
    return [_exact(row, row.probability - PREFERRED, "probability - 0.5", 0.0, 0.0) for row in near.itertuples()]


def earlier_when_weak(rows: pd.DataFrame) -> list[Exact]:
    """Share of the response to an infected neighbour that is there at two hops or more, compared by p_eff.

    The response is the probability of acting less that with no agent infected.
    """
    reach: dict[float, float] = {}
    for p_eff, (safe, near, far) in _by_distance(rows).items():
        response = near - safe
        reach[p_eff] = (far - safe) / response if response >= RESPONSE else np.nan
    return _falling(rows, reach, "share of response")


def earlier_absolute(rows: pd.DataFrame) -> list[Exact]:
    """Probability of acting when the nearest infected agent is two hops away or more, compared by p_eff."""
    return _falling(rows, {p_eff: far for p_eff, (_, _, far) in _by_distance(rows).items()}, "probability")


def earlier_preferred(rows: pd.DataFrame) -> list[Exact]:
    """Hops at which the nearest infected agent still makes acting the preferred action, compared by p_eff; 0: at none."""
    preferred = rows[(rows["probability"] > PREFERRED) & (rows["hops"] >= 1)].groupby("p_eff")["hops"].max()
    return _falling(rows, {float(p_eff): float(preferred.get(p_eff, 0)) for p_eff in rows["p_eff"].unique()}, "hops")


def _by_distance(rows: pd.DataFrame) -> dict[float, tuple[float, float, float]]:
    """p_eff -> probability of acting with no one infected, with a neighbour, and with the nearest at two hops or more."""
    found = {}
    for p_eff, group in rows.groupby("p_eff"):
        by_hops = group.set_index("hops")["probability"]
        safe, far = by_hops[by_hops.index.isna()], by_hops[by_hops.index >= 2]
        if not safe.empty and not far.empty and 1 in by_hops.index:
            found[float(p_eff)] = float(safe.iloc[0]), float(by_hops.loc[1]), float(far.mean())
    return found


def _falling(rows: pd.DataFrame, values: dict[float, float], unit: str) -> list[Exact]:
    """The value at the smallest p_eff less that at the largest, and every step between neighbours that goes the other way."""
    agents, order = int(rows["agents"].iloc[0]), sorted(values)
    ends = [(order[0], order[-1])] if len(order) > 1 else []
    steps = [(low, high) for low, high in itertools.pairwise(order) if values[low] - values[high] <= -EARLIER]
    return [
        Exact(agents, np.nan, f"p_eff {low:g} : {high:g}", values[low] - values[high], unit, -EARLIER, EARLIER)
        for low, high in dict.fromkeys(ends + steps)
    ]


def _exact(row, value: float, unit: str, contradicted_to: float, supported_from: float) -> Exact:
    part = f"p_eff = {row.p_eff:g}"
    return Exact(int(row.agents), np.nan, part, float(value), unit, contradicted_to, supported_from)
