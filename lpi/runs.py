"""When each job of the workflow began and how it ended, failed ones too: a journal that Snakemake's events write.

One line when a job begins and one when it ends, appended to logs/journal.txt in the results folder, and one before the
first job of a call; a job that has no second line when the next call begins was cut short.  The second has the processor's time, of failed jobs too: the shell of each job leaves it at the
end of the job's log (`TIMEFORMAT`), because Snakemake measures only jobs that end well, and by samples that miss short
ones.  `runs` joins the journal with Snakemake's benchmark files, for memory, and for jobs older than the journal.
"""

from __future__ import annotations

import csv
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

JOURNAL = "logs/journal.txt"
CALL, BEGAN, OPEN = "call", "began", "open"
ENDED = {"job_finished": "finished", "job_error": "failed"}
"""Snakemake's events and what they make of a job."""
TIMEFORMAT = "cpu_seconds %U %S"
"""Of bash: what `time` writes, here the seconds that a process and its children took themselves and in the system."""
CPU = re.compile(r"cpu_seconds (\d+[.,]\d+) (\d+[.,]\d+)$", re.MULTILINE)
COLUMNS = ("job", "status", "began", "seconds", "cpu_seconds", "megabytes")


class Run(NamedTuple):
    """One attempt of a job; what is not known is None."""

    job: str  # its benchmark file, below the folder of these, without suffix
    status: str  # finished, failed, cut short, or open: it runs, or the latest call ended before it did
    began: str  # ISO 8601, UTC
    seconds: float | None  # by the clock; on a cluster with the wait in the queue
    cpu_seconds: float | None  # of the processes that it started
    megabytes: float | None  # most memory at once, 10^6 bytes; of the last attempt that finished

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
        self._jobs: dict[Any, tuple[str, Path | None]] = {}
        self._called = False
        self._lost: OSError | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """A line for a job that begins or ends; a job without a benchmark file does nothing worth one.

        Nothing is raised: Snakemake would wait for ever for a job whose end it could not log.
        """
        try:
            self._note(record)
        except OSError as error:  # a full disk, a folder that cannot be written
            if self._lost is None:
                print(f"journal: {self._path}: cannot be written: {error.strerror}", file=sys.stderr)
            self._lost = error
        except Exception:
            self.handleError(record)

    def _note(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        kind = getattr(event, "value", event)
        if kind == "job_info":
            job = _job(getattr(record, "benchmark", None), self._benchmarks)
            if job:
                log = _first(getattr(record, "log", None))
                if not self._called:
                    self._write(record, "", CALL, "")
                    self._called = True
                self._jobs[record.__dict__["jobid"]] = job, Path(log) if log else None
                self._write(record, job, BEGAN, "")
        elif kind in ENDED:
            number = record.__dict__.get("jobid", record.__dict__.get("job_id"))
            known = self._jobs.pop(number, None)
            if known:
                seconds = logged_cpu(known[1])
                self._write(record, known[0], ENDED[kind], "" if seconds is None else f"{seconds:.3f}")

    def _write(self, record: logging.LogRecord, job: str, what: str, seconds: str) -> None:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow((when, what, job, seconds))


def watch(results: str | Path) -> None:
    """Keep the journal of Snakemake from now on."""
    from snakemake.logging import logger

    logger.addHandler(Journal(results))


def runs(results: str | Path) -> list[Run]:
    """All attempts of all jobs, by job and time; none where there is neither a journal nor a benchmark file.

    Of jobs that ran before there was a journal, the last attempt that finished is known, by its benchmark file.
    """
    results = Path(results)
    found = _of_journal(results / JOURNAL)
    last = {run.job: place for place, run in enumerate(found) if run.status == "finished"}
    for path in (results / "benchmarks").rglob("*.tsv"):
        job = path.relative_to(results / "benchmarks").with_suffix("").as_posix()
        measured = _measured(path, job)
        if job not in last:
            found += [measured] if measured else []
        elif measured:
            run = found[last[job]]
            cpu = measured.cpu_seconds if run.cpu_seconds is None else run.cpu_seconds
            found[last[job]] = run._replace(cpu_seconds=cpu, megabytes=measured.megabytes)
    return sorted(found, key=lambda run: (run.job, run.began))


def _of_journal(path: Path) -> list[Run]:
    """The attempts that a journal tells of, those of a job in the order of time; without their memory."""
    open_since: dict[str, str] = {}
    found: list[Run] = []
    text = path.read_text(encoding="utf-8") if path.is_file() else ""

    def left(status: str) -> None:
        found.extend(Run(job, status, since, None, None, None) for job, since in open_since.items())
        open_since.clear()

    for when, what, job, cpu in filter(_whole, csv.reader(text.splitlines())):
        if what == CALL:
            left("cut short")
        elif what == BEGAN:
            open_since[job] = when
        elif since := open_since.pop(job, None):
            seconds = (datetime.fromisoformat(when) - datetime.fromisoformat(since)).total_seconds()
            found.append(Run(job, what, since, seconds, _number(cpu), None))
    left(OPEN)
    return found


def logged_cpu(log: Path | None) -> float | None:
    """Seconds of the processor that the log of a job ends with, those of all its commands; None where it has none."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace") if log else ""
    except OSError:
        return None
    found = [float(part.replace(",", ".")) for parts in CPU.findall(text) for part in parts]
    return sum(found) if found else None


def totals(found: list[Run]) -> dict[str, float]:
    """Attempts, how many of them failed or were cut short, and their time by the clock and of the processor, seconds.

    Open ones are left out.
    """
    found = [run for run in found if run.status != OPEN]
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
        return len(line) == 4 and bool(datetime.fromisoformat(line[0]))
    except ValueError:
        return False


def _first(files: Any) -> str | None:
    """A file, or the first of several."""
    first = files[0] if isinstance(files, (list, tuple)) and files else files
    return str(first) if first else None


def _job(benchmark: Any, folder: Path) -> str | None:
    """The name of a job by its benchmark file."""
    first = _first(benchmark)
    if first is None:
        return None
    path = Path(first).with_suffix("")
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else None


def _measured(path: Path, job: str) -> Run | None:
    """A job by its benchmark file, which Snakemake writes when it has ended well; memory there is in MiB."""
    rows: list[Mapping[str, str]] = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
    if not rows:
        return None
    seconds, memory = _number(rows[-1].get("s")), _number(rows[-1].get("max_rss"))
    began = datetime.fromtimestamp(path.stat().st_mtime - (seconds or 0.0), UTC).isoformat(timespec="milliseconds")
    megabytes = None if memory is None else round(memory * 1.048576, 2)
    return Run(job, "finished", began, seconds, _number(rows[-1].get("cpu_time")), megabytes)


def _number(text: str | None) -> float | None:
    """Snakemake writes NA or - for what it could not measure."""
    try:
        return float(text or "")
    except ValueError:
        return None
