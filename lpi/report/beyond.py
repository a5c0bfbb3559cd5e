"""Sentences and tables of the replication report on what lies beyond its claims: theorems, multiverse, studies, intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields
from typing import cast

import pandas as pd

from lpi.baselines import standing
from lpi.claims import CONTRADICTED, SUPPORTED, UNAFFECTED, UNRESOLVED, equivalence
from lpi.claims.intervals import LEVEL, equivalence_level, family, quantile, student_of
from lpi.config import SETTINGS, TrainingConfig
from lpi.multiverse import text as multiverse
from lpi.multiverse.effects import text_of
from lpi.report import coverage
from lpi.report.tables import Published
from lpi.report.words import amount, interval, linked, not_run, number, percent, word
from lpi.summary import percent as share_of
from lpi.theory.hypotheses import of_training
from lpi.theory.verification import UNIFORM_LOSS

ORDER = ("Proposition", "Lemma", "Theorem")
"""Kinds of statements as they are listed."""
FAR = 0.01
"""Share of a theorem's bound below which it is said that no case came near."""
MOST_COMPARISONS = 4
"""Comparisons of a study that are all shown; of more, the one with the largest difference."""
NOT_MEASURED = "*Not measured yet: `.venv/bin/python -m lpi.report --coverage`.*"
ELSEWHERE = {"default_values": "defaults"}
"""Claims that a study tests and the runs of the readings do not."""
ASKED_OF = {"default_values": "policies learned from a number of samples"}
"""What the study can speak of."""
BOUNDED = {
    "default_values": "Theorem 2's bound, where s^default does not occur, is not touched by that: here policies that were "
    "learned from a number of samples, outside the theorem's hypotheses, are compared.",
}
"""What such a verdict does not say."""


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
        f"{len(broken)} {'is' if len(broken) == 1 else 'are'} broken as printed"
        + (f" ({', '.join(broken)})" if broken else "")
        + f", and {len(held)} held in every case tried."
        + _far_from_tight(inside)
        + (
            f" For {', '.join(empty)} only cases were tried in which the bound exceeds what holds trivially."
            if empty
            else ""
        )
    )


def _far_from_tight(inside: pd.DataFrame) -> str:
    """The theorems whose printed bound was never anywhere near, which say little by holding."""
    theorems = inside[(inside["form"] == "printed") & inside["statement"].str.startswith("Theorem")]
    theorems = theorems[theorems["quantity"] != UNIFORM_LOSS]
    share = (theorems["measured"] / theorems["bound"]).groupby(theorems["statement"]).max()
    far = share[share < FAR]
    if far.empty:
        return ""
    found = ", ".join(f"{share_of(value)} of that of {name}" for name, value in far.items())
    return f" Some bounds are far from tight there: the most that was reached is {found}."


def theory_broken(published: Published) -> str:
    """The quantities that break a printed statement inside its hypotheses: where by most, bound, measured, cases."""
    if published.theory is None:
        return not_run("theory")
    rows = _inside(published.theory)
    rows = rows[(rows["form"] == "printed") & (rows["violations"] > 0)]
    rows = rows.assign(excess=rows["measured"] - rows["bound"])
    lines = [
        "| statement | quantity | broken in | by most in | bound | measured |",
        "|---|---|---|---|---:|---:|",
    ]
    for (statement, quantity), part in rows.groupby(["statement", "quantity"], sort=False):
        worst = part.loc[part["excess"].idxmax()]
        cells = [
            statement, word(quantity), f"{part['violations'].sum()} of {part['cases'].sum()} cases", worst["setting"],
            number(worst["bound"]), number(worst["measured"]),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
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
    """Which hypotheses of the theorems the experiment does not meet, under each meaning of p1 and p2, and by reading."""
    if published.theory is None:
        return not_run("theory")
    rows = published.theory[published.theory["part"] == "hypothesis"]
    settings = list(dict.fromkeys(rows["setting"]))
    lines = [
        f"| hypothesis | limit | {' | '.join(settings)} | note |",
        "|---|---:|" + "---:|" * len(settings) + "---|",
    ]
    for name, part in rows.groupby("quantity", sort=False):
        if not (part["hypothesis_met"] == "yes").all():
            cells = [_missed(part[part["setting"] == setting]) for setting in settings]
            undefined = "undefined" if (part["hypothesis_met"] == "undefined").any() else ""
            notes = list(dict.fromkeys(part["note"].dropna()))
            note = "the largest network: " * (len(notes) > 1) + "".join(notes[-1:])
            lines.append(f"| {name} | {_values(part['bound']) or undefined} | {' | '.join(cells)} | {note} |")
    return (
        "\n".join(lines) + "\n\nThe training is that of the defaults, with κ = "
        f"{SETTINGS['kappa'].default}. Met by them: {', '.join(_met(rows)) or 'none'}. {_missed_by_readings(published)}"
    )


def _missed_by_readings(published: Published) -> str:
    """What Theorems 2 and 5 ask of the training alone, and each reading does not do."""
    found = []
    for reading in published.readings:
        settings = published.configurations[reading].get("settings", {})
        training = TrainingConfig(**{f.name: settings[f.name] for f in fields(TrainingConfig) if f.name in settings})
        missed = [hypothesis.name for hypothesis in of_training(training) if hypothesis.met is False]
        found.append(f"`{reading}` {'misses ' + ', '.join(missed) if missed else 'has all'}")
    return f"Of what the theorems ask of the training alone: {'; '.join(found)}." if found else ""


def _missed(rows: pd.DataFrame) -> str:
    """What the experiment has where a hypothesis is not met."""
    if (rows["hypothesis_met"] == "yes").all():
        return "met"
    return _values(rows["measured"]) or ("undefined" if (rows["hypothesis_met"] == "undefined").any() else "not met")


def _met(rows: pd.DataFrame) -> list[str]:
    parts = rows.groupby("quantity", sort=False)
    return [
        f"{name} {_values(part['bound'])}".strip() for name, part in parts if (part["hypothesis_met"] == "yes").all()
    ]


def _values(numbers: pd.Series) -> str:
    """The different values, from the mildest theorem or smallest network to the largest."""
    return " or ".join(f"{value:.4g}" for value in sorted(set(numbers.dropna())))


def multiverse_tried(published: Published) -> str:
    """The choices that were crossed, with their values."""
    if published.verdicts is None:
        return not_run("multiverse")
    return f"{multiverse.tried(published.verdicts)}."


def multiverse_shares(published: Published) -> str:
    """For each claim the share of the readings with each verdict."""
    table = published.verdicts
    if table is None:
        return not_run("multiverse")
    added = table.loc[~table["designed"], ["reading", "agents"]].drop_duplicates().groupby("agents").size()
    more = " and ".join(f"{count} at n = {agents}" for agents, count in added.items())
    said = f" Readings added to the design, {more}, are not counted here." if more else ""
    head, _, rest = multiverse.shares(table, linked).partition("\n")
    return f"{head}{said}\n{rest}"


def supported_in_multiverse(published: Published, claims: Iterable[str]) -> str:
    """Under how many readings of the multiverse claims are supported, for each number of agents; with a space before."""
    table = published.verdicts
    found = []
    for claim in claims if table is not None else ():
        rows = cast(pd.DataFrame, table)[cast(pd.DataFrame, table)["claim"] == claim]
        counts = [
            f"{(part['verdict'] == SUPPORTED).sum()} of {len(part)} readings at n = {agents}"
            for agents, part in rows.groupby("agents")
        ]
        found += [f"`{claim}` is supported under {' and '.join(counts)}"] if counts else []
    return f" In the multiverse, whose readings have one n each, {'; '.join(found)}." if found else ""


def hardly_together(published: Published) -> list[str]:
    """How often a better reward and a lower rate for a larger κ, both measured by how high a curve is, go together."""
    if published.verdicts is None:
        return []
    keys = ["reading", "agents"]
    held = {name: rows[[*keys, "verdict"]] for name, rows in published.verdicts.groupby("claim")}
    if not {"reward_by_size", "rate_gap"} <= set(held):
        return []
    better = held["reward_by_size"][held["reward_by_size"]["verdict"] == SUPPORTED]
    both = better[keys].merge(held["rate_gap"], on=keys)
    count = (both["verdict"] == SUPPORTED).sum()
    return [
        "Two of them hardly go together, as both go by how high a curve is and ask the opposite of a larger κ: "
        f"`rate_gap` is supported in {count} of the {len(both)} cases in which `reward_by_size` is."
    ]


def multiverse_flips(published: Published) -> str:
    """For each claim the choices and pairs that clearly change its verdicts, at the smallest number of agents."""
    if published.effects is None:
        return not_run("multiverse")
    return multiverse.flips(published.effects, published.effects["agents"].min(), linked)


def best_sentence(published: Published) -> str:
    """What the reading found by search is."""
    if published.best is None:
        return f"The reading that satisfies the most claims: {not_run('multiverse')}"
    said = multiverse.best_sentence(published.best)
    other = published.best["sentences"]["reading"]
    return said + (_told_apart(published, other) if f"reading {other} " in said else "")


def _told_apart(published: Published, other: str) -> str:
    """What a reading that is named by its digits is: the choices in which it differs from `best_match`; space before."""
    if published.verdicts is None or other not in set(published.verdicts["reading"]):
        return ""
    best = cast(dict, published.best)["settings"]
    (row,) = published.verdicts[published.verdicts["reading"] == other].head(1).to_dict("records")
    apart = [f"`{name}` = {row[name]}" for name, value in best.items() if str(row[name]) != text_of(value)]
    return (
        f" Its name has a digit for each choice of the multiverse; it differs from `best_match` in {', '.join(apart)}."
    )


def elsewhere(published: Published, claim: str) -> str:
    """What the multiverse or a study found of a claim that the runs of the shipped readings do not test; or nothing."""
    if claim == "samples" and published.verdicts is not None:
        return (
            "Judged in the multiverse alone ([shares of its readings](replication-report.md#multiverse)), on the "
            "trajectory lengths that a reading has there; readings that differ in nothing else share the verdict. A "
            "length outside those run counts as the nearest of them; two that lie outside on the same side are not compared."
        )
    if claim in ELSEWHERE and published.contrasts is not None:
        rows, found = _contrasts(published, claim), []
        for kappa, group in rows.groupby("kappa"):
            row = group.loc[group["mean"].abs().idxmax()]
            found.append(f"κ = {kappa}: {interval(row, 3)} ({row['first']} minus {row['second']})")
        return (
            f"Not part of the readings' runs. The study `{ELSEWHERE[claim]}` asks it of a setting that learns: "
            f"**{elsewhere_verdict(published, claim)}** there (margin ±{UNAFFECTED:g} of the possible improvement). The largest "
            f"of its differences at each κ, in shares of that improvement, with the {LEVEL:.0%} interval of that difference alone over {rows['seeds'].min()} seeds: {'; '.join(found)}. {BOUNDED[claim]}"
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
    """The differences in the share of the possible improvement that a study found on a claim."""
    rows = cast(pd.DataFrame, published.contrasts)
    return rows[(rows["study"] == ELSEWHERE[claim]) & (rows["quantity"] == "closed")]


def study_table(published: Published) -> str:
    """What the explanations predict: differences in the share of the possible improvement gained, by comparison and κ."""
    if published.contrasts is None:
        return not_run("studies")
    rows = published.contrasts[published.contrasts["quantity"] == "closed"]
    kappas = sorted(set(rows["kappa"]))
    lines = [f"| question | compared | {' | '.join(f'κ = {k}' for k in kappas)} |", "|---|---|" + "---|" * len(kappas)]
    for study, part in rows.groupby("study", sort=False):
        pairs = list(part.groupby(["first", "second"], sort=False))
        more = ""
        if len(pairs) > MOST_COMPARISONS:
            more = f" (the largest of {len(pairs)} comparisons)"
            pairs = [max(pairs, key=lambda pair: pair[1]["mean"].abs().max())]
        question = published.questions.get(study, study) + more
        for (first, second), found in pairs:
            by_kappa = {row["kappa"]: _resolved(row) for row in found.to_dict("records")}
            cells = [by_kappa.get(kappa, "–") for kappa in kappas]
            lines.append(f"| {question} | {first} *minus* {second} | {' | '.join(cells)} |")
            question = ""
    return "\n".join(lines)


def _resolved(row) -> str:
    """A difference with its interval, in bold where that for all of the study leaves out 0; what prints as 0 is none."""
    text = interval(row)
    return f"**{text}**" if (row["wide_low"] > 0 or row["wide_high"] < 0) and abs(row["mean"]) >= 0.005 else text


def crossing_list(published: Published) -> str:
    """From how many samples on each κ is better than the one before, against Theorem 5, as the study `samples` says."""
    found = [line for line in published.answers.get("samples", ()) if line.startswith("κ")]
    return "\n".join(f"- {line}" for line in found) or not_run("studies")


def metric_table(published: Published) -> str:
    """Differences between neighbouring κ in the quantities that may have been plotted."""
    if published.between is None:
        return not_run("studies")
    names = {"regularized": "J of (2)", "reported_gain": "entropy weighted by τ per agent", "unregularized_gain": "unregularised"}  # fmt: skip
    rows = published.between[(published.between["study"] == "metric") & published.between["quantity"].isin(names)]
    kappas = sorted(set(rows["kappa"]))
    heads = " | ".join(f"κ = {kappa} minus {kappa - 1}" for kappa in kappas)
    lines = [f"| Q starts | quantity | {heads} |", "|---|---|" + "---|" * len(kappas)]
    for (variant, quantity), part in rows.groupby(["variant", "quantity"], sort=False):
        by_kappa = {row["kappa"]: _resolved(row) for row in part.to_dict("records")}
        lines.append(f"| {variant} | {names[quantity]} | {' | '.join(by_kappa.get(kappa, '–') for kappa in kappas)} |")
    return "\n".join(lines)


def price_table(published: Published) -> str:
    """Samples needed to gain shares of the possible improvement, by setting and κ (Figure 7)."""
    if published.prices is None:
        return not_run("studies")
    table = published.prices
    settings, shares = list(dict.fromkeys(table["variant"])), sorted(set(table["share"]))
    heads = [f"{setting}, {percent(share)}" for setting in settings for share in shares]
    lines = [f"| n | κ | {' | '.join(heads)} |", "|---:|---:|" + "---:|" * len(heads)]
    for (agents, kappa), rows in table.groupby(["agents", "kappa"]):
        by_head = {f"{row.variant}, {percent(row.share)}": _price(row) for row in rows.itertuples()}
        lines.append(f"| {agents} | {kappa} | {' | '.join(by_head.get(head, '–') for head in heads)} |")
    return "\n".join(lines)


def _price(row) -> str:
    """The median samples; where half of the seeds did not get there, the budget and the best share they had."""
    return amount(row.median) if math.isfinite(row.median) else f"> {amount(row.budget)} ({percent(row.best)})"


def advice_list(published: Published) -> str:
    """The advice that the studies come to."""
    return "\n".join(f"- {line}" for line in published.answers.get("Advice", ())) or not_run("studies")


def baseline_standing(published: Published) -> str:
    """Where LPI is ahead of the localized actor-critic and where it is behind."""
    if published.baseline is None:
        return "*Not run yet: `.venv/bin/snakemake --cores 2 baseline`.*\n"
    return standing.sentences(published.baseline) + "\n"


def coverage_table(published: Published) -> str:
    """Share of the intervals of each kind that cover the true value, by the shape of one run's result."""
    if published.coverage is None:
        return NOT_MEASURED
    table = published.coverage[published.coverage["level"] == LEVEL]
    heads = list(dict.fromkeys(zip(table["method"], table["quantity"], strict=True)))
    names = {"student": "Student-t", "bca": "BCa bootstrap"}
    lines = [
        f"| one run's result | {' | '.join(f'{names[method]}, {quantity}' for method, quantity in heads)} |",
        "|---|" + "---:|" * len(heads),
    ]
    for shape, rows in table.groupby("shape", sort=False):
        found = rows.groupby(["method", "quantity"])["coverage"].agg(lambda s: " / ".join(f"{100 * c:.1f}" for c in s))
        lines.append(f"| {shape} | {' | '.join(f'{found[head]} %' for head in heads)} |")
    seeds = " / ".join(map(str, dict.fromkeys(table["seeds"])))
    return (
        "\n".join(lines)
        + f"\n\nWith {seeds} seeds. *Both so*: of two κ with such results; *one so*: the other's are normal."
    )


def coverage_sentences(published: Published) -> str:
    """What the intervals of the claim with the most parts cover at the level of each, and whether BCa would do better."""
    if published.coverage is None:
        return ""
    table = published.coverage
    wide, plain_level = table[table["level"] != LEVEL], table[table["level"] == LEVEL]
    worst = wide.loc[wide["coverage"].idxmin()]
    found = plain_level.pivot_table(index=["shape", "quantity", "seeds"], columns="method", values="coverage").dropna()
    better = (found["bca"] > found["student"]).sum()
    return (
        f"Each interval of a claim with {coverage.MOST_PARTS} parts is made at {100 * worst['level']:.2f} %; that of a mean then "
        f"covers {100 * worst['coverage']:.2f} % in the worst of these cases ({worst['shape']}). The bootstrap covers more in "
        f"{better} of {len(found)} cases."
    )


def _inside(theory: pd.DataFrame) -> pd.DataFrame:
    """Rows of MDPs that meet the hypotheses, random ones and counterexamples."""
    return theory[theory["part"].isin(["family", "counterexample"])]


def _statements(theory: pd.DataFrame, form: str) -> tuple[list[str], list[str]]:
    """Statements in a form, those that hold in every case and those that do not."""
    rows = _inside(theory)
    broken = rows[rows["form"] == form].groupby("statement", sort=False)["violations"].max() > 0
    order = sorted(broken.index, key=lambda name: (ORDER.index(name.split()[0]), int(name.split()[1])))
    return [name for name in order if not broken[name]], [name for name in order if broken[name]]
