"""Which sequences are alike: clusters of homologues, and the nearest relative of each sequence in another set.

Two sequences are compared by the words of a few residues (k-mers) that they share, relative to the smaller set of
words: a fragment belongs to the protein that it is a fragment of, which the Jaccard index would deny. With words of
five residues, half of them shared is about 87 % identity if the differences are spread evenly (0.87 to the fifth power
is 0.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from primase.bio.words import WordTable, prefixes
from primase.errors import ConfigurationError
from primase.events import Listener, Progress, silent

STAGE = "compare sequences"
"""The stage in progress events."""

# A word in more sequences than this is looked up among the ones with most words only. In a family of so many relatives
# the rest are then linked through these (the idea of Linclust: Steinegger and Söding 2018).
_HOLDERS_PER_WORD = 1_000
# Bounds the memory of one sparse product: each multiplication leaves at most one entry of 8 bytes.
_MULTIPLICATIONS_PER_BLOCK = 5_000_000
_PAIRS_PER_CHECK = 20_000
_EDGES_PER_MERGE = 50_000
# Fewer words in common, up to nine residues in a row, are found by chance somewhere among 100,000 proteins: without
# this a peptide of five residues, which is one word, links all proteins that have it.
_LEAST_SHARED_WORDS = 6
# 0.56 * 25 is 14.000000000000002 in floats: rounding up must not ask for one word more.
_ROUNDING = 1e-9

Labels = Integer[np.ndarray, "sequences"]
Rows = Integer[np.ndarray, "pairs"]


def cluster_sequences(
    sequences: Sequence[str], *, word_length: int = 5, minimum_shared: float = 0.5, listener: Listener = silent
) -> Labels:
    """Group sequences that are so alike that they should not stand on both sides of a split.

    Two sequences are linked if they share at least ``minimum_shared`` of the different words of the one with fewer of
    them, and at least six (fewer are shared by chance), or are identical. A cluster is what links connect, directly or
    through others. Nothing is drawn at random.

    All pairs are judged exactly, but only those that share enough of the *rarer* words are looked at, which loses
    none: to share half of its words, a sequence must share one of any 51 % of them (prefix filter: Bayardo, Ma and
    Srikant 2007, Scaling up all pairs similarity search). Only where a word stands in more than 1,000 sequences, a
    sequence is compared with the 1,000 of them that have most words, through which large families hang together.

    Parameters
    ----------
    sequences
        Upper-case sequences. Stretches of unknown residues (X) count as nothing; a sequence of less than six words
        is linked to identical ones only.
    word_length
        Residues per word, 1 to 8.
    minimum_shared
        The share of words, above 0 and up to 1.
    listener
        Told of progress.

    Returns
    -------
    array of int
        A cluster number per sequence, counted from 0 in the order of the first member.

    Raises
    ------
    ConfigurationError
        If a parameter is out of range.

    Examples
    --------
    >>> cluster_sequences(["MKVLAWGCDEFH", "KVLAWGCDEF", "WYTRQPNHIL"]).tolist()
    [0, 0, 1]
    """
    if not 0 < minimum_shared <= 1:
        what = "the share of words that links sequences is out of range"
        raise ConfigurationError(what, got=f"{minimum_shared:g}", wanted="above 0, at most 1")
    number_of: dict[str, int] = {}
    distinct = np.asarray([number_of.setdefault(sequence, len(number_of)) for sequence in sequences], dtype=np.int64)
    join = _Join.of(list(number_of), word_length, minimum_shared)
    labels = np.arange(len(number_of))
    edges: list[tuple[Rows, Rows]] = []
    for done, (left, right) in _candidates(join):
        apart = labels[left] != labels[right]
        edges.append(join.confirmed(left[apart], right[apart]))
        if sum(len(edge) for edge, _ in edges) >= _EDGES_PER_MERGE:
            labels = _merge(labels, edges)
            edges.clear()
        listener(Progress(STAGE, done, len(number_of), "sequences"))
    labels = _merge(labels, edges)
    return _in_order_of_first(join.undo_order(labels)[distinct])


@dataclass(frozen=True, slots=True, eq=False)
class _Join:
    """The sequences by decreasing number of words, so that a sequence comes after those it may be a fragment of."""

    words: csr_array
    order: Labels
    sizes: Labels
    needed: Labels
    """Words that a sequence must share with one that has more, or as many, to be linked."""

    @classmethod
    def of(cls, sequences: Sequence[str], word_length: int, minimum_shared: float) -> _Join:
        table = WordTable.from_sequences(sequences, word_length)
        order = np.argsort(-table.sizes, kind="stable")
        sizes = table.sizes[order]
        needed = np.maximum(_LEAST_SHARED_WORDS, np.ceil(minimum_shared * sizes - _ROUNDING).astype(np.int64))
        return cls(table.matrix[order], order, sizes, needed)

    def undo_order(self, labels: Labels) -> Labels:
        original = np.empty_like(labels)
        original[self.order] = labels
        return original

    def confirmed(self, left: Rows, right: Rows) -> tuple[Rows, Rows]:
        """Keep the pairs that share enough of all words; ``left`` is the sequence with fewer words."""
        keep = np.zeros(len(left), dtype=bool)
        for start in range(0, len(left), _PAIRS_PER_CHECK):
            part = slice(start, start + _PAIRS_PER_CHECK)
            shared = self.words[left[part]].multiply(self.words[right[part]]).sum(axis=1)
            keep[part] = shared >= self.needed[left[part]]
        return left[keep], right[keep]


def _candidates(join: _Join) -> Iterator[tuple[int, tuple[Rows, Rows]]]:
    """Find the pairs that share enough of the rarer words of the smaller one to be worth a look.

    Of a sequence with n words that needs m, any n - m + p hold at least p of the shared ones. A larger p makes for
    more words to look up, and for fewer pairs that share them by chance: a quarter of m is a good measure.
    """
    least = np.maximum(1, -(-join.needed // 4))
    own = join.sizes - np.diff(join.words.indptr)  # words that no other sequence has are the rarest of all
    lengths = np.where(join.sizes >= join.needed, join.sizes - join.needed + least - own, 0)
    rare = prefixes(join.words, lengths)
    # The rows are ordered by size, so that the first holders of a word are those with most words.
    holders = prefixes(csr_array(join.words.T.tocsr()), np.full(join.words.shape[1], _HOLDERS_PER_WORD))
    for start, stop in _blocks(rare, holders):
        product = rare[start:stop] @ holders
        left = np.repeat(np.arange(start, stop), np.diff(product.indptr))
        right = product.indices
        enough = (product.data >= least[left]) & (right < left)
        yield stop, (left[enough], right[enough])


def _blocks(left: csr_array, right: csr_array) -> Iterator[tuple[int, int]]:
    """Cut the rows of a product into runs that each take a bounded number of multiplications."""
    work = np.cumsum(left @ np.diff(right.indptr).astype(np.int64))
    start = 0
    while start < len(work):
        before = work[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(work, before + _MULTIPLICATIONS_PER_BLOCK, side="right")))
        yield start, stop
        start = stop


def _merge(labels: Labels, edges: Sequence[tuple[Rows, Rows]]) -> Labels:
    left = np.concatenate([labels[:0], *(labels[left] for left, _ in edges)])
    right = np.concatenate([labels[:0], *(labels[right] for _, right in edges)])
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(len(labels), len(labels)))
    _, component = connected_components(graph.tocsr(), directed=False)
    return np.asarray(component[labels], dtype=np.int64)


def _in_order_of_first(labels: Labels) -> Labels:
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def nearest_similarity(
    queries: Sequence[str], references: Sequence[str], *, word_length: int = 5, listener: Listener = silent
) -> Float[np.ndarray, "queries"]:
    """Tell for each sequence how much of it stands in the most similar sequence of another set.

    Parameters
    ----------
    queries
        Upper-case sequences, such as those of the test part.
    references
        The sequences to compare each with, such as those of the training part.
    word_length
        Residues per word, 1 to 8.
    listener
        Told of progress.

    Returns
    -------
    array of float
        Per query, the largest share of its different words that stand in one reference, 0 to 1; 0.8 and more is
        nearly identical. It is 1 if the query itself is among the references, and else 0 if less than six words are
        shared, as that happens by chance.

    Raises
    ------
    ConfigurationError
        If the word length is out of range.

    Examples
    --------
    >>> nearest_similarity(["MKVLAWGCDE"], ["MKVLAWGCDE", "WYTRQPNHIL"]).tolist()
    [1.0]
    """
    present = set(references)
    distinct = list(dict.fromkeys(references))
    table = WordTable.from_sequences([*queries, *distinct], word_length)
    query_words = table.matrix[: len(queries)]
    holders = csr_array(table.matrix[len(queries) :].T.tocsr())
    sizes = table.sizes[: len(queries)]
    similarity = np.zeros(len(queries))
    for start, stop in _blocks(query_words, holders):
        product = query_words[start:stop] @ holders
        # An empty row gets what stands in the next one, and is skipped; the extra zero is for an empty last row.
        most = np.maximum.reduceat(np.append(product.data, 0), product.indptr[:-1])
        beyond_chance = (np.diff(product.indptr) > 0) & (most >= _LEAST_SHARED_WORDS)
        similarity[start:stop][beyond_chance] = most[beyond_chance] / sizes[start:stop][beyond_chance]
        listener(Progress(STAGE, stop, len(queries), "sequences"))
    similarity[[query in present for query in queries]] = 1.0
    return similarity
