"""Graphs with a known truth: blocks of proteins that mostly interact among themselves, some of them with many others.

The degree-corrected stochastic block model (Karrer and Newman 2011, Physical Review E 83:016107): the expected number
of links between two proteins is the product of how sociable each is and of how often their blocks meet. Links are
drawn as there, one by one, and those that are drawn twice or link a protein to itself are drawn again, until there are
as many as asked for.

Since sociable proteins are linked to more of all others, the product of the degrees tells links from any two unlinked
proteins; from unlinked proteins of the same degrees only the blocks tell them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Int

from primase.apps.workflow import Simulated
from primase.bio.graphs import Graph, pair_keys, pairs_of_keys

MEAN_DEGREE: Final = 10
SMALLEST_BLOCK: Final = 14
FEWEST_PROTEINS: Final = 36
WITHIN: Final = 0.95
"""The share of links that stay in one block."""

TAIL: Final = 1.5
"""How sociable a protein is follows a Pareto distribution with this exponent, so that degrees fall off with 2.5."""
MOST_SOCIABLE: Final = 12.0
"""No protein is more sociable than so many times the least sociable one."""

PLANTED_PAIRS: Final = 5_000
"""For so many pairs it is said what supports them: a graph of a million links would fill gigabytes with it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """Who is in which block, and how sociable each protein is, in the order of the blocks."""

    block_of: Int[np.ndarray, "proteins"]
    blocks: int
    order: Int[np.ndarray, "proteins"]
    reach: Float[np.ndarray, "proteins"]
    """Of each protein in that order its block's number plus the share of the block's links up to and including it."""

    def draw(self, blocks: Int[np.ndarray, "drawn"], generator: np.random.Generator) -> Int[np.ndarray, "drawn"]:
        """Draw a protein of each of these blocks, the sociable ones more often."""
        places = np.searchsorted(self.reach, blocks + generator.random(len(blocks)), side="right")
        return np.asarray(self.order[np.minimum(places, len(self.order) - 1)])


def simulate(folder: Path, count: int, seed: int) -> Simulated:
    """Write ``edges.tsv``, the pairs that interact, and ``blocks.tsv``, the block of each protein.

    Parameters
    ----------
    folder
        Where to write.
    count
        The number of examples: half of them are links; as many pairs that do not interact are drawn when they are
        read.
    seed
        The same seed gives the same files.

    Returns
    -------
    Simulated
        Planted are, for each link within a block, the links that support it: those from one of its two proteins to a
        third one of their block. ``id`` is the two names with a bar between them, and ``feature`` the two names of the
        supporting link with a dash between them, each pair in the order of the alphabet. ``blocks`` is the block of
        each protein.
    """
    generator = np.random.default_rng(seed)
    links = count // 2
    proteins = max(FEWEST_PROTEINS, round(2 * links / MEAN_DEGREE))
    # Blocks grow with the graph, and degrees with them: no protein has many more links than its block has proteins.
    blocks = round(proteins / max(SMALLEST_BLOCK, 1.25 * proteins**0.5))
    model = _model(proteins, blocks, generator)
    within = round(WITHIN * links)
    keys = [
        _draw_links(model, amount, generator, same=same) for same, amount in ((True, within), (False, links - within))
    ]
    names = [f"P{number + 1:0{len(str(proteins))}}" for number in range(proteins)]
    graph = Graph.of(names, pairs_of_keys(np.concatenate(keys), proteins))
    # A protein without a link is in no list of links, and nothing could be learned of it.
    block = {name: f"block_{model.block_of[node] + 1}" for node, name in enumerate(names) if graph.degrees[node]}
    _write_table(folder / "edges.tsv", ("protein_a", "protein_b"), graph.names[generator.permutation(graph.edges)])
    _write_table(folder / "blocks.tsv", ("id", "label"), np.array([*block.items()], dtype=object))
    planted = [truth for edge in graph.edges[:PLANTED_PAIRS] for truth in _support(graph, edge, model)]
    return Simulated(["--edges", "edges.tsv"], planted, {"blocks": block})


def _model(proteins: int, blocks: int, generator: np.random.Generator) -> _Model:
    # The blocks are dealt out in random order, so that neither name nor place in the file tells anything.
    block_of = generator.permutation(np.arange(proteins) % blocks)
    sociable = np.minimum((1 - generator.random(proteins)) ** (-1 / TAIL), MOST_SOCIABLE)
    share = sociable / np.bincount(block_of, weights=sociable)[block_of]
    order = np.argsort(block_of, kind="stable")
    return _Model(block_of, blocks, order, np.cumsum(share[order]))


def _draw_links(model: _Model, amount: int, generator: np.random.Generator, *, same: bool) -> Int[np.ndarray, "links"]:
    """Draw links within blocks, or between them, all different, as numbers of :func:`~primase.bio.graphs.pair_keys`."""
    keys = np.empty(0, dtype=np.int64)
    while len(keys) < amount:
        drawn = 2 * amount + 64
        first = generator.integers(model.blocks, size=drawn)
        second = first if same else (first + generator.integers(1, model.blocks, size=drawn)) % model.blocks
        pairs = np.stack([model.draw(first, generator), model.draw(second, generator)], axis=1)
        new = pair_keys(pairs[pairs[:, 0] != pairs[:, 1]], len(model.block_of))
        both = np.concatenate([keys, new])
        keys = both[np.sort(np.unique(both, return_index=True)[1])]
    return keys[:amount]


def _support(graph: Graph, edge: Int[np.ndarray, "two"], model: _Model) -> Iterator[Mapping[str, Any]]:
    """Name the links from either protein of a link within a block to the others of the block."""
    home = model.block_of[edge]
    if home[0] != home[1]:
        return
    for node, other in (edge, edge[::-1]):
        for third in graph.neighbours(int(node)):
            if third != other and model.block_of[third] == home[0]:
                support = np.array([node, third])
                yield {"id": _joined(graph, edge, "|"), "feature": _joined(graph, support, "\N{EN DASH}")}


def _joined(graph: Graph, nodes: Int[np.ndarray, "two"], between: str) -> str:
    return between.join(sorted(graph.names[nodes]))


def _write_table(path: Path, header: tuple[str, str], rows: np.ndarray) -> None:
    lines = ["\t".join(header), *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
