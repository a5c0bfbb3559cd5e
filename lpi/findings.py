"""Sentences and small tables that say, beside the paper's text, what the curves show.

Every number is computed from the curves; nothing is claimed beyond medians and quartiles of the seeds at hand.  Tests
and intervals are not for this module.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lpi.config import READINGS, SETTINGS, check_setting
from lpi.mistakes import shown
from lpi.panels import check_panels, select
from lpi.results import ResultsError
from lpi.summary import (
    SHARES,
    final_visited,
    loops,
    matrix,
    method_text,
    percent,
    quantity_name,
    quartiles,
    reward,
    seeds_of,
    with_quartiles,
)

SEPARATE, OVERLAP = ">", "≈"
KEY = (
    f"Final medians, highest first; between neighbours {SEPARATE} means that their quartile ranges (25–75 % of the seeds) "
    f"do not overlap, {OVERLAP} that they do."
)


def opening(
    curves: pd.DataFrame,
    panels: Sequence[tuple[int, float]],
    quantity: str | None = None,
    kappas: Sequence[int] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> str:
    """What the curves of some panels are: reading, network, parameters, seeds, loops, samples, method, settings.

    Args:
        settings: those of the runs; without them the text can only say what the shipped reading sets.

    Raises:
        ResultsError: no panel, a panel or kappa without curves, several readings, or a parameter of another type.
        ConfigError: a setting that does not exist or is not allowed.
    """
    check_panels(panels)
    if not isinstance(settings, Mapping | None):
        raise ResultsError(f"settings: {shown(settings)} is not allowed; names and values, or None")
    used = pd.concat([select(curves, agents, tau, kappas) for agents, tau in panels])
    last = used[used["outer_loop"] == used["outer_loop"].max()]
    per_loop = sorted(
        {samples // loop for samples, loop in zip(last["samples"], last["outer_loop"], strict=True) if loop}
    )
    first = (
        f"Reading **{used['reading'].iloc[0]}**, {_list(used['graph'])} of n = {_list(used['agents'])} agents, "
        f"τ = {_list(used['tau'])}, κ = {_list(used['kappa'])}: {seeds_of(used)} for each, "
        f"{used['outer_loop'].max()} outer loops of {' or '.join(f'{count:,}' for count in per_loop)} TD updates of "
        "each agent."
    )
    sentences = [first]
    if quantity:
        sentences.append(f"Drawn: {quantity_name(used, quantity)} (column `{quantity}`).")
    sentences.append(f"{method_text(used)}{_largest_error(used, quantity or 'reported')}.")
    shipped = READINGS.get(used["reading"].iloc[0])
    if settings is not None:
        sentences.append(f"Settings: {_assigned(_telling(settings))}; all others have their defaults.")
    elif shipped:
        sentences.append(f"As shipped the reading sets {_assigned(shipped)}; a configuration file may override it.")
    return " ".join(sentences)


def ranking(table: pd.DataFrame) -> str:
    """For each panel of a figure's summary table the kappas by final median, and whether J rises with kappa."""
    return f"{KEY}\n\n{_bullets(table)}"


def rankings(table: pd.DataFrame) -> str:
    """`ranking` of every figure of a summary table."""
    figures = table.groupby("figure", sort=False)
    return f"{KEY}\n" + "".join(f"\n**{name}**\n\n{_bullets(rows)}\n" for name, rows in figures)


def steps(table: pd.DataFrame, also: Iterable[tuple[int, int]] = ()) -> str:
    """Table of the change of the final median from each kappa to the next, and for further pairs, by panel."""
    pairs = [*itertools.pairwise(sorted(set(table["kappa"]))), *also]
    panels = _panels(table)
    lines = ["| Change of the final median | " + " | ".join(title for title, _ in panels) + " |"]
    lines.append("|---|" + "---:|" * len(panels))
    for low, high in pairs:
        cells = []
        for _, rows in panels:
            found = {row["kappa"]: row for row in rows}
            if low in found and high in found:
                change = found[high]["final_median"] - found[low]["final_median"]
                overlap = " (quartiles overlap)" if _overlap(found[low], found[high]) else ""
                cells.append(f"{change:+.3f}{overlap}".replace("-", "−"))
            else:
                cells.append("–")
        lines.append(f"| κ = {low} → {high} | {' | '.join(cells)} |")
    return "\n".join(lines)


def speed(table: pd.DataFrame, share: int = 90) -> str:
    """Table of the loops to 50 or 90 % of the runs' own improvement by kappa and panel, and whether they rise."""
    panels, name = _panels(table), f"loops{share}"
    kappas = sorted(set(table["kappa"]))
    lines = [f"| Loops to {share} % of own improvement | " + " | ".join(title for title, _ in panels) + " |"]
    lines.append("|---|" + "---:|" * len(panels))
    cell = with_quartiles(name, loops)
    for kappa in kappas:
        cells = []
        for _, rows in panels:
            row = next((row for row in rows if row["kappa"] == kappa), None)
            cells.append("–" if row is None else cell(row) + _unless_all(row))
        lines.append(f"| κ = {kappa} | {' | '.join(cells)} |")
    rising = [title for title, rows in panels if _rises([row[f"{name}_median"] for row in rows])]
    lines.append(
        f"\nMedian [25 %, 75 % quartile] over the seeds that end above their loop 0; their number stands in brackets "
        f"where not all do. These loops grow with every step of κ in {_count(rising, table)}."
    )
    return "\n".join(lines)


def sizes(table: pd.DataFrame) -> str:
    """Table of the median loops to 50 and 90 % of the runs' own improvement, for each kappa across the n, with the
    spread (largest minus smallest) of the medians; missing where a median is."""
    agents, shares = list(dict.fromkeys(table["agents"])), [f"{share:.0%}".rstrip("%") for share in SHARES]
    headings = [word for share in shares for word in (*(f"{share} %, n = {n}" for n in agents), "spread")]
    several = table["tau"].nunique() > 1
    lines = [f"| Median loops | {' | '.join(headings)} |", "|---|" + "---:|" * len(headings)]
    for (tau, kappa), rows in table.groupby(["tau", "kappa"]):
        cells = []
        for share in shares:
            medians = rows.set_index("agents")[f"loops{share}_median"].reindex(agents).to_numpy()
            cells += [*map(loops, medians), loops(np.max(medians) - np.min(medians))]
        lines.append(f"| {f'τ = {tau:g}, ' * several}κ = {kappa} | {' | '.join(cells)} |")
    lines.append(
        f"\nMedians over the seeds that end above their loop 0, of the loops to {' and '.join(shares)} % of each run's own "
        "improvement. Spread: the largest median minus the smallest."
    )
    return "\n".join(lines)


def movement(curves: pd.DataFrame, panels: Sequence[tuple[int, float]], quantity: str, kappas=None) -> str:
    """How far the median curves move at all, and how much of the Q tables was ever updated: the reader's guard against
    a magnified vertical axis, and against taking a change for what a well-visited table has taught."""
    parts = []
    for agents, tau in panels:
        spans, visited = {}, []
        for kappa, runs in select(curves, agents, tau, kappas).groupby("kappa"):
            middle = quartiles(matrix(runs, quantity))[1]
            spans[kappa] = (middle.max() - middle.min(), abs(middle[0]), middle[-1] - middle[0])
            visited.append(f"κ = {kappa}: {percent(final_visited(runs))}")
        widest = max(spans, key=lambda kappa: spans[kappa][0])
        span, start, _ = spans[widest]
        falling = [str(kappa) for kappa in spans if spans[kappa][2] < 0]
        ending = (
            f"κ = {', '.join(falling)} end{'s' if len(falling) == 1 else ''} below" if falling else "none ends below"
        )
        parts.append(
            f"- {_title(agents, tau, panels)}: at most {reward(span)} ({100 * span / start:.2f} % of the value at loop 0, "
            f"κ = {widest}); {ending} the initial policy. Share of Q entries ever updated by the end (median over the seeds): "
            f"{', '.join(visited)}"
        )
    return "Movement of the median curves over all loops:\n\n" + "\n".join(parts)


def _telling(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in which the shipped readings differ, and those that are not at their default."""
    printed, working = READINGS["as_printed"], READINGS["working"]
    contested = {key for key in printed | working if printed.get(key) != working.get(key)}
    return {
        key: value
        for key, value in settings.items()
        if key in contested or check_setting(key, value) != SETTINGS[key].default
    }


def _assigned(settings: Mapping[str, Any]) -> str:
    words = {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()}
    return ", ".join(f"{key} = {word}" for key, word in words.items())


def _bullets(table: pd.DataFrame) -> str:
    lines = []
    for title, rows in _panels(table):
        ordered = sorted(rows, key=lambda row: -row["final_median"])
        words = [_entry(ordered[0])]
        for above, below in itertools.pairwise(ordered):
            words += [OVERLAP if _overlap(above, below) else SEPARATE, _entry(below)]
        lines.append(f"- {title}: {' '.join(words)}")
    rising = [title for title, rows in _panels(table) if _rises([row["final_median"] for row in rows])]
    return "\n".join(lines) + f"\n\nThe final median rises with every step of κ in {_count(rising, table)}."


def _panels(table: pd.DataFrame) -> list[tuple[str, list[dict]]]:
    """Title and rows (kappa ascending) of each panel of one figure's summary table."""
    keys = list(dict.fromkeys(zip(table["agents"], table["tau"], strict=True)))
    records = table.sort_values("kappa", kind="stable").to_dict("records")
    return [
        (_title(n, tau, keys), [row for row in records if (row["agents"], row["tau"]) == (n, tau)]) for n, tau in keys
    ]


def _title(agents: int, tau: float, panels: Sequence[tuple[int, float]]) -> str:
    parts = [f"n = {agents}"] * (len({n for n, _ in panels}) > 1 or len(panels) == 1)
    return ", ".join(parts + [f"τ = {tau:g}"] * (len({t for _, t in panels}) > 1 or len(panels) == 1))


def _entry(row: Mapping) -> str:
    return f"κ = {row['kappa']} ({reward(row['final_median'])})"


def _unless_all(row: Mapping) -> str:
    return "" if row["improved"] == row["seeds"] else f" ({row['improved']} of {row['seeds']} seeds)"


def _overlap(one: Mapping, other: Mapping) -> bool:
    return one["final_q1"] <= other["final_q3"] and other["final_q1"] <= one["final_q3"]


def _rises(values: Sequence[float]) -> bool:
    """Strictly increasing; a missing value is no increase."""
    return len(values) > 1 and all(low < high for low, high in itertools.pairwise(values))


def _count(titles: Sequence[str], table: pd.DataFrame) -> str:
    total = len(_panels(table))
    return f"{len(titles)} of {total} panel{'s' * (total > 1)}" + (f" ({'; '.join(titles)})" if titles else "")


def _list(values: Iterable) -> str:
    unique = sorted(set(values))
    return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in unique)


def _largest_error(curves: pd.DataFrame, quantity: str) -> str:
    largest = curves[f"{quantity}_se"].max()
    return f" (standard error of a single value at most {largest:.2g})" if largest > 0 else ""
