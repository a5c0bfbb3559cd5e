"""Sentences and tables of the replication report on what lies beyond its claims: theorems, multiverse, studies."""

from __future__ import annotations

import math

import pandas as pd

from lpi.claims import CLAIMS, CONTRADICTED, SUPPORTED, UNAFFECTED, UNRESOLVED, VERDICTS, equivalence
from lpi.claims.intervals import LEVEL, equivalence_level, family, quantile, student_of
from lpi.report.tables import BEST_MATCH, Published
from lpi.report.words import not_run, number, plain, word

ORDER = ("Proposition", "Lemma", "Theorem")
"""Kinds of statements as they are listed."""
MOST = 8
"""Effects of choices shown for a claim, the largest."""
ELSEWHERE = {"default_values": "defaults"}
"""Claims that a study tests and the runs of the readings do not."""


def theory_sentence(published: Published) -> str:
    """How many of the paper's statements hold as printed on MDPs inside their hypotheses."""
    if published.theory is None:
        return f"Theorems against numbers: {not_run('theory')}"
    held, broken = _statements(published.theory, "printed")
    inside = _inside(published.theory)
    cases = inside[inside["form"] == "printed"].groupby("statement")[["cases", "vacuous"]].sum()
    empty = [name for name in held if cases["vacuous"][name] == cases["cases"][name]]
    return (
        f"Of {len(held) + len(broken)} statements of the paper that were held against numbers, inside their hypotheses, "
        f"{len(held)} hold as printed and {len(broken)} {'fails' if len(broken) == 1 else 'fail'}"
        + (f" ({', '.join(broken)})" if broken else "")
        + "."
        + (f" {', '.join(empty)}: tried only where the bound exceeds what holds trivially." if empty else "")
    )


def theory_broken(published: Published) -> str:
    """The quantities that break a printed statement inside its hypotheses: bound, measured, cases."""
    if published.theory is None:
        return not_run("theory")
    rows = _inside(published.theory)
    rows = rows[(rows["form"] == "printed") & (rows["violations"] > 0)]
    lines = [
        "| statement | quantity | where | bound | measured | excess | broken in |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for row in rows.itertuples():
        lines.append(
            f"| {row.statement} | {word(row.quantity)} | {row.setting} | {number(row.bound)} | {number(row.measured)} | "
            f"{number(row.measured - row.bound)} | "
            f"{row.violations} of {row.cases} |"
        )
    return "\n".join(lines) if len(lines) > 2 else "No printed statement was broken."


def theory_corrected(published: Published) -> str:
    """Whether the corrected statements hold in every case tried."""
    if published.theory is None:
        return not_run("theory")
    held, broken = _statements(published.theory, "corrected")
    if not broken:
        return f"The corrected forms ({', '.join(held)}) hold in every case tried."
    return f"Of the corrected forms, {', '.join(broken)} failed in some case."


def theory_missed(published: Published) -> str:
    """Which hypotheses of the theorems the experiment does not meet."""
    if published.theory is None:
        return not_run("theory")
    rows = published.theory[published.theory["part"] == "hypothesis"]
    lines = []
    for setting, group in rows.groupby("setting", sort=False):
        met = group.groupby("quantity", sort=False)["hypothesis_met"].agg(lambda words: set(words) == {"yes"})
        failed = [_missed(name, group[group["quantity"] == name]) for name, every in met.items() if not every]
        lines.append(f"- {setting}: {len(failed)} of {len(met)} are not met: {'; '.join(failed) or 'none'}.")
    return "\n".join(lines)


def _missed(name: str, rows: pd.DataFrame) -> str:
    """A hypothesis with its limit (from the mildest theorem to the strictest) and what the experiment has."""
    limits, measured = rows["bound"].dropna(), rows["measured"].dropna()
    if limits.empty:
        return f"{name.rstrip('<>= ')} (undefined here)" if (rows["hypothesis_met"] == "undefined").any() else name
    limit = " or ".join(f"{value:g}" for value in sorted(set(limits)))
    reached = f" (here {' or '.join(f'{value:g}' for value in sorted(set(measured)))})" if len(measured) else ""
    return f"{name} {limit}{reached}"


def multiverse_shares(published: Published) -> str:
    """For each claim and number of agents the share of the readings with each verdict."""
    if published.verdicts is None:
        return not_run("multiverse")
    table = published.verdicts
    names = [name for name in VERDICTS if name in set(table["verdict"])]
    lines = [f"| claim | n | readings | {' | '.join(names)} |", "|---|---:|---:|" + "---:|" * len(names)]
    for (claim, agents), rows in table.groupby(["claim", "agents"], sort=False):
        cells = [f"{(rows['verdict'] == name).mean():.0%}" for name in names]
        says = CLAIMS[claim].says if claim in CLAIMS else claim
        lines.append(f"| {says} | {agents} | {len(rows)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def multiverse_flips(published: Published) -> str:
    """For each claim the single choices that clearly change the share of readings that support it."""
    if published.effects is None:
        return not_run("multiverse")
    table = published.effects
    agents = table["agents"].min()
    alone = table["with_choice"].isna()
    rows = table[(table["agents"] == agents) & (table["outcome"] == SUPPORTED) & alone]
    lines = []
    for claim, found in rows.groupby("claim", sort=False):
        clear = found[found["clear"].astype(str) == "True"]
        clear = clear.sort_values("effect", key=abs, ascending=False, kind="stable")
        words = [
            f"`{row.choice}` = {plain(row.value)}: {row.effect:+.2f} [{row.low:+.2f}, {row.high:+.2f}]"
            for row in clear.head(MOST).itertuples()
        ]
        says = CLAIMS[claim].says if claim in CLAIMS else claim
        lines.append(f"- {says}: {'; '.join(words) or 'no single choice clearly'}.")
    return "\n".join(lines)


def best_sentence(published: Published) -> str:
    """What the reading found by search is."""
    if published.best is None:
        return f"The reading that satisfies the most claims: {not_run('multiverse')}"
    best = published.best
    return (
        f"`{BEST_MATCH}` ({best['label']}) is the reading of the multiverse with the most claims supported: "
        f"{best['supported']} of {best['claims']}, with {best['contradicted']} contradicted (n = {best['agents']}, among "
        f"{best['among']} readings, {best['tied']} of which tie). Claims about the best policies hang on what p₁ and "
        "p₂ mean alone."
    )


def best_settings(published: Published) -> str:
    """Settings of that reading."""
    if published.best is None:
        return not_run("multiverse")
    return ", ".join(f"`{key}` = {plain(value)}" for key, value in published.best["settings"].items())


def elsewhere(published: Published, claim: str) -> str:
    """What the multiverse or a study found of a claim that the runs of the shipped readings do not test; or nothing."""
    if claim == "samples" and published.verdicts is not None:
        rows = published.verdicts[published.verdicts["claim"] == claim]
        counts = []
        for agents, found in rows.groupby("agents"):
            words = [f"{(found['verdict'] == name).sum()} {name}" for name in VERDICTS if name in set(found["verdict"])]
            counts.append(f"n = {agents}: of {len(found)} readings {', '.join(words)}")
        return (
            "Judged in the multiverse, on the trajectory lengths that a reading has there (readings that differ in nothing "
            f"else share the verdict). {'; '.join(counts)}. A length that was not reached counts as the longest one run, so "
            "that two κ that both do not reach the goal differ by nothing: no number of seeds would resolve these."
        )
    if claim in ELSEWHERE and published.contrasts is not None:
        rows, found = _contrasts(published, claim), []
        for kappa, group in rows.groupby("kappa"):
            row = group.loc[group["mean"].abs().idxmax()]
            interval = f"{row['mean']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
            found.append(f"κ = {kappa}: {interval} of the gap ({row['first']} minus {row['second']})")
        return (
            f"Not part of the readings' runs. The study `{ELSEWHERE[claim]}` asks it of a setting that learns: "
            f"**{elsewhere_verdict(published, claim)}** there (margin ±{UNAFFECTED:g} of the gap). The largest of its differences at "
            f"each κ, with the 95 % interval of that difference alone over {rows['seeds'].min()} seeds: {'; '.join(found)}."
        )
    return ""


def elsewhere_verdict(published: Published, claim: str) -> str:
    """The rule of the claim, held against a study: contradicted if any contrast is, supported if all are."""
    rows = _contrasts(published, claim)
    found = []
    for row in rows.itertuples():
        deviation = (row.high - row.low) / 2 * math.sqrt(row.seeds) / quantile(row.seeds - 1, LEVEL)
        plain_one, wide = (
            student_of(row.mean, deviation, row.seeds, level)
            for level in (equivalence_level(), family(LEVEL, len(rows)))
        )
        found.append(equivalence(plain_one, wide, UNAFFECTED))
    return CONTRADICTED if CONTRADICTED in found else SUPPORTED if set(found) == {SUPPORTED} else UNRESOLVED


def _contrasts(published: Published, claim: str) -> pd.DataFrame:
    """The differences in the share of the gap closed that a study found on a claim."""
    rows = published.contrasts
    return rows[(rows["study"] == ELSEWHERE[claim]) & (rows["quantity"] == "closed")]


def study_table(published: Published) -> str:
    """What the explanations predict, contrast by contrast: the difference in the share of the gap closed."""
    if published.contrasts is None:
        return not_run("studies")
    rows = published.contrasts[published.contrasts["quantity"] == "closed"]
    lines = ["| question | compared | κ | difference in share of gap closed | which says |", "|---|---|---:|---|---|"]
    for row in rows.itertuples():
        shown = abs(row.mean) >= 0.0005  # what the column prints as 0 is no difference, whatever its interval
        word = "none" if not shown else "more" if row.low > 0 else "less" if row.high < 0 else "not resolved"
        lines.append(
            f"| {published.questions.get(row.study, row.study)} | {row.first} minus {row.second} | {row.kappa} | "
            f"{row.mean:+.3f} [{row.low:+.3f}, {row.high:+.3f}] ({row.seeds} seeds) | {word} |"
        )
    return "\n".join(lines)


def price_table(published: Published) -> str:
    """Samples needed to close a share of the gap, by setting and κ (Figure 7)."""
    if published.prices is None:
        return not_run("studies")
    lines = [
        "| n | settings | κ | share of gap | samples (median) | reached by | best share |",
        "|---:|---|---:|---:|---:|---:|---:|",
    ]
    for row in published.prices.itertuples():
        median = f"{row.median:.2g}" if math.isfinite(row.median) else f"not within {row.budget:.2g}"
        lines.append(
            f"| {row.agents} | {row.variant} | {row.kappa} | {row.share:.0%} | {median} | {row.reached} of {row.seeds} | "
            f"{row.best:.2f} |"
        )
    return "\n".join(lines)


def chosen_settings(published: Published) -> str:
    """The settings that the screening study chose."""
    if published.chosen is None:
        return not_run("studies")
    return ", ".join(f"`{key}` = {plain(value)}" for key, value in published.chosen["settings"].items())


def _inside(theory: pd.DataFrame) -> pd.DataFrame:
    """Rows of MDPs that meet the hypotheses, random ones and counterexamples."""
    return theory[theory["part"].isin(["family", "counterexample"])]


def _statements(theory: pd.DataFrame, form: str) -> tuple[list[str], list[str]]:
    """Statements in a form, those that hold in every case and those that do not."""
    rows = _inside(theory)
    broken = rows[rows["form"] == form].groupby("statement", sort=False)["violations"].max() > 0
    order = sorted(broken.index, key=lambda name: (ORDER.index(name.split()[0]), int(name.split()[1])))
    return [name for name in order if not broken[name]], [name for name in order if broken[name]]
