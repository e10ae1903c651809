"""Open a file of expression, of whatever kind, by its ending."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from primase.apps.expression.configuration import ExpressionData
from primase.apps.expression.landmarks_l1000 import LANDMARKS
from primase.bio.expression import ExpressionFile
from primase.bio.expression_dgex import read_dgex_array, read_gctx
from primase.bio.expression_disk import MEMORY_LIMIT_BYTES
from primase.bio.expression_h5ad import AnnDataOptions, read_h5ad
from primase.bio.expression_layout import TableOptions
from primase.bio.expression_tables import read_table
from primase.data.fetch import cache_folder
from primase.errors import ConfigurationError

_ANNDATA = (".h5ad", ".h5")


def read_file(
    path: Path,
    data: ExpressionData,
    *,
    known_genes: Collection[str] = LANDMARKS,
    limit_bytes: int = MEMORY_LIMIT_BYTES,
) -> ExpressionFile:
    """Read a file of expression: AnnData (``.h5ad``), GCTX (``.gctx``), a matrix of D-GEX (``.npy``), or a table.

    Parameters
    ----------
    known_genes
        Names of genes by which the orientation of a table can be told.
    limit_bytes
        What may be held in memory; the rest is kept in temporary files in the cache folder.

    Raises
    ------
    InputError
        If the file is not what its ending says, or a setting does not fit it.
    """
    folder = cache_folder() / "expression"
    ending = path.suffix.lower()
    _refuse_unfit(data, ending)
    said = tuple(dict.fromkeys([*data.label_column, *([data.group_column] if data.group_column else [])]))
    if ending in _ANNDATA:
        # What stands in a table of its own need not stand in the file.
        words = () if data.samples is not None else said
        options = AnnDataOptions(data.layer, data.gene_names, data.id_column, words)
        return read_h5ad(path, options, limit_bytes=limit_bytes, folder=folder)
    if ending == ".gctx":
        return read_gctx(path, gene_names=data.gene_names, limit_bytes=limit_bytes, folder=folder)
    if ending == ".npy":
        return read_dgex_array(path, limit_bytes=limit_bytes, folder=folder)
    # With a table of samples beside it, the id column may be one of that table only.
    id_column = data.id_column if data.samples is None else None
    table = TableOptions(data.orientation, id_column, said, frozenset(known_genes))
    return read_table(path, table, limit_bytes=limit_bytes, folder=folder)


def fitting(data: ExpressionData, path: Path) -> ExpressionData:
    """Leave out how the training files were read where a new one is of another kind, which has no such thing."""
    ending = path.suffix.lower()
    left: dict[str, object] = {}
    if ending not in _ANNDATA:
        left["layer"] = None
    if ending not in {*_ANNDATA, ".gctx"}:
        left["gene_names"] = None
    if ending in {*_ANNDATA, ".gctx", ".npy"}:
        left["orientation"] = "auto"
    return data.model_copy(update=left)


def _refuse_unfit(data: ExpressionData, ending: str) -> None:
    if data.layer is not None and ending not in _ANNDATA:
        what = "only AnnData files have layers"
        raise ConfigurationError(what, where="--layer", got=data.layer, wanted="an .h5ad file beside it")
    if data.gene_names is not None and ending not in {*_ANNDATA, ".gctx"}:
        what = "the names of genes in a table are the names of its rows or columns"
        raise ConfigurationError(what, where="--gene-names", got=data.gene_names, wanted="an .h5ad file beside it")
    if data.orientation != "auto" and ending in {*_ANNDATA, ".gctx", ".npy"}:
        what = "in an AnnData file samples are always in obs"
        raise ConfigurationError(what, where="--orientation", got=data.orientation, wanted="a table beside it")
