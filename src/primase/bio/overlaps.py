"""Which intervals of a genome overlap one of another set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Integer, Shaped


@final
@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Stretches of chromosomes: 0-based and half-open.

    Parameters
    ----------
    chromosomes
        Names; a span without one overlaps nothing.
    starts, ends
        In base pairs.
    """

    chromosomes: Shaped[np.ndarray, "spans"]
    starts: Integer[np.ndarray, "spans"]
    ends: Integer[np.ndarray, "spans"]

    def take(self, rows: Integer[np.ndarray, "selected"]) -> Spans:
        """Return some of the spans."""
        return Spans(self.chromosomes[rows], self.starts[rows], self.ends[rows])


def overlaps_any(queries: Spans, others: Spans) -> Bool[np.ndarray, "queries"]:
    """Tell for each span whether it overlaps one of the others, whatever the strands; touching is no overlap.

    Examples
    --------
    >>> queries = Spans(np.array(["1", "1", "2"]), np.array([0, 5, 0]), np.array([5, 9, 5]))
    >>> overlaps_any(queries, Spans(np.array(["1"]), np.array([5]), np.array([7]))).tolist()
    [False, True, False]
    """
    found = np.zeros(len(queries.starts), dtype=bool)
    names = np.asarray(others.chromosomes).astype(str)
    wanted = np.asarray(queries.chromosomes).astype(str)
    for name in np.intersect1d(names[names != ""], wanted):
        own = others.take(np.flatnonzero(names == name))
        order = np.argsort(own.starts, kind="stable")
        # Among the spans that start before the query ends, one overlaps it if any reaches beyond its start.
        furthest = np.maximum.accumulate(own.ends[order])
        rows = np.flatnonzero(wanted == name)
        before = np.searchsorted(own.starts[order], queries.ends[rows], side="left")
        reached = furthest[np.maximum(before - 1, 0)] > queries.starts[rows]
        found[rows] = (before > 0) & reached
    return found
