"""Experiments that explain what LPI does and find the settings under which it works, as data.

A *study* asks one question, varies some settings over a base and measures every outer loop's policy exactly.  What its
answer is read from is fixed here, before the runs: settings were explored with seeds from 1000 on, the study
`screening` chooses among a stated grid with seeds 1000 and 1001, and everything that is reported with an interval is
run with the seeds 0 to 9.

    python -m lpi.studies run NAME --kappa 1 --output rows.csv
    python -m lpi.studies floors --output floors.csv
    python -m lpi.studies visits --output visits.csv
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lpi.config import Settings, resolve

CONFIRMING = tuple(range(10))
EXPLORING = (1000, 1001)
BUDGET = 1_000_000
"""Samples (TD updates of each agent) that a run of `screening` or `needed` may draw."""

COLUMNS = (
    "study", "variant", "agents", "kappa", "seed", "outer_loop", "samples", "regularized", "unregularized",
    "visited_share", "entropy", "td_error",
)  # fmt: skip

SUCCESS = {"p1_means": "success", "p2_means": "success"}
"""The convention under which locality matters at all."""


@dataclass(frozen=True)
class Study:
    """A question, and the runs that answer it."""

    question: str
    settings: Mapping[str, Any]  # of all variants, over the reading
    variants: Mapping[str, Mapping[str, Any]]  # name -> settings over these
    reading: str = "working"
    kappas: tuple[int, ...] = (0, 1, 2, 3)
    seeds: tuple[int, ...] = CONFIRMING
    expected: bool = False  # infinitely many samples, `lpi.td_limit`: one run, no seeds
    keep: Sequence[str] = field(default=("last",))  # "last" or "all": the outer loops that are written

    def resolve(self, variant: str, kappa: int) -> Settings:
        """All settings of the runs of a variant; a budget in place of outer_loops is divided by the samples of a loop."""
        values = {**self.settings, **self.variants[variant], "kappa": kappa}
        beyond = values.pop("beta_beyond_kappa", 0)
        budget = values.pop("budget", None)
        settings = resolve(self.reading, {**values, "beta": kappa + beyond})
        if budget is None:
            return settings
        loops = max(1, budget // settings.training.trajectory_length)
        return resolve(self.reading, {**values, "beta": kappa + beyond, "outer_loops": loops})


def crossed(**values: Sequence) -> dict[str, dict[str, Any]]:
    """Every combination of the values, named by them."""
    return {
        ", ".join(f"{key} = {value}" for key, value in zip(values, combination, strict=True)): dict(
            zip(values, combination, strict=True)
        )
        for combination in itertools.product(*values.values())
    }


LEVELS = (0.0, 10.0, 20.0, 30.0, 36.0, "optimistic")
"""Start values of Q: true values lie between 35 and 38 at n = 5 under the success convention."""

_TABLE = {"step_schedule": "per_visit", "step_power": 0.8, "step_smallest": 0.001}
_LEARNED = {**SUCCESS, "agents": 5, "trajectory_length": 20_000}

STUDIES: dict[str, Study] = {
    "start_value": Study(
        "Does a Q that starts at zero in every outer loop make unvisited pairs look bad and collapse the policies?",
        {**_LEARNED, "q_reset": "every_loop", "outer_loops": 20},
        {
            **crossed(trajectory_length=(2_000, 20_000, 100_000), q_start=LEVELS),
            **crossed(step_size=(0.5,), q_start=LEVELS),
        },
    ),
    "inner_loop": Study(
        "Where can an inner loop that starts from the uniform policy learn?",
        {**_LEARNED, "inner_start": "uniform", "step_schedule": "per_visit", "outer_loops": 20},
        {
            **crossed(eta=(0.05,), inner_steps=(10, 50, 200, 1_000)),
            **crossed(eta=(0.5, 5.0, 20.0), inner_steps=(10,)),
            "carried": {"inner_start": "carried"},
        },
        kappas=(0, 1),
    ),
    "printed_jump": Study(
        "The reading as_printed should be flat: what makes J jump in its first loops?",
        {"agents": 5, "outer_loops": 5},
        {
            "as printed": {},
            "q_start = 20": {"q_start": 20.0},
            "q_start = level of the uniform policy": {"q_start": 40.5},
            "optimistic": {"q_start": "optimistic"},
            "restarts every 20 steps": {"episode_length": 20},
            "restarts, level": {"episode_length": 20, "q_start": 40.5},
        },
        reading="as_printed",
        keep="all",
    ),
    "printed_jump_expected": Study(
        "The reading as_printed with infinitely many samples: how far do its 10 small steps go?",
        {"agents": 5, "outer_loops": 3, "reward_at": "departure", "episode_length": 20},
        {"exact Q": {}},
        reading="as_printed",
        kappas=(0, 1),
        expected=True,
        keep="all",
    ),
    "restarts": Study(
        "Does absorption starve TD(0) of samples where it matters?",
        _LEARNED,
        {
            **crossed(episode_length=(1, 5, 20, 100, 1_000, None)),
            **crossed(rho=("all_infected", "one_infected"), episode_length=(20, None)),
        },
    ),
    "samples": Study(
        "From how many samples on is a larger kappa better?",
        {**SUCCESS, "agents": 5, "outer_loops": 50},
        crossed(trajectory_length=(1_000, 3_000, 10_000, 30_000, 100_000, 300_000)),
    ),
    "samples_million": Study(
        "The same with 10^6 samples in each outer loop.",
        {**SUCCESS, "agents": 5, "outer_loops": 50, "trajectory_length": 1_000_000},
        {"trajectory_length = 1000000": {}},
        seeds=CONFIRMING[:3],
    ),
    "metric": Study(
        "Can the reported quantity alone produce the order of Figure 1?",
        {
            "agents": 8,
            "inner_start": "carried",
            "reward_at": "departure",
            "episode_length": 20,
            "trajectory_length": 10_000,
        },
        {"zero in every loop": {}, "carried optimistic": {"q_start": "optimistic", "q_reset": "once"}},
        reading="as_printed",
    ),
    "defaults": Study(
        "Do the default state and action matter?",
        _LEARNED,
        crossed(default_state=(0, 1, 2, 3), default_action=(0, 1)),
        kappas=(0, 1, 2),
    ),
    "truncation": Study(
        "What remains of LPI's error with infinitely many samples?",
        {**SUCCESS, "agents": 5, "eta": 0.5, "outer_loops": 24},
        {
            "beta = kappa": {},
            "beta = kappa + 1": {"beta_beyond_kappa": 1},
            "beta = kappa, episodes of 100": {"episode_length": 100},
        },
        kappas=(0, 1, 2),
        expected=True,
        keep="all",
    ),
    "screening": Study(
        "Which settings close the gap to the floor with the fewest samples?",
        {**SUCCESS, "agents": 5, "budget": BUDGET},
        {
            f"{name}, {rest}": {**steps, **values}
            for (name, steps), (rest, values) in itertools.product(
                {
                    "constant 0.1": {},
                    "constant 0.02": {"step_size": 0.02},
                    "per visit": _TABLE,
                }.items(),
                crossed(
                    eta=(0.05, 0.5, 2.0),
                    trajectory_length=(5_000, 20_000),
                    episode_length=(20, 100),
                    q_start=(36.0, "optimistic"),
                    beta_beyond_kappa=(0, 1),
                ).items(),
            )
            if not (values["eta"] == 0.05 and values["episode_length"] == 100)
        },
        kappas=(0, 1, 2),
        seeds=EXPLORING,
        keep="all",
    ),
}


def rows(name: str, kappa: int, variants: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a study for one kappa, in the order of variants, seeds and outer loops.

    Raises:
        KeyError: no such study; ConfigError: settings that are not allowed.
    """
    study = STUDIES[name]
    for variant in variants or study.variants:
        settings = study.resolve(variant, kappa)
        for seed, records in _runs(study, settings):
            kept = records if study.keep == "all" else records[:1] + records[-1:]
            for record in kept:
                yield {
                    "study": name, "variant": variant, "agents": settings.environment.agents, "kappa": kappa,
                    "seed": seed, **{key: record[key] for key in COLUMNS[5:]},
                }  # fmt: skip


def _runs(study: Study, settings: Settings) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    mdp = model(settings)
    if study.expected:
        from lpi.td_limit import expected_policy_iteration

        found = expected_policy_iteration(mdp, settings.training)
        yield 0, [{"samples": "", "visited_share": "", "td_error": "", **loop._asdict()} for loop in found]
        return
    from lpi.algorithm import train

    for seed in study.seeds:
        yield seed, [record._asdict() for record in train(mdp, settings.training, seed, settings.reporting).records]


def model(settings: Settings):
    """The networked MDP of an experiment."""
    import dataclasses

    from lpi.network import Network
    from lpi.spreading import spreading_process

    values = dataclasses.asdict(settings.environment)
    return spreading_process(Network.named(values.pop("graph"), values.pop("agents")), **values)


def environments() -> list[tuple[str, Settings, int]]:
    """Each different environment of the studies, by (agents, convention, rho), with the largest kappa used in it."""
    found: dict[tuple, tuple[Settings, int]] = {}
    for study in STUDIES.values():
        for variant in study.variants:
            settings = study.resolve(variant, max(study.kappas))
            key = environment_key(settings)
            if key not in found or found[key][1] < max(study.kappas):
                found[key] = settings, max(study.kappas)
    return [(key, *value) for key, value in found.items()]


def environment_key(settings: Settings) -> tuple:
    """What the floors depend on, beside kappa."""
    environment = settings.environment
    return environment.agents, environment.p1_means, environment.rho, settings.training.tau


def floors() -> Iterator[dict[str, Any]]:
    """J of the uniform policy, of the best kappa-hop policy found and of the optimum, for every environment."""
    from lpi.exact import evaluate, optimum
    from lpi.local_optimum import best_local_up_to
    from lpi.policy import LocalPolicy

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
    from lpi.td_limit import visiting

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a part of the studies from the command line."""
    parser = argparse.ArgumentParser(prog="python -m lpi.studies", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="the runs of a study for one kappa")
    run.add_argument("study", choices=STUDIES)
    run.add_argument("--kappa", type=int, required=True)
    run.set_defaults(table=lambda options: rows(options.study, options.kappa))
    for name, table in (("floors", floors), ("visits", visits)):
        commands.add_parser(name, help=table.__doc__.splitlines()[0]).set_defaults(table=lambda options, t=table: t())
    for command in commands.choices.values():
        command.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    write(options.output, options.table(options))


if __name__ == "__main__":
    main()
