"""Tables of expression: CSV, TSV, GCT or Parquet, with samples or genes in rows, read in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

import numpy as np
import polars as pl
import pyarrow.parquet
from jaxtyping import Float, Int, Shaped

from primase.bio.delimited import split_line
from primase.bio.expression import ExpressionFile
from primase.bio.expression_disk import MEMORY_LIMIT_BYTES, Gathering
from primase.bio.expression_layout import MISSING_WORDS, TableLayout, TableOptions, is_number, lay_out, lay_out_frame
from primase.bio.reading import open_binary
from primase.errors import ReadError

_BLOCK_BYTES: Final = 1 << 24
_MARK: Final = b"\xef\xbb\xbf"
_PARQUET_ROWS: Final = 2048
_SAMPLED_ROWS: Final = 200


@final
@dataclass(frozen=True, slots=True, eq=False)
class TableBlock:
    """Some rows of a table.

    Parameters
    ----------
    names
        Of the samples or genes in the rows; empty where they are numbered.
    words
        The cells of each column of words.
    numbers
        Of the other columns, NaN where missing.
    lines
        The line of each row, counted from 1; for Parquet the row.
    """

    names: Sequence[str]
    words: Sequence[Sequence[str]]
    numbers: Float[np.ndarray, "rows columns"]
    lines: Int[np.ndarray, "rows"]


def read_table(
    path: Path,
    options: TableOptions | None = None,
    *,
    limit_bytes: int = MEMORY_LIMIT_BYTES,
    folder: Path | None = None,
) -> ExpressionFile:
    """Read a table of expression, in either orientation.

    Samples in rows have a column of ids, columns of words, and a column of numbers per gene. Genes in rows have their
    name in the first column, perhaps a description in the second, and a column of numbers per sample. A GCT file is
    such a table.

    Parameters
    ----------
    limit_bytes
        A table that takes more than this in memory is kept in a temporary file.
    folder
        Where that file is; the system's place for such files if None.

    Raises
    ------
    ReadError
        If the file cannot be read, is empty, a cell is no number (the message names it), or a sample stands twice.
    """
    path, options = Path(path), options or TableOptions()
    layout, blocks = open_table(path, options)
    gathering = Gathering(limit_bytes, folder)
    names: list[str] = []
    words: list[list[str]] = [[] for _ in layout.words_at]
    lines: list[Int[np.ndarray, "rows"]] = []
    for block in blocks:
        gathering.add(block.numbers)
        names.extend(block.names)
        for column, cells in zip(words, block.words, strict=True):
            column.extend(cells)
        lines.append(block.lines)
    if not lines:
        what = "no rows below the column names"
        raise ReadError(what, where=str(path), wanted="one row per sample or per gene")
    _refuse_unnamed_genes(layout, names, np.concatenate(lines))
    if layout.genes_in_rows:
        return _genes_in_rows(layout, names, gathering)
    return _samples_in_rows(layout, names, words, gathering, np.concatenate(lines))


def open_table(path: Path, options: TableOptions) -> tuple[TableLayout, Iterator[TableBlock]]:
    """Tell how a table lies, and read its rows block by block."""
    if path.suffix == ".parquet":
        return _open_parquet(path, options)
    layout = lay_out(path, options)
    return layout, _text_blocks(layout)


def _samples_in_rows(
    layout: TableLayout,
    names: list[str],
    words: Sequence[Sequence[str]],
    gathering: Gathering,
    lines: Int[np.ndarray, "samples"],
) -> ExpressionFile:
    path, place = layout.path, "row" if layout.path.suffix == ".parquet" else "line"
    ids = names if layout.names_at is not None else [f"sample_{number}" for number in range(1, len(lines) + 1)]
    refuse_repeated_samples(str(path), ids, place, lines.tolist())
    says = {"orientation": f"{path.name} is read with samples in rows: {layout.reason}."}
    if layout.names_at is None:
        says["numbered samples"] = f"{path.name} has no column of sample ids: they are numbered."
    return ExpressionFile(
        where=str(path),
        ids=np.array(ids, dtype=object),
        genes=tuple(layout.columns[at] for at in layout.numbers_at),
        matrix=gathering.matrix(),
        texts={layout.columns[at]: _words(column) for at, column in zip(layout.words_at, words, strict=True)},
        says=says,
        sample_place=place,
        sample_places=lines,
    )


def _genes_in_rows(layout: TableLayout, names: list[str], gathering: Gathering) -> ExpressionFile:
    path = layout.path
    ids = [layout.columns[at] for at in layout.numbers_at]
    places = [at + 1 for at in layout.numbers_at]
    refuse_repeated_samples(str(path), ids, "column", places)
    says = {"orientation": f"{path.name} is read with genes in rows: {layout.reason}."}
    ignored = [layout.columns[at] for at in layout.words_at]
    if ignored:
        says["ignored columns"] = (
            f"The columns of words in {path.name} describe genes, and are not used: {', '.join(ignored)}."
        )
    return ExpressionFile(
        where=str(path),
        ids=np.array(ids, dtype=object),
        genes=tuple(names),
        matrix=gathering.transposed(),
        texts={},
        says=says,
        sample_place="column",
        sample_places=np.array(places, dtype=np.int64),
    )


def _refuse_unnamed_genes(layout: TableLayout, names: Sequence[str], lines: Int[np.ndarray, "rows"]) -> None:
    if layout.genes_in_rows:
        unnamed = [f"line {line}" for name, line in zip(names, lines.tolist(), strict=True) if not name]
    else:
        unnamed = [f"column {at + 1}" for at in layout.numbers_at if not layout.columns[at]]
    if unnamed:
        what = "a gene without a name"
        raise ReadError(what, where=f"{layout.path}, {unnamed[0]}", wanted="a name per gene")


def _words(cells: Sequence[str]) -> Shaped[np.ndarray, "samples"]:
    return np.array([("" if cell in MISSING_WORDS else cell) for cell in cells], dtype=object)


def refuse_repeated_samples(where: str, ids: Sequence[str], place: str, places: Sequence[int]) -> None:
    """Refuse a sample without a name, and two of one name.

    Raises
    ------
    ReadError
        The message names both places.
    """
    first: dict[str, int] = {}
    for name, number in zip(ids, places, strict=True):
        if not name:
            what = "a sample without a name"
            raise ReadError(what, where=f"{where}, {place} {number}", wanted="a different name per sample")
        if name in first:
            what = "a sample name stands twice"
            got = f"{name!r}, which is that of {place} {first[name]} too"
            advice = "Rename one of them, or average the copies."
            raise ReadError(
                what, where=f"{where}, {place} {number}", got=got, wanted="a different name per sample", advice=advice
            )
        first[name] = number


def _text_blocks(layout: TableLayout) -> Iterator[TableBlock]:
    """Read whole lines of some megabytes at a time; what polars cannot read as numbers is looked at cell by cell."""
    line = 1
    with open_binary(layout.path) as binary:
        while block := binary.read(_BLOCK_BYTES):
            data = (block + binary.readline()).removeprefix(_MARK if line == 1 else b"")
            if b"\r" in data:
                data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            data = data.removesuffix(b"\n")
            count = data.count(b"\n") + 1
            above = min(max(layout.header_line - line + 1, 0), count)
            if above < count:
                rest = data.split(b"\n", above)[above]
                found = _fast(rest, line + above, layout) or _careful(rest, line + above, layout)
                if len(found.lines):
                    yield found
            line += count


def _fast(data: bytes, first_line: int, layout: TableLayout) -> TableBlock | None:
    """Read plain lines; None where one is blank, quoted, commented, too short or too long, or holds a wrong cell."""
    if layout.separator == " " or b'"' in data or data.startswith((b"#", b"\n")) or b"\n#" in data or b"\n\n" in data:
        return None
    width = len(layout.columns)
    if data.count(layout.separator.encode()) != (width - 1) * (data.count(b"\n") + 1):
        return None
    numbers = {*layout.numbers_at}
    schema = {str(at): pl.Float32 if at in numbers else pl.String for at in range(width)}
    try:
        frame = pl.read_csv(
            data,
            has_header=False,
            separator=layout.separator,
            quote_char=None,
            schema=schema,
            null_values=list(MISSING_WORDS),
            encoding="utf8-lossy",
        )
    except pl.exceptions.PolarsError:
        return None
    table = frame.select([str(at) for at in layout.numbers_at]).fill_null(float("nan")).to_numpy()
    words = [_cells(frame[str(at)]) for at in layout.words_at]
    names = _cells(frame[str(layout.names_at)]) if layout.names_at is not None else []
    lines = np.arange(first_line, first_line + len(frame))
    return TableBlock(names, words, np.ascontiguousarray(table, dtype=np.float32), lines)


def _cells(column: pl.Series) -> list[str]:
    cells: list[str] = column.fill_null("").str.strip_chars().to_list()
    return cells


def _careful(data: bytes, first_line: int, layout: TableLayout) -> TableBlock:
    """Read a block line by line, and name the cell that is no number."""
    names: list[str] = []
    words: list[list[str]] = [[] for _ in layout.words_at]
    rows: list[list[float]] = []
    lines: list[int] = []
    for line, text in enumerate(data.decode("utf-8", "replace").split("\n"), start=first_line):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        cells = split_line(text, layout.separator)
        if not any(cells):
            continue
        if len(cells) != len(layout.columns):
            what = "a row with too few cells" if len(cells) < len(layout.columns) else "a row with too many cells"
            wanted = f"{len(layout.columns):,}, as in line {layout.header_line}"
            raise ReadError(what, where=f"{layout.path}, line {line}", got=f"{len(cells):,}", wanted=wanted)
        rows.append([_number(cells[at], layout, at, f"line {line}") for at in layout.numbers_at])
        lines.append(line)
        for column, at in zip(words, layout.words_at, strict=True):
            column.append(cells[at])
        if layout.names_at is not None:
            names.append(cells[layout.names_at])
    table = np.array(rows, dtype=np.float32).reshape(len(rows), len(layout.numbers_at))
    return TableBlock(names, words, table, np.array(lines, dtype=np.int64))


def _number(cell: str, layout: TableLayout, at: int, place: str) -> float:
    if not is_number(cell):
        what = "a word among numbers"
        advice = f"If column {layout.columns[at]!r} is no {'sample' if layout.genes_in_rows else 'gene'}, "
        advice += "name it with --label-column, or leave it out."
        where = f"{layout.path}, {place}, column {layout.columns[at]!r}"
        raise ReadError(what, where=where, got=repr(cell), wanted="a number, or NA", advice=advice)
    return float("nan") if cell in MISSING_WORDS else float(cell)


def _open_parquet(path: Path, options: TableOptions) -> tuple[TableLayout, Iterator[TableBlock]]:
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except FileNotFoundError as error:
        what = "the file does not exist"
        raise ReadError(what, where=str(path)) from error
    except (OSError, pyarrow.ArrowException) as error:
        what = "the Parquet file cannot be read"
        raise ReadError(what, where=str(path), got=str(error)) from error
    total = file.metadata.num_rows
    columns = [name for name in file.schema_arrow.names if name != "__index_level_0__"]
    if "__index_level_0__" in file.schema_arrow.names:
        columns = ["__index_level_0__", *columns]  # the names of rows, as pandas writes them
    if total == 0:
        what = "no rows: the table is empty"
        raise ReadError(what, where=str(path), wanted="one row per sample or per gene")
    first = _as_text(next(_frames(file, columns, _SAMPLED_ROWS)).head(_SAMPLED_ROWS))
    shown = ["" if name == "__index_level_0__" else name for name in columns]
    layout = lay_out_frame(path, shown, first.rows(), options, total=total)
    return layout, _parquet_blocks(file, columns, layout)


def _frames(file: pyarrow.parquet.ParquetFile, columns: Sequence[str], rows: int) -> Iterator[pl.DataFrame]:
    for batch in file.iter_batches(batch_size=rows, columns=list(columns)):
        yield pl.DataFrame(pl.from_arrow(batch)).select(columns)


def _as_text(frame: pl.DataFrame) -> pl.DataFrame:
    plain = [column for column in frame.columns if not frame[column].dtype.is_nested()]
    texts = frame.with_columns(pl.col(name).cast(pl.String).fill_null("").str.strip_chars() for name in plain)
    nested = [pl.lit("a list").alias(name) for name in frame.columns if name not in plain]
    return texts.with_columns(nested)


@final
@dataclass(slots=True)
class _Rows:
    """Counts the rows of a Parquet file."""

    done: int = field(default=0)


def _parquet_blocks(
    file: pyarrow.parquet.ParquetFile, columns: Sequence[str], layout: TableLayout
) -> Iterator[TableBlock]:
    rows = _Rows()
    step = max(1, min(_PARQUET_ROWS, _BLOCK_BYTES // (4 * len(columns))))
    for frame in _frames(file, columns, step):
        texts = _as_text(frame.select([columns[at] for at in _special(layout)]))
        numbers = [_parquet_numbers(frame[columns[at]], layout, at, rows.done) for at in layout.numbers_at]
        names = texts[columns[layout.names_at]].to_list() if layout.names_at is not None else []
        words = [texts[columns[at]].to_list() for at in layout.words_at]
        lines = np.arange(rows.done + 1, rows.done + len(frame) + 1)
        rows.done += len(frame)
        yield TableBlock(names, words, np.column_stack(numbers), lines)


def _special(layout: TableLayout) -> list[int]:
    return [*layout.words_at, *([layout.names_at] if layout.names_at is not None else [])]


def _parquet_numbers(column: pl.Series, layout: TableLayout, at: int, above: int) -> Float[np.ndarray, "rows"]:
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column.cast(pl.Float32).fill_null(float("nan")).to_numpy()
    cells = column.cast(pl.String).fill_null("").to_list()
    numbers = [_number(cell.strip(), layout, at, f"row {above + row}") for row, cell in enumerate(cells, start=1)]
    return np.array(numbers, dtype=np.float32)
