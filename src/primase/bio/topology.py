"""How two nodes of a graph lie to each other: shared neighbours, short paths and degrees, for many pairs at once.

All scores leave the pair's own link out: a linked pair is scored as if it were not linked, so that links which a graph
knows and links which it does not know can be compared. No matrix of all pairs is ever in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from jaxtyping import Float64, Int
from scipy import sparse

from primase.bio.graphs import Graph, Pairs

Scores = Float64[np.ndarray, "pairs"]
Weights = Float64[np.ndarray, "nodes"]

ROW_ENTRIES: Final = 1 << 21
"""How many numbers a block of dense rows may hold: 16 MiB."""
GATHERED: Final = 1 << 22
"""How many neighbours are looked up at a time."""


def common_neighbours(graph: Graph, pairs: Pairs) -> Scores:
    """Count the neighbours that the two nodes of each pair share.

    Examples
    --------
    >>> square = Graph.of("abcd", np.array([[0, 1], [1, 2], [2, 3], [3, 0]]))
    >>> common_neighbours(square, np.array([[0, 2], [0, 1]])).tolist()
    [2.0, 0.0]
    """
    return _weighted_neighbours(graph, pairs, np.ones(len(graph)))


def adamic_adar(graph: Graph, pairs: Pairs) -> Scores:
    """Sum 1 / ln(degree) over the shared neighbours: one with few links says more (Adamic and Adar, 2003)."""
    # Whoever is shared has two links at least, so that no logarithm of a weight that counts is zero.
    return _weighted_neighbours(graph, pairs, 1 / np.log(np.maximum(graph.degrees, 2)))


def resource_allocation(graph: Graph, pairs: Pairs) -> Scores:
    """Sum 1 / degree over the shared neighbours (Zhou, Lü and Zhang, 2009)."""
    return _weighted_neighbours(graph, pairs, 1 / np.maximum(graph.degrees, 1))


def jaccard(graph: Graph, pairs: Pairs) -> Scores:
    """Give the shared neighbours as a share of all neighbours of the two nodes, 0 to 1; 0 where there are none."""
    shared = common_neighbours(graph, pairs)
    union = other_degrees(graph, pairs).sum(axis=1) - shared
    return np.asarray(shared / np.maximum(union, 1))


def degree_product(graph: Graph, pairs: Pairs) -> Scores:
    """Multiply the degrees of the two nodes: preferential attachment, which knows nothing of the pair itself."""
    return np.asarray(other_degrees(graph, pairs).prod(axis=1, dtype=np.float64))


def paths_of_length_three(graph: Graph, pairs: Pairs) -> Scores:
    """Sum the paths x-u-v-y between the nodes of each pair, each over the root of the degrees of u and v (L3).

    Proteins that interact need not be alike, but one is like the partners of the other, which is what three steps see
    (Kovács et al., 2019, equation 1).
    """
    weights = 1 / np.sqrt(np.maximum(graph.degrees, 1))
    scaled = _scaled(graph.adjacency.astype(np.float64), weights)
    scores = _sums(graph, pairs, lambda rows: _scaled(rows, weights) @ scaled)
    # A linked pair x-y has besides the paths x-y-v-y and x-u-x-y, of which x-y-x-y is both.
    linked = graph.links(pairs)
    first, second = pairs[linked].T
    at_ends = graph.adjacency @ weights
    surplus = at_ends[first] * weights[first] + at_ends[second] * weights[second] - weights[first] * weights[second]
    scores[linked] -= surplus
    return np.asarray(np.maximum(scores, 0))  # Where nothing remains, rounding may leave less than nothing.


def other_degrees(graph: Graph, pairs: Pairs) -> Int[np.ndarray, "pairs 2"]:
    """Count the links of both nodes of each pair, without the one between them."""
    return np.asarray(graph.degrees[pairs] - graph.links(pairs)[:, None])


def shared_neighbours(graph: Graph, first: int, second: int) -> Int[np.ndarray, "shared"]:
    """List the nodes that are linked to both, those with the fewest links first: they say most (1 / ln(degree)).

    Examples
    --------
    >>> graph = Graph.of("abcde", np.array([[0, 1], [1, 2], [2, 3], [3, 0], [3, 4]]))
    >>> shared_neighbours(graph, 0, 2).tolist()
    [1, 3]
    """
    shared = np.intersect1d(graph.neighbours(first), graph.neighbours(second), assume_unique=True)
    return np.asarray(shared[np.argsort(graph.degrees[shared], kind="stable")])


def _weighted_neighbours(graph: Graph, pairs: Pairs, weights: Weights) -> Scores:
    # A link between the two nodes makes neither of them shared and changes the degree of no one who is.
    return _sums(graph, pairs, lambda rows: _scaled(rows, weights))


def _scaled(rows: sparse.csr_array, weights: Weights) -> sparse.csr_array:
    """Multiply every column by its weight."""
    return sparse.csr_array((weights[rows.indices], rows.indices, rows.indptr), shape=rows.shape)


def _sums(graph: Graph, pairs: Pairs, spread: Callable[[sparse.csr_array], sparse.csr_array]) -> Scores:
    """Sum, for each pair, what spreads from the busier node over the neighbours of the other.

    Rows are made dense a few at a time, once for all pairs of the same node; the busier nodes are fewer.
    """
    degrees, adjacency, nodes = graph.degrees, graph.adjacency, len(graph)
    swapped = degrees[pairs[:, 0]] < degrees[pairs[:, 1]]
    sources = np.where(swapped, pairs[:, 1], pairs[:, 0])
    targets = np.where(swapped, pairs[:, 0], pairs[:, 1])
    order = np.argsort(sources, kind="stable")
    rows, starts = np.unique(sources[order], return_index=True)
    starts = np.append(starts, len(order))
    scores = np.zeros(len(pairs))
    height = max(1, ROW_ENTRIES // max(nodes, 1))
    dense = np.empty((min(height, len(rows)), nodes))
    for low in range(0, len(rows), height):
        block = rows[low : low + height]
        values = spread(adjacency[block]).toarray(out=dense[: len(block)])
        members = order[starts[low] : starts[low + len(block)]]
        for some in _portions(members, degrees[targets[members]]):
            found = adjacency[targets[some]]
            local = np.repeat(np.searchsorted(block, sources[some]), np.diff(found.indptr))
            sums = sparse.csr_array((values[local, found.indices], found.indices, found.indptr), shape=found.shape)
            scores[some] = sums.sum(axis=1)
    return scores


def _portions(
    members: Int[np.ndarray, "members"], costs: Int[np.ndarray, "members"]
) -> Iterator[Int[np.ndarray, "some"]]:
    """Cut positions into runs of about the same cost."""
    ends = np.cumsum(costs + 1)
    cuts = np.flatnonzero(np.diff(ends // GATHERED)) + 1
    yield from np.split(members, cuts)
