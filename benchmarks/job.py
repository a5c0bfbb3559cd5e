"""Runs the workflow once, in a clone of its own, and writes where its CPU time went: job.csv beside this file.

    .venv/bin/python benchmarks/job.py --cores 2
    .venv/bin/python benchmarks/job.py --cores 2 --configfile config/quick.yaml

The first line is the default job, from nothing to all figures.  Every process of every job counts its own CPU time by
part (accounting/sitecustomize.py); what snakemake takes is the engine's, and so is what no process accounts for: shells,
and what a process does after it has written its account.  Needs Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
from measuring import HERE, clone, figure, machine, write

ENGINE = """
import atexit, os, resource, sys
from pathlib import Path
from snakemake.cli import main

def note():
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    Path(sys.argv[1], "usage").write_text(" ".join(str(u.ru_utime + u.ru_stime) for u in usage))

atexit.register(note)
os.environ |= {"LPI_ACCOUNTS": sys.argv[1], "PYTHONPATH": sys.argv[2]}
main(sys.argv[3:])
"""
PARTS = {
    "train": "learning",
    "evaluate": "J of every outer loop's policy",
    "truth": "optima, best local policies, references of J, theorems",
    "notebook": "notebooks",
    "other": "joining, judging, publishing, report",
    "start": "interpreters started",
    "imports": "imports",
    "kernels": "compiled kernels loaded",
    "compiled": "kernels compiled, once an installation",
    "engine": "snakemake",
    "shells": "shells and ends of processes",
}
OVERHEAD = ("start", "imports", "kernels", "engine", "shells")
TRUTH = ("optima", "locality", "acting", "reference", "theory", "optimum", "best-local")


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        workflow, accounts = clone(options.keep or Path(folder, "clone")), Path(folder, "accounts")
        accounts.mkdir()
        call = [*options.target, "--cores", options.cores]
        call += ["--configfile", *options.configfile] if options.configfile else []
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", ENGINE, str(accounts), str(HERE / "accounting"), *call], cwd=workflow
        )
        memory = watch(process)
        wall = time.perf_counter() - start
        if process.returncode != 0:
            sys.exit("job: snakemake failed; nothing was written")
        engine, children = (float(word) for word in (accounts / "usage").read_text().split())
        found = [json.loads(path.read_text(encoding="utf-8")) for path in accounts.glob("*.json")]
    if not found:
        sys.exit("job: no job ran; nothing was written")
    where = {"run": " ".join(["snakemake", *call]), **machine("snakemake", "numpy", "numba")}
    write("job", rows(found, engine, children, wall, memory), where)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cores", default="2", help="as of snakemake; default 2")
    parser.add_argument("--configfile", action="append", default=[], help="as of snakemake; below the repository")
    parser.add_argument("--keep", help="a new folder to work in, which stays with all results")
    parser.add_argument("target", nargs="*", help="target of the workflow; default that of the Snakefile")
    return parser.parse_args()


def watch(process: subprocess.Popen) -> int:
    """Wait for a process; the most memory that it and its descendants had at once, in bytes, looked at each second."""
    most, done = [0], threading.Event()

    def look():
        while not done.wait(1.0):
            most[0] = max(most[0], memory_of(process.pid))

    watcher = threading.Thread(target=look)
    watcher.start()
    process.wait()
    done.set()
    watcher.join()
    return most[0]


def memory_of(pid: int) -> int:
    """Proportional set size of a process and its descendants; those that end meanwhile count as nothing."""
    total = 0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0
    for one in processes:
        try:
            total += one.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def rows(found: list[dict], engine: float, children: float, wall: float, memory: int) -> list[dict]:
    """The table: CPU seconds by part with their shares, and what the job took as a whole."""
    spent: Counter[str] = Counter(engine=engine)
    for account in found:
        work = kind(account["arguments"])
        for part, seconds in account["spent"].items():
            spent[{"rest": work, "evaluation": "evaluate"}.get(part, part)] += seconds
        # a notebook's kernel is killed, so that its last account lacks what it did after its imports
        if work == "notebook":
            spent[work] += account["children"]
        elif work == "kernel":
            spent["notebook"] -= sum(account["spent"].values()) - account["spent"]["rest"]
    del spent["kernel"]
    spent["shells"] = max(0.0, children - (sum(spent.values()) - engine))
    total = sum(spent.values())
    table = [figure("wall time", wall, "s"), figure("CPU time", total, "s")]
    table += [figure(f"CPU time: {name}", spent[part], "s") for part, name in PARTS.items()]
    table += [figure(f"share: {name}", 100 * spent[part] / total, "%") for part, name in PARTS.items()]
    share = 100 * sum(spent[part] for part in OVERHEAD) / total
    table.append(figure("share of imports and engine", share, "%"))
    compiled = share + 100 * spent["compiled"] / total
    table.append(figure("share of imports, engine and kernels compiled", compiled, "%"))
    training = sum(kind(account["arguments"]) == "train" for account in found)
    table += [figure("training jobs", training, ""), figure("Python processes of all jobs", len(found), "")]
    table.append(figure("most memory of a process", max(account["peak"] for account in found) / 1e9, "GB"))
    return [*table, figure("most memory at once", memory / 1e9, "GB")]


def kind(arguments: list[str]) -> str:
    """What a process works at, a key of PARTS, by its command line."""
    program, *words = arguments or [""]
    command = words[0] if words else ""
    if "ipykernel" in program:
        return "kernel"
    if command == "notebook":
        return "notebook"
    if os.path.basename(program) == "__main__.py" and command == "train":
        return "train"
    return "truth" if command in TRUTH else "other"


if __name__ == "__main__":
    main()
