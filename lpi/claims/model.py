"""What exact numbers of the model say about the claims that concern no learning: best local policies, optimal actions.

The losses are those of the best κ-hop policies *found*; a smaller loss may exist.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd

from lpi.claims.evidence import Data, Exact, Missing, _pair

TOLERANCE = 1e-6
"""Loss, in reward units, below which a policy counts as optimal."""
RESPONSE = 0.05
"""Rise of the probability of acting next to an infected agent below which nothing can be said of when it begins."""
EARLIER = 0.01
"""Difference in the share of that rise seen from two or more hops that counts."""
PREFERRED = 0.5
"""Probability above which an action is the preferred one: the entropy term keeps every probability inside (0, 1)."""


def local_loss(data: Data, contradicted_to: float, supported_from: float) -> list[Exact | Missing]:
    """Loss of the best policy on the own state alone (κ = 0), as a share of J* - J of the uniform policy."""
    found: list[Exact | Missing] = []
    for point, losses in data.losses.items():
        gap = data.gap(point)
        if gap is None or 0 not in losses:
            found.append(Missing("needs the optimum (table optima)" if gap is None else "needs κ = 0", *point))
            continue
        found.append(Exact(*point, "κ = 0", losses[0] / gap, "share of gap", contradicted_to, supported_from))
    return found


def loss_decay(data: Data) -> list[Exact | Missing]:
    """log of the loss at κ over that at the next κ, for every κ whose loss is not yet within the tolerance."""
    found: list[Exact | Missing] = []
    for point, losses in data.losses.items():
        kappas = sorted(losses)
        for low, high in itertools.pairwise(kappas):
            if losses[low] > TOLERANCE:
                value = float(np.log(losses[low] / max(losses[high], TOLERANCE)))
                found.append(Exact(*point, _pair(low, high), value, "log ratio of losses", 0.0, np.nextafter(0, 1)))
            elif losses[high] > 2 * TOLERANCE:
                found.append(Exact(*point, _pair(low, high), -np.inf, "log ratio of losses", 0.0, np.nextafter(0, 1)))
    return found


def acting_rows(data: Data, measure: Callable[[pd.DataFrame], list[Exact]]) -> list[Exact | Missing]:
    """A measure of the optimal policy of the agent in the middle of the line, unprotected, for each n."""
    found: list[Exact | Missing] = []
    for agents, rows in data.acting.groupby("agents"):
        middle = sorted(set(rows["agent"]), key=lambda i: (abs(2 * i - agents + 1), i))[0]
        rows = rows[(rows["agent"] == middle) & ~rows["protected"].astype(bool)]
        found += measure(rows.assign(hops=pd.to_numeric(rows["distance"], errors="coerce")))
    return found


def idle_when_safe(rows: pd.DataFrame) -> list[Exact]:
    """0.5 less the probability of acting when no agent is infected: positive if not acting is preferred."""
    safe = rows[rows["hops"].isna()]
    return [_exact(row, PREFERRED - row.high, "0.5 - probability", 0.0, 0.0) for row in safe.itertuples()]


def acts_when_near(rows: pd.DataFrame) -> list[Exact]:
    """The probability of acting less 0.5 with an infected neighbour: positive if acting is preferred."""
    near = rows[rows["hops"] == 1]
    return [_exact(row, row.probability - PREFERRED, "probability - 0.5", 0.0, 0.0) for row in near.itertuples()]


def earlier_when_weak(rows: pd.DataFrame) -> list[Exact]:
    """Share of the response to an infected neighbour that is there at two hops or more: smallest less largest p_eff.

    The response is the probability of acting less that with no agent infected.
    """
    agents = int(rows["agents"].iloc[0])
    reach: dict[float, float] = {}
    for p_eff, group in rows.groupby("p_eff"):
        by_hops = group.set_index("hops")["probability"]
        safe = by_hops[by_hops.index.isna()]
        far = by_hops[by_hops.index >= 2]
        if safe.empty or far.empty or 1 not in by_hops.index:
            continue
        response = by_hops.loc[1] - safe.iloc[0]
        reach[p_eff] = float((far.mean() - safe.iloc[0]) / response) if response >= RESPONSE else np.nan
    if len(reach) < 2:
        return []
    low, high = min(reach), max(reach)
    part = f"p_eff {low:g} : {high:g}"
    return [Exact(agents, np.nan, part, reach[low] - reach[high], "share of response", -EARLIER, EARLIER)]


def _exact(row, value: float, unit: str, contradicted_to: float, supported_from: float) -> Exact:
    part = f"p_eff = {row.p_eff:g}"
    return Exact(int(row.agents), np.nan, part, float(value), unit, contradicted_to, supported_from)
