"""Soft policy improvement: the aggregated Q function (11) and the multiplicative weights update (12).

Both read tables only.  Adding to some Q_j a function of the state alone changes nothing here: it cancels in the
normalisation Z of (12).  Line 6 of Algorithm 2 does just that, since beta >= kappa or not, its correction does not
depend on an action; so this module takes the Q tables as TD(0) leaves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from lpi.elementary import exp, log
from lpi.evaluation import QTables, policy_row_offsets
from lpi.mdp import NetworkedMDP
from lpi.network import LocalIndex, digits, extended_index


_LANES = 32  # rows worked on together: vectorised, and a block of the largest table stays in the cache


class ImprovementPlan(NamedTuple):
    """Where (11) and (12) read, for every agent: computed once a run.

    Pairs are the (i, j) with j in N_i^kappa, in order; pair p of agent i runs over ``start[i]..start[i + 1]``.  The
    joint actions of N_i^kappa are ordered with those of the others first (ascending) and a_i last.
    """

    start: np.ndarray  # (n + 1,) int64
    member: np.ndarray  # (pairs,) int64, the j of each pair
    rows: np.ndarray  # (n,) int64, joint states of N_i^kappa
    combinations: np.ndarray  # (n,) int64, joint actions of N_i^kappa
    actions: np.ndarray  # (n,) int64, |A_i|
    state_start: np.ndarray  # (pairs,) int64 into q_base and policy_base
    q_base: np.ndarray  # int64, per pair and row of i: Q_j's entry of the extended state at joint action 0
    policy_base: np.ndarray  # int64, per pair and row of i: where pi_j(. | extended state) begins in the flat policy
    action_start: np.ndarray  # (pairs,) int64 into q_action
    q_action: np.ndarray  # int64, per pair and joint action of i: what the extended action adds to Q_j's entry
    policy_offset: np.ndarray  # (n,) int64 into the flat policy
    table_offset: np.ndarray  # (n + 1,) int64 into the aggregated tables


def improvement_plan(
    mdp: NetworkedMDP,
    policy_states: LocalIndex,
    kappa: int,
    beta: int,
    q: QTables,
    default_state: Sequence[int],
    default_action: Sequence[int],
) -> ImprovementPlan:
    """Plan for kappa-hop policies and beta-hop Q tables; the defaults (Definition 6) have one entry per agent."""
    inner, outer = mdp.network.neighbourhoods(kappa), mdp.network.neighbourhoods(beta)
    offsets = policy_row_offsets(policy_states, mdp.actions)
    member, q_base, policy_base, q_action, combinations = [], [], [], [], []
    for i, around in enumerate(inner):
        others = [j for j in around if j != i] + [i]
        combinations.append(len(digits(others, mdp.actions)))
        for j in around:
            member.append(j)
            state = extended_index(around, outer[j], mdp.states, default_state)
            q_base.append(q.offset[j] + state * q.actions.size[j])
            row = extended_index(around, inner[j], mdp.states, default_state)
            policy_base.append(offsets[j] + row * mdp.actions[j])
            q_action.append(extended_index(others, outer[j], mdp.actions, default_action))
    sizes = [len(around) for around in inner]
    combinations = np.array(combinations, dtype=np.int64)
    return ImprovementPlan(
        start=np.concatenate(([0], np.cumsum(sizes))),
        member=np.array(member, dtype=np.int64),
        rows=policy_states.size,
        combinations=combinations,
        actions=mdp.actions,
        state_start=_starts(q_base),
        q_base=np.concatenate(q_base),
        policy_base=np.concatenate(policy_base),
        action_start=_starts(q_action),
        q_action=np.concatenate(q_action),
        policy_offset=offsets,
        table_offset=np.concatenate(([0], np.cumsum(policy_states.size * combinations))),
    )


def aggregated_q(plan: ImprovementPlan, q: QTables) -> np.ndarray:
    """(11): Q^i(a_i, a_{N_i^kappa / i}, s_{N_i^kappa}) of all agents, flat; agent i's block is (rows, combinations)."""
    table = np.zeros(plan.table_offset[-1])
    _aggregate(plan, q.values, table)
    return table


def multiplicative_weights(
    plan: ImprovementPlan, table: np.ndarray, log_policy: np.ndarray, eta: float, tau: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """`steps` simultaneous updates (12) of every agent.

    Args:
        plan: from `improvement_plan`.
        table: from `aggregated_q`.
        log_policy: log of the flat policy to start from (line 9); not changed.
        eta: step size, eta * tau <= 1.
        tau: entropy weight.
        steps: number of updates.

    Returns:
        The new policy and its logarithm, flat.
    """
    current, following = log_policy.copy(), np.empty_like(log_policy)
    policy, next_policy = np.empty_like(log_policy), np.empty_like(log_policy)
    _exponentiate(current, policy)
    scratch = np.empty(int(plan.combinations.max()) * _LANES)
    weights = np.empty((int(plan.actions.max()), _LANES))
    for _ in range(steps):
        _update(plan, table, current, policy, following, next_policy, eta, tau, scratch, weights)
        current, following = following, current
        policy, next_policy = next_policy, policy
    return policy, current


def _starts(parts) -> np.ndarray:
    return np.cumsum([0] + [len(part) for part in parts[:-1]], dtype=np.int64)


@njit(cache=True)
def _exponentiate(logs, values):
    for k in range(len(logs)):
        values[k] = exp(logs[k])


@njit(cache=True, error_model="numpy")
def _aggregate(plan, values, table):
    n = len(plan.rows)
    for i in range(n):
        width = plan.combinations[i]
        for row in range(plan.rows[i]):
            first_row = row - row % _LANES
            lanes = min(_LANES, plan.rows[i] - first_row)
            begin = plan.table_offset[i] + first_row * width + row - first_row
            for pair in range(plan.start[i], plan.start[i + 1]):
                base = plan.q_base[plan.state_start[pair] + row]
                first = plan.action_start[pair]
                for k in range(width):
                    entry = base + plan.q_action[np.uint64(first + k)]
                    table[np.uint64(begin + k * lanes)] += values[np.uint64(entry)]
            for k in range(width):
                table[np.uint64(begin + k * lanes)] /= n


@njit(cache=True, error_model="numpy")
def _update(plan, table, current, policy, following, next_policy, eta, tau, scratch, weights):
    for i in range(len(plan.rows)):
        width = plan.combinations[i]
        for first_row in range(0, plan.rows[i], _LANES):
            lanes = min(_LANES, plan.rows[i] - first_row)
            begin = plan.table_offset[i] + first_row * width
            remaining = width
            scratch[: width * lanes] = table[begin : begin + width * lanes]
            for pair in range(plan.start[i], plan.start[i + 1]):
                j = plan.member[pair]
                if j == i:
                    continue
                choices = plan.actions[j]
                base = plan.state_start[pair] + first_row
                for r in range(lanes):
                    at = plan.policy_base[base + r]
                    for a in range(choices):
                        weights[a, r] = policy[at + a]
                remaining //= choices
                _expect(weights, choices, remaining, lanes, scratch)
            at = plan.policy_offset[i] + first_row * plan.actions[i]
            _reweight(plan.actions[i], lanes, at, scratch, current, following, next_policy, eta, tau)


@njit(error_model="numpy")
def _expect(weights, choices, remaining, lanes, scratch):
    """Expectation over the slowest action, in place: what a pass overwrites has been read."""
    for k in range(remaining):
        here = k * lanes
        for r in range(lanes):
            scratch[np.uint64(here + r)] *= weights[0, np.uint64(r)]
        for a in range(1, choices):
            there = (a * remaining + k) * lanes
            for r in range(lanes):
                scratch[np.uint64(here + r)] += weights[a, np.uint64(r)] * scratch[np.uint64(there + r)]


@njit(error_model="numpy")
def _reweight(count, lanes, begin, score, current, following, next_policy, eta, tau):
    """(12) for the rows of one block: score[a * lanes + r] is E[Q^i(a, .)] in row r."""
    for r in range(lanes):
        at = begin + r * count
        top = -np.inf
        for a in range(count):
            logit = (1.0 - eta * tau) * current[at + a] + eta * score[a * lanes + r]
            following[at + a] = logit
            top = max(top, logit)
        total = 0.0
        for a in range(count):
            next_policy[at + a] = exp(following[at + a] - top)
            total += next_policy[at + a]
        shift = top + log(total)
        for a in range(count):
            next_policy[at + a] /= total
            following[at + a] -= shift
