"""Every agent's V_i and Q_i, and policy improvement, on all joint states and actions: for checking the theorems.

A joint policy is one array (joint states, |A_i|) per agent; Q functions are arrays (joint states, joint actions).  Both
count in C order, the last agent's value running fastest.  For a few thousand joint states; `lpi.exact` goes further.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpi.mdp import NetworkedMDP
from lpi.network import digits
from lpi.policy import LocalPolicy

LARGEST = 2**24
"""Entries that one agent's Q function may have."""
SWEEPS = 10_000

JointPolicy = Sequence[np.ndarray]


class LocalValues(NamedTuple):
    """(5) and (6) of every agent."""

    v: np.ndarray  # (n, joint states)
    q: np.ndarray  # (n, joint states, joint actions)


def joint_policy(mdp: NetworkedMDP, policy: LocalPolicy | JointPolicy) -> list[np.ndarray]:
    """The policy as one array (joint states, |A_i|) per agent.

    Raises:
        ValueError: the number or the shape of the arrays is not that of the MDP's joint policies.
    """
    if isinstance(policy, LocalPolicy):
        states = digits(range(mdp.agents), mdp.states)
        return [
            table[tuple(states[:, j] for j in seen)]
            for table, seen in zip(policy.tables, policy.neighbourhoods, strict=True)
        ]
    policy = [np.asarray(table, dtype=float) for table in policy]
    shapes = [(mdp.joint_states, int(actions)) for actions in mdp.actions]
    if [table.shape for table in policy] != shapes:
        raise ValueError(f"policy: shapes {[table.shape for table in policy]} are not allowed; {shapes}")
    return policy


def uniform_policy(mdp: NetworkedMDP) -> list[np.ndarray]:
    """Every action equally likely in every joint state."""
    return [np.full((mdp.joint_states, int(a)), 1 / int(a)) for a in mdp.actions]


def entropy(policy: JointPolicy) -> np.ndarray:
    """Entropy of zeta_i(.|s) in nats, shape (n, joint states)."""
    return np.array([-(zeta * np.log(np.where(zeta > 0, zeta, 1))).sum(axis=1) for zeta in policy])


class DenseModel:
    """Expectations over the next joint state of a networked MDP, taken one agent at a time.

    Raises:
        ValueError: a Q function of the MDP would have more than `LARGEST` entries.
    """

    def __init__(self, mdp: NetworkedMDP):
        self.mdp = mdp
        joint_actions = int(np.prod(mdp.actions.astype(object)))
        if mdp.joint_states * joint_actions > LARGEST:
            raise ValueError(
                f"agents: {mdp.agents} is not allowed here: {mdp.joint_states:.3g} joint states and "
                f"{joint_actions:.3g} joint actions; at most {LARGEST:.3g} pairs of them"
            )
        states = digits(range(mdp.agents), mdp.states)
        around = mdp.network.neighbourhoods(1)
        self.rho = sum(
            weight * np.prod([rows[c][states[:, i]] for i, rows in enumerate(mdp.rho.marginals)], axis=0)
            for c, weight in enumerate(mdp.rho.weights)
        )
        self._local = [P[tuple(states[:, j] for j in around[i])] for i, P in enumerate(mdp.transitions)]
        self._rewards = [r[states[:, i]] for i, r in enumerate(mdp.rewards)]
        self._actions = tuple(int(a) for a in mdp.actions)
        self._stage = np.stack([self._of_own_action(r, i) for i, r in enumerate(self._rewards)])

    def evaluate(self, policy: JointPolicy, tau: float) -> LocalValues:
        """V_i of (5) by a linear system, and Q_i of (6)."""
        n, gamma, transition = self.mdp.agents, self.mdp.gamma, self.chain(policy)
        stage = np.array([(zeta * r).sum(axis=1) for zeta, r in zip(policy, self._rewards, strict=True)])
        stage += n * tau * entropy(policy)
        v = np.linalg.solve(np.eye(len(transition)) - gamma * transition, stage.T).T
        return LocalValues(v, self._stage + gamma * self.next_value(v))

    def chain(self, policy: JointPolicy) -> np.ndarray:
        """P(s' | s) under a policy, shape (joint states, joint states)."""
        transition = np.ones((self.mdp.joint_states, 1))
        for zeta, local in zip(policy, self._local, strict=True):
            closed = np.einsum("sa,sat->st", zeta, local)
            transition = (transition[:, :, None] * closed[:, None, :]).reshape(len(closed), -1)
        return transition

    def next_value(self, values: np.ndarray) -> np.ndarray:
        """E[values(s') | s, a] for values of shape (k, joint states); shape (k, joint states, joint actions)."""
        k, n = len(values), self.mdp.agents
        table = values.reshape(k, 1, -1)
        for i in reversed(range(n)):
            size, actions = int(self.mdp.states[i]), self._actions[i]
            # axes: quantity, joint state, next states of agents before i, next state of i, actions of agents after i
            table = table.reshape(k, table.shape[1], int(np.prod(self.mdp.states[:i])), size, -1)
            table = np.einsum("kzxty,zat->kzxay", table, self._local[i])
            table = table.reshape(k, len(self._local[i]), -1, actions * table.shape[-1])
        return table.reshape(k, self.mdp.joint_states, -1)

    def mean_q(self, values: np.ndarray) -> np.ndarray:
        """r(s, a) + gamma E[values(s')], (3), for values of shape (joint states,)."""
        return self._stage.mean(axis=0) + self.mdp.gamma * self.next_value(values[None])[0]

    def improve(
        self, q: np.ndarray, tau: float, tolerance: float = 1e-14, start: JointPolicy | None = None
    ) -> list[np.ndarray]:
        """The product policy that maximises E[q] + tau * entropies in every joint state: (22), line 4 of Algorithm 3.

        One agent after another takes its best response until no probability moves by more than the tolerance.  That is
        the maximum where the maximiser is the only stationary point (Lemma 18), else a stationary point.
        """
        policy = [table.copy() for table in (uniform_policy(self.mdp) if start is None else start)]
        q = q - q.mean(axis=1, keepdims=True)  # the same maximiser, and less to round
        tolerance = max(tolerance, 4 * np.finfo(float).eps * float(np.abs(q).max()) / tau)
        for _ in range(SWEEPS):
            moved = 0.0
            for i in range(self.mdp.agents):
                response = softmax(self.expected(q, policy, i) / tau)
                moved = max(moved, float(np.abs(response - policy[i]).max()))
                policy[i] = response
            if moved <= tolerance:
                return policy
        raise ArithmeticError(f"policy improvement: not settled after {SWEEPS} sweeps (moved {moved:.3g})")

    def jacobi_step(self, q: np.ndarray, tau: float, policy: JointPolicy) -> list[np.ndarray]:
        """(28) with eta = 1 / tau: all agents respond at once."""
        return [softmax(self.expected(q, policy, i) / tau) for i in range(self.mdp.agents)]

    def expected(self, q: np.ndarray, policy: JointPolicy, agent: int | None = None) -> np.ndarray:
        """E over the actions of all agents but `agent`; shape (joint states,) or (joint states, |A_agent|)."""
        table = q.reshape(len(q), *self._actions)
        for i in reversed(range(self.mdp.agents)):
            if i != agent:
                weights = policy[i].reshape(len(q), *(1,) * (table.ndim - 2), -1)
                table = (np.moveaxis(table, i + 1, -1) * weights).sum(axis=-1)
        return table

    def bellman(self, values: np.ndarray, tau: float) -> tuple[np.ndarray, list[np.ndarray]]:
        """(7): T values, and the policy that attains it."""
        q = self.mean_q(values)
        policy = self.improve(q, tau)
        return self.expected(q, policy) + tau * entropy(policy).sum(axis=0), policy

    def policy_iteration(
        self, tau: float, start: JointPolicy, iterations: int = 1000, tolerance: float = 1e-12
    ) -> list[tuple[list[np.ndarray], LocalValues]]:
        """The policies and values of Algorithm 3 from `start` on, until V stands still or for so many iterations."""
        trail = [(list(start), self.evaluate(start, tau))]
        for _ in range(iterations):
            policy, values = trail[-1]
            policy = self.improve(values.q.mean(axis=0), tau, start=policy)
            trail.append((policy, self.evaluate(policy, tau)))
            before, after = values.v.mean(axis=0), trail[-1][1].v.mean(axis=0)
            if np.abs(after - before).max() <= tolerance * max(1.0, np.abs(after).max()):
                break
        return trail

    def _of_own_action(self, table: np.ndarray, agent: int) -> np.ndarray:
        """A function of the joint state and one agent's action, on all joint actions."""
        shape = [len(table)] + [1] * self.mdp.agents
        shape[agent + 1] = self._actions[agent]
        return np.broadcast_to(table.reshape(shape), (len(table), *self._actions)).reshape(len(table), -1)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
