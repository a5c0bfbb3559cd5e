"""The commands `lpi multiverse ...`: what the design holds, its training jobs, verdicts, and what flips them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_multiverse(commands) -> None:
    """Add `multiverse` with its own commands to the subparsers of `lpi`."""
    group = commands.add_parser("multiverse", help="many readings at once: train, judge, compare")
    own = group.add_subparsers(dest="step", required=True, parser_class=type(group))

    design = own.add_parser("design", help="how many readings, runs and jobs the design has, as JSON")
    train = own.add_parser("train", help="train the settings of one job for all kappas and seeds; one CSV")
    train.add_argument("--job", required=True, help="name of a job; `lpi multiverse design` lists them")
    train.add_argument("--output", required=True, type=Path, help="CSV to write")
    verdicts = own.add_parser("verdicts", help="judge every claim under every reading of a number of agents")
    verdicts.add_argument("curves", nargs="+", type=Path, help="CSVs of all jobs with that number of agents")
    verdicts.add_argument("--agents", required=True, help="number of agents")
    verdicts.add_argument("--output", required=True, type=Path, help="CSV to write: a row per reading and claim")
    verdicts.add_argument("--finals", required=True, type=Path, help="CSV to write: a row per reading and kappa")
    effects = own.add_parser("effects", help="which choices flip which claim, and the reading that satisfies most")
    effects.add_argument("verdicts", nargs="+", type=Path, help="CSVs of lpi multiverse verdicts")
    effects.add_argument("--output", required=True, type=Path, help="CSV to write: a row per claim and effect")
    effects.add_argument("--joined", required=True, type=Path, help="CSV to write: all verdicts")
    effects.add_argument("--best", required=True, type=Path, help="JSON to write: the reading best_match")
    for parser, run in ((design, _design), (train, _train), (verdicts, _verdicts), (effects, _effects)):
        parser.add_argument("--design", required=True, type=Path, help="YAML file, such as config/multiverse.yaml")
        parser.set_defaults(run=run)


def _design(options: argparse.Namespace) -> None:
    from lpi.multiverse.design import load

    design = load(options.design)
    agents = [block.agents for block in design.blocks]
    cases = {n: len(design.cases(n)) for n in agents}
    print(
        json.dumps(
            {
                "readings": {n: len(design.readings(n)) for n in agents},
                "runs": {n: cases[n] * len(design.kappas) * len(design.seeds) for n in agents},
                "jobs": list(design.jobs()),
            }
        )
    )


def _train(options: argparse.Namespace) -> None:
    from lpi.cli import check_outputs
    from lpi.multiverse.design import load, run_job

    design = load(options.design)
    check_outputs([options.design], output=options.output)
    run_job(design, options.job, options.output)


def _verdicts(options: argparse.Namespace) -> None:
    from lpi.cli import check_outputs
    from lpi.config import ConfigError
    from lpi.multiverse.design import load

    design = load(options.design)
    known = [block.agents for block in design.blocks]
    if options.agents not in map(str, known):
        raise ConfigError(f"agents: {options.agents!r} is not allowed; one of {', '.join(map(str, known))}")
    check_outputs([options.design, *options.curves], output=options.output, finals=options.finals)
    from lpi.multiverse import verdicts as judging

    agents = int(options.agents)
    table = judging.read_jobs(options.curves, design, agents)
    verdicts, finals = judging.judge(design, agents, table, judging.claims_under(design, agents, table))
    write_table(verdicts, options.output)
    write_table(finals, options.finals)


def _effects(options: argparse.Namespace) -> None:
    from lpi.cli import check_outputs
    from lpi.multiverse.design import load
    from lpi.results import atomic_write

    design = load(options.design)
    outputs = dict(output=options.output, joined=options.joined, best=options.best)
    check_outputs([options.design, *options.verdicts], **outputs)
    import pandas as pd

    from lpi.multiverse import effects as analysis

    verdicts = pd.concat([analysis.read_verdicts(path) for path in options.verdicts], ignore_index=True)
    found = [analysis.effects(verdicts, design, block.agents) for block in design.blocks]
    write_table(pd.concat(found, ignore_index=True), options.output)
    write_table(verdicts, options.joined)
    best = analysis.best(verdicts, design)
    atomic_write(options.best, json.dumps(best, indent=2, ensure_ascii=False) + "\n")


def write_table(table, path: Path) -> None:
    """A DataFrame as CSV; numbers to nine digits, far beyond what their intervals leave certain."""
    from lpi.results import atomic_write

    atomic_write(path, table.to_csv(index=False, float_format="%.9g", lineterminator="\n"))
