"""The pages under docs/: generated parts are up to date, and what they name is there."""

import importlib
import re
import runpy
from pathlib import Path

import pytest

from lpi import schema

ROOT = Path(__file__).parents[1]
ALGORITHMS = sorted((ROOT / "docs/algorithms").glob("*.md"))


def test_the_columns_are_those_of_the_tables():
    page = (ROOT / schema.PAGE).read_text(encoding="utf-8")
    assert schema.page_text(page) == page
    assert "visited_share" in page


def test_the_first_page_lists_every_page():
    first = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^(?:.*<)?([\w-]+)>?$", first, flags=re.MULTILINE)
    assert sorted(listed) == sorted(path.stem for path in (ROOT / "docs").glob("*.md") if path.stem != "index")


def named(text):
    """The names in code of modules and of what they hold."""
    return sorted(set(re.findall(r"`(lpi(?:\.\w+)+)`", text)))


def found(name):
    """Whether a dotted name is that of a module, or of something in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            value = getattr(value, part, None)
        return value is not None
    return False


@pytest.mark.parametrize("page", ALGORITHMS, ids=lambda page: page.stem)
def test_what_a_page_of_an_algorithm_names_exists(page):
    text = page.read_text(encoding="utf-8")
    assert len(named(text)) >= 3
    assert [name for name in named(text) if not found(name)] == []
    for heading in ("What it computes", "Implementation details", "What is logged", "Results"):
        assert f"\n## {heading}\n" in text


def test_a_name_that_does_not_exist_is_found_out():
    assert found("lpi.network.Network") and found("lpi.evaluation")
    assert not found("lpi.network.Networks") and not found("lpi.evaluations")


@pytest.mark.workflow
def test_the_rule_graph_is_that_of_the_workflow():
    graph = runpy.run_path(str(ROOT / "docs/rulegraph.py"))["graph"]()
    assert (ROOT / "docs/rulegraph.dot").read_text(encoding="utf-8") == graph
    drawn = (ROOT / "docs/rulegraph.svg").read_text(encoding="utf-8")
    nodes = set(re.findall(r"^  (\w+)(?: \[.*\])?;$", graph, flags=re.MULTILINE)) - {"graph", "node", "edge"}
    assert set(re.findall(r"<title>(\w+)</title>", drawn)) - {"rules"} == nodes
