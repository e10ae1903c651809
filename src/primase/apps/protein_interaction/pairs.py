"""Pairs of proteins, with what is known of each protein: what an example is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self, final

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy import sparse

from primase.bio.graphs import Graph
from primase.data.examples import Indices

FeatureMatrix = sparse.csr_array | Float[np.ndarray, "nodes features"]


@final
@dataclass(frozen=True, eq=False)
class Proteins:
    """The proteins of a graph.

    Parameters
    ----------
    names
        Dtype object.
    features
        What is known of each, one row per name; None where nothing is.
    feature_names
        What the columns are.
    graph
        All links between them, where they may be known to the network: when a protein is classified. None where links
        are what is asked.
    """

    names: Shaped[np.ndarray, "nodes"]
    features: FeatureMatrix | None = None
    feature_names: Sequence[str] = field(default=())
    graph: Graph | None = None

    def __len__(self) -> int:
        """Return the number of proteins."""
        return len(self.names)

    @cached_property
    def number_of(self) -> dict[str, int]:
        """The number of each protein by its name."""
        return {name: number for number, name in enumerate(self.names.tolist())}


@final
@dataclass(frozen=True, slots=True, eq=False)
class ProteinPairs:
    """Pairs of proteins, or single proteins, as numbers into a table of proteins that all examples share.

    Parameters
    ----------
    nodes
        Shape (examples, 2) for pairs, (examples, 1) for single proteins.
    """

    nodes: Int[np.ndarray, "examples width"]
    proteins: Proteins

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.nodes)

    def take(self, indices: Indices) -> Self:
        """Return the pairs at these positions, in this order."""
        return type(self)(self.nodes[indices], self.proteins)

    @classmethod
    def concatenate(cls, blocks: Sequence[Self]) -> Self:
        """Join blocks of pairs of the same proteins.

        Raises
        ------
        ValueError
            If the blocks do not share one table of proteins.
        """
        if any(block.proteins is not blocks[0].proteins for block in blocks):
            message = "these pairs are of different tables of proteins"
            raise ValueError(message)
        return cls(np.concatenate([block.nodes for block in blocks]), blocks[0].proteins)

    @property
    def names(self) -> Shaped[np.ndarray, "examples width"]:
        """The names of the proteins of each example."""
        return np.asarray(self.proteins.names[self.nodes])
