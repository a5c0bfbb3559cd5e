"""Whether an experiment meets the hypotheses of the theorems, and by how much it misses them."""

from __future__ import annotations

import math
from typing import NamedTuple

import networkx as nx
import numpy as np

from lpi import theory
from lpi.config import TrainingConfig
from lpi.mdp import NetworkedMDP
from lpi.theory import bounds
from lpi.theory.coupling import interaction
from lpi.theory.dense import DenseModel, uniform_policy

LARGEST_CHAIN = 512
"""Joint states up to which irreducibility is decided by looking at all of them."""


class Hypothesis(NamedTuple):
    """One hypothesis of a theorem: `value` must be `relation` `limit`; NaN where there is no such number."""

    theorem: str
    name: str
    relation: str  # "<", ">", ">=", "="; "" where there are no numbers
    limit: float
    value: float
    met: bool | None  # None: not decided, or not defined
    note: str = ""

    @property
    def excess(self) -> float:
        """How far the value lies on the wrong side of the limit (negative: on the right side by as much)."""
        if self.relation == "=":
            return abs(self.value - self.limit)
        return self.limit - self.value if self.relation in (">", ">=") else self.value - self.limit


def hypotheses(mdp: NetworkedMDP, training: TrainingConfig) -> list[Hypothesis]:
    """Those of Theorems 1, 2, 5 and 6, of Lemma 9 and of Assumption 1, for an MDP and the settings of its training."""
    r_bar, actions, coupling = mdp.reward_bound, int(mdp.actions.max()), interaction(mdp)
    found = []
    for theorem in ("Theorem 1", "Theorem 6", "Theorem 2"):
        constants = bounds.constants(theorem, r_bar, mdp.gamma, training.tau, mdp.agents, actions, coupling.rows)
        found += [
            _compare(theorem, "gamma", "<", bounds.LARGEST_GAMMA, mdp.gamma),
            _least_tau(theorem, constants, training.tau, r_bar, actions),
            _compare(theorem, "sup_i sum_j C_ij", "<", bounds.LARGEST_INTERACTION, coupling.rows),
            _compare(
                theorem, "sup_j sum_i C_ij", "<", bounds.LARGEST_INTERACTION, _columns(mdp),
                "not stated, but Definition 1 and the proofs need it",
            ),
            _compare(theorem, "smallest reward", ">=", 0.0, min(float(r.min()) for r in mdp.rewards)),
            _compare(theorem, "mu", ">", 0.0, constants.mu, "Definition 1 has mu > 0"),
        ]  # fmt: skip
    started, *evaluation = of_training(training)
    return [*found, *_of_parameters(mdp, training, coupling.rows), started, _assumption_1(mdp), *evaluation]


def of_training(training: TrainingConfig) -> list[Hypothesis]:
    """What Theorem 2 asks of the inner loop and Theorem 5 of localized TD(0), whatever the MDP."""
    evaluation = "Theorem 5"
    return [
        _word("Theorem 2", "inner loop starts from the uniform policy", training.inner_start == "uniform"),
        _word(evaluation, "step size H / (t + t0)", training.step_schedule == "decaying"),
        _compare(evaluation, "t0 / H", ">=", 4, training.step_t0 / training.step_h)
        if training.step_schedule == "decaying"
        else _word(evaluation, "t0 >= 4 H", None),
        _word(evaluation, "one trajectory", training.episode_length is None),
        _word(evaluation, "Q starts from zero in every call", (training.q_start, training.q_reset) == ("zero", "every_loop")),
    ]  # fmt: skip


def closed_values(mdp: NetworkedMDP) -> list[np.ndarray] | None:
    """Local values per agent (bool arrays) that no action ever leaves together, fewer than all; None if none is found.

    Grown from "everyone in local state k" for each k; seen in the local tables, whatever the number of agents.
    """
    around = mdp.network.neighbourhoods(1)
    for start in range(int(mdp.states.min())):
        values = [np.arange(int(size)) == start for size in mdp.states]
        grown = True
        while grown:
            grown = False
            for i, table in enumerate(mdp.transitions):
                reached = table[np.ix_(*(np.flatnonzero(values[j]) for j in around[i]))]
                after = values[i] | (reached > 0).any(axis=tuple(range(reached.ndim - 1)))
                grown, values[i] = grown or (after != values[i]).any(), after
        if not all(held.all() for held in values):
            return values
    return None


def irreducible(mdp: NetworkedMDP) -> bool | None:
    """Whether some policy makes the chain of joint states irreducible and aperiodic (Assumption 1); None: undecided.

    A policy that takes every action now and then reaches whatever any policy reaches, so one chain decides.
    """
    if all((table > 0).all() for table in mdp.transitions):
        return True
    if closed_values(mdp) is not None:
        return False
    if mdp.joint_states > LARGEST_CHAIN:
        return None
    reached = DenseModel(mdp).chain(uniform_policy(mdp)) > 0
    graph = nx.from_numpy_array(reached, create_using=nx.DiGraph)
    return nx.is_strongly_connected(graph) and nx.is_aperiodic(graph)


def _compare(theorem: str, name: str, relation: str, limit: float, value: float, note: str = "") -> Hypothesis:
    if math.isnan(limit) or math.isnan(value):
        return Hypothesis(theorem, name, relation, limit, value, None, note or "undefined for gamma >= 0.8")
    met = {"<": value < limit, ">": value > limit, ">=": value >= limit, "=": value == limit}[relation]
    return Hypothesis(theorem, name, relation, float(limit), float(value), bool(met), note)


def _least_tau(theorem: str, constants: bounds.Constants, tau: float, r_bar: float, actions: int) -> Hypothesis:
    if math.isnan(constants.least_tau):
        least = bounds.FACTOR[theorem] * r_bar * actions**2 * math.e
        note = "undefined for gamma >= 0.8; the limit is that at gamma = 0, where it is lowest"
        return Hypothesis(theorem, "tau", ">=", least, tau, False if tau < least else None, note)
    return _compare(theorem, "tau", ">=", constants.least_tau, tau)


def _columns(mdp: NetworkedMDP) -> float:
    return float(theory.transition_influence(mdp).sum(axis=0).max())


def _of_parameters(mdp: NetworkedMDP, training: TrainingConfig, rows: float) -> list[Hypothesis]:
    """What Theorem 2 asks of the algorithm's parameters, with localized TD(0)'s c_pe."""
    kappa, theorem, gamma = training.kappa, "Theorem 2", mdp.gamma
    found = bounds.constants(theorem, mdp.reward_bound, gamma, training.tau, mdp.agents, int(mdp.actions.max()), rows)
    beta = steps = math.nan
    if found.mu > 0:
        c_pe = bounds.td_exactness(found.nu_q, gamma)
        beta = bounds.theorem_2_beta(found.nu_q, found.mu, kappa, c_pe, theory.neighbourhood_size(mdp, kappa))
        steps = bounds.theorem_2_inner_steps(found.nu_q, found.mu, kappa, c_pe)
    undefined = "" if found.mu > 0 else "undefined without mu > 0"
    used = kappa if training.beta is None else training.beta
    eta = 1 / training.tau if training.tau > 0 else math.inf
    # Algorithm 1 makes p_max + 1 updates
    return [
        _compare(
            theorem,
            "kappa",
            ">=",
            1,
            kappa,
            "section 3.1; section 6 also runs kappa = 0, where the proof's bound on sigma fails",
        ),
        _compare(theorem, "eta", "=", eta, training.eta),
        _compare(theorem, "beta", ">=", beta, used, undefined),
        _compare(theorem, "p_max", ">=", steps, training.inner_steps - 1, undefined),
    ]


def _assumption_1(mdp: NetworkedMDP) -> Hypothesis:
    met = irreducible(mdp)
    note = ""
    if met is False:
        held = closed_values(mdp)
        kept = None if held is None else math.prod(int(values.sum()) for values in held)
        note = "some joint states are never reached again" if kept is None else (
            f"{kept} of {mdp.joint_states} joint states are never left once entered"
        )  # fmt: skip
    return _word("Theorem 5", "Assumption 1: an irreducible, aperiodic chain", met, note)


def _word(theorem: str, name: str, met: bool | None, note: str = "") -> Hypothesis:
    return Hypothesis(theorem, name, "", math.nan, math.nan, met, note)
