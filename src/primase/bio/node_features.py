"""What is known of each node of a graph: numbers from a table, or from a sparse or dense matrix."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, final

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, Shaped
from scipy import sparse

from primase.bio.delimited import Layout, Sample, read_cells, sample_rows
from primase.errors import ReadError

FeatureMatrix = sparse.csr_array | Float[np.ndarray, "nodes features"]

_NAME_COLUMNS: Final = ("id", "name", "protein")
_NAME_WORDS: Final = frozenset({"", "id", "ids", "name", "names", "protein", "proteins", "node", "gene", "entry"})
_SHOWN: Final = 3
_UNREADABLE: Final = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    EOFError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


@final
@dataclass(frozen=True, slots=True, eq=False)
class NodeFeatures:
    """What is known of the nodes of a graph.

    Parameters
    ----------
    names
        The nodes, as they were asked for.
    matrix
        One row per node, float32; a row of zeros where nothing is known.
    columns
        What the columns are.
    kind
        What the file was.
    known
        Which nodes the file has a row for.
    unused
        How many rows of the file are of no node of the graph.
    constant
        How many columns have one value in all the rows of known nodes, so that they tell none from another.
    """

    names: Shaped[np.ndarray, "nodes"]
    matrix: FeatureMatrix
    columns: tuple[str, ...]
    kind: Literal["table", "sparse matrix", "dense matrix"]
    known: Bool[np.ndarray, "nodes"]
    unused: int
    constant: int


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """A file as it is, before it is matched with the nodes; names are None where rows are numbered."""

    kind: Literal["table", "sparse matrix", "dense matrix"]
    names: Sequence[str] | None
    matrix: FeatureMatrix
    columns: tuple[str, ...]


def read_node_features(path: Path, names: Sequence[str], *, at_least: int = 1) -> NodeFeatures:
    """Read what is known of each node of a graph, such as an embedding or measurements of each protein.

    Parameters
    ----------
    path
        A table (CSV, TSV or Parquet), in which the column ``id``, ``name`` or ``protein``, else the first, is the name,
        and all others are numbers; or a NumPy archive (``.npz``) of a sparse matrix as :func:`scipy.sparse.save_npz`
        writes it, or of one dense matrix. Its rows are named by an array ``names`` inside; without it, row 0 is of the
        node called 0, and so on.
    names
        The nodes.
    at_least
        So many of the nodes must be in the file.

    Raises
    ------
    ReadError
        If the file cannot be read, a cell is empty, no number or not finite, a name stands twice, or the rows are of
        other nodes.
    """
    path = Path(path)
    if path.suffix == ".npz":
        rows = _read_archive(path)
    else:
        rows = _read_parquet(path) if path.suffix == ".parquet" else _read_table(path, names)
    if not rows.columns:
        what = "there are names only, and no column of numbers"
        raise ReadError(what, where=str(path), wanted="a name and at least one number a row")
    places = _numbered(path, rows, names, at_least) if rows.names is None else _named(path, rows.names, names, at_least)
    known = places >= 0
    matrix = _select(rows.matrix, places)
    constant = _constant_columns(matrix[np.flatnonzero(known)])
    unused = int(rows.matrix.shape[0]) - int(known.sum())
    return NodeFeatures(np.asarray([*names], dtype=object), matrix, rows.columns, rows.kind, known, unused, constant)


def _named(path: Path, rows: Sequence[str], names: Sequence[str], at_least: int) -> Int[np.ndarray, "nodes"]:
    row_of = {name: row for row, name in enumerate(rows)}
    places = np.array([row_of.get(name, -1) for name in names], dtype=np.int64)
    if (places >= 0).sum() < at_least:
        what = "the features are of other proteins: none of the graph is among them"
        got, wanted = ", ".join(rows[:_SHOWN]), ", ".join(names[:_SHOWN])
        raise ReadError(what, where=str(path), got=f"{got}, …", wanted=f"the names of the graph, such as {wanted}")
    return places


def _numbered(path: Path, rows: _Rows, names: Sequence[str], at_least: int) -> Int[np.ndarray, "nodes"]:
    count = int(rows.matrix.shape[0])
    places = np.array([int(name) if name.isdecimal() and name == str(int(name)) else -1 for name in names])
    wrong = np.flatnonzero((places < 0) | (places >= count))
    if len(wrong) and at_least:
        what = "the rows have no names, and are not of the nodes of the graph"
        got = f"{count:,} rows, and {len(names):,} nodes of which one is called {names[wrong[0]]!r}"
        wanted = f"nodes called 0 to {count - 1}, or an array 'names' beside the matrix"
        raise ReadError(what, where=str(path), got=got, wanted=wanted)
    places[wrong] = -1
    return np.asarray(places, dtype=np.int64)


def _select(matrix: FeatureMatrix, places: Int[np.ndarray, "nodes"]) -> FeatureMatrix:
    """Take the rows at these places, zeros where the place is negative."""
    known = np.flatnonzero(places >= 0)
    if isinstance(matrix, np.ndarray):
        chosen = np.zeros((len(places), matrix.shape[1]), dtype=np.float32)
        chosen[known] = matrix[places[known]]
        return chosen
    ones = np.ones(len(known), dtype=np.float32)
    selection = sparse.csr_array((ones, (known, places[known])), shape=(len(places), matrix.shape[0]))
    picked = sparse.csr_array(selection @ matrix)
    picked.sort_indices()
    return picked


def _constant_columns(matrix: FeatureMatrix) -> int:
    if matrix.shape[0] == 0:
        return 0
    if isinstance(matrix, np.ndarray):
        return int(np.sum(matrix.min(axis=0) == matrix.max(axis=0)))
    return int(np.sum(matrix.min(axis=0).toarray() == matrix.max(axis=0).toarray()))


def _read_table(path: Path, names: Sequence[str]) -> _Rows:
    sample = sample_rows(path)
    layout = _lay_out(sample, names)
    at = _name_column(layout.columns)
    columns = [number for number in range(len(layout.columns)) if number != at]
    found: list[str] = []
    line_of: dict[str, int] = {}
    blocks: list[Float[np.ndarray, "rows features"]] = []
    for block in read_cells(layout, [at, *columns]):
        for name, line in zip(block.cells[0].to_list(), block.lines.tolist(), strict=True):
            _refuse_repeated(path, name, line, line_of)
            found.append(name)
        numbers = [
            _numbers(cells, f"{path}, column {layout.columns[number]}", block.lines)
            for number, cells in zip(columns, block.cells[1:], strict=True)
        ]
        blocks.append(np.column_stack(numbers) if numbers else np.empty((len(block.lines), 0), dtype=np.float32))
    if not blocks:
        what = "no rows below the column names"
        raise ReadError(what, where=str(path), wanted="one row per protein")
    return _Rows("table", found, np.concatenate(blocks), tuple(layout.columns[number] for number in columns))


def _lay_out(sample: Sample, names: Sequence[str]) -> Layout:
    """Tell whether the first line names the columns: it does unless its other cells are numbers and its first no word.

    A data frame with numbered columns has a first line of numbers too, but with a word or nothing in front.
    """
    first = [cell.lstrip("#") for cell in sample.rows[0]]
    numbers = len(first) > 1 and all(_is_number(cell) for cell in first[1:])
    has_header = first[0] not in {*names} and not (numbers and first[0].lower() not in _NAME_WORDS)
    line = sample.lines[0] if has_header else 0
    if has_header and len(sample.rows) > 1 and len(sample.rows[1]) == len(first) + 1:
        first = ["", *first]  # as R writes the names of rows
    if not has_header and len(sample.comment) == len(first):
        columns = tuple(sample.comment)
    else:
        columns = tuple(first) if has_header else ("name", *(f"feature {number}" for number in range(1, len(first))))
    repeated = next((name for place, name in enumerate(columns) if name in columns[:place]), None)
    if repeated is not None:
        what = "a column name stands twice"
        raise ReadError(what, where=str(sample.path), got=repr(repeated), wanted="a different name per column")
    return Layout(sample.path, sample.separator, columns, line)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _name_column(columns: Sequence[str]) -> int:
    lowered = [column.lower() for column in columns]
    return next((lowered.index(name) for name in _NAME_COLUMNS if name in lowered), 0)


def _refuse_repeated(path: Path, name: str, line: int, line_of: dict[str, int]) -> None:
    if not name:
        what = "a row without a name"
        raise ReadError(what, where=f"{path}, line {line}", wanted="a name and numbers")
    if line_of.setdefault(name, line) != line:
        what = "a name stands twice"
        got = f"{name!r}, which stands in line {line_of[name]} too"
        raise ReadError(what, where=f"{path}, line {line}", got=got, wanted="one row per protein")


def _numbers(cells: pl.Series, where: str, lines: Int[np.ndarray, "rows"]) -> Float[np.ndarray, "rows"]:
    numbers = cells.cast(pl.Float32, strict=False).fill_null(float("nan")).to_numpy()
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        text = cells[int(wrong[0])]
        got = "an empty cell" if text in {"", None} else repr(text)
        what = "a feature that is no finite number"
        file, _, column = where.partition(", column ")
        place = f"{file}, line {lines[wrong[0]]}, column {column}"
        raise ReadError(what, where=place, got=got, wanted="a number")
    return np.asarray(numbers, dtype=np.float32)


def _read_parquet(path: Path) -> _Rows:
    try:
        frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        what = "the Parquet file cannot be read"
        raise ReadError(what, where=str(path), got=str(error)) from error
    if frame.is_empty():
        what = "no rows: the table is empty"
        raise ReadError(what, where=str(path), wanted="one row per protein")
    at = frame.columns[_name_column(frame.columns)]
    rows = np.arange(1, len(frame) + 1)
    line_of: dict[str, int] = {}
    names = frame[at].cast(pl.String).fill_null("").str.strip_chars().to_list()
    for name, row in zip(names, rows.tolist(), strict=True):
        _refuse_repeated(path, name, row, line_of)
    columns = [name for name in frame.columns if name != at]
    numbers = [_numbers(_flat(path, frame[name]), f"{path}, column {name}", rows) for name in columns]
    matrix = np.column_stack(numbers) if numbers else np.empty((len(frame), 0), dtype=np.float32)
    return _Rows("table", names, matrix, tuple(columns))


def _flat(path: Path, column: pl.Series) -> pl.Series:
    if column.dtype.is_nested():
        what = f"the column {column.name!r} holds several values per row"
        raise ReadError(what, where=str(path), got=str(column.dtype), wanted="one number per row and column")
    return column


def _read_archive(path: Path) -> _Rows:
    if not path.is_file():
        what = "the file does not exist"
        raise ReadError(what, where=str(path))
    try:
        arrays = _arrays(path)
        matrix, kind = _matrix(path, arrays)
    except _UNREADABLE as error:
        what = "the archive cannot be read as a matrix"
        wanted = "a file that scipy.sparse.save_npz or numpy.savez has written, of numbers"
        raise ReadError(what, where=str(path), got=str(error), wanted=wanted) from error
    values = matrix if isinstance(matrix, np.ndarray) else matrix.data
    if not np.isfinite(values).all():
        row, column = _first_wrong(matrix)
        what = "a feature that is no finite number"
        raise ReadError(what, where=f"{path}, row {row}, column {column}, counted from 0", wanted="a finite number")
    columns = tuple(f"feature {number}" for number in range(1, int(matrix.shape[1]) + 1))
    return _Rows(kind, _archive_names(path, arrays, int(matrix.shape[0])), matrix, columns)


def _arrays(path: Path) -> Mapping[str, Any]:
    with path.open("rb") as file:
        # numpy makes an array of what is no archive, or leaves the file open.
        zipfile.ZipFile(file).close()
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}


def _matrix(path: Path, arrays: Mapping[str, Any]) -> tuple[FeatureMatrix, Literal["sparse matrix", "dense matrix"]]:
    if "format" in arrays:
        loaded: Any = sparse.load_npz(path)
        if loaded.format in {"csr", "csc"}:
            loaded.check_format(full_check=True)  # numbers that point outside would crash what uses them
        return sparse.csr_array(loaded, dtype=np.float32), "sparse matrix"
    dense = [array for array in arrays.values() if array.ndim == 2 and array.dtype.kind in "fiub"]
    if len(dense) != 1:
        listed = ", ".join(f"{key} {array.shape}" for key, array in arrays.items())
        message = f"arrays {listed}, where one matrix of numbers is wanted"
        raise ValueError(message)
    return np.asarray(dense[0], dtype=np.float32), "dense matrix"


def _first_wrong(matrix: FeatureMatrix) -> tuple[int, int]:
    if isinstance(matrix, np.ndarray):
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        return int(row), int(column)
    place = int(np.flatnonzero(~np.isfinite(matrix.data))[0])
    return int(np.searchsorted(matrix.indptr, place, side="right")) - 1, int(matrix.indices[place])


def _archive_names(path: Path, arrays: Mapping[str, Any], rows: int) -> list[str] | None:
    if "names" not in arrays:
        return None
    names = [str(name) for name in arrays["names"].ravel().tolist()]
    if len(names) != rows or len({*names}) != rows:
        what = "the array 'names' does not name the rows"
        got = f"{len({*names}):,} different names for {rows:,} rows"
        raise ReadError(what, where=str(path), got=got, wanted="a different name per row")
    return names
