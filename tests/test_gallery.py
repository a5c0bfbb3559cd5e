"""The page that leads to all notebooks."""

import re
import shutil
from pathlib import Path

import pytest

from lpi import gallery

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "figures"


def page():
    return gallery.render(FIGURES, (ROOT / gallery.TEMPLATE).read_text(encoding="utf-8"))


def test_the_published_page_is_up_to_date():
    assert (FIGURES / "index.html").read_text(encoding="utf-8") == page()


def test_each_notebook_and_figure_is_there_once_and_linked_relatively():
    text = page()
    links = re.findall(r'(?:href|src)="([^"#]+)"', text)
    assert not [link for link in links if ":" in link or link.startswith("/")]
    assert not [link for link in links if not (FIGURES / link).is_file()]
    notebooks = {path.relative_to(FIGURES).as_posix() for path in FIGURES.glob("*/notebooks/*.html")}
    drawn = sorted(path.relative_to(FIGURES).as_posix() for path in FIGURES.glob("*/*.png"))
    assert notebooks <= set(links)
    assert sorted(re.findall(r'<img src="([^"]+)"', text)) == drawn
    targets = re.findall(r'href="#([^"]+)"', text)
    assert sorted(targets) == sorted(re.findall(r'id="([^"]+)"', text))


def test_pictures_say_how_large_they_are():
    import matplotlib.image

    path = FIGURES / "theory/theory.png"
    height, width, _ = matplotlib.image.imread(path).shape
    assert gallery.png_size(path) == (width, height)
    assert (
        f'src="theory/theory.png" alt="The theorems against numbers, theory" width="{width}" height="{height}"'
        in page()
    )


def test_a_figure_that_is_no_picture_is_one_line(tmp_path, capsys):
    shutil.copytree(FIGURES / "theory", tmp_path / "theory")
    (tmp_path / "theory/theory.png").write_bytes(b"no picture")
    with pytest.raises(SystemExit) as stop:
        gallery.main(["--figures", str(tmp_path)])
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("theory.png: not a PNG file")
    assert not (tmp_path / "index.html").exists()


def test_published_pages_are_those_of_the_published_notebooks():
    """Brought up to date by `python -m lpi.gallery --pages`."""
    books = sorted(FIGURES.glob("*/notebooks/*.ipynb"))
    assert len(books) > 20
    stale = [str(book) for book in books if gallery.page_of(book) != book.with_suffix(".html").read_text("utf-8")]
    assert stale == []


def test_sections_are_in_order_and_names_are_escaped(tmp_path):
    for name in ("zeta & co", "working", "as_printed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "provenance.json").write_text("{}", encoding="utf-8")
        shutil.copy(FIGURES / "working/figure4.png", tmp_path / name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "provenance.json").write_text("{}", encoding="utf-8")
    assert [section.name for section in gallery.sections(tmp_path)] == ["as_printed", "working", "zeta & co"]
    assert "zeta &amp; co" in gallery.render(tmp_path, (ROOT / gallery.TEMPLATE).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "figure, notebooks, drew",
    [
        ("figure4", {"optimality_gap", "claims"}, "optimality_gap"),
        ("claims", {"optimality_gap", "claims"}, "claims"),
        ("effects_n5", {"multiverse"}, "multiverse"),
        ("baseline", set(), "baseline"),
    ],
)
def test_a_figure_belongs_to_the_notebook_that_drew_it(figure, notebooks, drew):
    assert gallery.owner(figure, notebooks) == drew


def test_a_folder_without_results_is_one_line_and_nothing_written(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        gallery.main(["--figures", str(tmp_path)])
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("no published figures or notebooks")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_the_page(tmp_path, monkeypatch):
    shutil.copytree(FIGURES / "theory", tmp_path / "theory")
    monkeypatch.chdir(ROOT)
    gallery.main(["--figures", str(tmp_path)])
    assert "theory/notebooks/theory.html" in (tmp_path / "index.html").read_text(encoding="utf-8")
