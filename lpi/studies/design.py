"""Experiments that explain what LPI does and find the settings under which it works, as data.

A *study* asks one question, varies some settings over a base and measures every outer loop's policy exactly.  What its
answer is read from is fixed here, before the runs: settings were explored with seeds from 1000 on, the study
`screening` chooses among a stated grid with seeds 1000 and 1001, and everything that is reported with an interval is
run with the seeds 0 to 9.  `lpi.studies.run` runs them, `lpi.studies.results` reads the answers.

Figure 7's rule, fixed before its runs: for each kappa and each number of agents apart, the variant of that number's
screening with the lowest mean, over seeds and SHARES, of log10 of the samples needed (a share that a run does not reach
counts as UNREACHED budgets; a tie goes to the larger mean share of the possible improvement at the end) is chosen, and is run
again, with seeds that took no part in the choice, beside the readings; a screening and all runs that it chooses for may
draw the same number of samples.  The last clause came after a first run: chosen with 10^6 samples, the settings of
n = 5, kappa = 3 rose and fell again within the 5 * 10^6 that they were judged with.  That choice was dropped.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lpi.config import READINGS, Settings, resolve

CONFIRMING = tuple(range(10))
EXPLORING = (1000, 1001)
BUDGET = 1_000_000
"""Samples (TD updates of each agent), the unit of what a run of a screening or of Figure 7 may draw."""
SHARES = (0.5, 0.9)
"""Shares of the possible improvement whose price in samples is measured."""
UNREACHED = 10.0
"""What counts, in budgets, as the samples of a run of a screening that does not reach a share within its budget."""
LARGEST_BETA = 3
"""Of a beta beyond kappa: at n = 8, tables for beta = 4 would take gigabytes."""

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
    expected: bool = False  # infinitely many samples, `lpi.studies.td_limit`: one run, no seeds
    keep: str = "ends"  # the outer loops that are written: "ends", the first and the last, or "all"
    contrasts: tuple[tuple[str, str], ...] = ()  # pairs of variants whose difference answers the question

    def resolve(self, variant: str, kappa: int) -> Settings:
        """All settings of the runs of a variant; a budget in place of outer_loops is divided by the samples of a loop."""
        values = {**self.settings, **self.variants[variant], "kappa": kappa}
        values.pop("steps", None)  # a name for settings that are there too
        beyond = values.pop("beta_beyond_kappa", 0)
        budget = values.pop("budget", None)
        values["beta"] = max(kappa, min(kappa + beyond, LARGEST_BETA))
        settings = resolve(self.reading, values)
        if budget is None:
            return settings
        loops = max(1, budget // settings.training.trajectory_length)
        return resolve(self.reading, {**values, "outer_loops": loops})


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

_PER_VISIT = {"step_schedule": "per_visit", "step_power": 0.8, "step_smallest": 0.001}
STEPS = {"constant 0.1": {}, "per visit": _PER_VISIT}
FACTORS: dict[str, dict[str, tuple]] = {
    "screening": {
        "steps": tuple(STEPS),
        "eta": (0.05, 1.0),
        "trajectory_length": (5_000, 20_000),
        "episode_length": (20, 100, 500),
        "q_start": (36.0, "optimistic"),
        "beta_beyond_kappa": (0, 1),
    },
    "screening_5": {
        "steps": tuple(STEPS),
        "eta": (0.05, 1.0),
        "trajectory_length": (20_000, 100_000),
        "episode_length": (20,),
        "q_start": ("optimistic",),
        "beta_beyond_kappa": (0, 1),
    },
    "screening_8": {
        "steps": ("per visit",),
        "eta": (1.0,),
        "trajectory_length": (40_000, 200_000),
        "episode_length": (20,),
        "q_start": (37.3, "optimistic"),
        "beta_beyond_kappa": (0, 1),
    },
}
"""The grids of the screenings, all combinations: what policy evaluation does, and how fast the policy follows.

The numbers among the start values of Q are about J of the uniform policy.
"""
CHOSEN = "chosen"
"""The variant of `needed` and `needed_8` whose settings a screening has chosen, for each kappa apart."""
PRINTED = f"as_printed with success and T = {READINGS['working']['trajectory_length']}"
"""Their variant that is the reading `as_printed` with the p's and the samples of a loop that the others have."""
SCREENINGS = {"needed": "screening_5", "needed_8": "screening_8"}
"""Which screening chooses for which study."""


def screened(study: str) -> dict[str, dict[str, Any]]:
    """The variants of a screening."""
    found = crossed(**FACTORS[study])
    return {name: {**STEPS[values["steps"]], **values} for name, values in found.items()}


_FAILURE = {"p1_means": "failure", "p2_means": "failure"}
_WORKING = READINGS["working"]
_LEARNED = {**SUCCESS, "agents": 5, "trajectory_length": 20_000}

TRUNCATIONS = {
    "beta = kappa": {},
    "beta = kappa + 1": {"beta_beyond_kappa": 1},
    "beta = kappa, episodes of 100": {"episode_length": 100},
}

STUDIES: dict[str, Study] = {
    "start_value": Study(
        "Does a Q that starts at zero in every outer loop make unvisited pairs look bad and collapse the policies?",
        {**_LEARNED, "q_reset": "every_loop", "outer_loops": 20},
        {
            **crossed(trajectory_length=(2_000, 20_000), q_start=LEVELS),
            **crossed(step_size=(0.5,), q_start=LEVELS),
        },
        contrasts=(
            ("trajectory_length = 20000, q_start = 0.0", "trajectory_length = 20000, q_start = optimistic"),
            ("trajectory_length = 20000, q_start = 36.0", "trajectory_length = 20000, q_start = optimistic"),
            ("trajectory_length = 2000, q_start = 0.0", "trajectory_length = 20000, q_start = 0.0"),
            ("step_size = 0.5, q_start = 0.0", "trajectory_length = 20000, q_start = 0.0"),
        ),
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
        contrasts=(
            ("eta = 0.05, inner_steps = 10", "carried"),
            ("eta = 0.05, inner_steps = 10", "eta = 0.05, inner_steps = 1000"),
            ("eta = 20.0, inner_steps = 10", "carried"),
        ),
    ),
    "printed_jump": Study(
        "The reading as_printed should be flat: what makes J jump in its first loops?",
        {"agents": 5, "outer_loops": 5},
        {
            "as printed": {},
            "q_start = 20": {"q_start": 20.0},
            "q_start = level of the uniform policy": {"q_start": 39.1},
            "optimistic": {"q_start": "optimistic"},
            "restarts every 20 steps": {"episode_length": 20},
            "restarts, level": {"episode_length": 20, "q_start": 39.1},
        },
        reading="as_printed",
        keep="all",
        contrasts=(
            ("as printed", "q_start = level of the uniform policy"),
            ("as printed", "optimistic"),
            ("restarts every 20 steps", "restarts, level"),
        ),
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
            "printed convention, one trajectory": {**_FAILURE, "episode_length": None},
            "printed convention, restarts every 20 steps": _FAILURE,
        },
        contrasts=(
            ("episode_length = None", "episode_length = 20"),
            ("rho = all_infected, episode_length = None", "rho = all_infected, episode_length = 20"),
            ("printed convention, one trajectory", "printed convention, restarts every 20 steps"),
        ),
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
        seeds=CONFIRMING[:5],
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
        contrasts=tuple(
            (f"default_state = {state}, default_action = {action}", "default_state = 0, default_action = 0")
            for state in range(4)
            for action in range(2)
            if state + action > 0
        ),
    ),
    "truncation": Study(
        "What remains of LPI's error with infinitely many samples?",
        {**SUCCESS, "agents": 5, "eta": 0.5, "outer_loops": 20},
        TRUNCATIONS,
        kappas=(0, 1),
        expected=True,
        keep="all",
    ),
    "truncation_4": Study(
        "The same for n = 4, up to kappa = 2.",
        {**SUCCESS, "agents": 4, "eta": 0.5, "outer_loops": 40},
        TRUNCATIONS,
        kappas=(0, 1, 2),
        expected=True,
        keep="all",
    ),
    "screening": Study(
        "Which settings gain most of the possible improvement with the fewest samples (n = 5, 10^6 samples)?",
        {**SUCCESS, "agents": 5, "budget": BUDGET},
        screened("screening"),
        kappas=(0, 1, 2),
        seeds=EXPLORING,
        keep="all",
    ),
    "screening_5": Study(
        "The same with 5 * 10^6 samples, of fewer settings.",
        {**SUCCESS, "agents": 5, "budget": 5 * BUDGET},
        screened("screening_5"),
        seeds=EXPLORING,
        keep="all",
    ),
    "screening_8": Study(
        "The same for n = 8, with 10^7 samples.",
        {**SUCCESS, "agents": 8, "budget": 10 * BUDGET},
        screened("screening_8"),
        seeds=EXPLORING,
        keep="all",
    ),
    "needed": Study(
        "How many of 5 * 10^6 samples does it take to gain half and nine tenths of the possible improvement (n = 5)?",
        {**SUCCESS, "agents": 5, "budget": 5 * BUDGET, "trajectory_length": _WORKING["trajectory_length"]},
        {PRINTED: {}, "working": _WORKING, CHOSEN: _WORKING},
        reading="as_printed",
        keep="all",
    ),
    "needed_8": Study(
        "How many of 10^7 for n = 8?",
        {**SUCCESS, "agents": 8, "budget": 10 * BUDGET, "trajectory_length": _WORKING["trajectory_length"]},
        {PRINTED: {}, "working": _WORKING, CHOSEN: _WORKING},
        reading="as_printed",
        seeds=CONFIRMING[:5],
        keep="all",
    ),
}


def chosen_study(name: str, chosen: Mapping[str, Mapping[str, str]], kappa: int) -> Study:
    """A study whose variant `CHOSEN`, where it has one, takes the settings that its screening chose for a kappa.

    `chosen` is study -> kappa (as text) -> variant of its screening.
    """
    study = STUDIES[name]
    if CHOSEN not in study.variants:
        return study
    picked = screened(SCREENINGS[name])[chosen[name][str(kappa)]]
    return dataclasses.replace(study, variants={**study.variants, CHOSEN: {**_WORKING, **picked}})


def environments() -> list[tuple[tuple, Settings, int]]:
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
