"""AnnData files (.h5ad): the matrix stays on disk, and what is known of samples and genes is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import h5py
import numpy as np
from jaxtyping import Int, Shaped
from scipy import sparse

from primase.bio.expression import DenseMatrix, ExpressionFile, Matrix, SparseMatrix, block_rows
from primase.bio.expression_disk import (
    MEMORY_LIMIT_BYTES,
    FileMatrix,
    Gathering,
    NumberFile,
    SparseFileMatrix,
    transpose,
)
from primase.bio.expression_layout import MISSING_WORDS, looks_like_genes
from primase.bio.expression_tables import refuse_repeated_samples
from primase.errors import ReadError

INDEX: Final = "index"
"""Names the index where a column is asked for."""
_SHOWN: Final = 20
_ENTRIES_AT_ONCE: Final = 1 << 22
_CLEAR: Final = 0.5


@final
@dataclass(frozen=True, slots=True)
class AnnDataOptions:
    """What a user says of an AnnData file.

    Parameters
    ----------
    layer
        The layer to read instead of ``X``.
    gene_names
        A column of var; its index by default.
    id_column
        A column of obs; its index by default.
    words
        Columns of obs that must be there, such as the label; those of words are read whatever their names.
    """

    layer: str | None = None
    gene_names: str | None = None
    id_column: str | None = None
    words: tuple[str, ...] = ()


def read_h5ad(
    path: Path,
    options: AnnDataOptions | None = None,
    *,
    limit_bytes: int = MEMORY_LIMIT_BYTES,
    folder: Path | None = None,
) -> ExpressionFile:
    """Read an AnnData file: samples in obs, genes in var, values in X or a layer, dense or sparse.

    A matrix of which the dense form, or what is not zero in it, fits in ``limit_bytes`` is read into memory. A larger
    one stays where it is if it is dense and not compressed, and is otherwise unpacked once into a temporary file.

    Parameters
    ----------
    folder
        Where temporary files are; the system's place for them if None.

    Raises
    ------
    ReadError
        If the file is no AnnData file, lacks the layer or a column that is asked for (the message lists what it has),
        or a sample stands twice.
    """
    path, options = Path(path), options or AnnDataOptions()
    with _opened(path) as file:
        obs, var = (_frame(path, file, name) for name in ("obs", "var"))
        ids = _column(path, "obs", obs, options.id_column, option="--id-column")
        genes = _column(path, "var", var, options.gene_names, option="--gene-names")
        element, name = _element(path, file, options.layer)
        shape = _shape(path, name, element, (len(ids), len(genes)))
        texts = {
            column: _column(path, "obs", obs, column, option="--label-column or --group-column")
            for column in dict.fromkeys([*_word_columns(obs), *options.words])
            if column != options.id_column
        }
        matrix = _matrix(path, element, shape, _Room(limit_bytes, folder))
    if 0 in shape:
        what = "there is nothing in the file"
        raise ReadError(what, where=str(path), got=f"{shape[0]:,} samples and {shape[1]:,} genes")
    numbers = np.arange(1, len(ids) + 1)
    refuse_repeated_samples(str(path), ids.tolist(), "row", numbers.tolist())
    return ExpressionFile(
        where=str(path) if options.layer is None else f"{path}, layer {options.layer!r}",
        ids=ids,
        genes=tuple(genes.tolist()),
        matrix=matrix,
        texts=texts,
        says=_remarks(path, ids.tolist(), genes.tolist()),
        sample_place="row",
        sample_places=numbers,
    )


def _remarks(path: Path, ids: Sequence[str], genes: Sequence[str]) -> Mapping[str, str]:
    """Say so where samples and genes seem to have changed places."""
    like = looks_like_genes(ids[:1000]), looks_like_genes(genes[:1000])
    if like[0] - like[1] < _CLEAR:
        return {}
    text = (
        f"In {path.name} the names in obs look like genes ({', '.join(ids[:3])}) and those in var do not "
        f"({', '.join(genes[:3])}). Samples belong in obs: write the file again from its transpose (adata.T) if they "
        "have changed places."
    )
    return {"samples and genes swapped": text}


def _opened(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except FileNotFoundError as error:
        what = "the file does not exist"
        raise ReadError(what, where=str(path)) from error
    except IsADirectoryError as error:
        what = "this is a folder"
        raise ReadError(what, where=str(path), wanted="an .h5ad file") from error
    except OSError as error:
        what = "the file is no .h5ad file, or damaged" if path.stat().st_size else "the file is empty"
        raise ReadError(what, where=str(path), wanted="an AnnData file, which is HDF5") from error


def _frame(path: Path, file: h5py.File, name: str) -> Any:
    if name not in file:
        what = f"there is no {name} in the file"
        got = ", ".join(sorted(file)) or "nothing"
        raise ReadError(what, where=str(path), got=got, wanted="an AnnData file, with obs, var and X")
    # anndata brings pandas and takes more than a second to import.
    from anndata.io import read_elem  # noqa: PLC0415

    try:
        return read_elem(file[name])
    except Exception as error:  # anndata raises whatever went wrong below it
        what = f"{name} of the file cannot be read"
        raise ReadError(what, where=str(path), got=str(error).splitlines()[0]) from error


def _column(path: Path, frame_name: str, frame: Any, column: str | None, *, option: str) -> Shaped[np.ndarray, "rows"]:
    """Read a column as words, or the index if none is named or "index" is; an unknown value is an empty text."""
    if column is None or (column == INDEX and column not in frame.columns):
        return np.array([str(name) for name in frame.index], dtype=object)
    if column not in frame.columns:
        what = f"{frame_name} has no column {column!r}"
        names = [str(name) for name in frame.columns]
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        raise ReadError(
            what,
            where=str(path),
            got=f"the columns {shown or '(none)'}",
            advice=f"Name one with {option}, or say index.",
        )
    values = frame[column]
    words = values.astype(object).where(values.notna(), "").tolist()
    return np.array([_word(value) for value in words], dtype=object)


def _word(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a column of whole numbers in which some are missing
    text = str(value).strip()
    return "" if text in MISSING_WORDS else text


def _word_columns(obs: Any) -> list[str]:
    return [
        str(name) for name in obs.columns if obs[name].dtype.kind not in "iufc" or obs[name].dtype.name == "category"
    ]


def _element(path: Path, file: h5py.File, layer: str | None) -> tuple[Any, str]:
    layers = [*file["layers"]] if "layers" in file else []
    named_x = layer == "X" and layer not in layers
    if (layer is None or named_x) and "X" in file and not _is_null(file["X"]):
        return file["X"], "X"
    if layer is not None and layer in layers:
        return file["layers"][layer], f"layer {layer!r}"
    what = "there is no X in the file" if layer is None else f"there is no layer {layer!r}"
    got = f"the layers {', '.join(layers)}" if layers else "no layers"
    raise ReadError(what, where=str(path), got=got, advice="Name a layer with --layer; X is read with --layer X.")


def _is_null(element: Any) -> bool:
    return bool(element.attrs.get("encoding-type", "") == "null") or (
        isinstance(element, h5py.Dataset) and element.shape is None
    )


def _shape(path: Path, name: str, element: Any, wanted: tuple[int, int]) -> tuple[int, int]:
    found = (
        element.shape
        if isinstance(element, h5py.Dataset)
        else element.attrs.get("shape", element.attrs.get("h5sparse_shape"))
    )
    shape = tuple(int(size) for size in found) if found is not None else ()
    if shape != wanted:
        what = f"{name} does not have the shape of obs and var"
        raise ReadError(what, where=str(path), got=str(shape), wanted=str(wanted))
    data = element if isinstance(element, h5py.Dataset) else element["data"]
    if data.dtype.kind not in "iufb":
        what = f"{name} holds no numbers"
        raise ReadError(what, where=str(path), got=str(data.dtype), wanted="whole or decimal numbers")
    return wanted


@final
@dataclass(frozen=True, slots=True)
class _Room:
    """How much may be held in memory, and where the rest goes."""

    limit_bytes: int
    folder: Path | None


def _matrix(path: Path, element: Any, shape: tuple[int, int], room: _Room) -> Matrix:
    if isinstance(element, h5py.Dataset):
        return _dense(path, element, shape, room)
    encoding = str(element.attrs.get("encoding-type", element.attrs.get("h5sparse_format", "")))
    by_columns = encoding.startswith("csc")
    count = int(element["data"].shape[0])
    if 8 * count <= room.limit_bytes:
        parts = (element["data"][:].astype(np.float32), element["indices"][:], element["indptr"][:])
        kind = sparse.csc_array if by_columns else sparse.csr_array
        return SparseMatrix(sparse.csr_array(kind(parts, shape=shape)))
    if by_columns:
        return _unpacked_columns(element, shape, room)
    return _copied_rows(element, shape, room)


def _dense(path: Path, data: h5py.Dataset, shape: tuple[int, int], room: _Room) -> Matrix:
    samples, genes = shape
    is_large = 4 * samples * genes > room.limit_bytes
    if is_large and _lies_plain(data):
        return FileMatrix(NumberFile(path.open("rb"), data.dtype, data.id.get_offset()), shape)
    gathering = Gathering(0 if is_large else room.limit_bytes, room.folder)
    # Whole chunks at a time, so that none is unpacked twice.
    chunk = data.chunks[0] if data.chunks else 1
    step = max(chunk, block_rows(genes) // chunk * chunk)
    for start in range(0, samples, step):
        gathering.add(data[start : start + step].astype(np.float32))
    return gathering.matrix() if samples else DenseMatrix(np.empty(shape, dtype=np.float32))


def _lies_plain(data: h5py.Dataset) -> bool:
    """Tell whether the numbers stand in the file one behind the other."""
    return data.chunks is None and data.id.get_offset() is not None and not data.external and data.dtype.kind in "iuf"


def _copied_rows(element: Any, shape: tuple[int, int], room: _Room) -> SparseFileMatrix:
    """Unpack the two columns of numbers of a large matrix, which are mostly compressed and cut into pieces."""
    numbers = NumberFile.temporary(np.dtype(np.float32), room.folder)
    genes = NumberFile.temporary(np.dtype(np.int32), room.folder)
    for start in range(0, int(element["data"].shape[0]), _ENTRIES_AT_ONCE):
        part = slice(start, start + _ENTRIES_AT_ONCE)
        numbers.append(element["data"][part])
        genes.append(element["indices"][part])
    return SparseFileMatrix(numbers, genes, element["indptr"][:].astype(np.int64), shape)


def _unpacked_columns(element: Any, shape: tuple[int, int], room: _Room) -> FileMatrix:
    """Write a large matrix that is stored gene by gene as a dense one, sample by sample."""
    samples, genes = shape
    starts: Int[np.ndarray, "genes_and_end"] = element["indptr"][:].astype(np.int64)
    by_gene = NumberFile.temporary(np.dtype(np.float32), room.folder)
    step = block_rows(samples)
    for first in range(0, genes, step):
        last = min(first + step, genes)
        part = slice(int(starts[first]), int(starts[last]))
        block = np.zeros((last - first, samples), dtype=np.float32)
        rows = np.repeat(np.arange(last - first), np.diff(starts[first : last + 1]))
        block[rows, element["indices"][part]] = element["data"][part]
        by_gene.append(block)
    return transpose(FileMatrix(by_gene, (genes, samples)), room.folder)
