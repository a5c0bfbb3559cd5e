"""Monte Carlo estimates of J for networks whose joint state space is too large for `lpi.exact`.

Where the MDP has an autonomous component, the uniform policy's values are known exactly (n small problems, see
`lpi.decoupled`).  By the performance difference identity

    J(zeta) = J(uniform) + E_zeta sum_t gamma^t E_{a ~ zeta(.|s(t))} [A^uniform(s(t), a)],

only the discounted advantage over the uniform policy is simulated; its variance is a small fraction of the reward's.
Without such a component the reward above its mean is simulated.  Actions enter through their expectation, not their sample.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from lpi.component import autonomous_component, independent_ranks
from lpi.decoupled import DecoupledProblem
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
from lpi.mdp import NetworkedMDP
from lpi.policy import LocalPolicy, policy_index

_TAIL = 5e-4  # discounted weight of the steps that an episode leaves out
_REFERENCE_STATES = 2**18  # states of the largest problem per agent that is solved for a reference
_REFERENCE_TOLERANCE = 1e-6  # on J of the reference: far below any standard error
_EPISODES_AT_ONCE = 64
_NUMBERS_AT_ONCE = 2**22  # random numbers in memory: 32 MB


class Estimate(NamedTuple):
    """J of a policy under rho by simulation, with standard errors."""

    regularized: float
    regularized_se: float
    unregularized: float
    unregularized_se: float
    episodes: int


class _Baseline(NamedTuple):
    """What is known without simulation, and what remains to be simulated."""

    unregularized: float  # exact J of the reference, or of the constant mean reward where there is none
    score: np.ndarray  # per agent, value of the component of all agents, rank and own action: simulated quantity / n
    offset: np.ndarray  # (n,) int64 into score
    stride: np.ndarray  # (n,) int64: weight of agent i's component in the joint value
    ranks: np.ndarray  # (n,) int64
    label: np.ndarray  # (n, max |S_i|) int64
    rank: np.ndarray  # (n, max |S_i|) int64


class Simulator:
    """Monte Carlo evaluation of many kappa-hop policies with the same random numbers.

    Args:
        mdp: the networked MDP.
        kappa: hops of the policies to come.
        episodes: episodes per estimate, at least 2.
        seed: `numpy.random.SeedSequence`; the same one gives the same random numbers for every policy.
    """

    def __init__(self, mdp: NetworkedMDP, kappa: int, episodes: int, seed: np.random.SeedSequence):
        if episodes < 2:
            raise ValueError(f"evaluation_episodes: {episodes} is not allowed; an integer >= 2")
        self._mdp, self._kappa, self._episodes, self._seed = mdp, kappa, episodes, seed
        self._index = policy_index(mdp, kappa)
        self._model = mdp.tables()
        self._baseline = _baseline(mdp)
        self._steps = max(1, math.ceil(math.log(_TAIL) / math.log(mdp.gamma))) if mdp.gamma > 0 else 1

    def evaluate(self, flat_policy: np.ndarray, tau: float) -> Estimate:
        """J of a flat kappa-hop policy."""
        return estimate(self.samples(flat_policy), tau)

    def samples(self, flat_policy: np.ndarray) -> np.ndarray:
        """One row per episode, shape (episodes, 2): discounted reward, and discounted entropy of all agents.

        What an episode leaves out weighs `_TAIL` of the part that is simulated, in expectation.
        """
        mdp, n = self._mdp, self._mdp.agents
        rng = np.random.default_rng(self._seed)
        excess = entropies(flat_policy, self._index, mdp.actions)
        most = logarithms(mdp.actions)
        excess -= np.repeat(most, self._index.size)
        rows = self._steps + (len(mdp.rho.weights) > 1)
        samples = np.empty((self._episodes, 2))
        offsets = policy_row_offsets(self._index, mdp.actions)
        thresholds = action_thresholds(flat_policy, self._index, mdp.actions)
        together = max(1, min(_EPISODES_AT_ONCE, _NUMBERS_AT_ONCE // (rows * 2 * n)))
        for first in range(0, self._episodes, together):
            block = samples[first : first + together]
            uniforms = rng.random((len(block), rows, 2 * n))
            _episodes(
                self._model, self._baseline, flat_policy, offsets, thresholds, self._index, excess, uniforms, block
            )
        samples[:, 0] += self._baseline.unregularized
        samples[:, 1] += most.sum() / (1 - mdp.gamma)
        return samples


def estimate(samples: np.ndarray, tau: float) -> Estimate:
    """J and its standard error from `Simulator.samples`."""
    regularized = _mean_and_error(samples[:, 0] + tau * samples[:, 1])
    return Estimate(*regularized, *_mean_and_error(samples[:, 0]), len(samples))


def evaluate(mdp: NetworkedMDP, policy: LocalPolicy, tau: float, episodes: int, seed: int = 0) -> Estimate:
    """Monte Carlo estimate of J, regularised as in (2) and unregularised."""
    simulator = Simulator(mdp, policy.kappa, episodes, np.random.SeedSequence(seed))
    return simulator.evaluate(policy.flat(), tau)


def _mean_and_error(samples: np.ndarray) -> tuple[float, float]:
    mean = float(samples.sum()) / len(samples)
    variance = float(((samples - mean) ** 2).sum()) / (len(samples) - 1)
    return mean, math.sqrt(variance / len(samples))


def _baseline(mdp: NetworkedMDP) -> _Baseline:
    component = autonomous_component(mdp)
    n, widest = mdp.agents, int(mdp.states.max())
    label, rank = np.zeros((n, widest), dtype=np.int64), np.tile(np.arange(widest), (n, 1))
    if (
        component is None
        or np.prod(component.values.astype(object)) * widest > _REFERENCE_STATES
        or not independent_ranks(mdp, component)
    ):
        # only a constant reward is known: what is simulated is the reward above its mean, by local state, so that
        # the steps an episode leaves out cost next to nothing
        means = [float(table.sum()) / table.size for table in mdp.rewards]
        score = np.concatenate([(table - mean).ravel() for table, mean in zip(mdp.rewards, means, strict=True)]) / n
        constant = sum(means) / n / (1 - mdp.gamma)
        return _Baseline(constant, score, _offsets(mdp.rewards), np.zeros(n, dtype=np.int64), mdp.states, label, rank)
    known = DecoupledProblem(mdp, component).evaluate_uniform(_REFERENCE_TOLERANCE)
    for i in range(n):
        label[i, : mdp.states[i]], rank[i, : mdp.states[i]] = component.label[i], component.rank[i]
    return _Baseline(
        unregularized=known.unregularized,
        score=np.concatenate([table.ravel() for table in known.advantage]) / n,
        offset=_offsets(known.advantage),
        stride=np.concatenate((np.cumprod(component.values[:0:-1])[::-1], [1])).astype(np.int64),
        ranks=np.array([int(r.max()) + 1 for r in component.rank]),
        label=label,
        rank=rank,
    )


def _offsets(tables) -> np.ndarray:
    return np.cumsum([0] + [table.size for table in tables[:-1]], dtype=np.int64)


@njit(cache=True, error_model="numpy")
def _episodes(model, baseline, policy, offsets, thresholds, index, excess, uniforms, samples):
    """Discounted sums of the score and of the entropy above its maximum, one row per episode."""
    n = len(model.actions)
    state, following = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    action, row = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for e in range(len(samples)):
        component, at = 0, 0
        if len(model.rho_weights) > 1:
            component, at = draw_component(model, uniforms[e, 0, 0]), 1
        reward, entropy, weight = 0.0, 0.0, 1.0
        for t in range(at, uniforms.shape[1]):
            draws = uniforms[e, t]
            if t == at:
                draw_initial(model, draws, component, state)
            else:
                draw_next(model, draws, state, action, following)
                state[:] = following
            draw_actions(model, thresholds[0], thresholds[1], index, draws, state, row, action)
            joint = 0
            for i in range(n):
                joint += baseline.label[i, state[i]] * baseline.stride[i]
            for i in range(n):
                choices = model.actions[i]
                local = joint * baseline.ranks[i] + baseline.rank[i, state[i]]
                score = baseline.offset[i] + local * choices
                p = offsets[i] + row[i] * choices
                for a in range(choices):
                    reward += weight * policy[p + a] * baseline.score[score + a]
                entropy += weight * excess[index.offset[i] + row[i]]
            weight *= model.gamma
        samples[e, 0], samples[e, 1] = reward, entropy
