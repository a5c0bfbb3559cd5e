"""Files from the future are set to the present, in their order."""

import os
import time

import pytest

from lpi.clock import set_back

HOUR = 3600 * 10**9


@pytest.fixture
def files(tmp_path):
    """An old file, one of now, and three from the future, of which two have the same time."""
    present = time.time_ns()
    times = {"old": present - HOUR, "now": present - 10**9, "a": present + 2 * HOUR, "b": present + HOUR}
    times["c"] = times["b"]
    for name, when in times.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, ns=(when, when))
    return tmp_path


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_the_order_stays_and_nothing_else_changes(files):
    before = times(files)
    assert set_back([*files.iterdir(), files / "missing"], files) == (3, 0)
    found = times(files)
    assert set(found) == set(before)
    assert (found["old"], found["now"]) == (before["old"], before["now"])
    assert found["now"] < found["b"] == found["c"] < found["a"] <= time.time_ns()


def test_a_file_that_is_made_now_is_not_older_than_one_that_was_set_back(files):
    set_back(files.iterdir(), files)
    (files / "made").touch()
    assert times(files)["made"] >= times(files)["a"]
    assert set_back(files.iterdir(), files) == (0, 0)
