"""Tables that people have: CSV, TSV or Parquet, plain or gzip, every cell read as text and every row with its place."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from primase.bio.reading import open_text
from primase.errors import ReadError

_SEPARATORS: Final = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}
_SHOWN_COLUMNS: Final = 20
_LONGEST_CELL: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class TextTable:
    """The columns of a table as text, without white space around the cells.

    Parameters
    ----------
    path
        The file.
    columns
        The cells of each column, an empty text where a cell is empty.
    lines
        The line of the file in which each row stands, counted from 1; for Parquet the row.
    """

    path: Path
    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lines)

    def where(self, row: int) -> str:
        """Say where a row stands, for messages."""
        return f"{self.path}, {'row' if self.path.suffix == '.parquet' else 'line'} {self.lines[row]}"

    def column(self, name: str, *, option: str) -> Sequence[str]:
        """Return a column that must be there.

        Parameters
        ----------
        option
            What the user names the column by, for the message.

        Raises
        ------
        ReadError
            If there is no such column.
        """
        if name in self.columns:
            return self.columns[name]
        shown = ", ".join(list(self.columns)[:_SHOWN_COLUMNS]) + (", …" if len(self.columns) > _SHOWN_COLUMNS else "")
        what = f"there is no column {name!r}"
        raise ReadError(what, where=str(self.path), got=f"the columns {shown}", advice=f"Name it with {option}.")


def read_text_table(path: Path) -> TextTable:
    """Read a table whose first line names its columns.

    ``.csv`` is separated by commas, ``.tsv``, ``.tab`` and ``.txt`` by tabs, any other by what its first line has more
    of; ``.parquet`` is Parquet. A ``.gz`` behind is looked through. Blank lines are skipped.

    Raises
    ------
    ReadError
        If the file cannot be read, has no rows or one column name twice, or a row has too few or too many cells.
    """
    path = Path(path)
    if path.suffix == ".parquet":
        return _read_parquet(path)
    with open_text(path) as text:
        first = text.readline()
        rows = _rows(path, first, text)
        _, header = next(rows, (0, []))
        if not header:
            what = "no rows: the file is empty"
            raise ReadError(what, where=str(path), wanted="a line of column names, then rows")
        _refuse_repeated(path, header)
        cells: list[list[str]] = []
        lines: list[int] = []
        for line, row in rows:
            if len(row) != len(header):
                what = "a row with too few cells" if len(row) < len(header) else "a row with too many cells"
                wanted = f"{len(header)}, as in the first line"
                raise ReadError(what, where=f"{path}, line {line}", got=str(len(row)), wanted=wanted)
            cells.append(row)
            lines.append(line)
    if not cells:
        what = "no rows below the column names"
        raise ReadError(what, where=str(path), wanted="one row per example")
    return TextTable(path, {name: [row[number] for row in cells] for number, name in enumerate(header)}, lines)


def _rows(path: Path, first: str, rest: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    # The csv module and not polars, because it tells the line of each row, and a row with too few cells from a row
    # with empty ones.
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(_chained(first, rest), delimiter=_separator(path, first), strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        what = "the table cannot be read"
        raise ReadError(what, where=f"{path}, line {reader.line_num}", got=str(error)) from error


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _separator(path: Path, first: str) -> str:
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    guessed = "," if first.count(",") > first.count("\t") else "\t"
    return _SEPARATORS.get(suffix.lower(), guessed)


def _refuse_repeated(path: Path, header: Sequence[str]) -> None:
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        got = ", ".join(repr(name) for name in repeated[:_SHOWN_COLUMNS])
        what = "a column name stands twice"
        raise ReadError(what, where=str(path), got=got, wanted="a different name per column")


def _read_parquet(path: Path) -> TextTable:
    try:
        frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        what = "the Parquet file cannot be read"
        raise ReadError(what, where=str(path), got=reason) from error
    if frame.is_empty():
        what = "no rows: the table is empty"
        raise ReadError(what, where=str(path), wanted="one row per example")
    columns: dict[str, Sequence[str]] = {}
    for name in frame.columns:
        try:
            text = frame[name].cast(pl.String).fill_null("").str.strip_chars()
        except pl.exceptions.PolarsError:
            continue  # a column of lists or structures is not one that a user can name
        columns[name] = text.to_list()
    return TextTable(path, columns, range(1, len(frame) + 1))
