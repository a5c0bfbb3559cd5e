"""The data behind Figures 4 to 6: the optimum, what locality can cost at all, and how the optimal policy acts.

Everything here is exact up to the error bounds in the tables; nothing is learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lpi import exact
from lpi.mdp import NetworkedMDP
from lpi.network import digits
from lpi.policy import LocalPolicy
from lpi.solvers.component import autonomous_component, independent_ranks
from lpi.solvers.decoupled import DecoupledProblem
from lpi.theory import bounds, transition_influence
from lpi.theory.bounds import LARGEST_GAMMA


def optima(mdp: NetworkedMDP, tau: float) -> dict[str, Any]:
    """The values of a row of OPTIMA; where the problem is too large to be solved exactly, NaN and `too_large`.

    An MDP that does not decouple given an autonomous component is solved on its joint states: its `optimum` is the best
    product policy that is found, and `error_bound` includes how far the optimum may be above.
    """
    names = ("optimum", "optimum_unregularized", "ceiling", "uniform", "uniform_unregularized", "error_bound")
    component = autonomous_component(mdp)
    if component is None or not independent_ranks(mdp, component):
        return _joint_optima(mdp, tau, names)
    try:
        problem = DecoupledProblem(mdp, component)
    except ValueError:  # its tables do not fit
        return {**dict.fromkeys(names, math.nan), "method": "too_large"}
    tolerance = 1e-9
    best, greedy = problem.optimum(tau, tolerance), problem.optimum(0.0, tolerance)
    uniform = problem.evaluate_uniform(tolerance).unregularized
    values = (
        best.regularized, best.unregularized, greedy.unregularized, uniform + _uniform_entropy(mdp, tau), uniform,
        max(best.error_bound, greedy.error_bound, tolerance),
    )  # fmt: skip
    return {**dict(zip(names, values, strict=True)), "method": "decoupled"}


def _joint_optima(mdp: NetworkedMDP, tau: float, names: Sequence[str]) -> dict[str, Any]:
    """`optima` on the joint states."""
    try:
        best, greedy = exact.optimum(mdp, tau), exact.optimum(mdp, 0.0)
    except ValueError:  # its tables do not fit
        return {**dict.fromkeys(names, math.nan), "method": "too_large"}
    uniform = exact.evaluate(mdp, LocalPolicy.uniform(mdp, 0), tau)
    values = (
        best.regularized, best.unregularized, greedy.unregularized, uniform.regularized, uniform.unregularized,
        max(best.error_bound, greedy.error_bound, uniform.error_bound),
    )  # fmt: skip
    return {**dict(zip(names, values, strict=True)), "method": "joint"}


def locality(mdp: NetworkedMDP, tau: float, kappas: Sequence[int], seed: int = 0) -> list[dict[str, Any]]:
    """The values of a row of LOCALITY for each kappa: the best kappa-hop policy found, beside Theorem 1."""
    best = exact.optimum(mdp, tau)
    uniform = exact.evaluate(mdp, LocalPolicy.uniform(mdp, 0), tau).regularized
    found = exact.best_local_up_to(mdp, max(kappas), tau, seed=seed)
    return [_locality_row(mdp, tau, kappa, best, uniform, found[kappa]) for kappa in kappas]


def _locality_row(mdp: NetworkedMDP, tau: float, kappa: int, best, uniform: float, local) -> dict[str, Any]:
    winner = local.start_values.index(max(local.start_values))
    return {
        "gamma": mdp.gamma,
        "kappa": kappa,
        "optimum": best.regularized,
        "uniform_loss": best.regularized - uniform,
        "regularized": local.regularized,
        "loss": best.regularized - local.regularized,
        "error_bound": best.error_bound + local.error_bound,
        "stationarity": local.gain,
        "start": local.starts[winner],
        "starts": len(local.starts),
        "spread": max(local.start_values) - min(local.start_values),
        "iterations": local.start_iterations[winner],
        **_theorem_1(mdp, tau, kappa),
        "range": _range(mdp, tau),
    }


def _theorem_1(mdp: NetworkedMDP, tau: float, kappa: int) -> dict[str, Any]:
    """Theorem 1's hypotheses and its bound, as printed."""
    interaction, gamma = float(transition_influence(mdp).sum(axis=1).max()), mdp.gamma
    r_bar = max(float(np.abs(table).max()) for table in mdp.rewards)
    found = bounds.constants("Theorem 1", r_bar, gamma, tau, mdp.agents, int(max(mdp.actions)), interaction)
    met = gamma < LARGEST_GAMMA and tau >= found.least_tau and interaction < bounds.LARGEST_INTERACTION
    return {
        "interaction": interaction,
        "least_tau": found.least_tau,
        "hypotheses_met": "yes" if met else "no",
        "bound": bounds.theorem_1(r_bar, gamma, found.mu, kappa) if met else math.nan,
    }


def _range(mdp: NetworkedMDP, tau: float) -> float:
    """Largest minus smallest J that the agents' rewards and the entropy allow."""
    rewards = sum(float(np.ptp(table)) for table in mdp.rewards) / mdp.agents
    return rewards / (1 - mdp.gamma) + _uniform_entropy(mdp, tau)


def _uniform_entropy(mdp: NetworkedMDP, tau: float) -> float:
    """What the entropy adds to J under the uniform policy, which has the most."""
    return tau * sum(math.log(int(count)) for count in mdp.actions) / (1 - mdp.gamma)


def acting(mdp: NetworkedMDP, tau: float) -> list[dict[str, Any]]:
    """The values of the rows of ACTING for a spreading process (states 2 s1 + s2, action 1 buys protection).

    For an end agent (the first one) and the middle one (n // 2), unprotected and protected, at each distance to the
    nearest infected agent.

    Raises:
        ValueError: the MDP does not decouple given an autonomous component, or is no spreading process.
    """
    component = autonomous_component(mdp)
    if component is None or not independent_ranks(mdp, component) or set(mdp.states.tolist()) != {4}:
        raise ValueError("acting: this MDP is not allowed; a spreading process")
    policy = exact.optimum(mdp, tau).policy
    values = digits(range(mdp.agents), component.values)
    infected = np.stack([values[:, j] == component.label[j][2] for j in range(mdp.agents)], axis=1)
    rows = []
    for place, agent in (("end", 0), ("middle", mdp.agents // 2)):
        hops = mdp.network.distances_from(agent)
        distances = np.array([hops[j] for j in range(mdp.agents)], dtype=float)
        nearest = np.where(infected, distances, np.inf).min(axis=1)
        for protected in (0, 1):
            own = 2 * infected[:, agent] + protected
            probability = policy[agent][np.arange(len(values)), component.rank[agent][own], 1]
            for distance in np.unique(nearest):
                chosen = probability[nearest == distance]
                rows.append(
                    {
                        "place": place,
                        "protected": ("no", "yes")[protected],
                        "distance": float(distance) if np.isfinite(distance) else math.nan,
                        "states": len(chosen),
                        "acting": math.fsum(chosen) / len(chosen),
                        "least": float(chosen.min()),
                        "most": float(chosen.max()),
                    }
                )
    return rows
