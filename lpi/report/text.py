"""Sentences and tables of the replication report and the README on the claims; words follow the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lpi.claims import CLAIMS, CONTRADICTED, INVISIBLE, SUPPORTED, UNRESOLVED, UNTESTED, VERDICTS
from lpi.config import READINGS, SETTINGS
from lpi.report import beyond
from lpi.report.beyond import best_sentence, theory_sentence
from lpi.report.tables import BEST_MATCH, Published
from lpi.report.words import COMMANDS, cost, letter, not_run, number, plain, word

SHOWN = ("as_printed", "working", BEST_MATCH)
"""Readings of the table of claims."""
PARTS = {"variant": "studies", "lengths": "multiverse"}
"""Table that a claim needs -> the part that makes it, where that is not the default job."""
SHORT = {UNRESOLVED: "not resolvable", INVISIBLE: "not visible"}


def claims_table(published: Published, report: str = "docs/replication-report.md") -> str:
    """Claim, verdict under each reading, where it is explained, and the command that makes it."""
    lines = [
        f"| The paper says (quoted or in short) | {' | '.join(f'`{name}`' for name in SHOWN)} | more | regenerate |",
        "|---|" + "---|" * (len(SHOWN) + 2),
    ]
    for name, claim in CLAIMS.items():
        cells = [verdict_cell(published, reading, name) for reading in SHOWN]
        part = PARTS.get(claim.needs, "default")
        lines.append(
            f"| {claim.says} (§ {claim.where}) | {' | '.join(cells)} | [report]({report}#{name}) | {letter(part)} |"
        )
    commands = "; ".join(f"{letter(part)}: `{COMMANDS[part]}` ({cost(published, part)})" for part in COMMANDS)
    searched = f" Until `{BEST_MATCH}` has runs of its own, its column is what the multiverse found."
    note = searched if published.best is not None and BEST_MATCH not in published.readings else ""
    return (
        f"{conclusion(published)} {theory_sentence(published)}\n\n"
        + "\n".join(lines)
        + f"\n\nIn brackets: how many of the claim's parts (pairs of κ, panels) support it; it is contradicted if one part is, "
        "supported if all are. *Not visible*: the best policies differ by less than matters and than the noise. "
        f"Regenerate: {commands}; on two idle cores in about half of that.\n\n{best_sentence(published)}{note}\n"
    )


def verdict_cell(published: Published, reading: str, claim: str) -> str:
    """The verdict in a table's cell."""
    found = published.verdict(reading, claim)
    if found is None:
        return "–" if reading == BEST_MATCH and published.best is not None else "not run yet"
    if found == UNTESTED and claim in beyond.ELSEWHERE and published.contrasts is not None:
        return f"in a study: {beyond.elsewhere_verdict(published, claim)}"
    return (f"**{found}**" if found in (SUPPORTED, CONTRADICTED) else SHORT.get(found, found)) + published.parts(
        reading, claim
    )


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


def groups(published: Published, readings: Sequence[str]) -> dict[str, list[str]]:
    """Every claim in one of six groups, by its verdicts under some readings; claims that were tested under none are left out.

    Keys: supported, contradicted (under all of them), split (one under one, the other under another), partly_supported,
    partly_contradicted (undecided under the rest), undecided.
    """
    found: dict[str, list[str]] = {
        name: []
        for name in ("supported", "partly_supported", "split", "partly_contradicted", "contradicted", "undecided")
    }
    for claim in CLAIMS:
        verdicts = [published.verdict(reading, claim) for reading in readings]
        if set(verdicts) <= {None, UNTESTED}:
            continue
        for_it, against = SUPPORTED in verdicts, CONTRADICTED in verdicts
        if for_it and against:
            group = "split"
        elif for_it:
            group = "supported" if set(verdicts) == {SUPPORTED} else "partly_supported"
        elif against:
            group = "contradicted" if set(verdicts) == {CONTRADICTED} else "partly_contradicted"
        else:
            group = "undecided"
        found[group].append(claim)
    return found


def sayings(published: Published, names: Sequence[str]) -> str:
    """Claims as a list with their verdicts; "none" where there are none."""
    lines = [f"- [{CLAIMS[name].says}](#{name}) ({verdicts(published, name).rstrip('.')})" for name in names]
    return "\n".join(lines) or "- none"


def conclusion(published: Published) -> str:
    """What all of it comes to, as far as it was run."""
    if published.claims is None:
        return not_run("default")
    found = groups(published, published.readings)
    judged = sum(map(len, found.values()))
    words = {
        "supported": "supported under every reading that was run",
        "partly_supported": "supported under some of them and undecided under the rest",
        "split": "supported under one reading and contradicted under another",
        "partly_contradicted": "contradicted under some and undecided under the rest",
        "contradicted": "contradicted under all",
        "undecided": "undecided under all",
    }
    counted = "; ".join(f"{len(found[key])} {text}" for key, text in words.items())
    lines = [f"Of {judged} claims that were judged, {counted}."]
    if published.best is not None:
        all_of_them = published.best["supported"] == published.best["claims"]
        lines.append(
            "One reading of the multiverse satisfies all claims that its curves can decide."
            if all_of_them
            else "No reading of the multiverse satisfies all claims that its curves can decide; `rate_gap` and a better reward "
            "for a larger κ nearly exclude each other by definition."
        )
    return " ".join(lines)


def parts_table(published: Published, claim: str) -> str:
    """Every part of a claim under every reading: statistic, interval, verdict."""
    rows = None if published.claims is None else published.claims[published.claims["claim"] == claim]
    if rows is None or rows.empty:
        return not_run(PARTS.get(CLAIMS[claim].needs, "default"))
    tested = rows[rows["verdict"] != UNTESTED]
    if tested.empty:
        reasons = "; ".join(dict.fromkeys(map(word, rows["note"])))
        return beyond.elsewhere(published, claim) or f"*Not tested: {reasons}.*"
    lines = [
        "| reading | n | τ | part | statistic | interval | unit | seeds | verdict |",
        "|---|---:|---:|---|---:|---|---|---:|---|",
    ]
    for row in tested.itertuples():
        bounds = f"{number(row.low)} to {number(row.high)}" if row.seeds else "exact"
        cells = [
            f"`{row.reading}`", plain(row.agents), plain(row.tau), word(row.part), number(row.statistic), bounds,
            word(row.unit), plain(row.seeds), row.verdict,
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
        values = [plain(READINGS[name].get(key, SETTINGS[key].default)) for name in names]
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
        cells = [_share(losses["loss"][k] / whole) if k in losses.index else "–" for k in kappas]
        lines.append(f"| {one}, {two} | {agents} | {tau:g} | {whole:.3f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _share(value: float) -> str:
    """A share of 0 or more as a percentage; what rounds to nothing is not called nothing."""
    return "< 0.01 %" if value < 5e-5 else f"{100 * value:.2f} %"


def regenerate_table(published: Published) -> str:
    """Command, jobs, time and disk of each part."""
    lines = ["| part | command | time and disk |", "|---|---|---|"]
    names = {
        "default": "Figures, summary tables, claims, this report", "multiverse": "Multiverse",
        "studies": "Explanations and what works", "theory": "Theorems against numbers",
    }  # fmt: skip
    lines += [
        f"| {letter(part)}: {names[part]} | `{command}` | {cost(published, part)} |"
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
