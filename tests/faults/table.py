"""How often each fault was tried and survived, and the tables of docs/faults.md: `python tests/faults/table.py`."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from lpi.marks import with_block

COUNTED = Path(__file__).with_name("faults.csv")
COMPARED = Path(__file__).with_name("environments.csv")
PAGE = Path(__file__).parents[2] / "docs/faults.md"
COLUMNS = ("fault", "tried", "survived", "recovery")
COMMAND = "python tests/faults/table.py"
"""What the marks around a table name (`lpi.marks`)."""
TABLES = {"table": COUNTED, "table of environments": COMPARED}


class Outcomes:
    """Counts over a session of tests."""

    def __init__(self):
        self._tried, self._survived = Counter(), Counter()

    def tried(self, fault: str, recovery: str) -> None:
        self._tried[fault, recovery] += 1

    def survived(self, fault: str, recovery: str) -> None:
        self._survived[fault, recovery] += 1

    def write(self) -> None:
        """Every fault of the session as a row of faults.csv; rows of other faults stay."""
        rows = {(row["fault"], row["recovery"]): row for row in read(COUNTED)}
        for (fault, recovery), tried in self._tried.items():
            row = {"fault": fault, "tried": tried, "survived": self._survived[fault, recovery], "recovery": recovery}
            rows[fault, recovery] = row
        write(COUNTED, COLUMNS, rows.values())


def write(path: Path, columns, rows) -> None:
    """A CSV file of rows that are dictionaries."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none if it is not there."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def page_text(present: str) -> str:
    """The page with the tables of the CSV files in their places; MarksError where it has none."""
    for name, path in TABLES.items():
        rows = read(path)
        heads = list(rows[0]) if rows else []
        rules = ["---:" if rows[0][head].isdigit() else "---" for head in heads]
        lines = [heads, rules, *(row.values() for row in rows)] if rows else []
        text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        present = with_block(PAGE, present, name, COMMAND, text)
    return present


if __name__ == "__main__":
    PAGE.write_text(page_text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
