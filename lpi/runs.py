"""When each job of the workflow began and how it ended, failed ones too: a journal that Snakemake's events write.

One line when a job begins and one when it ends, appended to logs/journal.txt in the results folder; a job that has no
second line was cut short.  `runs` joins the journal with Snakemake's benchmark files, which say what a job that ended
well took of the processor and of memory.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

JOURNAL = "logs/journal.txt"
ENDED = {"job_finished": "finished", "job_error": "failed"}
"""Snakemake's events and what they make of a job."""
COLUMNS = ("job", "status", "began", "seconds", "cpu_seconds", "megabytes")


class Run(NamedTuple):
    """One attempt of a job; what is not known is None."""

    job: str  # its benchmark file, below the folder of these, without suffix
    status: str  # finished, failed, or cut short
    began: str  # ISO 8601, UTC
    seconds: float | None  # by the clock; on a cluster with the wait in the queue
    cpu_seconds: float | None  # of the last attempt that finished
    megabytes: float | None  # most memory at once, 10^6 bytes; of the same attempt

    @property
    def ended(self) -> str:
        """When it ended, as `began`; when it began, where that is not known."""
        end = datetime.fromisoformat(self.began) + timedelta(seconds=self.seconds or 0.0)
        return end.isoformat(timespec="milliseconds")


class Journal(logging.Handler):
    """Writes the journal of one call of Snakemake.

    Args:
        results: the results folder.
    """

    def __init__(self, results: str | Path):
        super().__init__()
        self._benchmarks = Path(results) / "benchmarks"
        self._path = Path(results) / JOURNAL
        self._jobs: dict[Any, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """A line for a job that begins or ends; a job without a benchmark file does nothing worth one."""
        event = getattr(record, "event", None)
        kind = getattr(event, "value", event)
        if kind == "job_info":
            job = _job(getattr(record, "benchmark", None), self._benchmarks)
            if job:
                self._jobs[record.__dict__["jobid"]] = job
                self._write(record, job, "began")
        elif kind in ENDED:
            number = record.__dict__.get("jobid", record.__dict__.get("job_id"))
            job = self._jobs.pop(number, None)
            if job:
                self._write(record, job, ENDED[kind])

    def _write(self, record: logging.LogRecord, job: str, what: str) -> None:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow((when, what, job))


def watch(results: str | Path) -> None:
    """Keep the journal of Snakemake from now on."""
    from snakemake.logging import logger

    logger.addHandler(Journal(results))


def runs(results: str | Path) -> list[Run]:
    """All attempts of all jobs, by job and time.

    Raises:
        FileNotFoundError: no journal; jobs that ran before there was one are not known.
    """
    results = Path(results)
    open_since: dict[str, str] = {}
    found: list[Run] = []
    with open(results / JOURNAL, encoding="utf-8", newline="") as file:
        for when, what, job in filter(_whole, csv.reader(file)):
            since = open_since.pop(job, None)
            if what == "began":
                found += [Run(job, "cut short", since, None, None, None)] if since else []
                open_since[job] = when
            elif since:
                seconds = (datetime.fromisoformat(when) - datetime.fromisoformat(since)).total_seconds()
                found.append(Run(job, what, since, seconds, None, None))
    found += [Run(job, "cut short", since, None, None, None) for job, since in open_since.items()]
    found.sort(key=lambda run: (run.job, run.began))
    last = {run.job: place for place, run in enumerate(found) if run.status == "finished"}
    for job, place in last.items():
        cpu, megabytes = _measured(results / "benchmarks" / f"{job}.tsv")
        found[place] = found[place]._replace(cpu_seconds=cpu, megabytes=megabytes)
    return found


def totals(found: list[Run]) -> dict[str, float]:
    """Attempts, how many of them failed or were cut short, and their time by the clock and of the processor, seconds."""
    return {
        "attempts": len(found),
        "failed": sum(run.status == "failed" for run in found),
        "cut short": sum(run.status == "cut short" for run in found),
        "seconds": round(sum(run.seconds or 0.0 for run in found), 1),
        "cpu_seconds": round(sum(run.cpu_seconds or 0.0 for run in found), 1),
    }


def _whole(line: list[str]) -> bool:
    """Whether no crash cut a line, nor the one before that it then follows without a break."""
    try:
        return len(line) == 3 and bool(datetime.fromisoformat(line[0]))
    except ValueError:
        return False


def _job(benchmark: Any, folder: Path) -> str | None:
    """The name of a job by its benchmark file."""
    path = benchmark[0] if isinstance(benchmark, (list, tuple)) and benchmark else benchmark
    if not path:
        return None
    path = Path(str(path)).with_suffix("")
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else None


def _measured(path: Path) -> tuple[float | None, float | None]:
    """Seconds of the processor and megabytes from a benchmark file of Snakemake, whose unit is MiB."""
    if not path.is_file():
        return None, None
    rows: list[Mapping[str, str]] = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
    memory = _number(rows[-1].get("max_rss")) if rows else None
    return (_number(rows[-1].get("cpu_time")) if rows else None), memory and round(memory * 1.048576, 2)


def _number(text: str | None) -> float | None:
    """Snakemake writes NA or - for what it could not measure."""
    try:
        return float(text or "")
    except ValueError:
        return None
