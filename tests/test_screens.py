"""The looks in a real browser find what is wrong with a page; with docs/screens.md, in which they are described."""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCREENS = ROOT / "tests/screens"
PAGE = "<!DOCTYPE html><html><meta name='viewport' content='width=device-width'><body>{}</body></html>"
FAULTS = {
    "a wide page": ("<pre>" + "m" * 300 + "</pre>", "px wide in a window of"),
    "no picture": ("<img src='none.png' width='9' height='9'>", "picture that does not show: none.png"),
    "a request": (
        "<link rel='stylesheet' href='http://example.invalid/a.css'>",
        "asks for http://example.invalid/a.css",
    ),
    "a broken script": ("<script>none()</script>", "error of a script: none is not defined"),
    "an error told": ("<script>console.error('lost')</script>", "console: lost"),
}


@pytest.fixture(scope="module")
def browser():
    """The module of the browser and a Chromium, started once; skips where either is missing."""
    pytest.importorskip("playwright", reason="Playwright is not installed: the extra [browser]")
    sys.path.insert(0, str(SCREENS))
    try:
        module = importlib.import_module("browser")
        if not any(map(shutil.which, module.NAMES)):
            pytest.skip("no Chromium on the PATH")
        with module.chromium() as chromium:
            yield module, chromium
    finally:
        sys.path.remove(str(SCREENS))
        sys.modules.pop("browser", None)


@pytest.fixture
def seen(browser):
    """What is wrong with a page on a phone."""
    module, chromium = browser
    window = module.Window(chromium, "phone")

    def look(path):
        window.page.goto(path.as_uri())
        return window.problems()

    yield look
    window.close()


@pytest.mark.parametrize("body, message", FAULTS.values(), ids=FAULTS)
def test_faults_of_a_page_are_found(seen, tmp_path, body, message):
    page, good = tmp_path / "page.html", tmp_path / "good.html"
    page.write_text(PAGE.format(body), encoding="utf-8")
    good.write_text(PAGE.format("good"), encoding="utf-8")
    assert any(message in problem for problem in seen(page))
    assert seen(good) == []  # what was said of the last page is not said again


def test_a_page_that_asks_for_no_width_is_wide_on_a_phone(seen, tmp_path):
    (tmp_path / "page.html").write_text("<!DOCTYPE html><p>words", encoding="utf-8")
    (problem,) = seen(tmp_path / "page.html")
    assert problem.startswith("980 px wide in a window of 390 px")


def test_the_index_and_a_notebook_are_good_on_a_phone(seen):
    assert seen(ROOT / "figures/index.html") == []
    assert seen(ROOT / "figures/working/notebooks/claims.html") == []


@pytest.mark.parametrize(
    "hidden, source, message",
    [
        ("playwright", "figures/index.html", "look.py: Playwright is not installed: .venv/bin/pip install"),
        ("chromium", "figures/index.html", "look.py: no Chromium on the PATH"),
        ("", "none.html", "look.py: none.html: no such file or folder"),
    ],
)
def test_what_is_missing_is_said_in_one_line(tmp_path, hidden, source, message):
    if hidden == "chromium":
        pytest.importorskip("playwright")
    if hidden == "playwright":
        (tmp_path / "playwright.py").write_text("raise ImportError")
    command = [sys.executable, str(SCREENS / "look.py"), "pages", source, str(tmp_path / "shots")]
    variables = {"PATH": str(tmp_path), "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(message) and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "shots").exists()
