"""Blocks between marks: what stands around them stays, and a page with broken marks is left alone."""

import shutil
from functools import partial
from pathlib import Path

import pytest

from lpi import report, schema
from lpi.marks import MarksError, marks, with_block

ROOT = Path(__file__).parents[1]
BEGIN, END = marks("table", "python -m this")
PAGE = f"Title\n\n{BEGIN}\n| old |\n\n{END}\n\nThe rest.\n"
BROKEN = {
    "no end": PAGE.replace(END, ""),
    "no begin": PAGE.replace(BEGIN, ""),
    "begin twice": PAGE + BEGIN,
    "end twice": PAGE + END,
    "end first": f"{END}\n{PAGE.replace(END, '')}",
    "both twice": PAGE + PAGE,
}


def block(page, **options):
    return with_block("a page", page, "table", "python -m this", "| new |\n", **options)


def test_a_block_is_replaced_and_nothing_else():
    assert block(PAGE) == PAGE.replace("old", "new")
    assert block(block(PAGE), needed=False) == block(PAGE)
    other = PAGE.replace("table:", "other:").replace("of table", "of other")
    assert block(other + PAGE + other) == other + PAGE.replace("old", "new") + other


@pytest.mark.parametrize("page", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("needed", [True, False])
def test_marks_that_are_not_once_each_and_in_order_are_refused_in_one_line(page, needed):
    with pytest.raises(MarksError) as error:
        block(page, needed=needed)
    assert BEGIN.strip() in str(error.value) and END in str(error.value) and "\n" not in str(error.value)


def test_a_page_without_marks_stays_only_where_no_block_is_needed():
    assert block("no marks", needed=False) == "no marks"
    with pytest.raises(MarksError):
        block("no marks")


MAINS = {
    "schema": (schema.main, schema.README, schema.SCHEMA),
    "report": (partial(report.main, []), report.README, report.ERRATA_LIST),
}
"""Programs that make pages: one with a block, and another one."""


@pytest.mark.parametrize(("main", "page", "other"), MAINS.values(), ids=MAINS)
def test_nothing_is_written_where_a_page_has_broken_marks(tmp_path, monkeypatch, main, page, other):
    for name in ("config", "docs", "workflow"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("_build"))
    (tmp_path / "figures").symlink_to(ROOT / "figures")
    text = (ROOT / page).read_text(encoding="utf-8")
    (tmp_path / page).write_text(text.replace("<!-- end of", "<!--"), encoding="utf-8")
    (tmp_path / other).write_text("older", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MarksError, match=f"^{page}: <!-- .*once"):
        main()
    assert (tmp_path / other).read_text(encoding="utf-8") == "older"
