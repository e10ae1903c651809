import networkx as nx
import numpy as np
from sklearn.metrics import adjusted_rand_score

from primase.bio.communities import communities
from primase.bio.graphs import Graph


def test_planted_groups_are_found() -> None:
    sizes = [40, 30, 20]
    planted = np.repeat(np.arange(3), sizes)
    drawn = nx.stochastic_block_model(sizes, np.full((3, 3), 0.02) + 0.4 * np.eye(3), seed=0)
    graph = Graph.of(map(str, range(90)), np.array(drawn.edges))
    groups = communities(graph, 0)
    assert adjusted_rand_score(planted, groups) > 0.95
    assert np.array_equal(groups, communities(graph, 0))
    assert np.bincount(groups).tolist() == sorted(np.bincount(groups), reverse=True)


def test_nodes_without_links_are_alone() -> None:
    graph = Graph.of("abcde", np.array([[0, 1], [1, 2]]))
    groups = communities(graph)
    assert len(set(groups[:3])) == 1
    assert len(set(groups)) == 3
    assert communities(Graph.of("ab", np.empty((0, 2), dtype=np.int64))).tolist() == [0, 1]
    assert communities(Graph.of("", np.empty((0, 2), dtype=np.int64))).tolist() == []
