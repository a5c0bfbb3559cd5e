"""MDPs that decouple given an autonomous component: exact values and the centralised optimum for many agents.

Given the component's trajectory the agents do not interact, so a policy that reads only the component (of all agents)
and the agent's own rank is evaluated agent by agent, on (joint component values) x (own ranks) instead of all joint
states.  The centralised optimum is such a policy: reward and entropy in (2) are sums over agents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpi.component import Component, autonomous_component, independent_ranks, states_of, sum_by_label
from lpi.elementary import exponentials, logarithms
from lpi.elimination import averaged, elimination, probabilities
from lpi.krylov import constants, gmres
from lpi.mdp import NetworkedMDP
from lpi.memory import EXACT_LIMIT
from lpi.network import digits, extended_index

_MOST_ITERATIONS = 100
_ENTRY_BYTES = 400  # of the solver's vectors and the averages' work space, per (component value, rank)


class Solution(NamedTuple):
    """The optimal policy, agent by agent, and its J."""

    regularized: float  # J under rho with the entropy weight of (2)
    unregularized: float
    error_bound: float  # on both
    policy: tuple[np.ndarray, ...]  # per agent, (joint component values, ranks_i, |A_i|) or (joint states, |A_i|)
    iterations: int  # of policy iteration
    method: str  # "decoupled" or "joint": over which of the two kinds of states the policy is a table


class DecoupledValues(NamedTuple):
    """Values of a policy, agent by agent; the quantities of (2) are the means over agents.

    An agent's regularised value is its reward part plus n * tau times its entropy part, and so is its advantage.
    Advantages are Q_i - V_i with the Q_i of (6), which leaves out the entropy of the present step: for any policy pi,
    J(pi) - J is the mean over agents of the discounted sum, under pi, of the advantage and n * tau * the entropy of
    pi_i.  Of the policy itself the advantages therefore average to minus that entropy, not to 0.
    """

    regularized: float  # J under rho with the entropy weight of (2)
    unregularized: float
    error_bound: float  # on both
    rewards: tuple[np.ndarray, ...]  # discounted own reward per agent, shape (joint component values, ranks_i)
    entropies: tuple[np.ndarray, ...]  # discounted own entropy, same shapes
    reward_advantage: tuple[np.ndarray, ...]  # per agent, shape (joint component values, ranks_i, |A_i|)
    entropy_advantage: tuple[np.ndarray, ...]  # same shapes


class UniformValues(NamedTuple):
    """Unregularised values of the uniform policy, whose entropy is a constant."""

    unregularized: float  # J under rho
    advantage: tuple[np.ndarray, ...]  # Q_i - V_i per agent, shape (joint component values, ranks_i, |A_i|)


class DecoupledProblem:
    """The n small problems of an MDP with an autonomous component and independent ranks.

    Args:
        mdp: an MDP for which `lpi.component.independent_ranks` holds.
        component: its autonomous component.

    Raises:
        ValueError: the tables do not fit in memory; says how large they are and what fits.
    """

    def __init__(self, mdp: NetworkedMDP, component: Component):
        n = mdp.agents
        _check_size(mdp, component)
        self._mdp, self._joint = mdp, int(np.prod(component.values))
        ranks = [int(rank.max()) + 1 for rank in component.rank]
        self._columns = np.concatenate(([0], np.cumsum(ranks)))
        self._expect = _component_expectation(mdp, component, int(self._columns[-1]))
        values = digits(range(n), component.values)
        own = [states_of(component, i)[values[:, i]] for i in range(n)]
        self._rows = [
            extended_index(range(n), mdp.network.neighbourhood(i, 1), component.values, [0] * n) for i in range(n)
        ]
        self._kernels = [_rank_transitions(mdp, component, i) for i in range(n)]
        self._rewards = [mdp.rewards[i][own[i]] for i in range(n)]
        self._rho = [_rho(mdp, component, i, own[i]) for i in range(n)]

    def evaluate_uniform(self, tolerance: float) -> UniformValues:
        """Values of the uniform policy, each within `tolerance`."""
        policy = tuple(np.full(reward.shape, 1 / reward.shape[2]) for reward in self._rewards)
        zero = [np.zeros(reward.shape[:2]) for reward in self._rewards]
        values, _ = self._evaluate(policy, zero, tolerance, None)
        q = self._q(values[0], self._rewards)
        advantage = tuple(table - self._block(values[0], i)[..., None] for i, table in enumerate(q))
        return UniformValues(self._under_rho(values[0]), advantage)

    def evaluate(self, policy: Sequence[np.ndarray], tau: float, tolerance: float = 1e-9) -> DecoupledValues:
        """Values and advantages of a policy that reads the component of all agents and the own rank.

        Args:
            policy: per agent, shape (joint component values, ranks_i, |A_i|), as in `Solution.policy`.
            tau: entropy weight.
            tolerance: on the discounted rewards and entropies of each agent.

        Raises:
            ValueError: a table of another shape.
        """
        self._check_policy(policy)
        entropy = [_entropy(table) for table in policy]
        values, bound = self._evaluate(policy, entropy, tolerance, None)
        weight = self._mdp.agents * tau
        unregularized, everyone = self._under_rho(values[0]), range(self._mdp.agents)
        blocks = [tuple(self._block(part, i) for i in everyone) for part in values]
        nothing = [np.zeros_like(reward) for reward in self._rewards]
        q = self._q(values[0], self._rewards), self._q(values[1], nothing)
        advantages = [
            tuple(table - block[..., None] for table, block in zip(*pair, strict=True))
            for pair in zip(q, blocks, strict=True)
        ]
        regularized = unregularized + weight * self._under_rho(values[1])
        return DecoupledValues(regularized, unregularized, bound * (1 + weight), *blocks, *advantages)

    def optimum(self, tau: float, tolerance: float) -> Solution:
        """Soft policy iteration (Algorithm 3 on each small problem); greedy for tau = 0.

        Stops when the error bound by the contraction of (7) is below `tolerance`.
        """
        mdp = self._mdp
        weight = mdp.agents * tau
        policy = tuple(np.full(reward.shape, 1 / reward.shape[2]) for reward in self._rewards)
        values = None
        for iteration in range(1, _MOST_ITERATIONS + 1):
            entropy = [_entropy(table) for table in policy]
            values, bound = self._evaluate(policy, entropy, tolerance / 2, values)
            total = values[0] + weight * values[1]
            q = self._q(total, self._rewards)
            improvement = 0.0
            improved = []
            for i, table in enumerate(q):
                best, value = _soft_maximum(table, weight)
                improvement = max(improvement, float((value - self._block(total, i)).max()))
                improved.append(best)
            if improvement / (1 - mdp.gamma) <= tolerance:
                unregularized = self._under_rho(values[0])
                return Solution(
                    unregularized + weight * self._under_rho(values[1]), unregularized,
                    bound * (1 + weight) + improvement / (1 - mdp.gamma), policy, iteration, "decoupled",
                )  # fmt: skip
            policy = tuple(improved)
        raise ArithmeticError(f"policy iteration: improvement {improvement:.3g} after {_MOST_ITERATIONS} iterations")

    def _evaluate(self, policy, entropy, tolerance: float, start):
        """Discounted own reward and own entropy of every agent, each (joint, all ranks), and the error bound."""
        joint, gamma = self._joint, self._mdp.gamma
        kinds = {}
        for kind in (np.float64, np.float32):
            kinds[kind] = [
                _mix(table, kernel[rows]).astype(kind)
                for table, kernel, rows in zip(policy, self._kernels, self._rows, strict=True)
            ]

        def operator(flat):
            kernels = kinds[flat.dtype.type]
            following = self._expect(flat).reshape(joint, -1)
            result = flat.reshape(joint, -1).copy()
            for i, kernel in enumerate(kernels):
                here = slice(self._columns[i], self._columns[i + 1])
                result[:, here] -= flat.dtype.type(gamma) * _contract(kernel, following[:, here])
            return result.ravel()

        own = np.concatenate([_inner(t, r) for t, r in zip(policy, self._rewards, strict=True)], axis=1)
        targets, solved, bound = (own, np.concatenate(entropy, axis=1)), [], 0.0
        for k, target in enumerate(targets):
            first = np.zeros(target.size) if start is None else start[k].ravel()
            limit = tolerance * (1 - gamma)
            values, residual, _ = gmres(operator, target.ravel(), first, limit, constants(gamma, 1))
            solved.append(values.reshape(joint, -1))
            bound = max(bound, residual / (1 - gamma))
        return solved, bound

    def _q(self, values: np.ndarray, rewards: Sequence[np.ndarray]) -> list[np.ndarray]:
        """rewards_i + gamma E[values_i(s')], as in (6), per agent, shape (joint, ranks_i, |A_i|)."""
        following = self._expect(values.ravel()).reshape(self._joint, -1)
        tables = []
        for i, (reward, kernel) in enumerate(zip(rewards, self._kernels, strict=True)):
            q = reward.copy()
            for a in range(q.shape[2]):
                q[..., a] += self._mdp.gamma * _contract(kernel[:, :, a][self._rows[i]], self._block(following, i))
            tables.append(q)
        return tables

    def _check_policy(self, policy: Sequence[np.ndarray]) -> None:
        shapes = [reward.shape for reward in self._rewards]
        if [np.shape(table) for table in policy] != shapes:
            raise ValueError(
                f"policy: tables of shapes {[np.shape(table) for table in policy]} are not allowed; {shapes}"
            )

    def _block(self, values: np.ndarray, agent: int) -> np.ndarray:
        return values[:, self._columns[agent] : self._columns[agent + 1]]

    def _under_rho(self, values: np.ndarray) -> float:
        """Mean over agents of the expectation under rho."""
        return sum(float((self._rho[i] * self._block(values, i)).sum()) for i in range(self._mdp.agents)) / len(
            self._rho
        )


def decoupled_problem(mdp: NetworkedMDP) -> DecoupledProblem | None:
    """The small problems of an MDP, or None if it does not decouple given an autonomous component.

    Raises:
        ValueError: the MDP decouples, but its tables do not fit in memory.
    """
    component = autonomous_component(mdp)
    if component is None or not independent_ranks(mdp, component):
        return None
    return DecoupledProblem(mdp, component)


def _check_size(mdp: NetworkedMDP, component: Component) -> None:
    entries = int(np.prod(component.values.astype(object))) * sum(int(rank.max()) + 1 for rank in component.rank)
    if entries * _ENTRY_BYTES > EXACT_LIMIT:
        raise ValueError(
            f"agents: {mdp.agents} is not allowed here: the component of all agents and the agents' ranks have "
            f"{float(entries):.3g} values, {entries * _ENTRY_BYTES / 1e9:.3g} GB; at most {EXACT_LIMIT / 1e9:.3g} GB, "
            f"{EXACT_LIMIT // _ENTRY_BYTES:.3g} values, fit"
        )


def _soft_maximum(q: np.ndarray, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """argmax over p of E_p[q] + weight * entropy(p), over the last axis, and its value."""
    top = q.max(axis=-1, keepdims=True)
    if weight == 0:
        best = np.zeros_like(q)
        np.put_along_axis(best, q.argmax(axis=-1)[..., None], 1.0, axis=-1)
        return best, top[..., 0]
    powers = exponentials((q - top) / weight)
    total = _sum_last(powers)
    return powers / total[..., None], top[..., 0] + weight * logarithms(total)


def _entropy(policy: np.ndarray) -> np.ndarray:
    logs = logarithms(np.where(policy > 0, policy, 1.0))
    return -_sum_last(policy * logs)


def _sum_last(table: np.ndarray) -> np.ndarray:
    """Sum over the short last axis, one plain addition after another."""
    total = table[..., 0].copy()
    for k in range(1, table.shape[-1]):
        total += table[..., k]
    return total


def _inner(policy: np.ndarray, table: np.ndarray) -> np.ndarray:
    return _sum_last(policy * table)


def _mix(policy: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """sum_a policy[c, y, a] kernel[c, y, a, y']."""
    total = policy[:, :, 0, None] * kernel[:, :, 0]
    for a in range(1, kernel.shape[2]):
        total += policy[:, :, a, None] * kernel[:, :, a]
    return total


def _contract(kernel: np.ndarray, values: np.ndarray) -> np.ndarray:
    """sum_y' kernel[c, y, y'] values[c, y']."""
    total = kernel[:, :, 0] * values[:, None, 0]
    for rank in range(1, kernel.shape[2]):
        total += kernel[:, :, rank] * values[:, None, rank]
    return total


def _component_expectation(mdp: NetworkedMDP, component: Component, columns: int):
    """values (joint component values, columns), flat -> their expectation over the component's next values."""
    plan = elimination(mdp.network.neighbourhoods(1), component.values)
    kernel, offset = probabilities(component.transitions)
    size = plan.largest * columns
    kinds = (np.float64, np.float32)
    work = {kind: (kernel.astype(kind), np.empty(size, kind), np.empty(size, kind)) for kind in kinds}

    def expect(flat):
        typed, first, second = work[flat.dtype.type]
        return averaged(plan, typed, offset, flat, columns, first, second)

    return expect


def _rank_transitions(mdp: NetworkedMDP, component: Component, agent: int) -> np.ndarray:
    """P(next rank | component values of N_i, own rank, a_i), shape (values of N_i, ranks, |A_i|, ranks)."""
    around = mdp.network.neighbourhood(agent, 1)
    own = states_of(component, agent)
    table = mdp.transitions[agent][..., own].sum(axis=-2)
    blocks = []
    for values in digits(around, component.values):
        at = [own[c] if j == agent else int(states_of(component, j)[c, 0]) for j, c in zip(around, values, strict=True)]
        blocks.append(table[tuple(at)])
    return np.stack(blocks)


def _rho(mdp: NetworkedMDP, component: Component, agent: int, own: np.ndarray) -> np.ndarray:
    """Initial probability of (component of all agents, agent's rank), shape (joint component values, ranks)."""
    total = np.zeros(own.shape)
    for c, weight in enumerate(mdp.rho.weights):
        others = np.full(1, weight)
        for j, table in enumerate(mdp.rho.marginals):
            share = np.ones(component.values[j]) if j == agent else sum_by_label(table[c], component.label[j])
            others = np.multiply.outer(others, share).ravel()
        total += others[:, None] * mdp.rho.marginals[agent][c][own]
    return total
