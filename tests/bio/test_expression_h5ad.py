from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from primase.bio.expression import DenseMatrix, SparseMatrix
from primase.bio.expression_disk import FileMatrix, SparseFileMatrix
from primase.bio.expression_h5ad import AnnDataOptions, read_h5ad
from primase.errors import ReadError

ROWS, GENES = 40, 12
VALUES = np.random.default_rng(0).poisson(0.7, (ROWS, GENES)).astype(np.float32)


def words(cells: Iterable[object]) -> pd.Index:
    """Keep words as objects: anndata 0.12 cannot write the words of pandas 3."""
    return pd.Index(np.array([*cells], dtype=object), dtype=object)


def data(matrix: Any = VALUES) -> ad.AnnData:
    codes = np.arange(ROWS) % 2
    codes[3] = -1
    obs = pd.DataFrame(
        {
            "cohort": pd.Categorical.from_codes(codes, categories=words("AB")),
            "patient": pd.Categorical.from_codes(
                np.arange(ROWS) // 2, categories=words(f"p{number}" for number in range(ROWS // 2))
            ),
            "depth": np.arange(ROWS) * 1.5,
            "stage": np.where(np.arange(ROWS) % 5 == 0, np.nan, 2.0),
        },
        index=words(f"cell_{number}" for number in range(ROWS)),
    )
    names = words(f"ENSG{number:011}" for number in range(GENES))
    var = pd.DataFrame({"symbol": words(f"G{number}" for number in range(GENES))}, index=names)
    return ad.AnnData(X=matrix, obs=obs, var=var, layers={"doubled": 2 * VALUES})


def write(path: Path, matrix: Any = VALUES, **options: Any) -> Path:
    data(matrix).write_h5ad(path, **options)
    return path


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("limit_bytes", [0, 1 << 20])
def test_every_kind_of_matrix_is_read_alike(
    tmp_path: Path, kind: Any, compression: str | None, limit_bytes: int
) -> None:
    path = write(tmp_path / "a.h5ad", kind(VALUES), compression=compression)
    file = read_h5ad(path, limit_bytes=limit_bytes, folder=tmp_path / "big")
    rows = np.array([5, 6, 7, 39, 0, 5])
    np.testing.assert_array_equal(file.matrix.rows(rows), VALUES[rows])
    assert file.matrix.shape == (ROWS, GENES)
    on_disk = isinstance(file.matrix, FileMatrix | SparseFileMatrix)
    assert on_disk == (limit_bytes == 0)
    if not on_disk:
        assert isinstance(file.matrix, DenseMatrix if kind is np.asarray else SparseMatrix)


@pytest.mark.parametrize("dtype", ["float64", "int32", "uint8", ">f4"])
def test_other_types_of_numbers_on_disk(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "a.h5ad"
    write(path)
    with h5py.File(path, "r+") as file:
        attributes = dict(file["X"].attrs)
        del file["X"]
        file["X"] = VALUES.astype(dtype)
        file["X"].attrs.update(attributes)
    file = read_h5ad(path, limit_bytes=0, folder=tmp_path / "big")
    assert file.matrix.rows(np.arange(ROWS)).dtype == np.float32
    np.testing.assert_array_equal(file.matrix.rows(np.arange(ROWS)), VALUES)


def test_columns_of_words_are_read_and_those_of_numbers_where_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5ad")
    file = read_h5ad(path)
    assert set(file.texts) == {"cohort", "patient"}
    assert file.texts["cohort"][:4].tolist() == ["A", "B", "A", ""]
    assert file.ids[:2].tolist() == ["cell_0", "cell_1"]
    asked = read_h5ad(path, AnnDataOptions(words=("stage", "cohort", "depth")))
    assert asked.texts["stage"][:2].tolist() == ["", "2"]
    assert asked.texts["depth"][:3].tolist() == ["0", "1.5", "3"]


def test_names_from_columns_and_values_from_a_layer(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5ad")
    file = read_h5ad(path, AnnDataOptions(layer="doubled", gene_names="symbol"))
    assert file.genes[:2] == ("G0", "G1")
    np.testing.assert_array_equal(file.matrix.rows(np.arange(ROWS)), 2 * VALUES)
    with pytest.raises(ReadError, match="row 2: a sample name stands twice"):
        read_h5ad(path, AnnDataOptions(id_column="patient"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (AnnDataOptions(layer="counts"), "no layer 'counts'.*layers doubled"),
        (AnnDataOptions(words=("tissue",)), "obs has no column 'tissue'.*cohort, patient, depth, stage"),
        (AnnDataOptions(id_column="barcode"), "obs has no column 'barcode'.*--id-column"),
        (AnnDataOptions(gene_names="name"), "var has no column 'name'.*symbol.*--gene-names"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(tmp_path: Path, options: AnnDataOptions, said: str) -> None:
    with pytest.raises(ReadError, match=said):
        read_h5ad(write(tmp_path / "a.h5ad"), options)


def test_what_is_no_such_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="does not exist"):
        read_h5ad(tmp_path / "absent.h5ad")
    empty, text = tmp_path / "empty.h5ad", tmp_path / "text.h5ad"
    empty.touch()
    text.write_text("no HDF5")
    with pytest.raises(ReadError, match="the file is empty"):
        read_h5ad(empty)
    with pytest.raises(ReadError, match=r"no \.h5ad file"):
        read_h5ad(text)
    with pytest.raises(ReadError, match="this is a folder"):
        read_h5ad(tmp_path)
    other = tmp_path / "other.h5ad"
    with h5py.File(other, "w") as file:
        file["data"] = np.zeros(3)
    with pytest.raises(ReadError, match=r"no obs in the file.*data"):
        read_h5ad(other)


def test_a_file_without_values_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5ad"
    whole = data()
    whole.X = None
    whole.write_h5ad(path)
    with pytest.raises(ReadError, match=r"no X in the file.*layers doubled"):
        read_h5ad(path)
    data()[:0].copy().write_h5ad(path)
    with pytest.raises(ReadError, match="nothing in the file"):
        read_h5ad(path)


def test_samples_and_genes_that_changed_places_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5ad"
    data().T.write_h5ad(path)
    assert "transpose" in read_h5ad(path).says["samples and genes swapped"]
    assert "samples and genes swapped" not in read_h5ad(write(path)).says
