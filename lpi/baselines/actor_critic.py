"""The scalable actor-critic for localized policies of Qu, Wierman and Li (the paper's [29]; [28] for average rewards).

In every outer loop m the critic learns truncated Q functions from the trajectories of the present policy, by the TD(0) that
Algorithm 2 takes over from this line of work; then the actor makes one step along

    g_i = sum_t gamma^t (1/n) sum_{j in N_i^kappa} Q_j(s_{N_j^beta}(t), a_{N_j^beta}(t)) grad log zeta_i(a_i(t) | .)
    theta_i <- theta_i + eta_m g_i,   eta_m = eta / sqrt(m + 1)

with the Q functions that the loop ends with, on the trajectories that they were learned from.

What is not theirs, but a choice made here so that both algorithms face the same problem and see the same samples:

* policies are softmax tables theta_i(s_{N_i^kappa}, a_i), as LPI's are kappa-hop; those of [29] see s_i alone;
* the objective is (2): rewards get line 2's entropy bonus, and g_i the term -tau log zeta_i that goes with it;
* starts, resets, steps, episodes and the reward's time are LPI's settings: [29] has one trajectory, Q from zero;
* g_i is the mean over the episodes, each from its own time 0;
* `centred`: what multiplies grad log zeta_i counts from its mean over the visits of the same s_{N_i^kappa}, which changes
  the expectation by less than one over the number of visits and takes most of the noise away (Q is about 40, what
  actions change about 0.1); without it the step is that of [29].
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lpi.algorithm import LoopRecord, TrainingResult, _measure, _step_size, q_start
from lpi.config import ReportingConfig, TrainingConfig
from lpi.elementary import logarithms
from lpi.evaluation import QTables, entropies, localized_td, policy_row_offsets, q_tables
from lpi.mdp import NetworkedMDP
from lpi.network import LocalIndex
from lpi.policy import LocalPolicy, policy_index, uniform_table
from lpi.trajectories import Trajectories, collect, indices


def train(
    mdp: NetworkedMDP,
    config: TrainingConfig,
    actor_step: float,
    seed: int,
    reporting: ReportingConfig | None = None,
    centred: bool = True,
) -> TrainingResult:
    """Train and measure J of every outer loop's policy, as `lpi.train` does.

    Args:
        mdp: the networked MDP.
        config: of the critic and the trajectories; `eta`, `inner_steps`, `inner_start`, `default_state`,
            `default_action` and `policy_evaluation` are LPI's alone and not read.
        actor_step: eta > 0 of the actor.
        seed: as in `lpi.train`, whose first loop sees the same trajectories.
        reporting: as in `lpi.train`.
        centred: see above.
    """
    kappa = config.kappa
    beta = kappa if config.beta is None else config.beta
    training_seed, measuring_seed = np.random.SeedSequence(seed).spawn(2)
    rng = np.random.default_rng(training_seed)
    measure = _measure(mdp, config, reporting or ReportingConfig(), measuring_seed, None)
    model, index, start = mdp.tables(), policy_index(mdp, kappa), q_start(mdp, config)
    q = q_tables(mdp, beta, start, count=config.step_schedule == "per_visit")
    length = config.trajectory_length, config.episode_length or config.trajectory_length
    policy = uniform_table(mdp, kappa)
    theta = np.zeros_like(policy)
    most = np.repeat(logarithms(np.maximum(mdp.actions, 2)), index.size)
    records = []
    for m in range(config.outer_loops + 1):
        td_error = math.nan
        if m > 0:
            if config.q_reset == "every_loop":
                q.values[:], q.visits[:] = start, 0
            bonus = mdp.agents * config.tau * entropies(policy, index, mdp.actions)
            record = collect(model, policy, index, *length, _copy(rng))
            td_error = localized_td(model, q, policy, index, bonus, *length, config.reward_at, _step_size(config), rng)
            found = gradient(mdp, q, policy, index, record, config.tau, mdp.network.neighbourhoods(kappa), centred)
            theta += actor_step / math.sqrt(m) * found
            policy = softmax(theta, index, mdp.actions)
        entropy = entropies(policy, index, mdp.actions)
        records.append(
            LoopRecord(  # type: ignore[call-arg]  # what is measured has a fixed length
                m, *measure(policy), m * config.trajectory_length, td_error,
                int(q.visited.sum(dtype=np.int64)) / q.visited.size, float((entropy / most).sum()) / len(most),
            )
        )  # fmt: skip
    return TrainingResult(LocalPolicy.from_flat(mdp, kappa, policy), tuple(records))


def gradient(
    mdp: NetworkedMDP,
    q: QTables,
    policy: np.ndarray,
    index: LocalIndex,
    record: Trajectories,
    tau: float,
    around: Sequence[Sequence[int]],
    centred: bool,
) -> np.ndarray:
    """g_i of every agent, flat like the policy."""
    n = mdp.agents
    values = [
        q.values[
            q.offset[j]
            + indices(record.states, q.states, j) * q.actions.size[j]
            + indices(record.actions, q.actions, j)
        ]
        for j in range(n)
    ]
    weight = mdp.gamma**record.steps / np.count_nonzero(record.steps == 0)
    offsets, result = policy_row_offsets(index, mdp.actions), np.zeros_like(policy)
    for i in range(n):
        rows, choices = int(index.size[i]), int(mdp.actions[i])
        cell = indices(record.states, index, i) * choices + record.actions[:, i]
        part = slice(offsets[i], offsets[i] + rows * choices)
        factor = sum(values[j] for j in around[i]) / n - tau * np.log(policy[part])[cell]
        weights = np.bincount(cell, weight, rows * choices).reshape(rows, choices)
        sums = np.bincount(cell, weight * factor, rows * choices).reshape(rows, choices)
        if centred:
            visited = weights.sum(axis=1, keepdims=True)
            sums -= weights * np.divide(sums.sum(axis=1, keepdims=True), visited, out=0 * visited, where=visited > 0)
        zeta = policy[part].reshape(rows, choices)
        result[part] = (sums - zeta * sums.sum(axis=1, keepdims=True)).ravel()
    return result


def softmax(theta: np.ndarray, index: LocalIndex, actions: np.ndarray) -> np.ndarray:
    """The flat policy of flat parameters; probabilities stay above 0."""
    policy, at = np.empty_like(theta), 0
    for rows, choices in zip(index.size, actions, strict=True):
        part = slice(at, at + int(rows) * int(choices))
        score = theta[part].reshape(int(rows), int(choices))
        odds = np.exp(np.maximum(score - score.max(axis=1, keepdims=True), -700.0))
        policy[part] = (odds / odds.sum(axis=1, keepdims=True)).ravel()
        at = part.stop
    return policy


def _copy(rng: np.random.Generator) -> np.random.Generator:
    """A generator of the same numbers."""
    other = np.random.default_rng()
    other.bit_generator.state = rng.bit_generator.state
    return other
