"""Sentences and small tables that say what the multiverse shows; every number is computed from its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lpi.multiverse.design import Design
from lpi.multiverse.effects import text_of

MOST_PAIRS = 5
"""Pairs shown for each claim, the largest; the table of effects has all."""


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
    tried = "; ".join(f"`{key}`: {', '.join(map(text_of, values))}" for key, values in design.choices.items())
    return (
        f"Choices and the values tried, the first being that of `as_printed`: {tried}. κ = {_list(design.kappas)}, "
        f"{len(design.seeds)} seeds for each. Other settings: {_assigned(design.settings)}, and the defaults.\n\n"
        + "\n".join(parts)
    )


def shares(verdicts: pd.DataFrame) -> str:
    """Table: for each claim and number of agents the share of the fraction's readings with each verdict."""
    table = verdicts[verdicts["designed"]]
    names = list(dict.fromkeys(table["verdict"]))
    lines = [f"| Claim | n | readings | {' | '.join(names)} |", "|---|---:|---:|" + "---:|" * len(names)]
    for (claim, agents), rows in table.groupby(["claim", "agents"], sort=False):
        cells = [f"{100 * (rows['verdict'] == name).mean():.0f} %" for name in names]
        lines.append(f"| {claim} | {agents} | {len(rows)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def flips(effects: pd.DataFrame, agents: int) -> str:
    """For each claim the choices and pairs that clearly change the share of readings under which it is supported."""
    table = effects[(effects["agents"] == agents) & (effects["outcome"] == "supported")]
    lines = []
    for claim, rows in table.groupby("claim", sort=False):
        clear = rows[rows["clear"]].sort_values("effect", key=abs, ascending=False, kind="stable")
        main, pairs = clear[clear["with_choice"] == ""], clear[clear["with_choice"] != ""]
        lines += [f"- **{claim}**: " + ("; ".join(map(_main, main.itertuples())) or "no single choice clearly")]
        if len(pairs):
            more = f" (the largest {MOST_PAIRS} of {len(pairs)})" if len(pairs) > MOST_PAIRS else ""
            lines += [f"    - pairs{more}: " + "; ".join(map(_pair, pairs.head(MOST_PAIRS).itertuples()))]
    return (
        "Change of the share of readings under which a claim is supported, with its 95 % interval; shown is what stays "
        "clear of 0 at the level shared among all effects on the claim.\n\n" + "\n".join(lines)
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


def best_match(best: Mapping[str, Any]) -> str:
    """What the reading found by search is."""
    values = "\n".join(f"| `{key}` | {text_of(value)} |" for key, value in best["settings"].items())
    return (
        f"`best_match` ({best['label']}): reading {best['reading']} at n = {best['agents']}, with {best['supported']} of "
        f"{best['claims']} claims supported and {best['contradicted']} contradicted; {best['tied']} "
        f"reading{'s have' if best['tied'] != 1 else ' has'} these counts. Rule: {best['rule']}. As the largest of "
        f"{best['among']} counts on the same seeds it is likely to do less well on new ones.\n\n"
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


def _main(row) -> str:
    return f"`{row.choice}` = {row.value}: {_interval(row)}"


def _pair(row) -> str:
    return f"`{row.choice}` = {row.value} with `{row.with_choice}` = {row.with_value}: {_interval(row)}"


def _interval(row) -> str:
    return f"{row.effect:+.2f} [{row.low:+.2f}, {row.high:+.2f}]".replace("-", "−")


def _assigned(values: Mapping[str, Any]) -> str:
    words = {
        key: _list(map(text_of, value)) if isinstance(value, (list, tuple)) else text_of(value)
        for key, value in values.items()
    }
    return ", ".join(f"`{key}` = {word}" for key, word in words.items())


def _list(values) -> str:
    return ", ".join(map(str, values))
