import gzip

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from primase.bio.composition import COMPOSITION_COLUMNS, describe_sequences
from primase.bio.node_features import read_node_features
from primase.errors import ReadError

NAMES = ["b", "a", "z"]
TABLE = "id,length,charge\na,1,0.5\nb,2,-1e3\nc,3,0.25\n"


def read(tmp_path, content, names=NAMES, name="features.csv", **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return read_node_features(path, names, **options)


@pytest.mark.parametrize(
    "content",
    [
        TABLE,
        TABLE.replace(",", "\t"),
        TABLE.replace(",", " "),
        TABLE.replace("\n", "\r\n"),
        "\ufeff# made by hand\n" + TABLE,
        TABLE.replace("a,", '"a",'),
        TABLE.replace("id,", ",").replace(",", "\t"),
        TABLE.replace("id,", ""),
        "charge,length,Protein\n0.5,1,a\n-1000,2,b\n0.25,3,c\n".replace("charge,length", "x,length"),
        gzip.compress(TABLE.encode(), mtime=0),
    ],
)
def test_all_ways_to_write_a_table(tmp_path, content):
    features = read(tmp_path, content)
    order = [features.columns.index("length"), 1 - features.columns.index("length")]
    assert features.matrix[:, order].tolist() == [[2, -1000], [1, 0.5], [0, 0]]
    assert features.matrix.dtype == np.float32
    assert features.kind == "table"
    assert features.known.tolist() == [True, True, False]
    assert (features.unused, features.constant) == (1, 0)


def test_a_table_without_column_names(tmp_path):
    features = read(tmp_path, "a 1 7\nb 2 7\n")
    assert features.columns == ("feature 1", "feature 2")
    assert features.matrix.tolist() == [[2, 7], [1, 7], [0, 0]]
    assert features.constant == 1


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_numbered_columns_of_a_data_frame(tmp_path, ending):
    frame = pl.DataFrame({"name": ["a", "b", "c"], "0": [0, 2, 4], "1": [1, 3, 5]})
    path = tmp_path / f"f.{ending}"
    frame.write_csv(path) if ending == "csv" else frame.write_parquet(path)
    features = read_node_features(path, NAMES)
    assert features.columns == ("0", "1")
    assert features.matrix.tolist() == [[2, 3], [0, 1], [0, 0]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.booleans(), st.booleans())
def test_matrices_as_scipy_and_numpy_write_them(tmp_path, seed, nodes, named, is_sparse):
    generator = np.random.default_rng(seed)
    dense = generator.integers(-1, 2, (nodes, 4)).astype(np.float64)
    order = generator.permutation(nodes)
    names = [str(number) for number in order]
    path = tmp_path / "f.npz"
    labels = {"names": np.array([f"p{number}" for number in range(nodes)])} if named else {}
    names = [f"p{name}" for name in names] if named else names
    if is_sparse:
        sparse.save_npz(path, generator.choice([sparse.csr_array, sparse.coo_matrix, sparse.csc_array])(dense))
        with np.load(path) as archive:
            np.savez(path, **{key: archive[key] for key in archive.files}, **labels)
    else:
        np.savez(path, x=dense, **labels)
    features = read_node_features(path, names)
    matrix = features.matrix.toarray() if is_sparse else features.matrix
    assert np.array_equal(matrix, dense[order])
    assert features.matrix.dtype == np.float32
    assert features.kind == ("sparse matrix" if is_sparse else "dense matrix")
    assert features.constant == np.sum(dense.min(axis=0) == dense.max(axis=0))


def test_missing_rows_of_a_sparse_matrix_are_empty(tmp_path):
    path = tmp_path / "f.npz"
    sparse.save_npz(path, sparse.csr_array(np.eye(3)))
    with np.load(path) as archive:
        np.savez(path, **{key: archive[key] for key in archive.files}, names=["a", "b", "c"])
    features = read_node_features(path, NAMES)
    assert features.matrix.toarray().tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert (features.known.sum(), features.unused, features.constant) == (2, 1, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TABLE.replace("0.5", ""), r"line 2, column charge: a feature that is no finite number. Found: an empty cell"),
        (TABLE.replace("2,", "NaN,"), r"line 3, column length: .* Found: 'NaN'"),
        (TABLE.replace("2,", "inf,"), r"line 3, column length: .* Found: 'inf'"),
        (TABLE.replace("-1e3", "1e99"), r"line 3, column charge: .* Found: '1e99'"),
        (TABLE.replace("\nc", "\n\n\nc").replace("0.25", "high"), r"line 6, column charge: .* Found: 'high'"),
        (TABLE.replace("c,3", "a,3"), r"line 4: a name stands twice. Found: 'a', which stands in line 2 too"),
        (TABLE.replace("c,3", ",3"), r"line 4: a row without a name"),
        (TABLE.replace("c,3", "c,3,3"), r"line 4: a row with too many cells"),
        (TABLE.replace("charge", "length"), r"a column name stands twice. Found: 'length'"),
        ("id\na\nb\n", r"names only, and no column of numbers"),
        ("id,x\n", r"no rows below the column names"),
        (
            TABLE.replace("a,", "A,").replace("b,", "B,"),
            r"features are of other proteins.* Found: A, B, c, …. .*b, a, z",
        ),
    ],
)
def test_bad_tables_are_named(tmp_path, content, message):
    with pytest.raises(ReadError, match=message):
        read(tmp_path, content)


def test_bad_parquet(tmp_path):
    path = tmp_path / "f.parquet"
    for column, message in (
        (["1", "x"], r"line 2, column x: .* Found: 'x'"),
        ([1.0, None], r"line 2, column x: .* Found: an empty cell"),
        ([[1], [2]], r"column 'x' holds several values"),
    ):
        pl.DataFrame({"id": ["a", "b"], "x": column}).write_parquet(path)
        with pytest.raises(ReadError, match=message):
            read_node_features(path, NAMES)
    with pytest.raises(ReadError, match="Parquet file cannot be read"):
        read(tmp_path, "no parquet", name="f.parquet")


def test_bad_archives(tmp_path):
    path = tmp_path / "f.npz"
    wrong = np.eye(3)
    wrong[1, 2] = np.nan
    for arrays, names, message in (
        ({"x": np.eye(2)}, ["0", "1", "2"], r"2 rows, and 3 nodes of which one is called '2'"),
        ({"x": np.eye(3)}, ["0", "01"], r"one is called '01'. Accepted: nodes called 0 to 2"),
        ({"x": np.eye(3), "names": np.array(["0", "1"])}, ["0"], r"2 different names for 3 rows"),
        ({"x": wrong}, ["0"], r"row 1, column 2, counted from 0"),
        ({"x": np.eye(3), "y": np.eye(3)}, ["0"], r"arrays x \(3, 3\), y \(3, 3\)"),
        ({"x": np.array([[{}]], dtype=object)}, ["0"], r"cannot be read as a matrix"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(ReadError, match=message):
            read_node_features(path, names)
    sparse.save_npz(path, sparse.csr_array(wrong))
    with pytest.raises(ReadError, match="row 1, column 2"):
        read_node_features(path, ["0"])
    np.savez(path, format=b"csr", shape=[1, 2], data=[1.0], indices=[9], indptr=[0, 1])
    with pytest.raises(ReadError, match="cannot be read as a matrix"):
        read_node_features(path, ["0"])
    np.save(tmp_path / "f.npy", np.eye(2))
    for content in (b"PK\x03\x04 cut off", b"text", (tmp_path / "f.npy").read_bytes()):
        with pytest.raises(ReadError, match="cannot be read as a matrix"):
            read(tmp_path, content, name="f.npz")
    with pytest.raises(ReadError, match="does not exist"):
        read_node_features(tmp_path / "none.npz", ["0"])


def test_fewer_may_be_asked_for(tmp_path):
    assert not read(tmp_path, TABLE, ["x"], at_least=0).known.any()
    np.savez(tmp_path / "f.npz", x=np.eye(2))
    assert read_node_features(tmp_path / "f.npz", ["1", "2", "x"], at_least=0).known.tolist() == [True, False, False]


def test_composition():
    described = describe_sequences(pl.Series(["AACA", "WY"]))
    assert described.shape == (2, len(COMPOSITION_COLUMNS))
    assert np.allclose(np.exp(described[:, 0]), [4, 2])
    assert described[1, COMPOSITION_COLUMNS.index("share of W")] == 0.5
    assert np.allclose(described[:, 1:].sum(axis=1), 1)
