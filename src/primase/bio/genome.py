"""Genomes: a FASTA file turned once into one byte a letter on disk, and windows of it without a copy in memory."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Integer, UInt8

from primase.bio.genome_records import encode_block, has_index, indexed_blocks, streamed_blocks
from primase.bio.intervals import NO_SUMMIT, IntervalTable
from primase.bio.reading import open_binary
from primase.errors import ReadError
from primase.events import Listener, Progress, silent

STAGE: Final = "read the genome"
"""The stage in progress events."""

_FORMAT_VERSION = 1
_SHOWN_NAMES = 5

Positions = Integer[np.ndarray, "intervals"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Genome:
    """The letters of a genome in one row, memory-mapped, so that only what is looked at is read from disk.

    Parameters
    ----------
    path
        The FASTA file, for messages.
    names
        The chromosomes that were asked for and found, in the order of the file.
    lengths
        Of each, in base pairs.
    offsets
        Where each starts in the row.
    letters
        Codes of :mod:`primase.bio.nucleotides`.
    left_out
        The other chromosomes of the file, which were not asked for.
    """

    path: Path
    names: tuple[str, ...]
    lengths: Integer[np.ndarray, "chromosomes"]
    offsets: Integer[np.ndarray, "chromosomes"]
    letters: UInt8[np.ndarray, "letters"]
    left_out: tuple[str, ...] = ()

    def chromosome(self, name: str) -> UInt8[np.ndarray, "letters"]:
        """Return the letters of one chromosome; nothing is copied."""
        number = self.names.index(name)
        low = int(self.offsets[number])
        return self.letters[low : low + int(self.lengths[number])]


@final
@dataclass(frozen=True, slots=True, eq=False)
class GenomeViews:
    """Where windows lie in the row of letters of a genome.

    A window that was resized may reach over the border of its chromosome: what is outside of ``lows`` and ``highs``
    is to be read as padding.

    Parameters
    ----------
    starts, lengths
        Of each window. Starts count from the start of the row, not of the chromosome, and may be negative.
    lows, highs
        The borders of its chromosome in the row.
    reverse
        Whether it lies on the strand ``-``.
    """

    starts: Positions
    lengths: Positions
    lows: Positions
    highs: Positions
    reverse: Bool[np.ndarray, "intervals"]


def open_genome(
    path: Path, *, chromosomes: Collection[str] | None, folder: Path, listener: Listener = silent
) -> Genome:
    """Open the FASTA file of a genome, plain, gzip or bgzip; the second time at once.

    The first time the letters are written, one byte each, to a folder of their own in ``folder``; nothing is ever
    written beside the file. Where the file has an index (``.fai``, and ``.gzi`` for bgzip) that is not older than
    itself, only the chromosomes that are asked for are read; else all of it goes by, a block at a time.

    Parameters
    ----------
    path
        The file.
    chromosomes
        The ones that are needed; None for all. That one of them is not there is an error of :func:`views` only,
        which knows the line that names it.
    folder
        The cache, made where it does not exist. A file of another size or time, or with other chromosomes asked for,
        is read anew.
    listener
        Told of progress, in letters.

    Raises
    ------
    ReadError
        If the file is missing, damaged or not FASTA, if two records have one name, if a letter is no nucleotide (the
        record and the position in it, counted from 1, are named), or if the cache cannot be written.
    """
    path = Path(path)
    with open_binary(path):
        pass  # Says what is wrong with a file that cannot be read, also where the cache has what it once held.
    wanted = None if chromosomes is None else frozenset(chromosomes)
    target = Path(folder) / f"genome-{_fingerprint(path, wanted)}"
    if not (target / "chromosomes.json").exists():
        try:
            _convert(path, wanted, target, listener)
        except OSError as error:
            what = "the genome cannot be written to the cache"
            advice = "Choose another folder for the cache, or make room."
            raise ReadError(what, where=str(folder), got=error.strerror or str(error), advice=advice) from error
    return _open(path, target)


def _fingerprint(path: Path, wanted: frozenset[str] | None) -> str:
    facts = path.stat()
    described: list[object] = [_FORMAT_VERSION, str(path.resolve()), facts.st_size, facts.st_mtime_ns]
    described.append(None if wanted is None else sorted(wanted))
    return hashlib.blake2b(json.dumps(described).encode(), digest_size=16).hexdigest()


def _open(path: Path, target: Path) -> Genome:
    facts = json.loads((target / "chromosomes.json").read_text("utf-8"))
    lengths = np.asarray(facts["lengths"], dtype=np.int64)
    ends = np.cumsum(lengths)
    letters = np.empty(0, dtype=np.uint8)
    if lengths.sum():  # nothing cannot be memory-mapped
        # As an ordinary array: the subclass costs time at every index.
        letters = np.asarray(np.memmap(target / "letters.u1", dtype=np.uint8, mode="r", shape=(int(ends[-1]),)))
    return Genome(path, tuple(facts["names"]), lengths, ends - lengths, letters, tuple(facts["left_out"]))


def _convert(path: Path, wanted: frozenset[str] | None, target: Path, listener: Listener) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    temporary.mkdir()
    try:
        blocks = indexed_blocks(path, wanted) if has_index(path) else streamed_blocks(path, wanted)
        lengths: dict[str, int] = {}
        left_out: list[str] = []
        done = 0
        with (temporary / "letters.u1").open("wb") as file:
            for name, raw in blocks:
                if raw is None:
                    left_out.append(name)
                    continue
                before = lengths.get(name, 0)
                file.write(encode_block(raw, before, path, name).data)
                lengths[name] = before + len(raw)
                done += len(raw)
                listener(Progress(STAGE, done, None, "letters"))
        facts = {"names": list(lengths), "lengths": list(lengths.values()), "left_out": left_out}
        (temporary / "chromosomes.json").write_text(json.dumps(facts), "utf-8")
        try:
            temporary.rename(target)
        except OSError:
            if not target.exists():  # else another process was quicker, and wrote the same
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def views(genome: Genome, intervals: IntervalTable, *, width: int | None = None) -> GenomeViews:
    """Find intervals in the row of letters of a genome, as windows of one width where one is given.

    Parameters
    ----------
    genome
        As :func:`open_genome` gives it.
    intervals
        0-based and half-open.
    width
        In base pairs; the window lies around the summit of a peak where it is known, else around the centre of the
        interval, with the odd base pair after it in the direction of the strand. None leaves intervals as they are.

    Raises
    ------
    ReadError
        If the genome lacks a chromosome, an interval ends past the end of its chromosome, or is empty and is not to
        be resized. The message names the file and the line.
    """
    names, which = np.unique(intervals.chromosomes.astype(str), return_inverse=True)
    number_of = {name: number for number, name in enumerate(genome.names)}
    numbers = np.asarray([number_of.get(name, -1) for name in names.tolist()], dtype=np.int64)[which]
    if (numbers < 0).any():
        _refuse_chromosome(genome, intervals, int((numbers < 0).argmax()))
    past = intervals.ends > genome.lengths[numbers]
    if past.any():
        row = int(past.argmax())
        what = "the interval ends past the end of its chromosome"
        length = f"{intervals.chromosomes[row]} has {int(genome.lengths[numbers[row]]):,} base pairs in {genome.path}"
        advice = f"{length}: are the intervals of the same assembly?"
        raise ReadError(what, where=intervals.place(row), got=intervals.text(row), advice=advice)
    lows = genome.offsets[numbers]
    reverse = intervals.strands.astype(str) == "-"
    starts, lengths = _resized(intervals, reverse, width)
    return GenomeViews(lows + starts, lengths, lows, lows + genome.lengths[numbers], reverse)


def _resized(
    intervals: IntervalTable, reverse: Bool[np.ndarray, "intervals"], width: int | None
) -> tuple[Positions, Positions]:
    lengths = intervals.ends - intervals.starts
    if width is None:
        if (lengths == 0).any():
            row = int((lengths == 0).argmax())
            what = "the interval is empty"
            advice = "Give a width to have a window around it."
            raise ReadError(what, where=intervals.place(row), got=intervals.text(row), advice=advice)
        return intervals.starts, lengths
    # On the other strand the end is the start, so that the odd base pair is on the other side.
    around_centre = intervals.starts + (lengths - width) // 2 + np.where(reverse, (lengths - width) % 2, 0)
    around_summit = intervals.starts + intervals.summits - np.where(reverse, (width - 1) // 2, width // 2)
    starts = np.where(intervals.summits == NO_SUMMIT, around_centre, around_summit)
    return starts, np.full(len(intervals), width, dtype=np.int64)


def _refuse_chromosome(genome: Genome, intervals: IntervalTable, row: int) -> None:
    name = str(intervals.chromosomes[row])
    what = "the genome lacks the chromosome of the interval"
    known = [*genome.names, *genome.left_out]
    shown = ", ".join(known[:_SHOWN_NAMES]) + (f" and {len(known) - _SHOWN_NAMES:,} more" * (len(known) > _SHOWN_NAMES))
    other = name.removeprefix("chr") if name.startswith("chr") else f"chr{name}"
    advice = None
    if name in genome.left_out:
        advice = "It was left out when the genome was opened: ask for it there."
    elif other in known:
        advice = f"The genome calls it {other!r}: rename it in one of the two files."
    raise ReadError(what, where=intervals.place(row), got=name, wanted=f"{shown} ({genome.path})", advice=advice)
