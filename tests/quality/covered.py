"""Line and branch coverage of lpi by the tests.

    .venv/bin/python tests/quality/covered.py [--without-workflow]

The suite runs as it is, and every Python process that it starts is watched too (COVERAGE_PROCESS_START: coverage itself
looks at it when Python starts, and nothing is imported where it is not set).  What numba compiles cannot be watched, so the
tests of compiled code run a second time, interpreted, each until it has used its CPU time (limits.py).

Writes coverage.csv (a row for each module) and coverage_runs.csv beside this file, and the page.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import page

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SETTINGS = HERE / "coverage.ini"
INTERPRETED = (
    "actor_critic", "elementary", "evaluation", "exact", "ground_truth", "improvement", "iteration", "least_squares",
    "local_optimum", "mdp", "policy", "simulation", "spreading", "td_limit", "theory", "theory_bounds", "uniforms",
)  # fmt: skip
"""Tests of modules with compiled code."""


def run(folder: Path, name: str, seconds: float, *selection: str, **changed: str) -> dict:
    """The tests selected, watched; what came of them (`page.RUN`)."""
    report = folder / f"{name}.xml"
    environment = os.environ | {
        "COVERAGE_PROCESS_START": str(SETTINGS), "COVERAGE_FILE": str(folder / "data"), "PYTHONPATH": str(HERE),
        "PYTHONDONTWRITEBYTECODE": "1", **changed,
    }  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "limits",
        "-p",
        "interpreted",
        f"--seconds-of-cpu={seconds}",
        f"--junitxml={report}",
    ]
    subprocess.run([*command, "-q", "-p", "no:cacheprovider", *selection], cwd=ROOT, env=environment, check=False)
    cases = ElementTree.parse(report).getroot().iter("testcase")
    outcomes = [(case.find("failure"), case.find("error"), case.find("skipped")) for case in cases]
    failed = sum(failure is not None or error is not None for failure, error, _ in outcomes)
    stopped = sum(skip is not None and "out of CPU time" in skip.get("message", "") for *_, skip in outcomes)
    return dict(zip(page.RUN, (name, len(outcomes), failed, stopped), strict=True))


def modules(folder: Path) -> list[dict]:
    """What was covered of each module (`page.COVERED`)."""
    import coverage

    data = coverage.Coverage(data_file=str(folder / "data"), config_file=str(SETTINGS))
    data.combine([str(folder)])
    target = folder / "coverage.json"
    data.json_report(outfile=str(target))
    return page.modules_of(target)


def write(path: Path, columns: tuple[str, ...], rows: list[dict]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--without-workflow", action="store_true", help="leave out the tests that run Snakemake")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = ("-m", "not workflow") if options.without_workflow else ()
        compiled = run(folder, "compiled, without workflow" if chosen else "compiled", 3600, *chosen, "tests")
        files = [f"tests/test_{name}.py" for name in INTERPRETED]
        interpreted = run(folder, "interpreted", 20, *files, NUMBA_DISABLE_JIT="1")
        found = modules(folder)
    write(page.COVERAGE, page.COVERED, found)
    write(page.RUNS, page.RUN, [compiled, interpreted])
    page.main()


if __name__ == "__main__":
    main()
