"""The replication report, its appendix, the errata, and the README's table of claims, from the figures folder's tables.

`python -m lpi.report` brings docs/replication-report.md, docs/claims.md, docs/artifact.md, docs/errata.md and the blocks
between marks in README.md and on the page of the actor-critic up to date; the tests fail where they are not.  No result is typed into the templates: their numbers come
from the tables, the verdicts from `lpi.claims`, the paper's parameters from `lpi.config`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lpi.claims import CLAIMS, MINIMUM_SEEDS
from lpi.claims.intervals import LEVEL
from lpi.config import READINGS, SETTINGS
from lpi.marks import with_block
from lpi.report import appendix, beyond, coverage, text, words
from lpi.report.tables import Published, kept, load, measure
from lpi.results import atomic_write

TEMPLATES = {
    "docs/replication-report.md": "workflow/report/replication-report.md.j2",
    "docs/claims.md": "workflow/report/claims.md.j2",
    "docs/artifact.md": "workflow/report/artifact.md.j2",
}
"""Pages and what they are rendered from."""
ERRATA = "workflow/report/errata.yaml"
ERRATA_LIST, README = "docs/errata.md", "README.md"
ACTOR_CRITIC = "docs/algorithms/6-localized-actor-critic.md"
COMMAND = "python -m lpi.report"
"""What the marks around a block name (`lpi.marks`)."""
KINDS = {
    "error": "Statements and steps that fail as printed",
    "contradiction": "Contradictions",
    "gap": "Gaps",
    "misprint": "Misprints",
}
"""Kinds of errata and their headings."""


def render(published: Published, errata: Sequence[Mapping[str, Any]], template: str) -> str:
    """A page as Markdown; an undefined name in the template is an error."""
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(template).render(
        published=published,
        text=text,
        appendix=appendix,
        beyond=beyond,
        words=words,
        claims=CLAIMS,
        readings=READINGS,
        paper={name: setting.default for name, setting in SETTINGS.items()},
        minimum_seeds=MINIMUM_SEEDS,
        level=LEVEL,
        errata={heading: sum(entry["kind"] == kind for entry in errata) for kind, heading in KINDS.items()},
    )


def read_errata(path: str | Path = ERRATA) -> list[dict[str, Any]]:
    """The entries of the errata file."""
    import yaml

    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def errata_text(errata: Sequence[Mapping[str, Any]]) -> str:
    """The errata as Markdown, numbered through."""
    lines = [
        "# Misprints, contradictions and gaps of the paper",
        "",
        "Made by `python -m lpi.report` from [errata.yaml](../workflow/report/errata.yaml). Sections, equations and lines of "
        "algorithms are the paper's. We worked from one electronic copy; a misprint may be that copy's. How the open "
        "points are settled: [open-choices.md](open-choices.md); the theorems in full: [theory.md](theory.md).",
    ]
    number = 0
    for kind, heading in KINDS.items():
        lines += ["", f"## {heading}", ""]
        lines += ["| | where | printed | must be meant | changes results? | shown by |", "|---:|---|---|---|---|---|"]
        for entry in (entry for entry in errata if entry["kind"] == kind):
            number += 1
            cells = [entry["where"], entry["printed"], entry["meant"], entry["changes"], text.shown_by(entry)]
            lines.append(f"| {number} | " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


BLOCKS: dict[str, tuple[str, Callable[[Published], str]]] = {
    README: ("claims", text.claims_block),
    ACTOR_CRITIC: ("standing", beyond.baseline_standing),
}
"""Pages written by hand with one block that is made: its name in the marks and what it says."""


def page_with_block(page: str, present: str, published: Published) -> str:
    """The text of a page of `BLOCKS` with its block as of today; unchanged where it has no place for it.

    Raises:
        MarksError: one mark without the other, or marks that are there twice or in the wrong order.
    """
    name, made = BLOCKS[page]
    return with_block(page, present, name, COMMAND, made(published), needed=False)


def main(arguments: list[str] | None = None) -> None:
    """Bring the generated texts in the current folder up to date, or write the pages elsewhere; measure before if asked to."""
    parser = argparse.ArgumentParser(prog="python -m lpi.report", description=__doc__.splitlines()[0])
    parser.add_argument("--figures", default="figures", help="folder with the tables")
    parser.add_argument("--output", type=Path, help="write the pages into this folder and nothing else")
    parser.add_argument(
        "--measure",
        metavar="RESULTS",
        help="first sum up the times and sizes of the jobs in this folder; parts not in it keep their numbers",
    )
    parser.add_argument("--coverage", action="store_true", help="first measure how often intervals cover; some seconds")
    options = parser.parse_args(arguments)
    if options.measure:
        _save(kept(measure(options.measure), options.figures), options.figures, "benchmarks")
    if options.coverage:
        _save(coverage.table(), options.figures, "coverage")
    published, errata = load(options.figures), read_errata()
    pages = {
        page: render(published, errata, Path(template).read_text(encoding="utf-8"))
        for page, template in TEMPLATES.items()
    }
    if options.output:
        for page, content in pages.items():
            atomic_write(options.output / Path(page).name, content)
        return
    pages[ERRATA_LIST] = errata_text(errata)
    for page in BLOCKS:
        if Path(page).exists():
            present = Path(page).read_text(encoding="utf-8")
            updated = page_with_block(page, present, published)
            pages |= {page: updated} if updated != present else {}
    for page, content in pages.items():  # all are made before the first is written
        atomic_write(page, content)


def _save(table: pd.DataFrame, figures: str, name: str) -> None:
    atomic_write(Path(figures) / "report" / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
