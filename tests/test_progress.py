"""What is said of the time left."""

import io
import logging

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from lpi.progress import LoopBar, TimeLeft, in_words


class Terminal(io.StringIO):
    def __init__(self, is_one=True):
        super().__init__()
        self.is_one = is_one

    def isatty(self):
        return self.is_one


def said(stream, event=LogEvent.PROGRESS, **numbers):
    times = iter([100.0, 160.0])
    handler = TimeLeft(stream, clock=lambda: next(times))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    logger.info(None, extra={"event": event, **numbers})
    return stream.getvalue()


def test_the_rest_at_the_rate_so_far():
    assert said(Terminal(), done=20, total=80) == "about 3 min left at the rate so far\n"


@pytest.mark.parametrize("numbers", [{"done": 80, "total": 80}, {"done": 0, "total": 80}])
def test_nothing_before_the_first_and_after_the_last_job(numbers):
    assert said(Terminal(), **numbers) == ""


def test_nothing_without_a_terminal_and_for_other_events():
    assert said(Terminal(is_one=False), done=20, total=80) == ""
    assert said(Terminal(), event=LogEvent.JOB_FINISHED, done=20, total=80) == ""


@pytest.mark.parametrize("seconds, words", [(4.4, "4 s"), (89, "89 s"), (600, "10 min"), (7200, "2.0 h")])
def test_in_words(seconds, words):
    assert in_words(seconds) == words


@pytest.mark.parametrize("compiled", [True, False])
def test_the_bar_says_why_nothing_moves_before_kernels_are_compiled(compiled, tmp_path, monkeypatch):
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr("lpi.kernels.folder", lambda: tmp_path)
    if compiled:
        (tmp_path / "package").mkdir()
        (tmp_path / "package/kernel.nbi").touch()
    with LoopBar(2, quiet=False) as step:
        assert ("compiling, once: " in stream.getvalue()) is not compiled
        step(0)
        step(1)
    assert "0/2" in stream.getvalue()
