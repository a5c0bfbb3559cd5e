"""What is known without simulation: two policies whose J is exact, and their advantages, which are simulated instead.

By the performance difference identity, for any policy pi that reads only the autonomous component and the agent's rank,

    J(zeta) = J(pi) + E_zeta sum_t gamma^t [E_{a ~ zeta(.|s(t))} A^pi(s(t), a)],

for the rewards and, with the entropy of zeta in the bracket, for the entropies of (2) alike.  The nearer zeta is to pi,
the smaller the variance of the sum.  One reference is the uniform policy, where learning starts, the other is about the
centralised optimum, where it should end.  Solving for them takes seconds at n = 15, hence the file.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from lpi import arrays
from lpi.elementary import logarithms
from lpi.mdp import NetworkedMDP
from lpi.memory import REFERENCE_STATES
from lpi.results import atomic_write
from lpi.solvers.component import autonomous_component, independent_ranks
from lpi.solvers.decoupled import DecoupledProblem

_NEARLY = 1e-2  # how far from optimal the second reference may be: its J is exact whatever it is
_VERSION = 1  # of the file's contents
_TOLERANCE = 1e-6  # on J of the references: far below any standard error


class Reference(NamedTuple):
    """J of two policies and what remains to be simulated, by present state and own action.

    Rows of `score` are (joint component value, agent, own rank, own action), the last fastest; its columns the
    advantage in reward and in entropy over the first policy, then over the second.  Those in entropy count from
    the largest entropy there is, and are 0 for the uniform policy.
    """

    known: np.ndarray  # (2, 2): by policy, discounted reward and discounted entropy of all agents under rho
    score: np.ndarray  # (joint component values * width, 4) float32
    beyond: np.ndarray  # (joint component values * all ranks, 2) float32: values of the second policy over the first's
    offset: np.ndarray  # (n,) int64: where agent i's rows begin within a joint value of `score`
    column: np.ndarray  # (n,) int64: where they begin within one of `beyond`
    stride: np.ndarray  # (n,) int64: weight of agent i's component in the joint value
    label: np.ndarray  # (n, max |S_i|) int64: component in each local state
    rank: np.ndarray  # (n, max |S_i|) int64
    widths: np.ndarray  # (2,) int64: rows of a joint value in `score` and in `beyond`


def reference(mdp: NetworkedMDP, tau: float) -> Reference:
    """References for policies of an MDP with entropy weight tau; where it does not decouple, a constant reward."""
    component = autonomous_component(mdp)
    if (
        component is None
        or np.prod(component.values.astype(object)) * int(mdp.states.max()) > REFERENCE_STATES
        or not independent_ranks(mdp, component)
    ):
        return _constant(mdp)
    problem = DecoupledProblem(mdp, component)
    optimal = problem.optimum(tau, _NEARLY).policy
    uniform = [np.full(table.shape, 1 / table.shape[2]) for table in optimal]
    most = logarithms(mdp.actions)
    known, columns, values = [], [], []
    for policy in (uniform, optimal):
        found = problem.evaluate(policy, 1.0, _TOLERANCE)  # with tau = 1 the entropy is the difference of the two J
        known.append((found.unregularized, found.regularized - found.unregularized))
        values.append(np.stack((_rows(found.rewards) / mdp.agents, _rows(found.entropies)), axis=1))
        columns += [_rows(found.reward_advantage) / mdp.agents]
        columns += [_rows([table + top for table, top in zip(found.entropy_advantage, most, strict=True)])]
    strides = np.concatenate((np.cumprod(component.values[:0:-1])[::-1], [1]))
    shapes = [table.shape[1:] for table in optimal]
    return _make(mdp, known, columns, values[1] - values[0], shapes, strides, component.label, component.rank)


def save(path, mdp: NetworkedMDP, tau: float, found: Reference) -> None:
    """Write a reference as .npz with what it was made for, whole or not at all."""
    buffer = io.BytesIO()
    np.savez(buffer, made_for=_digest(mdp, tau), **found._asdict())
    atomic_write(path, buffer.getvalue())


def load(path, mdp: NetworkedMDP, tau: float) -> Reference:
    """Read what `save` wrote for the same MDP and tau; nothing in the file is executed.

    Raises:
        ValueError: no such file, or one for another MDP or tau.
    """
    digest = _digest(mdp, tau)
    try:
        arrays.check_file(path)
        held = arrays.read(path, lambda headers, array: _check_headers(mdp, digest, headers, array))
        held.pop("made_for")
        found = Reference(**held)
    except _OtherDigest:
        raise ValueError(
            f"reference: {str(path)!r} is not allowed, it was made for another environment, tau or release; "
            "a file that lpi reference wrote with the same options"
        ) from None
    except Exception as error:  # a damaged archive fails in many ways, not all of them documented
        raise ValueError(
            f"reference: {str(path)!r} is not allowed ({error}); a file that lpi reference wrote"
        ) from error
    if not _consistent(found, mdp):
        raise ValueError(
            f"reference: {str(path)!r} is not allowed, its tables do not go together; a file that lpi reference wrote"
        )
    return found


class _OtherDigest(ValueError):
    """A file that was made for something else."""


def _check_headers(
    mdp: NetworkedMDP,
    digest: np.ndarray,
    headers: Mapping[str, arrays.Header],
    array: Callable[[str], np.ndarray],
) -> None:
    """A file holds the fields of a reference, of their types, with as many dimensions and entries as they may have."""
    n, most = mdp.agents, int(mdp.states.max())
    entries = max(REFERENCE_STATES, int((mdp.states * mdp.actions).sum())) * n * int(mdp.actions.max())
    shapes = {
        "made_for": (32,), "known": (2, 2), "score": (None, 4), "beyond": (None, 2), "offset": (n,), "column": (n,),
        "stride": (n,), "label": (n, most), "rank": (n, most), "widths": (2,),
    }  # fmt: skip
    kinds = {"made_for": "uint8", "known": "float64", "score": "float32", "beyond": "float32"}
    made_for = headers.get("made_for")
    if made_for is not None and made_for.shape == (32,) and not np.array_equal(array("made_for"), digest):
        raise _OtherDigest
    if set(headers) != set(shapes):
        raise ValueError(f"it holds {', '.join(sorted(headers))}")
    for name, shape in shapes.items():
        found = headers[name]
        alike = len(found.shape) == len(shape) and all(
            length <= entries if wanted is None else length == wanted
            for length, wanted in zip(found.shape, shape, strict=True)
        )
        if not alike or found.dtype != kinds.get(name, "int64"):
            raise ValueError(f"{name} has the shape {found.shape} of {found.dtype}")


def _consistent(found: Reference, mdp: NetworkedMDP) -> bool:
    """Whether numbers are finite and every index that a simulation can form lies within its table."""
    indices = (found.offset, found.column, found.stride, found.label, found.rank, found.widths)
    if any((table < 0).any() or (table > 2**31).any() for table in indices):
        return False
    if not all(np.isfinite(table).all() for table in (found.known, found.score, found.beyond)):
        return False
    joint = sum(int(s) * int(label.max()) for s, label in zip(found.stride, found.label, strict=True)) + 1
    ranks = found.rank.max(axis=1) + 1
    within = (found.offset + ranks * mdp.actions <= found.widths[0]).all() and (
        found.column + ranks <= found.widths[1]
    ).all()
    return bool(within) and joint * found.widths[0] == len(found.score) and joint * found.widths[1] == len(found.beyond)


def _constant(mdp: NetworkedMDP) -> Reference:
    """The largest entropy and the mean reward, whatever the state; what is simulated is the reward above its mean."""
    means = [float(table.sum()) / table.size for table in mdp.rewards]
    known = sum(means) / mdp.agents / (1 - mdp.gamma), float(logarithms(mdp.actions).sum()) / (1 - mdp.gamma)
    above = [(table - mean)[None] for table, mean in zip(mdp.rewards, means, strict=True)]
    columns = [_rows(above) / mdp.agents, np.zeros(sum(table.size for table in above))] * 2
    labels, ranks = [np.zeros(size, dtype=np.int64) for size in mdp.states], [np.arange(size) for size in mdp.states]
    shapes, beyond = [table.shape for table in mdp.rewards], np.zeros((int(mdp.states.sum()), 2))
    return _make(mdp, [known] * 2, columns, beyond, shapes, np.zeros(mdp.agents), labels, ranks)


def _make(mdp: NetworkedMDP, known, columns, beyond, shapes, strides, labels, ranks) -> Reference:
    """Arguments as the fields of `Reference`; `shapes`: (ranks, actions) of every agent."""
    label, rank = (np.zeros((mdp.agents, int(mdp.states.max())), dtype=np.int64) for _ in range(2))
    for i, size in enumerate(mdp.states):
        label[i, :size], rank[i, :size] = labels[i], ranks[i]
    begins = [np.cumsum([0, *sizes]) for sizes in ([r * a for r, a in shapes], [r for r, _ in shapes])]
    return Reference(
        known=np.array(known),
        score=np.stack([column.astype(np.float32) for column in columns], axis=1),
        beyond=beyond.astype(np.float32),
        offset=begins[0][:-1],
        column=begins[1][:-1],
        stride=strides.astype(np.int64),
        label=label,
        rank=rank,
        widths=np.array([begin[-1] for begin in begins]),
    )


def _rows(tables) -> np.ndarray:
    """Tables of all agents, shape (joint, ranks_i, ...), as one array with the joint value slowest."""
    return np.concatenate([table.reshape(len(table), -1) for table in tables], axis=1).ravel()


def _digest(mdp: NetworkedMDP, tau: float) -> np.ndarray:
    """SHA-256 of everything that a reference depends on, this file's version of it included; shape (32,) uint8."""
    found = hashlib.sha256(repr((_VERSION, _NEARLY, _TOLERANCE, float(tau), mdp.gamma, mdp.network.edges)).encode())
    for table in (*mdp.transitions, *mdp.rewards, mdp.rho.weights, *mdp.rho.marginals):
        found.update(repr(table.shape).encode() + np.ascontiguousarray(table).tobytes())
    return np.frombuffer(found.digest(), dtype=np.uint8)
