"""Huffman codes: frequent bytes get short words of bits, so that a stream of bytes takes hardly more than its entropy.

The code is canonical: the lengths of the words say all of it (Huffman 1952; Schwartz and Kallick 1964). Words have at
most 15 bits, which costs almost nothing and lets a table decode them.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Final, TypeAlias, final

import numpy as np

Bytes: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint8]]

LONGEST: Final = 15
_BLOCK: Final = 1 << 20


@final
@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Bytes in a Huffman code.

    Parameters
    ----------
    count
        How many bytes it stands for.
    lengths
        Bits of the word of each byte value from 0 on; 0 where it does not occur, and none behind the last that does.
    bits
        The words, one behind the other, from the highest bit of each byte; the last byte is filled up with zeros.
    """

    count: int
    lengths: Bytes
    bits: bytes

    @property
    def size(self) -> int:
        """Bytes that it takes, with the table of lengths at half a byte each."""
        return len(self.bits) + (len(self.lengths) + 1) // 2


def encode(symbols: Bytes) -> Stream:
    """Write bytes in the code that suits them best.

    Examples
    --------
    >>> stream = encode(np.frombuffer(b"aaaaaaaaaaaaaaab", dtype=np.uint8))
    >>> len(stream.bits), decode(stream).tobytes()
    (2, b'aaaaaaaaaaaaaaab')
    """
    if not len(symbols):
        return Stream(0, np.zeros(0, dtype=np.uint8), b"")
    lengths = code_lengths(np.bincount(symbols, minlength=int(symbols.max()) + 1))
    words, own = _words(lengths)[symbols], lengths[symbols].astype(np.int64)
    starts = np.cumsum(own) - own
    bits = np.zeros(int(own.sum()), dtype=np.uint8)
    for place in range(int(lengths.max())):
        there = own > place
        bits[starts[there] + place] = (words[there] >> (own[there] - 1 - place)) & 1
    return Stream(len(symbols), lengths, np.packbits(bits).tobytes())


def decode(stream: Stream) -> Bytes:
    """Read what :func:`encode` wrote.

    Raises
    ------
    ValueError
        If the lengths are no code, or the bits end before the bytes do.
    """
    if stream.count < 0:
        message = f"there cannot be {stream.count} words"
        raise ValueError(message)
    if not stream.count:
        return np.zeros(0, dtype=np.uint8)
    table_symbols, table_lengths = _table(stream.lengths)
    if stream.count > 8 * len(stream.bits):
        message = f"{len(stream.bits)} bytes are too few for {stream.count} words"
        raise ValueError(message)
    padded = np.concatenate([np.frombuffer(stream.bits, dtype=np.uint8), np.zeros(4, dtype=np.uint8)]).astype(np.uint32)
    total, position, found = 8 * len(stream.bits), 0, []
    left = stream.count
    while left:
        stop = min(position + _BLOCK, total)
        if position >= total:
            message = "the bits end before the last word"
            raise ValueError(message)
        windows = _windows(padded, position, stop)
        places, position = _follow(table_lengths[windows], position, stop, left)
        found.append(table_symbols[windows[places]])
        left -= len(places)
    if position > total:
        message = "the last word is cut off"
        raise ValueError(message)
    return np.concatenate(found)


def code_lengths(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Bytes:
    """Find how many bits the word of each byte value gets: at most 15.

    Parameters
    ----------
    counts
        How often each value occurs, at least one of them.
    """
    frequencies = counts.copy()
    while True:
        lengths = _unlimited(frequencies)
        if int(lengths.max()) <= LONGEST:
            return lengths
        # Evening out the frequencies shortens the longest words.
        frequencies = np.where(frequencies > 0, frequencies // 2 + 1, 0)


def _unlimited(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Bytes:
    """Join the two rarest again and again; each time all values in them get one more bit."""
    lengths = np.zeros(len(counts), dtype=np.uint8)
    heap: list[tuple[int, int, tuple[int, ...]]] = [
        (int(count), value, (value,)) for value, count in enumerate(counts.tolist()) if count
    ]
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
        return lengths
    heapq.heapify(heap)
    while len(heap) > 1:
        first, second = heapq.heappop(heap), heapq.heappop(heap)
        joined = first[2] + second[2]
        lengths[list(joined)] += 1
        heapq.heappush(heap, (first[0] + second[0], min(first[1], second[1]), joined))
    return lengths


def _words(lengths: Bytes) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Give each value its word: shorter before longer, and of one length in the order of the values."""
    words = np.zeros(len(lengths), dtype=np.int64)
    code, before = 0, 0
    for value in np.lexsort((np.arange(len(lengths)), lengths)).tolist():
        length = int(lengths[value])
        if not length:
            continue
        code <<= length - before
        words[value], before, code = code, length, code + 1
    return words


def _table(lengths: Bytes) -> tuple[Bytes, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Tell for every 15 bits which value they begin with, and how many of them are its word."""
    used = np.flatnonzero(lengths)
    widths = lengths[used].astype(np.int64)
    if not len(used) or len(lengths) > 256 or widths.max() > LONGEST or (1 << (LONGEST - widths)).sum() > 1 << LONGEST:
        message = "the lengths of the words are no code"
        raise ValueError(message)
    words = _words(lengths)[used] << (LONGEST - widths)
    symbols, sizes = np.zeros(1 << LONGEST, dtype=np.uint8), np.zeros(1 << LONGEST, dtype=np.int64)
    for symbol, width, word in zip(used.tolist(), widths.tolist(), words.tolist(), strict=True):
        symbols[word : word + (1 << (LONGEST - width))] = symbol
        sizes[word : word + (1 << (LONGEST - width))] = width
    return symbols, sizes


def _windows(
    padded: np.ndarray[tuple[int], np.dtype[np.uint32]], start: int, stop: int
) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    """Cut out the 15 bits that begin at every bit."""
    positions = np.arange(start, stop)
    first, shift = positions >> 3, 24 - LONGEST - (positions & 7)
    whole = padded[first] << 16 | padded[first + 1] << 8 | padded[first + 2]
    return np.asarray((whole >> shift.astype(np.uint32)) & np.uint32((1 << LONGEST) - 1))


def _follow(
    widths: np.ndarray[tuple[int], np.dtype[np.int64]], start: int, stop: int, most: int
) -> tuple[list[int], int]:
    """Go from word to word up to a bit; return where they begin behind the start, and where the next begins."""
    steps, place = widths.tolist(), 0
    places: list[int] = []
    length = stop - start
    while place < length and len(places) < most:
        step = steps[place]
        if not step:
            message = "there are bits that are no word"
            raise ValueError(message)
        places.append(place)
        place += step
    return places, start + place
