"""Neighbourhoods and indexing: properties on random graphs, against networkx, numpy and Definition 6."""

from __future__ import annotations

import networkx as nx
import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpi.network import DEGREE, GRAPHS, Network, digits, extended_index, local_index

# derandomized: the same examples everywhere, so that a red run can be repeated
properties = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@st.composite
def connected_graphs(draw, most=8):
    """A random tree with random labels, and further random edges."""
    n = draw(st.integers(1, most))
    labels = draw(st.permutations(range(n)))
    graph = nx.empty_graph(n)
    for child in range(1, n):
        graph.add_edge(labels[child], labels[draw(st.integers(0, child - 1))])
    if n > 1:
        pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] != pair[1])
        graph.add_edges_from(draw(st.lists(pairs, max_size=n)))
    return graph


@properties
@given(connected_graphs(), st.integers(0, 5))
def test_neighbourhoods_are_those_of_the_graph_distance(graph, hops):
    network = Network.from_graph(graph)
    distance = dict(nx.all_pairs_shortest_path_length(graph))
    everyone = network.neighbourhoods(hops)
    for i in graph:
        assert (
            everyone[i] == network.neighbourhood(i, hops) == tuple(sorted(j for j in graph if distance[i][j] <= hops))
        )
        assert network.distances_from(i) == distance[i]
        assert network.distances_from(i, hops) == {j: d for j, d in distance[i].items() if d <= hops}


@properties
@given(connected_graphs(), st.randoms(use_true_random=False))
def test_edges_in_any_order_and_direction(graph, random):
    edges = [random.choice([(i, j), (j, i)]) for i, j in graph.edges] * 2
    random.shuffle(edges)
    network = Network(len(graph), edges)
    assert network.edges == tuple(sorted(tuple(sorted(edge)) for edge in graph.edges))
    assert Network.from_graph(network) is network


@properties
@given(connected_graphs(most=5), st.integers(0, 2), st.data())
def test_local_index_is_the_row_major_one(graph, hops, data):
    values = data.draw(st.lists(st.integers(1, 3), min_size=len(graph), max_size=len(graph)))
    neighbourhoods = Network.from_graph(graph).neighbourhoods(hops)
    index = local_index(neighbourhoods, values)
    assert index.offset[0] == 0
    for i, around in enumerate(neighbourhoods):
        where = slice(index.start[i], index.start[i + 1])
        assert tuple(index.members[where]) == around
        shape = [values[j] for j in around]
        local = list(oracles.all_values(values, around))
        found = [int(np.dot(s, index.strides[where])) for s in local]
        assert found == [int(np.ravel_multi_index(s, shape)) for s in local]
        assert sorted(found) == list(range(index.size[i]))
        assert index.offset[i + 1] - index.offset[i] == index.size[i] == len(local)
        assert [tuple(row) for row in digits(around, values)] == local


@properties
@given(connected_graphs(most=5), st.data())
def test_extended_index_is_definition_6(graph, data):
    n = len(graph)
    values = data.draw(st.lists(st.integers(1, 3), min_size=n, max_size=n))
    default = [data.draw(st.integers(0, size - 1)) for size in values]
    source = data.draw(st.permutations(range(n)))[: data.draw(st.integers(1, n))]  # in any order: (11) moves i last
    target = sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1)))
    expected = [
        np.ravel_multi_index(
            oracles.restrict(oracles.extension(source, local, default), target), [values[j] for j in target]
        )
        for local in oracles.all_values(values, source)
    ]
    assert list(extended_index(source, target, values, default)) == expected


def _named_by_networkx(name, agents):
    if name == "line":
        return nx.path_graph(agents)
    if name == "ring":
        return nx.cycle_graph(agents)
    if name == "star":
        return nx.star_graph(agents - 1)
    if name == "tree":
        return nx.full_rary_tree(2, agents)
    rows = max(r for r in range(1, agents + 1) if agents % r == 0 and r * r <= agents)
    return nx.convert_node_labels_to_integers(nx.grid_2d_graph(rows, agents // rows), ordering="sorted")


@pytest.mark.parametrize("agents", [1, 2, 3, 4, 6, 7, 9, 12])
@pytest.mark.parametrize("name", [name for name in GRAPHS if name not in ("erdos_renyi", "random_regular")])
def test_named_graphs(name, agents):
    expected = _named_by_networkx(name, agents)
    expected.remove_edges_from(list(nx.selfloop_edges(expected)))  # networkx closes a ring of one agent
    network = Network.named(name, agents)
    assert network.agents == agents
    assert set(network.edges) == {tuple(sorted(edge)) for edge in expected.edges}


@pytest.mark.parametrize("agents", [1, 2, 5, 15, 40])
def test_random_graph_is_connected_and_repeats(agents):
    first, again = (Network.named("erdos_renyi", agents, seed=3) for _ in range(2))
    assert first.edges == again.edges
    graph = nx.empty_graph(agents)
    graph.add_edges_from(first.edges)
    assert nx.is_connected(graph)
    if agents > 5:
        assert first.edges != Network.named("erdos_renyi", agents, seed=4).edges


@pytest.mark.parametrize("agents", [4, 6, 40])
def test_random_regular_graph_is_connected_and_repeats(agents):
    first, again, other = (Network.named("random_regular", agents, seed=seed) for seed in (3, 3, 4))
    assert first.edges == again.edges
    assert (first.edges != other.edges) == (agents > 4)  # there is one graph of 4
    graph = nx.Graph(first.edges)
    assert nx.is_connected(graph)
    assert set(graph) == set(range(agents)) and set(dict(graph.degree).values()) == {DEGREE}


@pytest.mark.parametrize("agents", [1, 2, 3, 5, 15])
def test_no_random_regular_graph(agents):
    with pytest.raises(ValueError, match=rf"^agents: {agents} is not allowed with graph = random_regular, .* >= 4$"):
        Network.named("random_regular", agents)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("agents", [0, -1])
def test_no_agents(name, agents):
    with pytest.raises(ValueError, match=rf"^agents: {agents} is not allowed"):
        Network.named(name, agents)


def test_unknown_name():
    with pytest.raises(ValueError, match="^graph: 'torus' is not allowed; one of line, ring"):
        Network.named("torus", 4)


@pytest.mark.parametrize(
    "graph, message",
    [
        (nx.Graph([(0, 1), (2, 3)]), r"not connected \(2 agents"),
        (nx.empty_graph(2), "not connected"),
        (nx.DiGraph([(0, 1)]), "directed graph"),
        (nx.MultiDiGraph([(0, 1)]), "directed graph"),
        (nx.Graph([(0, 0), (0, 1)]), r"edge \(0, 0\)"),
        (nx.Graph([(1, 2)]), r"nodes \[1, 2\]"),
        (nx.Graph([("a", "b")]), "name the agents 0..1"),
        ([(0, 1)], "list is not allowed"),
        (None, "NoneType is not allowed"),
    ],
)
def test_refused_graphs(graph, message):
    with pytest.raises(ValueError, match=f"^graph: .*{message}"):
        Network.from_graph(graph)


def test_empty_graph():
    with pytest.raises(ValueError, match="^agents: 0 is not allowed"):
        Network.from_graph(nx.empty_graph(0))


@pytest.mark.parametrize("edge", [(0, 3), (-1, 0), (1, 1)])
def test_refused_edges(edge):
    with pytest.raises(ValueError, match=r"^graph: edge .* is not allowed"):
        Network(3, [(0, 1), (1, 2), edge])


def test_parallel_edges_count_once():
    assert Network.from_graph(nx.MultiGraph([(0, 1), (0, 1), (1, 2)])).edges == ((0, 1), (1, 2))


def test_a_table_of_too_many_rows_is_refused():
    with pytest.raises(
        ValueError, match=r"hops: a neighbourhood of 21 agents has 4.4e\+12 joint values; .* fewer hops"
    ):
        local_index([list(range(21))], [4] * 21)
