"""The tables of docs/quality.md, from the CSV files beside this one: `python tests/quality/page.py`."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

from lpi.marks import with_block

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs/quality.md"
COVERAGE, RUNS = HERE / "coverage.csv", HERE / "coverage_runs.csv"
COVERED = ("module", "statements", "statements_covered", "branches", "branches_covered", "lines_missed")
RUN = ("run", "tests", "failed", "stopped")
DRAWN, MUTANTS, EQUIVALENT = HERE / "mutation.csv", HERE / "mutants.csv", HERE / "equivalent.csv"
GOAL_COVERAGE, GOAL_SCORE = 95, 85
"""Percent."""
COMMAND = "python tests/quality/page.py"
"""What the marks around a table name (`lpi.marks`)."""
NONE = "Not measured yet.\n"
NOT_COUNTED = "–"
"""Crashes in tables from before they had an outcome of their own: they are among the killed."""
NORMAL = 1.96
"""Quantile of a 95 % interval."""


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a table; none if there is no such file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def modules_of(report: Path) -> list[dict]:
    """Rows (COVERED) of coverage's JSON report."""
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    rows = []
    for name, found in sorted(files.items()):
        total = found["summary"]
        missed = " ".join(map(str, found["missing_lines"]))
        values = (
            name, total["num_statements"], total["covered_lines"], total["num_branches"], total["covered_branches"],
            missed,
        )  # fmt: skip
        rows.append(dict(zip(COVERED, values, strict=True)))
    return rows


def table(head: list[str], rows: list[list]) -> str:
    """In Markdown; columns but the first are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def coverage_text() -> str:
    """All of lpi, and the modules that have least."""
    rows = [{k: v if k in ("module", "lines_missed") else int(v) for k, v in row.items()} for row in read(COVERAGE)]
    if not rows:
        return NONE
    total = {name: sum(row[name] for row in rows) for name in COVERED[1:-1]}
    rows = [row for row in rows if row["statements"]]
    least = sorted(rows, key=lambda row: row["statements_covered"] / row["statements"])[:10]

    def line(name, row):
        both = row["statements_covered"] + row["branches_covered"], row["statements"] + row["branches"]
        return [
            name, row["statements"], share(row["statements_covered"], row["statements"]), row["branches"],
            share(row["branches_covered"], row["branches"]), share(*both),
        ]  # fmt: skip

    head = ["", "statements", "covered", "branches", "covered", "both"]
    lines = [line("**lpi**", total), *(line(f"`{row['module']}`", row) for row in least)]
    runs = [[row["run"], row["tests"], row["failed"], row["stopped"]] for row in read(RUNS)]
    met = all(100 * total[f"{part}_covered"] >= GOAL_COVERAGE * total[part] for part in ("statements", "branches"))
    verdict = f"Goal: {GOAL_COVERAGE} % of the lines and of the branches; {'met' if met else '**not met**'}.\n"
    return f"{verdict}\n{table(head, lines)}\n{table(['tests run', 'tests', 'failed', 'stopped'], runs)}"


def wilson(part: int, whole: int) -> tuple[float, float]:
    """95 % interval of a share that was counted in a sample (Wilson, 1927)."""
    middle = (part + NORMAL**2 / 2) / (whole + NORMAL**2)
    half = NORMAL * (part * (whole - part) / whole + NORMAL**2 / 4) ** 0.5 / (whole + NORMAL**2)
    return middle - half, middle + half


def key(row: dict) -> tuple:
    """What a mutant is known by when lines above it come and go."""
    return row["module"], row["operator"], row["before"], row["after"]


def mutation_text() -> str:
    """Scores by target, of the mutants drawn, and the survivors that change nothing."""
    drawn, mutants = read(DRAWN), read(MUTANTS)
    if not drawn:
        return NONE
    equivalent = {key(row): row["reason"] for row in read(EQUIVALENT)}
    rows, reasons, met, above, alone = [], Counter(), True, [], []
    for target in drawn:
        own = [row for row in mutants if row["target"] == target["target"]]
        found = Counter(row["outcome"] for row in own)
        dead, same = found["killed"] + found["timeout"] + found["crashed"], 0
        for row in own:
            if row["outcome"] == "survived" and key(row) in equivalent:
                same += 1
                reasons[equivalent[key(row)]] += 1
        low, high = wilson(dead, len(own) - same)
        met = met and 100 * dead >= GOAL_SCORE * (len(own) - same)
        above += [f"`{target['target']}`"] if 100 * low >= GOAL_SCORE else []
        alone.append(f"{share(found['killed'], len(own) - same)} of `{target['target']}`")
        rows.append([
            f"`{target['target']}`", target["places"], len(own), found["killed"], found["timeout"],
            target.get("crashed") or NOT_COUNTED, found["survived"], same, share(dead, len(own)), share(dead, len(own) - same), f"{100 * low:.0f} to {100 * high:.0f} %",
        ])  # fmt: skip
    head = ["", "places", "mutants", "killed", "timed out", "crashed", "survived", "equivalent", "score"]
    verdict = (
        f"Goal: {GOAL_SCORE} % of the mutants that are not equivalent; {'met' if met else '**not met**'} by the estimate, and "
        f"by the whole interval for {', '.join(above) or 'none'}. Mutants that time out or crash count as killed; a test that "
        f"fails kills {', '.join(alone)}.\n"
    )
    listed = [[reason, number] for reason, number in sorted(reasons.items())]
    text = f"{verdict}\n{table([*head, 'without equivalent', '95 % interval'], rows)}"
    return text + (f"\n{table(['equivalent because', 'mutants'], listed)}" if listed else "")


def page_text(present: str) -> str:
    """The page with today's tables in their places; MarksError where it has none."""
    for name, text in (("coverage", coverage_text()), ("mutation", mutation_text())):
        present = with_block(PAGE, present, name, COMMAND, text)
    return present


def main() -> None:
    PAGE.write_text(page_text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
