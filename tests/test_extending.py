"""The walk-throughs of docs/extending.md, run as they stand, each section after the one before it in one folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("Snakefile", "workflow", "profiles", "config", "notebooks", "lpi", "constraints.txt")
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTIONS = dict(
    part.partition("\n")[::2] for part in (ROOT / "docs/extending.md").read_text(encoding="utf-8").split("\n## ")[1:]
)

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clone")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    return folder


def run(folder: Path, line: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PATH": f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"}
    # the clone has no environment of its own; and its package is meant, not the one that is installed
    line = line.removeprefix(".venv/bin/")
    line = re.sub(r"^lpi ", "python -m lpi ", line)
    return subprocess.run(["sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("section", SECTIONS)
def test_walk_through(clone, section):
    blocks = FENCE.findall(SECTIONS[section])
    assert blocks
    for kind, option, text in blocks:
        key, _, value = option.partition("=")
        if key == "file":
            (clone / value).write_text(text, encoding="utf-8")
            continue
        assert kind == "console", f"a block of {kind} that no test runs"
        status = int(value) if key == "status" else 0
        for line in text.splitlines():
            assert not re.match(r"(lpi|python|snakemake) ", line), f"not of the project's environment: {line}"
            done = run(clone, line)
            assert done.returncode == status, f"{line}\n{done.stdout}{done.stderr}"
            if status == 2:
                assert done.stderr.count("\n") == 1, done.stderr
