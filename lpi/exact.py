"""Exact values, the centralised optimum and the best kappa-hop policies: the public face of the exact solvers.

`evaluate` (lpi.solvers.joint_values) is (2)-(6) of a policy, `occupancy` (lpi.solvers.adjoint) its discounted state distribution,
`policy_iteration` (lpi.solvers.iteration) Algorithm 3, `optimum` the centralised optimum, `best_local` (lpi.solvers.local_optimum) the
best kappa-hop policy found.
"""

from __future__ import annotations

import math

from lpi.mdp import NetworkedMDP
from lpi.memory import EXACT_LIMIT
from lpi.solvers.adjoint import occupancy
from lpi.solvers.decoupled import Solution, decoupled_problem
from lpi.solvers.iteration import joint_optimum, policy_iteration
from lpi.solvers.joint_values import Evaluation, Evaluator, evaluate, fits
from lpi.solvers.local_optimum import LocalOptimum, best_local, best_local_up_to, lifted, truncated_optimum

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
    "policy_iteration",
    "truncated_optimum",
]


def optimum(mdp: NetworkedMDP, tau: float, tolerance: float = 1e-9, memory_limit: int = EXACT_LIMIT) -> Solution:
    """The centralised optimum of (2) and its J under rho; tau = 0 is allowed.

    From n small problems where the MDP decouples given an autonomous component (`lpi.solvers.decoupled`), elsewhere by
    Algorithm 3 on the joint states (`lpi.solvers.iteration`).  `Solution.method` says which, and `Solution.error_bound` how far
    the optimum may be above; with the second method that includes the distance to an upper bound, the best joint policy.
    `memory_limit` (bytes) is the second method's; the first has `lpi.memory.EXACT_LIMIT`.

    Raises:
        ValueError: a negative tau, or neither method fits in memory.
    """
    if not 0 <= tau < math.inf:
        raise ValueError(f"tau: {tau} is not allowed; a number >= 0")
    problem = decoupled_problem(mdp)
    return joint_optimum(mdp, tau, tolerance, memory_limit) if problem is None else problem.optimum(tau, tolerance)
