"""Locks of a Snakemake that is gone are removed, those of one that lives are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lpi import stale_locks

ROOT = Path(__file__).parents[1]
HOLD = (
    "import sys; from lpi.stale_locks import release; held = release(sys.argv[1]); print('held', flush=True); input()"
)


@pytest.fixture
def folder(tmp_path):
    """Snakemake's folder after two calls, of which one set locks."""
    stale_locks.release(tmp_path).close()
    (tmp_path / "locks").mkdir()
    for kind in ("input", "output"):
        (tmp_path / f"locks/0.{kind}.lock").write_text("a file")
    return tmp_path


def locks(folder):
    return sorted(path.name for path in (folder / "locks").iterdir())


def test_locks_that_nobody_holds_are_removed(folder):
    with stale_locks.release(folder):
        assert locks(folder) == []


def test_locks_stay_while_another_call_lives_and_go_when_it_is_killed(folder):
    command = [sys.executable, "-B", "-c", HOLD, str(folder)]
    other = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    (folder / "locks/0.input.lock").write_text("of the other")
    for _ in range(2):  # a call that ends takes nothing from those that live
        with stale_locks.release(folder):
            assert locks(folder) == ["0.input.lock"]
    other.kill()
    other.communicate()
    with stale_locks.release(folder):
        assert locks(folder) == []


def test_locks_stay_where_several_machines_have_called(folder, monkeypatch):
    monkeypatch.setattr(stale_locks.socket, "gethostname", lambda: "another")
    for _ in range(2):
        with stale_locks.release(folder):
            assert len(locks(folder)) == 2
    monkeypatch.undo()
    with stale_locks.release(folder):
        assert len(locks(folder)) == 2


def test_without_locks_of_the_system_nothing_is_removed(folder, monkeypatch):
    monkeypatch.setattr(stale_locks, "fcntl", None)
    assert stale_locks.release(folder) is None
    assert len(locks(folder)) == 2


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    assert stale_locks.release(tmp_path / "file/.snakemake") is None
