"""Looks at pages, at the notebooks in JupyterLab and at Snakemake's report in a real browser, and takes screenshots.

    .venv/bin/python tests/screens/look.py pages figures/index.html SHOTS
    .venv/bin/python tests/screens/look.py lab results/quick SHOTS
    .venv/bin/python tests/screens/look.py report report.html SHOTS

`pages` opens a page and every page that it links to, as wide as on a desk and as on a phone; `lab` runs the notebooks by
hand on the results of a finished run; `report` opens everything in what `snakemake --report` wrote.  Screenshots are
written into SHOTS.  Prints a line for each thing that is wrong.  Exit status: 1 if there is any, 2 if the browser, the
server or the input is missing.  docs/screens.md says what to install and what is checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import lab
import links
import report
from browser import WIDTHS, Missing, Window, chromium


def linked(index: Path) -> list[Path]:
    """A page, and the pages among the files that it links to, each once."""
    targets = [link.partition("#")[0] for link in sorted(links.html(index)[0]) if not links.ELSEWHERE.match(link)]
    found = [(index.parent / target).resolve() for target in targets if target.endswith(".html")]
    return list(dict.fromkeys([index.resolve(), *found]))


def look_at_pages(browser, index: Path, shots: Path) -> Iterator[str]:
    """Open a page and those that it links to at each width; nothing but files is let through."""
    for width in WIDTHS:
        window = Window(browser, width)
        for path in linked(index):
            window.page.goto(path.as_uri())
            name = "-".join(path.with_suffix("").parts[len(index.resolve().parent.parts) :])
            yield from (f"{name}, {width}: {problem}" for problem in window.problems())
            window.page.screenshot(path=shots / f"{name}-{width}.png", full_page=True)
        window.close()


LOOKS = {"pages": look_at_pages, "lab": lab.look, "report": report.look}


def main(arguments: list[str] | None = None) -> int:
    """Look, and say what is wrong."""
    parser = argparse.ArgumentParser(prog="look.py", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=LOOKS)
    parser.add_argument("source", type=Path, help="a page, a folder of results, or Snakemake's report")
    parser.add_argument("shots", type=Path, help="folder for the screenshots")
    options = parser.parse_args(arguments)
    wrong: list[str] = []
    try:
        if not options.source.exists():
            raise Missing(f"{options.source}: no such file or folder")
        with chromium() as browser:
            options.shots.mkdir(parents=True, exist_ok=True)
            for problem in LOOKS[options.what](browser, options.source, options.shots):
                print(problem, flush=True)
                wrong.append(problem)
    except Missing as error:
        print(f"look.py: {error}", file=sys.stderr)
        return 2
    print(f"{options.source}: {len(wrong) or 'nothing'} wrong")
    return int(len(wrong) > 0)


if __name__ == "__main__":
    sys.exit(main())
