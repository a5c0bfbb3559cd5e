"""Sentences and small tables that say what the multiverse shows; every number is computed from its tables.

The notebook and the replication report share them.  `name` turns the key of a claim into what is shown for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from lpi.claims import CLAIMS, VERDICTS
from lpi.config import SETTINGS
from lpi.multiverse.design import Design
from lpi.multiverse.effects import text_of

MOST = 5
"""Effects of each kind (choices, pairs) shown for a claim and verdict, the largest; the table of effects has all."""
FLIPPED = ("supported", "contradicted")
"""Verdicts whose shares of the readings are compared."""


def opening(verdicts: pd.DataFrame, design: Design) -> str:
    """How many readings were run, and how they were chosen."""
    parts = []
    for block in design.blocks:
        rows = verdicts[verdicts["agents"] == block.agents].drop_duplicates("reading")
        cases = design.cases(block.agents)
        runs = len(cases) * len(design.kappas) * len(design.seeds)
        beside = len(rows) - int(rows["designed"].sum())
        parts.append(
            f"- n = {block.agents}: **{len(rows)} readings** ({len(rows) - beside} in the fraction, {beside} shipped ones "
            f"beside it) from {runs:,} runs of {len(cases)} settings; "
            + ("all values of the choices" if not block.only else f"only {_assigned(block.only)}")
        )
    return (
        f"Choices and the values tried: {tried(verdicts)}. κ = {_list(design.kappas)}, "
        f"{len(design.seeds)} seeds for each. Other settings: {_assigned(design.settings)}, and the defaults.\n\n"
        + "\n".join(parts)
    )


def tried(verdicts: pd.DataFrame) -> str:
    """The choices with the values tried, the first being the one that effects compare with."""
    keys = [key for key in verdicts.columns if key in SETTINGS and key != "agents"]
    return "; ".join(f"`{key}`: {_list(dict.fromkeys(verdicts[key]))}" for key in keys)


def shares(verdicts: pd.DataFrame, name: Callable[[str], str] = str) -> str:
    """Table: for each claim the share of the fraction's readings with each verdict, at each number of agents."""
    table = verdicts[verdicts["designed"]]
    found = [verdict for verdict in VERDICTS if verdict in set(table["verdict"])]
    readings = table.groupby("agents")["reading"].nunique()
    sizes = ", ".join(f"{count:,} at n = {agents}" for agents, count in readings.items())
    lines = [f"| Claim | {' | '.join(found)} |", "|---|" + "---:|" * len(found)]
    for claim, rows in table.groupby("claim", sort=False):
        parts = dict(iter(rows.groupby("agents")))
        cells = [" / ".join(_percent(parts.get(n), verdict) for n in readings.index) for verdict in found]
        lines.append(f"| {name(claim)} | {' | '.join(cells)} |")
    return f"Shares in % of the readings: {sizes}.\n\n" + "\n".join(lines)


def flips(effects: pd.DataFrame, agents: int, name: Callable[[str], str] = str) -> str:
    """Table: the choices and pairs that clearly change how often each claim is supported, and how often contradicted."""
    table = effects[(effects["agents"] == agents) & effects["outcome"].isin(FLIPPED)]
    clear = table[table["clear"].astype(bool)]  # a table without rows has no type
    clear = clear.sort_values("effect", key=abs, ascending=False, kind="stable")
    lines, none = ["| Claim | share that is | choices | pairs of choices |", "|---|---|---|---|"], []
    for claim in dict.fromkeys(table["claim"]):
        rows = clear[clear["claim"] == claim]
        if rows.empty:
            none.append(name(claim))
        shown = name(claim)
        for verdict in (verdict for verdict in FLIPPED if verdict in set(rows["outcome"])):
            part = rows[rows["outcome"] == verdict]
            single = part["with_choice"] == ""
            cells = [_largest(part[single], _main), _largest(part[~single], _pair)]
            lines.append(f"| {shown} | {verdict} | {' | '.join(cells)} |")
            shown = ""
    closing = f"\n\nNo choice and no pair clearly changes: {'; '.join(none)}." if none else ""
    return (
        "Change of the share of readings under which a claim is supported or contradicted (+1: from none to all) with its "
        "95 % interval: of a choice, against its first value; of a pair, how much the one changes the effect of the other. "
        "Shown is what stays clear of 0 at the level shared among all effects on the claim and verdict, of each kind the "
        f"largest {MOST}.\n\n" + "\n".join(lines) + closing
    )


def named(verdicts: pd.DataFrame, readings: Mapping[str, str]) -> str:
    """Table: verdict of each claim under some readings, a column for each and each number of agents they were run at."""
    found = [
        (f"`{name}`, n = {n}", rows.set_index("claim")["verdict"])
        for name, reading in readings.items()
        for n, rows in verdicts[verdicts["reading"] == reading].groupby("agents")
    ]
    lines = [f"| Claim | {' | '.join(title for title, _ in found)} |", "|---|" + "---|" * len(found)]
    for claim in dict.fromkeys(verdicts["claim"]):
        lines.append(f"| {claim} | {' | '.join(column.get(claim, '–') for _, column in found)} |")
    return "\n".join(lines)


def best_sentence(best: Mapping[str, Any]) -> str:
    """What the reading found by search is, and how far it can be believed."""
    return (
        f"`best_match` ({best['label']}) has the most claims supported of {best['among']} readings at n = "
        f"{best['agents']}: {best['supported']} of {best['claims']}, with {best['contradicted']} contradicted; {best['tied']} "
        f"reading{'s have' if best['tied'] != 1 else ' has'} these counts. As the largest of so many counts on the same seeds "
        f"it is likely to do less well on new ones. {sentences_sentence(best)}"
    )


def sentences_sentence(best: Mapping[str, Any]) -> str:
    """How many of the supported claims are about learning, and what a count of these alone would have chosen."""
    of_model = sum(CLAIMS[name].rule == "exact" for name in best["claims_supported"])
    other = best["sentences"]
    text = (
        f"{of_model} of its {best['supported']} supported claims are about best policies and not about learning. Of "
        f"{other['claims']} sentences of section 6.2 that are about learning, each counted once, it has "
        f"{other['best_supported']} supported and {other['best_contradicted']} contradicted"
    )
    if other["supported"] == other["best_supported"] and other["contradicted"] == other["best_contradicted"]:
        return f"{text}; no reading does better."
    names = ", ".join(f"`{name}`" for name in other["claims_supported"])
    alone = "no other reading has" if other["tied"] == 1 else f"{other['tied']} readings have"
    return (
        f"{text}; counted so, reading {other['reading']} is first with {other['supported']} and {other['contradicted']} "
        f"({names}; {alone} these counts)."
    )


def best_match(best: Mapping[str, Any]) -> str:
    """The same with the rule of the choice and its values."""
    values = "\n".join(f"| `{key}` | {text_of(value)} |" for key, value in best["settings"].items())
    return (
        f"{best_sentence(best)} It is the reading {best['reading']}. Rule: {best['rule']}.\n\n"
        f"| choice | value |\n|---|---|\n{values}"
    )


def agreement(verdicts: pd.DataFrame) -> str:
    """How often the readings that were run at several numbers of agents have the same verdict at all of them."""
    wide = verdicts.pivot(index=["claim", "reading"], columns="agents", values="verdict").dropna()
    if wide.shape[1] < 2 or wide.empty:
        return "No reading was run at more than one number of agents."
    same = wide.nunique(axis=1) == 1
    order = [claim for claim in dict.fromkeys(verdicts["claim"]) if claim in wide.index.levels[0]]
    rates = same.groupby("claim").agg(["sum", "size"])
    lines = [f"| {claim} | {rates.loc[claim, 'sum']} of {rates.loc[claim, 'size']} |" for claim in order]
    return f"| Claim | same verdict at n = {_list(wide.columns)} |\n|---|---:|\n" + "\n".join(lines)


def _percent(rows: pd.DataFrame | None, verdict: str) -> str:
    return "–" if rows is None else f"{100 * (rows['verdict'] == verdict).mean():.0f}"


def _largest(rows: pd.DataFrame, words: Callable[[Any], str]) -> str:
    return "<br>".join(map(words, rows.head(MOST).itertuples())) or "–"


def _main(row) -> str:
    return f"`{row.choice}` = {row.value}: {_interval(row)}"


def _pair(row) -> str:
    return f"`{row.choice}` = {row.value} with `{row.with_choice}` = {row.with_value}: {_interval(row)}"


def _interval(row) -> str:
    # no line breaks within an interval
    return f"{row.effect:+.2f}\u00a0[{row.low:+.2f},\u00a0{row.high:+.2f}]".replace("-", "−")


def _assigned(values: Mapping[str, Any]) -> str:
    words = {
        key: _list(map(text_of, value)) if isinstance(value, (list, tuple)) else text_of(value)
        for key, value in values.items()
    }
    return ", ".join(f"`{key}` = {word}" for key, word in words.items())


def _list(values) -> str:
    return ", ".join(map(str, values))
