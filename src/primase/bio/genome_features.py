"""What an annotated genome carries where: windows of its chromosomes with the features that lie in them.

The windows do not overlap. A window carries a feature, such as a tRNA gene, if features of that kind cover at least
half of the window, or if at least half of one such feature lies in it; so it may carry several, or none. The strand of
a feature plays no part, so that a window and its reverse complement carry the same.
"""

from __future__ import annotations

import fnmatch
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final, cast, final

import gb_io
import numpy as np
from jaxtyping import Bool, Int8, Int64, UInt8

from primase.bio.genbank import spans_of
from primase.bio.nucleotides import encode_nucleotides
from primase.errors import ReadError

CODING: Final = "coding"
PROMOTER: Final = "promoter"
INTRON: Final = "intron"

PROMOTER_BP: Final = 300
"""How much before a start codon is taken for the promoter: yeast's nucleosome-free region and short leader."""

SHORTEST_INTRON_BP: Final = 20
"""A shorter gap in a coding sequence is a frameshift, as in the transposons, and no intron."""

_FEWEST_CHROMOSOMES: Final = 3

KINDS: Final[Mapping[str, str]] = {
    "CDS": CODING,
    "rep_origin": "replication_origin",
    "tRNA": "tRNA",
    "rRNA": "rRNA",
    "ncRNA": "noncoding_RNA",
    "LTR": "long_terminal_repeat",
    "mobile_element": "transposon",
    "telomere": "telomere",
    "centromere": "centromere",
}
"""What GenBank calls a feature, and what it is called here."""

Span = tuple[int, int, int]
Spans = Int64[np.ndarray, "spans two"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedChromosome:
    """The letters of a chromosome and the features on it.

    Parameters
    ----------
    name
        Such as ``"IV"``, or the accession of the record where it says no name.
    codes
        The letters, as codes of :mod:`primase.bio.nucleotides`.
    features
        Per kind the start and end of each, in base pairs, 0-based and half-open: the exons of coding sequences, and
        everything else from its first to its last base.
    """

    name: str
    codes: UInt8[np.ndarray, "letters"]
    features: Mapping[str, Spans]


@final
@dataclass(frozen=True, slots=True, eq=False)
class GenomeWindows:
    """The windows of a genome and what they carry.

    Parameters
    ----------
    letters
        All chromosomes one after the other, as codes of :mod:`primase.bio.nucleotides`.
    chromosomes
        Their names.
    offsets
        Where each chromosome starts in the row of letters, and behind them the end of the last one.
    chromosome, starts, ends
        For each window the index of its chromosome and its place on it, in base pairs, 0-based and half-open.
    labels
        Which features each window carries: 1 or 0.
    names
        The features, from the most to the least frequent.
    left_out
        The features that are too rare, or on too few chromosomes, and how many windows carry them.
    """

    letters: UInt8[np.ndarray, "letters"]
    chromosomes: tuple[str, ...]
    offsets: Int64[np.ndarray, "chromosomes_and_one"]
    chromosome: Int64[np.ndarray, "windows"]
    starts: Int64[np.ndarray, "windows"]
    ends: Int64[np.ndarray, "windows"]
    labels: Int8[np.ndarray, "windows features"]
    names: tuple[str, ...]
    left_out: Mapping[str, int]


def read_genome_windows(
    path: Path, *, window_bp: int = 200, fewest: int = 50, member_pattern: str = "*.gb"
) -> GenomeWindows:
    """Cut an annotated genome into windows and say which features each carries.

    The features are those of :data:`KINDS`, and two that follow from the coding sequences: introns, and promoters,
    which are the 300 bp before a start codon on its strand.

    Parameters
    ----------
    path
        A ZIP archive of GenBank files, one chromosome in each.
    window_bp
        The length of a window in base pairs; what is left over at the end of a chromosome is in none.
    fewest
        A feature that fewer windows carry is left out, and so is one that fewer than three chromosomes have, where
        there are as many: it could not be in train, validation and test at once.
    member_pattern
        Which files of the archive to read, with ``*`` and ``?`` as in a shell.

    Raises
    ------
    ReadError
        If the archive cannot be read or holds no such file, or a file is not GenBank.
    """
    chromosomes = list(read_chromosomes(path, member_pattern))
    kinds = sorted({kind for chromosome in chromosomes for kind in chromosome.features})
    lengths = np.array([len(chromosome.codes) for chromosome in chromosomes])
    counts = lengths // window_bp
    labels = np.zeros((int(counts.sum()), len(kinds)), dtype=np.int8)
    first_windows = np.cumsum(counts) - counts
    for chromosome, first, count in zip(chromosomes, first_windows, counts, strict=True):
        for column, kind in enumerate(kinds):
            spans = chromosome.features.get(kind)
            if spans is not None:
                labels[first : first + count, column] = _carries(spans, int(count), window_bp)
    totals = labels.sum(axis=0, dtype=np.int64)
    homes = np.array([sum(kind in chromosome.features for chromosome in chromosomes) for kind in kinds])
    kept = (totals >= fewest) & ((homes >= _FEWEST_CHROMOSOMES) | (len(chromosomes) < _FEWEST_CHROMOSOMES))
    order = [int(column) for column in np.argsort(-totals, kind="stable") if kept[column]]
    starts = np.concatenate([np.arange(count) * window_bp for count in counts]).astype(np.int64)
    return GenomeWindows(
        letters=np.concatenate([chromosome.codes for chromosome in chromosomes]),
        chromosomes=tuple(chromosome.name for chromosome in chromosomes),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        chromosome=np.repeat(np.arange(len(chromosomes), dtype=np.int64), counts),
        starts=starts,
        ends=starts + window_bp,
        labels=np.ascontiguousarray(labels[:, order]),
        names=tuple(kinds[column] for column in order),
        left_out={kinds[column]: int(totals[column]) for column in np.flatnonzero(~kept)},
    )


def read_chromosomes(path: Path, member_pattern: str = "*.gb") -> Iterator[AnnotatedChromosome]:
    """Read the chromosomes of an annotated genome from GenBank files in a ZIP archive, in the order of their names.

    Raises
    ------
    ReadError
        If the archive cannot be read or holds no such file, or a file is not GenBank.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(name for name in archive.namelist() if fnmatch.fnmatchcase(name, member_pattern))
            if not members:
                what = f"the archive has no file {member_pattern!r}"
                raise ReadError(what, where=str(path), got=", ".join(archive.namelist()[:5]) or "an empty archive")
            for member in members:
                place = f"{path}, {member}"
                with archive.open(member) as file:
                    yield from (_chromosome(record, place) for record in _records(cast("BinaryIO", file), place))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        what = "the annotated genome cannot be read"
        raise ReadError(what, where=str(path), got=str(error), wanted="a ZIP archive of GenBank files") from error


def _records(file: BinaryIO, place: str) -> list[gb_io.Record]:
    try:
        records = list(gb_io.iter(file))
    except (ValueError, RuntimeError) as error:  # gb_io raises the latter for a syntax error
        what = "the GenBank file cannot be read"
        raise ReadError(what, where=place, got=" ".join(str(error).split())) from error
    if not records or not all(len(record.sequence) for record in records):
        what = "the GenBank file has no sequence"
        raise ReadError(what, where=place)
    return records


def _chromosome(record: gb_io.Record, place: str) -> AnnotatedChromosome:
    codes = encode_nucleotides(bytes(record.sequence).upper(), where=place)
    named = (q.value for feature in record.features for q in feature.qualifiers if q.key == "chromosome" and q.value)
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for feature in record.features:
        kind = KINDS.get(feature.kind)
        parts = sorted(spans_of(feature.location)) if kind is not None else []
        if kind is None or not parts:
            continue
        if kind == CODING:
            for derived, pieces in _of_coding_sequence(parts, len(codes)).items():
                spans[derived] += pieces
        else:
            spans[kind].append((parts[0][0], max(end for _, end, _ in parts)))
    features = {kind: np.unique(np.array(pieces, dtype=np.int64), axis=0) for kind, pieces in spans.items() if pieces}
    return AnnotatedChromosome(next(named, record.accession or record.name or place), codes, features)


def _of_coding_sequence(parts: Sequence[Span], length: int) -> dict[str, list[tuple[int, int]]]:
    """Find the exons, the introns and the promoter of one coding sequence."""
    exons = [(start, end) for start, end, _ in parts]
    gaps = [(end, start) for (_, end), (start, _) in pairwise(exons)]
    first, last = exons[0][0], exons[-1][1]
    forward = parts[0][2] == 1
    promoter = (max(0, first - PROMOTER_BP), first) if forward else (last, min(length, last + PROMOTER_BP))
    return {
        CODING: exons,
        INTRON: [(start, end) for start, end in gaps if end - start >= SHORTEST_INTRON_BP],
        PROMOTER: [promoter] if promoter[1] > promoter[0] else [],
    }


def _carries(spans: Spans, count: int, window_bp: int) -> Bool[np.ndarray, "windows"]:
    """Tell which of the windows are half covered by the spans together, or hold half of one of them."""
    length = count * window_bp
    # A step up where a span starts and down where it ends: their running sum is the number of spans on each base.
    clipped = np.minimum(spans, length)
    steps = np.bincount(clipped[:, 0], minlength=length + 1) - np.bincount(clipped[:, 1], minlength=length + 1)
    covered = (np.cumsum(steps[:-1]) > 0).reshape(count, window_bp).sum(axis=1)
    carries: Bool[np.ndarray, "windows"] = 2 * covered >= window_bp
    # Half of a span fits into a window only if the span is at most two windows long, so that it touches at most three.
    starts, ends = spans[spans[:, 1] - spans[:, 0] <= 2 * window_bp].T
    for step in range(3):
        windows = starts // window_bp + step
        inside = np.minimum(ends, (windows + 1) * window_bp) - np.maximum(starts, windows * window_bp)
        held = (2 * inside >= ends - starts) & (windows < count)
        carries[windows[held]] = True
    return carries
