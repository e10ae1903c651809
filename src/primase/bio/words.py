"""The words (k-mers) of sequences: every short stretch of residues, as one sparse table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Int32, Integer, UInt64
from scipy.sparse import csr_array

from primase.errors import ConfigurationError

LONGEST_WORD = 8
"""Residues; five bits for each, and the number of the sequence in the other 24, fill 64 bits."""

_LETTER_BITS = 5
_SEQUENCE_BITS = 24
_SEQUENCE_MASK = np.uint64((1 << _SEQUENCE_BITS) - 1)
_UNKNOWN_RESIDUE = ord("X")
_RESIDUES_PER_BLOCK = 4_000_000


@final
@dataclass(frozen=True, slots=True, eq=False)
class WordTable:
    """Which sequence has which words.

    Parameters
    ----------
    matrix
        Sequences by words, 1 where the sequence has the word. Words that stand in one sequence only are left out, as
        they are shared by none. The columns go from the rarest to the most frequent word.
    sizes
        How many different words each sequence has, those of its own included.
    """

    matrix: csr_array
    sizes: Integer[np.ndarray, "sequences"]

    @classmethod
    def from_sequences(cls, sequences: Sequence[str], word_length: int) -> WordTable:
        """Collect the different words of each sequence; a word with an unknown residue (X) is none.

        Parameters
        ----------
        sequences
            Upper-case sequences, at most 16 million.
        word_length
            Residues per word, 1 to 8.

        Raises
        ------
        ConfigurationError
            If the word length is out of range.
        """
        if not 1 <= word_length <= LONGEST_WORD:
            what = "the word length is out of range"
            raise ConfigurationError(what, got=str(word_length), wanted=f"1 to {LONGEST_WORD} residues")
        if len(sequences) > int(_SEQUENCE_MASK):
            what = "too many sequences to compare"
            raise ConfigurationError(what, got=f"{len(sequences):,}", wanted=f"at most {int(_SEQUENCE_MASK):,}")
        return cls._from_pairs(_word_pairs(sequences, word_length), len(sequences))

    @classmethod
    def _from_pairs(cls, pairs: UInt64[np.ndarray, "pairs"], count: int) -> WordTable:
        # The pairs are sorted by word: a word's sequences stand together.
        rows = (pairs & _SEQUENCE_MASK).astype(np.int32)
        starts = np.flatnonzero(_differs_from_previous(pairs >> np.uint64(_SEQUENCE_BITS)))
        occurrences = np.diff(starts, append=len(pairs))
        sizes = np.bincount(rows, minlength=count)
        shared = occurrences > 1
        rows = rows[np.repeat(shared, occurrences)]
        occurrences = occurrences[shared]
        by_rarity = np.argsort(occurrences, kind="stable")
        column_of = np.empty(len(occurrences), dtype=np.int32)
        column_of[by_rarity] = np.arange(len(occurrences), dtype=np.int32)
        columns = np.repeat(column_of, occurrences)
        # One sort of (row, column) in one integer takes less time and memory than a conversion from triplets.
        keys = (rows.astype(np.uint64) << np.uint64(32)) | columns.astype(np.uint64)
        del rows, columns
        keys.sort()
        indices = (keys & np.uint64(0xFFFFFFFF)).astype(np.int32)
        lengths = np.bincount((keys >> np.uint64(32)).astype(np.int32), minlength=count)
        return cls(_ones(indices, lengths, len(occurrences)), sizes)


def prefixes(matrix: csr_array, lengths: Integer[np.ndarray, "rows"]) -> csr_array:
    """Keep the first so many entries of each row, in the order of the columns."""
    stored = np.diff(matrix.indptr)
    lengths = np.clip(lengths, 0, stored)
    # A step up where a row's kept part starts, a step down where it ends: the sum is 1 inside and 0 outside.
    steps = np.zeros(len(matrix.indices) + 1, dtype=np.int8)
    np.add.at(steps, matrix.indptr[:-1], 1)
    np.subtract.at(steps, matrix.indptr[:-1] + lengths, 1)
    kept = np.cumsum(steps[:-1], dtype=np.int8).astype(bool)
    return _ones(matrix.indices[kept], lengths, matrix.shape[1])


def _ones(indices: Int32[np.ndarray, "entries"], lengths: Integer[np.ndarray, "rows"], columns: int) -> csr_array:
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    # scipy multiplies with 32-bit indices only if all index arrays have them, in half the memory.
    if starts[-1] < np.iinfo(np.int32).max:
        starts = starts.astype(np.int32)
    return csr_array((np.ones(len(indices), dtype=np.int32), indices, starts), shape=(len(lengths), columns))


def _word_pairs(sequences: Sequence[str], word_length: int) -> UInt64[np.ndarray, "pairs"]:
    """Pack each word and the number of its sequence into one integer; sorted by word, then by sequence, each once."""
    parts = [np.empty(0, dtype=np.uint64)]
    start = residues = 0
    for stop, sequence in enumerate(sequences, start=1):
        residues += len(sequence)
        if residues >= _RESIDUES_PER_BLOCK or stop == len(sequences):
            parts.append(_pairs_of_block(sequences[start:stop], start, word_length))
            start, residues = stop, 0
    pairs = np.concatenate(parts)
    parts.clear()
    pairs.sort()
    return pairs


def _pairs_of_block(sequences: Sequence[str], first: int, word_length: int) -> UInt64[np.ndarray, "pairs"]:
    # A zero byte after each sequence, and enough at the end that the last word is as long as the others.
    text = np.frombuffer("\0".join((*sequences, "\0" * word_length)).encode("ascii"), dtype=np.uint8)
    lengths = np.fromiter((len(sequence) + 1 for sequence in sequences), dtype=np.int64, count=len(sequences))
    owners = np.repeat(np.arange(first, first + len(sequences), dtype=np.uint64), lengths)
    words = np.zeros(len(owners), dtype=np.uint64)
    known: Bool[np.ndarray, "places"] = np.ones(len(owners), dtype=bool)
    for offset in range(word_length):
        letters = text[offset : offset + len(owners)]
        words <<= np.uint64(_LETTER_BITS)
        words |= letters & np.uint8((1 << _LETTER_BITS) - 1)
        known &= (letters != 0) & (letters != _UNKNOWN_RESIDUE)
    pairs = (words[known] << np.uint64(_SEQUENCE_BITS)) | owners[known]
    pairs.sort()
    distinct: UInt64[np.ndarray, "pairs"] = pairs[_differs_from_previous(pairs)]
    return distinct


def _differs_from_previous(values: UInt64[np.ndarray, "values"]) -> Bool[np.ndarray, "values"]:
    differs = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=differs[1:])
    return differs
