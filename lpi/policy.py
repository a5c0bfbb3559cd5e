"""kappa-hop localized policies (Definition 5) and the extension operator (Definition 6)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lpi import arrays
from lpi.mdp import NetworkedMDP
from lpi.network import LocalIndex, local_index
from lpi.results import atomic_write

_TOLERANCE = 1e-9


class LocalPolicy:
    """A kappa-hop policy: agent i draws its action from a table indexed by the states of N_i^kappa.

    Args:
        mdp: the networked MDP that the policy is for.
        kappa: number of hops, >= 0.
        tables: one array per agent, shape (|S_j| for j in N_i^kappa, ascending j) + (|A_i|,); the last axis sums to 1.
    """

    def __init__(self, mdp: NetworkedMDP, kappa: int, tables: Sequence[np.ndarray]):
        _check_kappa(kappa)
        self.kappa = int(kappa)
        self.neighbourhoods = mdp.network.neighbourhoods(self.kappa)
        self.tables = [np.ascontiguousarray(table, dtype=float) for table in tables]
        _check_shapes(mdp, self.neighbourhoods, [table.shape for table in self.tables])
        for i, table in enumerate(self.tables):
            if not np.isfinite(table).all() or (table < 0).any() or (abs(table.sum(-1) - 1) > _TOLERANCE).any():
                raise ValueError(f"policy: table {i} holds no probabilities; entries >= 0, each row sums to 1")

    @classmethod
    def uniform(cls, mdp: NetworkedMDP, kappa: int) -> LocalPolicy:
        """Every action equally likely, whatever the state."""
        return cls(mdp, kappa, _split(mdp, kappa, uniform_table(mdp, kappa)))

    @classmethod
    def from_flat(cls, mdp: NetworkedMDP, kappa: int, flat: np.ndarray) -> LocalPolicy:
        """From all agents' tables one after another, as the kernels hold them."""
        return cls(mdp, kappa, _split(mdp, kappa, flat))

    def flat(self) -> np.ndarray:
        """All agents' tables one after another, shape (sum_i |S_{N_i^kappa}| |A_i|,)."""
        return np.concatenate([table.ravel() for table in self.tables])

    def probabilities(self, agent: int, state: Sequence[int]) -> np.ndarray:
        """zeta_i(. | s_{N_i^kappa}) at a joint state (length n), shape (|A_i|,)."""
        return self.tables[agent][tuple(state[j] for j in self.neighbourhoods[agent])]

    def save(self, path) -> None:
        """Write the policy as .npz, whole or not at all."""
        tables: dict[str, Any] = {f"table_{i:05d}": table for i, table in enumerate(self.tables)}
        buffer = io.BytesIO()
        np.savez(buffer, kappa=np.int64(self.kappa), **tables)
        atomic_write(path, buffer.getvalue())

    @classmethod
    def load(cls, path, mdp: NetworkedMDP) -> LocalPolicy:
        """Read a policy written by `save` and check it against the MDP; nothing in the file is executed."""
        arrays.check_file(path)
        try:
            found = arrays.read(path, lambda headers, array: _check_headers(mdp, headers, array))
        except (PermissionError, _OtherShape):
            raise
        except Exception as error:  # a damaged archive fails in many ways, not all of them documented
            raise ValueError(f"policy: {path} is not a policy file written by lpi ({error})") from error
        return cls(mdp, int(found["kappa"]), [found[name] for name in _tables(found)])


class _OtherShape(ValueError):
    """Tables that are not those of the MDP."""


def _check_kappa(kappa: int) -> None:
    if kappa < 0:
        raise _OtherShape(f"kappa: {kappa} is not allowed; an integer >= 0")


def _check_shapes(
    mdp: NetworkedMDP, neighbourhoods: Sequence[Sequence[int]], shapes: Sequence[tuple[int, ...]]
) -> None:
    """One table per agent, of its neighbourhood."""
    if len(shapes) != mdp.agents:
        raise _OtherShape(f"policy: {len(shapes)} tables are not allowed; one per agent, {mdp.agents}")
    for i, found in enumerate(shapes):
        shape = (*(int(mdp.states[j]) for j in neighbourhoods[i]), int(mdp.actions[i]))
        if found != shape:
            raise _OtherShape(f"policy: table {i} has shape {found}; for this MDP and kappa it is {shape}")


def _tables(names: Iterable[str]) -> list[str]:
    """The names of a file's tables, by agent."""
    return sorted(name for name in names if name.startswith("table_"))


def _check_headers(mdp: NetworkedMDP, headers: Mapping[str, arrays.Header], array: Callable[[str], np.ndarray]) -> None:
    """A file holds a kappa and the tables that go with it and the MDP, and nothing else."""
    if "kappa" not in headers or headers["kappa"].shape != () or headers["kappa"].dtype.kind not in "iu":
        raise ValueError("no kappa")
    names = _tables(headers)
    for name in names:
        if headers[name].dtype.kind != "f":  # numpy would read numbers from text and drop imaginary parts
            raise ValueError(f"{name} holds {headers[name].dtype}, not floating-point numbers")
    others = sorted(set(headers) - {"kappa", *names})
    if others:
        raise ValueError(f"it holds {others[0]!r} as well")
    kappa = int(array("kappa"))
    _check_kappa(kappa)
    _check_shapes(mdp, mdp.network.neighbourhoods(kappa), [headers[name].shape for name in names])


def extend(local: Sequence[int], members: Sequence[int], default: Sequence[int]) -> np.ndarray:
    """Definition 6: the joint value that agrees with `local` on `members` and with `default` elsewhere, shape (n,)."""
    joint = np.array(default, dtype=np.int64)
    joint[list(members)] = local
    return joint


def policy_index(mdp: NetworkedMDP, kappa: int) -> LocalIndex:
    """Index of s_{N_i^kappa} for every agent."""
    return local_index(mdp.network.neighbourhoods(kappa), mdp.states)


def uniform_table(mdp: NetworkedMDP, kappa: int) -> np.ndarray:
    """The uniform policy in flat form."""
    sizes = policy_index(mdp, kappa).size
    return np.concatenate([np.full(int(m * a), 1 / int(a)) for m, a in zip(sizes, mdp.actions, strict=True)])


def _split(mdp: NetworkedMDP, kappa: int, flat: np.ndarray) -> list[np.ndarray]:
    shapes = [
        (*(int(mdp.states[j]) for j in neighbourhood), int(mdp.actions[i]))
        for i, neighbourhood in enumerate(mdp.network.neighbourhoods(kappa))
    ]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]
