"""An SIS epidemic with treatment on a network, in discrete time: an environment that does not decouple.

Qu, Wierman and Li (the paper's [29]) name epidemics, beside wireless communication and traffic, as examples of networked
systems; this is the usual susceptible-infected-susceptible chain with the agents' action put in.  The form of the action,
the infection from outside and all default numbers are choices of this project.

Local state s_i: 0 susceptible, 1 infected.  Action a_i: 1 treats, 0 does not.  With k_i(t) infected neighbours of agent i,
itself not counted,

    P(s_i(t+1) = 1 | s_i(t) = 0, a_i) = 1 - (1 - outside) (1 - infection (1 - protection a_i))^k_i(t)
    P(s_i(t+1) = 1 | s_i(t) = 1, a_i) = 1 - recovery        for a_i = 0
                                        (1 - recovery) (1 - cure)   for a_i = 1
    r_i(s_i, a_i) = (1 - s_i) + cost (1 - a_i)

so a treated susceptible agent is harder to infect, a treated infected one recovers sooner, and treatment forgoes `cost`.
At time 0 agents are infected independently with probability `infected`.  With 0 < outside < 1, a recovery below 1 and above
0 the chain is irreducible and aperiodic (Assumption 1), which the chain of section 6.1 is not.
"""

from __future__ import annotations

import numpy as np

from lpi.environments import Environment
from lpi.mdp import InitialDistribution, NetworkedMDP
from lpi.network import Network

PARAMETERS = {
    "infection": 0.3, "outside": 0.02, "protection": 0.7, "recovery": 0.2, "cure": 0.5, "cost": 0.3, "infected": 0.5
}  # fmt: skip


def sis_epidemic(
    graph,
    gamma: float = 0.95,
    infection: float = 0.3,
    outside: float = 0.02,
    protection: float = 0.7,
    recovery: float = 0.2,
    cure: float = 0.5,
    cost: float = 0.3,
    infected: float = 0.5,
) -> NetworkedMDP:
    """The networked MDP of this module's docstring on any graph.

    Args:
        graph: `networkx.Graph` with nodes 0..n-1, or `Network`.
        gamma: discount factor.
        infection: probability that one infected neighbour infects an untreated susceptible agent in a step.
        outside: probability of an infection from outside the network in a step.
        protection: share of `infection` that treatment takes away.
        recovery: probability that an infected agent recovers by itself in a step.
        cure: probability that treatment cures an infected agent that would not have recovered.
        cost: reward that a treated agent forgoes.
        infected: probability that an agent is infected at time 0.

    Raises:
        ValueError: a parameter outside [0, 1].
    """
    network = Network.from_graph(graph)
    given = dict(
        infection=infection, outside=outside, protection=protection, recovery=recovery, cure=cure, cost=cost,
        infected=infected,
    )  # fmt: skip
    for name, value in given.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name}: {value} is not allowed; a number in [0, 1]")
    passed_on = infection * np.array([1.0, 1.0 - protection])  # by action
    stays = (1 - recovery) * np.array([1.0, 1.0 - cure])
    transitions = [
        _transition(network.neighbourhood(i, 1), i, passed_on, outside, stays) for i in range(network.agents)
    ]
    reward = np.array([[1.0 + cost, 1.0], [cost, 0.0]])
    rho = InitialDistribution.product([[1 - infected, infected]] * network.agents)
    return NetworkedMDP(network, transitions, [reward] * network.agents, gamma, rho)


def _transition(neighbourhood, agent: int, passed_on: np.ndarray, outside: float, stays: np.ndarray) -> np.ndarray:
    """P_i(s_i' | s_{N_i}, a_i), shape (2,) * |N_i| + (2, 2)."""
    states = np.indices((2,) * len(neighbourhood))
    own = states[neighbourhood.index(agent)]
    around = states.sum(axis=0) - own
    caught = 1 - (1 - outside) * (1 - passed_on) ** around[..., None]
    infected = np.where(own[..., None] == 1, stays, caught)
    return np.stack((1 - infected, infected), axis=-1)


ENVIRONMENT = Environment(sis_epidemic, states=2, actions=2, parameters=PARAMETERS)
