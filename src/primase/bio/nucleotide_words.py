"""The words (k-mers) of nucleotide sequences, two bits a base: all of them but those that say nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Integer, UInt8, UInt64

from primase.bio.nucleotides import BASE_OF_CODE, NO_BASE, PADDING

LONGEST_WORD: Final = 31
"""Letters; two bits for each."""

Codes = Sequence[UInt8[np.ndarray, "_"]]
Words = UInt64[np.ndarray, "words"]
Owners = Integer[np.ndarray, "words"]
Frequent = Bool[np.ndarray, "words"]
"""For each word of twelve letters whether it stands in very many sequences."""

_LETTERS_PER_BLOCK = 4_000_000
_LONGEST_REPEAT = 6  # of a simple repeat, such as TTAGGG of the telomeres
# Adapters, motifs and repeats are looked for by shorter words than those that link: one of 20 letters, with four more
# of the sequence beside it, is a word of 24 that two of 256 sequences share by chance.
_FREQUENT_WORD = 12
# In small sets a word may stand in so many sequences that overlap without being one of an adapter or a repeat.
_LEAST_HOLDERS = 20
_ODD_BITS = np.uint64(0x5555555555555555)


def frequent_words(codes: Codes, most_holders: float, *, both_strands: bool) -> Frequent | None:
    """Find the words of twelve letters that stand in very many sequences.

    Parameters
    ----------
    codes
        Sequences as codes of :mod:`primase.bio.nucleotides`.
    most_holders
        The share of sequences, above 0 and up to 1, beyond which a word is one; it must stand in more than twenty.
    both_strands
        Whether a word and its reverse complement are the same.

    Returns
    -------
    array of bool, or None
        For each word of twelve letters, in the order of the alphabet, whether it is one; None where there is none.
    """
    most = max(_LEAST_HOLDERS, int(most_holders * len(codes)))
    if len(codes) <= most:
        return None
    holders = np.zeros(1 << 2 * _FREQUENT_WORD, dtype=np.int32)
    for _, words, owners in word_blocks(codes, _FREQUENT_WORD, both_strands=both_strands):
        held = (owners.astype(np.uint64) << np.uint64(2 * _FREQUENT_WORD)) | words
        held.sort()
        once = held[np.diff(held, prepend=held[:1] + np.uint64(1)) != 0]
        different, counts = np.unique(once & np.uint64(len(holders) - 1), return_counts=True)
        holders[different.astype(np.int64)] += counts.astype(np.int32)
    frequent = holders > most
    return frequent if frequent.any() else None


def word_blocks(
    codes: Codes, length: int, frequent: Frequent | None = None, *, both_strands: bool
) -> Iterator[tuple[int, Words, Owners]]:
    """Go through the words of many sequences, in blocks of bounded size.

    Words with an ambiguous base and simple repeats are left out.

    Parameters
    ----------
    codes
        Sequences as codes of :mod:`primase.bio.nucleotides`.
    length
        Letters per word, 1 to 31.
    frequent
        Words of twelve letters whose letters count as unknown, but in sequences that are made of such for the most.
    both_strands
        Whether a word and its reverse complement are the same.

    Yields
    ------
    done, words, owners
        How many sequences have been gone through; the words of a block, two bits a base; and the number of the
        sequence that each stands in.
    """
    start = letters = 0
    for stop, one in enumerate(codes, start=1):
        letters += len(one) + 1
        if letters >= _LETTERS_PER_BLOCK or stop == len(codes):
            part = codes[start:stop]
            # No word reaches over the padding after each sequence.
            padding = np.full(1, PADDING, dtype=np.uint8)
            row = np.concatenate([piece for sequence in part for piece in (sequence, padding)])
            lengths = np.fromiter((len(sequence) + 1 for sequence in part), np.int64, count=len(part))
            if frequent is not None:
                row[_is_frequent(row, lengths, frequent, both_strands=both_strands)] = PADDING
            words, places = _words(row, length, both_strands=both_strands)
            yield stop, words, np.repeat(np.arange(start, stop, dtype=np.int32), lengths)[places]
            start, letters = stop, 0


def _is_frequent(
    row: UInt8[np.ndarray, "letters"],
    lengths: Integer[np.ndarray, "sequences"],
    frequent: Frequent,
    *,
    both_strands: bool,
) -> Bool[np.ndarray, "letters"]:
    """Tell which letters are of a stretch that stands in very many sequences, and in less than half of this one."""
    words, places = _words(row, _FREQUENT_WORD, both_strands=both_strands)
    places = places[frequent[words.astype(np.int64)]]
    # A step up where a stretch starts, a step down after it: the sum is above zero inside.
    steps = np.bincount(places, minlength=len(row)) - np.bincount(places + _FREQUENT_WORD, minlength=len(row))
    covered = np.cumsum(steps) > 0
    shares = np.add.reduceat(covered, np.cumsum(lengths) - lengths, dtype=np.int64) / lengths
    return np.asarray(covered & np.repeat(shares < 0.5, lengths))


def _words(
    row: UInt8[np.ndarray, "letters"], length: int, *, both_strands: bool
) -> tuple[Words, Integer[np.ndarray, "words"]]:
    """Return all words that say something, and where in the row they start."""
    bases = BASE_OF_CODE[row]
    count = max(0, len(row) - length + 1)
    unknown_before = np.concatenate([[0], np.cumsum(bases == NO_BASE, dtype=np.int64)])
    places = np.flatnonzero(unknown_before[length:] == unknown_before[:count])
    words = _packed(bases.astype(np.uint64) & np.uint64(3), length)[places]
    kept = ~_is_simple(words, length)
    words, places = words[kept], places[kept]
    return np.minimum(words, _reverse_complements(words, length)) if both_strands else words, places


def _packed(bases: UInt64[np.ndarray, "letters"], length: int) -> Words:
    """Put the bases from each place on side by side, the first in the highest bits, by doubling words of 1, 2, 4, …."""
    count = max(0, len(bases) - length + 1)
    packed = np.zeros(count, dtype=np.uint64)
    done, size, doubled = 0, 1, bases
    while done < length:
        if length & size:
            packed = (packed << np.uint64(2 * size)) | doubled[done : done + count]
            done += size
        if done < length:
            doubled = (doubled[:-size] << np.uint64(2 * size)) | doubled[size:]
            size *= 2
    return packed


def _reverse_complements(words: Words, length: int) -> Words:
    # The complement of a base is three minus it, which is all bits turned.
    turned = ~words
    for bits, mask in ((2, 0x3333333333333333), (4, 0x0F0F0F0F0F0F0F0F)):
        turned = ((turned >> np.uint64(bits)) & np.uint64(mask)) | ((turned & np.uint64(mask)) << np.uint64(bits))
    return np.asarray(turned.byteswap() >> np.uint64(64 - 2 * length), dtype=np.uint64)


def _is_simple(words: Words, length: int) -> Bool[np.ndarray, "words"]:
    """Tell which words are mostly a repeat of one to six letters: two thirds equal those so many places before."""
    simple = np.zeros(len(words), dtype=bool)
    for period in range(1, min(_LONGEST_REPEAT, length // 2) + 1):
        compared = length - period
        differences = words ^ (words >> np.uint64(2 * period))
        differences = (differences | (differences >> np.uint64(1))) & _ODD_BITS
        differences &= np.uint64((1 << 2 * compared) - 1)
        simple |= 3 * np.bitwise_count(differences) <= compared
    return simple
