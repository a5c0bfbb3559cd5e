"""Run the studies of `lpi.studies.design` and write what they measure.

python -m lpi.studies.run run NAME --kappa 1 --output rows.csv
python -m lpi.studies.run floors --output floors.csv
python -m lpi.studies.run visits --output visits.csv
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lpi.config import Settings, resolve
from lpi.studies.design import CHOSEN, STUDIES, Study, chosen_study, environments

COLUMNS = (
    "study", "variant", "agents", "kappa", "seed", "outer_loop", "samples", "regularized", "unregularized",
    "visited_share", "entropy", "td_error",
)  # fmt: skip


def rows(name: str, kappa: int, chosen: Mapping[str, Mapping[str, str]] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a study for one kappa, in the order of variants, seeds and outer loops.

    Args:
        name: of the study.
        kappa: one of its kappas.
        chosen: what the screenings chose (`lpi.studies.design.chosen_study`); default: the chosen variant is left out.

    Raises:
        KeyError: no such study; ConfigError: settings that are not allowed.
    """
    study = chosen_study(name, chosen, kappa) if chosen else STUDIES[name]
    done: dict[Settings, list] = {}
    for variant in study.variants:
        if variant == CHOSEN and not chosen:
            continue
        settings = study.resolve(variant, kappa)
        if settings not in done:  # two variants can come to the same, as beta beyond kappa does at LARGEST_BETA
            done[settings] = list(_runs(study, settings))
        for seed, records in done[settings]:
            kept = records if study.keep == "all" else records[:1] + records[-1:]
            for record in kept:
                yield {
                    "study": name, "variant": variant, "agents": settings.environment.agents, "kappa": kappa,
                    "seed": seed, **{key: record[key] for key in COLUMNS[5:]},
                }  # fmt: skip


def _runs(study: Study, settings: Settings) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    mdp = model(settings)
    if study.expected:
        from lpi.studies.td_limit import expected_policy_iteration

        found = expected_policy_iteration(mdp, settings.training)
        yield 0, [{"samples": "", "visited_share": "", "td_error": "", **loop._asdict()} for loop in found]
        return
    from lpi.algorithm import train

    for seed in study.seeds:
        yield seed, [record._asdict() for record in train(mdp, settings.training, seed, settings.reporting).records]


def model(settings: Settings):
    """The networked MDP of an experiment."""
    from lpi.spreading import from_settings

    return from_settings(settings.environment)


def floors() -> Iterator[dict[str, Any]]:
    """J of the uniform policy, of the best kappa-hop policy found and of the optimum, for every environment."""
    from lpi.exact import evaluate, optimum
    from lpi.policy import LocalPolicy
    from lpi.solvers.local_optimum import best_local_up_to

    for (agents, convention, rho, tau), settings, most in environments():
        mdp = model(settings)
        start, best = evaluate(mdp, LocalPolicy.uniform(mdp, 0), tau, 1e-7), optimum(mdp, tau, 1e-7)
        for kappa, floor in enumerate(best_local_up_to(mdp, most, tau, tolerance=1e-6)):
            yield {
                "agents": agents, "convention": convention, "rho": rho, "tau": tau, "kappa": kappa,
                "uniform": start.regularized, "floor": floor.regularized, "optimum": best.regularized,
            }  # fmt: skip


def visits() -> Iterator[dict[str, Any]]:
    """The smallest visiting probability of a pair under the uniform policy, by kappa and episode length (n = 5)."""
    from lpi.policy import LocalPolicy
    from lpi.studies.td_limit import visiting

    for convention in ("success", "failure"):
        mdp = model(resolve("working", {"agents": 5, "p1_means": convention, "p2_means": convention}))
        for length in (1, 5, 20, 100, 1_000, 20_000):
            for kappa in (0, 1, 2, 3):
                shares = visiting(mdp, LocalPolicy.uniform(mdp, 0), kappa, length)
                yield {
                    "convention": convention, "episode_length": length, "kappa": kappa,
                    "pairs": sum(share.size for share in shares), "xi": min(float(share.min()) for share in shares),
                }  # fmt: skip


def write(path: Path, table: Iterator[Mapping[str, Any]]) -> None:
    """The rows as CSV, floats with 8 significant digits after the point where they have as many."""
    from lpi.results import atomic_write

    rounded = [{key: _rounded(value) for key, value in row.items()} for row in table]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rounded[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rounded)
    atomic_write(path, text.getvalue())


def _rounded(value: Any) -> Any:
    return float(f"{value:.10g}") if isinstance(value, float) else value


def _chosen(path: Path | None) -> dict[str, dict[str, str]] | None:
    return json.loads(path.read_text(encoding="utf-8"))["variants"] if path else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a part of the studies from the command line."""
    parser = argparse.ArgumentParser(prog="python -m lpi.studies.run", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="the runs of a study for one kappa")
    run.add_argument("study", choices=STUDIES)
    run.add_argument("--kappa", type=int, required=True)
    run.add_argument("--chosen", type=Path, help="JSON that names the variants of the screenings to confirm")
    run.set_defaults(table=lambda options: rows(options.study, options.kappa, _chosen(options.chosen)))
    for name, table in (("floors", floors), ("visits", visits)):
        commands.add_parser(name, help=(table.__doc__ or "").splitlines()[0]).set_defaults(
            table=lambda options, t=table: t()
        )
    for command in commands.choices.values():
        command.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    write(options.output, options.table(options))


if __name__ == "__main__":
    main()
