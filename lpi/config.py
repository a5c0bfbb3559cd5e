"""Every setting of an experiment: one typed, documented, validated field each.

The config schema, the command line, the named readings and the tables in the documentation all come from here.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from lpi.edge_list import is_file
from lpi.mistakes import ConfigError, shown, unknown_key, written_as_text
from lpi.network import GRAPHS, check_family
from lpi.own_files import is_own
from lpi.readings import READINGS

_LARGEST = sys.float_info.max  # not math.isfinite, which fails on integers beyond it

LOCAL_STATES, LOCAL_ACTIONS = 4, 2  # of the spreading process
LARGEST_SEED = 2**32 - 1
LARGEST_NETWORK = 10_000
"""Agents: ten times what has been measured; with a few digits too many, building the network would never end."""
LARGEST_COUNT = 10**9
"""Steps, loops and samples: ten thousand times what the readings take; their products still fit in 64 bits."""
LARGEST_EPISODES = 10**6
LARGEST_GAMMA = 0.9999
"""Of an experiment: beyond it, values and simulated episodes of 1 / (1 - gamma) steps would never end."""
SPREADING = "spreading"
_PYTHON = re.compile(r"[^{}<>\"'\x00-\x1f]*[^{}<>\"'\x00-\x1f/]\.py")


def _setting(default, description: str, source: str, *kinds: str, low=None, high=None, above=None, of=()):
    """A field with its description, source and the values allowed.

    kinds: "integer", "number", "null", "list" (of integers >= low), "file" (of edges), "python" (a file), "mapping"
    (from names to numbers); low/high are inclusive bounds, above an exclusive one; `of` lists the words allowed.
    """
    limits = dict(kinds=kinds, low=low, high=high, above=above, of=tuple(of))
    return field(default=default, metadata=dict(description=description, source=source, **limits))


@dataclass(frozen=True)
class _Checked:
    """Base of the sections: every field is checked and brought into its type when the section is made."""

    def __post_init__(self):
        for f in fields(self):
            object.__setattr__(self, f.name, check_setting(f.name, getattr(self, f.name)))


@dataclass(frozen=True)
class EnvironmentConfig(_Checked):
    """The spreading process of section 6.1 and its initial distribution."""

    graph: str = _setting(
        "line", "Family of the network, or a file of its edges.", "6.1: a line graph", "file", of=GRAPHS
    )
    agents: int = _setting(8, "Number of agents n.", "6.2: 5, 8, 10, 15", "integer", low=1, high=LARGEST_NETWORK)
    p1: float = _setting(0.6, "Parameter of the spread's transition.", "6.1", "number", low=0, high=1)
    p2: float = _setting(0.7, "Parameter of the protection's transition.", "6.1", "number", low=0, high=1)
    p_eff: float = _setting(
        0.4,
        "Probability that action 1 sets the intermediate state of s2; p2 says whether it lasts.",
        "6.1",
        "number",
        low=0,
        high=1,
    )
    cost: float = _setting(0.3, "Price c of action 1 in reward units.", "6.1", "number", low=0, high=1)
    gamma: float = _setting(0.95, "Discount factor.", "6.1", "number", low=0, high=LARGEST_GAMMA)
    p1_means: str = _setting(
        "failure",
        "Whether p1 is the probability that an exposed agent escapes (failure) or catches the spread (success).",
        "6.1 prints 1 - p1; the prose fits p1",
        of=("failure", "success"),
    )
    p2_means: str = _setting(
        "failure",
        "Whether p2 is the probability that protection is lost (failure) or kept (success) in a step.",
        "6.1 prints 1 - p2; the prose fits p2",
        of=("failure", "success"),
    )
    rho: str = _setting(
        "uniform",
        "Initial distribution: all joint states alike; independent bits; one infected agent; all infected.",
        "never given",
        of=("uniform", "independent_bits", "one_infected", "all_infected"),
    )
    rho_infected: float = _setting(
        0.5, "Probability of s1 = 1 under independent_bits.", "never given", "number", low=0, high=1
    )
    rho_protected: float = _setting(
        0.5, "Probability of s2 = 1 under independent_bits.", "never given", "number", low=0, high=1
    )
    environment: str = _setting(
        SPREADING,
        "spreading: that of the paper; sis: an epidemic with treatment; or your own Python file, which is executed.",
        "6.1; sis after [29]",
        "python",
        of=(SPREADING, "sis"),
    )
    environment_parameters: Mapping[str, float] | None = _setting(
        None, "Parameters of an environment other than spreading; null: its own defaults.", "ours", "mapping", "null"
    )


@dataclass(frozen=True)
class TrainingConfig(_Checked):
    """Algorithms 1 and 2: what LPI computes from which samples."""

    kappa: int = _setting(1, "Hops that a policy sees.", "6.1: 0, 1, 2, 3", "integer", low=0, high=LARGEST_NETWORK)
    beta: int | None = _setting(
        None,
        "Hops that a truncated Q function sees; null: kappa.",
        "6.1: beta = kappa",
        "integer",
        "null",
        low=0,
        high=LARGEST_NETWORK,
    )
    tau: float = _setting(0.05, "Entropy weight.", "6.2: 0.02, 0.05, 0.1", "number", low=0)
    eta: float = _setting(0.05, "Step size of (12); eta * tau must not exceed 1.", "6.1", "number", above=0)
    inner_steps: int = _setting(
        10,
        "Updates (12) in an outer loop.",
        "6.1: 10 steps; Algorithm 1 line 8 makes 11",
        "integer",
        low=1,
        high=LARGEST_COUNT,
    )
    outer_loops: int = _setting(50, "Outer loops of Algorithm 1.", "6.1", "integer", low=1, high=LARGEST_COUNT)
    trajectory_length: int = _setting(
        10_000, "T: TD updates of each agent in an outer loop.", "never given", "integer", low=1, high=LARGEST_COUNT
    )
    episode_length: int | None = _setting(
        None,
        "TD updates between two draws from rho; null: one trajectory.",
        "Algorithm 1 line 2: one draw an outer loop",
        "integer",
        "null",
        low=1,
        high=LARGEST_COUNT,
    )
    policy_evaluation: str = _setting(
        "td0",
        "Subroutine PolicyEvaluation: td0, Algorithm 2; lstd, least-squares TD on the same trajectories, without steps; "
        "or your own Python file, which is executed.",
        "Algorithm 2; Definition 7 leaves it open",
        "python",
        of=("td0", "lstd"),
    )
    step_schedule: str = _setting(
        "constant",
        "constant: step_size; decaying: step_h / (t + step_t0), t counted from 0 in each outer loop; per_visit: "
        "max(N ** -step_power, step_smallest) for the N-th update of a pair since it took its start value.",
        "6.1 constant; Theorem 5 decaying; per_visit ours",
        of=("constant", "decaying", "per_visit"),
    )
    step_size: float = _setting(0.1, "Constant step size of TD(0).", "6.1", "number", above=0, high=1)
    step_h: float = _setting(40.0, "H of the decaying schedule.", "Theorem 5, unspecified in 6", "number", above=0)
    step_t0: float = _setting(
        160.0, "t0 of the decaying schedule; at least step_h.", "Theorem 5: at least 4 H", "number", above=0
    )
    step_power: float = _setting(0.8, "Power of N in the schedule per_visit.", "ours", "number", low=0.5, high=1)
    step_smallest: float = _setting(
        0.001,
        "Smallest step of the schedule per_visit: what still tracks the policy.",
        "ours",
        "number",
        low=0.001,
        high=1,
    )
    inner_start: str = _setting(
        "uniform",
        "Policy that the inner loop starts from: uniform, or carried over from the last outer loop.",
        "Algorithm 1 line 9: uniform",
        of=("uniform", "carried"),
    )
    q_start: str | float = _setting(
        "zero",
        "Start value of the Q tables: zero, optimistic = (r_bar + n tau log A_max) / (1 - gamma), or a number.",
        "Algorithm 2 line 1: zero",
        "number",
        of=("zero", "optimistic"),
    )
    q_reset: str = _setting(
        "every_loop",
        "When the Q tables take their start value: in every outer loop, or once and carried over from then on.",
        "Algorithm 2 line 1: every call",
        of=("every_loop", "once"),
    )
    reward_at: str = _setting(
        "arrival",
        "Reward in the update of the pair at t-1: that of arrival, r(t), or of departure, r(t-1).",
        "Algorithm 2 line 4: r(t); (6) needs r(t-1)",
        of=("arrival", "departure"),
    )
    default_state: int | tuple[int, ...] = _setting(
        0, "Local state of agents out of sight; one for all or one per agent.", "Definition 6: any", "integer", "list"
    )
    default_action: int | tuple[int, ...] = _setting(
        0, "Local action of agents out of sight; one for all or one per agent.", "Definition 6: any", "integer", "list"
    )

    def __post_init__(self):
        super().__post_init__()
        if self.eta * self.tau > 1:
            raise ConfigError(f"eta: {self.eta} is not allowed with tau = {self.tau}; eta * tau <= 1")
        if self.step_schedule == "decaying" and self.step_h > self.step_t0:
            raise ConfigError(f"step_h: {self.step_h} is not allowed; at most step_t0 = {self.step_t0}")


@dataclass(frozen=True)
class ReportingConfig(_Checked):
    """How the curve is measured and which quantity is called regularised."""

    evaluation: str = _setting(
        "auto",
        "How J of each policy is computed: exact, by simulation, or exact when exact_states allows.",
        "never given",
        of=("auto", "exact", "monte_carlo"),
    )
    exact_states: int = _setting(
        4**10, "Largest number of joint states that auto evaluates exactly.", "ours", "integer", low=1
    )
    evaluation_episodes: int = _setting(
        160, "Episodes of a simulated J.", "never given", "integer", low=2, high=LARGEST_EPISODES
    )
    entropy_weight: str = _setting(
        "network",
        "Entropy weight of the reported reward: n tau per agent as in (2), or tau per agent.",
        "section 2.2: n tau; code may differ",
        of=("network", "agent"),
    )

    def exact(self, joint_states: int) -> bool:
        """Whether J of an MDP with so many joint states is computed exactly."""
        within = joint_states <= self.exact_states
        return {"exact": True, "monte_carlo": False, "auto": within}[self.evaluation]


SECTIONS = (EnvironmentConfig, TrainingConfig, ReportingConfig)
SETTINGS = {f.name: f for section in SECTIONS for f in fields(section)}
SPREADING_ONLY = (
    *("p1", "p2", "p_eff", "cost", "p1_means", "p2_means"),
    *("rho", "rho_infected", "rho_protected"),
)
"""Settings of the spreading process alone."""
LATER = ("policy_evaluation", "environment", "environment_parameters")
"""Settings newer than committed results, which are named only where they are off their defaults."""


@dataclass(frozen=True)
class Settings:
    """A complete, validated experiment."""

    environment: EnvironmentConfig
    training: TrainingConfig
    reporting: ReportingConfig


def allowed(key: str) -> str:
    """What a setting may be, in words."""
    limits = SETTINGS[key].metadata
    words = [repr(word) for word in limits["of"]]
    bounds = [
        f"{sign} {limits[name]}"
        for name, sign in (("low", ">="), ("above", ">"), ("high", "<="))
        if limits[name] is not None
    ]
    for kind in limits["kinds"]:
        if kind == "null":
            words.append("null")
        elif kind == "list":
            words.append("a list of integers >= 0, one per agent")
        elif kind == "file":
            words.append("a file of edges, NAME.txt or NAME.edgelist")
        elif kind == "python":
            words.append("a Python file, NAME.py")
        elif kind == "mapping":
            words.append("a mapping from names to numbers")
        else:
            words.append(" ".join([f"an {kind}" if kind == "integer" else f"a {kind}", " and ".join(bounds)]).strip())
    return " or ".join(words)


def check_setting(key: str, value: Any) -> Any:
    """The value in its field's type; ConfigError if the key is unknown or the value not allowed."""
    if key not in SETTINGS:
        raise ConfigError(unknown_key(key, SETTINGS))
    limits = SETTINGS[key].metadata
    kinds = limits["kinds"]
    if isinstance(value, str):
        if value in limits["of"] or ("file" in kinds and is_file(value)):
            return value
        if "python" in kinds and _PYTHON.fullmatch(value):
            return value
    elif isinstance(value, Mapping):
        if "mapping" in kinds and all(isinstance(name, str) and _is_number(value[name]) for name in value):
            return {name: float(number) for name, number in value.items()}
    elif value is None:
        if "null" in kinds:
            return None
    elif isinstance(value, (list, tuple)):
        if "list" in kinds and value and all(_is_integer(v) and v >= 0 for v in value):
            return tuple(int(v) for v in value)
    elif not isinstance(value, bool) and isinstance(value, (int, float)) and abs(value) <= _LARGEST:
        value = int(value) if "integer" in kinds and float(value).is_integer() else value
        if _within(value, limits) and ("number" in kinds or ("integer" in kinds and _is_integer(value))):
            return float(value) + 0.0 if "number" in kinds else value  # no sign on a zero: names of files hold it
    raise ConfigError(f"{key}: {shown(value)} is not allowed; {allowed(key)}{written_as_text(value)}")


def resolve(reading: str, *overrides: Mapping[str, Any], readings: Mapping[str, Mapping] | None = None) -> Settings:
    """The settings of a named reading with values overridden, later ones last.

    Args:
        reading: a name in `READINGS` or in `readings`.
        overrides: mappings from setting names to values.
        readings: further readings: name -> values; they start from the fields' defaults.

    Raises:
        ConfigError: unknown reading or key, a value that is not allowed, or values that do not fit together.
    """
    known = {**READINGS, **(readings or {})}
    if reading not in known:
        raise ConfigError(f"reading: {reading!r} is not allowed; one of {', '.join(known)}")
    values: dict[str, Any] = {}
    for mapping in (known[reading], *overrides):
        for key, value in mapping.items():
            values[key] = check_setting(key, value)
    _check_spreading(values, *([] if reading in READINGS else [known[reading]]), *overrides)
    sections = [
        section(**{f.name: values[f.name] for f in fields(section) if f.name in values}) for section in SECTIONS
    ]
    settings = Settings(*sections)  # type: ignore[arg-type]  # in the order of SECTIONS
    _check_together(settings)
    return settings


def _check_spreading(values: Mapping[str, Any], *given: Mapping[str, Any]) -> None:
    """What is given by hand for the spreading process goes with no other environment."""
    environment = values.get("environment", SPREADING)
    for key in {key: None for mapping in given for key in mapping if environment != SPREADING}:
        if key in SPREADING_ONLY:
            raise ConfigError(
                f"{key}: {values[key]!r} is not allowed with environment = {environment}; its own parameters stand in "
                "environment_parameters"
            )


def flat(settings: Settings) -> dict[str, Any]:
    """All settings of an experiment as one mapping, in the order of the fields; `LATER` ones only off their defaults."""
    sections = (settings.environment, settings.training, settings.reporting)
    values = {f.name: getattr(section, f.name) for section in sections for f in fields(section)}
    return {key: value for key, value in values.items() if key not in LATER or value != SETTINGS[key].default}


def parse_assignment(text: str) -> tuple[str, Any]:
    """`key=value` from a command line; numbers (also .5 and 1.), null and lists as in JSON, anything else a word.

    Raises:
        ConfigError: no such text, or a setting that is an integer with a number that is written in another way.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set: {text!r} is not allowed; key=value")
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):  # no JSON, thousands of digits, thousands of brackets
        parsed = {"None": None, "none": None}.get(value, value)
        if re.fullmatch(r"[+-]?([0-9]{0,20}\.?[0-9]{1,20}|[0-9]{1,20}\.)", value):
            parsed = float(value)
    key = key.strip()
    kinds = SETTINGS[key].metadata["kinds"] if key in SETTINGS else ()
    if "integer" in kinds and _is_number(parsed) and not re.fullmatch("-?[0-9]+", value):  # 1e3, 3.0: as for --seed
        raise ConfigError(f"{key}: {shown(value.strip())[1:-1]} is not allowed; {allowed(key)}")
    return key, parsed


def _check_together(settings: Settings) -> None:
    """The graph, the environment and the policy evaluation exist; the defaults of Definition 6 are local values."""
    from lpi.environments import check_parameters, local_sizes
    from lpi.policy_evaluations import find

    training, agents = settings.training, settings.environment.agents
    try:
        check_family(settings.environment.graph, agents)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    check_parameters(settings.environment)
    if is_own(training.policy_evaluation):
        find(training.policy_evaluation)
    states, actions = local_sizes(settings.environment)
    for key, limit in (("default_state", states), ("default_action", actions)):
        values = getattr(training, key)
        values = values if isinstance(values, tuple) else (values,) * agents
        if len(values) != agents or max(values) >= limit or min(values) < 0:
            raise ConfigError(
                f"{key}: {getattr(training, key)!r} is not allowed; an integer in 0..{limit - 1}, or {agents} of them"
            )


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _is_integer(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _within(value, limits) -> bool:
    return (
        (limits["low"] is None or value >= limits["low"])
        and (limits["high"] is None or value <= limits["high"])
        and (limits["above"] is None or value > limits["above"])
    )
