from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from primase.bio.expression import (
    DenseMatrix,
    Expression,
    JoinedStore,
    SparseMatrix,
    array_store,
    is_raw,
    to_file,
    to_modelled,
)
from primase.bio.expression_disk import FileMatrix, Gathering, NumberFile, runs, transpose
from primase.bio.expression_survey import survey


@given(raw=st.booleans(), seed=st.integers(0, 1000))
def test_the_file_scale_comes_back(*, raw: bool, seed: int) -> None:
    values = np.random.default_rng(seed).gamma(0.5, 100, (4, 3))
    np.testing.assert_allclose(to_file(to_modelled(values, raw=raw), raw=raw), values, rtol=1e-9, atol=1e-9)


def test_copies_of_a_gene_are_added_where_raw_and_averaged_where_not() -> None:
    values = np.array([[1, 2, 3, 4], [np.nan, 5, 6, 7], [np.nan, 1, np.nan, 9]], dtype=np.float32)
    names = ("A", "B", "A", "C")
    raw = Expression(DenseMatrix(values), names, raw=True)
    assert raw.genes == ("A", "B", "C")
    assert raw.repeated == ("A",)
    expected = np.array([[4, 2, 4], [6, 5, 7], [np.nan, 1, 9]])
    np.testing.assert_allclose(raw.values(np.arange(3)), np.log2(expected + 1), rtol=1e-6)
    log = Expression(DenseMatrix(values), names, raw=False)
    expected[0, 0] = 2
    np.testing.assert_allclose(log.values(np.arange(3)), expected)
    np.testing.assert_allclose(log.values(np.array([2, 0]), np.array([2, 0])), expected[[2, 0]][:, [2, 0]])
    assert log.values(np.arange(3)).dtype == np.float32


@pytest.mark.parametrize("names", ["ABCDE", "ABCDA"])
def test_any_rows_and_columns_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    values = np.random.default_rng(4).gamma(1, 100, (23, 5)).astype(np.float32)
    store = Expression(DenseMatrix(values), tuple(names), raw=True)
    rows, columns = np.random.default_rng(5).integers(0, 23, 40), np.array([3, 0])
    whole = store.values(np.arange(23))
    monkeypatch.setattr("primase.bio.expression.block_rows", lambda genes: 3)
    np.testing.assert_array_equal(store.values(rows), whole[rows])
    np.testing.assert_array_equal(store.values(rows, columns), whole[rows][:, columns])
    assert store.values(rows[:0], columns).shape == (0, 2)


def test_few_genes_of_many_samples_need_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primase.bio.expression.block_rows", lambda genes: 50)
    values = np.ones((4000, 1000), dtype=np.float32)
    store = Expression(DenseMatrix(values), tuple(f"G{number}" for number in range(1000)), raw=True)
    tracemalloc.start()
    try:
        store.values(np.arange(4000), np.arange(10))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < values.nbytes / 10


def test_the_scale_of_joined_stores_is_known() -> None:
    for raw in (True, False):
        store = Expression(DenseMatrix(np.ones((2, 1), dtype=np.float32)), ("A",), raw)
        assert is_raw(JoinedStore.of([store, store], store.genes)) is raw


def test_joined_stores_are_read_by_the_names_of_genes() -> None:
    first = array_store("ABC", np.arange(6).reshape(2, 3))
    second = array_store("CXAB", 10 + np.arange(12).reshape(3, 4))
    joined = JoinedStore.of([first, second], "CAB")
    assert joined.genes == ("C", "A", "B")
    whole = np.array([[2, 0, 1], [5, 3, 4], [10, 12, 13], [14, 16, 17], [18, 20, 21]])
    assert len(joined) == 5
    np.testing.assert_array_equal(joined.values(np.arange(5)), whole)
    np.testing.assert_array_equal(joined.values(np.array([4, 0, 2]), np.array([1, 0])), whole[[4, 0, 2]][:, [1, 0]])


def test_a_store_needs_a_name_per_column() -> None:
    with pytest.raises(ValueError, match="names of genes"):
        array_store(("A", "A"), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="names of genes"):
        array_store(("A",), np.zeros((1, 2)))


def test_a_sparse_matrix_is_read_as_the_dense_one() -> None:
    dense = np.random.default_rng(0).poisson(0.3, (20, 7)).astype(np.float32)
    matrix = SparseMatrix(sparse.csr_array(dense))
    rows = np.array([3, 3, 19, 0])
    np.testing.assert_array_equal(matrix.rows(rows), dense[rows])


@given(rows=st.lists(st.integers(0, 9), max_size=30))
def test_rows_of_a_file_are_those_of_the_array(tmp_path_factory: pytest.TempPathFactory, rows: list[int]) -> None:
    values = np.random.default_rng(1).normal(size=(10, 4)).astype(np.float32)
    numbers = NumberFile.temporary(np.dtype(np.float32), tmp_path_factory.getbasetemp())
    numbers.append(values[:3])
    numbers.append(values[3:])
    chosen = np.array(rows, dtype=np.int64)
    matrix = FileMatrix(numbers, (10, 4))
    np.testing.assert_array_equal(matrix.rows(chosen), values[chosen])
    assert [row for first, last in runs(chosen) for row in range(chosen[first], chosen[first] + last - first)] == rows


@pytest.mark.parametrize("limit_bytes", [0, 200, 10_000])
def test_what_is_gathered_is_the_same_in_memory_and_on_disk(tmp_path: Path, limit_bytes: int) -> None:
    values = np.random.default_rng(2).normal(size=(23, 5)).astype(np.float32)
    for turned in (False, True):
        gathering = Gathering(limit_bytes, tmp_path)
        for start in range(0, 23, 4):
            gathering.add(values[start : start + 4])
        matrix = gathering.transposed() if turned else gathering.matrix()
        wanted = values.T if turned else values
        assert isinstance(matrix, FileMatrix) == (limit_bytes < values.nbytes)
        assert matrix.shape == wanted.shape
        np.testing.assert_array_equal(matrix.rows(np.arange(len(wanted))), wanted)
    assert not [*tmp_path.iterdir()], "temporary files vanish"


def test_transposing_needs_little_memory_at_a_time(tmp_path: Path) -> None:
    values = np.arange(60, dtype=np.float32).reshape(6, 10)
    numbers = NumberFile.temporary(np.dtype(np.float32), tmp_path)
    numbers.append(values)
    turned = transpose(FileMatrix(numbers, (6, 10)), tmp_path, block_bytes=4 * 6 * 3)
    np.testing.assert_array_equal(turned.rows(np.arange(10)), values.T)


def test_a_file_that_became_shorter_is_noticed(tmp_path: Path) -> None:
    numbers = NumberFile.temporary(np.dtype(np.float32), tmp_path)
    numbers.append(np.zeros(3, dtype=np.float32))
    with pytest.raises(OSError, match="shorter"):
        FileMatrix(numbers, (2, 3)).rows(np.array([1]))


def test_the_survey_finds_what_numpy_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primase.bio.expression_survey.block_rows", lambda genes: 7)
    values = np.random.default_rng(3).normal(5, 3, (50, 6)).astype(np.float32)
    values[:, 2] = 4
    values[20, 5] = values[33, 1] = np.nan
    values[:, 4] = np.nan
    found = survey(DenseMatrix(values))
    np.testing.assert_array_equal(found.missing, np.isnan(values).sum(axis=0))
    assert found.first_missing == (0, 4)
    assert found.negative == (values < 0).sum()
    row, column = found.first_negative or (0, 0)
    assert values[row, column] < 0
    assert not (values[:row] < 0).any()
    known = [0, 1, 2, 3, 5]
    np.testing.assert_array_equal(found.lowest[known], np.nanmin(values[:, known], axis=0))
    np.testing.assert_array_equal(found.highest[known], np.nanmax(values[:, known], axis=0))
    assert np.isnan(found.lowest[4])
    assert found.constant.tolist() == [2]
    assert found.first_infinite is None
    values[41, 0] = np.inf
    assert survey(DenseMatrix(values)).first_infinite == (41, 0)


@pytest.mark.parametrize(
    ("values", "raw"),
    [
        ([[0, 1, 30]], True),  # counts
        ([[0.5, 12.2, 900.0]], True),  # reads per million
        ([[0.5, 12.2, 14.9]], False),  # logarithms of them
        ([[-1.0, 3.0, 900.0]], False),  # ratios
        ([[0, 1, 1]], False),  # present or not
        ([[0.1, 1.0, 0.3]], False),  # scaled to 0 and 1
    ],
)
def test_the_scale_is_guessed(values: list[list[float]], *, raw: bool) -> None:
    assert survey(DenseMatrix(np.array(values, dtype=np.float32))).guess_raw()[0] is raw
