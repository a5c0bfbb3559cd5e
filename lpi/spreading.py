"""The spreading process of section 6.1 as a networked MDP.

Local state s_i = 2 * s1 + s2: s1 says whether the spread has reached the agent, s2 whether it is protected.
Action 1 buys protection.  Section 6.1 prints "becomes 1 with probability 1 - p"; its prose fits p itself.  Both
readings are available for p1 and p2 separately: "failure" (as printed) and "success".
"""

from __future__ import annotations

from dataclasses import fields
from functools import reduce

import numpy as np

from lpi.config import SPREADING, ConfigError, EnvironmentConfig
from lpi.mdp import InitialDistribution, NetworkedMDP
from lpi.network import Network

MEANINGS = ("failure", "success")
INITIAL = ("uniform", "independent_bits", "one_infected", "all_infected")


def spreading_process(
    graph,
    p1: float = 0.6,
    p2: float = 0.7,
    p_eff: float = 0.4,
    cost: float = 0.3,
    gamma: float = 0.95,
    p1_means: str = "failure",
    p2_means: str = "failure",
    rho: str | InitialDistribution = "uniform",
    rho_infected: float = 0.5,
    rho_protected: float = 0.5,
) -> NetworkedMDP:
    """The networked MDP of section 6.1 on any graph.

    Args:
        graph: `networkx.Graph` with nodes 0..n-1, or `Network`.
        p1: probability that an exposed agent escapes (p1_means="failure") or catches (="success") the spread in a step.
        p2: probability that protection is lost ("failure") or kept ("success") in a step.
        p_eff: probability that action 1 sets the intermediate state of an unprotected agent's s2; as with a protected agent,
            s2 is then 1 with the probability that protection is kept.
        cost: c, the price of action 1.
        gamma: discount factor.
        p1_means, p2_means: "failure" as the formula is printed, or "success".
        rho: "uniform" over all joint states; "independent_bits" with the two probabilities below; "one_infected"
            (one agent drawn uniformly, nobody protected); "all_infected" (nobody protected); or any distribution.
        rho_infected, rho_protected: probability of s1 = 1 and of s2 = 1 under "independent_bits".
    """
    network = Network.from_graph(graph)
    probabilities = dict(p1=p1, p2=p2, p_eff=p_eff, rho_infected=rho_infected, rho_protected=rho_protected)
    for name, value in probabilities.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name}: {value} is not allowed; a probability in [0, 1]")
    for name, means in (("p1_means", p1_means), ("p2_means", p2_means)):
        if means not in MEANINGS:
            raise ValueError(f"{name}: {means!r} is not allowed; one of {', '.join(MEANINGS)}")
    activation = p1 if p1_means == "success" else 1 - p1
    persistence = p2 if p2_means == "success" else 1 - p2
    transitions = [
        _transition(network.neighbourhood(i, 1), i, activation, persistence, p_eff) for i in range(network.agents)
    ]
    state_reward = np.array([1.0, 1.0, 0.0, 1.0])  # 0 only when reached (s1 = 1) and unprotected (s2 = 0)
    action_reward = np.array([1.0, 1.0 - cost])
    rewards = [state_reward[:, None] + action_reward[None, :]] * network.agents
    if isinstance(rho, str):
        rho = _initial(rho, network.agents, rho_infected, rho_protected)
    return NetworkedMDP(network, transitions, rewards, gamma, rho)


def from_settings(environment: EnvironmentConfig) -> NetworkedMDP:
    """The spreading process that the settings describe, on one of the named graphs.

    Raises:
        ConfigError: the settings describe another environment (`lpi.environments.model`).
    """
    if environment.environment != SPREADING:
        raise ConfigError(f"environment: {environment.environment!r} is not allowed here; {SPREADING}")
    other = ("environment", "environment_parameters")
    values = {f.name: getattr(environment, f.name) for f in fields(environment) if f.name not in other}
    network = Network.named(values.pop("graph"), values.pop("agents"))
    return spreading_process(network, **values)


def _transition(neighbourhood, agent: int, activation: float, persistence: float, p_eff: float) -> np.ndarray:
    """P_i(s_i' | s_{N_i}, a_i), shape (4,) * |N_i| + (2, 4)."""
    shape = (4,) * len(neighbourhood) + (2,)
    states = np.indices((4,) * len(neighbourhood), sparse=True)
    exposed = reduce(np.logical_or, (state >= 2 for state in states))
    protected = states[neighbourhood.index(agent)] % 2 == 1
    spread = np.broadcast_to(np.asarray(activation * exposed)[..., None], shape)
    effective = np.stack((protected * 1.0, np.where(protected, 1.0, p_eff)), axis=-1)
    kept = persistence * effective
    return np.stack(((1 - spread) * (1 - kept), (1 - spread) * kept, spread * (1 - kept), spread * kept), axis=-1)


def _initial(name: str, agents: int, infected: float, protected: float) -> InitialDistribution:
    if name == "uniform":
        return InitialDistribution.uniform([4] * agents)
    if name == "independent_bits":
        bits = np.multiply.outer([1 - infected, infected], [1 - protected, protected]).ravel()
        return InitialDistribution.product([bits] * agents)
    if name == "all_infected":
        return InitialDistribution.product([[0.0, 0.0, 1.0, 0.0]] * agents)
    if name == "one_infected":
        first = np.eye(agents, dtype=int) * 2
        return InitialDistribution(np.full(agents, 1 / agents), tuple(np.eye(4)[first[:, i]] for i in range(agents)))
    raise ValueError(f"rho: {name!r} is not allowed; one of {', '.join(INITIAL)}, or an InitialDistribution")
