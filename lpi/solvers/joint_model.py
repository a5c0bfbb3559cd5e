"""An MDP over all joint states and joint actions: expected next values, averages under a policy, policies' tables.

The expectation of V(s') given (s, a) is taken one agent's next state at a time for a block of states at once: those that
share the local states of the first few agents.  A block's tables hold what is read of the other agents' states and of
the actions (`lpi.solvers.elimination`); the more agents are fixed, the smaller they are and the more blocks there are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from lpi.elementary import logarithms
from lpi.kernels import njit
from lpi.mdp import NetworkedMDP
from lpi.memory import EXACT_LIMIT, EXACT_STATE_BYTES
from lpi.network import extended_index
from lpi.policy import LocalPolicy
from lpi.solvers.elimination import average, elimination, probabilities

_QUANTITIES = 2  # most that are averaged at once: reward and entropy
_BLOCK_BYTES = 2**26  # that a block takes where a smaller one would do: beyond, it is no faster
_POLICIES = 4  # tables of a policy's size that policy iteration holds beside its records


class JointModel:
    """Expectations over the next joint state, by joint state and joint action, both in C order (agent n - 1 fastest).

    Args:
        mdp: the networked MDP.
        memory_limit: bytes that may be used by this and the solver.
        records: policies that the caller keeps.

    Raises:
        ValueError: it does not fit; says how many states, how much memory, and what fits.
    """

    def __init__(self, mdp: NetworkedMDP, memory_limit: int = EXACT_LIMIT, records: int = 0):
        self._fixed = _fixed_agents(mdp, memory_limit, records)
        self.mdp, self.states, self.actions = mdp, mdp.joint_states, math.prod(int(a) for a in mdp.actions)
        self._block = math.prod(int(size) for size in mdp.states[self._fixed :])
        depends, present = _reads(mdp, self._fixed)
        self._plan = plan = elimination(depends, mdp.states, present)
        read = {j for k in plan.variable for j in depends[k] if present[j] > 1}
        shape = [size if j in read else 1 for j, size in enumerate(present)]
        self._shapes = shape, present
        size = plan.largest * _QUANTITIES
        self._work = {kind: (np.empty(size, kind), np.empty(size, kind)) for kind in (np.float64, np.float32)}
        self._everyone = range(mdp.agents)

    def expectations(self, values: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """E[values(s') | s, a] for one block of states after another.

        Args:
            values: shape (joint states, quantities), at most 2 quantities, float64 or float32.

        Yields:
            The block's states and an array (states, joint actions, quantities) that is valid until the next one.
        """
        kind, quantities = values.dtype.type, values.shape[1]
        first, second = self._work[kind]
        flat, (shape, present) = np.ascontiguousarray(values).ravel(), self._shapes
        count = math.prod(shape) * quantities
        fixed = itertools.product(*(range(int(size)) for size in self.mdp.states[: self._fixed]))
        for number, prefix in enumerate(fixed):
            kernel, offset = self._kernel(prefix)
            found = _expected(self._plan, kernel.astype(kind), offset, flat, quantities, first, second)[:count]
            if shape != present:  # nothing reads a state or an action that has no influence
                found = np.broadcast_to(found.reshape(*shape, quantities), (*present, quantities))
            begin = number * self._block
            yield slice(begin, begin + self._block), found.reshape(self._block, self.actions, quantities)

    def q_values(self, values: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Q(s, a) of (6) for joint values (joint states,), as `expectations` gives it, shape (states, joint actions)."""
        mdp = self.mdp
        for here, expected in self.expectations(values[:, None]):
            q = mdp.gamma * expected[:, :, 0]
            by_agent = q.reshape(self._block, *mdp.actions)
            for i, rewards in enumerate(mdp.rewards):
                own = rewards[self.own_states(i, here)] / mdp.agents
                by_agent += own.reshape(self._block, *(-1 if j == i else 1 for j in self._everyone))
            yield here, q

    def own_states(self, agent: int, here: slice) -> np.ndarray:
        """Local states of an agent in a slice of the joint states."""
        stride = math.prod(int(size) for size in self.mdp.states[agent + 1 :])
        return np.arange(here.start, here.stop) // stride % int(self.mdp.states[agent])

    def average(self, policy: np.ndarray, values: np.ndarray) -> np.ndarray:
        """E[values(s') | s] under a product policy (joint states, sum of |A_i|); shape and type of `values`."""
        result = np.empty_like(values)
        for here, expected in self.expectations(values):
            _over_actions(np.ascontiguousarray(expected), policy[here], self.mdp.actions, result[here])
        return result

    def stage(self, policy: np.ndarray) -> np.ndarray:
        """Expected mean reward and the sum of the agents' entropies, shape (joint states, 2)."""
        result, begin = np.zeros((self.states, 2)), 0
        for i, rewards in enumerate(self.mdp.rewards):
            own = self.own_states(i, slice(0, self.states))
            for a in range(int(self.mdp.actions[i])):
                p = policy[:, begin + a]
                result[:, 0] += p * (rewards[own, a] / self.mdp.agents)
                result[:, 1] -= p * logarithms(np.where(p > 0, p, 1.0))
            begin += int(self.mdp.actions[i])
        return result

    def under_rho(self, values: np.ndarray) -> float:
        """Expectation of (joint states,) under rho."""
        total = np.zeros(self.states)
        for c, weight in enumerate(self.mdp.rho.weights):
            product = np.full(1, weight)
            for table in self.mdp.rho.marginals:
                product = np.multiply.outer(product, table[c]).ravel()
            total += product
        return float((total * values).sum())

    def _kernel(self, prefix: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Next-state probabilities where the first agents' states are `prefix`, as `average` reads them."""
        around = self.mdp.network.neighbourhoods(1)
        at = [tuple(prefix[j] if j < self._fixed else slice(None) for j in members) for members in around]
        return probabilities([table[where] for table, where in zip(self.mdp.transitions, at, strict=True)])


def joint_policy(mdp: NetworkedMDP, policy: LocalPolicy | Sequence[np.ndarray] | None) -> np.ndarray:
    """A policy that reads all local states, shape (joint states, sum of |A_i|), agents side by side.

    Args:
        mdp: the networked MDP.
        policy: per agent an array (joint states, |A_i|); or a kappa-hop policy; or None, the uniform policy.

    Raises:
        ValueError: tables of other shapes, or that hold no distributions.
    """
    shapes = [(mdp.joint_states, int(count)) for count in mdp.actions]
    if policy is None:
        tables = [np.full(shape, 1 / shape[1]) for shape in shapes]
    elif isinstance(policy, LocalPolicy):
        everyone, seen = range(mdp.agents), mdp.network.neighbourhoods(policy.kappa)
        tables = [
            table.reshape(-1, shape[1])[extended_index(everyone, seen[i], mdp.states, [0] * mdp.agents)]
            for i, (table, shape) in enumerate(zip(policy.tables, shapes, strict=True))
        ]
    else:
        tables = [np.asarray(table, dtype=float) for table in policy]
    if [table.shape for table in tables] != shapes:
        raise ValueError(f"start: tables of shapes {[t.shape for t in tables]} are not allowed; {shapes}")
    for i, table in enumerate(tables):
        if not (table >= 0).all() or not (np.abs(table.sum(axis=1) - 1) <= 1e-9).all():
            raise ValueError(f"start: table {i} is not allowed; entries >= 0 that sum to 1 over the last axis")
    return np.concatenate(tables, axis=1)


def by_agent(mdp: NetworkedMDP, policy: np.ndarray) -> tuple[np.ndarray, ...]:
    """The inverse of `joint_policy`: per agent a view (joint states, |A_i|)."""
    return tuple(np.split(policy, np.cumsum(mdp.actions)[:-1], axis=1))


def joint_memory(mdp: NetworkedMDP, records: int = 0, fixed: int | None = None) -> int:
    """Bytes for policy iteration with the states of the first `fixed` agents fixed in a block (default: of all).

    The solver's vectors, the policies (`records` of them kept, with values), and the tables and indices of a block.
    """
    fixed = mdp.agents if fixed is None else fixed
    policy = 8 * int(mdp.actions.sum())
    per_state = EXACT_STATE_BYTES + _POLICIES * policy + records * (policy + 16)
    return mdp.joint_states * per_state + _block_bytes(mdp, fixed)


def _fixed_agents(mdp: NetworkedMDP, limit: int, records: int) -> int:
    """How many agents' states a block fixes: the fewest that keep it small."""
    least = joint_memory(mdp, records)
    if least > limit:
        states = mdp.joint_states
        raise ValueError(
            f"policy iteration: {states:.3g} joint states and {math.prod(map(int, mdp.actions)):.3g} joint actions need "
            f"{least / 1e9:.3g} GB; at most {limit / 1e9:.3g} GB, that is about "
            f"{limit / (least / states):.3g} states, fit"
        )
    most = max(_BLOCK_BYTES, _block_bytes(mdp, mdp.agents))
    return next(
        k
        for k in range(mdp.agents + 1)
        if _block_bytes(mdp, k) <= most and joint_memory(mdp, records, k) <= max(limit, least)
    )


def _block_bytes(mdp: NetworkedMDP, fixed: int) -> int:
    """Tables of double and of single precision, indices, and what is needed to make them."""
    depends, present = _reads(mdp, fixed)
    read: set[int] = set()
    largest, rows = mdp.joint_states, 0
    for k in range(mdp.agents):
        read |= set(depends[k])
        now = math.prod(present[j] for j in read)
        rows += now
        largest = max(largest, now * math.prod(int(size) for size in mdp.states[k + 1 :]))
    final = math.prod(present)
    return largest * _QUANTITIES * 2 * (8 + 4) + rows * 2 * 8 + final * 8 * (len(present) + 6)


def _reads(mdp: NetworkedMDP, fixed: int) -> tuple[list[tuple[int, ...]], list[int]]:
    """What each agent's next state depends on, actions numbered after the agents, and the numbers of values."""
    n = mdp.agents
    depends = [(*around, n + i) for i, around in enumerate(mdp.network.neighbourhoods(1))]
    present = [1 if j < fixed else int(size) for j, size in enumerate(mdp.states)]
    return depends, [*present, *(int(count) for count in mdp.actions)]


@njit(cache=True, error_model="numpy")
def _expected(plan, kernel, offset, values, inside, first, second):
    first[: len(values)] = values
    return average(plan, kernel, offset, 1, inside, False, first, second)


@njit(cache=True, error_model="numpy")
def _over_actions(expected, policy, actions, result):
    """result[s] = sum_a policy(a | s) expected[s, a]; one agent after another, long loops before short ones."""
    states, joint, quantities = expected.shape
    table = np.empty(joint * quantities, dtype=expected.dtype)
    flat = expected.reshape(states, joint * quantities)
    weights = policy.astype(expected.dtype)
    for s in range(states):
        size, begin = joint * quantities, 0
        table[:] = flat[s]
        for count in actions:
            size //= count
            first = weights[s, begin]
            for x in range(size):
                table[np.uint64(x)] *= first
            for a in range(1, count):
                weight, at = weights[s, begin + a], a * size
                for x in range(size):
                    table[np.uint64(x)] += weight * table[np.uint64(at + x)]
            begin += count
        for k in range(quantities):
            result[s, k] = table[k]
