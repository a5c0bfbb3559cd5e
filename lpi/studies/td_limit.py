"""What localized TD(0) finds with infinitely many samples, and how often it visits each pair on the way.

TD(0) on the pairs of N_i^beta stands still where line 4 of Algorithm 2 vanishes on average over the states that the
episodes pass through.  Where N_i^beta is not everybody this is not Q_i: the next pair is averaged over all states that
look alike.  LPI with these tables instead of sampled ones shows what remains of its error when sampling is taken away.

Pure analysis: dense matrices over all joint states, so for at most about 2,000 of them, and the last digits depend on
the machine's linear algebra.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from lpi.config import TrainingConfig
from lpi.evaluation import q_tables
from lpi.exact import Evaluator
from lpi.improvement import aggregated_q, improvement_plan, multiplicative_weights
from lpi.mdp import NetworkedMDP
from lpi.network import digits, extended_index
from lpi.policy import LocalPolicy, policy_index, uniform_table

_TOLERANCE = 1e-8  # on J
_MOST_STATES = 2_500


class Loop(NamedTuple):
    """The policy after an outer loop; m = 0 is the uniform one."""

    outer_loop: int
    regularized: float
    unregularized: float
    entropy: float  # mean over agents and policy rows of entropy / log |A_i|


class _Chain(NamedTuple):
    """The joint states under a policy."""

    states: np.ndarray  # (S, n) local states
    policy: list[np.ndarray]  # per agent, (S, |A_i|)
    moves: list[np.ndarray]  # per agent, (S, |A_i|, S): probability of its local state in s'
    average: list[np.ndarray]  # per agent, (S, S): the same under its policy
    weight: np.ndarray  # (S,) share of an episode's updates that start in s


def td_limit(
    mdp: NetworkedMDP,
    policy: LocalPolicy,
    beta: int,
    tau: float,
    episode_length: int,
    reward_at: str = "departure",
    start: float = 0.0,
) -> np.ndarray:
    """Limit of lines 1 to 5 of Algorithm 2 for every agent, flat in the order of `q_tables`.

    Args:
        mdp: the networked MDP, with few joint states.
        policy: the policy to evaluate.
        beta: hops that the Q functions see.
        tau: entropy weight.
        episode_length: updates between two draws from rho.
        reward_at: "departure" or "arrival", as for `localized_td`.
        start: value of pairs that are never visited.

    Raises:
        ValueError: too many joint states.
    """
    chain = _chain(mdp, policy, episode_length)
    q = [_limit_of_agent(mdp, chain, i, beta, tau, reward_at, start) for i in range(mdp.agents)]
    return np.concatenate([table.ravel() for table in q])


def visiting(mdp: NetworkedMDP, policy: LocalPolicy, beta: int, episode_length: int) -> list[np.ndarray]:
    """Share of the updates that each pair gets, per agent, shape (states of N_i^beta, actions of N_i^beta).

    The smallest of all is the xi of Lemma 4, with the average over an episode in the place of the stationary
    distribution: that one is concentrated on the states in which the spread has died out.
    """
    chain = _chain(mdp, policy, episode_length)
    shares = []
    for i in range(mdp.agents):
        around, row, rows = _cells(mdp, i, beta)
        choice = _choices(chain, around)
        shares.append(np.stack([np.bincount(row, chain.weight * p, rows) for p in choice.values()], axis=1))
    return shares


def expected_policy_iteration(mdp: NetworkedMDP, config: TrainingConfig) -> list[Loop]:
    """Algorithm 1 with `td_limit` in line 7: one trajectory of infinite length, or infinitely many episodes.

    `q_start`, `q_reset` and the step sizes make no difference; an `episode_length` of null is not for an MDP whose
    chain has states that it leaves for good, and is taken as the `trajectory_length`.
    """
    kappa, n = config.kappa, mdp.agents
    beta = kappa if config.beta is None else config.beta
    index, q = policy_index(mdp, kappa), q_tables(mdp, beta, 0.0)
    state, action = (
        [value] * n if isinstance(value, int) else value for value in (config.default_state, config.default_action)
    )
    plan = improvement_plan(mdp, index, kappa, beta, q, state, action)
    evaluator = Evaluator(mdp, kappa)
    policy = uniform_table(mdp, kappa)
    uniform_logs = logs = np.log(policy)
    loops = []
    for m in range(config.outer_loops + 1):
        if m > 0:
            local = LocalPolicy.from_flat(mdp, kappa, policy)
            length = config.episode_length or config.trajectory_length
            q.values[:] = td_limit(mdp, local, beta, config.tau, length, config.reward_at)
            logs = uniform_logs if config.inner_start == "uniform" else logs
            policy, logs = multiplicative_weights(
                plan, aggregated_q(plan, q), logs, config.eta, config.tau, config.inner_steps
            )
        value = evaluator.evaluate(policy, config.tau, _TOLERANCE)
        tables = LocalPolicy.from_flat(mdp, kappa, policy).tables
        loops.append(Loop(m, value.regularized, value.unregularized, _mean_entropy(tables)))
    return loops


def _chain(mdp: NetworkedMDP, policy: LocalPolicy, episode_length: int) -> _Chain:
    if mdp.joint_states > _MOST_STATES:
        raise ValueError(
            f"agents: {mdp.agents} is not allowed here: {mdp.joint_states} joint states, {_MOST_STATES} fit"
        )
    everyone = range(mdp.agents)
    states = digits(everyone, mdp.states)
    around = [mdp.network.neighbourhood(i, 1) for i in everyone]
    seen = [mdp.network.neighbourhood(i, policy.kappa) for i in everyone]
    tables = [policy.tables[i][tuple(states[:, j] for j in seen[i])] for i in everyone]
    moves = [mdp.transitions[i][tuple(states[:, j] for j in around[i])][:, :, states[:, i]] for i in everyone]
    average = [np.einsum("sa,sat->st", table, move) for table, move in zip(tables, moves, strict=True)]
    transition = _product(average)
    here = np.zeros(len(states))
    for c, weight in enumerate(mdp.rho.weights):
        here += weight * np.prod([mdp.rho.marginals[i][c][states[:, i]] for i in everyone], axis=0)
    total = np.zeros(len(states))
    for _ in range(episode_length):
        total += here
        here = here @ transition
    return _Chain(states, tables, moves, average, total / episode_length)


def _limit_of_agent(mdp, chain: _Chain, i: int, beta: int, tau: float, reward_at: str, start: float) -> np.ndarray:
    """Q of agent i, shape (states of N_i^beta, actions of N_i^beta).

    With v(s) = E_{a ~ zeta(.|s)} Q(s_N, a_N), line 4 stands still where Q(x, a) is the average of r + gamma E[v(s')]
    over the states with s_N = x, weighted by how often a is taken there; put into v this is a linear system.
    """
    around, row, rows = _cells(mdp, i, beta)
    order = np.argsort(row, kind="stable")
    first = np.searchsorted(row[order], np.arange(rows))
    own = mdp.rewards[i][chain.states[:, i]]
    bonus = mdp.agents * tau * _entropy(chain.policy[i])
    arriving = (chain.policy[i] * own).sum(axis=1) + bonus
    others = _product([chain.average[j] for j in range(mdp.agents) if j not in around])
    system, constant = np.eye(len(row)), np.zeros(len(row))
    means, following = [], []
    for actions, p in _choices(chain, around).items():
        move = _product([others, *(chain.moves[j][:, a] for j, a in zip(around, actions, strict=True))])
        weight = chain.weight * p
        mass = np.bincount(row, weight, rows)
        scale = np.divide(1.0, mass, out=np.zeros(rows), where=mass > 0)
        reward = move @ arriving if reward_at == "arrival" else own[:, actions[around.index(i)]] + bonus
        mean = np.where(mass > 0, np.bincount(row, weight * reward, rows) * scale, start)
        after = np.add.reduceat((weight[:, None] * move)[order], first, axis=0) * scale[:, None]
        system -= mdp.gamma * p[:, None] * after[row]
        constant += p * mean[row]
        means.append(mean)
        following.append(after)
    value = np.linalg.solve(system, constant)
    return np.stack([mean + mdp.gamma * (after @ value) for mean, after in zip(means, following, strict=True)], axis=1)


def _cells(mdp: NetworkedMDP, i: int, beta: int) -> tuple[tuple[int, ...], np.ndarray, int]:
    """N_i^beta, the index of s_{N_i^beta} in every joint state, and how many there are."""
    around = mdp.network.neighbourhood(i, beta)
    row = extended_index(range(mdp.agents), around, mdp.states, [0] * mdp.agents)
    return around, row, int(np.prod(mdp.states[list(around)]))


def _choices(chain: _Chain, around) -> dict[tuple[int, ...], np.ndarray]:
    """Each joint action of some agents, last agent fastest, with its probability in every joint state."""
    ranges = [range(chain.policy[j].shape[1]) for j in around]
    return {
        actions: np.prod([chain.policy[j][:, a] for j, a in zip(around, actions, strict=True)], axis=0)
        for actions in itertools.product(*ranges)
    }


def _product(matrices):
    """Entry by entry; 1.0 for none."""
    total = 1.0
    for matrix in matrices:
        total = total * matrix
    return total


def _entropy(table: np.ndarray) -> np.ndarray:
    return -(table * np.log(np.where(table > 0, table, 1.0))).sum(axis=-1)


def _mean_entropy(tables) -> float:
    return float(np.mean([_entropy(table).mean() / np.log(max(table.shape[-1], 2)) for table in tables]))
