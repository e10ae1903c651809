"""The windows of a scan: where they lie, in what order, computed when they are needed, however many there are."""

from __future__ import annotations

import mmap
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Integer, Shaped

from primase.bio.genome import Genome, views
from primase.bio.intervals import IntervalTable
from primase.data.sequences import Sequences
from primase.errors import ConfigurationError, InputError
from primase.events import Listener, Notice

Numbers = Integer[np.ndarray, "stretches"]
Positions = Integer[np.ndarray, "windows"]

_SHOWN_NAMES = 5


@final
@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """Parts of chromosomes to scan: sorted by the name of the chromosome and by start, none meeting another.

    Parameters
    ----------
    chromosomes
        The number of the chromosome of each in the genome.
    starts, ends
        0-based and half-open, in base pairs from the start of the chromosome.
    """

    chromosomes: Numbers
    starts: Numbers
    ends: Numbers

    def __len__(self) -> int:
        """Return the number of stretches."""
        return len(self.starts)


def whole_chromosomes(genome: Genome, chosen: Collection[str], listener: Listener) -> Stretches:
    """Scan whole chromosomes: those that are chosen, or all.

    Raises
    ------
    ConfigurationError
        If one that is chosen is not in the genome.
    InputError
        If there is no letter to scan.
    """
    _refuse_unknown(chosen, genome.names, [*genome.names, *genome.left_out], str(genome.path))
    numbers = np.asarray([number for number, name in enumerate(genome.names) if not chosen or name in chosen])
    empty = [genome.names[number] for number in numbers.tolist() if not genome.lengths[number]]
    numbers = np.asarray([number for number in numbers.tolist() if genome.lengths[number]], dtype=np.int64)
    if not len(numbers):
        what = "there is nothing to scan: no record has a letter"
        raise InputError(what, where=str(genome.path), wanted="the FASTA file of a genome")
    if empty:
        text = f"{len(empty):,} records of the genome have no letters and are left out: {shown(empty)}."
        listener(Notice(text, "warning"))
    return _joined(genome, numbers, np.zeros(len(numbers), dtype=np.int64), genome.lengths[numbers])


def regions(
    genome: Genome, intervals: IntervalTable, chosen: Collection[str], window: int, listener: Listener
) -> Stretches:
    """Scan the regions of a BED file; those that overlap or touch become one, so that no window is read twice.

    A region shorter than the window is widened around its centre, and moved where it would leave its chromosome.

    Raises
    ------
    ConfigurationError
        If no region lies on a chromosome that is chosen.
    ReadError
        If the genome lacks a chromosome, or a region is empty or ends past the end of its chromosome.
    """
    names = intervals.chromosomes.astype(str)
    _refuse_unknown(chosen, set(names.tolist()), sorted(set(names.tolist())), str(intervals.path))
    kept = intervals.take(np.isin(names, list(chosen))) if chosen else intervals
    views(genome, kept)  # says which line names what the genome does not have
    number_of = {name: number for number, name in enumerate(genome.names)}
    numbers = np.asarray([number_of[name] for name in kept.chromosomes.astype(str).tolist()], dtype=np.int64)
    lengths = genome.lengths[numbers]
    missing = np.maximum(window - (kept.ends - kept.starts), 0)
    starts = np.clip(kept.starts - missing // 2, 0, np.maximum(lengths - window, 0))
    starts = np.where(missing > 0, starts, kept.starts)
    ends = np.where(missing > 0, np.minimum(starts + window, lengths), kept.ends)
    if missing.any():
        short = int((missing > 0).sum())
        text = f"{short:,} of {len(kept):,} regions are shorter than the window and were widened around their centres."
        listener(Notice(text))
    joined = _joined(genome, numbers, starts, ends)
    if len(joined) < len(kept):
        listener(Notice(f"{len(kept):,} regions overlap or touch in part: {len(joined):,} stretches are scanned."))
    return joined


def _refuse_unknown(chosen: Collection[str], known: Collection[str], listed: list[str], where: str) -> None:
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        what = f"a chromosome that is named is not in {where}"
        raise ConfigurationError(what, where="--chromosomes", got=", ".join(unknown), wanted=shown(listed))


def shown(names: Sequence[str]) -> str:
    """List names, but not more of them than anybody reads."""
    more = f" and {len(names) - _SHOWN_NAMES:,} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more


def _joined(genome: Genome, numbers: Numbers, starts: Numbers, ends: Numbers) -> Stretches:
    """Sort stretches by name and start, as genome browsers want them, and join those that overlap or touch."""
    by_name = sorted(range(len(genome.names)), key=genome.names.__getitem__)
    rank = np.empty(len(by_name), dtype=np.int64)
    rank[by_name] = np.arange(len(by_name))
    # In one row of all chromosomes, with a gap of one after each, so that stretches on two of them never touch.
    sizes = genome.lengths[by_name] + 1
    offsets = (np.cumsum(sizes) - sizes)[rank[numbers]]
    order = np.argsort(starts + offsets, kind="stable")
    lows, highs = (starts + offsets)[order], np.maximum.accumulate((ends + offsets)[order])
    first = np.flatnonzero(np.concatenate([[True], lows[1:] > highs[:-1]]))
    last = np.concatenate([first[1:], [len(lows)]]) - 1
    kept = order[first]
    return Stretches(numbers[kept], starts[kept], highs[last] - offsets[order][last])


@final
@dataclass(frozen=True, slots=True, eq=False)
class WindowPlaces:
    """Where some windows lie.

    Parameters
    ----------
    chromosomes
        The number of the chromosome of each in the genome.
    starts
        In base pairs from the start of the chromosome; negative where the window is longer than its chromosome.
    """

    chromosomes: Positions
    starts: Positions


@final
class ScanWindows:
    """All windows of a scan, numbered; nothing is kept for each, so that a genome of any size fits into memory.

    The first window of a stretch starts where the stretch starts and the last ends where it ends; the others follow
    one stride after the other. So the last two may be closer to each other than a stride. A chromosome shorter than
    the window is one window, padded on both sides.

    Parameters
    ----------
    genome, stretches
        What is scanned.
    window, stride
        In base pairs.
    """

    def __init__(self, genome: Genome, stretches: Stretches, *, window: int, stride: int) -> None:
        self.genome = genome
        self.stretches = stretches
        self.window = window
        self.stride = stride
        beyond = np.maximum(stretches.ends - stretches.starts - window, 0)
        self._ends = np.cumsum(1 + -(-beyond // stride))

    def __len__(self) -> int:
        """Return the number of windows."""
        return int(self._ends[-1])

    @property
    def padded(self) -> list[str]:
        """The names of the chromosomes that are shorter than the window."""
        short = self.stretches.ends - self.stretches.starts < self.window
        return [self.genome.names[number] for number in self.stretches.chromosomes[short].tolist()]

    def places(self, first: int, last: int) -> WindowPlaces:
        """Say where the windows from one number up to, not including, another lie."""
        which, starts = self._found(first, last)
        return WindowPlaces(self.stretches.chromosomes[which], starts)

    def _found(self, first: int, last: int) -> tuple[Positions, Positions]:
        """Return the stretch and the start of windows."""
        numbers = np.arange(first, last)
        which = np.searchsorted(self._ends, numbers, side="right")
        step = numbers - np.concatenate([[0], self._ends])[which]
        low, high = self.stretches.starts[which], self.stretches.ends[which]
        starts = np.minimum(low + step * self.stride, high - self.window)
        return which, np.where(high - low < self.window, low + (high - low - self.window) // 2, starts)

    def sequences(self, first: int, last: int) -> Sequences:
        """Return windows as views into the letters of the genome, on the strand ``+``."""
        places = self.places(first, last)
        offsets = self.genome.offsets[places.chromosomes]
        return Sequences(
            letters=self.genome.letters,
            starts=offsets + places.starts,
            lengths=np.full(last - first, self.window, dtype=np.int64),
            lows=offsets,
            highs=offsets + self.genome.lengths[places.chromosomes],
            reverse=np.zeros(last - first, dtype=np.bool_),
        )

    def release(self) -> None:
        """Let go of the letters that were looked at: a process that keeps all it has read of a file seems to grow."""
        base: object = self.genome.letters
        while isinstance(base, np.ndarray):
            base = base.base
        if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            base.madvise(mmap.MADV_DONTNEED)

    def names(self, places: WindowPlaces) -> Shaped[np.ndarray, "windows"]:
        """Return the name of the chromosome of each window."""
        return np.asarray(np.array(self.genome.names, dtype=object)[places.chromosomes])

    def borders(self, places: WindowPlaces) -> tuple[Positions, Positions]:
        """Return where windows start and end on their chromosomes, without the padding."""
        lengths = self.genome.lengths[places.chromosomes]
        return np.maximum(places.starts, 0), np.minimum(places.starts + self.window, lengths)

    def bins(self, first: int, last: int) -> tuple[Positions, Positions]:
        """Return the part of the chromosome that each window stands for, so that no two overlap.

        That is a stride around the centre of the window, or all of the window where strides are longer. Where two
        windows are closer than a stride, at the end of a stretch, the middle between them is the border.
        """
        low, high = max(first - 1, 0), min(last + 1, len(self))
        which, starts = self._found(low, high)
        read_from, read_to = self.borders(WindowPlaces(self.stretches.chromosomes[which], starts))
        widths = np.minimum(self.stride, read_to - read_from)
        starts = read_from + (read_to - read_from - widths) // 2
        ends = starts + widths
        close = (which[1:] == which[:-1]) & (starts[1:] < ends[:-1])
        middle = (ends[:-1] + starts[1:]) // 2
        ends[:-1] = np.where(close, middle, ends[:-1])
        starts[1:] = np.where(close, middle, starts[1:])
        mine = slice(first - low, last - low)
        return starts[mine], ends[mine]


def known_letters(sequences: Sequences, window: int) -> Bool[np.ndarray, "windows"]:
    """Tell which windows hold a letter that is known: of the N of a gap there is nothing to say."""
    codes = sequences.windows(np.arange(len(sequences)), window) & np.uint8(15)
    return np.asarray(((codes != 15) & (codes != 0)).any(axis=1))
