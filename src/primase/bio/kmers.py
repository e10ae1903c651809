"""The short words (k-mers) of nucleotide sequences, counted wherever they stand, as one sparse table."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8
from scipy.sparse import csr_array

from primase.bio.nucleotides import BASE_OF_CODE, NO_BASE
from primase.errors import ConfigurationError

LONGEST_KMER: Final = 8
"""Letters; there are 87,380 words of one to eight letters."""

_CELLS_PER_BLOCK: Final = 6_000_000


def kmer_names(longest: int = 6, *, both_strands: bool = False, rna: bool = False) -> list[str]:
    """Name the columns of :func:`count_kmers`: all words of one letter, then of two, each in the order of the alphabet.

    Parameters
    ----------
    longest
        Letters of the longest words, 1 to 8.
    both_strands
        Whether a word and its reverse complement share a column, which is named after the earlier of the two.
    rna
        Whether to write U for T.

    Examples
    --------
    >>> kmer_names(2, both_strands=True)
    ['A', 'C', 'AA', 'AC', 'AG', 'AT', 'CA', 'CC', 'CG', 'GA', 'GC', 'TA']
    """
    _check(longest)
    letters = "ACGU" if rna else "ACGT"
    names = ["".join(word) for size in range(1, longest + 1) for word in product(letters, repeat=size)]
    if not both_strands:
        return names
    columns, first = np.unique(_merged_columns(longest), return_index=True)
    assert len(columns) == columns[-1] + 1
    return [names[index] for index in first]


def count_kmers(
    codes: UInt8[np.ndarray, "sequences length"], longest: int = 6, *, both_strands: bool = False
) -> csr_array:
    """Count how often every word of one to ``longest`` letters stands in each sequence, wherever it stands.

    A word that holds padding or an ambiguous letter is not counted; case makes no difference.

    Parameters
    ----------
    codes
        Letters as codes of :mod:`primase.bio.nucleotides`.
    longest
        Letters of the longest words, 1 to 8.
    both_strands
        Whether a word and its reverse complement count as the same, as in DNA whose strand means nothing. A palindrome
        counts once where it stands.

    Returns
    -------
    csr_array
        Sequences by words, float32, the columns in the order of :func:`kmer_names`.

    Raises
    ------
    ConfigurationError
        If the length of the words is out of range.
    """
    _check(longest)
    merged = _merged_columns(longest) if both_strands else None
    columns = _offset(longest + 1) if merged is None else int(merged.max()) + 1
    # A small dense block is counted at once; sorting the words of each row would take several times as long.
    step = max(1, _CELLS_PER_BLOCK // max(columns, longest * codes.shape[1]))
    values, indices, sizes = [np.empty(0, np.float32)], [np.empty(0, np.int32)], [np.zeros(1, np.int64)]
    for start in range(0, len(codes), step):
        block = codes[start : start + step]
        table = np.bincount(_cells(block, longest, merged, columns), minlength=len(block) * columns)
        found = np.flatnonzero(table)
        rows, places = np.divmod(found, columns)
        values.append(table[found].astype(np.float32))
        indices.append(places.astype(np.int32))
        sizes.append(np.bincount(rows, minlength=len(block)))
    ends = np.cumsum(np.concatenate(sizes))
    # Indices of 32 bits take half the memory, and are all that liblinear reads.
    ends = ends.astype(np.int32) if ends[-1] <= np.iinfo(np.int32).max else ends
    return csr_array((np.concatenate(values), np.concatenate(indices), ends), shape=(len(codes), columns))


def kmer_features(
    codes: UInt8[np.ndarray, "sequences length"], longest: int = 6, *, both_strands: bool = False
) -> csr_array:
    """Describe sequences by their words as a linear model reads them best: ln(1 + count), each row of length one.

    Without the logarithm one repeat outweighs the rest of a sequence; without the scaling longer sequences would have
    larger features, and a penalty would not mean the same in two data sets.

    Parameters
    ----------
    codes, longest, both_strands
        As :func:`count_kmers`.

    Returns
    -------
    csr_array
        Sequences by words, float32; a row of zeros for a sequence without any word.

    Raises
    ------
    ConfigurationError
        If the length of the words is out of range.
    """
    counts = count_kmers(codes, longest, both_strands=both_strands)
    values: Float32[np.ndarray, "entries"] = np.log1p(counts.data)
    sizes = np.diff(counts.indptr)
    # Summed in steps of whole rows and in double precision, so that a row does not depend on those before it.
    squares = np.zeros(len(sizes))
    filled = sizes > 0
    if filled.any():
        squares[filled] = np.add.reduceat(np.square(values, dtype=np.float64), counts.indptr[:-1][filled])
    values /= np.repeat(np.sqrt(squares), sizes)
    return csr_array((values, counts.indices, counts.indptr), shape=counts.shape)


def _check(longest: int) -> None:
    if not 1 <= longest <= LONGEST_KMER:
        what = "the word length is out of range"
        raise ConfigurationError(what, got=str(longest), wanted=f"1 to {LONGEST_KMER} letters")


def _offset(size: int) -> int:
    """Return the column at which the words of this many letters start."""
    return ((1 << 2 * size) - 4) // 3


def _cells(
    codes: UInt8[np.ndarray, "sequences length"], longest: int, merged: Int64[np.ndarray, "words"] | None, columns: int
) -> Int64[np.ndarray, "occurrences"]:
    """Find the cell of the table, numbered row by row, in which each occurrence of a word counts."""
    bases = BASE_OF_CODE[codes]
    length = codes.shape[1]
    rows = np.arange(len(codes), dtype=np.int64)[:, None] * columns
    words = np.zeros((len(codes), length + 1), dtype=np.int64)
    known: Bool[np.ndarray, "sequences places"] = np.ones((len(codes), length + 1), dtype=bool)
    cells = []
    for size in range(1, min(longest, length) + 1):
        words = words[:, :-1] * 4 + bases[:, size - 1 :]
        known = known[:, :-1] & (bases[:, size - 1 :] != NO_BASE)
        places = words + _offset(size)
        cells.append((rows + (merged[np.where(known, places, 0)] if merged is not None else places))[known])
    return np.concatenate([np.empty(0, dtype=np.int64), *cells])


@cache
def _merged_columns(longest: int) -> Int64[np.ndarray, "words"]:
    """Give each word and its reverse complement one column, in the order of the earlier of the two."""
    earliest = []
    for size in range(1, longest + 1):
        words = np.arange(4**size)
        turned, rest = np.zeros_like(words), words.copy()
        for _ in range(size):
            turned = turned * 4 + (3 - rest % 4)
            rest //= 4
        earliest.append(np.minimum(words, turned) + _offset(size))
    merged: Int64[np.ndarray, "words"] = np.unique(np.concatenate(earliest), return_inverse=True)[1].astype(np.int64)
    return merged
