"""Graphs: named nodes, such as proteins, and the pairs of them that are linked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Self, final

import numpy as np
from jaxtyping import Bool, Int, Shaped
from scipy import sparse

Pairs = Int[np.ndarray, "pairs 2"]
"""Two node numbers a row."""


@final
@dataclass(frozen=True, eq=False)
class Graph:
    """An undirected graph without self-loops, in which every link stands once.

    Parameters
    ----------
    names
        The name of each node, dtype object; a node without any link is as good as the others.
    edges
        The two nodes of each link as numbers into ``names``, the smaller first, sorted, shape (edges, 2).
    """

    names: Shaped[np.ndarray, "nodes"]
    edges: Pairs

    @classmethod
    def of(cls, names: Iterable[str], pairs: Pairs) -> Self:
        """Make a graph of pairs in any order, which may repeat themselves or be the wrong way round.

        Examples
        --------
        >>> Graph.of(["a", "b", "c"], np.array([[2, 0], [0, 2], [1, 1]])).edges.tolist()
        [[0, 2]]
        """
        nodes = np.asarray([*names], dtype=object)
        keys = np.unique(pair_keys(pairs[pairs[:, 0] != pairs[:, 1]], len(nodes)))
        return cls(nodes, pairs_of_keys(keys, len(nodes)))

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.names)

    @cached_property
    def number_of(self) -> dict[str, int]:
        """The number of each node by its name."""
        return {name: number for number, name in enumerate(self.names.tolist())}

    @cached_property
    def keys(self) -> Int[np.ndarray, "edges"]:
        """The links as single numbers, ascending; see :func:`pair_keys`."""
        return pair_keys(self.edges, len(self))

    @cached_property
    def adjacency(self) -> sparse.csr_array:
        """The symmetric matrix of links: 1.0 (float32) where two nodes are linked, columns in order, zero diagonal."""
        first, second = self.edges.T
        ends = (np.concatenate([first, second]), np.concatenate([second, first]))
        ones = np.ones(2 * len(self.edges), dtype=np.float32)
        matrix = sparse.coo_array((ones, ends), shape=(len(self), len(self))).tocsr()
        matrix.sort_indices()
        return matrix

    @cached_property
    def degrees(self) -> Int[np.ndarray, "nodes"]:
        """How many links each node has."""
        return np.bincount(self.edges.ravel(), minlength=len(self))

    def links(self, pairs: Pairs) -> Bool[np.ndarray, "pairs"]:
        """Tell which pairs are linked, whichever way round they are given."""
        return np.asarray(np.isin(pair_keys(pairs, len(self)), self.keys))

    def neighbours(self, node: int) -> Int[np.ndarray, "neighbours"]:
        """List the nodes that are linked to one."""
        matrix = self.adjacency
        return np.asarray(matrix.indices[matrix.indptr[node] : matrix.indptr[node + 1]], dtype=np.int64)


def pair_keys(pairs: Pairs, nodes: int) -> Int[np.ndarray, "pairs"]:
    """Turn each pair into one number that is the same whichever way round the pair is given.

    Examples
    --------
    >>> pair_keys(np.array([[2, 0], [0, 2]]), 3).tolist()
    [2, 2]
    """
    wide = pairs.astype(np.int64)
    return np.asarray(wide.min(axis=1) * nodes + wide.max(axis=1))


def pairs_of_keys(keys: Int[np.ndarray, "pairs"], nodes: int) -> Pairs:
    """Turn the numbers of :func:`pair_keys` back into pairs, the smaller node first."""
    return np.stack(np.divmod(keys, max(nodes, 1)), axis=1)
