"""What is said of folders that nothing can be written to."""

import os
import shutil
from collections import namedtuple

import pytest

from lpi.folders import ROOM, trouble, unwritable

Usage = namedtuple("Usage", ["total", "used", "free"])


def test_nothing_is_said_of_a_folder_that_is_there_or_can_be_made(tmp_path):
    assert trouble([tmp_path, tmp_path / "not/yet/there"]) == []


def test_a_full_disk_is_named_also_before_the_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(ROOM, 1, ROOM - 1) if path == tmp_path else 1 / 0)
    assert trouble([tmp_path / "results"]) == [f"{tmp_path / 'results'}: the disk is full, 999 kB are free"]


@pytest.mark.parametrize("denied", [os.W_OK, os.X_OK])
def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch, denied):
    monkeypatch.setattr(os, "access", lambda path, mode: not (path == tmp_path and mode & denied))
    assert trouble([tmp_path]) == [f"{tmp_path}: cannot be written"]


def test_of_many_folders_that_cannot_be_made_their_parent_is_named_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("results")
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != "results")
    assert unwritable(["results/mine/runs", "results/mine", "elsewhere/too"]) == ["results: cannot be written"]
