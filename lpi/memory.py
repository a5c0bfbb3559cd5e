"""How much memory a training run takes, said before it starts; sizes come from the neighbourhoods alone.

Tables grow exponentially with the neighbourhood, so all sizes are Python integers: they may have hundreds of digits.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from functools import cache

from lpi.config import LOCAL_ACTIONS, LOCAL_STATES, ConfigError, Settings
from lpi.network import Network

DEFAULT_LIMIT_GB = 4
LIMIT_VARIABLE = "LPI_MEMORY_LIMIT_GB"
"""Environment variable with another limit: it is a matter of the machine, no setting that results depend on."""

EXACT_LIMIT = 2 * 1024**3  # bytes that an exact evaluation may need
EXACT_STATE_BYTES = 360  # of the solver's vectors, per joint state: 25 in single and 10 in double precision, in pairs


def training_memory(
    network: Network, states: Sequence[int], actions: Sequence[int], kappa: int, beta: int, count: bool = False
) -> int:
    """Bytes that a training run's tables take.

    The Q tables with their visited flags, the gains that the aggregated Q of (11) is kept as, four policy tables, the
    indices that (11) and (12) read by (two an agent in sight and row, within some percent of the whole), and the
    model's transition probabilities (given and cumulative).  What a run needs beside them (the interpreter, the
    evaluation of its policies) does not grow with kappa or beta.

    Args:
        network: the graph.
        states, actions: numbers of local states and actions of each agent.
        kappa: hops that policies see.
        beta: hops that Q functions see.
        count: whether the visits of every Q table entry are counted.
    """
    total = 0
    for i in range(network.agents):
        q_states, q_actions = _joint(network, states, actions, i, beta)
        rows, combinations = _joint(network, states, actions, i, kappa)
        members = len(network.neighbourhood(i, kappa))
        q = q_states * q_actions * (8 + 1 + 4 * count)
        gains = rows * (combinations // actions[i]) * (actions[i] - 1) * 8
        policies = 4 * rows * actions[i] * 8
        indices = 2 * members * rows * 8
        model = _joint(network, states, actions, i, 1)[0] * actions[i] * (2 * states[i] - 1) * 8
        total += q + gains + policies + indices + model
    return total


def exact_memory(joint_states: int) -> int:
    """Bytes that the vectors of an exact evaluation take; `lpi.exact` adds the policy's tables, which are smaller."""
    return joint_states * EXACT_STATE_BYTES


def check_memory(settings: Settings, limit_gb: float | None = None, key: str = "kappa") -> None:
    """A run of the spreading process fits in memory, its exact evaluation too where it has one.

    Args:
        settings: of the run.
        limit_gb: most that the tables may take, 10^9 bytes; default that of the environment.
        key: what the message calls kappa.

    Raises:
        ConfigError: one line that says how large the tables are and which kappa fits.
    """
    graph, agents = settings.environment.graph, settings.environment.agents
    kappa, beta = settings.training.kappa, settings.training.beta
    count = settings.training.step_schedule == "per_visit"
    limit_gb = _environment_limit() if limit_gb is None else limit_gb
    needed, limit = _spreading_memory(graph, agents, kappa, beta, count), limit_gb * 10**9
    if needed > limit:
        kappas = [k for k in range(kappa) if _spreading_memory(graph, agents, k, beta, count) <= limit]
        betas = [b for b in range(beta or 0) if _spreading_memory(graph, agents, kappa, b, count) <= limit]
        key, value = ("beta", beta) if betas and not kappas else (key, kappa)
        raise ConfigError(
            f"{key}: {value} is not allowed with {agents} agents and graph = {graph}: the tables take "
            f"{in_gigabytes(needed)}, the limit is {limit_gb:g} GB; {_what_fits(graph, agents, kappas, betas)}"
        )
    _check_exact(settings)


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


@cache
def _spreading_memory(graph: str, agents: int, kappa: int, beta: int | None, count: bool = False) -> int:
    network = Network.named(graph, agents)
    beta = kappa if beta is None else beta
    return training_memory(network, [LOCAL_STATES] * agents, [LOCAL_ACTIONS] * agents, kappa, beta, count)


def _what_fits(graph: str, agents: int, kappas: list[int], betas: list[int]) -> str:
    if kappas:
        return f"kappa <= {kappas[-1]} fits"
    if betas:
        return f"beta <= {betas[-1]} fits"
    least = in_gigabytes(_spreading_memory(graph, agents, 0, 0))
    return f"no kappa fits, kappa = beta = 0 takes {least}; use fewer agents or another graph"


def _check_exact(settings: Settings) -> None:
    agents, reporting = settings.environment.agents, settings.reporting
    joint = LOCAL_STATES**agents
    if reporting.exact(joint) and exact_memory(joint) > EXACT_LIMIT:
        most = max(n for n in range(1, agents) if exact_memory(LOCAL_STATES**n) <= EXACT_LIMIT)
        raise ConfigError(
            f"evaluation: {reporting.evaluation!r} with exact_states = {reporting.exact_states} is not allowed with "
            f"{agents} agents: an exact evaluation takes {in_gigabytes(exact_memory(joint))}, the limit is "
            f"{in_gigabytes(EXACT_LIMIT)}; 'monte_carlo', or at most {most} agents"
        )
