"""Chromium without a window, driven by Playwright, and what can be wrong with a page that it shows.

Debian's Chromium serves (`apt-get install chromium`); Playwright's own download is not used.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
WIDTHS = {"desktop": (1440, 900), "phone": (390, 844)}
"""Width and height of the window in CSS pixels."""
WIDER = """room => {
    const width = Math.max(document.documentElement.clientWidth, document.documentElement.scrollWidth);
    if (width <= room) return [];
    const wide = [...document.body.querySelectorAll('*')].find(e => e.getBoundingClientRect().right > room + 1);
    return [width, room, wide ? wide.tagName.toLowerCase() : 'body'];
}"""
"""Nothing, or the width of the page, that of the window, and the first element that does not fit.  A phone lays out pages
that do not ask for its own width as if it were a desk."""
BROKEN = """async () => {
    const shown = [...document.images].filter(image => image.getClientRects().length);
    await Promise.all(shown.map(image => { image.loading = 'eager'; return image.decode().catch(() => null); }));
    return shown.filter(image => !image.naturalWidth).map(image => (image.getAttribute('src') || '').slice(0, 60));
}"""
"""The sources of pictures that do not show."""


class Missing(RuntimeError):
    """What must be installed before anything can be looked at; one line."""


@contextmanager
def chromium() -> Iterator:
    """A browser with an empty profile of its own, which ends with the block.

    Raises:
        Missing: Playwright or Chromium is not installed.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        command = '.venv/bin/pip install -c constraints.txt -e ".[browser]"'
        raise Missing(f"Playwright is not installed: {command}") from error
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise Missing(f"no Chromium on the PATH ({', '.join(NAMES)}); on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        # Playwright starts it headless with a new, empty profile, which it removes at the end.
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """A window of one width in which pages are opened one after the other; collects what goes wrong in it."""

    def __init__(self, browser, width: str, host: str = "") -> None:
        """`host`, with its port, is the only one that may be asked for anything; the default allows files alone."""
        self._across, down = WIDTHS[width]
        self._host, self._wrong = host, []
        phone = width == "phone"
        view = {"width": self._across, "height": down}
        context = browser.new_context(viewport=view, is_mobile=phone, has_touch=phone, accept_downloads=False)
        context.route("**/*", self._let)
        self.page = context.new_page()
        self.page.on("console", lambda message: message.type == "error" and self._add(f"console: {message.text}"))
        self.page.on("pageerror", lambda error: self._add(f"error of a script: {error}"))

    def problems(self) -> list[str]:
        """What is wrong with the page as it is shown now and went wrong since the last call, a line each."""
        found = [f"picture that does not show: {source}" for source in self.page.evaluate(BROKEN)]
        wider = self.page.evaluate(WIDER, self._across)
        if wider:
            found.append("{} px wide in a window of {} px, first <{}>".format(*wider))
        found += dict.fromkeys(self._wrong)
        self._wrong.clear()
        return found

    def close(self) -> None:
        self.page.context.close()

    def _let(self, route) -> None:
        address = urlsplit(route.request.url)
        if address.scheme in ("data", "blob") or (address.netloc == self._host if self._host else not address.netloc):
            route.continue_()
        else:
            self._add(f"asks for {route.request.url}")
            route.abort()

    def _add(self, text: str) -> None:
        self._wrong.append(" ".join(text.split())[:300])
