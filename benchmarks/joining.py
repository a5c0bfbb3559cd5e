"""Measures how joining the runs of a reading grows with their number, and writes joining.csv beside this file.

    .venv/bin/python benchmarks/joining.py

As the workflow does it, in two levels, and for comparison all rows at once: 24 points with ten seeds, as in the shipped
config, and ten and a hundred times as many points.  Runs of 51 rows, made up.  Each level is a process of its own, which
joins all its files without starting again.  Needs about three minutes and 1.5 GB on disk.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from measuring import HERE, machine, run, write

from lpi.results import COLUMNS, write_rows

POINTS, SEEDS, ROWS = (24, 240, 2400), 10, 51
MOST_AT_ONCE = 240  # points; ten times as many take ten times the memory
CODE = """
import sys, time
from pathlib import Path
import joining
joining.{level}(Path(sys.argv[1]))
status = Path("/proc/self/status").read_text().splitlines()
print(time.process_time(), 1024 * int(next(line.split()[1] for line in status if line.startswith("VmHWM"))))
"""


def main() -> None:
    rows = []
    for points in POINTS:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), points)
            levels = {"seeds": "join_seeds", "points": "join_points"}
            levels |= {"all rows at once": "join_at_once"} if points <= MOST_AT_ONCE else {}
            for name, function in levels.items():
                output = run([sys.executable, "-c", CODE.format(level=function), folder], HERE).output
                cpu, peak = (float(word) for word in output.split())
                rows.append(
                    {
                        "level": name, "files": points * (1 if name == "points" else SEEDS), "runs": points * SEEDS,
                        "cpu_s": f"{cpu:.3g}", "cpu_ms_a_run": f"{cpu / points / SEEDS * 1000:.3g}",
                        "peak_gb": f"{peak / 1e9:.3g}",
                    }
                )  # fmt: skip
            if (
                points <= MOST_AT_ONCE
                and Path(folder, "curves.csv").read_bytes() != Path(folder, "all.csv").read_bytes()
            ):
                sys.exit("joining: two levels make other bytes than all rows at once; nothing was written")
    write("joining", rows, machine("numpy"))


def make(folder: Path, points: int) -> None:
    """Runs whose numbers have as many digits as real ones."""
    for point in range(points):
        for seed in range(SEEDS):
            run_rows = [row(point, seed, loop) for loop in range(ROWS)]
            write_rows(folder / f"run{point}_{seed}.csv", run_rows)


def row(point: int, seed: int, loop: int) -> dict:
    values = {name: 30 + (point + seed) / 3 + loop / 7 for name, column in COLUMNS.items() if column.kind == "float"}
    named = {"reading": "working", "graph": "line", "agents": 5 + point // 40, "kappa": point % 4, "beta": point % 4}
    named |= {"tau": 0.01 * (1 + point // 4 % 10), "seed": seed, "outer_loop": loop, "method": "exact"}
    return {name: (values | named | {"samples": loop * 10000})[name] for name in COLUMNS}


def join_seeds(folder: Path) -> None:
    from lpi.joining import join

    for point in range(len(list(folder.glob("run*_0.csv")))):
        join([folder / f"run{point}_{seed}.csv" for seed in range(SEEDS)], folder / f"point{point}.csv")


def join_points(folder: Path) -> None:
    from lpi.joining import join

    join(folder.glob("point*.csv"), folder / "curves.csv")


def join_at_once(folder: Path) -> None:
    from lpi.results import aggregate

    aggregate(folder.glob("run*.csv"), folder / "all.csv")


if __name__ == "__main__":
    main()
