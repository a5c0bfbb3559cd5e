"""How often each fault was tried and survived, and the table of it in docs/faults.md: `python tests/faults/table.py`."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

COUNTED = Path(__file__).with_name("faults.csv")
PAGE = Path(__file__).parents[2] / "docs/faults.md"
COLUMNS = ("fault", "tried", "survived", "recovery")
BEGIN, END = "<!-- table: made by python tests/faults/table.py -->\n", "<!-- end of table -->"


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
        rows = {(row["fault"], row["recovery"]): row for row in read()}
        for (fault, recovery), tried in self._tried.items():
            row = {"fault": fault, "tried": tried, "survived": self._survived[fault, recovery], "recovery": recovery}
            rows[fault, recovery] = row
        with COUNTED.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows.values())


def read() -> list[dict[str, str]]:
    """The rows of faults.csv; none if it is not there."""
    if not COUNTED.exists():
        return []
    with COUNTED.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def page_text(present: str) -> str:
    """The page with the table of faults.csv in its place."""
    lines = [COLUMNS, ["---", "---:", "---:", "---"], *(row.values() for row in read())]
    before, _, rest = present.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines) + f"\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page_text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
