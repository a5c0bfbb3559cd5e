"""Tables of docs/claims.md: every part of every claim, and the numbers behind them."""

from __future__ import annotations

from lpi.claims import CLAIMS, UNTESTED
from lpi.report import beyond
from lpi.report.tables import Published
from lpi.report.text import PARTS, share, unit
from lpi.report.words import not_run, number, plain, word


def parts_table(published: Published, claim: str) -> str:
    """Every part of a claim under every reading: statistic, interval, verdict."""
    rows = None if published.claims is None else published.claims[published.claims["claim"] == claim]
    if rows is None or rows.empty:
        return not_run(PARTS.get(CLAIMS[claim].needs, "default"))
    tested = rows[rows["verdict"] != UNTESTED]
    if tested.empty:
        reasons = "; ".join(dict.fromkeys(map(word, rows["note"])))
        return beyond.elsewhere(published, claim) or f"*Not tested: {reasons}.*"
    lines = [
        "| reading | n | τ | part | statistic | interval | unit | seeds | verdict |",
        "|---|---:|---:|---|---:|---|---|---:|---|",
    ]
    for row in tested.itertuples():
        bounds = f"{number(row.low)} to {number(row.high)}" if row.seeds else "exact"
        cells = [
            f"`{row.reading}`", plain(row.agents), plain(row.tau), word(row.part), number(row.statistic), bounds,
            unit(row.unit), plain(row.seeds), row.verdict,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    left = len(rows) - len(tested)
    return "\n".join(lines) + (f"\n\nNot tested: {left} of {len(rows)} parts." if left else "")


def ends_table(published: Published, figure: str) -> str:
    """Final values of a figure's curves: median and quartiles over the seeds, and the share of Q tables visited."""
    lines = [
        "| reading | n | τ | κ | start | end: median [quartiles] | pairs visited | seeds |",
        "|---|---:|---:|---:|---:|---|---:|---:|",
    ]
    for reading in published.readings:
        table = published.summaries[reading]
        for row in table[table["figure"] == figure].itertuples():
            lines.append(
                f"| `{reading}` | {row.agents} | {row.tau:g} | {row.kappa} | {row.initial:.3f} | {row.final_median:.3f} "
                f"[{row.final_q1:.3f}, {row.final_q3:.3f}] | {row.visited:.0%} | {row.seeds} |"
            )
    return "\n".join(lines) if len(lines) > 2 else not_run("default")


def locality_table(published: Published) -> str:
    """What seeing κ hops can be worth: the loss of the best κ-hop policy found, as a share of the uniform policy's."""
    if published.locality is None:
        return not_run("default")
    table = published.locality
    kappas = sorted(set(table["kappa"]))
    lines = [
        f"| p₁, p₂ mean | n | τ | possible improvement | {' | '.join(f'κ = {k}' for k in kappas)} |",
        "|---|---:|---:|---:|" + "---:|" * len(kappas),
    ]
    for (one, two, agents, tau), rows in table.groupby(["p1_means", "p2_means", "agents", "tau"]):
        losses = rows.set_index("kappa")
        whole = losses["uniform_loss"].iloc[0]
        cells = [share(losses["loss"][k] / whole) if k in losses.index else "–" for k in kappas]
        lines.append(f"| {one}, {two} | {agents} | {tau:g} | {whole:.3f} | {' | '.join(cells)} |")
    return "\n".join(lines)
