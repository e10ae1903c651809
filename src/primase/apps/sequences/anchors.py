"""Letters at fixed places: counted from the start, from the end, or from the borders of a region that case marks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, final

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from primase.bio.nucleotides import BASES, LOWER_CASE, PADDING, complement
from primase.data.examples import Indices
from primase.data.sequences import GATHERED_LETTERS, Sequences

Letters = UInt8[np.ndarray, "sequences places"]
Case = Literal["upper", "lower"]

_SAMPLED: Final = 20_000
_MARKED_SHARE: Final = 0.8
"""So many of the sequences must consist of flank, region, flank for case to be said to mark a region."""


def letters_at(sequences: Sequences, offsets: Int64[np.ndarray, "sequences places"]) -> Letters:
    """Read the letters at these places of each sequence, counted from its first letter; padding where it has none."""
    forward = sequences.starts[:, None] + offsets
    backward = sequences.starts[:, None] + sequences.lengths[:, None] - 1 - offsets
    places = np.where(sequences.reverse[:, None], backward, forward)
    # A window may reach past the chromosome that it lies on.
    there = (places >= sequences.lows[:, None]) & (places < sequences.highs[:, None])
    inside = there & (offsets >= 0) & (offsets < sequences.lengths[:, None])
    if len(sequences.letters) == 0:
        return np.zeros(offsets.shape, dtype=np.uint8)
    letters = np.asarray(sequences.letters[np.where(inside, places, 0)])
    if sequences.reverse.any():
        letters[sequences.reverse] = complement(letters[sequences.reverse])
    letters[~inside] = PADDING
    return letters


def first_letters(sequences: Sequences, count: int) -> Letters:
    """Read the first letters of each sequence."""
    return letters_at(sequences, np.tile(np.arange(count), (len(sequences), 1)))


def last_letters(sequences: Sequences, count: int) -> Letters:
    """Read the last letters of each sequence, in their order."""
    return letters_at(sequences, sequences.lengths[:, None] - count + np.arange(count))


def whole_blocks(sequences: Sequences) -> Iterator[tuple[Indices, Letters]]:
    """Go through the sequences from their first to their last letter, padded behind, in blocks of bounded size."""
    # In the order of their lengths, so that one long sequence does not pad all others.
    order = np.argsort(sequences.lengths, kind="stable")
    start = 0
    while start < len(order):
        # The longest of a block is its last, so its size is found by halving.
        count = min(len(order) - start, max(1, GATHERED_LETTERS // max(1, int(sequences.lengths[order[start]]))))
        while count > 1 and count * int(sequences.lengths[order[start + count - 1]]) > GATHERED_LETTERS:
            count //= 2
        indices = order[start : start + count]
        yield indices, first_letters(sequences.take(indices), int(sequences.lengths[indices[-1]]))
        start += count


@final
@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The part of each sequence that its case marks.

    Parameters
    ----------
    starts, ends
        Its first place and the place behind its last, counted from the first letter; both 0 where nothing is marked.
    marked
        How many letters have the case that marks.
    """

    starts: Int64[np.ndarray, "sequences"]
    ends: Int64[np.ndarray, "sequences"]
    marked: Int64[np.ndarray, "sequences"]

    @property
    def known(self) -> Bool[np.ndarray, "sequences"]:
        """Whether anything is marked."""
        return np.asarray(self.ends > self.starts)

    @property
    def whole(self) -> Bool[np.ndarray, "sequences"]:
        """Whether every letter between the first and the last marked one is marked too."""
        return np.asarray(self.known & (self.marked == self.ends - self.starts))


def marked_regions(sequences: Sequences, case: Case) -> Regions:
    """Find the letters of this case: the place of the first, of the last, and their number."""
    starts, ends, marked = (np.zeros(len(sequences), dtype=np.int64) for _ in range(3))
    for indices, letters in whole_blocks(sequences):
        here = ((letters & LOWER_CASE) != 0) == (case == "lower")
        here &= (letters & BASES) != PADDING
        some = here.any(axis=1)
        marked[indices] = here.sum(axis=1)
        if here.shape[1]:
            starts[indices] = np.where(some, here.argmax(axis=1), 0)
            ends[indices] = np.where(some, here.shape[1] - here[:, ::-1].argmax(axis=1), 0)
    return Regions(starts, ends, marked)


def has_mixed_case(sequences: Sequences) -> bool:
    """Whether some letters are upper and others lower case; a bounded number of sequences is looked at."""
    sample = _sampled(sequences)
    upper = marked_regions(sample, "upper").marked
    return bool(0 < upper.sum() < sample.lengths.sum())


def marking_case(sequences: Sequences) -> Case | None:
    """Find out whether case marks one region within flanks of the other case, as a binding site in its surroundings.

    Returns
    -------
    str or None
        The case of the region; None where case marks none, as in genomes whose repeats are in lower case.
    """
    sample = _sampled(sequences)
    if len(sample) == 0:
        return None
    for case in ("upper", "lower"):
        regions = marked_regions(sample, case)
        flanked = regions.whole & (regions.starts > 0) & (regions.ends < sample.lengths)
        if flanked.mean() >= _MARKED_SHARE:
            return "upper" if case == "upper" else "lower"
    return None


def _sampled(sequences: Sequences) -> Sequences:
    if len(sequences) <= _SAMPLED:
        return sequences
    return sequences.take(np.sort(np.random.default_rng(0).permutation(len(sequences))[:_SAMPLED]))
