from collections.abc import Callable
from itertools import combinations
from math import log, sqrt

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primase.bio import topology
from primase.bio.graphs import Graph, Pairs


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    nodes = draw(st.integers(2, 12))
    chance = draw(st.sampled_from([0.15, 0.4, 0.8, 1.0]))
    generator = np.random.default_rng(draw(st.integers(0, 10_000)))
    every = np.array(list(combinations(range(nodes), 2)))
    return Graph.of(map(str, range(nodes)), every[generator.random(len(every)) < chance])


def without(graph: Graph, first: int, second: int) -> nx.Graph:
    """The same graph, in which the link is really taken out."""
    other = nx.Graph()
    other.add_nodes_from(range(len(graph)))
    other.add_edges_from(graph.edges.tolist())
    if other.has_edge(first, second):
        other.remove_edge(first, second)
    return other


def l3(graph: nx.Graph, first: int, second: int) -> float:
    paths = ((u, v) for u in graph[first] for v in graph[second] if graph.has_edge(u, v) and u != second and v != first)
    return sum(1 / sqrt(graph.degree(u) * graph.degree(v)) for u, v in paths)


ORACLES: list[tuple[Callable[[Graph, Pairs], np.ndarray], Callable[[nx.Graph, int, int], float]]] = [
    (topology.common_neighbours, lambda g, a, b: len(list(nx.common_neighbors(g, a, b)))),
    (topology.adamic_adar, lambda g, a, b: sum(1 / log(g.degree(n)) for n in nx.common_neighbors(g, a, b))),
    (topology.resource_allocation, lambda g, a, b: next(nx.resource_allocation_index(g, [(a, b)]))[2]),
    (topology.jaccard, lambda g, a, b: next(nx.jaccard_coefficient(g, [(a, b)]))[2]),
    (topology.degree_product, lambda g, a, b: next(nx.preferential_attachment(g, [(a, b)]))[2]),
    (topology.paths_of_length_three, l3),
]


@pytest.mark.parametrize(("score", "oracle"), ORACLES, ids=lambda function: getattr(function, "__name__", ""))
@settings(max_examples=40, deadline=None)
@given(graph=graphs(), way=st.sampled_from([1, -1]))
def test_scores_are_those_of_a_graph_without_the_link(score, oracle, graph: Graph, way: int) -> None:
    pairs = np.array(list(combinations(range(len(graph)), 2)))[:, ::way]
    expected = [oracle(without(graph, first, second), first, second) for first, second in pairs.tolist()]
    np.testing.assert_allclose(score(graph, pairs), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("score", [topology.common_neighbours, topology.paths_of_length_three])
def test_small_blocks_change_nothing(score, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph.of(map(str, range(60)), np.random.default_rng(0).integers(0, 60, (300, 2)))
    pairs = np.random.default_rng(1).integers(0, 60, (500, 2))
    whole = score(graph, pairs)
    monkeypatch.setattr(topology, "ROW_ENTRIES", 150)
    monkeypatch.setattr(topology, "GATHERED", 40)
    np.testing.assert_array_equal(score(graph, pairs), whole)
    assert whole.max() > 0


@pytest.mark.parametrize("score", [pair[0] for pair in ORACLES], ids=lambda function: function.__name__)
def test_no_pairs_and_no_links(score) -> None:
    lonely = Graph.of("abc", np.empty((0, 2), dtype=np.int64))
    assert score(lonely, np.empty((0, 2), dtype=np.int64)).shape == (0,)
    assert score(lonely, np.array([[0, 1], [2, 0]])).tolist() == [0, 0]


@given(graph=graphs())
def test_shared_neighbours_come_by_what_they_say(graph: Graph) -> None:
    network = without(graph, 0, 0)
    for first, second in combinations(range(len(graph)), 2):
        shared = topology.shared_neighbours(graph, first, second).tolist()
        assert sorted(shared) == sorted(nx.common_neighbors(network, first, second))
        weights = [1 / log(network.degree(node)) for node in shared]
        assert weights == sorted(weights, reverse=True)


def test_scores_of_many_pairs_need_no_matrix_of_all_pairs() -> None:
    # 200,000 nodes: such a matrix would have 320 GB.
    generator = np.random.default_rng(0)
    graph = Graph.of(np.arange(200_000).astype(str), generator.integers(0, 200_000, (20_000, 2)))
    pairs = generator.integers(0, 200_000, (2_000, 2))
    assert topology.paths_of_length_three(graph, pairs).shape == (2_000,)
