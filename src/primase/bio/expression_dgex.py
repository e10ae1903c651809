"""The files of D-GEX (Chen et al. 2016): GCTX matrices, and the NumPy matrices that its programs make of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import h5py
import numpy as np
from jaxtyping import Shaped

from primase.bio.expression import ExpressionFile, Matrix, Places, Values, block_rows
from primase.bio.expression_disk import MEMORY_LIMIT_BYTES, Gathering
from primase.bio.expression_tables import refuse_repeated_samples
from primase.errors import ReadError

_MATRIX: Final = "0/DATA/0/matrix"
_GENES: Final = "0/META/ROW"
_SAMPLES: Final = "0/META/COL"
_UNKNOWN: Final = frozenset({"-666", "", "nan", "NaN"})
_NAMES_OF_SYMBOLS: Final = ("pr_gene_symbol", "gene_symbol", "Symbol")


def read_gctx(
    path: Path, *, gene_names: str | None = None, limit_bytes: int = MEMORY_LIMIT_BYTES, folder: Path | None = None
) -> ExpressionFile:
    """Read a GCTX file, as the Broad Institute and D-GEX publish expression: HDF5, a sample per row of its matrix.

    Parameters
    ----------
    gene_names
        The description of rows by which genes are called, such as ``pr_gene_symbol``; by default the first that is
        there of ``pr_gene_symbol``, ``gene_symbol`` and ``Symbol``, else their ids. A gene without such a name has its
        id.
    limit_bytes
        A matrix that takes more than this in memory stays on disk.
    folder
        Where a temporary file goes that it may need.

    Raises
    ------
    ReadError
        If it is no such file, or a sample stands twice.
    """
    path = Path(path)
    with _opened(path) as file:
        ids, genes = _words(file[f"{_SAMPLES}/id"]), _gene_names(path, file, gene_names)
        matrix = _matrix(path, file[_MATRIX], (len(ids), len(genes)), limit_bytes, folder)
        texts = _descriptions(file, len(ids))
    refuse_repeated_samples(str(path), ids.tolist(), "sample", range(1, len(ids) + 1))
    return ExpressionFile(
        where=str(path),
        ids=ids,
        genes=tuple(genes.tolist()),
        matrix=matrix,
        texts=texts,
        says={},
        sample_place="sample",
        sample_places=np.arange(1, len(ids) + 1),
    )


def _opened(path: Path) -> h5py.File:
    try:
        file = h5py.File(path, "r")
    except (OSError, IsADirectoryError) as error:
        what = "the GCTX file cannot be read"
        raise ReadError(what, where=str(path), got=str(error).splitlines()[0], wanted="a file in HDF5") from error
    for name in (_MATRIX, f"{_GENES}/id", f"{_SAMPLES}/id"):
        if name not in file:
            got = ", ".join(sorted(file))
            file.close()
            what = f"there is no /{name} in the file"
            raise ReadError(what, where=str(path), got=got, wanted="a GCTX file of version 1.0")
    return file


def _matrix(path: Path, data: h5py.Dataset, shape: tuple[int, int], limit_bytes: int, folder: Path | None) -> Matrix:
    if data.shape != shape:
        what = "the matrix does not have the shape of its names"
        raise ReadError(what, where=str(path), got=str(data.shape), wanted=f"{shape}, samples by genes")
    gathering = Gathering(limit_bytes if 4 * data.size <= limit_bytes else 0, folder)
    chunk = data.chunks[0] if data.chunks else 1
    step = max(chunk, block_rows(shape[1]) // chunk * chunk)
    for start in range(0, shape[0], step):
        gathering.add(data[start : start + step].astype(np.float32))
    return gathering.matrix()


def _gene_names(path: Path, file: h5py.File, asked: str | None) -> Shaped[np.ndarray, "genes"]:
    rows = file[_GENES]
    if asked is not None and asked not in rows:
        what = f"rows have no description {asked!r}"
        raise ReadError(what, where=str(path), got=", ".join(sorted(rows)), advice="Name one with --gene-names.")
    chosen = asked or next((name for name in _NAMES_OF_SYMBOLS if name in rows), "id")
    names, own = _words(rows[chosen]), _words(rows["id"])
    return np.array([name or other for name, other in zip(names, own, strict=True)], dtype=object)


def _words(data: h5py.Dataset) -> Shaped[np.ndarray, "names"]:
    cells = [cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell) for cell in data[:].tolist()]
    return np.array([("" if cell.strip() in _UNKNOWN else cell.strip()) for cell in cells], dtype=object)


def _descriptions(file: h5py.File, count: int) -> dict[str, Shaped[np.ndarray, "samples"]]:
    columns: Any = file[_SAMPLES]
    return {
        name: _words(columns[name])
        for name in columns
        if name != "id" and columns[name].shape == (count,) and columns[name].dtype.kind in "SO"
    }


@final
@dataclass(frozen=True, slots=True, eq=False)
class _TurnedMatrix:
    """A matrix of genes by samples that is mapped into memory, read as samples by genes."""

    array: np.ndarray[Any, np.dtype[Any]]

    @property
    def shape(self) -> tuple[int, int]:
        genes, samples = self.array.shape
        return samples, genes

    def rows(self, rows: Places) -> Values:
        return np.ascontiguousarray(self.array[:, rows].T, dtype=np.float32)


def read_dgex_array(path: Path, *, limit_bytes: int = MEMORY_LIMIT_BYTES, folder: Path | None = None) -> ExpressionFile:
    """Read a matrix that the programs of D-GEX write, such as ``bgedv2_GTEx_1000G_float64.npy``: genes by samples.

    Beside it lie ``…_lm.txt`` and ``…_tg.txt`` (the landmark and then the target genes in rows, the name first) and
    ``…_sp.txt`` (the samples in columns, the name second); other matrices have the genes of these files, and their
    samples are numbered. Files of one genes' list in the same folder serve all matrices in it.

    Raises
    ------
    ReadError
        If the matrix or the files beside it are missing, or do not fit each other.
    """
    path = Path(path)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        what = "the NumPy file cannot be read"
        raise ReadError(what, where=str(path), got=str(error), wanted="a matrix of genes by samples") from error
    genes = [name for kind in ("lm", "tg") for name in _listed(path, kind, 0)]
    if array.ndim != 2 or array.shape[0] != len(genes) or array.dtype.kind not in "iuf":
        what = "the matrix does not have a row for each gene of the lists beside it"
        raise ReadError(what, where=str(path), got=f"{array.shape}", wanted=f"({len(genes)}, samples) of numbers")
    samples = array.shape[1]
    names = _listed(path, "sp", 1, needed=False)
    ids = names if len(names) == samples else [f"sample_{number}" for number in range(1, samples + 1)]
    refuse_repeated_samples(str(path), ids, "column", range(1, samples + 1))
    gathering = Gathering(limit_bytes if 4 * array.size <= limit_bytes else 0, folder)
    turned = _TurnedMatrix(array)
    step = block_rows(len(genes))
    for start in range(0, samples, step):
        gathering.add(turned.rows(np.arange(start, min(start + step, samples))))
    return ExpressionFile(
        where=str(path),
        ids=np.array(ids, dtype=object),
        genes=tuple(genes),
        matrix=gathering.matrix(),
        texts={},
        says={"orientation": f"{path.name} has genes in rows, as the programs of D-GEX write it."},
        sample_place="column",
        sample_places=np.arange(1, samples + 1),
    )


def _listed(path: Path, kind: str, column: int, *, needed: bool = True) -> list[str]:
    found = sorted(path.parent.glob(f"*_{kind}.txt"))
    own = [file for file in found if path.name.startswith(file.name.removesuffix(f"_{kind}.txt"))]
    if not found:
        if not needed:
            return []
        what = f"there is no file ending in _{kind}.txt beside the matrix"
        raise ReadError(what, where=str(path), wanted="the lists of landmark (lm) and target (tg) genes of D-GEX")
    lines = (own or found)[0].read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[min(column, line.count("\t"))] for line in lines if line.strip()]
