"""Summary statistics of learning curves, and the table of them as CSV, Markdown and LaTeX.

Definitions, for one run (seed) with values v_0 .. v_M at its outer loops:

final           v_M
auc             area under the curve over the outer loops (trapezia) divided by M, hence a mean reward
improved        v_M exceeds v_0, where J is simulated by more than CLEAR standard errors of the difference (taken as
                independent estimates)
loops to 50 %   the first loop m with v_m >= v_0 + 0.5 (v_M - v_0), likewise 90 %: progress on the run's *own*
                improvement, which says nothing of how large that is.  Defined only for runs that improved; in all
                others it is missing
optimality gap  J* - v_M, with J* the largest value that any policy has: of the regularised J the centralised optimum,
                of the unregularised J the optimum for tau = 0.  Where the reported reward is not the J of (2), the gap
                is still that of the J of (2)
share gained    (v_M - u) / (J* - u), of the possible improvement; u is the exact value of the uniform policy, from which
                every run starts

Medians and quartiles (linear interpolation) are over the seeds; those of the loops over the improved seeds only, whose
number is given.  Nothing here is a test or an interval: with ten seeds the quartiles describe the sample.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lpi.config_keys import FIGURES
from lpi.panels import panels_of, select
from lpi.results import QUANTITIES, Column, ResultsError, atomic_write
from lpi.tables import frame
from lpi.truth.tables import OPTIMA

CLEAR = 2.0
"""Standard errors by which a simulated J must rise to count as improved."""
SHARES = (0.5, 0.9)
VERDICT_OF = "claim_"
"""Start of the names of further columns, each with the verdict on a claim (`lpi.claims.report.summary_columns`)."""

SUMMARY_COLUMNS: dict[str, Column] = {
    "figure": Column("str", "name of the figure"),
    "reading": Column("str", "name of the reading"),
    "quantity": Column("str", "column of the curves that is summarised", of=tuple(QUANTITIES)),
    "graph": Column("str", "family of the network"),
    "agents": Column("int", "number of agents n"),
    "tau": Column("float", "entropy weight tau"),
    "kappa": Column("int", "hops that a policy sees"),
    "seeds": Column("int", "number of runs"),
    "outer_loops": Column("int", "number of outer loops M"),
    "method": Column("str", "how J was computed: exact or monte_carlo"),
    "initial": Column("float", "median over seeds of the value at loop 0"),
    "final_median": Column("float", "median over seeds of the value at loop M"),
    "final_q1": Column("float", "its 25 % quartile"),
    "final_q3": Column("float", "its 75 % quartile"),
    "final_se": Column("float", "largest standard error of a final value; 0 where the method is exact"),
    "auc_median": Column("float", "median over seeds of the area under the curve divided by M"),
    "auc_q1": Column("float", "its 25 % quartile"),
    "auc_q3": Column("float", "its 75 % quartile"),
    "improved": Column("int", "number of seeds whose final value exceeds that of loop 0; the next columns are theirs"),
    "loops50_median": Column("float", "median of the loops to 50 % of the run's own improvement; empty: none improved"),
    "loops50_q1": Column("float", "its 25 % quartile"),
    "loops50_q3": Column("float", "its 75 % quartile"),
    "loops90_median": Column("float", "median of the loops to 90 % of the run's own improvement; empty: none improved"),
    "loops90_q1": Column("float", "its 25 % quartile"),
    "loops90_q3": Column("float", "its 75 % quartile"),
    "optimum": Column("float", "J*: largest value of any policy, for tau = 0 if unregularized; empty: not computed"),
    "gap_median": Column("float", "median over seeds of J* minus the value at loop M; empty: not computed"),
    "gap_q1": Column("float", "its 25 % quartile"),
    "gap_q3": Column("float", "its 75 % quartile"),
    "closed_median": Column("float", "median over seeds of the share of J* - J(uniform policy) gained by loop M"),
    "closed_q1": Column("float", "its 25 % quartile"),
    "closed_q3": Column("float", "its 75 % quartile"),
    "visited": Column("float", "median over seeds of the share of Q table entries ever updated by loop M"),
}


def summarize(
    curves: pd.DataFrame, figures: Mapping[str, Mapping[str, Any]], optima: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row per figure, panel and kappa, with the columns of `SUMMARY_COLUMNS`.

    Args:
        curves: curves of one reading, from `results.read_curves`.
        figures: figure name -> {"agents": [n, ...], "taus": [tau, ...]}, optionally "quantity" (a key of
            `QUANTITIES`; default: that of `config_keys.FIGURES`, reported for other names) and "kappas" (default: all).
        optima: those of the reading, from `read_optima`; without them the gaps are missing.

    Raises:
        ResultsError: a panel or a kappa that the curves do not hold, curves of several readings, or a panel without
            its optimum.
    """
    rows = []
    for name, figure in figures.items():
        quantity = figure.get("quantity", FIGURES.get(name, "reported"))
        for agents, tau in panels_of(figure["agents"], figure["taus"]):
            panel = select(curves, agents, tau, figure.get("kappas"))
            for kappa in sorted(set(panel["kappa"])):
                runs = panel[panel["kappa"] == kappa]
                rows.append({"figure": name, **_row(runs, quantity), **_gap_columns(runs, quantity, optima)})
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def read_optima(path: str | os.PathLike) -> pd.DataFrame:
    """The checked optima of a reading."""
    return frame(path, OPTIMA)


def optimum_of(curves: pd.DataFrame, optima: pd.DataFrame) -> Mapping[str, Any]:
    """The row of the optima for the curves of one panel."""
    panel = {name: curves[name].iloc[0] for name in ("reading", "graph", "agents", "tau")}
    found = optima[(optima[list(panel)] == pd.Series(panel)).all(axis=1)].to_dict("records")
    if len(found) != 1:
        words = ", ".join(f"{name} {value}" for name, value in panel.items())
        raise ResultsError(f"optima: {len(found)} rows for {words}; exactly one")
    return found[0]


def matrix(curves: pd.DataFrame, column: str) -> np.ndarray:
    """A column of the runs of one panel and kappa, shape (seeds, outer loops + 1), seeds ascending."""
    if column not in curves:
        raise ResultsError(f"quantity: {column!r} is not allowed; one of {', '.join(QUANTITIES)}")
    seeds = curves["seed"].nunique()
    return curves.sort_values(["seed", "outer_loop"])[column].to_numpy().reshape(seeds, -1)


def quartiles(values: np.ndarray) -> np.ndarray:
    """The 25, 50 and 75 % quantiles over the first axis (seeds)."""
    return np.quantile(values, [0.25, 0.5, 0.75], axis=0)


def area(curves: np.ndarray) -> np.ndarray:
    """Area under each row over the outer loops, divided by their number: a mean reward."""
    return np.trapezoid(curves, axis=1) / (curves.shape[1] - 1)


def improved(curves: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Whether each row's last value exceeds its first; `errors` are the standard errors of the values."""
    return curves[:, -1] - curves[:, 0] > CLEAR * np.hypot(errors[:, -1], errors[:, 0])


def loops_to(curves: np.ndarray, share: float) -> np.ndarray:
    """First loop of each row with at least `share` (below 1) of the row's improvement; every row must improve."""
    goals = curves[:, :1] + share * (curves[:, -1:] - curves[:, :1])
    return np.argmax(curves >= goals, axis=1)


def final_visited(curves: pd.DataFrame) -> float:
    """Median over the seeds of the share of Q table entries ever updated, at the last loop of one panel and kappa."""
    return float(np.median(matrix(curves, "visited_share")[:, -1]))


def method_of(curves: pd.DataFrame) -> str:
    """How J was computed in these rows: exact, monte_carlo, or both."""
    return " and ".join(sorted(set(curves["method"])))


def seeds_of(curves: pd.DataFrame) -> str:
    """Number of seeds in words: `10 seeds`, or `8 to 10 seeds` where it differs between panels or kappas."""
    counts = sorted(set(curves.groupby(["agents", "tau", "kappa"])["seed"].nunique()))
    if len(counts) > 1:
        return f"{counts[0]} to {counts[-1]} seeds"
    return f"{counts[0]} seed" + "s" * (counts[0] != 1)


def method_text(curves: pd.DataFrame) -> str:
    """How J was computed, in words, by number of agents where that differs."""
    words = {"exact": "exact", "monte_carlo": "simulated"}
    by_agents = {n: method_of(group) for n, group in curves.groupby("agents")}
    groups = {
        method: [str(n) for n in by_agents if by_agents[n] == method] for method in sorted(set(by_agents.values()))
    }
    parts = []
    for method, agents in groups.items():
        where = f" at n = {', '.join(agents)}" if len(groups) > 1 else ""
        parts.append(" and ".join(words[word] for word in method.split(" and ")) + where)
    return f"J {', '.join(parts)}"


def quantity_name(curves: pd.DataFrame, quantity: str) -> str:
    """What a quantity is called; `reported` says so where it is not the J of (2).  ResultsError for an unknown one."""
    if quantity not in QUANTITIES:
        raise ResultsError(f"quantity: {quantity!r} is not allowed; one of {', '.join(QUANTITIES)}")
    if quantity == "reported" and not (curves["reported"] == curves["regularized"]).all():
        return "Regularised reward with entropy weight τ per agent"
    return QUANTITIES[quantity]


def read_figures(path: str | os.PathLike) -> dict[str, dict[str, Any]]:
    """The figures in a JSON file, for `summarize`."""
    try:
        figures = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"{path}: not a JSON file: {error}") from error
    shape = '{"figure1": {"agents": [8], "taus": [0.05], "quantity": "reported"}, ...}'
    if not isinstance(figures, dict) or not all(isinstance(figure, dict) for figure in figures.values()):
        raise ResultsError(f"{path}: {figures!r} is not allowed; figures like {shape}")
    for name, figure in figures.items():
        unknown = sorted(set(figure) - {"agents", "taus", "quantity", "kappas"})
        missing = sorted({"agents", "taus"} - set(figure))
        lists = [key for key in ("agents", "taus", "kappas") if not isinstance(figure.get(key, []), list)]
        for problem, keys in (("no such key", unknown), ("missing", missing), ("not a list", lists)):
            if keys:
                raise ResultsError(f"{path}: {name}: {keys[0]}: {problem}; figures like {shape}")
    return figures


def _row(curves: pd.DataFrame, quantity: str) -> dict[str, Any]:
    values, errors = matrix(curves, quantity), matrix(curves, f"{quantity}_se")
    row = {name: curves[name].iloc[0] for name in ("reading", "graph", "agents", "tau", "kappa")}
    row |= {"quantity": quantity, "seeds": values.shape[0], "outer_loops": values.shape[1] - 1}
    row |= {"method": method_of(curves), "initial": np.median(values[:, 0]), "final_se": errors[:, -1].max()}
    row |= _quartile_columns("final", values[:, -1]) | _quartile_columns("auc", area(values))
    better = values[improved(values, errors)]
    row["improved"] = len(better)
    for share in SHARES:
        row |= _quartile_columns(f"loops{share:.0%}".rstrip("%"), loops_to(better, share))
    row["visited"] = final_visited(curves)
    return row


def _gap_columns(curves: pd.DataFrame, quantity: str, optima: pd.DataFrame | None) -> dict[str, float]:
    nothing = np.full(0, np.nan)
    if optima is None:
        return {"optimum": np.nan, **_quartile_columns("gap", nothing), **_quartile_columns("closed", nothing)}
    found = optimum_of(curves, optima)
    free = quantity == "unregularized"
    best, uniform = (found["ceiling"], found["uniform_unregularized"]) if free else (found["optimum"], found["uniform"])
    if np.isnan(best):
        return _gap_columns(curves, quantity, None)
    final = matrix(curves, quantity if free else "regularized")[:, -1]
    whole = best - uniform
    shares = (final - uniform) / whole if whole > found["error_bound"] else nothing
    return {"optimum": best, **_quartile_columns("gap", best - final), **_quartile_columns("closed", shares)}


def _quartile_columns(name: str, values: np.ndarray) -> dict[str, float]:
    low, middle, high = quartiles(values) if len(values) else (np.nan,) * 3
    return {f"{name}_median": middle, f"{name}_q1": low, f"{name}_q3": high}


class Shown(NamedTuple):
    """A column of the printed table: its heading in Markdown and LaTeX, its alignment and its text for a row."""

    heading: str
    latex: str
    align: str
    text: Callable[[Mapping[str, Any]], str]


def reward(value: float) -> str:
    """A reward as printed: three decimals."""
    return "–" if np.isnan(value) else f"{value:.3f}"


def loops(value: float) -> str:
    """A number of loops as printed: at most one decimal, an en dash where it is missing."""
    return "–" if np.isnan(value) else f"{value:.1f}".removesuffix(".0")


def percent(share: float, digits: int | None = None) -> str:
    """A share as printed: three significant digits, and 100 % for the whole only; or a fixed number of decimals."""
    if np.isnan(share):
        return "–"
    if digits is not None:
        return f"{100 * share:.{digits}f} %".replace("-", "−")
    text = np.format_float_positional(100 * share, precision=3, fractional=False, trim="-")
    return "> 99.9 %" if share < 1 and text == "100" else f"{text} %"


def with_quartiles(name: str, text: Callable[[float], str]) -> Callable[[Mapping[str, Any]], str]:
    """Text of a row's median with its quartiles: `37.512 [37.498, 37.530]`."""

    def cell(row: Mapping[str, Any]) -> str:
        middle, low, high = (row[f"{name}_{part}"] for part in ("median", "q1", "q3"))
        return text(middle) if np.isnan(middle) else f"{text(middle)} [{text(low)}, {text(high)}]"

    return cell


SHOWN: list[Shown] = [
    Shown("Figure", "Figure", "l", lambda row: str(row["figure"]).removeprefix("figure")),
    Shown("Quantity", "Quantity", "l", lambda row: str(row["quantity"])),
    Shown("n", "$n$", "r", lambda row: f"{row['agents']}"),
    Shown("τ", r"$\tau$", "r", lambda row: f"{row['tau']:g}"),
    Shown("κ", r"$\kappa$", "r", lambda row: f"{row['kappa']}"),
    Shown("J", "$J$", "l", lambda row: row["method"].replace("monte_carlo", "simulated")),
    Shown("Seeds", "Seeds", "r", lambda row: f"{row['seeds']}"),
    Shown("Loop 0", "Loop 0", "r", lambda row: reward(row["initial"])),
    Shown("Final", "Final", "r", with_quartiles("final", reward)),
    Shown("J*", "$J^*$", "r", lambda row: reward(row["optimum"])),
    Shown("Optimality gap", "Optimality gap", "r", with_quartiles("gap", reward)),
    Shown("Share gained", "Share gained", "r", with_quartiles("closed", lambda share: percent(share, digits=1))),
    Shown("Improved", "Improved", "r", lambda row: f"{row['improved']}"),
    Shown("Loops to 50 %", r"Loops to 50\,\%", "r", with_quartiles("loops50", loops)),
    Shown("Loops to 90 %", r"Loops to 90\,\%", "r", with_quartiles("loops90", loops)),
    Shown("Visited", "Visited", "r", lambda row: percent(row["visited"])),
]
"""The printed table, column by column; add an entry to print a further column of the summary."""


def _verdicts(row: Mapping[str, Any]) -> str:
    """The verdicts of a row, each after what its claim is about."""
    found = [f"{name.removeprefix(VERDICT_OF)}: {value}" for name, value in row.items() if _is_verdict(name) and value]
    return "; ".join(found) or "–"


def _is_verdict(column: str) -> bool:
    return column.startswith(VERDICT_OF)


def _shown(table: pd.DataFrame) -> list[Shown]:
    """The printed columns: `SHOWN`, and the verdicts where the table has them."""
    return [*SHOWN, Shown("Verdicts", "Verdicts", "l", _verdicts)] if any(map(_is_verdict, table)) else SHOWN


def note(table: pd.DataFrame) -> str:
    """What the printed table's entries mean, in one paragraph."""
    readings = ", ".join(sorted(set(table["reading"])))
    text = (
        f"Reading {readings}. Rewards are discounted sums averaged over the initial distribution: median "
        "[25 %, 75 % quartile] over the seeds. J*: the largest value that any policy has, exact; of the unregularised "
        "reward that is the optimum for τ = 0, which a policy learned with τ > 0 does not aim at. Optimality gap: J* minus "
        "the final value. Share gained: of the possible improvement, J* minus J of the uniform policy. Improved: seeds whose "
        "final value exceeds their value at loop 0"
    )
    largest = table["final_se"].max()
    if largest > 0:
        text += f" (simulated J: by more than {CLEAR:g} standard errors; the largest of a final value is {largest:.2g})"
    text += (
        ". Loops to 50 % and 90 % of a run's own improvement, over the improved seeds only. Visited: median share of the "
        "Q table entries that were ever updated by the last loop."
    )
    if any(map(_is_verdict, table)):
        text += (
            " Verdicts: on what the paper claims of the reward's order in κ, of the rate of convergence, of the unregularised "
            "reward and of how well LPI works, as far as this n, τ and κ take part; of several the one that speaks most "
            "against the claim."
        )
    return text


def to_markdown(table: pd.DataFrame) -> str:
    """The printed table in Markdown, without the note."""
    shown = _shown(table)
    lines = [[column.heading for column in shown], ["---" if c.align == "l" else "---:" for c in shown]]
    lines += [[column.text(row) for column in shown] for row in table.to_dict("records")]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_latex(table: pd.DataFrame) -> str:
    """The printed table as a LaTeX tabular; needs the package booktabs."""
    shown = _shown(table)
    lines = [rf"\begin{{tabular}}{{{''.join(column.align for column in shown)}}}", r"\toprule"]
    lines.append(" & ".join(column.latex for column in shown) + r" \\")
    previous = None
    for row in table.to_dict("records"):
        panel = (row["figure"], row["agents"], row["tau"])
        if panel != previous:
            same_figure = previous is not None and previous[0] == panel[0]
            lines.append(r"\addlinespace" if same_figure else r"\midrule")
            previous = panel
        lines.append(" & ".join(_escape(column.text(row)) for column in shown) + r" \\")
    return "\n".join([f"% {note(table)}", *lines, r"\bottomrule", r"\end{tabular}", ""])


def write(table: pd.DataFrame, csv: str | os.PathLike, markdown: str | os.PathLike, latex: str | os.PathLike) -> None:
    """Write the table as CSV (every column, full precision), Markdown and LaTeX (as printed, with the note)."""
    atomic_write(csv, table.to_csv(index=False, lineterminator="\n"))
    atomic_write(markdown, f"{to_markdown(table)}\n{note(table)}\n")
    atomic_write(latex, to_latex(table))


def _escape(text: str) -> str:
    for character in "_%&#":
        text = text.replace(character, f"\\{character}")
    return text.replace("–", "--")
