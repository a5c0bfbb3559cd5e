"""Soft policy improvement: the aggregated Q function (11) and the multiplicative weights update (12).

Adding to Q^i a function of the state and of the others' actions changes nothing here: it cancels in the normalisation Z
of (12).  Line 6 of Algorithm 2 adds a function of the state to every Q_j, so this module may take the Q tables as TD(0)
leaves them.  And of Q^i it keeps only the gains Q^i(a_i, .) - Q^i(0, .) for a_i > 0: the table has |A_i| - 1 parts
instead of |A_i|, and a Q_j that does not take a_i adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lpi.elementary import exp, log
from lpi.evaluation import QTables, policy_row_offsets
from lpi.kernels import njit
from lpi.mdp import NetworkedMDP
from lpi.network import LocalIndex, extended_index

_LANES = 64  # rows worked on together: vectorised, and a block of a large table stays in the cache


class Sums(NamedTuple):
    """In what order (11) is summed, and where the terms are read.

    Q_j takes N_j^beta and is needed on N_i^kappa, so it varies with what these sets have in common alone.  The terms
    of agent i are therefore summed on such sets, small ones first; a finished sum goes into the next set that contains
    it; the last set of i is N_i^kappa.  The sources of a set are what it adds up: Q tables and sums.  Every set of i
    contains i; its combinations are the joint actions of its other agents.  A sum has the layout (rows, |A_i| - 1,
    combinations).
    """

    set_start: np.ndarray  # (n + 1,) int64: the sets of each agent
    rows: np.ndarray  # (sets,) int64, joint states of the set
    combinations: np.ndarray  # (sets,) int64
    offset: np.ndarray  # (sets,) int64: where its sum begins among those of agent i
    source_start: np.ndarray  # (sets + 1,) int64: the sources of each set
    is_q: np.ndarray  # (sources,) bool: a Q table, not a sum
    step: np.ndarray  # (sources,) int64: from the entry of a_i to that of a_i + 1
    row_start: np.ndarray  # (sources,) int64 into row_at
    row_at: np.ndarray  # int64, per source and row of its set: its entry for this row and actions 0
    action_start: np.ndarray  # (sources,) int64 into action_at
    action_at: np.ndarray  # int64, per source and combination of its set: what these actions add to that, a_i = 0


class ImprovementPlan(NamedTuple):
    """Where (11) and (12) read, for every agent: computed once a run."""

    sums: Sums
    rows: np.ndarray  # (n,) int64, joint states of N_i^kappa
    actions: np.ndarray  # (n,) int64, |A_i|
    width: np.ndarray  # (n,) int64, |A_i| - 1 times the joint actions of N_i^kappa without i
    table_offset: np.ndarray  # (n + 1,) int64 into the aggregated tables
    policy_offset: np.ndarray  # (n,) int64 into the flat policy
    other_start: np.ndarray  # (n + 1,) int64 into other
    other: np.ndarray  # int64, per agent i the j in N_i^kappa, j != i, that have a choice, descending
    policy_start: np.ndarray  # int64, per i and j as in other, into policy_row
    policy_row: (
        np.ndarray
    )  # uint32 (int64 where too short), per i, j and row of i: the row of pi_j at the extended state


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
    inner = mdp.network.neighbourhoods(kappa)
    others = [[j for j in reversed(around) if j != i and mdp.actions[j] > 1] for i, around in enumerate(inner)]
    width = np.array([_count(mdp.actions, js) for js in others], dtype=np.int64) * (mdp.actions - 1)
    pairs = [(i, j) for i, js in enumerate(others) for j in js]
    start, row = _packed([extended_index(inner[i], inner[j], mdp.states, default_state) for i, j in pairs])
    row = row.astype(np.uint32) if policy_states.size.max() < 2**32 else row
    return ImprovementPlan(
        sums=_sums(mdp, inner, mdp.network.neighbourhoods(beta), q, default_state, default_action),
        rows=policy_states.size,
        actions=mdp.actions,
        width=width,
        table_offset=_ends(policy_states.size * width),
        policy_offset=policy_row_offsets(policy_states, mdp.actions),
        other_start=_ends([len(js) for js in others]),
        other=np.array([j for _, j in pairs], dtype=np.int64),
        policy_start=start,
        policy_row=row,
    )


def aggregated_q(plan: ImprovementPlan, q: QTables) -> np.ndarray:
    """(11) for all agents: the gains Q^i(a_i, a_others, s) - Q^i(0, a_others, s), a_i > 0, flat.

    The part of agent i consists of blocks of _LANES rows s_{N_i^kappa}, the last one shorter; the shape of a block is
    (|A_i| - 1, joint actions of N_i^kappa without i, rows of the block).
    """
    table = np.empty(plan.table_offset[-1])
    partial = np.empty(plan.sums.offset.max())  # the last set of an agent is not kept there
    _aggregate(plan, q.values, partial, table)
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
    policy, logs = np.empty_like(log_policy), np.empty_like(log_policy)
    _updates(plan, table, log_policy, 1.0 - eta * tau, eta, steps, policy, logs)
    return policy, logs


def _sums(mdp: NetworkedMDP, inner, outer, q: QTables, default_state, default_action) -> Sums:
    """From the kappa- and the beta-hop neighbourhoods."""
    set_start: list[int] = [0]
    sets: list[tuple[int, int, int, int]] = []
    sources: list[tuple[bool, Any, np.ndarray, np.ndarray]] = []  # is_q, step, row_at, action_at
    for i, around in enumerate(inner):
        offset = 0
        finished: list[tuple[tuple[int, ...], int]] = []
        for members, tables in _sets(i, around, outer):
            others = _without(i, members)
            rows, combinations = _count(mdp.states, members), _count(mdp.actions, others)
            sets.append((rows, combinations, offset, len(sources)))
            for j in tables:
                state = extended_index(members, outer[j], mdp.states, default_state)
                action = extended_index([i, *others], outer[j], mdp.actions, default_action)
                step = q.actions.strides[q.actions.start[j] + outer[j].index(i)]
                sources.append((True, step, q.offset[j] + state * q.actions.size[j], action[:combinations]))
            for held, begin in [item for item in finished if set(item[0]) <= set(members)]:
                finished.remove((held, begin))
                state = extended_index(members, held, mdp.states, default_state)
                action = extended_index([i, *others], _without(i, held), mdp.actions, default_action)
                step = _count(mdp.actions, _without(i, held))
                read_at = begin + state * step * (int(mdp.actions[i]) - 1) - step  # a sum begins with a_i = 1
                sources.append((False, step, read_at, action[:combinations]))
            finished.append((members, offset))
            offset += rows * combinations * (int(mdp.actions[i]) - 1)
        set_start.append(len(sets))
    rows, combinations, offsets, source_start = np.array(sets, dtype=np.int64).T.copy()
    is_q, step, row_at, action_at = zip(*sources, strict=True)
    return Sums(
        np.array(set_start), rows, combinations, offsets, np.append(source_start, len(sources)), np.array(is_q),
        np.array(step, dtype=np.int64), *_packed(row_at), *_packed(action_at),
    )  # fmt: skip


def _sets(i: int, around: tuple[int, ...], outer) -> list[tuple[tuple[int, ...], list[int]]]:
    """What N_j^beta has in common with N_i^kappa, `around`, if it contains i: sets with their j's, subsets first.

    The last set is N_i^kappa with j = i, whatever beta is.
    """
    sets = {around: [i]}
    for j in _without(i, around):
        if i in outer[j]:
            sets.setdefault(tuple(k for k in around if k in outer[j]), []).append(j)
    return sorted(sets.items(), key=lambda item: len(item[0]))


def _without(i: int, members: Sequence[int]) -> list[int]:
    return [j for j in members if j != i]


def _count(values: np.ndarray, members: Sequence[int]) -> int:
    """Number of joint values of some agents."""
    return int(np.prod(values[list(members)]))


def _ends(sizes) -> np.ndarray:
    """0, and where each of several parts ends."""
    return np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))


def _packed(parts) -> tuple[np.ndarray, np.ndarray]:
    """Where each part begins, and all parts one after another."""
    return _ends([len(part) for part in parts])[:-1], np.concatenate([np.empty(0, dtype=np.int64), *parts])


@njit(cache=True, error_model="numpy")
def _aggregate(plan, values, partial, table):
    sums = plan.sums
    block = np.empty(plan.width.max() * _LANES)
    share = 1.0 / len(plan.rows)
    for i in range(len(plan.rows)):
        last = sums.set_start[i + 1] - 1
        for held in range(sums.set_start[i], last + 1):
            width = sums.combinations[held] * (plan.actions[i] - 1)
            for first_row in range(0, sums.rows[held], _LANES):
                lanes = min(_LANES, sums.rows[held] - first_row)
                target, begin = (block, 0) if held == last else (partial, sums.offset[held] + first_row * width)
                target[begin : begin + lanes * width] = 0.0
                for source in range(sums.source_start[held], sums.source_start[held + 1]):
                    combinations = sums.combinations[held]
                    _add(sums, source, first_row, lanes, plan.actions[i], combinations, values, partial, target, begin)
                if held == last:
                    to = plan.table_offset[i] + first_row * width
                    for k in range(width):
                        for r in range(lanes):
                            table[np.uint64(to + k * lanes + r)] = block[np.uint64(r * width + k)] * share


@njit(error_model="numpy")
def _add(sums, source, first_row, lanes, actions, combinations, values, partial, target, begin):
    """Add the gains that a source holds for some rows, in the layout (rows, |A_i| - 1, combinations)."""
    action_at = sums.action_at
    first = sums.action_start[source]
    for r in range(lanes):
        base = sums.row_at[sums.row_start[source] + first_row + r]
        for a in range(1, actions):
            gain = a * sums.step[source]
            if sums.is_q[source]:
                for k in range(combinations):
                    at = base + action_at[np.uint64(first + k)]
                    target[np.uint64(begin + k)] += values[np.uint64(at + gain)] - values[np.uint64(at)]
            else:
                for k in range(combinations):
                    at = base + gain + action_at[np.uint64(first + k)]
                    target[np.uint64(begin + k)] += partial[np.uint64(at)]
            begin += combinations


@njit(cache=True, error_model="numpy")
def _updates(plan, table, log_policy, keep, eta, steps, new_policy, new_logs):
    logits, policy = np.empty_like(log_policy), np.empty_like(log_policy)
    total = np.empty(plan.rows.sum())
    _transpose(plan, log_policy, plan.rows, plan.actions, logits)
    _softmax(plan, logits, policy, total)
    for _ in range(steps):
        _step(plan, table, policy, keep, eta, logits)
        _softmax(plan, logits, policy, total)
    _normalise(plan, total, logits)
    _transpose(plan, policy, plan.actions, plan.rows, new_policy)
    _transpose(plan, logits, plan.actions, plan.rows, new_logs)


@njit(error_model="numpy")
def _transpose(plan, values, heights, widths, result):
    """Each agent's (height, width) part of a flat policy turned into (width, height), along the longer side."""
    for i in range(len(heights)):
        begin, height, width = plan.policy_offset[i], heights[i], widths[i]
        if height < width:
            for row in range(height):
                at, to = begin + row * width, begin + row
                for column in range(width):
                    result[np.uint64(to + column * height)] = values[np.uint64(at + column)]
        else:
            for column in range(width):
                at, to = begin + column, begin + column * height
                for row in range(height):
                    result[np.uint64(to + row)] = values[np.uint64(at + row * width)]


@njit(error_model="numpy")
def _step(plan, table, policy, keep, eta, logits):
    """The numerator of (12), as its logarithm; logits and policy have the layout (|A_i|, rows)."""
    half = plan.width.max() * _LANES
    work = np.empty(2 * half)
    weights = np.empty(max(2, plan.actions.max()) * _LANES)
    for i in range(len(plan.rows)):
        rows, last = plan.rows[i], plan.other_start[i + 1]
        for first_row in range(0, rows, _LANES):
            lanes = min(_LANES, rows - first_row)
            width, source = plan.width[i], table
            at, to, pair = plan.table_offset[i] + first_row * width, 0, plan.other_start[i]
            while pair < last:
                actions = _weigh(plan, policy, pair, first_row, lanes, weights, 0)
                if actions == 2 and pair + 1 < last and plan.actions[plan.other[pair + 1]] == 2:
                    _weigh(plan, policy, pair + 1, first_row, lanes, weights, lanes)
                    width //= 4
                    _expect_two(weights, width, lanes, source, at, work, to)
                    pair += 2
                else:
                    width //= actions
                    _expect(weights, actions, width, lanes, source, at, work, to)
                    pair += 1
                at, to, source = to, half - to, work
            for a in range(plan.actions[i]):
                own = plan.policy_offset[i] + a * rows + first_row
                for r in range(lanes):
                    logits[np.uint64(own + r)] = keep * logits[np.uint64(own + r)] if keep > 0.0 else 0.0  # 0^0 = 1
                if a > 0:
                    first = at + (a - 1) * lanes
                    for r in range(lanes):
                        logits[np.uint64(own + r)] += eta * source[np.uint64(first + r)]


@njit(error_model="numpy")
def _weigh(plan, policy, pair, first_row, lanes, weights, to):
    """Probabilities of the actions a > 0 of another agent, (a - 1, lane); returns the number of its actions."""
    j, where = plan.other[pair], plan.policy_start[pair] + first_row
    for a in range(1, plan.actions[j]):
        begin = plan.policy_offset[j] + a * plan.rows[j]
        for r in range(lanes):
            at = np.uint64(begin + plan.policy_row[np.uint64(where + r)])
            weights[np.uint64(to + r)] = policy[at]
        to += lanes
    return plan.actions[j]


@njit(error_model="numpy")
def _expect_two(weights, width, lanes, source, at, target, begin):
    """`_expect` twice, for two agents of two actions each."""
    for k in range(width):
        first, to = at + 4 * k * lanes, begin + k * lanes
        second, third, fourth = first + lanes, first + 2 * lanes, first + 3 * lanes
        for r in range(lanes):
            weight, other = weights[np.uint64(r)], weights[np.uint64(lanes + r)]
            base, next_base = source[np.uint64(first + r)], source[np.uint64(third + r)]
            base += weight * (source[np.uint64(second + r)] - base)
            next_base += weight * (source[np.uint64(fourth + r)] - next_base)
            target[np.uint64(to + r)] = base + other * (next_base - base)


@njit(error_model="numpy")
def _expect(weights, actions, width, lanes, source, at, target, begin):
    """Expectation over the fastest action: the value at action 0 plus the others' gains, weights[a - 1, lane] each."""
    for k in range(width):
        to = begin + k * lanes
        first = at + k * actions * lanes
        second = first + lanes
        for r in range(lanes):
            base = source[np.uint64(first + r)]
            target[np.uint64(to + r)] = base + weights[np.uint64(r)] * (source[np.uint64(second + r)] - base)
        for a in range(2, actions):
            further = first + a * lanes
            weight = (a - 1) * lanes
            for r in range(lanes):
                gain = source[np.uint64(further + r)] - source[np.uint64(first + r)]
                target[np.uint64(to + r)] += weights[np.uint64(weight + r)] * gain


@njit(error_model="numpy")
def _softmax(plan, logits, policy, total):
    """Policy from logits; these lose their largest value, and the logarithm of `total` is what else normalises them."""
    first = 0
    for i in range(len(plan.rows)):
        rows, actions, begin = plan.rows[i], plan.actions[i], plan.policy_offset[i]
        if actions == 2:
            _softmax_of_two(logits, policy, total, begin, rows, first)
            first += rows
            continue
        top = logits[begin : begin + rows].copy()
        for a in range(1, actions):
            for r in range(rows):
                top[r] = max(top[r], logits[np.uint64(begin + a * rows + r)])
        total[first : first + rows] = 0.0
        for a in range(actions):
            at = begin + a * rows
            for r in range(rows):
                logits[np.uint64(at + r)] -= top[r]
                policy[np.uint64(at + r)] = exp(logits[np.uint64(at + r)])
            for r in range(rows):
                total[np.uint64(first + r)] += policy[np.uint64(at + r)]
        for a in range(actions):
            for r in range(rows):
                policy[np.uint64(begin + a * rows + r)] /= total[np.uint64(first + r)]
        first += rows


@njit(error_model="numpy")
def _softmax_of_two(logits, policy, total, begin, rows, first):
    """The same for two actions, with one exponential a row: that of the larger logit is 1."""
    for r in range(rows):
        at, other = np.uint64(begin + r), np.uint64(begin + rows + r)
        top = max(logits[at], logits[other])
        zero, one = logits[at] - top, logits[other] - top
        small = exp(min(zero, one))
        up, down = small if zero < one else 1.0, small if one < zero else 1.0
        whole = up + down
        logits[at], logits[other] = zero, one
        policy[at], policy[other] = up / whole, down / whole
        total[np.uint64(first + r)] = whole


@njit(error_model="numpy")
def _normalise(plan, total, logits):
    """Takes the logarithm of `total`, left in its place, from each logit of a row."""
    for row in range(len(total)):
        total[row] = log(total[row])
    first = 0
    for i in range(len(plan.rows)):
        rows = plan.rows[i]
        for a in range(plan.actions[i]):
            begin = plan.policy_offset[i] + a * rows
            for r in range(rows):
                logits[np.uint64(begin + r)] -= total[np.uint64(first + r)]
        first += rows
