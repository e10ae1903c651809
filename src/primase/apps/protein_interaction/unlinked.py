"""Pairs of proteins without interaction, of the kind that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Float64, Int, Shaped

from primase.bio.graphs import Graph, Pairs, pair_keys
from primase.data.audit import Finding
from primase.data.negatives import Keys, Kinds, degree_matched_negatives, uniform_negatives

Negatives = Literal["given", "uniform", "degree-matched"]
LogRatios = Float64[np.ndarray, "pairs"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class NegativeSource:
    """Where drawn negatives come from.

    Parameters
    ----------
    graph
        All links, of any part.
    measured
        The graph whose degrees are matched.
    kind
        ``"uniform"`` or ``"degree-matched"``.
    kinds
        A number per protein: one is swapped for one of the same number only. None where all are alike.
    avoid
        Other pairs that must not be drawn.
    """

    graph: Graph
    measured: Graph
    kind: Negatives
    kinds: Kinds | None
    avoid: Keys

    def draw(self, edges: Pairs, seed: int) -> tuple[Pairs, LogRatios]:
        """Draw a different pair for each link, and tell by what the degrees are off (log2 ratios; none if uniform)."""
        if self.kind == "degree-matched":
            matched = degree_matched_negatives(
                self.graph, edges, seed=seed, avoid=self.avoid, kinds=self.kinds, measured=self.measured
            )
            return matched.pairs, matched.log_ratios
        return self._uniform(edges, seed), np.zeros(0)

    def _uniform(self, edges: Pairs, seed: int) -> Pairs:
        """Draw any unlinked pairs, but as many of each two kinds of proteins as there are links."""
        if self.kinds is None:
            return uniform_negatives(self.graph, len(edges), seed=seed, avoid=self.avoid)
        drawn = np.empty_like(edges)
        classes, class_of = np.unique(np.sort(self.kinds[edges], axis=1), axis=0, return_inverse=True)
        for number, two in enumerate(classes):
            rows = np.flatnonzero(class_of.ravel() == number)
            among = (np.flatnonzero(self.kinds == two[0]), np.flatnonzero(self.kinds == two[1]))
            drawn[rows] = uniform_negatives(self.graph, len(rows), seed=seed + number, among=among, avoid=self.avoid)
        return drawn


def matching_findings(log_ratios: LogRatios) -> list[Finding]:
    """Say how well the degrees match, for the audit."""
    off = int((np.abs(log_ratios) > 1).sum())
    factor = 2 ** float(np.abs(log_ratios).mean())
    text = (
        "For each edge there is a pair without interaction, in which one protein is swapped for one of similar degree: "
        f"on average they differ by a factor of {factor:.2f}, {off:,} of {len(log_ratios):,} by more than two."
    )
    if off <= 0.05 * len(log_ratios):
        return [Finding("degree-matched negatives", off, "info", text)]
    text += " So many proteins have no unlinked one like them that degrees still tell interactions."
    return [Finding("degree-matched negatives", off, "warning", text)]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """Test pairs without interaction of the other kind than the test has, as many as it has links, in their order."""

    pairs: Pairs
    negatives: Negatives
    findings: Sequence[Finding]


def contrast_negatives(
    nodes: Pairs,
    targets: Int[np.ndarray, "pairs"],
    parts: Shaped[np.ndarray, "pairs"],
    names: Shaped[np.ndarray, "nodes"],
    *,
    negatives: Negatives,
    seed: int,
    kinds: Kinds | None = None,
) -> Contrast:
    """Draw the other kind of negatives for the test links: uniform where matched ones were asked for, else matched.

    Parameters
    ----------
    nodes, targets, parts
        All labelled pairs; none that is a link in any part, or that train or validation have, is drawn.
    negatives
        The kind that the test has.
    kinds
        A number per protein, as the part it is in: one is swapped for one of the same number only.

    Raises
    ------
    InputError
        If the graph is too dense to draw from.
    """
    linked = targets == 1
    edges = nodes[linked & (parts == "test")]
    graph = Graph.of(names, nodes[linked])
    message = Graph.of(names, nodes[linked & (parts == "train")])
    avoid = pair_keys(nodes[parts != "test"], len(names))
    other: Negatives = "uniform" if negatives == "degree-matched" else "degree-matched"
    measured = message if kinds is None else graph
    source = NegativeSource(graph, measured, other, kinds, avoid)
    pairs, log_ratios = source.draw(edges, seed)
    return Contrast(pairs, other, matching_findings(log_ratios) if other == "degree-matched" else [])
