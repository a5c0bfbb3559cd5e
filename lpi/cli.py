"""The command line: train, evaluate, optimum, ground truth, theory, and the steps of the workflow."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from lpi.config import (
    LARGEST_COUNT,
    LARGEST_EPISODES,
    LARGEST_SEED,
    READINGS,
    SETTINGS,
    ConfigError,
    EnvironmentConfig,
    Settings,
    allowed,
    flat,
    parse_assignment,
    resolve,
)
from lpi.mistakes import integer, one_line
from lpi.multiverse.cli import add_multiverse
from lpi.truth import commands as truth_commands

if TYPE_CHECKING:
    from lpi.algorithm import TrainingResult
    from lpi.policy import LocalPolicy

_EPISODES = "4000"  # of `lpi evaluate` where the exact value does not fit
_MDPS, _MOST_MDPS = "200", 10_000  # of `lpi theory`
_LARGEST_HYPOTHESES = 100  # agents of `lpi theory`: its notes write down numbers of joint states


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status; whatever is not 0 comes with one line on standard error.

    2: bad input, an input too large for the memory of this machine, or a file that cannot be read or written.
    1: arithmetic that failed (overflow, division by zero): every value given is allowed, so the fault is the program's.
    130: interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError) as error:  # ConfigError, ResultsError, NotebookError are ValueErrors
        return _fail(options, error, 2)
    except MemoryError as error:
        return _fail(options, f"out of memory: {error}; fewer agents or a smaller kappa need less", 2)
    except ArithmeticError as error:
        return _fail(options, f"arithmetic failed: {type(error).__name__}: {error}", 1)
    except KeyboardInterrupt:
        return _fail(options, "interrupted", 130)
    return 0


def _fail(options: argparse.Namespace, message: object, status: int) -> int:
    print(f"lpi {options.command}: {one_line(message)}", file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """One line instead of the usage text, and no abbreviated options: a later option could change what they mean."""

    def __init__(self, **keywords):
        super().__init__(**keywords, allow_abbrev=False)
        self.register("type", Path, _path)

    def error(self, message: str):
        print(f"{self.prog}: {one_line(message)} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)


def _path(text: str) -> Path:
    """A path from a command line; an empty one would be the present folder."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty; the name of a file")
    return Path(text)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lpi",
        description="Localized Policy Iteration: train, evaluate, and hold against the optimum; bad input ends in one line.",
    )
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)

    train = commands.add_parser("train", help="run Localized Policy Iteration; one CSV row per outer loop")
    _add_reading(train)
    train.add_argument("--kappa", help=f"hops that a policy sees: {allowed('kappa')}")
    train.add_argument("--seed", nargs="+", default=["0"], help="seed of the run, or of several runs one after another")
    train.add_argument("--output", nargs="+", required=True, type=Path, help="CSV to write, one for each seed")
    train.add_argument("--policy", nargs="+", type=Path, help="also write the final policy to this .npz, as --output")
    train.add_argument("--reference", type=Path, help="what lpi reference wrote; read only where J is simulated")
    train.add_argument("--quiet", action="store_true", help="no progress bar")
    train.set_defaults(run=_train)
    _add_environment(train)

    evaluate = commands.add_parser("evaluate", help="J of a saved policy, as JSON")
    evaluate.add_argument("policy", type=Path, help=".npz written by lpi")
    evaluate.add_argument("--method", choices=("auto", "exact", "monte_carlo"), default="auto")
    evaluate.add_argument("--episodes", default=_EPISODES, help="episodes of a Monte Carlo estimate")
    evaluate.add_argument("--seed", default="0", help="seed of a Monte Carlo estimate")
    evaluate.set_defaults(run=_evaluate)
    _add_environment(evaluate)

    optimum = commands.add_parser("optimum", help="J of the centralised optimum, as JSON")
    optimum.set_defaults(run=_optimum)
    _add_environment(optimum)

    reference = commands.add_parser("reference", help="what simulations of J share, which takes seconds, as a file")
    _add_reading(reference)
    reference.add_argument("--output", required=True, type=Path, help=".npz to write")
    reference.set_defaults(run=_reference)
    _add_environment(reference)
    theory = commands.add_parser("theory", help="the paper's theorems against numbers, as CSV")
    theory.add_argument("--output", required=True, type=Path, help="CSV to write")
    theory.add_argument("--mdps", default=_MDPS, help=f"random MDPs that the statements are tried on; default {_MDPS}")
    theory.add_argument("--seed", default="0", help="seed of the random MDPs")
    theory.set_defaults(run=_theory)
    _add_environment(theory)

    truth_commands.add_to(commands, _add_reading, _add_environment)

    aggregate = commands.add_parser("aggregate", help="join runs into one tidy CSV, checked")
    aggregate.add_argument("runs", nargs="+", type=Path, help="CSVs of lpi train, of one reading")
    aggregate.add_argument("--output", required=True, type=Path, help="CSV to write")
    for name, what in {"outer-loops": "the last loop of every run", "each": "number of runs in each file"}.items():
        aggregate.add_argument(f"--{name}", help=f"{what}; another one is refused, as of a file that was cut off")
    aggregate.set_defaults(run=_aggregate)

    summary = commands.add_parser("summary", help="the summary table as CSV, Markdown and LaTeX")
    inputs = {"curves": "CSV of lpi aggregate", "figures": "JSON with the panels of each figure"}
    for name, what in (inputs | dict.fromkeys(("csv", "markdown", "latex"), "file to write")).items():
        summary.add_argument(f"--{name}", required=True, type=Path, help=what)
    summary.add_argument("--optima", type=Path, help="optima of the reading; without them no gaps")
    summary.set_defaults(run=_summary)

    add_multiverse(commands)

    notebook = commands.add_parser("notebook", help="run a notebook and render it as self-contained HTML")
    notebook.add_argument("notebook", type=Path, help="with one cell tagged parameters")
    files = {"parameters": "JSON with values for its parameters", "output": ".ipynb to write", "html": "page to write"}
    for name, what in files.items():
        notebook.add_argument(f"--{name}", required=True, type=Path, help=what)
    notebook.set_defaults(run=_notebook)
    return parser


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reading", default="working", help=f"one of {', '.join(READINGS)}; default working")
    parser.add_argument("--custom", action="store_true", help="the reading is a name of your own: start from defaults")


def _add_environment(parser: argparse.ArgumentParser) -> None:
    about = "what is not given has the value of the reading, or the default; config/README.md lists all settings"
    group = parser.add_argument_group("environment and entropy weight", about)
    for key in (*(f.name for f in fields(EnvironmentConfig)), "tau"):
        help_text = f"{SETTINGS[key].metadata['description']} Allowed: {allowed(key)}."
        group.add_argument(f"--{key.replace('_', '-')}", dest=key, metavar="VALUE", help=help_text)
    any_setting = "any setting, such as outer_loops=10; repeatable"
    group.add_argument("--set", action="append", default=[], dest="assignments", metavar="KEY=VALUE", help=any_setting)


def _settings(options: argparse.Namespace) -> Settings:
    """Settings of the reading (the fields' defaults where there is none) with the options on top."""
    named = [*(f.name for f in fields(EnvironmentConfig)), "tau", "kappa"]
    given = [(key, getattr(options, key, None)) for key in named]
    overrides = dict(parse_assignment(f"{key}={value}") for key, value in given if value is not None)
    overrides.update(parse_assignment(text) for text in options.assignments)
    reading = getattr(options, "reading", None)
    if reading is None:
        return resolve("defaults", overrides, readings={"defaults": {}})
    if options.custom:
        _check_name(reading)
        return resolve(reading, overrides, readings={reading: {}})
    return resolve(reading, overrides)


def _mdp(settings: Settings):
    from lpi.environments import model
    from lpi.memory import check_model

    check_model(settings)
    return model(settings.environment)


def _train(options: argparse.Namespace) -> None:
    settings, seeds = _settings(options), _seeds(options)
    policies = options.policy or [None] * len(seeds)
    inputs = () if options.reference is None else (options.reference,)
    check_outputs(inputs, output=options.output, policy=options.policy)
    from lpi.memory import check_memory

    check_memory(settings, known=options.reference is not None)
    from lpi.algorithm import train

    mdp, training, reporting = _mdp(settings), settings.training, settings.reporting
    known = None
    if not reporting.exact(mdp.joint_states):
        from lpi import reference

        if options.reference is None:
            known = reference.reference(mdp, training.tau)
        else:
            known = reference.load(options.reference, mdp, training.tau)
    from lpi.progress import LoopBar

    with LoopBar(training.outer_loops * len(seeds), options.quiet) as progress:
        for seed, output, policy in zip(seeds, options.output, policies, strict=True):
            result = train(mdp, training, seed, reporting, progress, known)
            _write_run(options.reading, settings, seed, result, output)
            if policy is not None:
                _write_policy(result.policy, policy, output)


def _write_run(reading: str, settings: Settings, seed: int, result: TrainingResult, output: Path) -> None:
    from lpi.results import write_rows

    training, environment = settings.training, settings.environment
    run = {
        "reading": reading,
        "graph": environment.graph,
        "agents": environment.agents,
        "kappa": training.kappa,
        "beta": training.kappa if training.beta is None else training.beta,
        "tau": training.tau,
        "seed": seed,
    }
    write_rows(output, [{**run, **record._asdict()} for record in result.records])


def _write_policy(policy: LocalPolicy, path: Path, output: Path) -> None:
    try:
        policy.save(path)
    except OSError as error:
        raise ConfigError(
            f"policy: {str(path)!r} could not be written ({error.strerror}); {str(output)!r} was written"
        ) from error


def _seeds(options: argparse.Namespace) -> list[int]:
    """The seeds of `lpi train`, as many as there are files to write."""
    seeds = [integer("seed", text, 0, LARGEST_SEED) for text in options.seed]
    for position, seed in enumerate(seeds):
        if seed in seeds[:position]:
            raise ConfigError(f"seed: {seed} is there twice; different integers")
    for key in ("output", "policy"):
        files = getattr(options, key)
        if files is not None and len(files) != len(seeds):
            raise ConfigError(f"{key}: {len(files)} files are not allowed with {len(seeds)} seeds; one for each")
    return seeds


def _reference(options: argparse.Namespace) -> None:
    settings = _settings(options)
    check_outputs(output=options.output)
    from lpi.memory import check_reference

    check_reference(settings)
    from lpi import reference

    mdp, tau = _mdp(settings), settings.training.tau
    reference.save(options.output, mdp, tau, reference.reference(mdp, tau))


def _evaluate(options: argparse.Namespace) -> None:
    settings, seed = _settings(options), integer("seed", options.seed, 0, LARGEST_SEED)
    episodes = integer("episodes", options.episodes, 2, LARGEST_EPISODES)
    from lpi import exact, simulation
    from lpi.policy import LocalPolicy

    mdp = _mdp(settings)
    try:
        policy = LocalPolicy.load(options.policy, mdp)
    except OSError as error:
        raise ConfigError(
            f"policy: {str(options.policy)!r} is not allowed ({error.strerror}); a file that lpi train --policy wrote"
        ) from error
    method = options.method
    if method == "auto":
        method = "exact" if exact.fits(mdp, policy.kappa) else "monte_carlo"
    if method == "exact":
        values = exact.evaluate(mdp, policy, settings.training.tau)
        _print(settings, values, "exact", error_bound=values.error_bound)
        return
    found = simulation.evaluate(mdp, policy, settings.training.tau, episodes, seed)
    _print(
        settings, found, "monte_carlo", regularized_se=found.regularized_se, unregularized_se=found.unregularized_se,
        episodes=found.episodes,
    )  # fmt: skip


def _optimum(options: argparse.Namespace) -> None:
    settings = _settings(options)
    from lpi import exact
    from lpi.memory import check_decoupled

    check_decoupled(settings.environment)
    found = exact.optimum(_mdp(settings), settings.training.tau)
    _print(settings, found, found.method, error_bound=found.error_bound)


def _theory(options: argparse.Namespace) -> None:
    settings, seed = _settings(options), integer("seed", options.seed, 0, LARGEST_SEED)
    mdps = integer("mdps", options.mdps, 1, _MOST_MDPS)
    if settings.training.tau == 0:
        raise ConfigError("tau: 0.0 is not allowed; a number > 0, the theorems are about the regularised reward")
    check_outputs(output=options.output)
    environment = settings.environment
    if environment.agents > _LARGEST_HYPOTHESES:
        raise ConfigError(f"agents: {environment.agents} is not allowed here; at most {_LARGEST_HYPOTHESES}")
    from lpi.memory import check_model

    check_model(settings)
    from lpi.theory import table as theory_table

    chosen = options.p1_means, options.p2_means
    given = any(chosen) or any(text.split("=")[0].strip() in ("p1_means", "p2_means") for text in options.assignments)
    conventions = ((environment.p1_means, environment.p2_means),) if given else theory_table.CONVENTIONS
    asked = options.agents is not None or any(text.split("=")[0].strip() == "agents" for text in options.assignments)
    rows = theory_table.build(settings, environment.agents if asked else None, seed, mdps, conventions)
    theory_table.write(options.output, rows)


def _print(settings: Settings, found, method: str, **more) -> None:
    environment = {key: value for key, value in flat(settings).items() if hasattr(settings.environment, key)}
    values = {"regularized": found.regularized, "unregularized": found.unregularized, "method": method, **more}
    print(json.dumps({**values, "tau": settings.training.tau, **environment}))


def _aggregate(options: argparse.Namespace) -> None:
    from lpi.joining import join

    check_outputs(options.runs, output=options.output)
    known = {"outer_loops": (options.outer_loops, LARGEST_COUNT), "each": (options.each, None)}
    loops, each = (None if text is None else integer(key, text, 1, most) for key, (text, most) in known.items())
    join(options.runs, options.output, loops, each)


def _summary(options: argparse.Namespace) -> None:
    inputs = [path for path in (options.curves, options.figures, options.optima) if path is not None]
    check_outputs(inputs, csv=options.csv, markdown=options.markdown, latex=options.latex)
    from lpi.results import read_curves
    from lpi.summary import read_figures, read_optima, summarize, write

    optima = None if options.optima is None else read_optima(options.optima)
    table = summarize(read_curves(options.curves), read_figures(options.figures), optima)
    write(table, options.csv, options.markdown, options.latex)


def _notebook(options: argparse.Namespace) -> None:
    check_outputs((options.notebook, options.parameters), output=options.output, html=options.html)
    from lpi.notebook import execute, read_parameters

    execute(options.notebook, read_parameters(options.parameters), options.output, options.html)


def _check_name(reading: str) -> None:
    """As in a config file's custom_readings."""
    from lpi.config_keys import NAME

    if not NAME.fullmatch(reading) or reading in READINGS:
        raise ConfigError(
            f"reading: {reading!r} is not allowed with --custom; a name of letters, digits, _ and -, "
            f"a letter first, other than {', '.join(READINGS)}"
        )


def check_outputs(inputs: Iterable[Path] = (), **outputs: Path | Sequence[Path] | None) -> None:
    """Every output can be written and is neither an input nor another output; said before hours of computing."""
    taken = {os.path.realpath(path): "an input" for path in inputs}
    named = [(option, [paths] if isinstance(paths, Path) else paths or []) for option, paths in outputs.items()]
    for option, path in [(option, path) for option, paths in named for path in paths]:
        other = taken.get(os.path.realpath(path))
        if other is not None:
            raise ConfigError(f"{option}: {str(path)!r} is not allowed; a file other than {other}, which this is")
        taken[os.path.realpath(path)] = f"--{option}"
        # a device or a pipe would be replaced by a file
        if not os.path.isdir(path.parent) or (os.path.exists(path) and not os.path.isfile(path)):
            raise ConfigError(f"{option}: {str(path)!r} is not allowed; a file in a folder that exists")
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"):
                pass
        except OSError as error:
            raise ConfigError(
                f"{option}: {str(path)!r} is not allowed ({error.strerror}); a file in a folder that can be written"
            ) from error
