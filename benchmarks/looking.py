"""Measures what looking at results costs: installing and starting JupyterLab, and Snakemake's report of the small grid.

    .venv/bin/python benchmarks/looking.py
    .venv/bin/python benchmarks/looking.py FOLDER

JupyterLab is installed into a new environment that holds the package already, and nothing comes from pip's cache.  The
report is that of a clone in which the small grid has been run; without FOLDER, which is such a clone, it is run first.
Writes figures/report/looking.csv, from which `python -m lpi.report` fills in docs/artifact.md.  Needs an otherwise idle
machine (`load` is the system's load before the first measurement); the installation depends on the network too.
"""

from __future__ import annotations

import csv
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from measuring import ROOT, clone, machine, run

from lpi.report.words import BEGINNINGS, LOOKS

OUTPUT = ROOT / "figures/report/looking.csv"
PAUSE, LONGEST = 0.05, 120
"""Seconds between two looks whether JupyterLab answers, and after which it will not."""


def main() -> None:
    where = {"load": f"{os.getloadavg()[0]:.1f}", **machine("snakemake", "pip")}
    with tempfile.TemporaryDirectory() as folder:
        rows = [*jupyter(Path(folder, "installed")), report(Path(folder, "clone"))]
    with OUTPUT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], *where], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            print(*row.values(), sep=", ")
            writer.writerow(row | where)


def row(what: str, wall: float, cpu: float, size: int) -> dict[str, str]:
    """A measurement; `size` in bytes."""
    return {"what": what, "wall_seconds": f"{wall:.1f}", "cpu_seconds": f"{cpu:.1f}", "megabytes": f"{size / 1e6:.1f}"}


def jupyter(folder: Path) -> list[dict[str, str]]:
    """What the extra adds to an environment with the package, and how long JupyterLab takes to answer."""
    run(["git", "clone", "--quiet", str(ROOT), str(folder)], ROOT)
    run([sys.executable, "-m", "venv", ".venv"], folder)
    install = [".venv/bin/pip", "install", "--quiet", "--no-cache-dir", "-c", "constraints.txt", "-e"]
    run([*install, "."], folder)
    before = size(folder / ".venv")
    spent = run([*install, ".[jupyter]"], folder)
    return [row("install", spent.wall, spent.cpu, size(folder / ".venv") - before), start(folder)]


def start(folder: Path) -> dict[str, str]:
    """JupyterLab, from the command to its first answer; of the processor's time, that until its end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [".venv/bin/jupyter", "lab", "notebooks", "--no-browser", f"--port={port}", "--allow-root"]
    before, begin = os.times(), time.perf_counter()
    with open(os.devnull, "w") as nothing:
        process = subprocess.Popen(command, cwd=folder, stdout=nothing, stderr=nothing)
    while not answers(f"http://127.0.0.1:{port}/api"):
        if process.poll() is not None or time.perf_counter() - begin > LONGEST:
            sys.exit(f"{' '.join(command)}: does not answer")
        time.sleep(PAUSE)
    wall = time.perf_counter() - begin
    process.terminate()
    process.wait()
    after = os.times()
    return row("start", wall, sum(after[2:4]) - sum(before[2:4]), 0)


def answers(address: str) -> bool:
    try:
        urlopen(address, timeout=LONGEST).close()
    except OSError:
        return False
    return True


def report(folder: Path) -> dict[str, str]:
    """Snakemake's report, made in the clone that the command line names, or in one in which all is run before."""
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
    else:
        run([sys.executable, "-m", *BEGINNINGS["everything"].replace(".venv/bin/", "").split()], clone(folder))
    spent = run([sys.executable, "-m", *LOOKS["report"].replace(".venv/bin/", "").split()], folder)
    return row("report", spent.wall, spent.cpu, (folder / "report.html").stat().st_size)


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    main()
