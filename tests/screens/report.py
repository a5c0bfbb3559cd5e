"""What `snakemake --report` wrote, walked through: every entry of every category is opened, and its caption read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from browser import Window

CATEGORIES = ("Figures", "Notebooks", "Tables")
ROW = "nav table tbody tr"
SHOW, TELL = "a[iconname=eye]", "a[iconname=information-circle]"
SOON = 400
"""Milliseconds in which the page has drawn what was asked for."""


def look(browser, source: Path, shots: Path) -> Iterator[str]:
    """Open each entry; a figure must show, a notebook must fill its frame, a table must be one, each with a caption."""
    window = Window(browser, "desktop")
    page = window.page
    page.goto(source.resolve().as_uri())
    page.locator("nav").get_by_text(CATEGORIES[0], exact=True).wait_for()
    page.screenshot(path=shots / "report.png")
    yield from (f"first page: {problem}" for problem in window.problems())
    for category in CATEGORIES:
        groups = _enter(page, category)
        if not groups:
            yield f"{category}: nothing in it"
        for group in groups:
            _enter(page, category, group)
            rows = page.locator(ROW)
            if not rows.count():
                yield f"{category}, {group}: nothing in it"
            for number in range(rows.count()):
                _enter(page, category, group)
                name = f"{category}, {group}, {rows.nth(number).inner_text().strip()}"
                yield from (f"{name}: {problem}" for problem in _open(window, category, rows.nth(number)))
                page.screenshot(path=shots / f"report-{category.lower()}-{group}-{number}.png")
    window.close()


def _enter(page, category: str, group: str | None = None) -> list[str]:
    """Go to a category, or to a group of it, from the first page; the names of the groups."""
    page.locator("nav ol a").first.click()
    page.locator("nav").get_by_text(category, exact=True).first.click()
    page.wait_for_timeout(SOON)
    groups = page.locator("nav li").filter(has=page.locator("svg")).all_inner_texts()
    if group is not None:
        page.locator("nav").get_by_text(group, exact=True).first.click()
        page.wait_for_timeout(SOON)
    return [name.strip() for name in groups if name.strip() and name.strip() not in ("Results", category)]


def _open(window: Window, category: str, row) -> Iterator[str]:
    page = window.page
    show = row.locator(SHOW)
    if category == "Tables":  # opened by the browser as a file of its own
        if not (show.get_attribute("href") or "").startswith("data:text/csv"):
            yield "no table behind it"
    else:
        show.click()
        page.wait_for_timeout(SOON)
        inside = page.locator("iframe").count() and page.frames[-1].locator("h1").count()
        if category == "Notebooks" and not inside:
            yield "no notebook opens"
        if category == "Figures" and not page.evaluate(
            "[...document.images].some(image => image.naturalWidth > 400 && image.getClientRects().length)"
        ):
            yield "no figure opens"
    yield from window.problems()
    row.locator(TELL).click()
    page.wait_for_timeout(SOON)
    text = page.locator("nav").first.inner_text()
    caption = text.partition("DESCRIPTION")[2].partition("SIZE")[0].split()
    if len(caption) < 5:
        yield f"caption: {' '.join(caption) or 'none'}"
