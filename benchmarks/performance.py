"""Fills in the tables of docs/performance.md from the CSV files of the benchmarks.

    .venv/bin/python benchmarks/performance.py

Every benchmark does so when it has written its file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from measuring import HERE, ROOT
from tables import TABLES, read

PAGE = ROOT / "docs/performance.md"
BLOCK = re.compile(r"(<!-- (\w+): made by benchmarks/performance.py -->\n).*?(\n<!-- end of \2 -->)", re.DOTALL)
KERNEL_SHARE, START_UP_SHARE, PLANNING_SECONDS, PLANNED = 0.8, 15.0, 20.0, 20_000
LINEAR = 0.1
SEEDS_PER_JOB = 5  # of config/config.yaml
COMMANDS = {
    name: f"`benchmarks/{'run' if name == 'measured' else name}.py`" for name in (*TABLES, "dag", "joining")
}  # fmt: skip


def main() -> None:
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def filled(text: str) -> str:
    """The page with its tables as the CSV files have them."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{BLOCKS[match[2]]()}\n{match[3]}", text)


def table(header: list[str], rows: Iterable[Iterable]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def columns(name: str, wanted: dict[str, str]) -> Callable[[], str]:
    """A block: columns of a CSV under other names, and what it was measured on."""

    def block() -> str:
        rows = read(name)
        if not rows:
            return f"Not measured yet: {COMMANDS[name]}."
        return table(list(wanted.values()), [[row[column] for column in wanted] for row in rows]) + machine(rows, name)

    return block


def machine(rows: list[dict], name: str) -> str:
    """What rows were measured on, as a paragraph."""
    known = ("python", "numpy", "numba", "snakemake", "joblib")
    versions = ", ".join(f"{key} {rows[0][key]}" for key in known if rows[0].get(key))
    versions += f"; caches: {rows[0]['caches']}" if rows[0].get("caches") else ""
    run = f"`{rows[0]['run']}`, measured" if "run" in rows[0] else "Measured"
    return f"\n\n{run} by {COMMANDS[name]} on {rows[0]['machine']}; {versions}."


def job() -> str:
    """Where the CPU time of the job went."""
    rows = read("job")
    value = {row["measurement"]: row for row in rows}
    parts = [name.removeprefix("share: ") for name in value if name.startswith("share: ")]
    lines = [
        (part, number(value[f"CPU time: {part}"]["value"]), number(value[f"share: {part}"]["value"])) for part in parts
    ]
    others = [row for row in rows if not row["measurement"].startswith(("share: ", "CPU time: "))]
    whole = [(row["measurement"], f"{number(row['value'])} {row['unit']}".strip()) for row in others]
    text = table(["part", "CPU, s", "share, %"], lines) + "\n\n" + table(["the job", "value"], whole)
    return text + machine(rows, "job")


def number(text: str) -> str:
    """Without an exponent: 1.2e+03 is 1200."""
    return f"{float(text):.0f}" if "e+" in text else text


def goals() -> str:
    """Every goal of the project for its speed, what was measured, and whether it is met."""
    rows = [*kernels(), *growth(), *start_up(), *planning(), *joining(), *batches(), *engines()]
    return table(["what", "goal", "measured", "command", "met"], rows)


def verdict(met: bool) -> str:
    return "yes" if met else "**no**"


def kernels() -> list[tuple]:
    found = []
    for row in read("yardstick"):
        if row["C / now"]:
            name = row["kernel"].partition(",")[0]
            met = verdict(float(row["C / now"]) >= KERNEL_SHARE)
            what = f"{name}, κ = {row['kappa']}: share of a C program's speed"
            found.append((what, f"≥ {KERNEL_SHARE}", row["C / now"], COMMANDS["yardstick"], met))
    return found


def growth() -> list[tuple]:
    from lpi import scaling

    found, grown = [], scaling.read(HERE / "growth.csv")
    cached = f"the same, of runs whose tables fit into {scaling.OWN_CACHE / 2**20:g} MB"
    tables = f"memory above the smallest run's, from {scaling.ABOVE:g} GB on, against what the tables take: exponent"
    for what, fits, is_goal in (
        ("CPU time without J against n: exponent", scaling.exponents(grown, "learning_seconds"), True),
        (cached, scaling.cached_exponents(grown), False),
        ("memory against n: exponent", scaling.exponents(grown, "peak_gb"), True),
        (tables, scaling.table_exponents(grown), False),
    ):
        inside, fitted, text = scaling.linear_families(fits)
        met = verdict(inside == fitted) if is_goal else ""
        found.append((what, f"1 ± {LINEAR}" if is_goal else "none", text, COMMANDS["growth"], met))
    for run in grown[grown["part"] == "target"].itertuples():
        what = f"n = 1000, κ = 1, T = 10⁴, 50 loops, {run.episodes} episodes for each J"
        limits = f"≤ {scaling.TARGET_SECONDS} s, ≤ {scaling.TARGET_GB:g} GB"
        met = run.process_seconds <= scaling.TARGET_SECONDS and run.peak_gb <= scaling.TARGET_GB
        text = f"{run.process_seconds:.0f} s, {run.peak_gb:.2f} GB"
        found.append((what, limits, text, COMMANDS["growth"], verdict(met)))
    ran = grown[grown["peak_gb"].notna()]
    right = int(((ran["predicted_gb"] / ran["peak_gb"] - 1).abs() <= scaling.PREDICTION).sum())
    text, met = f"{right} of {len(ran)} runs", verdict(right == len(ran))
    return [*found, ("memory predicted before a run", "within 20 %", text, COMMANDS["growth"], met)]


def start_up() -> list[tuple]:
    rows = {row["measurement"]: row for row in read("job")}
    row = rows["share of imports and engine"]
    default = "--configfile" not in row["run"]
    what = "share of imports and engine in the CPU time of " + ("the default job" if default else f"`{row['run']}`")
    met = verdict(float(row["value"]) <= START_UP_SHARE) if default else "default job not measured yet"
    return [(what, f"≤ {START_UP_SHARE:g} %", f"{row['value']} %", COMMANDS["job"], met)]


def planning() -> list[tuple]:
    found = []
    for row in read("dag"):
        if int(row["runs"]) >= PLANNED:
            what = f"dry run of {row['runs']} runs, seeds a job: {row['seeds_per_job']}"
            met = verdict(float(row["wall_s"]) <= PLANNING_SECONDS)
            found.append((what, f"≤ {PLANNING_SECONDS:g} s", f"{row['wall_s']} s", COMMANDS["dag"], met))
    return found


def joining() -> list[tuple]:
    found = []
    for level in ("seeds", "points"):
        rows = [row for row in read("joining") if row["level"] == level]
        times = float(rows[-1]["cpu_ms_a_run"]) / float(rows[0]["cpu_ms_a_run"])
        more = int(rows[-1]["runs"]) // int(rows[0]["runs"])
        what, text = f"joining, level of {level}: CPU time a run with {more} times as many runs", f"{times:.2f} times"
        found.append((what, "linear", text, COMMANDS["joining"], verdict(times <= 1 + LINEAR)))
    return found


def batches() -> list[tuple]:
    text = ", ".join(f"{row['seeds_per_job']}: {row['cpu_s']} s" for row in read("batches"))
    return [("`seeds_per_job`: CPU time of 80 runs at n = 5", "default by measurement", text, COMMANDS["batches"], "–")]


def batch_table() -> str:
    """The table of `seeds_per_job`, and what a job costs beside its runs."""
    found = BATCHES()
    rows = read("batches")
    first, last = ((float(row["cpu_s"]), int(row["training_jobs"])) for row in (rows[0], rows[-1]))
    cost = (first[0] - last[0]) / (first[1] - last[1])
    text, sep, end = found.rpartition("\n\n")
    text += f"\n\nSo a job costs {cost:.2f} s beside its runs."
    value = {row["measurement"]: row for row in read("job")}
    if "--configfile" not in value["CPU time"]["run"]:
        runs, total = float(value["training jobs"]["value"]) * SEEDS_PER_JOB, float(value["CPU time"]["value"])
        shares = [f"{100 * cost * runs / seeds / total:.1f} % with {seeds}" for seeds in (1, 2, 5, 10)]
        text += f" Of the CPU time of the default job that is {', '.join(shares)} seeds a job."
    return text + sep + end


def engines() -> list[tuple]:
    text = ", ".join(f"{row['engine']} {row['cpu_s']} s" for row in read("engines"))
    return [("the same 40 short jobs through other engines", "one benchmark", text, COMMANDS["engines"], "–")]


BATCHES = columns(
    "batches",
    {"seeds_per_job": "seeds a job", "training_jobs": "training jobs", "cpu_s": "CPU, s", "wall_s": "wall, s"},
)
BLOCKS = {
    "goals": goals,
    "job": job,
    "dag": columns(
        "dag",
        {"curves": "curves", "runs": "runs", "seeds_per_job": "seeds a job", "jobs": "jobs", "wall_s": "wall, s", "cpu_s": "CPU, s"},
    ),
    "batches": batch_table,
    "joining": columns(
        "joining",
        {"level": "level", "files": "files", "runs": "runs", "cpu_s": "CPU, s", "cpu_ms_a_run": "CPU a run, ms", "peak_gb": "peak, GB"},
    ),
    "engines": columns(
        "engines",
        {
            "engine": "engine", "jobs": "jobs", "wall_s": "wall, s", "cpu_s": "CPU, s",
            "cpu_ms_a_job_over_xargs": "CPU a job above xargs, ms", "second_call_s": "a second call, s",
        },
    ),
    "causes": columns(
        "causes",
        {
            "graph": "graph", "kappa": "κ", "agents": "n", "q_mb": "Q tables, MB", "setup_ns": "setup", "td_ns": "TD(0)",
            "td_few_entries_ns": "TD(0), few entries", "improvement_ns": "improvement", "entropies_ns": "entropies",
            "rest_ns": "rest",
        },
    ),
}  # fmt: skip


if __name__ == "__main__":
    main()
