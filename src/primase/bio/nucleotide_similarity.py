"""Which stretches of a genome or a transcriptome are told twice: windows that overlap, by coordinates or by letters.

Two windows of one genome that overlap share a stretch of letters, and two sequences that share a long stretch come
from one place, or from copies of it. The stretches are compared as whole words, two bits a base, so that time and
memory grow with the number of letters and never with the number of pairs.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Bool, Integer, Shaped, UInt8
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from primase.bio.nucleotide_words import LONGEST_WORD, Codes, Frequent, Owners, Words, frequent_words, word_blocks
from primase.bio.nucleotides import BASES, reverse_complement
from primase.errors import ConfigurationError
from primase.events import Listener, Progress, silent

STAGE: Final = "compare sequences"
"""The stage in progress events."""

Labels = Integer[np.ndarray, "sequences"]


def cluster_overlapping(
    chromosomes: Shaped[np.ndarray, "sequences"],
    starts: Integer[np.ndarray, "sequences"],
    ends: Integer[np.ndarray, "sequences"],
) -> Labels:
    """Group intervals of a genome that overlap, directly or through others, whatever their strands.

    Parameters
    ----------
    chromosomes
        Names. An interval without one overlaps nothing.
    starts, ends
        0-based and half-open: intervals that only touch do not overlap.

    Returns
    -------
    array of int
        A cluster number per interval, counted from 0 in the order of the first member.

    Examples
    --------
    >>> cluster_overlapping(np.array(["1", "2", "1"]), np.array([5, 5, 0]), np.array([9, 9, 6])).tolist()
    [0, 1, 0]
    """
    if not len(starts):
        return np.empty(0, dtype=np.int64)
    names, numbers = np.unique(np.asarray(chromosomes).astype(str), return_inverse=True)
    # One line for all chromosomes, each after the one before it.
    shift = numbers * (int(ends.max()) + 1)
    order = np.lexsort((starts, numbers))
    left, right = (starts + shift)[order], (ends + shift)[order]
    opens = np.ones(len(order), dtype=bool)
    opens[1:] = left[1:] >= np.maximum.accumulate(right)[:-1]
    if names[0] == "":
        unknown = numbers[order] == 0
        opens |= unknown
    labels = np.empty(len(order), dtype=np.int64)
    labels[order] = np.cumsum(opens) - 1
    return _in_order_of_first(labels)


def cluster_nucleotides(
    codes: Codes,
    *,
    both_strands: bool,
    word_length: int = 24,
    most_holders: float = 0.01,
    listener: Listener = silent,
) -> Labels:
    """Group sequences that share a stretch of letters, which should not stand on both sides of a split.

    Two sequences are linked if they are identical, or have a word of so many letters in common. A cluster is what
    links connect, directly or through others. Nothing is drawn at random.

    Words that say nothing link nothing: those with an ambiguous base, simple repeats (two thirds of the letters equal
    those one to six places before, such as in poly-A), and those with a letter of a stretch of twelve that stands in
    very many sequences: an adapter, a motif, a repeat. Where such stretches make up more than half of a sequence they
    do link, since it is one of many variants of a sequence, or windows of a place, and must not be told from them.
    Families of repeats that are less frequent, such as Alu in human transcripts, remain one large cluster.

    At 24 letters, two of 100,000 random sequences of 200 share a word by chance about once.

    Parameters
    ----------
    codes
        Sequences as codes of :mod:`primase.bio.nucleotides`. One that is shorter than a word is linked to identical
        ones only.
    both_strands
        Whether a sequence and its reverse complement are the same; true for DNA.
    word_length
        Letters, 1 to 31.
    most_holders
        A stretch of twelve letters in more than this share of the different sequences, and in more than twenty, is
        one in very many.
    listener
        Told of progress.

    Returns
    -------
    array of int
        A cluster number per sequence, counted from 0 in the order of the first member.

    Raises
    ------
    ConfigurationError
        If the word length or the share is out of range.
    """
    _check(most_holders, word_length)
    number_of: dict[bytes, int] = {}
    keys = (_key(one, both_strands=both_strands) for one in codes)
    distinct = np.fromiter((number_of.setdefault(key, len(number_of)) for key in keys), np.int64, count=len(codes))
    different = [np.frombuffer(key, dtype=np.uint8) for key in number_of]
    frequent = frequent_words(different, most_holders, both_strands=both_strands)
    words, owners = _words_and_owners(different, word_length, frequent, both_strands=both_strands, listener=listener)
    left, right = _links(words, owners)
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(len(different), len(different)))
    _, component = connected_components(graph.tocsr(), directed=False)
    return _in_order_of_first(component.astype(np.int64)[distinct])


def overlapping_across(
    test: Codes,
    train: Codes,
    *,
    both_strands: bool,
    stretch: int = 30,
    shortest: int = 20,
    most_holders: float = 0.01,
    listener: Listener = silent,
) -> Bool[np.ndarray, "sequences"]:
    """Tell for each test sequence whether a stretch of it stands in a training sequence as well.

    The stretch is as long as given, or half the sequence if that is shorter, but never shorter than ``shortest``,
    as short words are shared by chance. A sequence that is shorter still counts only if it is identical. Stretches
    that say nothing do not count, as for :func:`cluster_nucleotides`; what stands in very many sequences is counted
    among the training sequences.

    Parameters
    ----------
    test, train
        Sequences as codes of :mod:`primase.bio.nucleotides`. Of the training sequences only a block is looked at
        at a time.
    both_strands
        Whether the other strand of a sequence counts as well; true for DNA.
    stretch, shortest
        Letters, 1 to 31.
    most_holders
        As for :func:`cluster_nucleotides`.
    listener
        Told of progress.

    Raises
    ------
    ConfigurationError
        If a length or the share is out of range.

    Examples
    --------
    >>> from primase.bio.nucleotides import encode_nucleotides
    >>> one = encode_nucleotides("ACGGTCATTGCAAGTCCGATATTCGGACGTTAGCCT", where="an example")
    >>> overlapping_across([one[3:], one[:21]], [one], both_strands=True).tolist()
    [True, True]
    """
    _check(most_holders, stretch, shortest)
    keys = [_key(one, both_strands=both_strands) for one in test]
    identical = set(keys).intersection(_key(one, both_strands=both_strands) for one in train)
    shared = np.fromiter((key in identical for key in keys), bool, count=len(test))
    lengths = np.fromiter((len(one) for one in test), np.int64, count=len(test))
    needed = np.minimum(stretch, np.maximum(shortest, lengths // 2))
    open_to = ~shared & (lengths >= needed)
    frequent = frequent_words(train, most_holders, both_strands=both_strands)
    # Test sequences of one length need one word length; those of other lengths go through the training set again.
    for length in np.unique(needed[open_to]).tolist():
        rows = np.flatnonzero(open_to & (needed == length))
        words, owners = _words_and_owners(
            [test[row] for row in rows.tolist()], length, frequent, both_strands=both_strands
        )
        looked_for = np.unique(words)
        found = np.zeros(len(looked_for), dtype=bool)
        for done, block, _ in word_blocks(train, length, frequent, both_strands=both_strands):
            block.sort()
            if len(block):
                found |= block[np.minimum(np.searchsorted(block, looked_for), len(block) - 1)] == looked_for
            listener(Progress(STAGE, done, len(train), "sequences"))
        shared[rows[owners[found[np.searchsorted(looked_for, words)]]]] = True
    return shared


def _check(most_holders: float, *lengths: int) -> None:
    for length in lengths:
        if not 1 <= length <= LONGEST_WORD:
            what = "the word length is out of range"
            raise ConfigurationError(what, got=str(length), wanted=f"1 to {LONGEST_WORD} letters")
    if not 0 < most_holders <= 1:
        what = "the share of sequences that a word may stand in is out of range"
        raise ConfigurationError(what, got=f"{most_holders:g}", wanted="above 0, at most 1")


def _key(codes: UInt8[np.ndarray, "letters"], *, both_strands: bool) -> bytes:
    """Return the letters without their case, of the strand that comes first in the alphabet."""
    plain = codes & np.uint8(BASES)
    return min(plain.tobytes(), reverse_complement(plain).tobytes()) if both_strands else plain.tobytes()


def _words_and_owners(
    codes: Codes, length: int, frequent: Frequent | None, *, both_strands: bool, listener: Listener = silent
) -> tuple[Words, Owners]:
    words, owners = [np.empty(0, dtype=np.uint64)], [np.empty(0, dtype=np.int32)]
    for done, block, owner in word_blocks(codes, length, frequent, both_strands=both_strands):
        words.append(block)
        owners.append(owner)
        listener(Progress(STAGE, done, len(codes), "sequences"))
    return np.concatenate(words), np.concatenate(owners)


def _links(words: Words, owners: Owners) -> tuple[Owners, Owners]:
    """Link the sequences that hold a word one to the next, each pair once."""
    # Stable, so that the owners of a word stay in order, and many words link the same pairs.
    order = np.argsort(words, kind="stable")
    words, owners = words[order], owners[order]
    del order
    linked = np.flatnonzero((words[1:] == words[:-1]) & (owners[1:] != owners[:-1]))
    pairs = np.unique((owners[linked].astype(np.uint64) << np.uint64(32)) | owners[linked + 1].astype(np.uint64))
    return (pairs >> np.uint64(32)).astype(np.int32), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int32)


def _in_order_of_first(labels: Labels) -> Labels:
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
