"""Sentences and tables of the replication report and the README on the claims; words follow the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pandas as pd

from lpi.claims import CLAIMS, CONTRADICTED, INVISIBLE, SUPPORTED, UNRESOLVED, UNTESTED, VERDICTS, overall
from lpi.claims import report as claims_report
from lpi.claims.amendments import AMENDMENTS, changed
from lpi.claims.evidence import RELEVANT
from lpi.claims.report import weakest
from lpi.config import READINGS, SETTINGS
from lpi.report import beyond
from lpi.report.tables import BEST_MATCH, Published
from lpi.report.words import COMMANDS, cost, letter, linked, not_run, number, plain, title, total_cost, word

SHOWN = ("as_printed", "working", BEST_MATCH)
"""Readings of the table of claims."""
PARTS = {"variant": "studies", "lengths": "multiverse"}
"""Table that a claim needs -> the part that makes it, where that is not the default job."""
SHORT = {UNRESOLVED: "not resolvable", INVISIBLE: "not visible"}
MAIN = ("reward_by_tau", "reward_by_size")
"""The claims of Figures 1 and 3, which the README's first sentence is about."""
EVERYWHERE = "every reading shown"
"""Those that were run on the whole grid; the multiverse has many more, with one n each."""
SETTLED_ALIKE = ("inner_steps", "step_schedule", "default_state", "default_action")
"""Settings that the text leaves open and every shipped reading has at its default."""
GROUPS = {
    "supported": f"supported under {EVERYWHERE}",
    "contradicted": f"contradicted under {EVERYWHERE}",
    "split": "supported under one reading and contradicted under another",
    "partly_supported": "supported under some readings and undecided under the rest",
    "partly_contradicted": "contradicted under some readings and undecided under the rest",
    "undecided": f"undecided under {EVERYWHERE}",
}
"""What the verdicts on a claim under several readings come to."""


def claims_block(published: Published) -> str:
    """The README's block: the main finding, the table of claims, what its columns mean, and the rest of the conclusion."""
    searched = f" Until `{BEST_MATCH}` has runs of its own, its column is what the multiverse found."
    note = searched if published.best is not None and BEST_MATCH not in published.readings else ""
    commands = "\n".join(f"- {letter(part)}: `{COMMANDS[part]}`: {cost(published, part)}" for part in COMMANDS)
    main, tally = main_finding(published), tally_of_verdicts(published)
    before, after = (main, f"{tally}\n\n") if main else (tally, "")
    return (
        f"{before}\n\n{verdict_table(published, 'docs/claims.md', commands=True)}\n\n{table_key()}\n\n"
        f"{after}{beyond.theory_sentence(published)}\n\n"
        f"To regenerate, on as many cores as the command names (times are of runs that were measured; what each job of the results shown took: [runs.csv](figures/report/runs.csv)):\n\n{commands}\n\n"
        f"{beyond.best_sentence(published)}{note} Claims about the best policies hang on what p₁ and p₂ mean alone.\n"
    )


def verdict_table(published: Published, page: str, commands: bool = False) -> str:
    """Claim, verdict under each reading, a link to its parts and, if asked for, the command that makes it."""
    heads = [f"`{name}`" for name in SHOWN] + ["parts"] + ["regenerate"] * commands
    lines = [f"| The paper says (quoted or in short) | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for name, claim in CLAIMS.items():
        cells = [verdict_cell(published, reading, name) for reading in SHOWN] + [_all_parts(published, name, page)]
        cells += [letter(PARTS.get(claim.needs, "default"))] * commands
        lines.append(f"| {claim.says} (§\u00a0{claim.where}) | {' | '.join(cells)} |")
    return "\n".join(lines)


def _all_parts(published: Published, claim: str, page: str) -> str:
    """A link to all parts of a claim; with its verdict where a study has judged it, and not the readings' runs."""
    if claim in beyond.ELSEWHERE and published.contrasts is not None:
        return f"[a study]({page}#{claim}): {beyond.elsewhere_verdict(published, claim)} there"
    return f"[all]({page}#{claim})"


def table_key() -> str:
    """What the cells of `verdict_table` mean."""
    return (
        "In brackets: how many of a claim's parts (pairs of κ, panels) support it, contradict it, and could not be tested; it "
        "is contradicted if one part is, supported if all are. *Not resolvable*: the seeds do not decide, or a part could not be "
        "tested. *Not visible*: the best policies differ by less than matters and than the noise."
    )


def verdict_cell(published: Published, reading: str, claim: str) -> str:
    """The verdict in a table's cell."""
    found = published.verdict(reading, claim)
    if found is None:
        return "–" if reading == BEST_MATCH and published.best is not None else "not run yet"
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
    """Every claim in one of `GROUPS`, by its verdicts under some readings; without those that were tested under none."""
    found: dict[str, list[str]] = {name: [] for name in GROUPS}
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
    """Claims as a list, each with the parts that speak most against it; "none" where there are none."""
    return "\n".join(f"- {linked(name)}: {hardest(published, name)}" for name in names) or "- none"


def hardest(published: Published, claim: str) -> str:
    """The part of a claim that speaks most against it, under each reading that tests it, with its statistic."""
    claims = cast(pd.DataFrame, published.claims)
    rows = claims[claims["claim"] == claim]
    parts = {
        name: weakest(rows[rows["reading"] == name]) for name in published.readings if name in set(rows["reading"])
    }
    found = [f"`{name}` {_statistic(row)}" for name, row in parts.items() if row is not None]
    units = {unit(row["unit"]) for row in parts.values() if row is not None}
    marks = CLAIMS[claim].marks
    against = f", against {' and '.join(map(number, marks))}" if any(marks) else ""
    return f"{'; '.join(found)} ({' or '.join(sorted(units))}{against})." if found else "judged in the multiverse only."


def _statistic(row: Mapping[str, Any]) -> str:
    """A part's statistic with its interval, and where it was taken."""
    place = [f"n = {plain(row['agents'])}"] + [f"τ = {plain(row['tau'])}"] * (plain(row["tau"]) != "–")
    place += [word(row["part"])] * bool(word(row["part"])) + ["exact"] * (not row["seeds"])
    bounds = f"\u00a0[{number(row['low'])},\u00a0{number(row['high'])}]" if row["seeds"] else ""
    return f"{number(row['statistic'])}{bounds} at {', '.join(place)}"


def unit(value: Any) -> str:
    """The unit of a statistic in the cell of a table."""
    return claims_report.unit(word(value))


def conclusion(published: Published) -> str:
    """What all of it comes to, as far as it was run; what a reader most wants to know first."""
    return f"{main_finding(published)} {tally_of_verdicts(published)}".lstrip()


def tally_of_verdicts(published: Published) -> str:
    """How many claims are supported and contradicted under the readings, and which of them could not be otherwise."""
    if published.claims is None:
        return not_run("default")
    found = groups(published, published.readings)
    judged = sum(map(len, found.values()))
    counted = [f"{len(found[key])} {_are(len(found[key]))} {words}" for key, words in GROUPS.items() if found[key]]
    lines = [f"Of {judged} claims that were judged, {'; '.join(counted)}."]
    foregone = [f"{title(claim)}: {CLAIMS[claim].foregone}" for claim in found["supported"] if CLAIMS[claim].foregone]
    if foregone:
        holds = "holds" if len(foregone) == 1 else "hold"
        lines.append(f"Of the supported, {len(foregone)} {holds} whatever is computed ({'; '.join(foregone)}).")
    if published.contrasts is not None:
        lines += [
            f"One more, judged by a study of its own ({title(claim)}), is {beyond.elsewhere_verdict(published, claim)} there, "
            f"for {beyond.ASKED_OF[claim]}."
            for claim in beyond.ELSEWHERE
            if not any(claim in group for group in found.values())
        ]
    if published.best is not None and published.best["supported"] < published.best["claims"]:
        lines.append("No reading of the multiverse satisfies all claims that its curves can decide.")
        lines += beyond.hardly_together(published)
    return " ".join(lines)


def main_finding(published: Published) -> str:
    """The verdict on what Figures 1 and 3 are to show, with its parts; nothing where the two have different ones."""
    if published.claims is None:
        return ""
    found = groups(published, published.readings)
    common = [words for key, words in GROUPS.items() if all(claim in found[key] for claim in MAIN)]
    if not common:
        return ""
    parts = published.claims[published.claims["claim"].isin(MAIN)]
    held = [
        f"{(rows['verdict'] == SUPPORTED).sum()} of {len(rows)} under `{reading}` "
        f"({(rows['verdict'] == CONTRADICTED).sum()} contradicted)"
        for reading in published.readings
        if len(rows := parts[parts["reading"] == reading])
    ]
    return (
        f"**That a larger κ leads to a better regularised reward, which Figures 1 and 3 are to show, is {common[0]}.** "
        f"Supported parts (pairs of κ in a panel): {', '.join(held)}."
        f"{beyond.supported_in_multiverse(published, MAIN)}"
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def readings_table(names: Sequence[str] = tuple(READINGS)) -> str:
    """What readings settle: the settings that they name, and those that they leave alike at their defaults."""
    keys = [key for key in SETTINGS if key in SETTLED_ALIKE or any(key in READINGS[name] for name in names)]
    lines = [
        f"| setting | {' | '.join(f'`{name}`' for name in names)} | source in the paper |",
        "|---|" + "---|" * (len(names) + 1),
    ]
    for key in keys:
        values = [plain(READINGS[name].get(key, SETTINGS[key].default)) for name in names]
        lines.append(f"| `{key}` | {' | '.join(values)} | {SETTINGS[key].metadata['source']} |")
    return "\n".join(lines)


def locality_ranges(published: Published) -> str:
    """What seeing κ hops can be worth under each meaning of p₁ and p₂: the range over n and τ of the losses."""
    if published.locality is None:
        return not_run("default")
    table = published.locality.assign(share=published.locality["loss"] / published.locality["uniform_loss"])
    kappas = sorted(set(table["kappa"]))
    lines = [
        f"| p₁, p₂ mean | {' | '.join(f'κ = {k}' for k in kappas)} |",
        "|---|" + "---:|" * len(kappas),
    ]
    for (one, two), rows in table.groupby(["p1_means", "p2_means"]):
        shares = [rows.loc[rows["kappa"] == kappa, "share"] for kappa in kappas]
        lines.append(f"| {one}, {two} | {' | '.join(span(part.min(), part.max()) for part in shares)} |")
    return "\n".join(lines)


def locality_sentence(published: Published) -> str:
    """Whether the printed p's let a larger κ gain anything that matters."""
    if published.locality is None:
        return ""
    rows = published.locality[
        (published.locality[["p1_means", "p2_means", "kappa"]] == ["failure", "failure", 0]).all(axis=1)
    ]
    most = (rows["loss"] / rows["uniform_loss"]).max()
    if not most < RELEVANT:
        return ""
    return (
        f"With the p's as printed, seeing further can gain no more than {share(most)} of the possible improvement: there the "
        "order of the curves shows how well each κ learns, not what locality costs."
    )


def span(low: float, high: float) -> str:
    """The range of a share; one number where both ends read the same."""
    return share(low) if share(low) == share(high) else f"{share(low)} to {share(high)}"


def share(value: float) -> str:
    """A share of 0 or more as a percentage; what rounds to nothing is not called nothing."""
    return "< 0.01 %" if value < 5e-5 else f"{100 * value:.2f} %"


def regenerate_table(published: Published) -> str:
    """Command, time and disk of each part, and the time of all."""
    lines = ["| part | command | time and disk |", "|---|---|---|"]
    names = {
        "default": "Figures, summary tables, claims, this report", "multiverse": "Multiverse",
        "studies": "Explanations and what works", "theory": "Theorems against numbers",
    }  # fmt: skip
    lines += [
        f"| {letter(part)}: {names[part]} | `{command}` | {cost(published, part)} |"
        for part, command in COMMANDS.items()
    ]
    lines.append(f"| together, as far as measured | | {total_cost(published)} |")
    return "\n".join(lines)


def shown_by(entry: Mapping[str, Any]) -> str:
    """Settings, tests and tables that show an erratum."""
    words = [f"`{key}`" for key in entry.get("settings", ())]
    words += [f"`{name.rpartition('/')[2]}`" for name in (*entry.get("tests", ()), *entry.get("tables", ()))]
    return ", ".join(words) or "reading"


def amendments_list(published: Published) -> str:
    """The rules changed after the first verdicts were seen, and the verdicts that are others for it."""
    lines = [
        f"- {', '.join(linked(claim) for claim in entry.claims)}: {entry.what} ({entry.why})" for entry in AMENDMENTS
    ]
    if published.claims is not None:
        rows = changed(overall(published.claims)).itertuples()
        said = [f"{linked(row.claim)} under `{row.reading}`: {row.before} → {row.verdict}" for row in rows]
        lines.append("- Overall verdicts that changed: " + ("; ".join(said) or "none") + ".")
    return "\n".join(lines)
