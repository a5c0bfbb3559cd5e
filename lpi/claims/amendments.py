"""What was changed in the rules after the first verdicts were seen, and what they were then.

No threshold was moved; two were added, `evidence.STILL_RISING` and `evidence.SLIGHTLY`, with the curves known.
An entry says which claims it is about; the verdicts before are those of the table `BEFORE`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd

BEFORE = "workflow/report/verdicts_before_amendments.csv"
"""Columns reading, claim, verdict: overall verdicts on the same runs by the rules as first fixed; those of an entry that was
added and later changed are by its own first rule."""


class Amendment(NamedTuple):
    """A change of the rules, made after looking."""

    claims: tuple[str, ...]
    what: str
    why: str


AMENDMENTS = (
    Amendment(
        ("acts_when_near", "acts_when_near_elsewhere"),
        "judged at the paper's p_eff; the other values are an entry of their own",
        "the sentence is about the paper's example; a failure at a p_eff of our choosing says nothing against it",
    ),
    Amendment(
        ("earlier_when_weak", "earlier_absolute"),
        "a step between neighbouring p_eff that goes the other way counts too, and the probability itself is a second entry",
        "only the smallest and the largest p_eff were compared, by one of two possible measures",
    ),
    Amendment(
        ("kappa3_slightly",),
        "a second entry, with an upper bound",
        "the paper says slightly worse; the first rule took any drop, however large",
    ),
    Amendment(
        ("kappa3_slightly",),
        "the upper bound is not tested where κ = 2 is not better than κ = 0 for certain",
        "a share of a rise that is not there says nothing of what is slight; without one the entry only repeated another's "
        "failure",
    ),
    Amendment(
        ("idle_when_unseen",),
        "an entry of its own beside the one for nobody infected at all",
        "the paper speaks of the κ-hop neighbours; with nobody infected anywhere the sentence holds whatever is computed",
    ),
    Amendment(
        ("earlier_preferred",),
        "a third entry, by the distance at which action 1 is the preferred one",
        "it is how the two sentences before it are judged, and what taking the action earlier says most plainly",
    ),
    Amendment(
        ("works_somewhere",),
        "a second entry, for the best κ of each panel",
        "the paper does not say that LPI performs well for every κ",
    ),
    Amendment(
        ("rate_own", "similar_rates"),
        "a run that at the end still rises at more than half of its average pace has no rate",
        "its own improvement is not known yet",
    ),
    Amendment(
        ("samples",),
        "two lengths that both lie outside those run, on the same side, are not compared",
        "their difference is unknown, not zero",
    ),
)


def changed(verdicts: pd.DataFrame, before: str | Path = BEFORE) -> pd.DataFrame:
    """Claims with another overall verdict than before, columns reading, claim, before, verdict.

    Args:
        verdicts: of `claims.overall`.
        before: CSV of the first verdicts.
    """
    both = pd.read_csv(before, dtype=str).rename(columns={"verdict": "before"}).merge(verdicts, on=["reading", "claim"])
    return both.loc[both["before"] != both["verdict"], ["reading", "claim", "before", "verdict"]].reset_index(drop=True)
