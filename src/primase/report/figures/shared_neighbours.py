"""A pair of nodes of a graph, such as two proteins, and what they have in common there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from jaxtyping import Float, Int


@final
@dataclass(frozen=True, slots=True)
class SharedNeighbour:
    """A neighbour of both.

    Parameters
    ----------
    name
        Of the neighbour.
    first, second
        What its link to the first and to the second of the pair contributes; negative where it speaks against a link
        of the pair, NaN where not known.
    """

    name: str
    first: float = math.nan
    second: float = math.nan


@final
@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """A pair of nodes with the neighbours that they share.

    Parameters
    ----------
    pair
        The names of the two.
    shared
        Their common neighbours, in the order in which they are to be drawn: the most important first.
    others
        How many other neighbours each of the two has.
    others_contribute
        What the links to those contribute together; NaN where not known.
    """

    pair: tuple[str, str]
    shared: Sequence[SharedNeighbour]
    others: tuple[int, int] = (0, 0)
    others_contribute: tuple[float, float] = (math.nan, math.nan)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        edges: Int[np.ndarray, "edges 2"],
        pair: tuple[int, int],
        values: Float[np.ndarray, "edges"] | None = None,
    ) -> Self:
        """Find the shared neighbours of a pair in a graph.

        Parameters
        ----------
        names
            Of all nodes.
        edges
            Two node numbers a row, each link once; a link of the pair itself is left out.
        pair
            The numbers of the two nodes.
        values
            What each link contributes; then the neighbours whose links contribute most come first, else those with
            the fewest links, as a neighbour that few share says more (Adamic and Adar, 2003).

        Examples
        --------
        >>> edges = np.array([[0, 2], [1, 2], [0, 3], [0, 1]])
        >>> found = Neighbourhood.of(["A", "B", "C", "D"], edges, (0, 1))
        >>> [neighbour.name for neighbour in found.shared], found.others
        (['C'], (1, 0))
        """
        numbers = [math.nan] * len(edges) if values is None else values.tolist()
        around: tuple[dict[int, float], dict[int, float]] = ({}, {})
        for (one, other), value in zip(edges.tolist(), numbers, strict=True):
            for side, node in enumerate(pair):
                if node in {one, other} and {one, other} != set(pair):
                    around[side][other if node == one else one] = value
        both = set(around[0]) & set(around[1])
        degrees = np.bincount(np.asarray(edges, dtype=np.int64).ravel(), minlength=len(names))

        def rank(node: int) -> tuple[float, int, int]:
            strength = sum(abs(side[node]) for side in around if math.isfinite(side[node]))
            return -strength, int(degrees[node]), node

        shared = [SharedNeighbour(names[node], *(side[node] for side in around)) for node in sorted(both, key=rank)]
        rest = [[value for node, value in side.items() if node not in both] for side in around]
        return cls(
            (names[pair[0]], names[pair[1]]),
            shared,
            (len(rest[0]), len(rest[1])),
            (
                math.fsum(rest[0]) if values is not None else math.nan,
                math.fsum(rest[1]) if values is not None else math.nan,
            ),
        )
