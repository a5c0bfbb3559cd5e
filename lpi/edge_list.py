"""Networks from a file of edges: one pair of agents a line, `#` before a remark, nothing in it evaluated."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

FILE = re.compile(r"[^{}<>\"'\x00-\x1f]*[^{}<>\"'\x00-\x1f/]\.(?:edgelist|txt)")
"""What the name of such a file looks like."""
LARGEST_FILE = 2**20
"""Bytes that such a file may have: some hundred thousand edges."""
_EDGE = re.compile(r"([0-9]{1,9})[ \t]+([0-9]{1,9})")


def is_file(graph: str) -> bool:
    """Whether a graph is named by a file, not by its family."""
    return FILE.fullmatch(graph) is not None


def read_edges(path: str, agents: int) -> list[tuple[int, int]]:
    """The edges of a connected graph whose agents are numbered 0..agents-1.

    Raises:
        ValueError: one line that names the file, what is wrong with it, where, and what is allowed.
    """
    edges, size = _checked(path, _text(path))
    if size != agents:
        raise ValueError(f"agents: {agents} is not allowed with graph = {path}, which has {size}; {size}")
    return list(edges)


@lru_cache(maxsize=8)
def _checked(path: str, text: str) -> tuple[tuple[tuple[int, int], ...], int]:
    """The edges in the text of a file and the number of agents; a grid asks for them at each of its points."""
    import networkx

    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    for number, line in enumerate(lines, 1):
        if line and _EDGE.fullmatch(line) is None:
            raise _refused(path, f"line {number}, {line[:60]!r}, is not an edge", "two agents' numbers, with a space")
    graph = networkx.parse_edgelist([line for line in lines if line], nodetype=int, data=False)
    loop = next(iter(networkx.nodes_with_selfloops(graph)), None)
    if loop is not None:
        raise _refused(path, f"agent {loop} is joined to itself", "edges between two different agents")
    if set(graph) != set(range(len(graph))):
        missing = next(i for i in range(len(graph)) if i not in graph)
        raise _refused(path, f"agent {missing} has no edge, agent {max(graph)} has one", "agents 0..n-1, each with one")
    if not graph:
        raise _refused(path, "it has no edge", "at least one")
    if not networkx.is_connected(graph):
        apart = len(graph) - len(networkx.node_connected_component(graph, 0))
        raise _refused(path, f"{apart} agents cannot be reached from agent 0", "a connected graph")
    return tuple((i, j) for i, j in graph.edges), len(graph)


def _text(path: str) -> str:
    try:
        if not Path(path).is_file():
            why = "it is not a file" if Path(path).exists() else "there is no such file"
            raise _refused(path, why, "a file of edges, relative to the present folder")
        with open(path, "rb") as file:
            content = file.read(LARGEST_FILE + 1)
        text = content.decode("utf-8-sig")  # as editors under Windows write it
    except OSError as error:
        raise _refused(path, str(error.strerror), "a file that can be read") from error
    except UnicodeDecodeError as error:
        raise _refused(path, "it is not text in UTF-8", "two agents' numbers a line") from error
    if len(content) > LARGEST_FILE:
        raise _refused(path, "it is too large", f"at most {LARGEST_FILE} bytes")
    return text


def _refused(path: str, why: str, allowed: str) -> ValueError:
    return ValueError(f"graph: {path!r} is not allowed, {why}; {allowed}")
