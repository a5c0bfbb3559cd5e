"""Exact values, the centralised optimum and the best kappa-hop policies: the public face of the exact solvers.

`evaluate` (lpi.joint_values) is (2)-(6) of a policy, `occupancy` (lpi.adjoint) its discounted state distribution,
`optimum` the centralised optimum, `best_local` (lpi.local_optimum) the best kappa-hop policy found.
"""

from __future__ import annotations

from lpi.adjoint import occupancy
from lpi.component import autonomous_component, independent_ranks
from lpi.decoupled import DecoupledProblem, Solution
from lpi.joint_values import Evaluation, Evaluator, evaluate, fits
from lpi.local_optimum import LocalOptimum, best_local, best_local_up_to, lifted, truncated_optimum
from lpi.mdp import NetworkedMDP

__all__ = [
    "Evaluation",
    "Evaluator",
    "LocalOptimum",
    "Solution",
    "best_local",
    "best_local_up_to",
    "evaluate",
    "fits",
    "lifted",
    "occupancy",
    "optimum",
    "truncated_optimum",
]


def optimum(mdp: NetworkedMDP, tau: float, tolerance: float = 1e-9) -> Solution:
    """The centralised optimum of (2) and its J under rho, for MDPs that decouple given an autonomous component.

    Raises:
        ValueError: the MDP has no such component, or a negative tau.
    """
    if not tau >= 0:
        raise ValueError(f"tau: {tau} is not allowed; a number >= 0")
    component = autonomous_component(mdp)
    if component is None or not independent_ranks(mdp, component):
        raise ValueError("optimum: this MDP does not decouple given an autonomous component; no method for it yet")
    return DecoupledProblem(mdp, component).optimum(tau, tolerance)
