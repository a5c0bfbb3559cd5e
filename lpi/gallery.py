"""One page that leads to all published notebooks and shows their figures, made of the files beside it.

`python -m lpi.gallery --figures FOLDER` writes FOLDER/index.html.  It loads nothing from elsewhere, names files relative
to itself, and its bytes follow from what is in the folder.  With `--pages` the page of each published notebook is first
rendered anew from the notebook as it was executed, which is what a change of their looks asks for.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from lpi import pages
from lpi.config import READINGS
from lpi.config_keys import GAP, TRUTHS
from lpi.results import atomic_write

TEMPLATE = Path("workflow/report/index.html.j2")
TITLES = {
    "figure1": "Figure 1: κ under three entropy weights τ",
    "figure2": "Figure 2: the unregularised reward",
    "figure3": "Figure 3: three numbers of agents",
    "figure4": "Figure 4: the optimality gap",
    "figure5": "Figure 5: what locality alone costs",
    "figure6": "Figure 6: when the optimal policy acts",
    "figure7": "Figure 7: how many samples each κ needs",
    "optimality_gap": "Optimality gap, cost of locality, optimal policy",
    "claims": "Verdicts on the paper's claims",
    "summary": "Summary table",
    "multiverse": "Which choices flip which claim",
    "sensitivity": "Why, and what works",
    "explanations": "Explanations",
    "theory": "The theorems against numbers",
    "scaling": "How runs grow with n",
    "scaling_kappa": "How runs grow with κ",
    "baseline": "LPI beside the localized actor-critic",
}
"""What notebooks and figures are called; any other has its file's name."""
NOTES = {
    "as_printed": "The reading that follows the printed formulas.",
    "working": "The reading that departs from the print where its prose, definitions or figures ask for something else.",
    "best_match": "One of the readings under which most claims hold, found by search; not what the authors did.",
}
TABLES = (".csv", ".md", ".tex")


class Picture(NamedTuple):
    """A figure by its files, relative to the page, and its size in pixels; `pdf` is empty where there is none."""

    title: str
    png: str
    pdf: str
    width: int
    height: int


class Page(NamedTuple):
    """A notebook's page, or none, with the figures that it drew."""

    name: str
    title: str
    html: str
    pictures: list[Picture]


class Section(NamedTuple):
    """What one folder of results shows."""

    name: str
    note: str
    pages: list[Page]
    tables: list[str]


def sections(figures: Path) -> list[Section]:
    """One for each folder with figures or notebooks: shipped readings first, then by name."""
    folders = sorted(path.parent for path in figures.glob("*/provenance.json"))
    order = list(READINGS)
    folders.sort(key=lambda folder: order.index(folder.name) if folder.name in order else len(order))
    found = (section(folder) for folder in folders)
    return [one for one in found if one.pages]


def section(folder: Path) -> Section:
    """The notebooks of a folder in the order of TITLES, each with its figures."""
    html = {path.stem: f"{folder.name}/notebooks/{path.name}" for path in folder.glob("notebooks/*.html")}
    drawn: dict[str, list[Picture]] = {name: [] for name in html}
    for path in sorted(folder.glob("*.png"), key=lambda path: _place(path.stem)):
        pdf = path.with_suffix(".pdf")
        vector = f"{folder.name}/{pdf.name}" if pdf.exists() else ""
        picture = Picture(_title(path.stem), f"{folder.name}/{path.name}", vector, *png_size(path))
        drawn.setdefault(owner(path.stem, set(html)), []).append(picture)
    names = sorted(drawn, key=_place)
    shown = [Page(name, _title(name), html.get(name, ""), drawn[name]) for name in names]
    tables = sorted(path.name for path in folder.iterdir() if path.suffix in TABLES)
    return Section(folder.name, NOTES.get(folder.name, ""), shown, tables)


def owner(figure: str, notebooks: set[str]) -> str:
    """The notebook that drew a figure; its own name where none did."""
    if figure in notebooks:
        return figure
    if figure in TRUTHS and GAP in notebooks:
        return GAP
    return next(iter(notebooks)) if len(notebooks) == 1 else figure


def png_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the header: a page that knows them keeps its place while pictures load."""
    with path.open("rb") as file:
        header = file.read(24)
    if header[:8] != b"\x89PNG\r\n\x1a\n" or len(header) < 24:
        raise ValueError(f"{path}: not a PNG file")
    return int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")


def page_of(notebook: Path) -> str:
    """The page of an executed notebook as it is published."""
    import nbformat

    from lpi.notebook import to_html

    return pages.published(to_html(nbformat.read(notebook, as_version=4)))


def render(figures: Path, template: str) -> str:
    """The page as HTML."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(template).render(sections=sections(figures)) + "\n"


def _title(name: str) -> str:
    return TITLES.get(name, name.replace("_", " "))


def _place(name: str) -> tuple[int, str]:
    """The summary first, then in the order of TITLES."""
    order = ["summary", *TITLES]
    return (order.index(name) if name in order else len(order), name)


def main(arguments: list[str] | None = None) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m lpi.gallery", description=__doc__.splitlines()[0])
    parser.add_argument("--figures", default="figures", type=Path, help="folder with the published results")
    parser.add_argument("--pages", action="store_true", help="first render the notebooks' pages anew; slower")
    options = parser.parse_args(arguments)
    try:
        found = sections(options.figures)
    except ValueError as error:
        parser.error(str(error))
    if not found:
        parser.error(f"{options.figures}: no published figures or notebooks")
    for notebook in sorted(options.figures.glob("*/notebooks/*.ipynb")) if options.pages else []:
        atomic_write(notebook.with_suffix(".html"), page_of(notebook))
    atomic_write(options.figures / "index.html", render(options.figures, TEMPLATE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
