"""What the replication report and the README quote: the tables in the figures folder, each there or not yet.

A table that is not there is None, and what rests on it says by which command it is made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lpi.baselines.standing import COLUMNS as BASELINE_COLUMNS
from lpi.claims import COLUMNS as CLAIM_COLUMNS
from lpi.claims import CONTRADICTED, UNTESTED, overall
from lpi.config import READINGS, SETTINGS
from lpi.config_keys import GRID
from lpi.multiverse.effects import read_effects, read_verdicts, text_of
from lpi.report.coverage import COLUMNS as COVERAGE_COLUMNS
from lpi.results import ResultsError
from lpi.runs import JOURNAL, Run, runs, totals

CONTRAST_COLUMNS = (
    "study",
    "first",
    "second",
    "kappa",
    "quantity",
    "seeds",
    "mean",
    "low",
    "high",
    "wide_low",
    "wide_high",
)
PRICE_COLUMNS = ("agents", "variant", "kappa", "share", "seeds", "reached", "median", "budget", "best")
BETWEEN_COLUMNS = ("study", "variant", "kappa", "quantity", "mean", "low", "high")
MEASURED_COLUMNS = (
    *("part", "jobs", "seconds", "wall_seconds", "megabytes"),
    *("cpu_seconds", "attempts", "failed", "cut_short"),
)
FIRST_FIGURE_COLUMNS = ("command", "first_seconds", "wall_seconds", "cpu_seconds", "machine")
LOOKING_COLUMNS = ("what", "wall_seconds", "cpu_seconds", "megabytes", "load", "machine")
SUMMARY_COLUMNS = (
    "figure",
    "agents",
    "tau",
    "kappa",
    "seeds",
    "initial",
    "final_median",
    "final_q1",
    "final_q3",
    "visited",
)
THEORY_COLUMNS = (
    "part",
    "statement",
    "quantity",
    "form",
    "setting",
    "hypothesis_met",
    "bound",
    "measured",
    "cases",
    "violations",
    "vacuous",
    "note",
)
LOCALITY_COLUMNS = ("p1_means", "p2_means", "agents", "tau", "kappa", "uniform_loss", "loss")

BEST_MATCH = "best_match"
APART = ("multiverse", "studies", "theory")
"""The parts beside the default one; each names its folder of results and the first word of its jobs."""
UNCOUNTED = ("baseline", "scaling", "verify", "crate")
"""Targets whose jobs and results no part counts."""
DEFAULT_JOBS = (
    *("package", "publish", "reference", "train", "point", "curves", "optimum", "optima", "best_local"),
    *("locality", "acting", "claims", "notebooks", "report"),
)
"""First words of the jobs of the default job."""
DEFAULT_FOLDERS = ("locality", "acting", "report")
"""Its folders of results, beside those of the readings that it trained."""


@dataclass(frozen=True)
class Published:
    """The tables of a figures folder."""

    readings: tuple[str, ...]
    """readings with results, in the order of the config's"""
    configurations: Mapping[str, Mapping[str, Any]]
    summaries: Mapping[str, pd.DataFrame]
    claims: pd.DataFrame | None = None
    locality: pd.DataFrame | None = None
    theory: pd.DataFrame | None = None
    verdicts: pd.DataFrame | None = None
    effects: pd.DataFrame | None = None
    best: Mapping[str, Any] | None = None
    contrasts: pd.DataFrame | None = None
    between: pd.DataFrame | None = None
    """differences between neighbouring κ in the studies"""
    prices: pd.DataFrame | None = None
    baseline: pd.DataFrame | None = None
    questions: Mapping[str, str] = field(default_factory=dict)
    """of the studies, by name"""
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """sentences of the studies by name, and their advice under "Advice\""""
    coverage: pd.DataFrame | None = None
    measured: pd.DataFrame | None = None
    first_figure: pd.DataFrame | None = None
    looking: pd.DataFrame | None = None
    checks: pd.DataFrame | None = None

    def verdict(self, reading: str, claim: str) -> str | None:
        """Overall verdict on a claim under a reading; None where it was not judged.

        Where its own runs do not test the claim (or, of `best_match`, as long as it has none), what the multiverse says.
        """
        found = None
        if self.claims is not None:
            rows = self.claims[(self.claims["reading"] == reading) & (self.claims["claim"] == claim)]
            found = str(overall(rows)["verdict"].iloc[0]) if len(rows) else None
        if found == UNTESTED or (found is None and reading == BEST_MATCH):
            return self.in_multiverse(reading, claim) or found
        return found

    def parts(self, reading: str, claim: str) -> str:
        """` (9/12, 1 contradicted, 2 not tested)`: how many parts of a claim a reading's own runs support, and the others.

        Nothing where the claim has one part or none.
        """
        if self.claims is None:
            return ""
        rows = self.claims[(self.claims["reading"] == reading) & (self.claims["claim"] == claim)]
        if len(rows) < 2:
            return ""
        found = overall(rows).iloc[0]
        others = ((verdict, (rows["verdict"] == verdict).sum()) for verdict in (CONTRADICTED, UNTESTED))
        return f" ({found['supported']}/{found['parts']}" + "".join(f", {n} {word}" for word, n in others if n) + ")"

    def in_multiverse(self, reading: str, claim: str) -> str | None:
        """Verdict of the multiverse, at its first number of agents, on a claim under a shipped reading; None: none there."""
        if self.verdicts is None or reading not in READINGS:
            return None
        rows = self.verdicts[
            (self.verdicts["claim"] == claim) & (self.verdicts["agents"] == self.verdicts["agents"].iloc[0])
        ]
        for key in (name for name in rows.columns if name in SETTINGS and name not in GRID):
            value = READINGS[reading].get(key, SETTINGS[key].default)
            rows = rows[rows[key].astype(str) == text_of(value)]
        return str(rows["verdict"].iloc[0]) if len(rows) == 1 else None


def load(folder: str | Path) -> Published:
    """The tables of a figures folder.

    Raises:
        ResultsError: no such folder, or a table in it that is not readable or lacks a column.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ResultsError(f"{folder}: no such folder; the workflow makes it (`.venv/bin/snakemake --cores 2`)")
    configurations = {}
    for path in sorted(folder.glob("*/provenance.json")):
        configuration = _json(path)["configuration"]
        if "reading" in configuration:
            configurations[configuration["reading"]] = configuration
    parts = [_csv(path, CLAIM_COLUMNS) for path in sorted(folder.glob("*/claims.csv"))]
    claims = pd.concat(parts, ignore_index=True).drop_duplicates() if parts else None
    losses = [_csv(path, LOCALITY_COLUMNS) for path in sorted(folder.glob("locality/*.csv"))]
    questions, answers = _studies(folder / "studies/studies.md")
    known = [name for name in ("as_printed", "working", BEST_MATCH) if name in configurations]
    return Published(
        readings=tuple(known + [name for name in configurations if name not in known]),
        configurations=configurations,
        summaries={name: _csv(folder / name / "summary.csv", SUMMARY_COLUMNS) for name in configurations},
        claims=claims,
        locality=pd.concat(losses, ignore_index=True).drop_duplicates() if losses else None,
        theory=_csv(folder / "theory/theory.csv", THEORY_COLUMNS, needed=False),
        verdicts=_if_there(read_verdicts, folder / "multiverse/verdicts.csv"),
        effects=_if_there(read_effects, folder / "multiverse/effects.csv"),
        best=_json(folder / "multiverse/best_match.json", needed=False),
        contrasts=_csv(folder / "studies/contrasts.csv", CONTRAST_COLUMNS, needed=False),
        between=_csv(folder / "studies/between_kappas.csv", BETWEEN_COLUMNS, needed=False),
        prices=_csv(folder / "studies/prices.csv", PRICE_COLUMNS, needed=False),
        baseline=_csv(folder / "baseline/baseline.csv", BASELINE_COLUMNS, needed=False),
        questions=questions,
        answers=answers,
        coverage=_csv(folder / "report/coverage.csv", COVERAGE_COLUMNS, needed=False),
        measured=_csv(folder / "report/benchmarks.csv", MEASURED_COLUMNS, needed=False),
        first_figure=_csv(folder / "report/first_figure.csv", FIRST_FIGURE_COLUMNS, needed=False),
        looking=_csv(folder / "report/looking.csv", LOOKING_COLUMNS, needed=False),
        checks=_csv(folder / "report/checks.csv", LOOKING_COLUMNS, needed=False),
    )


def measure(results: str | Path) -> pd.DataFrame:
    """Jobs, their time and their megabytes on disk, for each part of the workflow, with `MEASURED_COLUMNS`.

    From Snakemake's benchmark files in a results folder, each of which is written when its job ends.  `seconds` are
    those of all jobs together, `wall_seconds` the time in which at least one of them ran, so that pauses between
    calls do not count.  The megabytes are those of the part's results, without logs.  The other columns are of all
    attempts (`lpi.runs`), and empty without a journal.  What belongs to no part, such as what an overlay wrote into
    a folder of its own, is left out.

    Raises:
        ResultsError: a folder without benchmark files.
    """
    results = Path(results)
    jobs: dict[str, list[tuple[float, float]]] = {}
    for path in sorted((results / "benchmarks").rglob("*.tsv")):
        part = _part(path.relative_to(results / "benchmarks").with_suffix("").as_posix())
        if part is None:
            continue
        end = path.stat().st_mtime
        jobs.setdefault(part, []).extend((end - seconds, end) for seconds in pd.read_csv(path, sep="\t")["s"])
    if not jobs:
        raise ResultsError(f"{results}/benchmarks: no measured jobs; the workflow makes them")
    trained = [folder.name for folder in (results / "benchmarks/train").glob("*")]
    folders: dict[str, tuple[str, ...]] = {"default": (*DEFAULT_FOLDERS, *trained), **{part: (part,) for part in APART}}
    sizes = {
        part: sum(path.stat().st_size for top in folders[part] for path in (results / top).rglob("*") if path.is_file())
        for part in jobs
    }
    attempts, journal = runs(results), (results / JOURNAL).is_file()
    rows = [
        (part, len(spans), round(math.fsum(end - start for start, end in spans), 1), round(_covered(spans), 1),
         round(sizes[part] / 1e6, 1), *_spent([run for run in attempts if _part(run.job) == part], journal))
        for part, spans in jobs.items()
    ]  # fmt: skip
    return pd.DataFrame(sorted(rows), columns=list(MEASURED_COLUMNS))


def kept(table: pd.DataFrame, figures: str | Path) -> pd.DataFrame:
    """What `measure` found, with the rows in the figures folder of parts that it did not find."""
    before = load(figures).measured
    if before is None:
        return table
    rows = pd.concat([before[~before["part"].isin(table["part"])], table])
    return rows.sort_values("part", ignore_index=True)


def _part(job: str) -> str | None:
    """The part of the workflow that a job belongs to, by its name; None if it is of no part."""
    first, _, name = job.partition("/")
    of = {"publish": name, "package": name.partition("_")[0]}.get(first, first)
    if of in APART:
        return of
    return "default" if first in DEFAULT_JOBS and of not in UNCOUNTED else None


def _spent(attempts: list[Run], journal: bool) -> tuple[float | None, ...]:
    """The processor's seconds of attempts, and how many there were, failed, and were cut short; None without a journal.

    Snakemake's benchmark files have times of the processor too, of samples that miss the ends of jobs.
    """
    found = totals(attempts)
    return tuple(found[key] if journal else None for key in ("cpu_seconds", "attempts", "failed", "cut short"))


def _covered(spans: list[tuple[float, float]]) -> float:
    """Length of the union of intervals."""
    total, reached = 0.0, -math.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _csv(path: Path, columns, needed: bool = True) -> pd.DataFrame | None:
    if not path.exists() and not needed:
        return None
    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"reading": str})
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, UnicodeDecodeError) as error:  # the parser's errors are ValueErrors
        raise ResultsError(f"{path}: not a CSV table: {error}") from error
    missing = [name for name in columns if name not in table]
    if missing:
        raise ResultsError(f"{path}: column {', '.join(missing)}: missing")
    return table


def _json(path: Path, needed: bool = True) -> Any:
    if not path.exists() and not needed:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: cannot be read as JSON: {error}") from error


def _if_there(read, path: Path) -> pd.DataFrame | None:
    return read(path) if path.exists() else None


def _studies(path: Path) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Of the studies' text the questions, headings `## name: question`, and the items below each heading."""
    questions: dict[str, str] = {}
    answers: dict[str, tuple[str, ...]] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        if line.startswith("## "):
            name, _, question = line[3:].partition(": ")
            questions |= {name: question} if question else {}
        elif line.startswith("- "):
            answers[name] = (*answers.get(name, ()), line[2:])
    return questions, answers
