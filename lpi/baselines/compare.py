"""The runs of `lpi.baselines.design`, and the choice of the steps; what came out: `lpi.baselines.report`.

python -m lpi.baselines.compare run screen --kappa 1 --output rows.csv
python -m lpi.baselines.compare choose --rows rows.csv ... --output chosen.json
python -m lpi.baselines.compare run result --kappa 1 --chosen chosen.json --output rows.csv
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lpi.baselines.design import AGENTS, ALGORITHMS, PARTS, TAU, Chosen, settings_of, tried
from lpi.studies.run import model, write


def rows(part: str, kappa: int, chosen: Chosen | None = None) -> Iterator[dict[str, Any]]:
    """Every outer loop of the runs of a part at one kappa, with the share of the optimality gap closed."""
    from lpi.algorithm import train
    from lpi.baselines import actor_critic
    from lpi.exact import optimum

    mdp = model(settings_of(kappa))
    best = optimum(mdp, TAU).regularized
    for algorithm, step in tried(part, kappa, chosen):
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


def choose(table: pd.DataFrame) -> Chosen:
    """Each algorithm's step with the largest mean share closed at the last loop, over all kappas and for each kappa; the
    smaller one of equals."""
    ends = last(table)
    return {"one": _best(ends), **{str(kappa): _best(part) for kappa, part in ends.groupby("kappa")}}


def _best(ends: pd.DataFrame) -> dict[str, float]:
    means = ends.groupby(["algorithm", "step"])["closed"].mean()
    return {name: float(means[name].sort_index().idxmax()) for name in ALGORITHMS}


def read(paths: Sequence[Path]) -> pd.DataFrame:
    """The rows of several files."""
    return pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)


def read_chosen(path: Path | None) -> Chosen | None:
    """The steps that `choose` wrote."""
    return None if path is None else json.loads(path.read_text(encoding="utf-8"))


def _choose(options: argparse.Namespace) -> None:
    from lpi.results import atomic_write

    atomic_write(options.output, json.dumps(choose(read(options.rows)), indent=2) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a part of the comparison from the command line."""
    parser = argparse.ArgumentParser(prog="python -m lpi.baselines.compare", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="the runs of a part at one kappa")
    run.add_argument("part", choices=PARTS)
    run.add_argument("--kappa", type=int, required=True)
    run.add_argument("--chosen", type=Path)
    run.add_argument("--output", type=Path, required=True)
    run.set_defaults(run=lambda o: write(o.output, rows(o.part, o.kappa, read_chosen(o.chosen))))
    pick = commands.add_parser("choose", help="the steps, from the screening")
    pick.add_argument("--rows", type=Path, nargs="+", required=True)
    pick.add_argument("--output", type=Path, required=True)
    pick.set_defaults(run=_choose)
    options = parser.parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    main()
