"""The answers of the studies as sentences, made from their tables; the words follow the intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lpi.studies.design import CHOSEN, FACTORS, STUDIES, UNREACHED

DIGITS = 3
"""Of a difference, after the point."""
NAMES = {
    "closed": "share of the possible improvement",
    "unregularized_gain": "gain in unregularised J",
    "reported_gain": "gain in J_alt",
    "visited_share": "share of pairs visited",
    "entropy": "entropy of the policy",
}
"""Quantities in words."""
MEANS = {
    "start_value": (
        "Q from 0 in every loop instead of from its largest value",
        "Q from the level of its values instead of from its largest value",
        "Coverage: a tenth of the samples, Q from 0",
        "α = 0.5 instead of 0.1, Q from 0",
    ),
    "inner_loop": (
        "A uniform inner start with η = 0.05 and 10 steps instead of a policy that is carried over",
        "10 steps from uniform instead of 1000",
        "η = 20 from uniform instead of a policy that is carried over with η = 0.05",
    ),
    "printed_jump": (
        "Q from 0 instead of from the level of the uniform policy's values",
        "Q from 0 instead of from its largest value",
        "Q from 0 instead of from that level, with restarts",
    ),
    "restarts": (
        "One trajectory instead of restarts every 20 steps",
        "The same, all agents infected at the start",
        "The same, printed convention",
    ),
}
"""What each of a study's contrasts tries, in its order."""


def sentences(tables: Mapping[str, pd.DataFrame], chosen: Mapping) -> str:
    """The report as Markdown."""
    lines = ["# What the studies show", ""]
    lines += [
        "Possible improvement of a κ: J of the best κ-hop policy found minus J of the uniform one (n = 5, success convention, τ = 0.05 unless said). "
        "Intervals: 95 %, Student-t, paired on common seeds. *More*, *less* and *better* are said where the interval that "
        "is widened for all differences of the study (Bonferroni, together 95 %) leaves 0 and the difference is not 0 "
        f"to {DIGITS} digits; else no difference was seen.",
        "",
    ]
    for name, study in STUDIES.items():
        lines += [f"## {name}: {study.question}", ""]
        lines += [f"- {line}" for line in _answers(name, tables)] + [""]
    lines += ["## Advice", ""] + [f"- {line}" for line in advice(tables, chosen)]
    return "\n".join(lines) + "\n"


def _answers(name: str, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    special = {"samples": _samples, "metric": _metric}
    if name.startswith("truncation"):
        return _truncation(tables["loops"], name)
    if name in special:
        return special[name](tables)
    if name in FACTORS:
        return _screening(tables["effects"], name)
    if name.startswith("needed"):
        return _needed(tables["prices"], name)
    found = tables["contrasts"]
    found = found[found["study"] == name]
    if name == "defaults":
        return _defaults(found)
    if found.empty:
        return _levels(tables["levels"], name)
    lines = _visits(tables["visits"]) if name == "restarts" else []
    means = dict(zip(STUDIES[name].contrasts, MEANS[name], strict=True))
    for (first, second), part in found.groupby(["first", "second"], sort=False):
        for quantity in ("closed", "entropy", "visited_share"):
            rows = part[part["quantity"] == quantity]
            shown = "; ".join(f"κ = {row.kappa}: {difference(row)}" for row in rows.itertuples())
            lines.append(f"**{means[first, second]}** (*{first}* minus *{second}*), {NAMES[quantity]}: {shown}.")
    return lines + _levels(tables["levels"], name)


def _visits(visits: pd.DataFrame) -> list[str]:
    """How rare the rarest pair is, from the exact distribution of the states under the uniform policy."""
    lines = []
    for convention, part in visits.groupby("convention", sort=False):
        rare = part.pivot(index="kappa", columns="episode_length", values="xi")
        often, seldom = rare.columns.min(), rare.columns.max()
        shown = "; ".join(f"κ = {kappa}: {row[often]:.2g} and {row[seldom]:.2g}" for kappa, row in rare.iterrows())
        lines.append(
            f"Share of steps in which the uniform policy visits the rarest pair (Theorem 5's ξ), {convention} convention, with "
            f"episodes of {often} and of {seldom} steps: {shown}."
        )
    return lines


def difference(row) -> str:
    """A difference, its interval and what it says."""
    word = {1: "more", -1: "less", 0: "no difference seen"}[direction(row)]
    return f"{row.mean:+.3f} [{row.low:+.3f}, {row.high:+.3f}] ({word})"


def direction(row) -> int:
    """The sign of a difference whose widened interval leaves 0; 0 also where it is 0 as printed."""
    if abs(row.mean) < 0.5 * 10**-DIGITS:
        return 0
    return int(row.wide_low > 0) - int(row.wide_high < 0)


def _levels(levels: pd.DataFrame, name: str) -> list[str]:
    part = levels[(levels["study"] == name) & (levels["quantity"] == "closed")]
    return [
        f"*{variant}* gains "
        + ", ".join(f"{_level(row)} (κ = {row.kappa})" for row in rows.itertuples())
        + " of the possible improvement."
        for variant, rows in part.groupby("variant", sort=False)
    ]


def _level(row) -> str:
    return f"{row.mean:.2f}" + (f" [{row.low:.2f}, {row.high:.2f}]" if np.isfinite(row.low) else "")


def _defaults(found: pd.DataFrame) -> list[str]:
    rows = found[found["quantity"] == "closed"]
    lines = []
    for kappa, part in rows.groupby("kappa"):
        largest = max(part.itertuples(), key=lambda row: abs(row.mean))
        bound = max(part["wide_low"].abs().max(), part["wide_high"].abs().max())
        clear = sum(direction(row) != 0 for row in part.itertuples())
        lines.append(
            f"κ = {kappa}: the largest of {len(part)} differences from state 0, action 0 is {difference(largest)} of the possible "
            f"improvement ({largest.first}); {clear} of {len(part)} widened intervals exclude 0, and all lie within ±{bound:.3f}."
        )
    return lines


def crossings(between: pd.DataFrame) -> pd.DataFrame:
    """For each kappa, the samples of a loop from which on it is clearly better, and up to which it is clearly worse.

    Columns kappa, worse_up_to, better_from; NaN where there is none among the samples tried.
    """
    part = between[between["study"].isin(["samples", "samples_million"]) & (between["quantity"] == "regularized")]
    part = part.assign(samples=part["variant"].str.split(" = ").str[-1].astype(int)).sort_values("samples")
    found = []
    for kappa, rows in part.groupby("kappa"):
        not_better = rows.loc[rows["wide_low"] <= 0, "samples"]
        later = rows[rows["samples"] > not_better.max()] if len(not_better) else rows
        better = later["samples"].min() if len(later) else np.nan
        worse = rows.loc[rows["wide_high"] < 0, "samples"].max()
        found.append((kappa, worse, better))
    return pd.DataFrame(found, columns=["kappa", "worse_up_to", "better_from"])


def _price(narrow: float, wide: float) -> str:
    """What Theorem 5 makes of the smallest share xi of visits for a kappa and for the next."""
    if np.isclose(narrow, wide, rtol=1e-9):
        return f"xi stays {wide:.3g}, since one neighbourhood is the whole network already, and with it Theorem 5's samples"
    return f"xi falls from {narrow:.3g} to {wide:.3g}, by which Theorem 5 (1 / xi²) asks for {(narrow / wide) ** 2:.2g} times the samples"


def _samples(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    lines = []
    visits = tables["visits"]
    at_20 = visits[(visits["convention"] == "success") & (visits["episode_length"] == 20)].set_index("kappa")["xi"]
    for row in crossings(tables["between_kappas"]).itertuples():
        worse = f"{row.worse_up_to:,.0f}" if np.isfinite(row.worse_up_to) else "no number tried"
        better = f"from {row.better_from:,.0f} on" if np.isfinite(row.better_from) else "at no number tried"
        lines.append(
            f"κ = {row.kappa} against κ = {row.kappa - 1} after 50 outer loops: clearly worse up to {worse} samples a loop, "
            f"clearly better {better}; {_price(at_20[row.kappa - 1], at_20[row.kappa])}."
        )
    return lines + _levels(tables["levels"], "samples") + _levels(tables["levels"], "samples_million")


def _metric(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    between, lines = tables["between_kappas"], []
    for variant in STUDIES["metric"].variants:
        for quantity, name in (
            ("regularized", "regularised J of (2)"),
            ("reported_gain", "J_alt, entropy weighted by τ per agent"),
            ("unregularized_gain", "unregularised J"),
        ):
            part = between[
                (between["study"] == "metric") & (between["variant"] == variant) & (between["quantity"] == quantity)
            ]
            steps = "; ".join(f"κ = {row.kappa} minus {row.kappa - 1}: {difference(row)}" for row in part.itertuples())
            rising = all(direction(row) > 0 for row in part.itertuples())
            lines.append(
                f"*{variant}*, {name}: {steps}. {'Larger κ is better throughout.' if rising else 'Not the order of Figure 1.'}"
            )
    return lines


def _truncation(loops: pd.DataFrame, name: str) -> list[str]:
    lines = []
    part = loops[loops["study"] == name]
    for (variant, kappa), rows in part.groupby(["variant", "kappa"], sort=False):
        best = rows.loc[rows["closed"].idxmax()]
        lines.append(
            f"*{variant}*, κ = {kappa}: at best {best['closed']:.2f} of the possible improvement, in loop "
            f"{best['outer_loop']:.0f}; "
            f"{rows['closed'].iloc[-1]:.2f} after {rows['outer_loop'].max():.0f} loops."
        )
    return lines


def _screening(effects: pd.DataFrame, name: str) -> list[str]:
    lines = []
    for row in effects[effects["study"] == name].itertuples():
        word = "multiplies" if row.low > 0 else "divides" if row.high < 0 else "does not resolvably change"
        size = f" by {10 ** abs(row.mean):.2g}" if word != "does not resolvably change" else ""
        lines.append(
            f"{row.factor}: {row.second} instead of {row.first} {word} the samples needed{size} "
            f"(log10: {row.mean:+.2f} [{row.low:+.2f}, {row.high:+.2f}], {row.pairs} pairs)."
        )
    return lines


def _needed(prices: pd.DataFrame, name: str) -> list[str]:
    lines = []
    for row in prices[prices["study"] == name].itertuples():
        amount = (
            f"{row.median:.2g} samples (median)" if np.isfinite(row.median) else f"not within {row.budget:.2g} samples"
        )
        lines.append(
            f"*{row.variant}*, κ = {row.kappa}, {row.share:.0%} of the possible improvement: {amount}, reached by "
            f"{row.reached} of "
            f"{row.seeds} seeds; best share seen {row.best:.2f} (median)."
        )
    return lines


def advice(tables: Mapping[str, pd.DataFrame], chosen: Mapping) -> list[str]:
    """What a practitioner can follow: the choice, what each part of it was worth, and where it stops."""
    lines = [
        f"{where}: of the settings screened with other seeds, {settings}."
        for where, settings in chosen["settings"].items()
    ]
    helpful = tables["effects"]
    helpful = helpful[(helpful["low"] > 0) | (helpful["high"] < 0)]
    for row in helpful.sort_values("mean", key=abs, ascending=False, kind="stable").itertuples():
        better, worse = (row.second, row.first) if row.mean < 0 else (row.first, row.second)
        line = (
            f"{row.factor} ({row.study}): {better} rather than {worse} needs {10 ** abs(row.mean):.2g} times fewer samples "
            f"on average (a share not reached counts as {UNREACHED:g} budgets)."
        )
        if row.mean * row.at_choice < 0:
            line += (
                f" Not beside the rest of the best settings: there {worse} needs {10 ** abs(row.at_choice):.2g} times fewer "
                "(one pair, no interval)."
            )
        lines.append(line)
    return lines + _outcomes(tables["prices"]) + _stop_early(tables["loops"])


def _outcomes(prices: pd.DataFrame) -> list[str]:
    """How the chosen settings did beside the readings, at equal budgets."""
    lines = []
    for (agents, share), part in prices.groupby(["agents", "share"]):
        wide = part.pivot(index="kappa", columns="variant", values="median")
        saved, only = [], []
        never: list[str] = []
        slower: list[str] = []
        for row in wide.itertuples():
            mine, other = getattr(row, CHOSEN), row.working
            if not np.isfinite(mine):
                (never if not np.isfinite(other) else slower).append(f"κ = {row.Index}")
            elif not np.isfinite(other):
                only.append(f"κ = {row.Index}")
            else:
                saved.append(f"{other / max(mine, 1):.2g} (κ = {row.Index})")
        said = [
            ("`working` needs this many times the samples of the chosen settings: ", saved),
            ("only the chosen settings reach it: ", only),
            ("only `working` reaches it: ", slower),
            ("**neither reaches it**: ", never),
        ]
        text = "; ".join(words + ", ".join(found) for words, found in said if found)
        budget = part["budget"].max()
        lines.append(f"n = {agents}, {share:.0%} of the possible improvement, within {budget:.2g} samples: {text}.")
    return lines


def _stop_early(loops: pd.DataFrame) -> list[str]:
    ends, lines = loops[(loops["study"] == "truncation") & (loops["kappa"] == 1)], []
    for variant, rows in ends.groupby("variant", sort=False):
        lost = rows["closed"].max() - rows["closed"].iloc[-1]
        if lost > 0.05:
            lines.append(
                f"With {variant} at κ = 1 stop early: even with infinitely many samples {lost:.2f} of the possible improvement "
                f"is lost again after loop {rows.loc[rows['closed'].idxmax(), 'outer_loop']:.0f} (η = 0.5), because Q_j seen from one "
                "neighbourhood is no longer Q_j."
            )
    return lines
