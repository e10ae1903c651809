"""Eigenvectors of a graph: a few numbers per node, in which nodes that lie in the same parts of it are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self, final

import numpy as np
from jaxtyping import Float32, Float64, Int
from scipy import sparse
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no annotations

from primase.bio.graphs import Graph, Pairs, pair_keys

DENSE: Final = 1500
"""Up to so many nodes all eigenvectors are computed: that is quick, and safe where many eigenvalues are the same."""
BLOCK: Final = 1 << 16
"""How many pairs are multiplied at a time."""

Values = Float64[np.ndarray, "count"]
Vectors = Float32[np.ndarray, "nodes count"]


def normalised_adjacency(graph: Graph, *, damping: float = 0.0) -> sparse.csr_array:
    """Divide every link by the roots of the degrees of both its nodes: D^-1/2 A D^-1/2.

    Parameters
    ----------
    damping
        Is added to every degree, in links (Amini et al., 2013): nodes with few links then weigh less.
    """
    scales = 1 / np.sqrt(np.maximum(graph.degrees + damping, 1))
    matrix = graph.adjacency.astype(np.float64)
    data = matrix.data * np.repeat(scales, np.diff(matrix.indptr)) * scales[matrix.indices]
    return sparse.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def eigenvectors(graph: Graph, count: int, seed: int = 0, *, damping: float = 0.0) -> tuple[Values, Vectors]:
    """Give the main axes along which the links of a graph vary: proteins with like partners have like coordinates.

    These are the eigenvectors of D^-1/2 A D^-1/2 whose eigenvalues are largest in magnitude, in this order: positive
    ones for parts that link within, negative ones for parts that link to each other. The same graph, count and seed
    give the same numbers.

    Parameters
    ----------
    count
        How many; fewer come back where the graph has not as many nodes with links.
    seed
        Of the vector that the search starts from.
    damping
        As of :func:`normalised_adjacency`; above 0, small separate parts of the graph do not come first.

    Returns
    -------
    values, vectors
        Eigenvalues, from -1 to 1, and a column of length 1 for each, whose entry of largest magnitude is positive.
        Nodes without links have zeros.
    """
    linked = np.flatnonzero(graph.degrees)
    count = min(count, len(linked))
    if not count:
        return np.zeros(0), np.zeros((len(graph), 0), dtype=np.float32)
    matrix = normalised_adjacency(graph, damping=damping)[linked][:, linked]
    with threadpool_limits(1):  # Sums in another order would not be the same to the last bit.
        values, found = _largest(matrix, count, seed)
    order = np.argsort(-np.abs(values), kind="stable")[:count]
    values, found = values[order], found[:, order]
    vectors = np.zeros((len(graph), len(values)), dtype=np.float32)
    vectors[linked] = found * np.sign(found[np.abs(found).argmax(axis=0), np.arange(len(values))])
    return values, vectors


def _largest(
    matrix: sparse.csr_array, count: int, seed: int
) -> tuple[Float64[np.ndarray, "found"], Float64[np.ndarray, "linked found"]]:
    nodes = matrix.shape[0]
    if nodes <= DENSE or count >= nodes // 2:
        values, vectors = eigh(matrix.toarray())
        return values, vectors
    start = np.random.default_rng(seed).standard_normal(nodes)
    try:
        values, vectors = eigsh(matrix, k=count, which="LM", v0=start, tol=1e-6)
    except ArpackNoConvergence as stopped:
        # Many separate parts share an eigenvalue, and some of their vectors may not be told apart in time.
        values, vectors = stopped.eigenvalues, stopped.eigenvectors
    return values, vectors


@final
@dataclass(frozen=True, slots=True, eq=False)
class HeldOutSpectra:
    """Eigenvectors of a graph from which a share of the links was taken out, for each share in turn.

    A link shapes the eigenvectors of its graph, so that links which the graph knows look more likely than they would
    have if it did not. Here a linked pair is scored by the vectors that have not seen it, any other by the mean of all:
    what is learned from such scores holds for new pairs.

    Parameters
    ----------
    fold_of
        The share to which each link of the graph belongs.
    spectra
        Eigenvalues and eigenvectors without each share.
    """

    graph: Graph
    fold_of: Int[np.ndarray, "edges"]
    spectra: Sequence[tuple[Values, Vectors]]

    @classmethod
    def of(cls, graph: Graph, count: int, *, folds: int = 5, seed: int = 0, damping: float = 0.0) -> Self:
        """Take out each share of the links in turn, and compute eigenvectors of the rest."""
        fold_of = np.random.default_rng(seed).permutation(len(graph.edges)) % folds
        rests = (Graph(graph.names, graph.edges[fold_of != fold]) for fold in range(folds))
        return cls(graph, fold_of, [eigenvectors(rest, count, seed, damping=damping) for rest in rests])

    def affinities(self, pairs: Pairs, powers: Sequence[float]) -> Float64[np.ndarray, "pairs powers"]:
        """Multiply the coordinates of both nodes and sum, each axis weighted by a power of its eigenvalue.

        Parameters
        ----------
        powers
            Of the magnitude of the eigenvalues, which keep their sign; high ones leave the coarse picture, which is
            mostly degrees. Sums are multiplied by the number of nodes, so that they do not depend on it.
        """
        scores = np.zeros((len(pairs), len(powers)))
        for low in range(0, len(pairs), BLOCK):
            scores[low : low + BLOCK] = self._block(pairs[low : low + BLOCK], np.asarray(powers))
        return scores * len(self.graph)

    def _block(self, pairs: Pairs, powers: Float64[np.ndarray, "powers"]) -> Float64[np.ndarray, "pairs powers"]:
        keys, folds = pair_keys(pairs, len(self.graph)), len(self.spectra)
        linked = self.graph.links(pairs)
        own = np.full(len(pairs), -1)
        own[linked] = self.fold_of[np.searchsorted(self.graph.keys, keys[linked])]
        scores = np.zeros((len(pairs), len(powers)))
        for fold, (values, vectors) in enumerate(self.spectra):
            rows = np.flatnonzero((own == fold) | ~linked)
            first, second = pairs[rows].T
            weights = np.sign(values)[:, None] * np.abs(values)[:, None] ** powers
            scores[rows] += (vectors[first] * vectors[second]) @ weights
        scores[~linked] /= folds
        return scores
