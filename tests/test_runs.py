"""The journal of the workflow's jobs."""

import logging
import os

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from lpi import runs


class Calls:
    """Calls of Snakemake, one after another, as their events tell of them."""

    def __init__(self, results):
        self.results = results
        self.times = iter(float(second) for second in range(1_800_000_000, 1_800_001_000, 10))
        self.begin()

    def begin(self):
        self.handler = runs.Journal(self.results)

    def tell(self, event, **fields):
        record = logging.LogRecord("test", logging.INFO, "", 0, None, (), None)
        record.__dict__.update(event=event, created=next(self.times), **fields)
        self.handler.emit(record)

    def start(self, number, job, log=""):
        path = self.results / "logs" / f"{job}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(log, encoding="utf-8")
        benchmark = str(self.results / "benchmarks" / f"{job}.tsv")
        self.tell(LogEvent.JOB_INFO, jobid=number, benchmark=benchmark, log=[str(path)])

    def end(self, number):
        self.tell(LogEvent.JOB_FINISHED, job_id=number)

    def fail(self, number):
        self.tell(LogEvent.JOB_ERROR, jobid=number)


@pytest.fixture
def calls(tmp_path):
    return Calls(tmp_path)


def benchmark(folder, job, cpu, memory):
    path = folder / "benchmarks" / f"{job}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\tmax_rss\tcpu_time\n9.9\t{memory}\t{cpu}\n", encoding="utf-8")


def test_attempts_that_failed_and_were_cut_short_are_kept(calls, tmp_path):
    calls.start(1, "train/a")
    calls.start(2, "curves/mine")
    (tmp_path / "logs/train/a.log").write_text("lpi train: no room\n\ncpu_seconds 2.250 0.25\n", encoding="utf-8")
    calls.fail(1)
    calls.begin()  # the first call was killed
    calls.start(7, "curves/mine")
    calls.start(8, "train/a")
    calls.end(8)
    calls.end(7)
    benchmark(tmp_path, "train/a", 3.5, 100)
    benchmark(tmp_path, "curves/mine", "NA", "-")
    first, second, third, fourth = runs.runs(tmp_path)
    assert first[:2] == ("curves/mine", "cut short") and first.seconds is None
    assert second[:2] == ("curves/mine", "finished") and second[3:] == (30.0, None, None)
    assert third[:2] == ("train/a", "failed") and third[3:] == (20.0, 2.5, None)
    assert fourth[:2] == ("train/a", "finished") and fourth[3:] == (10.0, 3.5, 104.86)
    assert third.began == "2027-01-15T08:00:00.000+00:00"
    total = {"attempts": 4, "failed": 1, "cut short": 1, "seconds": 60.0, "cpu_seconds": 6.0}
    assert runs.totals(runs.runs(tmp_path)) == total


def test_what_the_log_says_of_the_processor_goes_before_samples(calls, tmp_path):
    calls.start(1, "train/a", "cpu_seconds 1.5 0.5\ncpu_seconds 1,25 0,0\n")  # two commands, and another locale
    calls.end(1)
    benchmark(tmp_path, "train/a", 0.0, 100)
    (run,) = runs.runs(tmp_path)
    assert run.cpu_seconds == 3.25 and run.megabytes == 104.86


def test_jobs_older_than_the_journal_are_known_by_their_benchmark_files(tmp_path):
    assert runs.runs(tmp_path) == []
    benchmark(tmp_path, "train/a", 3.5, 100)
    os.utime(tmp_path / "benchmarks/train/a.tsv", (1_800_000_009.9, 1_800_000_009.9))
    assert runs.runs(tmp_path) == [("train/a", "finished", "2027-01-15T08:00:00.000+00:00", 9.9, 3.5, 104.86)]


def test_a_job_is_open_until_it_ends_or_the_next_call_begins(calls, tmp_path):
    calls.start(1, "train/a")
    calls.start(2, "train/b")
    calls.end(2)
    assert [run.status for run in runs.runs(tmp_path)] == ["open", "finished"]
    assert runs.totals(runs.runs(tmp_path))["attempts"] == 1
    calls.begin()
    assert [run.status for run in runs.runs(tmp_path)] == ["open", "finished"]  # a call that does nothing
    calls.start(3, "train/c")
    assert [run.status for run in runs.runs(tmp_path)] == ["cut short", "finished", "open"]


def test_a_journal_that_cannot_be_written_stops_nothing(tmp_path, capsys):
    (tmp_path / "logs").write_text("no folder", encoding="utf-8")
    handler = runs.Journal(tmp_path)
    for number in (1, 2):
        fields = dict(
            event=LogEvent.JOB_INFO, jobid=number, benchmark=str(tmp_path / f"benchmarks/{number}.tsv"), log=None
        )
        record = logging.LogRecord("test", logging.INFO, "", 0, None, (), None)
        record.__dict__.update(fields)
        handler.handle(record)
    assert capsys.readouterr().err.count("cannot be written") == 1


def test_jobs_without_a_benchmark_and_other_events_are_not_written(calls, tmp_path):
    calls.tell(LogEvent.JOB_INFO, jobid=1, benchmark=None)
    calls.end(1)
    calls.tell(LogEvent.PROGRESS, done=1, total=2)
    assert not (tmp_path / runs.JOURNAL).exists()


def test_a_line_cut_by_a_crash_is_passed_over(calls, tmp_path):
    calls.start(1, "train/a")
    with open(tmp_path / runs.JOURNAL, "a", encoding="utf-8") as file:
        file.write("2027-01-15T08:")
    calls.start(2, "train/b")
    calls.end(2)
    calls.start(3, "train/c")
    assert [run.job for run in runs.runs(tmp_path)] == ["train/a", "train/c"]
