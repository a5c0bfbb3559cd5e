"""How often each fault was tried and survived, and the tables of docs/faults.md: `python tests/faults/table.py`."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

COUNTED = Path(__file__).with_name("faults.csv")
COMPARED = Path(__file__).with_name("environments.csv")
PAGE = Path(__file__).parents[2] / "docs/faults.md"
COLUMNS = ("fault", "tried", "survived", "recovery")
END = "<!-- end of table -->"
TABLES = {
    "<!-- table: made by python tests/faults/table.py -->\n": COUNTED,
    "<!-- table of environments: made by python tests/faults/table.py -->\n": COMPARED,
}


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
    """The page with the tables of the CSV files in their places."""
    for begin, path in TABLES.items():
        rows = read(path)
        heads = list(rows[0]) if rows else []
        rules = ["---:" if rows[0][head].isdigit() else "---" for head in heads]
        lines = [heads, rules, *(row.values() for row in rows)] if rows else []
        assert begin in present
        before, _, rest = present.partition(begin)
        _, _, after = rest.partition(END)
        present = f"{before}{begin}\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines) + f"\n{END}{after}"
    return present


if __name__ == "__main__":
    PAGE.write_text(page_text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
