"""Sequences with a known truth: motifs in a random background, and in the others the same letters in another order.

The background is a Markov chain of order 2. A sequence that lacks a motif carries a shuffled site of it in its place,
so that composition gives nothing away, and sites stand anywhere, so that no position does.

In DNA a motif is read in its own direction, whichever strand it lies on. That makes "A before B" a question with one
answer for a piece of DNA: the two sites of a pair lie on one strand, and A comes first when that strand is read in the
direction of the motifs. The reverse complement turns A…B into B'…A' with both motifs on the other strand, on which A
still comes first. The words of the two orders are the same: only a layer that sees order can tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float64

from primase.apps.workflow import Simulated
from primase.bio.fasta import SequenceRecord, write_fasta
from primase.bio.nucleotides import decode_nucleotides, encode_nucleotides, reverse_complement
from primase.bio.reading import write_then_rename

RNA_LENGTH: Final = 101
DNA_LENGTH: Final = 200
UNKNOWN: Final = 0.05
"""So many of the cells of the table are left empty."""

SMALLEST_GAP: Final = 10
LARGEST_GAP: Final = 50

_BASES: Final = "ACGT"
_DEGENERATE: Final = 0.6
_SHUFFLES: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class Motif:
    """A pattern of letters, some of them more certain than others.

    Parameters
    ----------
    name
        Such as ``"PUM2"``.
    probabilities
        Of A, C, G and T (or U) at each place; a row sums to one.
    source
        Where it is known from.
    """

    name: str
    probabilities: Float64[np.ndarray, "places 4"]
    source: str

    def draw(self, generator: np.random.Generator) -> str:
        """Draw a site."""
        cumulative = self.probabilities.cumsum(axis=1)
        drawn = (generator.random((len(cumulative), 1)) > cumulative).sum(axis=1)
        return "".join(_BASES[base] for base in np.minimum(drawn, 3))

    def shuffled(self, generator: np.random.Generator) -> str:
        """Draw a site and shuffle its letters until little of the motif is left on either strand."""
        site = np.array(list(self.draw(generator)))
        most = _DEGENERATE * self.probabilities.max(axis=1).sum()
        for _ in range(_SHUFFLES):
            letters = "".join(generator.permutation(site))
            if max(self._likeness(letters), self._likeness(turned(letters))) <= most:
                break
        return letters

    def _likeness(self, letters: str) -> float:
        """Add up the probabilities of the letters."""
        return float(sum(row[_BASES.index(letter)] for row, letter in zip(self.probabilities, letters, strict=True)))

    def to_state(self, letters: str) -> dict[str, Any]:
        """Describe the motif in JSON."""
        return {"letters": letters, "probabilities": self.probabilities.tolist(), "source": self.source}


def _percent(*rows: tuple[int, int, int, int]) -> Float64[np.ndarray, "places 4"]:
    return np.array(rows, dtype=np.float64) / 100


def _strong(probabilities: Float64[np.ndarray, "places 4"]) -> Float64[np.ndarray, "places 4"]:
    """Square the probabilities, as at strong sites, so that a few hundred sequences are enough to learn from."""
    squares: Float64[np.ndarray, "places 4"] = np.square(probabilities)
    squares /= squares.sum(axis=1, keepdims=True)
    return squares


_U, _G, _A, _ANY = (1, 1, 1, 97), (1, 1, 97, 1), (97, 1, 1, 1), (40, 20, 10, 30)

PUM2: Final = Motif(
    "PUM2",
    _percent(_U, _G, _U, _A, _ANY, _A, _U, _A),
    "consensus UGUANAUA of Hafner et al. 2010, doi:10.1016/j.cell.2010.03.009; its weights are made up",
)
GABPA: Final = Motif(
    "GABPA",
    _strong(
        _percent(
            (62, 12, 18, 8),
            (8, 79, 10, 3),
            (88, 7, 2, 3),
            (1, 1, 96, 2),
            (2, 2, 94, 2),
            (95, 2, 2, 1),
            (91, 1, 2, 6),
            (10, 3, 86, 1),
            (7, 7, 6, 80),
            (14, 11, 63, 12),
        )
    ),
    "JASPAR MA0062.4, reverse complement, in per cent, squared and scaled to one",
)
ESRRB: Final = Motif(
    "ESRRB",
    _strong(
        _percent(
            (5, 16, 3, 76),
            (1, 86, 12, 1),
            (97, 1, 1, 1),
            (97, 1, 1, 1),
            (1, 1, 97, 1),
            (1, 1, 97, 1),
            (1, 1, 1, 97),
            (1, 97, 1, 1),
            (95, 1, 3, 1),
        )
    ),
    "JASPAR MA0141.4, its first nine places, in per cent and at least one, squared and scaled to one",
)

ORDER: Final = "GABPA_before_ESRRB"


def _background() -> Float64[np.ndarray, "16 4"]:
    """Make the chain: a letter's odds after two others, with runs, few CG, and repeats of two, as in vertebrates."""
    table = np.empty((4, 4, 4))
    for before, last, letter in np.ndindex(4, 4, 4):
        odds = (0.29, 0.21, 0.21, 0.29)[letter]
        odds *= 1.25 if letter == last else 1.0
        odds *= 1.15 if letter == before else 1.0
        odds *= 0.3 if _BASES[last] + _BASES[letter] == "CG" else 1.0
        odds *= 0.8 if _BASES[last] + _BASES[letter] == "TA" else 1.0
        table[before, last, letter] = odds
    rows: Float64[np.ndarray, "16 4"] = table.reshape(16, 4)
    rows /= rows.sum(axis=1, keepdims=True)
    return rows


BACKGROUND: Final = _background()
"""The odds of A, C, G and T after each of AA, AC, …, TT."""


def turned(letters: str) -> str:
    """Read the other strand.

    Examples
    --------
    >>> turned("AACG")
    'CGTT'
    """
    return decode_nucleotides(reverse_complement(encode_nucleotides(letters, where="a simulated site")))


def draw_background(count: int, length: int, generator: np.random.Generator) -> list[str]:
    """Draw sequences from the Markov chain."""
    cumulative = BACKGROUND.cumsum(axis=1)
    letters = np.empty((count, length), dtype=np.int64)
    letters[:, :2] = generator.integers(0, 4, (count, min(2, length)))
    for place in range(2, length):
        odds = cumulative[letters[:, place - 2] * 4 + letters[:, place - 1]]
        letters[:, place] = np.minimum((generator.random((count, 1)) > odds).sum(axis=1), 3)
    return ["".join(row) for row in np.array(list(_BASES))[letters]]


def simulate_rna(folder: Path, count: int, seed: int) -> Simulated:
    """Write ``positives.fa`` and ``negatives.fa``: RNA with one or two PUM2 sites, and RNA with shuffled ones.

    Parameters
    ----------
    folder
        Where to write.
    count
        The number of sequences, half of them positive; each has 101 letters.
    seed
        The same seed gives the same files.
    """
    generator = np.random.default_rng(seed)
    sizes = {"positives": count // 2, "negatives": count - count // 2}
    planted: list[Mapping[str, Any]] = []
    for part, size in sizes.items():
        records = []
        for number, background in enumerate(draw_background(size, RNA_LENGTH, generator)):
            name = f"{part[:-1]}_{number:05}"
            sites = [PUM2.draw(generator) if part == "positives" else PUM2.shuffled(generator) for _ in range(2)]
            sites = sites[: int(generator.integers(1, 3))]
            sequence, starts = _plant(background, sites, generator)
            records.append(SequenceRecord(name, "", sequence.replace("T", "U")))
            if part == "positives":
                planted += [_truth(name, start, PUM2, "+") for start in starts]
        write_fasta(folder / f"{part}.fa", records, line_length=RNA_LENGTH)
    words = ["--positives", "positives.fa", "--negatives", "negatives.fa"]
    return Simulated(words, planted, _facts(folder, [PUM2], "ACGU"))


def simulate_dna(folder: Path, count: int, seed: int) -> Simulated:
    """Write ``sequences.tsv``: DNA with sites of two motifs, on either strand, and which of three things hold.

    The targets are: it has a GABPA site; it has a ESRRB site; it has both on one strand, GABPA first. Half of the
    sequences have a pair, in either order; of the others a third each have one of the two motifs, or none. One cell in
    twenty is empty.

    Parameters
    ----------
    folder
        Where to write.
    count
        The number of sequences, of 200 base pairs each.
    seed
        The same seed gives the same files.
    """
    generator = np.random.default_rng(seed)
    planted: list[Mapping[str, Any]] = []
    rows = []
    kinds = np.resize([*_PAIRS, "first", *_PAIRS, "second", *_PAIRS, "none"], count)
    generator.shuffle(kinds)
    for number, background in enumerate(draw_background(count, DNA_LENGTH, generator)):
        name, kind = f"sequence_{number:05}", str(kinds[number])
        sequence, truth = _dna(name, kind, background, generator)
        planted += truth
        answers = [kind in {"first", *_PAIRS}, kind in {"second", *_PAIRS}, kind == "in order"]
        cells = ["" if generator.random() < UNKNOWN else str(int(answer)) for answer in answers]
        rows.append([name, sequence, *cells])
    columns = [GABPA.name, ESRRB.name, ORDER]
    with write_then_rename(folder / "sequences.tsv") as file:
        file.writelines("\t".join(row) + "\n" for row in [["id", "sequence", *columns], *rows])
    words = ["--table", "sequences.tsv", "--target-column", ",".join(columns)]
    return Simulated(words, planted, _facts(folder, [GABPA, ESRRB], _BASES))


_PAIRS: Final = ("in order", "out of order")


def _dna(name: str, kind: str, background: str, generator: np.random.Generator) -> tuple[str, list[Mapping[str, Any]]]:
    """Plant a pair of sites into one sequence, real or shuffled, and turn half of them to the other strand."""
    present = {GABPA: kind in {"first", *_PAIRS}, ESRRB: kind in {"second", *_PAIRS}}
    # Where there is no pair the order means nothing, and is drawn.
    forward = kind == "in order" if kind in _PAIRS else bool(generator.random() < 0.5)
    motifs = [GABPA, ESRRB] if forward else [ESRRB, GABPA]
    sites = [motif.draw(generator) if present[motif] else motif.shuffled(generator) for motif in motifs]
    gap = int(generator.integers(SMALLEST_GAP, LARGEST_GAP + 1))
    width = len(sites[0]) + gap + len(sites[1])
    first = int(generator.integers(0, len(background) - width + 1))
    starts = [first, first + len(sites[0]) + gap]
    sequence = background
    for start, site in zip(starts, sites, strict=True):
        sequence = sequence[:start] + site + sequence[start + len(site) :]
    strand = "+"
    if generator.random() < 0.5:
        strand, sequence = "-", turned(sequence)
        starts = [len(sequence) - start - len(site) for start, site in zip(starts, sites, strict=True)]
    found = zip(motifs, starts, strict=True)
    return sequence, [_truth(name, start, motif, strand) for motif, start in found if present[motif]]


def _plant(background: str, sites: Sequence[str], generator: np.random.Generator) -> tuple[str, list[int]]:
    """Write sites over a sequence, anywhere, so that they do not overlap."""
    room = len(background) - sum(map(len, sites))
    offsets = np.sort(generator.integers(0, room + 1, len(sites)))
    sequence, starts, before = background, [], 0
    for offset, site in zip(offsets.tolist(), sites, strict=True):
        start = offset + before
        sequence = sequence[:start] + site + sequence[start + len(site) :]
        starts.append(start)
        before += len(site)
    return sequence, starts


def _truth(name: str, start: int, motif: Motif, strand: str) -> dict[str, Any]:
    end = start + len(motif.probabilities)
    return {"id": name, "start": start, "end": end, "motif": motif.name, "strand": strand}


def _facts(folder: Path, motifs: Sequence[Motif], letters: str) -> dict[str, Any]:
    """Describe the motifs, and write them to ``motifs.meme`` in the minimal format of the MEME suite."""
    with write_then_rename(folder / "motifs.meme") as file:
        file.write(f"MEME version 4\n\nALPHABET= {letters}\n\nstrands: {'+' if 'U' in letters else '+ -'}\n")
        for motif in motifs:
            width = len(motif.probabilities)
            file.write(f"\nMOTIF {motif.name}\nletter-probability matrix: alength= 4 w= {width} nsites= 100\n")
            file.writelines(" ".join(f"{share:.4f}" for share in row) + "\n" for row in motif.probabilities.tolist())
    return {"motifs": {motif.name: motif.to_state(letters) for motif in motifs}}
