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


def test_sections_are_in_order_and_names_are_escaped(tmp_path):
    for name in ("zeta & co", "working", "as_printed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "provenance.json").write_text("{}", encoding="utf-8")
        (tmp_path / name / "figure4.png").write_bytes(b"")
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
