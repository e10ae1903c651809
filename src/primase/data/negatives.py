"""Pairs that are not linked, to learn from beside the linked ones: any two nodes, or ones of matching degree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float64, Int

from primase.bio.graphs import Graph, Pairs, pair_keys, pairs_of_keys
from primase.data.examples import Indices
from primase.errors import InputError

Keys = Int[np.ndarray, "keys"]
Kinds = Int[np.ndarray, "nodes"]

LISTED: Final = 1 << 24
"""Up to so many pairs are listed where a large share of them is asked for; else pairs are tried at random."""
TRIES: Final = 8
"""How often a node is drawn within a window before the window widens; half of the tries swap the other end."""
NEAREST: Final = 8
"""How many ranks the first window reaches to both sides, or further where more nodes have the same degree."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class MatchedNegatives:
    """Unlinked pairs, one for each link, in which a node is swapped for one of similar degree.

    Parameters
    ----------
    pairs
        Aligned with the links.
    log_ratios
        log2 of the degree that was drawn over the one that it stands for, counted without the link itself; degree 0
        counts as 1.
    """

    pairs: Pairs
    log_ratios: Float64[np.ndarray, "pairs"]

    @property
    def mean_log_ratio(self) -> float:
        """How far off the degrees are: the mean of abs(log2 ratio), 0 where all are the same, 1 for a factor of two."""
        return float(np.abs(self.log_ratios).mean()) if len(self.log_ratios) else 0.0

    @property
    def unmatched(self) -> int:
        """How many degrees are off by more than a factor of two."""
        return int((np.abs(self.log_ratios) > 1).sum())


def uniform_negatives(
    graph: Graph, count: int, *, seed: int, among: tuple[Indices, Indices] | None = None, avoid: Keys | None = None
) -> Pairs:
    """Draw pairs of different nodes that are not linked, each at most once, all equally likely.

    Parameters
    ----------
    graph
        The links that must not be drawn.
    among
        The nodes from which one and the other node of a pair come, either the same twice or two sets that have none in
        common; by default all.
    avoid
        Other pairs that must not be drawn, as :func:`~primase.bio.graphs.pair_keys`.

    Raises
    ------
    InputError
        If there are not as many unlinked pairs.
    """
    everyone = np.arange(len(graph))
    sides = among or (everyone, everyone)
    same = np.array_equal(*sides)
    forbidden = _forbidden(graph, avoid)
    total = len(sides[0]) * (len(sides[0]) - 1) // 2 if same else len(sides[0]) * len(sides[1])
    if total - _within(forbidden, sides, len(graph)) < count:
        raise _too_few(count, total - _within(forbidden, sides, len(graph)))
    generator = np.random.default_rng(seed)
    if total <= LISTED and count > total // 8:
        free = np.setdiff1d(_all_keys(sides, len(graph)), forbidden, assume_unique=True)
        chosen = generator.choice(free, count, replace=False)
        return pairs_of_keys(chosen, len(graph))
    drawn = np.empty(0, dtype=np.int64)
    while len(drawn) < count:
        tried = np.stack([generator.choice(side, count - len(drawn) + 64) for side in sides], axis=1)
        keys = pair_keys(tried[tried[:, 0] != tried[:, 1]], len(graph))
        keys = keys[~_among_sorted(keys, forbidden)]
        both = np.concatenate([drawn, keys])
        drawn = both[np.sort(np.unique(both, return_index=True)[1])][:count]
    return pairs_of_keys(drawn, len(graph))


def degree_matched_negatives(
    graph: Graph,
    edges: Pairs,
    *,
    seed: int,
    avoid: Keys | None = None,
    kinds: Kinds | None = None,
    measured: Graph | None = None,
) -> MatchedNegatives:
    """Draw for each link an unlinked pair: one node stays, the other is swapped for one of similar degree.

    Which of the two stays is drawn. The swapped one is drawn among those next to it by degree; the window widens only
    where all that were tried are linked, drawn already or to be avoided, and may then be of the other end. The degree
    to match is that without the link itself, so that a network which has not seen the link sees no difference.

    Parameters
    ----------
    graph
        The links that must not be drawn.
    avoid
        Other pairs that must not be drawn, as :func:`~primase.bio.graphs.pair_keys`.
    kinds
        A number per node; a node is swapped for one of the same number only. By default all are of one kind.
    measured
        The graph whose degrees are matched; by default ``graph``.

    Raises
    ------
    InputError
        If there are not as many unlinked pairs.
    """
    of_one_kind = np.zeros(len(graph), dtype=np.int64)
    kinds = of_one_kind if kinds is None else kinds
    draw = _Draw(_Taken(_forbidden(graph, avoid)), edges, measured or graph, kinds, np.random.default_rng(seed))
    width = NEAREST
    while len(draw.open) and width < 2 * len(graph):
        for attempt in range(TRIES):
            draw.swap(width, other_end=attempt % 2 == 1)
        width *= 2
    for row in draw.open.tolist():
        draw.search(row)
    return MatchedNegatives(draw.pairs, draw.log_ratios)


@final
class _Taken:
    """A growing set of pairs; those that came last are apart, so that adding a few does not sort them all."""

    def __init__(self, keys: Keys) -> None:
        self.old = keys
        self.new = np.empty(0, dtype=np.int64)

    @property
    def keys(self) -> Keys:
        """All of them, sorted."""
        return np.union1d(self.old, self.new)

    def has(self, keys: Keys) -> Bool[np.ndarray, "keys"]:
        """Tell which pairs are in the set."""
        return np.asarray(_among_sorted(keys, self.old) | _among_sorted(keys, self.new))

    def add(self, keys: Keys) -> None:
        """Put pairs into the set."""
        self.new = np.union1d(self.new, keys)
        if len(self.new) > len(self.old) // 16:
            self.old, self.new = self.keys, self.new[:0]


@final
class _Draw:
    """The links that still have no negative, and the negatives found."""

    def __init__(
        self, taken: _Taken, edges: Pairs, measured: Graph, kinds: Kinds, generator: np.random.Generator
    ) -> None:
        self.taken = taken
        self.edges = edges
        self.degrees = measured.degrees
        self.kinds = kinds
        self.wanted = self.degrees[edges] - measured.links(edges)[:, None]
        self.pairs = np.full((len(edges), 2), -1, dtype=np.int64)
        self.log_ratios = np.zeros(len(edges))
        self.open = np.arange(len(edges))
        self.generator = generator
        self.kept = generator.integers(0, 2, len(edges))
        # In this order, by kind and degree, the candidates of a link are a run.
        self.span = int(self.degrees.max(initial=0)) + 2
        places = self.kinds * self.span + self.degrees
        shuffled = generator.permutation(len(places))
        self.order = shuffled[np.argsort(places[shuffled], kind="stable")]
        self.places = places[self.order]

    def swap(self, width: int, *, other_end: bool) -> None:
        """Try one swap for every open link, as far as so many ranks away."""
        rows = self.open
        kept = 1 - self.kept[rows] if other_end else self.kept[rows]
        staying, leaving = self.edges[rows, kept], self.edges[rows, 1 - kept]
        wanted = self.wanted[rows, 1 - kept]
        kind = self.kinds[leaving] * self.span
        first, beyond = np.searchsorted(self.places, kind), np.searchsorted(self.places, kind + self.span)
        # Those of the very degree are all candidates, and as many more as the window is wider than they are many.
        low, high = (np.searchsorted(self.places, kind + wanted, side=side) for side in ("left", "right"))
        middle = (low + high) // 2
        low = np.maximum(np.minimum(low, middle - width), first)
        high = np.minimum(np.maximum(high, middle + width), beyond)
        drawn = self.order[self.generator.integers(low, high)]
        keys = pair_keys(np.stack([staying, drawn], axis=1), len(self.degrees))
        good = np.flatnonzero((drawn != staying) & ~self.taken.has(keys))
        chosen = good[np.unique(keys[good], return_index=True)[1]]  # of equal pairs the first
        self._keep(rows[chosen], staying[chosen], drawn[chosen], wanted[chosen])
        self.open = np.delete(rows, chosen)

    def search(self, row: int) -> None:
        """Look at all swaps of a link whose window has widened in vain, and as a last resort at all pairs."""
        nodes = len(self.degrees)
        for kept in (self.kept[row], 1 - self.kept[row]):
            staying, leaving = self.edges[row, kept], self.edges[row, 1 - kept]
            candidates = np.flatnonzero(self.kinds == self.kinds[leaving])
            candidates = candidates[candidates != staying]
            keys = pair_keys(np.stack([np.full(len(candidates), staying), candidates], axis=1), nodes)
            candidates = candidates[~self.taken.has(keys)]
            if len(candidates):
                wanted = self.wanted[row, 1 - kept]
                nearest = np.abs(_log_ratio(self.degrees[candidates], wanted)).argmin()
                self._keep(np.array([row]), np.array([staying]), candidates[[nearest]], np.array([wanted]))
                return
        sides = [np.flatnonzero(self.kinds == self.kinds[node]) for node in self.edges[row]]
        nobody = Graph(np.arange(nodes).astype(object), np.empty((0, 2), dtype=np.int64))
        seed = int(self.generator.integers(1 << 31))
        pair = uniform_negatives(nobody, 1, seed=seed, among=(sides[0], sides[1]), avoid=self.taken.keys)
        # Ordered by degree, each node stands for one of the link; the one that is further off is told.
        pair, wanted = pair[0][np.argsort(self.degrees[pair[0]])], np.sort(self.wanted[row])
        far = int(np.abs(_log_ratio(self.degrees[pair], wanted)).argmax())
        self._keep(np.array([row]), pair[[1 - far]], pair[[far]], wanted[[far]])

    def _keep(self, rows: Indices, staying: Indices, drawn: Indices, wanted: Indices) -> None:
        self.pairs[rows] = np.stack([staying, drawn], axis=1)
        self.log_ratios[rows] = _log_ratio(self.degrees[drawn], wanted)
        self.taken.add(pair_keys(self.pairs[rows], len(self.degrees)))


def _log_ratio(drawn: Int[np.ndarray, "pairs"], wanted: Int[np.ndarray, "#pairs"]) -> Float64[np.ndarray, "pairs"]:
    return np.asarray(np.log2(np.maximum(drawn, 1) / np.maximum(wanted, 1)))


def _forbidden(graph: Graph, avoid: Keys | None) -> Keys:
    return graph.keys if avoid is None else np.union1d(graph.keys, avoid)


def _among_sorted(keys: Keys, known: Keys) -> Bool[np.ndarray, "keys"]:
    """Tell which keys are among known ones, which are sorted: several times as quick as sorting both."""
    if not len(known):
        return np.zeros(len(keys), dtype=bool)
    places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.asarray(known[places] == keys)


def _within(keys: Keys, sides: tuple[Indices, Indices], nodes: int) -> int:
    """Count the pairs that have one node on each side and are not a node with itself."""
    pairs = pairs_of_keys(keys, nodes)
    on = [np.isin(np.arange(nodes), side) for side in sides]
    across = (on[0][pairs[:, 0]] & on[1][pairs[:, 1]]) | (on[1][pairs[:, 0]] & on[0][pairs[:, 1]])
    return int((across & (pairs[:, 0] != pairs[:, 1])).sum())


def _all_keys(sides: tuple[Indices, Indices], nodes: int) -> Keys:
    grid = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.unique(pair_keys(grid[grid[:, 0] != grid[:, 1]], nodes))


def _too_few(wanted: int, got: int) -> InputError:
    what = "the graph is too dense to draw as many unlinked pairs as are needed"
    advice = "Give pairs that do not interact with --nonedges, or fewer edges, such as by a higher --minimum-score."
    return InputError(what, got=f"{got:,} unlinked pairs", wanted=f"{wanted:,}", advice=advice)
