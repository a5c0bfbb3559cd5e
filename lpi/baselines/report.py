"""What came out of the comparison of LPI with the localized actor-critic: text, table and figure.

python -m lpi.baselines.report --screen ... --result ... --chosen chosen.json --folder FOLDER
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lpi.baselines.compare import last, read, read_chosen
from lpi.baselines.design import (
    AGENTS,
    ALGORITHMS,
    FIRST_RUN,
    KAPPAS,
    PAPER_STEP,
    READING,
    SCREENING,
    SEEDS,
    TAU,
    Chosen,
    choices,
    settings_of,
)
from lpi.baselines.standing import sentences
from lpi.studies.results import interval

CHOICES = {"paper": "the paper's", "one": "one for all κ", "each": "one for each κ"}
HEADER = [
    "| algorithm | step | " + " | ".join(f"κ = {kappa}" for kappa in KAPPAS) + " |",
    "|---|---|" + "---|" * len(KAPPAS),
]


def picked(result: pd.DataFrame, chosen: Chosen) -> Iterator[tuple[str, str, float, int, pd.DataFrame]]:
    """Algorithm, choice of the step, step and kappa, with their runs."""
    for kappa in KAPPAS:
        for (algorithm, choice), step in choices(kappa, chosen).items():
            same = (result["algorithm"] == algorithm) & (result["step"] == step) & (result["kappa"] == kappa)
            yield algorithm, choice, step, kappa, result[same]


def summary(result: pd.DataFrame, chosen: Chosen) -> pd.DataFrame:
    """Algorithm, choice, step and kappa with mean and 95 % interval over seeds of the share closed at the last loop.

    A step that several choices come to has the same runs under each of them.
    """
    found = []
    for algorithm, choice, step, kappa, runs in picked(last(result), chosen):
        mean, low, high = interval(runs["closed"])
        run = {"algorithm": algorithm, "choice": choice, "step": step, "kappa": kappa}
        counts = {"seeds": len(runs), "samples": int(runs["samples"].max())}
        found.append({**run, "closed": mean, "low": low, "high": high, **counts})
    return pd.DataFrame(found)


def text(screen: pd.DataFrame, result: pd.DataFrame, chosen: Chosen) -> str:
    """What was compared, how the steps were chosen, and the tables."""
    settings, found = settings_of(0).training, summary(result, chosen)
    lines = [
        "# LPI beside the localized actor-critic",
        "",
        f"Reading `{READING}`, n = {AGENTS}, τ = {TAU:g}, {len(SEEDS)} seeds, {settings.outer_loops} outer loops of "
        f"{settings.trajectory_length:,} samples for each algorithm. Share of the optimality gap of the uniform policy that "
        "the regularised J has closed after the last loop (Figure 4's gap): mean and 95 % Student-t interval over seeds.",
        "",
        *HEADER,
        *_table(found),
        "",
        sentences(found),
        "",
        f"Steps were chosen by the largest mean share closed on {_seeds()} alone, once for all κ and once for each κ; the "
        f"paper's step of LPI is {PAPER_STEP:g}. Steps of the two algorithms are not on one scale. Nothing else was tuned, "
        "for either: the critic, the trajectories and their number are LPI's settings, and one actor step a loop is what "
        f"the actor-critic's authors make, where LPI makes {settings.inner_steps}. What the actor-critic was given beyond "
        "its paper stands in `lpi/baselines/actor_critic.py`.",
        "",
        *(f"- {line}" for line in edges(chosen)),
        "",
        first_run(),
        "",
        "Screening, mean over its seeds:",
        "",
        *HEADER,
        *_screened(screen),
    ]
    return "\n".join(lines) + "\n"


def edges(chosen: Chosen) -> list[str]:
    """For each algorithm its grid, and which choices lie at an end of it, beyond which a better step may be hidden."""
    found = []
    for name, entry in ALGORITHMS.items():
        names = {"one": "all κ", **{str(kappa): f"κ = {kappa}" for kappa in KAPPAS}}
        ends = (entry.steps[0], entry.steps[-1])
        at = [f"for {says} ({chosen[key][name]:g})" for key, says in names.items() if chosen[key][name] in ends]
        says = (
            f"at an end of the grid, so that a better step may lie beyond: {', '.join(at)}" if at else "none at an end"
        )
        found.append(f"{entry.says}: chosen out of {_grid(entry.steps)}; {says}.")
    return found


def first_run() -> str:
    """What a first run had found, after which the grids were changed."""
    table = pd.read_csv(FIRST_RUN)
    words, ends = [], []
    for (algorithm, step), part in table.groupby(["algorithm", "step"], sort=False):
        entry = ALGORITHMS[algorithm]
        shares = ", ".join(f"{row.closed:.3f} at κ = {row.kappa}" for row in part.itertuples())
        words.append(f"{entry.says}, step {step:g} out of {_grid(entry.first_steps)}: {shares}")
        if step in (entry.first_steps[0], entry.first_steps[-1]):
            ends.append(entry.says)
    return (
        f"The grids are not those of a first run, of {table['seeds'].max()} seeds, one step for all κ and κ up to "
        f"{table['kappa'].max()}. It had found: {'; '.join(words)}. The step of {' and '.join(ends)} lay at an end of its "
        "grid. With that known, and its screening, the grids were extended and refined; everything was then fixed before "
        "the runs shown here."
    )


def _seeds() -> str:
    return ("the seed " if len(SCREENING) == 1 else "the seeds ") + ", ".join(map(str, SCREENING))


def _grid(steps: Sequence[float]) -> str:
    return ", ".join(f"{step:g}" for step in steps)


def _table(found: pd.DataFrame) -> Iterator[str]:
    for algorithm, entry in ALGORITHMS.items():
        for choice, says in CHOICES.items():
            rows = found[(found["algorithm"] == algorithm) & (found["choice"] == choice)].sort_values("kappa")
            cells = [f"{r.closed:.3f} ({r.low:.3f} to {r.high:.3f})" for r in rows.itertuples()]
            if choice == "each":
                cells = [f"{cell}, step {step:g}" for cell, step in zip(cells, rows["step"], strict=True)]
            elif cells:
                says += f": {rows['step'].iloc[0]:g}"
            if cells:
                yield f"| {entry.says} | {says} | {' | '.join(cells)} |"


def _screened(screen: pd.DataFrame) -> Iterator[str]:
    for (algorithm, step), part in last(screen).groupby(["algorithm", "step"], sort=False):
        means = part.groupby("kappa")["closed"].mean()
        yield f"| {ALGORITHMS[algorithm].says} | {step:g} | {' | '.join(f'{means[k]:.3f}' for k in KAPPAS)} |"


def figure(result: pd.DataFrame, chosen: Chosen):
    """Median share of the gap closed and quartiles against the outer loop with the step for each kappa, a panel for each
    algorithm; at the right edge the last medians with one step for all kappas."""
    import matplotlib.style
    from matplotlib.figure import Figure

    from lpi.plotting import STYLE, WIDTH, look, marked

    with matplotlib.style.context(STYLE):
        drawn = Figure(figsize=(WIDTH, 2.9), layout="constrained")
        axes = drawn.subplots(1, len(ALGORITHMS), sharey=True)
        panels = dict(zip(ALGORITHMS, axes, strict=True))
        for algorithm, choice, _, kappa, runs in picked(result, chosen):
            ax, style = panels[algorithm], look(kappa)._asdict()
            table = runs.pivot(index="outer_loop", columns="seed", values="closed")
            low, middle, high = np.percentile(table.to_numpy(), [25, 50, 75], axis=1)
            if choice == "each":
                ax.fill_between(table.index, low, high, color=style["color"], alpha=0.2, linewidth=0)
                ax.plot(table.index, middle, label=rf"$\kappa = {kappa}$", markevery=marked(kappa, len(table)), **style)
            elif choice == "one":
                ax.plot(
                    table.index[-1] * 1.06, middle[-1], style["marker"], color=style["color"], markerfacecolor="white",
                    markersize=4.5, clip_on=False,
                )  # fmt: skip
        for algorithm, ax in panels.items():
            steps = ", ".join(f"{chosen[str(kappa)][algorithm]:g}" for kappa in KAPPAS)
            ax.set_title(f"{ALGORITHMS[algorithm].says.replace('localized ', '')}\nsteps {steps}")
            ax.set_xlabel("Outer loop $m$")
        axes[0].set_ylabel("Share of the optimality\ngap closed (regularised)")
        handles, labels = axes[0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper center", ncols=len(labels))
        words = (
            rf"Reading {READING}; $n = {AGENTS}$, $\tau = {TAU:g}$; line: median, band: 25–75 % of {len(SEEDS)} seeds, "
            r"with a step for each $\kappa$ (titles, from $\kappa = 0$ on);" + "\n"
            r"hollow marks at the right: the last medians with one step for all $\kappa$"
        )
        drawn.supxlabel(words, fontsize=6.5, color="0.35")
    return drawn


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the report from the command line."""
    from lpi.plotting import save
    from lpi.results import atomic_write

    parser = argparse.ArgumentParser(prog="python -m lpi.baselines.report", description=__doc__.splitlines()[0])
    for name in ("screen", "result"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    for name in ("chosen", "folder"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args(arguments)
    screen, result, chosen = read(options.screen), read(options.result), read_chosen(options.chosen) or {}
    atomic_write(options.folder / "baseline.md", text(screen, result, chosen))
    atomic_write(options.folder / "baseline.csv", summary(result, chosen).to_csv(index=False, lineterminator="\n"))
    save(figure(result, chosen), options.folder / "baseline")


if __name__ == "__main__":
    main()
