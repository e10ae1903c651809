import numpy as np
import pytest

from primase.bio import spectral
from primase.bio.graphs import Graph
from primase.bio.spectral import HeldOutSpectra, eigenvectors, normalised_adjacency


def random_graph(nodes: int, links: int, seed: int = 0) -> Graph:
    generator = np.random.default_rng(seed)
    return Graph.of(map(str, range(nodes)), generator.integers(0, nodes - 5, (links, 2)))


def blocks(sizes: list[int], within: float, between: float) -> Graph:
    """Draw a graph of planted groups."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    chance = np.where(group[:, None] == group[None, :], within, between)
    drawn = np.triu(np.random.default_rng(0).random(chance.shape) < chance, 1)
    return Graph.of(map(str, range(len(group))), np.argwhere(drawn))


def dense_matrix(graph: Graph, damping: float) -> np.ndarray:
    matrix = np.zeros((len(graph), len(graph)))
    matrix[graph.edges[:, 0], graph.edges[:, 1]] = matrix[graph.edges[:, 1], graph.edges[:, 0]] = 1
    degrees = np.maximum(matrix.sum(axis=0) + damping, 1)
    return matrix / np.sqrt(degrees[:, None] * degrees[None, :])


@pytest.mark.parametrize("damping", [0.0, 3.0])
@pytest.mark.parametrize("limit", [0, spectral.DENSE])
def test_eigenvectors_are_those_of_the_dense_matrix(limit: int, damping: float, monkeypatch) -> None:
    monkeypatch.setattr(spectral, "DENSE", limit)
    graph = random_graph(120, 500)
    matrix = dense_matrix(graph, damping)
    np.testing.assert_allclose(normalised_adjacency(graph, damping=damping).toarray(), matrix, atol=1e-12)
    values, vectors = eigenvectors(graph, 10, damping=damping)
    every = np.linalg.eigvalsh(matrix)
    np.testing.assert_allclose(values, every[np.argsort(-np.abs(every))][:10], atol=1e-6)
    np.testing.assert_allclose(matrix @ vectors, vectors * values, atol=1e-5)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(10), atol=1e-5)
    assert vectors.dtype == np.float32
    assert not vectors[graph.degrees == 0].any()
    assert (vectors[np.abs(vectors).argmax(axis=0), np.arange(10)] > 0).all()


@pytest.mark.parametrize("limit", [0, spectral.DENSE])
def test_the_same_numbers_come_back(limit: int, monkeypatch) -> None:
    monkeypatch.setattr(spectral, "DENSE", limit)
    first, again = (eigenvectors(random_graph(300, 1500), 16, seed=2)[1] for _ in range(2))
    assert first.tobytes() == again.tobytes()


@pytest.mark.parametrize(
    ("nodes", "pairs", "columns"), [(3, [[0, 1]], 2), (2, [], 0), (4, [[0, 1], [1, 2], [2, 3]], 4)]
)
def test_tiny_graphs_have_fewer(nodes: int, pairs: list[list[int]], columns: int) -> None:
    graph = Graph.of(map(str, range(nodes)), np.array(pairs, dtype=np.int64).reshape(-1, 2))
    values, vectors = eigenvectors(graph, 8)
    assert values.shape == (columns,)
    assert vectors.shape == (nodes, columns)


def test_damping_puts_small_separate_parts_last() -> None:
    group = blocks([40, 40], 0.5, 0.05)
    lone_pairs = 80 + np.arange(40).reshape(-1, 2)
    graph = Graph.of(map(str, range(120)), np.concatenate([group.edges, lone_pairs]))
    assert np.abs(eigenvectors(graph, 2)[1][:80]).max() < 0.2
    axis = eigenvectors(graph, 2, damping=5)[1][:80, 1]
    assert ((axis > 0) == (np.arange(80) < 40)).mean() in {0.0, 1.0} or abs(np.mean(np.sign(axis[:40]))) == 1


def test_a_link_is_scored_by_vectors_that_have_not_seen_it() -> None:
    graph = blocks([30, 30], 0.5, 0.1)
    spectra = HeldOutSpectra.of(graph, 6, folds=3, seed=1, damping=2)
    scores = spectra.affinities(graph.edges[:, ::-1], (1.0, 2.0))
    for fold in range(3):
        rest = Graph(graph.names, graph.edges[spectra.fold_of != fold])
        values, vectors = eigenvectors(rest, 6, seed=1, damping=2)
        first, second = graph.edges[spectra.fold_of == fold].T
        products = vectors[first].astype(float) * vectors[second]
        expected = [products @ values, products @ (np.sign(values) * values**2)]
        np.testing.assert_allclose(scores[spectra.fold_of == fold], 60 * np.stack(expected, axis=1), atol=1e-4)
    assert np.ptp(np.bincount(spectra.fold_of)) <= 1


def test_other_pairs_are_scored_by_the_mean_in_blocks_of_any_size(monkeypatch) -> None:
    graph = blocks([30, 30], 0.5, 0.1)
    spectra = HeldOutSpectra.of(graph, 6, folds=3)
    pairs = np.argwhere(np.triu(np.ones((60, 60)), 1))
    pairs = pairs[~graph.links(pairs)]
    scores = spectra.affinities(pairs, (1.0,))
    each = [(vectors[pairs[:, 0]] * vectors[pairs[:, 1]]) @ values for values, vectors in spectra.spectra]
    np.testing.assert_allclose(scores[:, 0], 60 * np.mean(each, axis=0), atol=1e-4)
    monkeypatch.setattr(spectral, "BLOCK", 7)
    np.testing.assert_allclose(spectra.affinities(pairs, (1.0,)), scores, atol=1e-6)


def test_links_of_noise_are_not_told_from_other_pairs() -> None:
    # In a graph without any structure, scores that had seen the links would tell them from pairs that are not linked.
    graph = random_graph(300, 2000)
    others = np.random.default_rng(5).integers(0, 295, (3000, 2))
    others = others[(others[:, 0] != others[:, 1]) & ~graph.links(others)]
    spectra = HeldOutSpectra.of(graph, 32, damping=5)
    unseen = spectra.affinities(graph.edges, (1.0,)), spectra.affinities(others, (1.0,))
    values, vectors = eigenvectors(graph, 32, damping=5)
    seen = [(vectors[pairs[:, 0]] * vectors[pairs[:, 1]]) @ values for pairs in (graph.edges, others)]
    assert auroc(*seen) > 0.75
    assert 0.4 < auroc(unseen[0][:, 0], unseen[1][:, 0]) < 0.6


def auroc(linked: np.ndarray, unlinked: np.ndarray) -> float:
    return float(np.mean(linked[:, None] > unlinked[None, :]))
