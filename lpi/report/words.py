"""What all parts of the replication report share: commands, times, numbers as words."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from lpi.report.tables import Published

COMMANDS = {
    "default": ".venv/bin/snakemake --cores 2",
    "multiverse": ".venv/bin/snakemake --cores 2 multiverse",
    "studies": ".venv/bin/snakemake --cores 2 studies",
    "theory": ".venv/bin/snakemake --cores 2 figures/theory/provenance.json",
}
"""What makes each part of the results."""


def not_run(part: str) -> str:
    """The line that stands where a table is missing."""
    return f"*Not run yet: `{COMMANDS[part]}`.*"


def cost(published: Published, part: str) -> str:
    """Time and disk of a part as measured; seconds are those of its jobs together."""
    if published.measured is None or part not in set(published.measured["part"]):
        return "not measured"
    (row,) = published.measured[published.measured["part"] == part].to_dict("records")
    return f"{duration(row['seconds'])} of jobs, {size(row['megabytes'])}"


def duration(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(megabytes: float) -> str:
    """Megabytes in words."""
    return f"{megabytes:.0f} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"


def letter(part: str) -> str:
    """The letter by which tables name a part."""
    return chr(ord("A") + list(COMMANDS).index(part))


def number(value: float) -> str:
    """Three significant digits; a dash where there is none."""
    return "–" if pd.isna(value) else "∞" if math.isinf(value) else f"{value:.3g}"


def plain(value: Any) -> str:
    """A setting or a count as words."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–" if isinstance(value, float) else "none"
    return f"{value:g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def word(value: Any) -> str:
    """Text in the cell of a table; nothing where it is missing."""
    return "" if pd.isna(value) else str(value).replace("|", "\\|")
