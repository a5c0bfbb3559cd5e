"""LPI beside the localized actor-critic on the same runs: the runs of `lpi.baselines.design`, and what came out.

python -m lpi.baselines.compare run screen --kappa 1 --output rows.csv
python -m lpi.baselines.compare choose --rows rows.csv ... --output chosen.json
python -m lpi.baselines.compare run result --kappa 1 --chosen chosen.json --output rows.csv
python -m lpi.baselines.compare report --screen ... --result ... --chosen chosen.json --folder FOLDER
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lpi.baselines.design import (
    AGENTS,
    ALGORITHMS,
    KAPPAS,
    PAPER_STEP,
    PARTS,
    READING,
    SCREENING,
    SEEDS,
    TAU,
    settings_of,
    tried,
)
from lpi.studies.results import interval
from lpi.studies.run import model, write


def rows(part: str, kappa: int, chosen: dict[str, float] | None = None) -> Iterator[dict[str, Any]]:
    """Every outer loop of the runs of a part at one kappa, with the share of the optimality gap closed."""
    from lpi.algorithm import train
    from lpi.baselines import actor_critic
    from lpi.exact import optimum

    mdp = model(settings_of(kappa))
    best = optimum(mdp, TAU).regularized
    for algorithm, step in tried(part, chosen):
        for seed in PARTS[part]:
            if algorithm == "lpi":
                settings = settings_of(kappa, step)
                found = train(mdp, settings.training, seed, settings.reporting)
            else:
                settings = settings_of(kappa)
                found = actor_critic.train(
                    mdp, settings.training, step, seed, settings.reporting, algorithm == "centred"
                )
            first = found.records[0].regularized
            for record in found.records:
                run = {"algorithm": algorithm, "step": step, "agents": AGENTS, "kappa": kappa, "tau": TAU, "seed": seed}
                closed = (record.regularized - first) / (best - first)
                yield {
                    **run,
                    **record._asdict(),
                    "td_error": record.td_error if record.outer_loop else "",
                    "closed": closed,
                }


def last(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the last loop."""
    return table[table["outer_loop"] == table["outer_loop"].max()]


def choose(table: pd.DataFrame) -> dict[str, float]:
    """Each algorithm's step with the largest mean share closed at the last loop; the smaller one of equals."""
    means = last(table).groupby(["algorithm", "step"])["closed"].mean()
    return {name: float(means[name].sort_index().idxmax()) for name in ALGORITHMS}


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Algorithm, step and kappa with mean and 95 % interval over seeds of the share closed at the last loop."""
    found = []
    for (algorithm, step, kappa), part in last(table).groupby(["algorithm", "step", "kappa"], sort=False):
        mean, low, high = interval(part["closed"])
        counts = {"seeds": len(part), "samples": int(part["samples"].max())}
        found.append(
            {"algorithm": algorithm, "step": step, "kappa": kappa, "closed": mean, "low": low, "high": high, **counts}
        )
    return pd.DataFrame(found)


def text(screen: pd.DataFrame, result: pd.DataFrame, chosen: dict[str, float]) -> str:
    """What was compared, how the steps were chosen, and the table."""
    settings = settings_of(0).training
    lines = [
        "# LPI beside the localized actor-critic",
        "",
        f"Reading `{READING}`, n = {AGENTS}, τ = {TAU:g}, {len(SEEDS)} seeds, {settings.outer_loops} outer loops of "
        f"{settings.trajectory_length:,} samples for each algorithm. Share of the optimality gap of the uniform policy that "
        "the regularised J has closed after the last loop (Figure 4's gap): mean and 95 % Student-t interval over seeds.",
        "",
        f"Steps were chosen on the seeds {', '.join(map(str, SCREENING))} alone, one for all κ: "
        + "; ".join(
            f"{entry.says}: {chosen[name]:g} out of {', '.join(f'{step:g}' for step in entry.steps)}"
            + (" (at the end of its grid)" if chosen[name] in (entry.steps[0], entry.steps[-1]) else "")
            for name, entry in ALGORITHMS.items()
        )
        + f". The paper's step of LPI is {PAPER_STEP:g}. Steps of the two algorithms are not on one scale. Nothing else was "
        "tuned, for either: the critic, the trajectories and their number are LPI's settings, and one actor step a loop is "
        "what the actor-critic's authors make, where LPI makes "
        f"{settings.inner_steps}. What the actor-critic was given beyond its paper stands in `lpi/baselines/actor_critic.py`.",
        "",
        "| algorithm | step | " + " | ".join(f"κ = {kappa}" for kappa in KAPPAS) + " |",
        "|---|---|" + "---|" * len(KAPPAS),
    ]
    found = summary(result)
    for (algorithm, step), part in found.groupby(["algorithm", "step"], sort=False):
        cells = [f"{r.closed:.3f} ({r.low:.3f} to {r.high:.3f})" for r in part.sort_values("kappa").itertuples()]
        lines.append(f"| {ALGORITHMS[algorithm].says} | {step:g} | {' | '.join(cells)} |")
    lines += ["", "Screening, mean over its seeds:", "", *_screened(screen), "", _step_for_each(screen)]
    return "\n".join(lines) + "\n"


def _step_for_each(screen: pd.DataFrame) -> str:
    """What a step for each kappa would have been and closed, on the seeds of the screening: one for all is a handicap."""
    means = last(screen).groupby(["algorithm", "kappa", "step"])["closed"].mean()
    words = []
    for name, entry in ALGORITHMS.items():
        best = [(kappa, means[name, kappa].idxmax(), means[name, kappa].max()) for kappa in KAPPAS]
        words.append(f"{entry.says}: " + ", ".join(f"κ = {k}: {value:.3f} (step {step:g})" for k, step, value in best))
    return "With a step for each κ, on these seeds (which chose them, so a little too good): " + "; ".join(words) + "."


def _screened(screen: pd.DataFrame) -> list[str]:
    lines = ["| algorithm | step | " + " | ".join(f"κ = {kappa}" for kappa in KAPPAS) + " |"]
    lines.append("|---|---|" + "---|" * len(KAPPAS))
    for (algorithm, step), part in last(screen).groupby(["algorithm", "step"], sort=False):
        means = part.groupby("kappa")["closed"].mean()
        lines.append(f"| {ALGORITHMS[algorithm].says} | {step:g} | {' | '.join(f'{means[k]:.3f}' for k in KAPPAS)} |")
    return lines


def figure(result: pd.DataFrame, chosen: dict[str, float]):
    """Median share of the gap closed and quartiles against the outer loop, one panel for each algorithm and step."""
    import matplotlib.style
    from matplotlib.figure import Figure

    from lpi.plotting import STYLE, WIDTH, look, marked

    panels = tried("result", chosen)
    with matplotlib.style.context(STYLE):
        drawn = Figure(figsize=(WIDTH, 2.6), layout="constrained")
        axes = drawn.subplots(1, len(panels), sharey=True, squeeze=False).ravel()
        for ax, (algorithm, step) in zip(axes, panels, strict=True):
            runs = result[(result["algorithm"] == algorithm) & (result["step"] == step)]
            for kappa, part in runs.groupby("kappa"):
                table = part.pivot(index="outer_loop", columns="seed", values="closed")
                low, middle, high = np.percentile(table.to_numpy(), [25, 50, 75], axis=1)
                style = look(kappa)._asdict()
                ax.fill_between(table.index, low, high, color=style["color"], alpha=0.2, linewidth=0)
                every = marked(kappa, len(table))
                ax.plot(table.index, middle, label=rf"$\kappa = {kappa}$", markevery=every, **style)
            ax.set_title(f"{ALGORITHMS[algorithm].says.replace('localized ', '')}\nstep {step:g}")
            ax.set_xlabel("Outer loop $m$")
        axes[0].set_ylabel("Share of the optimality\ngap closed (regularised)")
        handles, labels = axes[0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper center", ncols=len(labels))
        words = (
            rf"Reading {READING}; $n = {AGENTS}$, $\tau = {TAU:g}$; line: median, band: 25–75 % of {len(SEEDS)} seeds"
        )
        drawn.supxlabel(words, fontsize=6.5, color="0.35")
    return drawn


def _read(paths: Sequence[Path]) -> pd.DataFrame:
    return pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)


def _chosen(path: Path | None) -> dict[str, float] | None:
    return None if path is None else json.loads(path.read_text(encoding="utf-8"))


def _choose(options: argparse.Namespace) -> None:
    from lpi.results import atomic_write

    atomic_write(options.output, json.dumps(choose(_read(options.rows)), indent=2) + "\n")


def _report(options: argparse.Namespace) -> None:
    from lpi.plotting import save
    from lpi.results import atomic_write

    screen, result, chosen = _read(options.screen), _read(options.result), _chosen(options.chosen) or {}
    atomic_write(options.folder / "baseline.md", text(screen, result, chosen))
    atomic_write(options.folder / "baseline.csv", summary(result).to_csv(index=False, lineterminator="\n"))
    save(figure(result, chosen), options.folder / "baseline")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a part of the comparison from the command line."""
    parser = argparse.ArgumentParser(prog="python -m lpi.baselines.compare", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="the runs of a part at one kappa")
    run.add_argument("part", choices=PARTS)
    run.add_argument("--kappa", type=int, required=True)
    run.add_argument("--chosen", type=Path)
    run.add_argument("--output", type=Path, required=True)
    run.set_defaults(run=lambda o: write(o.output, rows(o.part, o.kappa, _chosen(o.chosen))))
    pick = commands.add_parser("choose", help="the steps, from the screening")
    pick.add_argument("--rows", type=Path, nargs="+", required=True)
    pick.add_argument("--output", type=Path, required=True)
    pick.set_defaults(run=_choose)
    report = commands.add_parser("report", help="text, table and figure")
    for name in ("screen", "result"):
        report.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("chosen", "folder"):
        report.add_argument(f"--{name}", type=Path, required=True)
    report.set_defaults(run=_report)
    options = parser.parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    main()
