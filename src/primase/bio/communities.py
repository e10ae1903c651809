"""Communities: groups of nodes with many links among themselves and few to others."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from scipy import sparse
from sknetwork.clustering import Louvain

from primase.bio.graphs import Graph


def communities(graph: Graph, seed: int = 0) -> Int[np.ndarray, "nodes"]:
    """Divide proteins into groups that interact among themselves more than by chance (Louvain: Blondel et al., 2008).

    Parameters
    ----------
    seed
        The same seed gives the same groups.

    Returns
    -------
    groups
        The number of the group of each node, the largest group first; a node without links is alone.
    """
    if not len(graph.edges):
        return np.arange(len(graph))
    found = Louvain(random_state=seed).fit_predict(sparse.csr_matrix(graph.adjacency))
    dense, sizes = np.unique(found, return_inverse=True, return_counts=True)[1:]
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return np.asarray(rank[dense])
