"""The theory table as sentences, Markdown tables and a figure; every number comes from the CSV of `lpi theory`."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence

import matplotlib
import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lpi.plotting import STYLE, WIDTH
from lpi.results import ResultsError, must_exist
from lpi.theory.bounds import FORMS
from lpi.theory.table import Row

MARKERS = {"printed": ("o", "#0072B2"), "corrected": ("s", "#E69F00"), "made to break it": ("^", "#D55E00")}
EDGE = 30.0
"""Where the figure puts a measured value whose bound is 0."""
SMALLEST = 1e-8


def read(path: str | os.PathLike) -> pd.DataFrame:
    """The CSV that `lpi theory` wrote.

    Raises:
        ResultsError: it cannot be read or has other columns.
    """
    must_exist(path, "snakemake --cores 2")
    try:
        table = pd.read_csv(path, dtype={"agents": "Int64"})
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: not a theory table: {' '.join(str(error).split())}") from error
    if list(table.columns) != list(Row._fields):
        raise ResultsError(f"{path}: columns {list(table.columns)} are not allowed; {list(Row._fields)}")
    return table.fillna({"note": "", "setting": ""})


def verdict(table: pd.DataFrame) -> str:
    """Which printed statements held in every case inside their hypotheses, which did not, which said nothing."""
    tried = table[table["part"].isin(["family", "counterexample"])]
    printed, corrected = (tried[tried["form"] == form] for form in FORMS)
    failed = printed[printed["violations"] > 0]
    held = [s for s in _names(printed) if s not in set(_names(failed))]
    family = table[table["part"] == "family"]
    telling = printed.groupby(["statement", "quantity"], sort=False)["telling"].sum()
    silent = printed[[telling[row.statement, row.quantity] == 0 for row in printed.itertuples()]]
    lines = [
        f"Tried on {family['setting'].iloc[0]}, and on MDPs made to break them.",
        f"- Printed, held in every case: {', '.join(held)}.",
        f"- Printed, broken in some case: {', '.join(_names(failed)) or 'none'}.",
        f"- Printed, tried only where the bound says no more than what holds trivially: {', '.join(_names(silent)) or 'none'}.",
        f"- Corrected, broken in some case: {', '.join(_names(corrected[corrected['violations'] > 0])) or 'none'}.",
    ]
    return "\n\n".join([lines[0], "\n".join(lines[1:])])


def inside(table: pd.DataFrame) -> str:
    """Worst case of each statement over the random MDPs."""
    rows = table[table["part"] == "family"]
    head = (
        "statement",
        "left side",
        "cases",
        "broken in",
        "bound",
        "measured",
        "slack",
        "trivial bound",
        "vacuous in",
        "note",
    )
    body = [
        (
            _name(row), row.quantity, row.cases, row.violations,
            *map(_number, (row.bound, row.measured, row.slack, row.trivial)),
            "–" if math.isnan(row.trivial) else row.vacuous, row.note,
        )
        for row in _sorted(rows)
    ]  # fmt: skip
    return _markdown(head, body)


def broken(table: pd.DataFrame) -> str:
    """The counterexamples: only what is broken in one of them."""
    rows = table[table["part"] == "counterexample"]
    failing = set(rows.loc[rows["violations"] > 0, "quantity"])
    head = ("MDP", "statement", "left side", "hypotheses met?", "bound", "measured", "slack", "note")
    body = [
        (
            row.setting, row.statement, row.quantity, row.hypothesis_met, _number(row.bound, 6), _number(row.measured, 6),
            _number(row.slack), row.note.partition(";")[0],
        )
        for row in rows.itertuples()
        if row.quantity in failing
    ]  # fmt: skip
    return _markdown(head, body)


def experiment(table: pd.DataFrame) -> str:
    """Left and right sides on the experiment's own MDP, a table for each convention."""
    rows = table[table["part"] == "section_6"]
    head = ("statement", "left side", "of", "hypotheses met?", "bound", "measured", "slack", "trivial bound", "note")
    parts = []
    for setting, group in rows.groupby("setting", sort=False):
        body = []
        for row in _sorted(group):
            of, _, note = row.note.partition("; ")
            numbers = map(_number, (row.bound, row.measured, row.slack, row.trivial))
            body.append((_name(row), row.quantity, of, row.hypothesis_met, *numbers, note))
        agents, tau = group["agents"].iloc[0], group["tau"].iloc[0]
        parts.append(f"**{setting}** (n = {agents}, τ = {tau:g})\n\n{_markdown(head, body)}")
    return "\n\n".join(parts)


def missed(table: pd.DataFrame) -> str:
    """Every hypothesis on the experiment; rows that differ in n, the convention or the theorem alone are joined."""
    rows = table[table["part"] == "hypothesis"]
    joined: dict[tuple, tuple[list, list]] = {}
    for row in rows.itertuples():
        # the joint states that the note counts grow with n
        note = "" if row.note[:1].isdigit() else row.note
        key = (row.quantity, row.hypothesis_met, *map(_number, (row.bound, row.measured, -row.slack)), note)
        theorems, settings = joined.setdefault(key, ([], []))
        theorems.append(row.statement.removeprefix("Theorem "))
        settings.append((row.setting, int(row.agents)))
    everything = set(zip(rows["setting"], rows["agents"].astype(int), strict=True))
    head = ("theorem", "hypothesis", "limit", "value", "met?", "missed by", "where", "note")
    body = [
        (
            ", ".join(sorted(set(theorems))), quantity, bound, value, met, excess if met == "no" else "–",
            _where(set(settings), everything), note,
        )
        for (quantity, met, bound, value, excess, note), (theorems, settings) in joined.items()
    ]  # fmt: skip
    tried = f"n = {', '.join(map(str, sorted({n for _, n in everything})))}, τ = {rows['tau'].iloc[0]:g}."
    return f"{tried}\n\n{_markdown(head, body)}"


def slack_figure(table: pd.DataFrame) -> Figure:
    """Measured over bound for each statement, worst case; to the right of 1 the statement is broken."""
    tried = table[table["part"].isin(["family", "counterexample"])]
    labels = list(dict.fromkeys(f"{row.statement}: {row.quantity}" for row in _sorted(tried)))
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.24 * len(labels) + 1.1), layout="constrained")
        ax = figure.subplots()
        for name, (marker, colour) in MARKERS.items():
            rows = tried[(tried["form"] == name) & (tried["part"] == "family")]
            if name not in FORMS:
                rows = tried[tried["part"] == "counterexample"]
            share = [EDGE if row.bound == 0 else max(row.measured / row.bound, SMALLEST) for row in rows.itertuples()]
            heights = [len(labels) - labels.index(f"{row.statement}: {row.quantity}") for row in rows.itertuples()]
            face = "none" if name == "corrected" else colour
            ax.plot(share, heights, marker, color=colour, markerfacecolor=face, markersize=4.5, label=name)
        ax.axvline(1, color="0.3", linewidth=0.8)
        ax.set_xscale("log")
        ax.set_yticks(np.arange(len(labels), 0, -1), labels)
        ax.set_xlabel(f"measured / bound, worst case (at {EDGE:g}: bound 0)")
        figure.legend(loc="outside upper center", ncols=3)
    return figure


def _sorted(rows: pd.DataFrame) -> Iterable:
    """Propositions, lemmas, theorems, each by number."""
    order = rows["statement"].map(
        lambda name: (("Proposition", "Lemma", "Theorem").index(name.split()[0]), int(name.split()[1]))
    )
    return rows.assign(order=order).sort_values("order", kind="stable").drop(columns="order").itertuples()  # fmt: skip


def _names(rows: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(f"{row.statement} ({row.quantity})" for row in _sorted(rows)))


def _where(settings: set, everything: set) -> str:
    if settings == everything:
        return "all"
    conventions = sorted({setting for setting, _ in settings})
    agents = sorted({n for _, n in settings})
    parts = [] if len(conventions) == len({s for s, _ in everything}) else [" or ".join(conventions)]
    parts += [] if len(agents) == len({n for _, n in everything}) else [f"n = {', '.join(map(str, agents))}"]
    return "; ".join(parts)


def _name(row) -> str:
    return row.statement if row.form == "printed" else f"{row.statement}, {row.form}"


def _number(value: float, digits: int = 3) -> str:
    if math.isnan(value):
        return "–"
    return "∞" if math.isinf(value) else f"{value:.{digits}g}"


def _markdown(head: Sequence[str], body: Sequence[Sequence]) -> str:
    """A table whose last column is a note: numbered there, spelt out below."""
    notes = list(dict.fromkeys(line[-1] for line in body if line[-1]))
    rows = [(*line[:-1], notes.index(line[-1]) + 1 if line[-1] else "") for line in body]
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
    return "\n\n".join([table, "\n".join(f"{k}. {note}" for k, note in enumerate(notes, 1))]) if notes else table
