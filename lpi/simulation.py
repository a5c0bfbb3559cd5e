"""Monte Carlo estimates of J for networks whose joint state space is too large for `lpi.exact`.

What is simulated is not the reward but the advantage over a reference policy whose J is known exactly
(`lpi.reference`); its variance is a small fraction of the reward's.  There are two references, uniform and nearly
optimal.  The difference of the two estimates has mean 0, so any multiple of it may be added: as much as removes most
variance, by a regression on the other half of the episodes, so that the estimate keeps its mean.  Actions enter through
their expectation, not their sample.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lpi.elementary import logarithms
from lpi.evaluation import (
    action_thresholds,
    draw_actions,
    draw_component,
    draw_initial,
    draw_next,
    entropies,
    policy_row_offsets,
)
from lpi.kernels import njit
from lpi.mdp import NetworkedMDP
from lpi.memory import NUMBERS_AT_ONCE, episode_steps
from lpi.policy import LocalPolicy, policy_index
from lpi.reference import Reference, reference

_FEWEST = 16  # episodes in a half below which a regression would add more variance than it removes
_COLLINEAR = 1e-4  # share of a regressor's variance that another must leave of it: else its weight would be large
_ROUNDING = 1e-7  # spread, as a share of the values, that may be no more than that of float32 scores
_EPISODES_AT_ONCE = 64


class Estimate(NamedTuple):
    """J of a policy under rho by simulation, with standard errors."""

    regularized: float
    regularized_se: float
    unregularized: float
    unregularized_se: float
    episodes: int


class Simulator:
    """Monte Carlo evaluation of many kappa-hop policies with the same random numbers.

    Args:
        mdp: the networked MDP.
        kappa: hops of the policies to come.
        episodes: episodes per estimate, at least 2.
        seed: `numpy.random.SeedSequence`; the same one gives the same random numbers for every policy.
        known: `lpi.reference.reference` of the MDP; the nearer its tau to the policies', the smaller the variance.
    """

    def __init__(self, mdp: NetworkedMDP, kappa: int, episodes: int, seed: np.random.SeedSequence, known: Reference):
        if episodes < 2:
            raise ValueError(f"evaluation_episodes: {episodes} is not allowed; an integer >= 2")
        self._mdp, self._kappa, self._episodes, self._seed, self._known = mdp, kappa, episodes, seed, known
        self._index = policy_index(mdp, kappa)
        self._model = mdp.tables()
        self._steps = episode_steps(mdp.gamma)

    def evaluate(self, flat_policy: np.ndarray, tau: float) -> Estimate:
        """J of a flat kappa-hop policy."""
        return estimate(self.samples(flat_policy), tau)

    def samples(self, flat_policy: np.ndarray) -> np.ndarray:
        """One row per episode, shape (episodes, 2): discounted reward, and discounted entropy of all agents.

        What an episode leaves out weighs `lpi.memory.EPISODE_TAIL` of the part that is simulated, in expectation.
        """
        mdp, n = self._mdp, self._mdp.agents
        rng = np.random.default_rng(self._seed)
        excess = entropies(flat_policy, self._index, mdp.actions)
        excess -= np.repeat(logarithms(mdp.actions), self._index.size)
        rows = self._steps + 1 + (len(mdp.rho.weights) > 1)
        sums = np.empty((self._episodes, 4))
        offsets = policy_row_offsets(self._index, mdp.actions)
        thresholds = action_thresholds(flat_policy, self._index, mdp.actions)
        together = max(1, min(_EPISODES_AT_ONCE, NUMBERS_AT_ONCE // (rows * 2 * n)))
        numbers = np.empty((min(together, self._episodes), rows, 2 * n))
        for first in range(0, self._episodes, together):
            block = sums[first : first + together]
            uniforms = rng.random(out=numbers[: len(block)])
            _episodes(self._model, self._known, flat_policy, offsets, thresholds, self._index, excess, uniforms, block)
        sums += self._known.known.ravel()
        return _combined(sums)


def estimate(samples: np.ndarray, tau: float) -> Estimate:
    """J and its standard error from `Simulator.samples`."""
    regularized = _mean_and_error(samples[:, 0] + tau * samples[:, 1])
    return Estimate(*regularized, *_mean_and_error(samples[:, 0]), len(samples))


def evaluate(mdp: NetworkedMDP, policy: LocalPolicy, tau: float, episodes: int, seed: int = 0) -> Estimate:
    """Monte Carlo estimate of J, regularised as in (2) and unregularised."""
    simulator = Simulator(mdp, policy.kappa, episodes, np.random.SeedSequence(seed), reference(mdp, tau))
    return simulator.evaluate(policy.flat(), tau)


def _mean_and_error(samples: np.ndarray) -> tuple[float, float]:
    mean = float(samples.sum()) / len(samples)
    variance = float(((samples - mean) ** 2).sum()) / (len(samples) - 1)
    return mean, math.sqrt(variance / len(samples))


def _combined(sums: np.ndarray) -> np.ndarray:
    """Samples of reward and entropy, (episodes, 2), from those by the two references side by side, (episodes, 4).

    Each half of the episodes is corrected by the weights that the other half finds best.
    """
    first, difference = sums[:, :2].copy(), sums[:, 2:] - sums[:, :2]
    half = len(sums) // 2
    if half >= _FEWEST:
        halves = slice(0, half), slice(half, None)
        weights = [_regression(first[here], difference[here]) for here in halves]
        for here, weight in zip(halves, reversed(weights), strict=True):
            for k in range(2):
                first[here] -= difference[here, k, None] * weight[k]
    return first


@njit(cache=True, error_model="numpy")
def _regression(values, regressors):
    """Least squares with a constant: values (m, 2) on regressors (m, 2); weights (2 regressors, 2 values).

    Written out, because the sums must not depend on the processor.  A regressor that is constant, or nearly a multiple of the
    other, has weight 0.
    """
    m = len(values)
    x, y = regressors.copy(), values.copy()
    for table in (x, y):
        for k in range(2):
            mean = 0.0
            for e in range(m):
                mean += table[e, k]
            mean /= m
            for e in range(m):
                table[e, k] -= mean
    products, target, weights = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 2))
    for e in range(m):
        for k in range(2):
            for j in range(2):
                products[k, j] += x[e, k] * x[e, j]
                target[k, j] += x[e, k] * y[e, j]
    least = m * (_ROUNDING * np.abs(values).max()) ** 2
    pivot = 0 if products[0, 0] >= products[1, 1] else 1
    other = 1 - pivot
    if products[pivot, pivot] <= least:
        return weights
    share = products[pivot, other] / products[pivot, pivot]
    rest = products[other, other] - share * products[pivot, other]
    for j in range(2):
        if rest > max(least, _COLLINEAR * products[other, other]):
            weights[other, j] = (target[other, j] - share * target[pivot, j]) / rest
        weights[pivot, j] = target[pivot, j] / products[pivot, pivot] - share * weights[other, j]
    return weights


@njit(cache=True, error_model="numpy")
def _episodes(model, known, policy, offsets, thresholds, index, excess, uniforms, sums):
    """Discounted sums of reward and entropy over the first reference, then over the second, one row per episode."""
    n = len(model.actions)
    state, following = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    action, row = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for e in range(len(sums)):
        component, at = 0, 0
        if len(model.rho_weights) > 1:
            component, at = draw_component(model, uniforms[e, 0, 0]), 1
        total0, total1, total2, total3, entropy, weight = 0.0, 0.0, 0.0, 0.0, 0.0, 1.0
        for t in range(at, uniforms.shape[1]):
            draws = uniforms[e, t]
            if t == at:
                draw_initial(model, draws, component, state)
            else:
                draw_next(model, draws, state, action, following)
                state[:] = following
            joint = 0
            for i in range(n):
                joint += known.label[i, state[i]] * known.stride[i]
            if t == uniforms.shape[1] - 1:
                # with what is still to come of one reference over the other, the difference of the two has mean 0
                for i in range(n):
                    rest = joint * known.widths[1] + known.column[i] + known.rank[i, state[i]]
                    total2 -= weight * known.beyond[rest, 0]
                    total3 -= weight * known.beyond[rest, 1]
                break
            draw_actions(model, thresholds[0], thresholds[1], index, draws, state, row, action)
            begin = joint * known.widths[0]
            for i in range(n):
                choices = model.actions[i]
                p = offsets[i] + row[i] * choices
                score = np.uint64(begin + known.offset[i] + known.rank[i, state[i]] * choices)
                for a in range(choices):
                    share = weight * policy[np.uint64(p + a)]
                    total0 += share * known.score[score, 0]
                    total1 += share * known.score[score, 1]
                    total2 += share * known.score[score, 2]
                    total3 += share * known.score[score, 3]
                    score += np.uint64(1)
                entropy += weight * excess[index.offset[i] + row[i]]
            weight *= model.gamma
        sums[e, 0], sums[e, 1], sums[e, 2], sums[e, 3] = total0, total1 + entropy, total2, total3 + entropy
