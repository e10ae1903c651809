"""Nucleotide sequences as inputs: one byte a letter, shared by all examples, memory-mapped where they are large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self, final

import numpy as np
import torch
from jaxtyping import Bool, Integer, Shaped, UInt8

from primase.bio.nucleotides import BASES, PADDING, decode_nucleotides, reverse_complement
from primase.data.encoding import Batch, Encoder, EncoderState
from primase.data.examples import Indices

Lengths = Integer[np.ndarray, "sequences"]

LETTERS_PER_BATCH: Final = 1 << 16
"""So many letters are computed at once in prediction: several times faster than many more."""

SMALLEST_BATCH: Final = 64
GATHERED_LETTERS: Final = 8_000_000
"""So many letters are looked at in one go where all sequences are gone through."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where on a genome each sequence lies: 0-based and half-open.

    Parameters
    ----------
    chromosomes
        Names; empty where the place of a sequence is not known.
    starts, ends
        In base pairs from the start of the chromosome.
    strands
        ``"+"``, ``"-"`` or ``"."``.
    """

    chromosomes: Shaped[np.ndarray, "sequences"]
    starts: Lengths
    ends: Lengths
    strands: Shaped[np.ndarray, "sequences"]

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.starts)

    @property
    def known(self) -> Bool[np.ndarray, "sequences"]:
        """Whether the place of each sequence is known."""
        return np.asarray(self.chromosomes.astype(str) != "")

    def take(self, indices: Indices) -> Places:
        """Return the places of some sequences."""
        return Places(self.chromosomes[indices], self.starts[indices], self.ends[indices], self.strands[indices])

    @classmethod
    def unknown(cls, count: int) -> Self:
        """Say of so many sequences that nothing is known of where they lie."""
        nowhere = np.zeros(count, dtype=np.int64)
        return cls(np.full(count, "", dtype=object), nowhere, nowhere, np.full(count, ".", dtype=object))

    @classmethod
    def concatenate(cls, blocks: Sequence[Places]) -> Places:
        """Join blocks of places."""
        names = ("chromosomes", "starts", "ends", "strands")
        return cls(*(np.concatenate([getattr(block, name) for block in blocks]) for name in names))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """Views into a long row of letters, one per example; overlapping windows of a genome cost no memory of their own.

    Parameters
    ----------
    letters
        Codes of :mod:`primase.bio.nucleotides`, all sequences one after the other; may be memory-mapped.
    starts, lengths
        Where each sequence lies in the row, and how long it is.
    lows, highs
        The part of the row that a sequence may be widened to: the whole chromosome for a window of a genome, nothing
        but itself for a record of a file.
    reverse
        Whether the sequence is read from the other strand.
    places
        Where on a genome the sequences lie, if known.
    """

    letters: UInt8[np.ndarray, "letters"]
    starts: Lengths
    lengths: Lengths
    lows: Lengths
    highs: Lengths
    reverse: Bool[np.ndarray, "sequences"]
    places: Places | None = None

    @classmethod
    def from_codes(cls, codes: Sequence[UInt8[np.ndarray, "letters"]], places: Places | None = None) -> Self:
        """Put sequences in a row that can be widened by nothing."""
        lengths = np.fromiter((len(one) for one in codes), dtype=np.int64, count=len(codes))
        letters = np.concatenate([np.empty(0, np.uint8), *codes])
        ends = np.cumsum(lengths)
        starts = ends - lengths
        return cls(letters, starts, lengths, starts, ends, np.zeros(len(codes), dtype=bool), places)

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.starts)

    def take(self, indices: Indices) -> Sequences:
        """Return some of the sequences; the letters stay where they are."""
        return replace(
            self,
            starts=self.starts[indices],
            lengths=self.lengths[indices],
            lows=self.lows[indices],
            highs=self.highs[indices],
            reverse=self.reverse[indices],
            places=None if self.places is None else self.places.take(indices),
        )

    @classmethod
    def concatenate(cls, blocks: Sequence[Sequences]) -> Sequences:
        """Join blocks; those that share their row of letters go on sharing it."""
        rows = list({id(block.letters): block.letters for block in blocks}.values())
        offsets = dict(zip(map(id, rows), np.cumsum([0, *map(len, rows)])[:-1].tolist(), strict=True))

        def joined(name: str, *, moved: bool = False) -> np.ndarray:
            return np.concatenate(
                [getattr(block, name) + (offsets[id(block.letters)] if moved else 0) for block in blocks]
            )

        known = any(block.places is not None for block in blocks)
        places = [block.places or Places.unknown(len(block)) for block in blocks] if known else []
        return cls(
            letters=rows[0] if len(rows) == 1 else np.concatenate(rows),
            starts=joined("starts", moved=True),
            lengths=joined("lengths"),
            lows=joined("lows", moved=True),
            highs=joined("highs", moved=True),
            reverse=np.concatenate([block.reverse for block in blocks]),
            places=Places.concatenate(places) if places else None,
        )

    def windows(self, indices: Indices, length: int) -> UInt8[np.ndarray, "selected length"]:
        """Cut windows of one length around the centres of some sequences, padded where there is nothing to read.

        Where the lengths differ by an odd number, a sequence loses one letter more at its end than at its start, or
        gains one more at its start; of the other strand, the start is the start of that strand.
        """
        starts = self.starts[indices] + (self.lengths[indices] - length) // 2
        # On the other strand the end is the start, so that the odd letter is on the other side.
        starts = np.where(self.reverse[indices], starts + (self.lengths[indices] - length) % 2, starts)
        whole = (starts >= self.lows[indices]) & (starts + length <= self.highs[indices])
        cut = np.full((len(starts), length), PADDING, dtype=np.uint8)
        if length and whole.any():
            # Rows of a sliding view are copied as they are, many times faster than letter by letter.
            cut[whole] = np.lib.stride_tricks.sliding_window_view(self.letters, length)[starts[whole]]
        for row in np.flatnonzero(~whole):
            self._cut_at_border(cut[row], int(starts[row]), int(self.lows[indices[row]]), int(self.highs[indices[row]]))
        turned = self.reverse[indices]
        if turned.any():
            cut[turned] = reverse_complement(cut[turned])
        return cut

    def _cut_at_border(self, cut: UInt8[np.ndarray, "length"], start: int, low: int, high: int) -> None:
        """Copy what there is of one window."""
        first, last = max(start, low), min(start + len(cut), high)
        if first < last:
            cut[first - start : last - start] = self.letters[first:last]

    def codes(self, index: int) -> UInt8[np.ndarray, "letters"]:
        """Return the letters of one sequence, padded where it reaches past what it may be widened to."""
        start, end = int(self.starts[index]), int(self.starts[index] + self.lengths[index])
        if start < self.lows[index] or end > self.highs[index]:
            window: UInt8[np.ndarray, "letters"] = self.windows(np.array([index]), end - start)[0]
            return window
        codes = np.asarray(self.letters[start:end])
        return reverse_complement(codes) if self.reverse[index] else codes

    def text(self, index: int, *, rna: bool = False) -> str:
        """Write one sequence in letters."""
        return decode_nucleotides(self.codes(index), rna=rna)

    def blocks(self, length: int) -> Iterator[tuple[Indices, UInt8[np.ndarray, "selected length"]]]:
        """Go through all sequences as windows of one length, in blocks of bounded size."""
        step = max(1, GATHERED_LETTERS // max(length, 1))
        for start in range(0, len(self), step):
            indices = np.arange(start, min(start + step, len(self)))
            yield indices, self.windows(indices, length)


def usual_length(lengths: Lengths) -> int:
    """Choose the longest length, but not one that few sequences have: at most twice that of 95 % of them."""
    usual = int(np.quantile(lengths, 0.95, method="higher"))
    return min(int(lengths.max()), 2 * usual)


@final
class EncodedSequences:
    """Sequences ready for a network: ``letters`` of one length, still one byte each."""

    def __init__(self, sequences: Sequences, encoder: SequenceEncoder) -> None:
        self.sequences = sequences
        self.encoder = encoder
        self.largest_batch = max(SMALLEST_BATCH, LETTERS_PER_BATCH // max(encoder.length, 1))

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.sequences)

    def batch(self, indices: Indices) -> Batch:
        """Return the codes of these sequences, shape (batch, length)."""
        return {"letters": torch.from_numpy(self.encoder.cut(self.sequences, indices))}


@final
@dataclass(frozen=True, slots=True)
class SequenceEncoder(Encoder[Sequences]):
    """Cuts or pads sequences to one length around their centre; the network makes one-hot columns of the letters.

    Parameters
    ----------
    length
        Letters that the network reads.
    case
        Whether lower case is a signal; if not, it is forgotten here.
    """

    length: int
    case: bool = False

    def encode(self, inputs: Sequences) -> EncodedSequences:
        """Prepare sequences for the network."""
        return EncodedSequences(inputs, self)

    def cut(self, sequences: Sequences, indices: Indices) -> UInt8[np.ndarray, "selected length"]:
        """Cut the windows of some sequences as the network reads them."""
        letters = sequences.windows(indices, self.length)
        if not self.case:
            letters &= np.uint8(BASES)
        return letters

    def state(self) -> EncoderState:
        """Return both settings."""
        return EncoderState({"length": self.length, "case": self.case})

    @classmethod
    def from_state(cls, state: EncoderState) -> Self:
        """Make the encoder of a bundle again."""
        return cls(**state.facts)
