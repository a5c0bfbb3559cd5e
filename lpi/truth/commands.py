"""The commands that write the tables of `lpi.truth.ground_truth`, and the one that joins such tables."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from lpi.config import LARGEST_NETWORK, Settings, check_setting, flat, parse_assignment
from lpi.mistakes import integer


def add_to(commands, add_reading, add_environment) -> None:
    """Add the commands to the parser; the other two add the options for a reading and for an environment."""
    optima = commands.add_parser("optima", help="J of the optimum and of the uniform policy for a reading, as CSV")
    add_reading(optima)
    optima.set_defaults(run=_optima)

    locality = commands.add_parser("locality", help="the best kappa-hop policy found at each kappa, as CSV")
    locality.add_argument("--kappas", nargs="+", required=True, help="hops that the policies see")
    locality.set_defaults(run=_locality)

    acting = commands.add_parser("acting", help="when the optimal policy acts, by distance and p_eff, as CSV")
    acting.add_argument("--p-effs", nargs="+", required=True, help="values of p_eff")
    acting.set_defaults(run=_acting)
    for command in (optima, locality, acting):
        command.add_argument("--output", required=True, type=Path, help="CSV to write")
        add_environment(command)

    join = commands.add_parser("join", help="join files of optima, locality or acting into one, checked")
    join.add_argument("table", choices=("optima", "locality", "acting"), help="the command that wrote them")
    join.add_argument("files", nargs="+", type=Path)
    join.add_argument("--rows", help="rows of each file; another number is refused, as of a file that was cut off")
    join.add_argument("--output", required=True, type=Path)
    join.set_defaults(run=_join)


def _optima(options: argparse.Namespace) -> None:
    from lpi import cli

    settings = cli._settings(options)
    cli.check_outputs(output=options.output)
    from lpi.truth.ground_truth import optima

    found = {"reading": options.reading, **optima(cli._mdp(settings), settings.training.tau)}
    _write_table(options, settings, [found])


def _locality(options: argparse.Namespace) -> None:
    from lpi import cli

    settings = cli._settings(options)
    cli.check_outputs(output=options.output)
    from lpi.memory import check_locality

    kappas = sorted({integer("kappas", text, 0, LARGEST_NETWORK) for text in options.kappas})
    check_locality(settings.environment)
    from lpi.truth.ground_truth import locality

    _write_table(options, settings, locality(cli._mdp(settings), settings.training.tau, kappas))


def _acting(options: argparse.Namespace) -> None:
    from lpi import cli

    settings = cli._settings(options)
    cli.check_outputs(output=options.output)
    from lpi.memory import check_decoupled

    values = dict.fromkeys(check_setting("p_eff", parse_assignment(f"p_eff={text}")[1]) for text in options.p_effs)
    check_decoupled(settings.environment)
    from lpi.truth.ground_truth import acting

    rows = []
    for p_eff in values:
        environment = replace(settings.environment, p_eff=p_eff)
        found = acting(cli._mdp(replace(settings, environment=environment)), settings.training.tau)
        rows += [{"p_eff": p_eff, **row} for row in found]
    _write_table(options, settings, rows)


def _write_table(options: argparse.Namespace, settings: Settings, rows) -> None:
    """Write the rows of a command's table, completed by what the settings say."""
    from lpi import tables
    from lpi.truth.tables import TABLES

    table, values = TABLES[options.command], flat(settings)
    given = {name: values[name] for name in table.columns if name in values}
    tables.write(options.output, table, [given | row for row in rows])


def _join(options: argparse.Namespace) -> None:
    from lpi import cli, tables
    from lpi.truth.tables import TABLES

    cli.check_outputs(options.files, output=options.output)
    count = None if options.rows is None else integer("rows", options.rows, 1)
    tables.join(options.files, TABLES[options.table], options.output, count)
