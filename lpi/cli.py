"""The command line: train, evaluate, optimum, and the steps of the workflow."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from lpi.config import (
    READINGS,
    SETTINGS,
    ConfigError,
    EnvironmentConfig,
    Settings,
    flat,
    parse_assignment,
    resolve,
)

_EPISODES = 4000  # of `lpi evaluate` where the exact value does not fit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 2 with one line on standard error for bad input."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError) as error:  # ConfigError, ResultsError, NotebookError are ValueErrors
        print(f"lpi {options.command}: {_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"lpi {options.command}: interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0


class _Parser(argparse.ArgumentParser):
    """One line instead of the usage text."""

    def error(self, message: str):
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lpi", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)

    train = commands.add_parser("train", help="run Localized Policy Iteration; one CSV row per outer loop")
    train.add_argument("--reading", default="working", help=f"one of {', '.join(READINGS)}; default working")
    train.add_argument("--custom", action="store_true", help="the reading is a name of your own: start from defaults")
    train.add_argument("--kappa", help="hops that a policy sees")
    train.add_argument("--seed", default="0", help="seed of the run")
    train.add_argument("--output", required=True, type=Path, help="CSV to write")
    train.add_argument("--policy", type=Path, help="also write the final policy to this .npz")
    train.add_argument("--quiet", action="store_true", help="no progress bar")
    train.set_defaults(run=_train)
    _add_environment(train)

    evaluate = commands.add_parser("evaluate", help="J of a saved policy, as JSON")
    evaluate.add_argument("policy", type=Path, help=".npz written by lpi")
    evaluate.add_argument("--method", choices=("auto", "exact", "monte_carlo"), default="auto")
    evaluate.add_argument("--episodes", type=int, default=_EPISODES, help="episodes of a Monte Carlo estimate")
    evaluate.add_argument("--seed", default="0", help="seed of a Monte Carlo estimate")
    evaluate.set_defaults(run=_evaluate)
    _add_environment(evaluate)

    optimum = commands.add_parser("optimum", help="J of the centralised optimum, as JSON")
    optimum.set_defaults(run=_optimum)
    _add_environment(optimum)

    aggregate = commands.add_parser("aggregate", help="join runs into one tidy CSV, checked")
    aggregate.add_argument("runs", nargs="+", type=Path)
    aggregate.add_argument("--output", required=True, type=Path)
    aggregate.set_defaults(run=_aggregate)

    summary = commands.add_parser("summary", help="the summary table as CSV, Markdown and LaTeX")
    for name in ("curves", "figures", "csv", "markdown", "latex"):
        summary.add_argument(f"--{name}", required=True, type=Path)
    summary.set_defaults(run=_summary)

    notebook = commands.add_parser("notebook", help="run a notebook and render it as self-contained HTML")
    notebook.add_argument("notebook", type=Path)
    for name in ("parameters", "output", "html"):
        notebook.add_argument(f"--{name}", required=True, type=Path)
    notebook.set_defaults(run=_notebook)
    return parser


def _add_environment(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("environment and entropy weight")
    for f in fields(EnvironmentConfig):
        group.add_argument(_option(f.name), dest=f.name, metavar="VALUE", help=f.metadata["description"])
    group.add_argument("--tau", metavar="VALUE", help=SETTINGS["tau"].metadata["description"])
    group.add_argument(
        "--set", action="append", default=[], dest="assignments", metavar="KEY=VALUE", help="any setting; repeatable"
    )


def _option(key: str) -> str:
    return "--" + key.replace("_", "-")


def _settings(options: argparse.Namespace) -> Settings:
    """Settings of the reading (the fields' defaults where there is none) with the options on top."""
    named = [*(f.name for f in fields(EnvironmentConfig)), "tau", "kappa"]
    given = [(key, getattr(options, key, None)) for key in named]
    overrides = dict(parse_assignment(f"{key}={value}") for key, value in given if value is not None)
    overrides.update(parse_assignment(text) for text in options.assignments)
    reading = getattr(options, "reading", None)
    if reading is None or options.custom:
        return resolve("defaults", overrides, readings={"defaults": {}})
    return resolve(reading, overrides)


def _mdp(settings: Settings):
    from lpi.network import Network
    from lpi.spreading import spreading_process

    values = {f.name: getattr(settings.environment, f.name) for f in fields(EnvironmentConfig)}
    network = Network.named(values.pop("graph"), values.pop("agents"))
    return spreading_process(network, **values)


def _train(options: argparse.Namespace) -> None:
    settings, seed = _settings(options), _seed(options.seed)
    for path in filter(None, (options.output, options.policy)):
        _check_writable(path)
    from lpi.memory import check_memory

    check_memory(settings)
    from lpi.algorithm import train
    from lpi.results import write_rows

    training, environment = settings.training, settings.environment
    run = {
        "reading": options.reading,
        "graph": environment.graph,
        "agents": environment.agents,
        "kappa": training.kappa,
        "beta": training.kappa if training.beta is None else training.beta,
        "tau": training.tau,
        "seed": seed,
    }
    with _Progress(training.outer_loops, options.quiet) as progress:
        result = train(_mdp(settings), training, seed, settings.reporting, progress)
    if options.policy is not None:
        result.policy.save(options.policy)
    write_rows(options.output, [{**run, **record._asdict()} for record in result.records])


def _evaluate(options: argparse.Namespace) -> None:
    settings = _settings(options)
    from lpi import exact, simulation
    from lpi.policy import LocalPolicy

    mdp = _mdp(settings)
    policy = LocalPolicy.load(options.policy, mdp)
    method = options.method
    if method == "auto":
        method = "exact" if exact.fits(mdp, policy.kappa) else "monte_carlo"
    if method == "exact":
        found = exact.evaluate(mdp, policy, settings.training.tau)
        _print(settings, found, "exact", error_bound=found.error_bound)
        return
    found = simulation.evaluate(mdp, policy, settings.training.tau, options.episodes, _seed(options.seed))
    _print(
        settings, found, "monte_carlo", regularized_se=found.regularized_se, unregularized_se=found.unregularized_se,
        episodes=found.episodes,
    )  # fmt: skip


def _optimum(options: argparse.Namespace) -> None:
    settings = _settings(options)
    from lpi import exact

    found = exact.optimum(_mdp(settings), settings.training.tau)
    _print(settings, found, "exact", error_bound=found.error_bound)


def _print(settings: Settings, found, method: str, **more) -> None:
    environment = {key: value for key, value in flat(settings).items() if hasattr(settings.environment, key)}
    values = {"regularized": found.regularized, "unregularized": found.unregularized, "method": method, **more}
    print(json.dumps({**values, "tau": settings.training.tau, **environment}))


def _aggregate(options: argparse.Namespace) -> None:
    from lpi.results import aggregate

    _check_writable(options.output)
    aggregate(options.runs, options.output)


def _summary(options: argparse.Namespace) -> None:
    from lpi.results import read_curves
    from lpi.summary import read_figures, summarize, write

    for path in (options.csv, options.markdown, options.latex):
        _check_writable(path)
    table = summarize(read_curves(options.curves), read_figures(options.figures))
    write(table, options.csv, options.markdown, options.latex)


def _notebook(options: argparse.Namespace) -> None:
    from lpi.notebook import execute, read_parameters

    for path in (options.output, options.html):
        _check_writable(path)
    execute(options.notebook, read_parameters(options.parameters), options.output, options.html)


class _Progress:
    """A progress bar over outer loops on a terminal; nothing elsewhere."""

    def __init__(self, total: int, quiet: bool):
        self._total, self._bar = total, None
        self._shown = not quiet and sys.stderr.isatty()

    def __enter__(self):
        if self._shown:
            from tqdm import tqdm

            self._bar = tqdm(total=self._total, desc="outer loops", unit="loop", leave=False)
        return lambda m: self._bar and self._bar.update(1)

    def __exit__(self, *_):
        if self._bar is not None:
            self._bar.close()


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"seed: {text!r} is not allowed; an integer >= 0")
    return int(text)


def _check_writable(path: Path) -> None:
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigError(f"output: {str(path)!r} is not allowed; a file in a folder that exists")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"output: {str(path)!r} is not allowed; the folder {str(path.parent)!r} cannot be written")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
