"""What all parts of the replication report share: commands, times, numbers as words."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from lpi.claims import CLAIMS
from lpi.report.tables import Published

COMMANDS = {
    "default": ".venv/bin/snakemake --cores 2",
    "multiverse": ".venv/bin/snakemake --cores 2 multiverse",
    "studies": ".venv/bin/snakemake --cores 2 studies",
    "theory": ".venv/bin/snakemake --cores 2 theory",
}
"""What makes each part of the results."""
BEGINNINGS = {
    "one figure": f"{COMMANDS['default']} results/quick/working/notebooks/figure1.png --configfile config/quick.yaml",
    "everything": f"{COMMANDS['default']} --configfile config/quick.yaml",
}
"""What a new user runs for a look, on the small grid."""
LOOKS = {
    "install": '.venv/bin/pip install -q -c constraints.txt -e ".[jupyter]"',
    "start": ".venv/bin/jupyter lab notebooks",
    "report": f"{BEGINNINGS['everything']} --report report.html",
}
"""How to look at the results of a run in other ways."""
INSTALL = 'python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e ".[test]"'
"""How the package is installed with its tests."""
CHECKS = {
    "tests": ".venv/bin/python -m pytest",
    "verify": f"{COMMANDS['default']} verify",
    "faults": ".venv/bin/python -m pytest tests/faults --faults",
    "coverage": ".venv/bin/python tests/quality/covered.py",
    "mutants": ".venv/bin/python tests/quality/mutation.py",
    "site": ".venv/bin/python -m sphinx -W -E --keep-going -q docs docs/_build",
}
"""How the package is checked."""

NOT_MEASURED = "not measured"
TITLES = {
    "reward_by_tau": "larger κ, better reward (each τ)",
    "reward_by_size": "larger κ, better reward (each n)",
    "rate_own": "larger κ, slower (on its own improvement)",
    "rate_gap": "larger κ, slower (on the possible improvement)",
    "unregularized_rises": "unregularised reward rises from κ = 0 to 2",
    "kappa3_worse": "κ = 3 worse than κ = 1, unregularised",
    "kappa3_slightly": "κ = 3 slightly worse than κ = 1, unregularised",
    "similar_rates": "similar rates at each n",
    "works_outside": "works well outside the hypotheses",
    "works_somewhere": "works well for the best κ",
    "default_values": "default values do not matter",
    "samples": "larger κ needs more samples",
    "beyond_local": "more than the local state is worth something",
    "large_local_loss": "seeing little costs much",
    "gap_decays": "best policies' loss decays in κ",
    "idle_when_safe": "optimum idle where none is infected",
    "idle_when_unseen": "optimum idle where none is infected within κ hops",
    "acts_when_near": "optimum acts where a neighbour is infected",
    "acts_when_near_elsewhere": "the same for other p_eff",
    "earlier_when_weak": "optimum acts earlier if p_eff is smaller (share of response)",
    "earlier_absolute": "optimum acts earlier if p_eff is smaller (probability)",
    "earlier_preferred": "optimum acts earlier if p_eff is smaller (distance)",
}
"""Short names of claims where there is no room for what the paper says."""


def title(claim: str) -> str:
    """The short name of a claim; one without has its own words."""
    return TITLES.get(claim) or (CLAIMS[claim].says if claim in CLAIMS else claim)


def linked(claim: str, page: str = "claims.md") -> str:
    """The short name as a link to the claim's parts."""
    return f"[{title(claim)}]({page}#{claim})"


def not_run(part: str) -> str:
    """The line that stands where a table is missing."""
    return f"*Not run yet: `{COMMANDS[part]}`.*"


def cost(published: Published, part: str) -> str:
    """Time and disk of a part as measured: by the clock, and if that was not measured, of its jobs together."""
    if published.measured is None or part not in set(published.measured["part"]):
        return NOT_MEASURED
    (row,) = published.measured[published.measured["part"] == part].to_dict("records")
    jobs = f"{duration(row['seconds'])} of jobs with one core each"
    clock = "" if pd.isna(row["wall_seconds"]) else f"{duration(row['wall_seconds'])} by the clock ({jobs})"
    return f"{clock or jobs}, {size(row['megabytes'])}"


def total_cost(published: Published) -> str:
    """What all parts took together, failed attempts too; of which parts these are not known."""
    table = published.measured
    if table is None:
        return NOT_MEASURED
    known = table["attempts"].notna()
    found, unknown = table[known], ", ".join(map(letter, table.loc[~known, "part"]))
    words = [f"{table['jobs'].sum():.0f} jobs, {duration(table['seconds'].sum())} of jobs with one core each"]
    if known.any():
        words.append(
            f"in {', '.join(map(letter, found['part']))} {duration(found['cpu_seconds'].sum())} of the processor, "
            f"{found['attempts'].sum():.0f} attempts of jobs, failed {found['failed'].sum():.0f}, "
            f"cut short {found['cut_short'].sum():.0f}"
        )
    if unknown:
        words.append(f"the processor's time and failed attempts are not known for {unknown}")
    return "; ".join(words)


def first_figure(published: Published, beginning: str) -> str:
    """What a new user waits for after a command of `BEGINNINGS`, with kernels still to be compiled, as measured."""
    table = published.first_figure
    if table is None or BEGINNINGS[beginning] not in set(table["command"]):
        return NOT_MEASURED
    (row,) = table[table["command"] == BEGINNINGS[beginning]].to_dict("records")
    first, whole, cpu = (duration(row[f"{name}_seconds"]) for name in ("first", "wall", "cpu"))
    return f"first figure after {first}, all after {whole} by the clock ({cpu} of CPU time)"


def look(published: Published, what: str) -> str:
    """Time and disk that one of `LOOKS` takes, as measured."""
    return _spent(published.looking, what)


def check(published: Published, what: str) -> str:
    """Time that one of `CHECKS` takes, as measured, with the load of other programs where there was any to speak of."""
    words = _spent(published.checks, what)
    if published.checks is None or words == NOT_MEASURED:
        return words
    load = published.checks.set_index("what").loc[what, "load"]
    return words + f", other programs' load {load:.1f}" * bool(load >= 0.5)


def _spent(table: pd.DataFrame | None, what: str) -> str:
    if table is None or what not in set(table["what"]):
        return NOT_MEASURED
    (row,) = table[table["what"] == what].to_dict("records")
    words = f"{duration(row['wall_seconds'])} by the clock ({duration(row['cpu_seconds'])} of CPU time)"
    return words + f", {size(row['megabytes'])}" * (row["megabytes"] > 0)


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
    return "–" if pd.isna(value) else "∞" if math.isinf(value) else f"{value:.3g}".replace("-", "−")


def amount(count: float) -> str:
    """A number of samples in words, two significant digits."""
    return f"{count / 1e6:.2g} million" if count >= 1e6 else f"{float(f'{count:.2g}'):,.0f}"


def percent(value: float) -> str:
    """A share in whole percents."""
    return f"{round(100 * value)} %"


def plain(value: Any) -> str:
    """A setting or a count as words."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–" if isinstance(value, float) else "none"
    return f"{value:g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def signed(value: float, digits: int = 2) -> str:
    """A difference with its sign; what rounds to 0 has none."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def interval(row: Any, digits: int = 2) -> str:
    """`+0.12 [+0.10, +0.14]` from a row's mean, low and high."""
    mean, low, high = (signed(row[key], digits) for key in ("mean", "low", "high"))
    return f"{mean}\u00a0[{low},\u00a0{high}]"  # no line breaks within


def word(value: Any) -> str:
    """Text in the cell of a table; nothing where it is missing."""
    return "" if pd.isna(value) else str(value).replace("|", "\\|")
