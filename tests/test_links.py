"""No link leads nowhere: in the Markdown, in the pages of the notebooks and their index, and in the built site."""

from pathlib import Path

import links
import pytest

ROOT = Path(__file__).parents[1]
SITE = ROOT / "docs/_build"


def lost(paths):
    return {str(path.relative_to(ROOT)): found for path in paths if (found := links.dead(path))}


def test_markdown():
    folders = (".", "docs", "docs/algorithms", "config", "benchmarks", "figures/*")
    pages = [path for folder in folders for path in sorted(ROOT.glob(f"{folder}/*.md"))]
    assert len(pages) > 25
    assert lost(pages) == {}


def test_pages_of_notebooks_and_their_index():
    pages = sorted((ROOT / "figures").rglob("*.html"))
    assert len(pages) > 20
    assert lost(pages) == {}
    assert all("../../index.html" in links.html(page)[0] for page in pages if page.name != "index.html")


@pytest.mark.skipif(not (SITE / "index.html").is_file(), reason="the site has not been built")
def test_the_site():
    assert lost(sorted(SITE.rglob("*.html"))) == {}


@pytest.mark.parametrize(
    "kind, heading, link", [("md", "# A place", "[{}]({})"), ("html", "<p id='a-place'>", "<a href='{1}'>{0}</a>")]
)
def test_dead_links_are_found(tmp_path, kind, heading, link):
    other = f"other.{kind}"
    (tmp_path / other).write_text(heading, encoding="utf-8")
    there = (other, f"{other}#a-place", "https://example.org/none")
    lines = [link.format("x", target) for target in (*there, f"{other}#none", "none.md", "#here")]
    (tmp_path / f"page.{kind}").write_text("\n".join(lines), encoding="utf-8")
    assert links.dead(tmp_path / f"page.{kind}") == ["#here", "none.md", f"{other}#none"]
