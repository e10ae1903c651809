"""Shuffled sequences that keep what a sequence is made of: the counts of its letters and of its pairs of neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Int, UInt8, UInt64

from primase.bio.nucleotides import BASES, PADDING

LETTERS_PER_BLOCK: Final = 1_000_000
"""So many letters are shuffled in one go, which bounds the memory."""

_ANY: Final = BASES

Walks = Int[np.ndarray, "walks edges"]
Choices = Int[np.ndarray, "walks letters"]


def shuffle_dinucleotides(
    codes: UInt8[np.ndarray, "sequences length"], *, shuffles: int, seed: int
) -> UInt8[np.ndarray, "sequences shuffles length"]:
    """Shuffle sequences so that each keeps its first and last letter and the count of every pair of neighbours.

    All orders that keep the counts are equally likely (Altschul and Erickson 1985): a sequence is a walk along its
    pairs, and a random walk along the same pairs is drawn, whose last exits from each letter form a random tree,
    drawn by popping cycles (Propp and Wilson 1998). Padding and N stay where they are; each stretch between them is
    shuffled by itself.

    Parameters
    ----------
    codes
        Codes of :mod:`primase.bio.nucleotides`. A letter in lower case is another letter than in upper case.
    shuffles
        How many shuffled versions of each sequence to make, at least 1.
    seed
        Any whole number from 0. What is drawn for a sequence depends on the seed and its own letters alone, never on
        the other sequences.

    Examples
    --------
    >>> from primase.bio.nucleotides import decode_nucleotides, encode_nucleotides
    >>> codes = encode_nucleotides("ACGTACGGTTAC", where="an example")[None]
    >>> decode_nucleotides(shuffle_dinucleotides(codes, shuffles=1, seed=0)[0, 0])
    'ACGGTTACGTAC'
    """
    count, length = codes.shape
    shuffled = np.repeat(codes[:, None], shuffles, axis=1)
    if shuffled.size == 0:
        return shuffled
    step = max(1, LETTERS_PER_BLOCK // (shuffles * length))
    for start in range(0, count, step):
        block = codes[start : start + step]
        keys = _mixed(_keys(block, seed)[:, None] + np.arange(1, shuffles + 1, dtype=np.uint64))
        _shuffle_block(shuffled[start : start + step].reshape(-1, length), keys.ravel())
    return shuffled


def _shuffle_block(rows: UInt8[np.ndarray, "rows length"], keys: UInt64[np.ndarray, "rows"]) -> None:
    """Shuffle rows in place, stretch by stretch."""
    stretches = _Stretches.of(rows)
    if len(stretches.lengths) == 0:
        return
    places = stretches.starts[:, None] + np.arange(stretches.lengths[0])
    inside = places < (stretches.starts + stretches.lengths)[:, None]
    flat = rows.reshape(-1)
    symbols, letters = np.unique(np.where(inside, flat[np.minimum(places, flat.size - 1)], 0), return_inverse=True)
    drawn = _walk(
        letters.reshape(places.shape),
        stretches.lengths,
        _mixed(keys[stretches.rows] + stretches.starts.astype(np.uint64) % np.uint64(max(1, rows.shape[1]))),
        symbols,
    )
    flat[places[inside]] = symbols[drawn[inside]]


@final
@dataclass(frozen=True, slots=True)
class _Stretches:
    """Uninterrupted stretches of letters, the longest first: of rows laid end to end, without those that cannot change.

    A stretch of fewer than four letters has one order only.
    """

    rows: Int[np.ndarray, "stretches"]
    starts: Int[np.ndarray, "stretches"]
    lengths: Int[np.ndarray, "stretches"]

    @classmethod
    def of(cls, rows: UInt8[np.ndarray, "rows length"]) -> _Stretches:
        bases = rows & _ANY
        closed = np.pad((bases != PADDING) & (bases != _ANY), ((0, 0), (1, 1)))
        borders = np.diff(closed.astype(np.int8), axis=1)
        numbers, starts = (borders == 1).nonzero()
        lengths = (borders == -1).nonzero()[1] - starts
        order = np.argsort(-lengths, kind="stable")
        order = order[lengths[order] > 3]
        return cls(numbers[order], numbers[order] * rows.shape[1] + starts[order], lengths[order])


def _walk(
    letters: Int[np.ndarray, "walks length"],
    lengths: Int[np.ndarray, "walks"],
    keys: UInt64[np.ndarray, "walks"],
    alphabet: UInt8[np.ndarray, "symbols"],
) -> Int[np.ndarray, "walks length"]:
    """Draw a random walk along the pairs of each row; rows are sorted by length, the longest first."""
    (walks, longest), symbols = letters.shape, len(alphabet)
    origins = letters[:, :-1].copy()
    # What lies behind the end of a row belongs to a letter that no walk comes to.
    origins[np.arange(longest - 1) >= (lengths - 1)[:, None]] = symbols
    order = _edges_in_random_order(origins, keys)
    degrees = (origins[:, :, None] == np.arange(symbols)).sum(axis=1)
    offsets = np.cumsum(degrees, axis=1) - degrees
    _put_last_exits_last(
        order, letters, (offsets, degrees), letters[np.arange(walks), lengths - 1], _by_letter(keys, alphabet)
    )
    drawn = letters.copy()
    here = letters[:, 0].copy()
    for position in range(1, longest):
        going = int(np.searchsorted(-lengths, -position, side="left"))
        index, at = np.arange(going), here[:going]
        edges = order[index, offsets[index, at]]
        offsets[index, at] += 1
        here[:going] = letters[index, edges + 1]
        drawn[:going, position] = here[:going]
    return drawn


def _edges_in_random_order(origins: Walks, keys: UInt64[np.ndarray, "walks"]) -> Walks:
    """Sort the edges of each row by the letter that they leave, those of one letter at random."""
    numbers = np.arange(1, origins.shape[1] + 1, dtype=np.uint64)
    random = _mixed(keys[:, None] + numbers) >> np.uint64(8)
    # The letter stands in the highest bits, the random number below it.
    return np.asarray(np.argsort((origins.astype(np.uint64) << np.uint64(56)) | random, axis=1, kind="stable"))


def _put_last_exits_last(
    order: Walks,
    letters: Int[np.ndarray, "walks length"],
    groups: tuple[Choices, Choices],
    ends: Int[np.ndarray, "walks"],
    keys: UInt64[np.ndarray, "walks letters"],
) -> None:
    """Choose the last exit from every letter so that all lead to the end, and move it to the end of its group.

    Exits are drawn at random, and drawn again along every cycle until there is none.
    """
    offsets, degrees = groups
    walks, symbols = offsets.shape
    rows = np.arange(walks)[:, None]
    # The end, and letters that do not occur, have no exit to choose.
    free = (degrees > 0) & (np.arange(symbols) != ends[:, None])
    chosen = np.zeros_like(degrees)
    again, draw = free, 0
    while again.any():
        draw += 1
        random = _mixed(keys + np.uint64(draw)) >> np.uint64(11)
        places = (random.astype(np.float64) * 2.0**-53 * degrees).astype(np.int64)
        chosen = np.where(again, places, chosen)
        exits = order[rows, np.where(free, offsets + chosen, 0)]
        again = _on_cycle(np.where(free, letters[rows, exits + 1], np.arange(symbols)), free)
    which = free.nonzero()
    picked, last = (offsets + chosen)[which], (offsets + degrees - 1)[which]
    order[which[0], picked], order[which[0], last] = order[which[0], last], order[which[0], picked]


def _on_cycle(following: Choices, free: Bool[np.ndarray, "walks letters"]) -> Bool[np.ndarray, "walks letters"]:
    """Tell which letters come back to themselves along their last exits."""
    start = np.arange(following.shape[1])
    place, back = following, following == start
    for _ in range(following.shape[1] - 1):
        place = np.take_along_axis(following, place, axis=1)
        back |= place == start
    return np.asarray(back & free)


def _keys(codes: UInt8[np.ndarray, "rows length"], seed: int) -> UInt64[np.ndarray, "rows"]:
    """Make a number of each row that depends on all of its letters, and on the seed."""
    places = _mixed(np.arange(codes.shape[1], dtype=np.uint64) + _mixed(np.array([seed], dtype=np.uint64)))
    return np.asarray(_mixed(codes.astype(np.uint64) + places).sum(axis=1, dtype=np.uint64))


def _by_letter(
    keys: UInt64[np.ndarray, "walks"], alphabet: UInt8[np.ndarray, "letters"]
) -> UInt64[np.ndarray, "walks letters"]:
    """Make a number for each letter of each row, which does not depend on what other letters there are."""
    return _mixed(~keys[:, None] + alphabet.astype(np.uint64))


def _mixed(numbers: UInt64[np.ndarray, "*shape"]) -> UInt64[np.ndarray, "*shape"]:
    """Turn numbers into random ones, each by itself (SplitMix64: Steele, Lea and Flood 2014)."""
    mixed = numbers * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
