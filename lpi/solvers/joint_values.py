"""Exact values of kappa-hop policies: (2)-(6) and J, for MDPs whose joint state space fits in memory.

Not for joint state spaces beyond about 10^6: see `lpi.simulation`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lpi.evaluation import entropies, policy_row_offsets
from lpi.kernels import njit
from lpi.mdp import NetworkedMDP
from lpi.memory import EXACT_LIMIT
from lpi.network import digits
from lpi.policy import LocalPolicy, policy_index
from lpi.solvers.elimination import elimination
from lpi.solvers.joint_chain import Operator, close_loop, joint_order, make_plan, memory, stage_sums
from lpi.solvers.krylov import Invariant, basis_space, constants, gmres

_ROUNDING = 2.0**-51  # relative residual that double precision can reach


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Values of a policy, regularised and unregularised, and how well they are known.

    Joint states and joint actions are in C order, agent n - 1 running fastest.  What belongs to single agents is there
    if the evaluation was asked for it (`per_agent`); otherwise it raises ValueError.
    """

    regularized: float  # J under rho with the entropy weight of (2)
    unregularized: float  # J with tau = 0
    error_bound: float  # on J and on every V(s) and V_i(s), each of regularised and unregularised
    residual: float  # the largest of (4), over states and the two quantities in `start`
    sweeps: int  # applications of the transition operator
    start: np.ndarray = field(repr=False)  # opaque: hand it to the evaluation of a similar policy
    tau: float
    per_agent: bool
    _mdp: NetworkedMDP = field(repr=False)
    _limit: int = field(repr=False)

    @property
    def v(self) -> np.ndarray:
        """V of (2), shape (joint states,)."""
        return self._joint(self._pairs().mean(axis=0), self.tau)

    @property
    def v_unregularized(self) -> np.ndarray:
        """V of (2) with tau = 0, shape (joint states,)."""
        return self._joint(self._pairs().mean(axis=0), 0.0)

    @property
    def v_agents(self) -> np.ndarray:
        """V_i of (5), shape (n, joint states)."""
        return self._agents(self.tau)

    @property
    def v_agents_unregularized(self) -> np.ndarray:
        """V_i of (5) with tau = 0, shape (n, joint states)."""
        return self._agents(0.0)

    def q(self, regularized: bool = True) -> np.ndarray:
        """Q of (3), shape (joint states, joint actions); with tau = 0 if not `regularized`.

        Raises:
            ValueError: the table does not fit in memory; says how large it is.
        """
        values = self.v if regularized else self.v_unregularized
        return q_function(self._mdp, values, range(self._mdp.agents), self._limit)

    def q_agent(self, agent: int, regularized: bool = True) -> np.ndarray:
        """Q_i of (6), shape (joint states, joint actions); with tau = 0 if not `regularized`.

        Raises:
            ValueError: the evaluation was not per agent, no such agent, or the table does not fit in memory.
        """
        if not 0 <= agent < self._mdp.agents:
            raise ValueError(f"agent: {agent} is not allowed; an integer in 0..{self._mdp.agents - 1}")
        self._check_per_agent()
        values = self._joint(self._pairs()[agent], self.tau if regularized else 0.0)
        return q_function(self._mdp, values, [agent], self._limit)

    def _pairs(self) -> np.ndarray:
        return self.start.reshape(len(self.start), -1, 2)

    def _joint(self, pairs: np.ndarray, tau: float) -> np.ndarray:
        result = np.empty(len(pairs))
        result[joint_order(self._mdp).ravel()] = pairs[:, 0] + tau * pairs[:, 1]
        return result

    def _check_per_agent(self) -> None:
        if not self.per_agent:
            raise ValueError("per_agent: False is not allowed here; evaluate with per_agent=True for V_i and Q_i")

    def _agents(self, tau: float) -> np.ndarray:
        self._check_per_agent()
        return np.stack([self._joint(pairs, tau) for pairs in self._pairs()])


class Evaluator:
    """Exact evaluation of many policies of one MDP and kappa; each solve starts from the last one's values.

    Args:
        mdp: the networked MDP.
        kappa: hops of the policies to come.
        memory_limit: bytes that may be used.
        per_agent: solve for every agent's V_i rather than for their mean.
        more: bytes for each joint state that the caller needs besides.

    Raises:
        ValueError: the joint state space does not fit; says how many states, how much memory, and what fits.
    """

    def __init__(
        self, mdp: NetworkedMDP, kappa: int, memory_limit: int = EXACT_LIMIT, per_agent: bool = False, more: int = 0
    ):
        self._solves = mdp.agents if per_agent else 1
        needed, states = memory(mdp, kappa, memory_limit, more + _agents_bytes(mdp, per_agent)), mdp.joint_states
        if needed > memory_limit:
            raise ValueError(
                f"exact evaluation: {states:.3g} joint states need {needed / 1e9:.3g} GB; at most "
                f"{memory_limit / 1e9:.3g} GB, that is about {memory_limit / (needed / states):.3g} states, fit"
            )
        self._mdp, self._kappa, self._limit, self._per_agent = mdp, kappa, memory_limit, per_agent
        self.plan = plan = make_plan(mdp, kappa)
        self._index = policy_index(mdp, kappa)
        self._start = np.zeros((self._solves, plan.ranks * plan.components * 2))
        self._basis = basis_space(self._start.shape[1])
        # functions of the component alone: the averages over the ranks leave them as they are
        none = plan._replace(inner=elimination((), ()))
        component = Operator(none, np.zeros(0), mdp.gamma)

        def solve(row, limit):
            return gmres(component, row, np.zeros_like(row), limit, constants(mdp.gamma, 2))[0]

        self._component = Invariant(plan.components * 2, solve)

    def start_from(self, start: np.ndarray) -> None:
        """Start the next solve from `Evaluation.start` of another evaluation of the same MDP, of any kappa."""
        start = np.asarray(start, dtype=float)
        if start.ndim != 2 or start.shape[1] != self._start.shape[1] or len(start) not in (1, self._mdp.agents):
            raise ValueError(
                f"start: shape {start.shape} is not allowed; `start` of an evaluation of this MDP, shape "
                f"{self._start.shape}"
            )
        fitting = start if len(start) == self._solves else start.mean(axis=0)
        self._start = np.broadcast_to(fitting, self._start.shape)

    def kernel(self, flat_policy: np.ndarray) -> np.ndarray:
        """The agents' transition probabilities under a policy, as `lpi.solvers.joint_chain.close_loop` lays them out."""
        offsets = policy_row_offsets(self._index, self._mdp.actions)
        return close_loop(self.plan, flat_policy, offsets, self._mdp.actions)

    def evaluate(self, flat_policy: np.ndarray, tau: float, tolerance: float = 1e-9) -> Evaluation:
        """J and V of a flat kappa-hop policy, each of regularised and unregularised within about `tolerance`.

        Rounding may not let large values be known as well; `Evaluation.error_bound` says how well they are.
        """
        plan, mdp, index, n = self.plan, self._mdp, self._index, self._mdp.agents
        rewards = _expected_rewards(flat_policy, plan.rewards, index.size, mdp.actions)
        stage = np.column_stack((rewards, entropies(flat_policy, index, mdp.actions)))
        stage[:, 0 if self._solves == 1 else 1] *= 1 / n if self._solves == 1 else n
        operator = Operator(plan, self.kernel(flat_policy), mdp.gamma)
        limit = max(tolerance * (1 - mdp.gamma), _ROUNDING * float(np.abs(stage).max()) * n / (1 - mdp.gamma))
        largest, sweeps, unregularized, entropy = 0.0, 0, 0.0, 0.0
        solutions = []
        for k in range(self._solves):
            agents = (k, k + 1) if self._solves > 1 else (0, n)
            target = stage_sums(plan, stage, index.offset, *agents)
            solution, residual, used = gmres(
                operator, target, self._start[k], limit, self._component, basis=self._basis
            )
            largest, sweeps = max(largest, residual), sweeps + used
            solutions.append(solution)
            reward_part, entropy_part = _expectations(plan.rho.ravel(), solution)
            unregularized += reward_part / self._solves
            entropy += entropy_part / self._solves
        self._start = solutions[0][None, :] if self._solves == 1 else np.stack(solutions)
        return Evaluation(
            unregularized + tau * entropy, unregularized, largest * (1 + tau) / (1 - mdp.gamma), largest, sweeps,
            self._start, tau, self._per_agent, mdp, self._limit,
        )  # fmt: skip


def fits(mdp: NetworkedMDP, kappa: int = 1, memory_limit: int = EXACT_LIMIT, per_agent: bool = False) -> bool:
    """Whether the MDP's joint state space is small enough for an `Evaluator`."""
    return memory(mdp, kappa, memory_limit, _agents_bytes(mdp, per_agent)) <= memory_limit


def _agents_bytes(mdp: NetworkedMDP, per_agent: bool) -> int:
    """Start, solution and their copy, two quantities each, of every further agent, for each joint state."""
    return (mdp.agents - 1) * 3 * 2 * 8 if per_agent else 0


def evaluate(
    mdp: NetworkedMDP,
    policy: LocalPolicy,
    tau: float,
    tolerance: float = 1e-9,
    start: np.ndarray | None = None,
    per_agent: bool = False,
    memory_limit: int = EXACT_LIMIT,
) -> Evaluation:
    """J, V and, if asked for, V_i and Q_i of a policy: (2)-(6), regularised and unregularised in one pass.

    Args:
        mdp: any networked MDP whose joint state space fits.
        policy: a kappa-hop policy for it.
        tau: weight of the entropy, >= 0.
        tolerance: on each value, > 0.
        start: `Evaluation.start` of a similar policy (of any kappa), from which fewer sweeps are needed.
        per_agent: also V_i and Q_i; takes about n times as long.
        memory_limit: bytes that may be used.

    Raises:
        ValueError: the joint state space does not fit in memory (says how many states, how much memory, and what
            fits), a negative tau, or a `start` of another MDP.
    """
    if not tau >= 0:
        raise ValueError(f"tau: {tau} is not allowed; a number >= 0")
    evaluator = Evaluator(mdp, policy.kappa, memory_limit, per_agent)
    if start is not None:
        evaluator.start_from(start)
    return evaluator.evaluate(policy.flat(), tau, tolerance)


def q_function(mdp: NetworkedMDP, values: np.ndarray, agents, memory_limit: int = EXACT_LIMIT) -> np.ndarray:
    """Mean of r_i(s_i, a_i) over `agents` + gamma E[values(s') | s, a], shape (joint states, joint actions).

    Args:
        values: shape (joint states,), agent n - 1 running fastest.

    Raises:
        ValueError: the table does not fit in memory; says how large it is.
    """
    states, actions = mdp.joint_states, int(np.prod(mdp.actions.astype(object)))
    if 2 * 8 * states * actions > memory_limit:
        raise ValueError(
            f"q: {float(states):.3g} joint states x {float(actions):.3g} joint actions need "
            f"{2 * 8 * states * actions / 1e9:.3g} GB; at most {memory_limit / 1e9:.3g} GB fit"
        )
    evaluator, order = Evaluator(mdp, 0), joint_order(mdp).ravel()
    pairs = np.zeros((states, 2))
    pairs[:, 0] = values[order]
    table, everyone = np.empty((states, actions)), digits(range(mdp.agents), mdp.states)
    for column, action in enumerate(digits(range(mdp.agents), mdp.actions)):
        chosen = [np.tile(np.eye(m)[a], s) for m, a, s in zip(mdp.actions, action, mdp.states, strict=True)]
        operator = Operator(evaluator.plan, evaluator.kernel(np.concatenate(chosen)), mdp.gamma)
        table[order, column] = pairs[:, 0] - operator(pairs.ravel())[::2]  # gamma P values
        for i in agents:
            table[:, column] += mdp.rewards[i][everyone[:, i], action[i]] / len(agents)
    return table


@njit(cache=True, error_model="numpy")
def _expected_rewards(policy, rewards, rows, actions):
    """E_{a ~ zeta_i} r_i per policy row, all agents."""
    result = np.zeros(rows.sum())
    at = 0
    row = 0
    for i in range(len(actions)):
        for _ in range(rows[i]):
            for _ in range(actions[i]):
                result[row] += policy[at] * rewards[at]
                at += 1
            row += 1
    return result


@njit(cache=True)
def _expectations(weights, pairs):
    """Weighted sums of two interleaved quantities."""
    first, second = 0.0, 0.0
    for s in range(len(weights)):
        first += weights[s] * pairs[2 * s]
        second += weights[s] * pairs[2 * s + 1]
    return first, second
