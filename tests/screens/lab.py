"""JupyterLab as a user meets it: each notebook opened in the browser, its parameters typed, all its cells run.

The notebooks are copies in a private folder, beside which the results and the published tables are linked, so that the
committed ones keep their bytes.  Settings, kernels' files and history of the user stay out of it too.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import nbformat
from browser import Missing, Window

ROOT = Path(__file__).resolve().parents[2]
EMPTY = "figure1"
"""The notebook that is opened beside no results."""
LINKED = ("benchmarks", "config", "figures")
"""What notebooks read beside results."""
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # all cells stay on the page, also those out of sight
    "notebook-extension/tracker": {"windowingMode": "none"},
}
ERROR, PICTURE = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]', ".jp-OutputArea-output img"
WITHIN = 240
"""Seconds that starting the server, or all cells of a notebook, may take."""
EDITOR = ".jp-Notebook .jp-CodeCell .cm-content"
TYPED = ("agents", "taus", "kappas", "panels", "convention", "figures")
"""Parameters that differ between configurations; paths are those of the notebooks' folder."""


def look(browser, results: Path, shots: Path) -> Iterator[str]:
    """Run every notebook on the results, and before that one beside no results, which must say what makes them."""
    with tempfile.TemporaryDirectory(prefix="lpi-") as place:
        folder = Path(place)
        books = prepare(folder)
        with server(folder) as (host, address):
            window = Window(browser, "desktop", host)
            (told,) = run_all(window, address, folder / f"notebooks/{EMPTY}.ipynb", "") or [""]
            if "no such file; `.venv/bin/snakemake --cores 2`" not in told or len(told.splitlines()) > 1:
                yield f"{EMPTY} without results: {told or 'no error'}"
            shoot(window, shots / f"lab-{EMPTY}-without-results.png", ERROR)
            (folder / "results").symlink_to(results.resolve())
            for book in books:
                wrong = run_all(window, address, book, typed(book.stem, results))
                shoot(window, shots / f"lab-{book.stem}.png", ERROR if wrong else PICTURE)
                yield from (f"{book.stem}: {problem}" for problem in wrong + window.problems())
            window.close()


def prepare(folder: Path) -> list[Path]:
    """Copies of the notebooks, and links to what they read beside results."""
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    return sorted((folder / "notebooks").glob("*.ipynb"))


def typed(name: str, results: Path) -> str:
    """The parameters that the workflow gave a notebook, as a user types them; nothing if the default ones serve."""
    from lpi.notebook import Parameters  # takes seconds

    path = results / f"working/notebooks/{name}.parameters.json"
    values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept = {key: value for key, value in values.items() if key in TYPED}
    return Parameters.codify(kept, comment="of this run") if kept else ""


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, str]]:
    """JupyterLab on a free port of this machine alone, with a token; its host, and the address of a notebook."""
    try:
        import jupyterlab  # noqa: F401
    except ImportError as error:
        command = '.venv/bin/pip install -c constraints.txt -e ".[jupyter]"'
        raise Missing(f"JupyterLab is not installed: {command}") from error
    own, token = folder / "own", secrets.token_hex(16)
    for name, values in SETTINGS.items():
        path = own / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    places = {
        "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython",
    }  # fmt: skip
    variables = os.environ | {name: str(own / place) for name, place in places.items()} | {"JUPYTER_TOKEN": token}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"]
    command += ["--allow-root"] * (hasattr(os, "geteuid") and os.geteuid() == 0)
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=subprocess.STDOUT)
        try:
            host = f"127.0.0.1:{port}"
            _wait_for(f"http://{host}/api", process, folder / "server.log")
            yield host, f"http://{host}/lab/tree/notebooks/{{}}.ipynb?reset&token={token}"
        finally:
            process.terminate()
            process.wait()


def run_all(window: Window, address: str, notebook: Path, parameters: str) -> list[str]:
    """Open a notebook, type parameters at the end of their cell, run all cells, save; what went wrong, a line each."""
    page = window.page
    page.goto(address.format(notebook.stem))
    page.locator(".jp-NotebookPanel-toolbar").wait_for(timeout=WITHIN * 1000)
    page.locator(EDITOR).first.wait_for()
    # before there is a kernel, running cells asks which one
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=WITHIN * 1000)
    if parameters:
        page.locator(EDITOR).first.click()
        page.keyboard.press("Control+End")
        page.keyboard.insert_text(f"\n{parameters.rstrip()}")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        page.wait_for_timeout(1000)
        page.keyboard.press("Control+s")
        page.wait_for_timeout(500)
        cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
        wrong = [output for cell in cells for output in cell.outputs if output.output_type == "error"]
        if wrong:
            return ["\n".join(output.traceback) for output in wrong]
        if all(cell.execution_count for cell in cells):
            return []
    return [f"not done after {WITHIN} s"]


def shoot(window: Window, path: Path, first: str) -> None:
    """A screenshot with the first such element in sight, if there is one."""
    found = window.page.locator(first)
    if found.count():
        found.first.scroll_into_view_if_needed()
    window.page.screenshot(path=path)


def _wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + WITHIN
    while time.monotonic() < end and process.poll() is None:
        try:
            urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise Missing(f"JupyterLab did not start: {' '.join(log.read_text(encoding='utf-8').split()[-30:])}")
