"""Sentences and tables of the replication report and the README; words follow the tables, whichever way they fall."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from lpi.claims import CLAIMS, CONTRADICTED, INVISIBLE, SUPPORTED, UNRESOLVED, UNTESTED, VERDICTS
from lpi.config import READINGS, SETTINGS
from lpi.report_tables import BEST_MATCH, Published

SHOWN = ("as_printed", "working", BEST_MATCH)
"""Readings of the table of claims."""
COMMANDS = {
    "default": ".venv/bin/snakemake --cores 2",
    "multiverse": ".venv/bin/snakemake --cores 2 multiverse",
    "studies": ".venv/bin/snakemake --cores 2 studies",
    "theory": ".venv/bin/snakemake --cores 2 figures/theory/provenance.json",
}
"""What makes each part of the results."""
PARTS = {"variant": "studies", "lengths": "multiverse"}
"""Table that a claim needs -> the part that makes it, where that is not the default job."""
MOST = 8
"""Effects of choices shown for a claim, the largest."""
SHORT = {UNRESOLVED: "not resolvable", INVISIBLE: "not visible"}


def not_run(part: str) -> str:
    """The line that stands where a table is missing."""
    return f"*Not run yet: `{COMMANDS[part]}`.*"


def cost(published: Published, part: str) -> str:
    """Time and disk of a part as measured; seconds are those of its jobs together."""
    if published.measured is None or part not in set(published.measured["part"]):
        return "not measured"
    (row,) = published.measured[published.measured["part"] == part].to_dict("records")
    return f"{duration(row['seconds'])} of jobs, {size(row['megabytes'])}"


def duration(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(megabytes: float) -> str:
    """Megabytes in words."""
    return f"{megabytes:.0f} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"


def claims_table(published: Published, report: str = "docs/replication-report.md") -> str:
    """Claim, verdict under each reading, where it is explained, and the command that makes it."""
    lines = [
        f"| The paper says | {' | '.join(f'`{name}`' for name in SHOWN)} | more | regenerate |",
        "|---|" + "---|" * (len(SHOWN) + 2),
    ]
    for name, claim in CLAIMS.items():
        cells = [verdict_cell(published, reading, name) for reading in SHOWN]
        part = PARTS.get(claim.needs, "default")
        lines.append(
            f"| {claim.says} (§ {claim.where}) | {' | '.join(cells)} | [report]({report}#{name}) | {_letter(part)} |"
        )
    used = ["default", *dict.fromkeys(PARTS.values()), "theory"]
    commands = "; ".join(
        f"{_letter(part)}: `{COMMANDS[part]}` ({cost(published, part)})" for part in dict.fromkeys(used)
    )
    return "\n".join(lines) + f"\n\n{commands}.\n\n{theory_sentence(published)} {best_sentence(published)}\n"


def _letter(part: str) -> str:
    return chr(ord("A") + list(COMMANDS).index(part))


def verdict_cell(published: Published, reading: str, claim: str) -> str:
    """The verdict in a table's cell."""
    found = published.verdict(reading, claim)
    if found is None:
        return "–" if reading == BEST_MATCH and published.best is not None else "not run yet"
    return f"**{found}**" if found in (SUPPORTED, CONTRADICTED) else SHORT.get(found, found)


def verdicts(published: Published, claim: str) -> str:
    """The verdict on a claim under each reading, in a line."""
    found = [f"`{name}`: {verdict_cell(published, name, claim)}" for name in published.readings]
    return f"{'; '.join(found)}." if found else not_run("default")


def counts(published: Published, reading: str) -> str:
    """How many claims have which verdict under a reading."""
    found = [published.verdict(reading, claim) for claim in CLAIMS]
    if not any(found):
        return not_run("default")
    words = [f"{found.count(verdict)} {verdict}" for verdict in VERDICTS if found.count(verdict)]
    missing = found.count(None)
    return f"of {len(found)} claims {', '.join(words)}" + (f", {missing} not run" if missing else "")


def with_verdict(published: Published, readings: Iterable[str], *verdicts: str) -> list[str]:
    """Claims that have one of these verdicts under every one of the readings."""
    return [name for name in CLAIMS if all(published.verdict(reading, name) in verdicts for reading in readings)]


def split(published: Published, readings: Sequence[str]) -> list[str]:
    """Claims supported under one of the readings and contradicted under another."""
    found = {name: {published.verdict(reading, name) for reading in readings} for name in CLAIMS}
    return [name for name, verdicts in found.items() if {SUPPORTED, CONTRADICTED} <= verdicts]


def sayings(names: Sequence[str]) -> str:
    """Claims as a list of quotations; "none" where there are none."""
    return "\n".join(f"- {CLAIMS[name].says} (section {CLAIMS[name].where})" for name in names) or "- none"


def parts_table(published: Published, claim: str) -> str:
    """Every part of a claim under every reading: statistic, interval, verdict."""
    rows = None if published.claims is None else published.claims[published.claims["claim"] == claim]
    if rows is None or rows.empty:
        return not_run(PARTS.get(CLAIMS[claim].needs, "default"))
    tested = rows[rows["verdict"] != UNTESTED]
    if tested.empty:
        reasons = "; ".join(dict.fromkeys(map(_word, rows["note"])))
        return f"*Not tested: {reasons}.*"
    lines = [
        "| reading | n | τ | part | statistic | interval | unit | seeds | verdict |",
        "|---|---:|---:|---|---:|---|---|---:|---|",
    ]
    for row in tested.itertuples():
        bounds = f"{number(row.low)} to {number(row.high)}" if row.seeds else "exact"
        cells = [
            f"`{row.reading}`", _plain(row.agents), _plain(row.tau), _word(row.part), number(row.statistic), bounds,
            _word(row.unit), _plain(row.seeds), row.verdict,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    left = len(rows) - len(tested)
    return "\n".join(lines) + (f"\n\nNot tested: {left} of {len(rows)} parts." if left else "")


def readings_table(names: Sequence[str] = tuple(READINGS)) -> str:
    """The settings in which the shipped readings differ from one another or from the defaults."""
    keys = [key for key in SETTINGS if any(key in READINGS[name] for name in names)]
    lines = [
        f"| setting | {' | '.join(f'`{name}`' for name in names)} | source in the paper |",
        "|---|" + "---|" * (len(names) + 1),
    ]
    for key in keys:
        values = [_plain(READINGS[name].get(key, SETTINGS[key].default)) for name in names]
        lines.append(f"| `{key}` | {' | '.join(values)} | {SETTINGS[key].metadata['source']} |")
    return "\n".join(lines)


def ends_table(published: Published, figure: str) -> str:
    """Final values of a figure's curves: median and quartiles over the seeds, and the share of Q tables visited."""
    lines = [
        "| reading | n | τ | κ | start | end: median [quartiles] | pairs visited | seeds |",
        "|---|---:|---:|---:|---:|---|---:|---:|",
    ]
    for reading in published.readings:
        table = published.summaries[reading]
        for row in table[table["figure"] == figure].itertuples():
            lines.append(
                f"| `{reading}` | {row.agents} | {row.tau:g} | {row.kappa} | {row.initial:.3f} | {row.final_median:.3f} "
                f"[{row.final_q1:.3f}, {row.final_q3:.3f}] | {row.visited:.0%} | {row.seeds} |"
            )
    return "\n".join(lines) if len(lines) > 2 else not_run("default")


def locality_table(published: Published) -> str:
    """What seeing κ hops can be worth: the loss of the best κ-hop policy found, as a share of the uniform policy's."""
    if published.locality is None:
        return not_run("default")
    table = published.locality
    kappas = sorted(set(table["kappa"]))
    lines = [
        f"| p₁, p₂ mean | n | τ | uniform loses | {' | '.join(f'κ = {k}' for k in kappas)} |",
        "|---|---:|---:|---:|" + "---:|" * len(kappas),
    ]
    for (one, two, agents, tau), rows in table.groupby(["p1_means", "p2_means", "agents", "tau"]):
        losses = rows.set_index("kappa")
        whole = losses["uniform_loss"].iloc[0]
        cells = [f"{max(losses['loss'][k], 0) / whole:.2%}" if k in losses.index else "–" for k in kappas]
        lines.append(f"| {one}, {two} | {agents} | {tau:g} | {whole:.3f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def theory_sentence(published: Published) -> str:
    """How many of the paper's statements hold as printed on MDPs inside their hypotheses."""
    if published.theory is None:
        return f"Theorems against numbers: {not_run('theory')}"
    held, broken = _statements(published.theory, "printed")
    return (
        f"Of {len(held) + len(broken)} statements of the paper that were held against numbers, inside their hypotheses, "
        f"{len(held)} hold as printed and {len(broken)} {'fails' if len(broken) == 1 else 'fail'}"
        + (f" ({', '.join(broken)})" if broken else "")
        + "."
    )


def theory_broken(published: Published) -> str:
    """The quantities that break a printed statement inside its hypotheses: bound, measured, cases."""
    if published.theory is None:
        return not_run("theory")
    rows = _inside(published.theory)
    rows = rows[(rows["form"] == "printed") & (rows["violations"] > 0)]
    lines = ["| statement | quantity | where | bound | measured | broken in |", "|---|---|---|---:|---:|---:|"]
    for row in rows.itertuples():
        lines.append(
            f"| {row.statement} | {_word(row.quantity)} | {row.setting} | {number(row.bound)} | {number(row.measured)} | "
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
        failed = [name for name, every in met.items() if not every]
        lines.append(f"- {setting}: {len(failed)} of {len(met)} are not met: {'; '.join(failed) or 'none'}.")
    return "\n".join(lines)


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
            f"`{row.choice}` = {_plain(row.value)}: {row.effect:+.2f} [{row.low:+.2f}, {row.high:+.2f}]"
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
        f"{best['among']} readings)."
    )


def best_settings(published: Published) -> str:
    """Settings of that reading."""
    if published.best is None:
        return not_run("multiverse")
    return ", ".join(f"`{key}` = {_plain(value)}" for key, value in published.best["settings"].items())


def study_table(published: Published) -> str:
    """What the explanations predict, contrast by contrast: the difference in the share of the gap closed."""
    if published.contrasts is None:
        return not_run("studies")
    rows = published.contrasts[published.contrasts["quantity"] == "closed"]
    lines = ["| question | compared | κ | difference in share of gap closed | which says |", "|---|---|---:|---|---|"]
    for row in rows.itertuples():
        word = "more" if row.low > 0 else "less" if row.high < 0 else "not resolved"
        lines.append(
            f"| {published.questions.get(row.study, row.study)} | {row.first} minus {row.second} | {row.kappa} | "
            f"{row.mean:+.3f} [{row.low:+.3f}, {row.high:+.3f}] ({row.seeds} seeds) | {word} |"
        )
    return "\n".join(lines)


def price_table(published: Published) -> str:
    """Samples needed to close a share of the gap, by setting and κ (Figure 7)."""
    if published.prices is None:
        return not_run("studies")
    lines = ["| n | settings | κ | share of gap | samples (median) | reached by |", "|---:|---|---:|---:|---:|---:|"]
    for row in published.prices.itertuples():
        median = f"{row.median:.2g}" if math.isfinite(row.median) else f"not within {row.budget:.2g}"
        lines.append(
            f"| {row.agents} | {row.variant} | {row.kappa} | {row.share:.0%} | {median} | {row.reached} of {row.seeds} |"
        )
    return "\n".join(lines)


def chosen_settings(published: Published) -> str:
    """The settings that the screening study chose."""
    if published.chosen is None:
        return not_run("studies")
    return ", ".join(f"`{key}` = {_plain(value)}" for key, value in published.chosen["settings"].items())


def regenerate_table(published: Published) -> str:
    """Command, jobs, time and disk of each part."""
    lines = ["| part | command | time and disk |", "|---|---|---|"]
    names = {
        "default": "Figures, summary tables, claims, this report", "multiverse": "Multiverse",
        "studies": "Explanations and what works", "theory": "Theorems against numbers",
    }  # fmt: skip
    lines += [
        f"| {_letter(part)}: {names[part]} | `{command}` | {cost(published, part)} |"
        for part, command in COMMANDS.items()
    ]
    return "\n".join(lines)


def errata_table(errata: Sequence[Mapping[str, Any]]) -> str:
    """Where, what is printed, what must be meant."""
    lines = ["| where | printed | must be meant |", "|---|---|---|"]
    for entry in errata:
        cells = [entry[key].replace("|", "\\|") for key in ("where", "printed", "meant")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def shown_by(entry: Mapping[str, Any]) -> str:
    """Settings, tests and tables that show an erratum."""
    words = [f"`{key}`" for key in entry.get("settings", ())]
    words += [f"`{name.rpartition('/')[2]}`" for name in (*entry.get("tests", ()), *entry.get("tables", ()))]
    return ", ".join(words) or "reading"


def number(value: float) -> str:
    """Three significant digits; a dash where there is none."""
    return "–" if pd.isna(value) else "∞" if math.isinf(value) else f"{value:.3g}"


def _inside(theory: pd.DataFrame) -> pd.DataFrame:
    """Rows of MDPs that meet the hypotheses, random ones and counterexamples."""
    return theory[theory["part"].isin(["family", "counterexample"])]


def _statements(theory: pd.DataFrame, form: str) -> tuple[list[str], list[str]]:
    """Statements in a form, those that hold in every case and those that do not."""
    rows = _inside(theory)
    broken = rows[rows["form"] == form].groupby("statement", sort=False)["violations"].max() > 0
    return [name for name, found in broken.items() if not found], [name for name, found in broken.items() if found]


def _plain(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–" if isinstance(value, float) else "none"
    return f"{value:g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def _word(value: Any) -> str:
    return "" if pd.isna(value) else str(value).replace("|", "\\|")
