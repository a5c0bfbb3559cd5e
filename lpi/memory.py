"""How much memory a training run takes, said before it starts; sizes come from the neighbourhoods alone.

Tables grow exponentially with the neighbourhood, so all sizes are Python integers: they may have hundreds of digits.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import NamedTuple

from lpi.config import LOCAL_ACTIONS, LOCAL_STATES, SPREADING, ConfigError, EnvironmentConfig, Settings
from lpi.edge_list import is_file
from lpi.environments import local_sizes
from lpi.network import Network, check_family
from lpi.own_files import is_own
from lpi.policy_evaluations import ROW_BYTES, find

DEFAULT_LIMIT_GB = 4
LIMIT_VARIABLE = "LPI_MEMORY_LIMIT_GB"
"""Environment variable with another limit: it is a matter of the machine, no setting that results depend on."""

EXACT_LIMIT = 2 * 1024**3  # bytes that an exact evaluation may need
DECOUPLED_ENTRY_BYTES = 400  # of the solver's vectors and averages for the optimum, per (component value, rank)
EXACT_STATE_BYTES = 360  # of the solver's vectors, per joint state: 25 in single and 10 in double precision, in pairs


MODEL_COPIES = 3  # of the transition tables: as given, as kept, and what checking them takes
PROCESS_BYTES = 176 * 10**6  # interpreter, libraries and compiled kernels; all of these measured, as the tests do again
AGENT_BYTES = 5_000  # of the objects that hold an agent's neighbourhoods and tables
EVALUATOR_BYTES = 4 * 10**6  # of an exact evaluation's plan and small vectors
EVALUATOR_BLOCKS = 16, 64  # pairs of numbers that it averages together, over s1 and over s2
EVALUATED_STATE_BYTES = 190  # of an exact evaluation per joint state: of EXACT_STATE_BYTES, what it comes to use
REFERENCE_STATES = 2**18  # (component values) x (ranks) of the largest problem that is solved for a reference
REFERENCE_ENTRY_BYTES = 352  # of solving it, per component value and rank of each agent
AVERAGED_BYTES = 12  # of a number in an averaging's work space, which is there in both precisions
STORED_BYTES = 4  # of a local state or action of a trajectory that is kept
EPISODE_TAIL = 5e-4  # discounted weight of the steps that a simulated episode leaves out
NUMBERS_AT_ONCE = 2**18  # most random numbers of simulations in memory, or those of one episode: a cache holds 2 MB
EPISODES_BYTES = 2**25  # most for what is learned from episodes that are walked side by side (`lpi.lanes`)
ENOUGH = 10**30  # bytes beyond which nobody wants to know by how much: the sizes of large networks take long to count
EPISODES_PITCH = 72  # numbers kept for 64 such episodes: were it a power of two, rows would share few places of a cache


class TableBytes(NamedTuple):
    """What a training run holds, in bytes."""

    q: int  # Q tables with their visited flags and visits
    gains: int  # that the aggregated Q of (11) is kept as
    policies: int  # four policy tables
    indices: int  # that (11) and (12) read by: two an agent in sight and row, within some percent of the whole
    model: int  # transition probabilities
    cumulative: int  # the same, cumulative


def table_bytes(
    network: Network, states: Sequence[int], actions: Sequence[int], kappa: int, beta: int, count: bool = False
) -> TableBytes:
    """Bytes of a training run's tables; arguments as those of `training_memory`."""
    total = [0] * len(TableBytes._fields)
    for i in range(network.agents):
        q_states, q_actions = _joint(network, states, actions, i, beta)
        rows, combinations = _joint(network, states, actions, i, kappa)
        inputs = _joint(network, states, actions, i, 1)[0] * actions[i]
        parts = TableBytes(
            q=q_states * q_actions * (8 + 1 + 4 * count),
            gains=rows * (combinations // actions[i]) * (actions[i] - 1) * 8,
            policies=4 * rows * actions[i] * 8,
            indices=len(network.neighbourhood(i, kappa)) * rows * (8 + 4),
            model=inputs * states[i] * 8,
            cumulative=inputs * (states[i] - 1) * 8,
        )
        total = [sum(pair) for pair in zip(total, parts, strict=True)]
        if sum(total) > ENOUGH:
            break
    return TableBytes(*total)


def training_memory(
    network: Network, states: Sequence[int], actions: Sequence[int], kappa: int, beta: int, count: bool = False
) -> int:
    """Bytes that a training run's tables take; what a run needs beside them hardly grows with kappa or beta.

    Args:
        network: the graph.
        states, actions: numbers of local states and actions of each agent.
        kappa: hops that policies see.
        beta: hops that Q functions see.
        count: whether the visits of every Q table entry are counted.
    """
    return sum(table_bytes(network, states, actions, kappa, beta, count))


def run_memory(settings: Settings, known: bool = False) -> int:
    """Peak memory of `lpi train`, in bytes: of the whole process, its libraries included.

    Measured peaks of runs are within 20 %.  The first run after an installation compiles as well, in up to 0.3 GB more.

    Args:
        settings: of the run.
        known: whether the reference that simulations share is given, not solved for.
    """
    agents, reporting = settings.environment.agents, settings.reporting
    states, _ = local_sizes(settings.environment)
    joint = states**agents
    tables = _settings_tables(settings)
    # these are joined from small pieces, whose memory cannot be used for large arrays afterwards
    held = sum(tables) + tables.indices + tables.cumulative
    episodes = episodes_bytes(agents, settings.training.episode_length or settings.training.trajectory_length)
    held += episodes if episodes <= EPISODES_BYTES else 0
    if reporting.exact(joint):
        most = held + _evaluator_memory(settings)
    else:
        spreads = settings.environment.environment == SPREADING
        solved, kept = _reference_memory(settings.environment.graph, agents) if spreads else (0, 0)
        numbers = 8 * max(NUMBERS_AT_ONCE, episode_steps(settings.environment.gamma) * 2 * agents)
        most = max(held + tables.cumulative + numbers + kept, 0 if known else solved)
    return PROCESS_BYTES + AGENT_BYTES * agents + most + _trajectory_memory(settings)


def _trajectory_memory(settings: Settings) -> int:
    """Bytes of the trajectories that others than TD(0) keep: of all agents, and what they make of them for one."""
    training, agents = settings.training, settings.environment.agents
    if training.policy_evaluation == "td0":
        return 0
    own = is_own(training.policy_evaluation)
    row_bytes = find(training.policy_evaluation).row_bytes if own else ROW_BYTES
    rows = training.trajectory_length + -(
        -training.trajectory_length // (training.episode_length or training.trajectory_length)
    )
    return rows * (2 * STORED_BYTES * agents + row_bytes)


def episodes_bytes(agents: int, episode_length: int) -> int:
    """Bytes that 64 episodes side by side take: an entry and a reward of each agent and state, and where they stand."""
    return EPISODES_PITCH * agents * 8 * (2 * (episode_length + 1) + 8)


def episode_steps(gamma: float) -> int:
    """Steps of a simulated episode."""
    return max(1, math.ceil(math.log(EPISODE_TAIL) / math.log(gamma))) if gamma > 0 else 1


def exact_memory(joint_states: int) -> int:
    """Bytes that the vectors of an exact evaluation may take; `lpi.exact` adds the policy's tables, which are smaller."""
    return joint_states * EXACT_STATE_BYTES


def check_memory(settings: Settings, limit_gb: float | None = None, key: str = "kappa", known: bool = False) -> None:
    """A run of the spreading process fits in memory, its exact evaluation too where it has one.

    Args:
        settings: of the run.
        limit_gb: most that the run may take, 10^9 bytes; default that of the environment.
        key: what the message calls kappa.
        known: as in `run_memory`.

    Raises:
        ConfigError: one line that says how much the run takes and which kappa fits.
    """
    limit_gb = _environment_limit() if limit_gb is None else limit_gb
    _check_exact(settings)
    needed = run_memory(settings, known)
    if needed > limit_gb * 10**9:
        graph, agents = settings.environment.graph, settings.environment.agents
        fits = [_largest(settings, name, limit_gb, known) for name in ("kappa", "beta")]
        only_beta = fits[0] is None and fits[1] is not None
        key, value = ("beta", settings.training.beta) if only_beta else (key, settings.training.kappa)
        raise ConfigError(
            f"{key}: {value} is not allowed with {agents} agents and graph = {graph}: a run takes "
            f"{in_gigabytes(needed)}, the limit is {limit_gb:g} GB; {_what_fits(settings, fits[0], fits[1], known)}"
        )


def check_reference(settings: Settings) -> None:
    """What simulations of J share can be solved for in memory (`lpi reference`).

    Raises:
        ConfigError: one line that says how much it takes and for how many agents it fits.
    """
    graph, agents, limit_gb = settings.environment.graph, settings.environment.agents, _environment_limit()
    needed = _solved_memory(graph, agents)
    if needed <= limit_gb * 10**9:
        return
    fits = [n for n in range(1, agents) if _has(graph, n) and _solved_memory(graph, n) <= limit_gb * 10**9]
    raise ConfigError(
        f"agents: {agents} is not allowed with graph = {graph}: their references take {in_gigabytes(needed)}, the "
        f"limit is {limit_gb:g} GB; " + (f"{fits[-1]} agents fit" if fits else "no number of agents fits")
    )


def _solved_memory(graph: str, agents: int) -> int:
    return PROCESS_BYTES + AGENT_BYTES * agents + _reference_memory(graph, agents)[0]


def _has(graph: str, agents: int) -> bool:
    """Whether there is such a graph with so many agents."""
    try:
        check_family(graph, agents)
    except ValueError:
        return False
    return True


def check_model(settings: Settings) -> None:
    """The transition tables of the environment fit in memory; asked where nothing else is.

    Raises:
        ConfigError: one line that says how much they take.
    """
    environment, limit_gb = settings.environment, _environment_limit()
    tables = _named_tables(environment.graph, environment.agents, 0, 0, False, local_sizes(environment))
    if tables.model * MODEL_COPIES > limit_gb * 10**9:
        raise ConfigError(
            f"agents: {environment.agents} is not allowed with graph = {environment.graph}: the transition tables of "
            f"agents with so many neighbours take {in_gigabytes(tables.model * MODEL_COPIES)}, the limit is "
            f"{limit_gb:g} GB; fewer agents or another graph"
        )


def check_decoupled(environment: EnvironmentConfig, key: str = "agents") -> None:
    """The optimum of a spreading process fits in memory (`lpi.solvers.decoupled`); before its model is made.

    Raises:
        ConfigError: one line that says for how many agents it fits.
    """
    if environment.environment == SPREADING and decoupled_memory(environment.agents) > EXACT_LIMIT:
        most = max(n for n in range(1, 64) if decoupled_memory(n) <= EXACT_LIMIT)
        raise ConfigError(
            f"{key}: {environment.agents} is not allowed: the optimum takes "
            f"{in_gigabytes(decoupled_memory(environment.agents))}, the limit is {in_gigabytes(EXACT_LIMIT)}; "
            f"at most {most} agents fit"
        )


def check_locality(environment: EnvironmentConfig, key: str = "agents") -> None:
    """The best kappa-hop policies of a spreading process can be evaluated exactly in memory.

    Raises:
        ConfigError: one line that says for how many agents they can.
    """
    if environment.environment == SPREADING and exact_memory(LOCAL_STATES**environment.agents) > EXACT_LIMIT:
        raise ConfigError(
            f"{key}: {environment.agents} is not allowed; fewer agents, whose joint states fit in "
            f"{in_gigabytes(EXACT_LIMIT)}: at most {_most_exact(LOCAL_STATES)}"
        )


def _most_exact(states: int) -> int:
    """Most agents with so many local states whose joint states can be evaluated exactly."""
    return max((n for n in range(1, 64) if exact_memory(states**n) <= EXACT_LIMIT), default=0)


def decoupled_memory(agents: int) -> int:
    """Bytes that the optimum of a spreading process takes: s1 of all agents, with two ranks of each."""
    return 2**agents * 2 * agents * DECOUPLED_ENTRY_BYTES


def in_gigabytes(size: int) -> str:
    """A size in words."""
    return f"{size / 1e9:.3g} GB" if size < 10**15 else f"about 10^{int(math.log10(size)) - 9} GB"


def _environment_limit() -> float:
    text = os.environ.get(LIMIT_VARIABLE, str(DEFAULT_LIMIT_GB))
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not 0 < limit < math.inf:
        raise ConfigError(f"{LIMIT_VARIABLE}: {text!r} is not allowed; a number > 0, in 10^9 bytes")
    return limit


def _joint(network: Network, states: Sequence[int], actions: Sequence[int], agent: int, hops: int) -> tuple[int, int]:
    """Numbers of joint states and joint actions of a neighbourhood."""
    members = network.neighbourhood(agent, hops)
    return math.prod(int(states[j]) for j in members), math.prod(int(actions[j]) for j in members)


def _settings_tables(settings: Settings) -> TableBytes:
    kappa, beta = settings.training.kappa, settings.training.beta
    count = settings.training.step_schedule == "per_visit"
    environment = settings.environment
    return _named_tables(
        environment.graph, environment.agents, kappa, kappa if beta is None else beta, count, local_sizes(environment)
    )


@lru_cache(maxsize=64)
def _family(graph: str, agents: int) -> Network:
    return Network.named(graph, agents)


def _network(graph: str, agents: int) -> Network:
    """The graph; those of families are kept, because a check of memory asks for one again and again."""
    return Network.named(graph, agents) if is_file(graph) else _family(graph, agents)


@cache
def _named_tables(graph: str, agents: int, kappa: int, beta: int, count: bool, sizes: tuple[int, int]) -> TableBytes:
    network = _network(graph, agents)
    return table_bytes(network, [sizes[0]] * agents, [sizes[1]] * agents, kappa, beta, count)


def _evaluator_memory(settings: Settings) -> int:
    """Bytes of an exact evaluation: of the vectors on the joint states, and to average over s1 and over s2."""
    graph, agents = settings.environment.graph, settings.environment.agents
    if settings.environment.environment != SPREADING:
        return EVALUATOR_BYTES + exact_memory(local_sizes(settings.environment)[0] ** agents)
    averaged = max(
        _averaged(graph, agents, hops) * block
        for hops, block in zip((1, settings.training.kappa), EVALUATOR_BLOCKS, strict=True)
    )
    vectors = LOCAL_STATES**agents * EVALUATED_STATE_BYTES
    return EVALUATOR_BYTES + vectors + averaged * 2 * AVERAGED_BYTES


def _reference_memory(graph: str, agents: int) -> tuple[int, int]:
    """Bytes that solving for a reference takes and that it keeps (`lpi.reference`): s1 is a component with two ranks."""
    if agents > math.log2(REFERENCE_STATES / LOCAL_STATES):
        return 0, 0
    ranks = 2 * agents
    entries, averaged = 2**agents * ranks, _averaged(graph, agents, 1) * ranks
    kept = entries * (LOCAL_ACTIONS * 4 + 2) * 4
    return entries * REFERENCE_ENTRY_BYTES + averaged * AVERAGED_BYTES, kept


@cache
def _averaged(graph: str, agents: int, hops: int) -> int:
    """Entries of the two tables in turn by which binary variables are averaged over (`lpi.solvers.elimination`).

    One variable an agent, whose distribution depends on those within `hops`.
    """
    network, largest = _network(graph, agents), [2**agents, 0]
    read: set[int] = set()
    for i in range(agents):
        read.update(network.neighbourhood(i, hops))
        table = (i + 1) % 2
        largest[table] = max(largest[table], 2 ** (len(read) + agents - i - 1))
    return sum(largest)


def _largest(settings: Settings, name: str, limit_gb: float, known: bool) -> int | None:
    """The largest smaller value of kappa or beta with which the run fits; None where none does."""
    fits = None
    for value in range(getattr(settings.training, name) or 0):
        smaller = replace(settings, training=replace(settings.training, **{name: value}))  # type: ignore[arg-type]
        if run_memory(smaller, known) > limit_gb * 10**9:
            break
        fits = value
    return fits


def _what_fits(settings: Settings, kappa: int | None, beta: int | None, known: bool) -> str:
    if kappa is not None:
        return f"kappa <= {kappa} fits"
    if beta is not None:
        return f"beta <= {beta} fits"
    least = run_memory(replace(settings, training=replace(settings.training, kappa=0, beta=0)), known)
    return f"no kappa fits, kappa = beta = 0 takes {in_gigabytes(least)}; use fewer agents or another graph"


def _check_exact(settings: Settings) -> None:
    agents, reporting = settings.environment.agents, settings.reporting
    states, _ = local_sizes(settings.environment)
    joint = states**agents
    if reporting.exact(joint) and exact_memory(joint) > EXACT_LIMIT:
        raise ConfigError(
            f"evaluation: {reporting.evaluation!r} with exact_states = {reporting.exact_states} is not allowed with "
            f"{agents} agents: an exact evaluation takes {in_gigabytes(exact_memory(joint))}, the limit is "
            f"{in_gigabytes(EXACT_LIMIT)}; 'monte_carlo', or at most {_most_exact(states)} agents"
        )
