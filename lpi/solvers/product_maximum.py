"""The maximisation of Algorithm 3, line 4: over product policies, of E[Q(s, a)] - tau * sum_i E[log pi_i], state by state.

In one agent's policy, the others' fixed, the maximum is a softmax, so coordinate ascent never decreases the objective.
It is not concave in all of them together, so the ascent starts from several points and the best end is kept.  The same
maximum over all joint policies, a softmax over joint actions, bounds it from above: the gap between them certifies the
result.  The gap is 0 where Q is a sum over agents and where tau = 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lpi.elementary import exp, log
from lpi.kernels import njit

_SWEEPS = 2000  # of coordinate ascent from one start
_VERTICES = 8  # joint actions, local maxima of Q, that the ascent starts from


class ProductMaximum(NamedTuple):
    """The best product policy found in each state."""

    policy: np.ndarray  # (states, sum of |A_i|)
    value: np.ndarray  # (states,) its objective
    bound: np.ndarray  # (states,) an upper bound of the objective: the joint softmax
    change: float  # largest gain of a last sweep, at most the tolerance unless the sweeps ran out


def product_maximum(
    q: np.ndarray, actions: np.ndarray, tau: float, start: np.ndarray, tolerance: float
) -> ProductMaximum:
    """Maximise over product policies in every state.

    Args:
        q: shape (states, joint actions), agent n - 1's action fastest.
        actions: (n,) int64, |A_i|.
        tau: entropy weight; 0: the best joint action.
        start: a product policy (states, sum of |A_i|); the result is at least as good.
        tolerance: an ascent ends when a sweep over the agents gains no more.
    """
    policy, value, bound = np.zeros_like(start), np.empty(len(q)), np.empty(len(q))
    if tau == 0:
        _greedy(q, actions, policy, value)
        return ProductMaximum(policy, value, value.copy(), 0.0)
    change = _maximize(q, actions, tau, start, tolerance, policy, value, bound)
    return ProductMaximum(policy, value, bound, change)


def joint_maximum(q: np.ndarray, tau: float) -> np.ndarray:
    """max over all joint policies of E[Q(s, a)] + tau * entropy, shape (states,)."""
    result = np.empty(len(q))
    _soft_maxima(q, tau, result)
    return result


@njit(cache=True, error_model="numpy")
def _greedy(q, actions, policy, value):
    for s in range(len(q)):
        a = q[s].argmax()
        value[s] = q[s, a]
        _vertex(a, actions, policy[s])


@njit(cache=True, error_model="numpy")
def _soft_maxima(q, tau, result):
    for s in range(len(q)):
        result[s] = _soft_maximum(q[s], tau)


@njit(error_model="numpy")
def _soft_maximum(q, tau):
    top = q.max()
    if tau == 0:
        return top
    total = 0.0
    for a in range(len(q)):
        total += exp((q[a] - top) / tau)
    return top + tau * log(total)


@njit(cache=True, error_model="numpy")
def _maximize(q, actions, tau, start, tolerance, policy, value, bound):
    """Fills `policy`, `value` and `bound`; returns the largest gain of a last sweep."""
    work = np.empty((2, q.shape[1]))
    trial = np.empty(start.shape[1])
    largest = 0.0
    for s in range(len(q)):
        bound[s] = _soft_maximum(q[s], tau)
        value[s] = -np.inf
        change = 0.0
        vertices = 0
        at = 0
        for attempt in range(2 + _VERTICES):
            if attempt == 0:
                trial[:] = start[s]
            elif attempt == 1:
                _marginals(q[s], actions, tau, trial)
            else:
                at = _next_peak(q[s], actions, at)
                if at < 0:
                    break
                trial[:] = 0.0
                _vertex(at, actions, trial)
                at += 1
                vertices += 1
            reached, gain = _ascend(q[s], actions, tau, trial, tolerance, work)
            if reached > value[s]:
                value[s], change = reached, gain
                policy[s] = trial
            if bound[s] - value[s] <= tolerance:
                break
        largest = max(largest, change)
    return largest


@njit(error_model="numpy")
def _ascend(q, actions, tau, policy, tolerance, work):
    """Coordinate ascent from `policy`, in place; returns the objective and the last sweep's gain."""
    value, gain = -np.inf, np.inf
    left, right = work[0], work[1]
    for _ in range(_SWEEPS):
        # left: Q averaged over the agents that this sweep has been through; right: over the later ones too
        left[:] = q
        size, begin, entropy = len(q), 0, 0.0
        for i in range(len(actions)):
            count = actions[i]
            right[:size] = left[:size]
            rest, end = size, len(policy)
            for j in range(len(actions) - 1, i, -1):
                rest //= actions[j]
                end -= actions[j]
                for x in range(rest):
                    total = 0.0
                    for a in range(actions[j]):
                        total += policy[end + a] * right[x * actions[j] + a]
                    right[x] = total
            entropy += _softmax(right[:count], tau, policy[begin : begin + count])
            size //= count
            for x in range(size):
                total = 0.0
                for a in range(count):
                    total += policy[begin + a] * left[a * size + x]
                left[x] = total
            begin += count
        reached = left[0] + tau * entropy
        gain = reached - value
        value = reached
        if gain <= tolerance:
            break
    return value, max(gain, 0.0)


@njit(error_model="numpy")
def _softmax(q, tau, policy):
    """Fills `policy`; returns its entropy."""
    top = q.max()
    total, mean = 0.0, 0.0
    for a in range(len(q)):
        x = (q[a] - top) / tau
        policy[a] = exp(x)
        total += policy[a]
        mean += policy[a] * x if policy[a] > 0 else 0.0
    policy /= total
    return log(total) - mean / total


@njit(error_model="numpy")
def _marginals(q, actions, tau, policy):
    """The agents' marginals of the softmax over joint actions."""
    top, total = q.max(), 0.0
    policy[:] = 0.0
    for a in range(len(q)):
        weight = exp((q[a] - top) / tau)
        total += weight
        code, end = a, len(policy)
        for i in range(len(actions) - 1, -1, -1):
            end -= actions[i]
            policy[end + code % actions[i]] += weight
            code //= actions[i]
    policy /= total


@njit(error_model="numpy")
def _vertex(a, actions, policy):
    """Adds the joint action `a` as a policy."""
    end = len(policy)
    for i in range(len(actions) - 1, -1, -1):
        end -= actions[i]
        policy[end + a % actions[i]] = 1.0
        a //= actions[i]


@njit(error_model="numpy")
def _next_peak(q, actions, begin):
    """The first joint action from `begin` on that no single agent can improve on, or -1."""
    for a in range(begin, len(q)):
        stride, peak = 1, True
        for i in range(len(actions) - 1, -1, -1):
            own = a // stride % actions[i]
            for b in range(actions[i]):
                if q[a + (b - own) * stride] > q[a]:
                    peak = False
            stride *= actions[i]
        if peak:
            return a
    return -1
