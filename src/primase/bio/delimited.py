"""Delimited text of any kind: its content tells the separator, and cells come in blocks, so that memory is bounded."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from jaxtyping import Int

from primase.bio.reading import open_binary, open_text
from primase.errors import ReadError

_SAMPLED_ROWS: Final = 200
_BLOCK_BYTES: Final = 1 << 24
_COMMENT: Final = "#"
_MARK: Final = b"\xef\xbb\xbf"
_SHOWN_CHARACTERS: Final = 60
_LONGEST_CELL: Final = 10_000_000
_SEPARATORS: Final = {"\t": "tabs", ",": "commas", ";": "semicolons", " ": "spaces"}


@dataclass(frozen=True, slots=True)
class Sample:
    """The first rows of a file, from which its layout is told.

    Parameters
    ----------
    path
        The file.
    separator
        A tab, a comma, a semicolon, or a space, which stands for any number of spaces and tabs.
    rows
        The cells of the first rows; comments and blank lines are left out.
    lines
        The line in which each row stands, counted from 1.
    comment
        The cells of the comment right above the first row, without its ``#``; empty if there is none.
    """

    path: Path
    separator: str
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    comment: Sequence[str]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is laid out.

    Parameters
    ----------
    separator
        As in :class:`Sample`.
    columns
        The name of each column; numbers from 1 where the file names none.
    header_line
        The line of the column names, counted from 1; rows begin behind it. 0 if there is none.
    """

    path: Path
    separator: str
    columns: tuple[str, ...]
    header_line: int

    def describe(self) -> str:
        """Say what a row looks like, for messages."""
        return f"{len(self.columns)} cells separated by {_SEPARATORS[self.separator]}, as in the rows above"


@dataclass(frozen=True, slots=True)
class CellBlock:
    """Some rows of a file, as text without white space or quotes around the cells.

    Parameters
    ----------
    cells
        A column of text for each column that was asked for, in that order; an empty cell is an empty text.
    lines
        The line in which each row stands, counted from 1.
    """

    cells: Sequence[pl.Series]
    lines: Int[np.ndarray, "rows"]


def sample_rows(path: Path) -> Sample:
    """Read the first rows of a file and tell what separates the cells.

    Raises
    ------
    ReadError
        If the file cannot be read as text, or has no rows.
    """
    rows: list[tuple[int, str]] = []
    comment = ""
    with open_text(path) as text:
        for number, line in enumerate(text, start=1):
            stripped = line.strip()
            if stripped.startswith(_COMMENT):
                comment = comment if rows else line.strip("\n").lstrip().removeprefix(_COMMENT)
            elif stripped.strip(",;"):
                rows.append((number, line.rstrip("\n")))
            if len(rows) == _SAMPLED_ROWS:
                break
    if not rows:
        what = "no rows: the file is empty" if not comment else "no rows: the file has comments only"
        raise ReadError(what, where=str(path), wanted="one row per line")
    separator = _separator([line for _, line in rows])
    cells = [split_line(line, separator) for _, line in rows]
    return Sample(path, separator, cells, [number for number, _ in rows], split_line(comment, separator))


def _separator(lines: Sequence[str]) -> str:
    """Choose what at least half of the lines have, so that one broken line does not decide."""
    for separator in ("\t", ",", ";"):
        if 2 * sum(separator in line.strip(" ") for line in lines) >= len(lines):
            return separator
    return " "


def split_line(line: str, separator: str) -> list[str]:
    """Split a line into cells without white space or quotes around them.

    Examples
    --------
    >>> split_line('"a" ,"b, c"', ",")
    ['a', 'b, c']
    >>> split_line("  a   b ", " ")
    ['a', 'b']
    """
    if separator == " ":
        return [_bare(cell) for cell in line.replace("\t", " ").split(" ") if cell]
    if separator != "\t" and '"' in line:
        csv.field_size_limit(_LONGEST_CELL)
        (cells,) = csv.reader([line], delimiter=separator, skipinitialspace=True)
        return [cell.strip() for cell in cells]
    return [_bare(cell) for cell in line.split(separator)]


def _bare(cell: str) -> str:
    return cell.strip().strip('"').strip()


def read_cells(layout: Layout, wanted: Sequence[int]) -> Iterator[CellBlock]:
    """Read some columns of a file, a block of rows at a time.

    Parameters
    ----------
    wanted
        The numbers of the columns, from 0.

    Raises
    ------
    ReadError
        If a row has too few or too many cells; the message names its line.
    """
    line = 1
    with open_binary(layout.path) as binary:
        while block := binary.read(_BLOCK_BYTES):
            data = _unix(block + binary.readline()).removeprefix(_MARK if line == 1 else b"")
            data = data.removesuffix(b"\n")
            count = data.count(b"\n") + 1
            above = min(max(layout.header_line - line + 1, 0), count)
            if above < count:
                found = _cells(data.split(b"\n", above)[above], line + above, layout, wanted)
                if len(found.lines):
                    yield found
            line += count


def _unix(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def _cells(data: bytes, first_line: int, layout: Layout, wanted: Sequence[int]) -> CellBlock:
    fast = _plain_cells(data, layout, wanted)
    if fast is not None:
        return CellBlock(fast, np.arange(first_line, first_line + len(fast[0])))
    return _careful_cells(data, first_line, layout, wanted)


def _plain_cells(data: bytes, layout: Layout, wanted: Sequence[int]) -> list[pl.Series] | None:
    """Read a block in which every line is a row of as many cells, none of them quoted; None if it is not like that."""
    separator = layout.separator.encode()
    if separator == b" ":
        data = _single_spaces(data)
    quoted = separator in b",;" and b'"' in data
    if quoted or data.startswith((b"#", b"\n")) or b"\n#" in data or b"\n\n" in data:
        return None
    last = len(layout.columns) - 1
    read = sorted({*wanted, last})
    names = {f"column_{number + 1}": pl.String for number in range(last + 1)}
    try:
        frame = pl.read_csv(
            data,
            has_header=False,
            separator=layout.separator,
            quote_char=None,
            schema=names,
            columns=read,
            encoding="utf8-lossy",
        )
    except pl.exceptions.PolarsError:
        return None
    # No row is short of its last cell, and there are as many separators as that takes: so no row has too many.
    if frame[f"column_{last + 1}"].null_count() or data.count(separator) != last * len(frame):
        return None
    columns = [frame[f"column_{number + 1}"].fill_null("") for number in wanted]
    return [column.str.strip_chars().str.strip_chars('"').str.strip_chars() for column in columns]


def _single_spaces(data: bytes) -> bytes:
    data = data.replace(b"\t", b" ")
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data.replace(b"\n ", b"\n").replace(b" \n", b"\n").strip(b" ")


def _careful_cells(data: bytes, first_line: int, layout: Layout, wanted: Sequence[int]) -> CellBlock:
    """Read a block line by line, which tells a blank line from a row that is too short."""
    rows: list[Sequence[str]] = []
    lines: list[int] = []
    for number, line in zip(itertools.count(first_line), data.decode("utf-8", "replace").split("\n"), strict=False):
        stripped = line.strip()
        if not stripped or stripped.startswith(_COMMENT):
            continue
        cells = split_line(line, layout.separator)
        if not any(cells):
            continue
        if len(cells) != len(layout.columns):
            what = "a row with too few cells" if len(cells) < len(layout.columns) else "a row with too many cells"
            got = f"{len(cells)}: {shorten(line.strip())}"
            raise ReadError(what, where=f"{layout.path}, line {number}", got=got, wanted=layout.describe())
        rows.append([cells[column] for column in wanted])
        lines.append(number)
    columns = [pl.Series([row[place] for row in rows], dtype=pl.String) for place in range(len(wanted))]
    return CellBlock(columns, np.array(lines, dtype=np.int64))


def shorten(text: str) -> str:
    """Cut a text short for a message."""
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]} …"
