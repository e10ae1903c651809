"""Intervals on a genome: BED files with 3 to 12 columns or more, and the narrowPeak files of peak callers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO, final

import numpy as np
from jaxtyping import Bool, Integer, Shaped

from primase.bio.reading import open_text
from primase.errors import ReadError

NO_SUMMIT = -1

_NARROW_PEAK_COLUMNS = 10
"""No valid BED file has ten columns (BED specification, version 1), so that the number tells the two apart."""

_NAMED_COLUMNS = 6
_SHOWN_CHARACTERS = 60
_LONGEST = 1 << 40

Texts = Shaped[np.ndarray, "intervals"]
Positions = Integer[np.ndarray, "intervals"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class IntervalTable:
    """The intervals of a file, in its order: 0-based and half-open, as BED has them.

    Parameters
    ----------
    path
        The file, for messages.
    lines
        The line that each interval stands on, counted from 1.
    chromosomes
        Names.
    starts, ends
        In base pairs from the start of the chromosome.
    names
        Column 4; empty where there is none.
    scores
        Column 5 as text; empty where there is none.
    strands
        ``"+"``, ``"-"`` or, where it is not known, ``"."``.
    summits
        Where the peak is highest, in base pairs from its start (column 10 of narrowPeak); -1 where it is not known.
    extra
        The columns from the seventh on, as text.
    """

    path: Path
    lines: Positions
    chromosomes: Texts
    starts: Positions
    ends: Positions
    names: Texts
    scores: Texts
    strands: Texts
    summits: Positions
    extra: tuple[Texts, ...] = ()

    def __len__(self) -> int:
        """Return the number of intervals."""
        return len(self.starts)

    def take(self, rows: Positions | Bool[np.ndarray, "intervals"]) -> IntervalTable:
        """Return some of the intervals."""
        columns = ("lines", "chromosomes", "starts", "ends", "names", "scores", "strands", "summits")
        taken = {name: getattr(self, name)[rows] for name in columns}
        return replace(self, **taken, extra=tuple(column[rows] for column in self.extra))

    def place(self, row: int) -> str:
        """Say where an interval was read and what it is, for messages."""
        return f"{self.path}, line {self.lines[row]}"

    def text(self, row: int) -> str:
        """Write an interval as ``chr1:100-200`` (0-based, half-open)."""
        return f"{self.chromosomes[row]}:{self.starts[row]}-{self.ends[row]}"


def read_intervals(path: Path) -> IntervalTable:
    """Read the intervals of a BED or narrowPeak file, plain or gzip.

    Lines that start with ``track``, ``browser`` or ``#``, and blank ones, are skipped. Columns stand between tabs, or
    between any white space where the file has no tabs. A file with ten columns is narrowPeak.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ReadError
        If the file is missing, damaged or holds no interval, or if a line has too few columns, more or fewer than the
        first, positions that are no whole numbers, an end before its start, or an unknown strand. The message names
        the file and the line.
    """
    path = Path(path)
    with open_text(path) as file:
        rows = list(_rows(file, path))
    if not rows:
        what = "no intervals: the file is empty"
        raise ReadError(what, where=str(path), wanted="a BED or narrowPeak file with at least one interval")
    numbers, records, summits = zip(*rows, strict=True)
    columns: list[Texts] = [np.asarray(column) for column in zip(*records, strict=True)]
    empty = np.full(len(rows), "")
    return IntervalTable(
        path=path,
        lines=np.asarray(numbers, dtype=np.int64),
        chromosomes=columns[0],
        starts=columns[1].astype(np.int64),
        ends=columns[2].astype(np.int64),
        names=columns[3] if len(columns) > 3 else empty,
        scores=columns[4] if len(columns) > 4 else empty,
        strands=columns[5] if len(columns) >= _NAMED_COLUMNS else np.full(len(rows), "."),
        summits=np.asarray(summits, dtype=np.int64),
        extra=tuple(columns[_NAMED_COLUMNS:]),
    )


def _rows(file: TextIO, path: Path) -> Iterator[tuple[int, list[str], int]]:
    separator: str | None = None
    count = 0
    for number, line in enumerate(file, start=1):
        text = line.rstrip("\n")
        if not text.strip() or text.startswith("#") or text.split(maxsplit=1)[0] in {"track", "browser"}:
            continue
        if not count:
            separator = "\t" if "\t" in text else None
        fields = text.split(separator)
        place = f"{path}, line {number}"
        if count and len(fields) != count:
            what = "the number of columns changes"
            raise ReadError(what, where=place, got=f"{len(fields)} columns", wanted=f"{count}, as in the lines before")
        yield number, fields, _checked(fields, place, first=not count)
        count = len(fields)


def _checked(fields: list[str], place: str, *, first: bool) -> int:
    """Check one line, and return the summit."""
    if len(fields) < 3 or not fields[0].strip():
        what = "this is no interval"
        wanted = "chromosome, start and end, with tabs between them"
        raise ReadError(what, where=place, got=_shown("\t".join(fields)), wanted=wanted)
    start, end = (_position(fields[column], place, name, first=first) for column, name in ((1, "start"), (2, "end")))
    if end < start:
        what = "the interval ends before it starts"
        raise ReadError(what, where=place, got=f"{start} to {end}", wanted="a start that is not larger than the end")
    if len(fields) >= _NAMED_COLUMNS and fields[5] not in {"+", "-", "."}:
        what = "the strand is unknown"
        raise ReadError(what, where=place, got=f"{_shown(fields[5])} in column 6", wanted="'+', '-' or '.'")
    return _summit(fields[9], end - start, place) if len(fields) == _NARROW_PEAK_COLUMNS else NO_SUMMIT


def _position(text: str, place: str, name: str, *, first: bool) -> int:
    if text.isascii() and text.strip().isdigit() and int(text) < _LONGEST:
        return int(text)
    what = f"the {name} of the interval is no position"
    advice = "If this line names the columns, delete it or put # before it." if first else None
    raise ReadError(what, where=place, got=_shown(text), wanted="a whole number from 0 (BED)", advice=advice)


def _summit(text: str, length: int, place: str) -> int:
    if text == str(NO_SUMMIT):
        return NO_SUMMIT
    if text.isascii() and text.isdigit() and int(text) <= length:
        return int(text)
    what = "the summit of the peak (column 10 of narrowPeak) is outside of it"
    wanted = f"a whole number from 0 to {length}, counted from the start of the peak, or -1 for none"
    raise ReadError(what, where=place, got=_shown(text), wanted=wanted)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…")
