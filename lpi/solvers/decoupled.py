"""MDPs that decouple given an autonomous component: exact values and the centralised optimum for many agents.

Given the component's trajectory the agents do not interact, so a policy that reads only the component (of all agents)
and the agent's own rank is evaluated agent by agent, on (joint component values) x (own ranks) instead of all joint
states.  The centralised optimum is such a policy: reward and entropy in (2) are sums over agents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpi.elementary import exponentials, logarithms
from lpi.kernels import njit
from lpi.mdp import NetworkedMDP
from lpi.memory import DECOUPLED_ENTRY_BYTES, EXACT_LIMIT
from lpi.network import digits, extended_index
from lpi.solvers.component import Component, autonomous_component, independent_ranks, states_of, sum_by_label
from lpi.solvers.elimination import averaged, elimination, probabilities
from lpi.solvers.krylov import constants, gmres

_MOST_ITERATIONS = 100
_FIRST_TOLERANCE = 1e-4  # of the first policy's values
_LOOSENESS = 1e-4  # tolerance of the next policy's values, as a share of this one's distance from the optimum


class Solution(NamedTuple):
    """The optimal policy, agent by agent, and its J."""

    regularized: float  # J of the policy under rho with the entropy weight of (2)
    unregularized: float  # likewise with tau = 0
    error_bound: float  # on the policy's values, and on how far the optimum's regularised J may be above
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
        mdp: an MDP for which `lpi.solvers.component.independent_ranks` holds.
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
        reward, _ = self._stage(policy)
        values, _ = self._solve(self._operator(policy), reward, tolerance, np.zeros_like(reward))
        q = self._q(values, self._rewards)
        advantage = tuple(table - self._block(values, i)[..., None] for i, table in enumerate(q))
        return UniformValues(self._under_rho(values), advantage)

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
        operator = self._operator(policy)
        solved = [self._solve(operator, target, tolerance, np.zeros_like(target)) for target in self._stage(policy)]
        values, bounds = zip(*solved, strict=True)
        weight, everyone = self._mdp.agents * tau, range(self._mdp.agents)
        blocks = [tuple(self._block(part, i) for i in everyone) for part in values]
        nothing = [np.zeros_like(reward) for reward in self._rewards]
        q = self._q(values[0], self._rewards), self._q(values[1], nothing)
        advantages = [
            tuple(table - block[..., None] for table, block in zip(*pair, strict=True))
            for pair in zip(q, blocks, strict=True)
        ]
        unregularized = self._under_rho(values[0])
        regularized = unregularized + weight * self._under_rho(values[1])
        return DecoupledValues(regularized, unregularized, bounds[0] + weight * bounds[1], *blocks, *advantages)

    def optimum(self, tau: float, tolerance: float) -> Solution:
        """Soft policy iteration (Algorithm 3 on each small problem); greedy for tau = 0.

        Early policies are evaluated as well as their distance from the optimum deserves.  For any values V,
        J* - J(V) <= max(T V - V) / (1 - gamma), by the contraction of (7): no evaluation error spoils the bound.
        """
        mdp = self._mdp
        weight = mdp.agents * tau
        policy = tuple(np.full(reward.shape, 1 / reward.shape[2]) for reward in self._rewards)
        total, limit, least = None, _FIRST_TOLERANCE, tolerance / 4
        for iteration in range(1, _MOST_ITERATIONS + 1):
            operator, (reward, entropy) = self._operator(policy), self._stage(policy)
            target = reward + weight * entropy
            start = np.zeros_like(target) if total is None else total
            total, bound = self._solve(operator, target, max(limit, least), start)
            gap, improved = 0.0, []
            for i, table in enumerate(self._q(total, self._rewards)):
                best, value = _soft_maximum(table, weight)
                gap = max(gap, float((value - self._block(total, i)).max()) / (1 - mdp.gamma))
                improved.append(best)
            if gap + bound <= tolerance:
                regularized = unregularized = self._under_rho(total)
                if weight > 0:
                    rewards, reward_bound = self._solve(operator, reward, least, total)
                    bound, unregularized = max(bound, reward_bound), self._under_rho(rewards)
                return Solution(regularized, unregularized, gap + bound, policy, iteration, "decoupled")
            policy, limit = tuple(improved), _LOOSENESS * gap
        raise ArithmeticError(f"policy iteration: {gap:.3g} from the optimum after {_MOST_ITERATIONS} iterations")

    def _stage(self, policy) -> tuple[np.ndarray, np.ndarray]:
        """Expected own reward and own entropy of every agent, each (joint, all ranks)."""
        rewards = [_inner(table, reward) for table, reward in zip(policy, self._rewards, strict=True)]
        return np.concatenate(rewards, axis=1), np.concatenate([_entropy(table) for table in policy], axis=1)

    def _operator(self, policy):
        """I - gamma P under a policy, of float64 and of float32, on flat (joint, all ranks)."""
        joint, own = self._joint, np.diff(self._columns)
        rows = [
            _mix(table, kernel[rows]).reshape(joint, -1)
            for table, kernel, rows in zip(policy, self._kernels, self._rows, strict=True)
        ]
        kernels = {kind: np.concatenate(rows, axis=1, dtype=kind) for kind in (np.float64, np.float32)}

        def operator(flat):
            kind = flat.dtype.type
            return _apply(flat, self._expect(flat), kernels[kind], own, kind(self._mdp.gamma))

        return operator

    def _solve(self, operator, target, tolerance: float, start) -> tuple[np.ndarray, float]:
        """Discounted sums of `target` (joint, all ranks), and their error bound."""
        gamma = self._mdp.gamma
        found, residual, _ = gmres(
            operator, target.ravel(), start.ravel(), tolerance * (1 - gamma), constants(gamma, 1)
        )
        return found.reshape(target.shape), residual / (1 - gamma)

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
    if entries * DECOUPLED_ENTRY_BYTES > EXACT_LIMIT:
        raise ValueError(
            f"agents: {mdp.agents} is not allowed here: the component of all agents and the agents' ranks have "
            f"{float(entries):.3g} values, {entries * DECOUPLED_ENTRY_BYTES / 1e9:.3g} GB; at most {EXACT_LIMIT / 1e9:.3g} GB, "
            f"{EXACT_LIMIT // DECOUPLED_ENTRY_BYTES:.3g} values, fit"
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


@njit(cache=True, error_model="numpy")
def _apply(values, following, kernel, own, gamma):
    """values - gamma E[following at the next rank]; `own` are the agents' numbers of ranks, a kernel block each."""
    result = np.empty_like(values)
    begin = 0
    for c in range(len(kernel)):
        k = 0
        for ranks in own:
            for y in range(ranks):
                total = kernel[c, k] * following[begin]
                for rank in range(1, ranks):
                    total += kernel[c, k + rank] * following[begin + rank]
                result[begin + y] = values[begin + y] - gamma * total
                k += ranks
            begin += ranks
    return result


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
