"""The page of coverage and mutants holds what the tables hold."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def page(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests/quality")
    monkeypatch.delitem(sys.modules, "page", raising=False)
    import page

    yield page
    del sys.modules["page"]


@pytest.fixture
def mutation(page):
    import mutation

    yield mutation
    del sys.modules["mutation"]


def test_the_page_is_up_to_date(page):
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.page_text(text) == text
    assert all(f"<!-- {name}: made by" in text for name in ("coverage", "mutation"))


def test_coverage_is_counted_by_module(page, tmp_path, monkeypatch):
    summary = dict(num_statements=10, covered_lines=9, num_branches=4, covered_branches=2)
    (tmp_path / "report.json").write_text(
        json.dumps({"files": {"lpi/a.py": {"summary": summary, "missing_lines": [3]}}}), encoding="utf-8"
    )
    assert page.modules_of(tmp_path / "report.json") == [
        dict(zip(page.COVERED, ("lpi/a.py", 10, 9, 4, 2, "3"), strict=True))
    ]
    monkeypatch.setattr(page, "COVERAGE", tmp_path / "coverage.csv")
    assert page.coverage_text() == page.NONE
    page.COVERAGE.write_text(
        f"{','.join(page.COVERED)}\nlpi/a.py,10,9,4,2,3\nlpi/b.py,90,90,0,0,\nlpi/empty.py,0,0,0,0,\n"
    )
    text = page.coverage_text()
    assert "**not met**" in text and "| **lpi** | 100 | 99.0 % | 4 | 50.0 % | 97.1 % |" in text
    assert "| `lpi/a.py` | 10 | 90.0 % | 4 | 50.0 % | 78.6 % |" in text and "empty" not in text


def test_scores_leave_out_what_is_equivalent(page, tmp_path, monkeypatch):
    for name in ("DRAWN", "MUTANTS", "EQUIVALENT"):
        monkeypatch.setattr(page, name, tmp_path / f"{name}.csv")
    assert page.mutation_text() == page.NONE
    page.DRAWN.write_text("target,places\nclaims,400\n")
    head = "target,module,operator,before,after,outcome\n"  # and no count of crashes in DRAWN: as tables once were
    rows = [f"claims,m,o,x{i},y,{'survived' if i < 3 else 'timeout' if i < 4 else 'killed'}" for i in range(22)]
    page.MUTANTS.write_text(head + "\n".join(rows) + "\n")
    page.EQUIVALENT.write_text("module,operator,before,after,reason\nm,o,x0,y,a size\nm,o,x9,y,killed all the same\n")
    text = page.mutation_text()
    assert "| `claims` | 400 | 22 | 18 | 1 | – | 3 | 1 | 86.4 % | 90.5 % | 71 to 97 % |" in text
    assert "| a size | 1 |" in text and "killed all the same" not in text and "; met by" in text
    assert "for none. " in text and "a test that fails kills 85.7 % of `claims`." in text


def test_crashes_count_as_killed_and_are_shown(page, tmp_path, monkeypatch):
    for name in ("DRAWN", "MUTANTS", "EQUIVALENT"):
        monkeypatch.setattr(page, name, tmp_path / f"{name}.csv")
    page.DRAWN.write_text("target,places,crashed\nclaims,400,2\n")
    outcomes = ["crashed", "crashed", "killed", "survived"]
    rows = [f"claims,m,o,x{i},y,{outcome}" for i, outcome in enumerate(outcomes)]
    page.MUTANTS.write_text("\n".join(["target,module,operator,before,after,outcome", *rows]) + "\n")
    assert "| `claims` | 400 | 4 | 1 | 0 | 2 | 1 | 0 | 75.0 % |" in page.mutation_text()


def test_a_process_that_dies_has_crashed(mutation):
    died = mutation.forked(lambda: os.kill(os.getpid(), signal.SIGTERM), 5)
    late = mutation.forked(lambda: os.kill(os.getpid(), signal.SIGXCPU), 5)
    found = [mutation.outcome_of(status) for status in (died, late, mutation.forked(lambda: 0, 5), 1)]
    assert found == ["crashed", "timeout", "survived", "killed"]
