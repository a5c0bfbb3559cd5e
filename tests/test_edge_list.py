"""Networks from files of edges: what is read, and what is refused in one line."""

from __future__ import annotations

import networkx as nx
import pytest

from lpi import cli, experiment
from lpi.config import ConfigError, check_setting
from lpi.edge_list import is_file, read_edges
from lpi.network import Network
from lpi.results import read_rows

REFUSED = {
    "a word": ("0 one\n", "line 1, '0 one', is not an edge"),
    "three numbers": ("0 1\n1 2 3\n", "line 2, '1 2 3', is not an edge"),
    "one number": ("0 1\n2\n", "line 2, '2', is not an edge"),
    "data to evaluate": ("0 1 {'weight': __import__('os')}\n", "line 1"),
    "underscore": ("0 1_0\n", "line 1"),
    "other digits": ("0 ١\n", "line 1"),
    "negative": ("0 -1\n", "line 1"),
    "self loop": ("0 1\n1 1\n", "agent 1 is joined to itself"),
    "a gap": ("0 1\n1 3\n", "agent 2 has no edge, agent 3 has one"),
    "two parts": ("0 1\n2 3\n", "2 agents cannot be reached from agent 0"),
    "nothing": ("# no edge\n\n", "it has no edge"),
    "another size": ("0 1\n1 2\n", "agents: 4 is not allowed with graph = .*, which has 3; 3"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, text: str | bytes, name: str = "edges.txt") -> str:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def test_the_graph_of_the_file(folder):
    graph = nx.gnp_random_graph(9, 0.5, seed=1)
    assert nx.is_connected(graph)
    nx.write_edgelist(graph, folder / "edges.edgelist", data=False)
    assert Network.named("edges.edgelist", 9).edges == Network.from_graph(graph).edges


def test_remarks_tabs_and_repetitions(folder):
    name = write(folder, "# a star\n\n  0\t1 # first\r\n0 2\n2 0\n")
    assert Network.named(name, 3).edges == ((0, 1), (0, 2))


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(folder, case):
    text, message = REFUSED[case]
    name = write(folder, text)
    with pytest.raises(ValueError, match=message) as caught:
        Network.named(name, 4)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(folder, monkeypatch):
    with pytest.raises(ValueError, match="'none.txt' is not allowed, there is no such file"):
        read_edges("none.txt", 2)
    with pytest.raises(ValueError, match="not text in UTF-8"):
        read_edges(write(folder, b"0 1\xff"), 2)
    monkeypatch.setattr("lpi.edge_list.LARGEST_FILE", 3)
    with pytest.raises(ValueError, match="it is too large; at most 3 bytes"):
        read_edges(write(folder, "0 1\n"), 2)


@pytest.mark.parametrize("name", ["a.txt", "../b c/net.edgelist", "/x/1.txt"])
def test_names_of_files(name):
    assert is_file(name) and check_setting("graph", name) == name


@pytest.mark.parametrize("name", ["a.py", ".txt", "a/.txt", "a{b}.txt", "a\n.txt", "'a'.txt", "<a>.txt", "a.txt "])
def test_names_of_no_file(name):
    assert not is_file(name)
    with pytest.raises(ConfigError, match="'line' or 'ring' .* or a file of edges"):
        check_setting("graph", name)


def test_training_is_that_of_the_same_graph(folder):
    write(folder, "0 1\n1 2\n2 0\n")
    short = ["--agents", "3", "--set", "outer_loops=2", "--set", "trajectory_length=50", "--quiet"]
    for graph, output in (("edges.txt", "a.csv"), ("ring", "b.csv")):
        assert cli.main(["train", "--graph", graph, "--output", output, *short]) == 0
    found, same = read_rows("a.csv"), read_rows("b.csv")
    assert {row.pop("graph") for row in found} == {"edges.txt"} and {row.pop("graph") for row in same} == {"ring"}
    assert repr(found) == repr(same)


def test_a_mistake_in_the_file_is_one_line_and_nothing_is_written(folder, capsys):
    write(folder, "0 1\n2 2\n")
    assert cli.main(["train", "--graph", "edges.txt", "--agents", "3", "--output", "o.csv"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "graph: 'edges.txt'" in error and not (folder / "o.csv").exists()


def config(**settings) -> dict:
    return {
        "figures": {"figure1": {"agents": [3], "taus": [0.05]}},
        "locality": {"agents": [3], "taus": [0.05]},
        "acting": {"agents": 3, "tau": 0.05, "p_eff": [0.4]},
        "settings": settings,
    }


def test_one_line_of_the_config(folder):
    write(folder, "0 1\n1 2\n2 0\n")
    assert experiment.load(config(graph="edges.txt")).files == ("edges.txt",)
    assert experiment.load(config(graph="ring")).files == ()
    with pytest.raises(ConfigError, match="agents: 4 is not allowed with graph = edges.txt"):
        experiment.load(config(graph="edges.txt") | {"figures": {"figure1": {"agents": [4], "taus": [0.05]}}})
