import gzip

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.bio.tables import read_text_table
from primase.errors import ReadError

TEXT = "id,sequence,target\na,MKV,yes\n b , ,no\n"


def table_of(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return read_text_table(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", TEXT),
        ("t.tsv", TEXT.replace(",", "\t")),
        ("t.tab", TEXT.replace(",", "\t")),
        ("t.txt", TEXT.replace(",", "\t")),
        ("t.TSV", TEXT.replace(",", "\t")),
        ("t.data", TEXT),
        ("t.data", TEXT.replace(",", "\t")),
        ("t.csv.gz", gzip.compress(TEXT.encode(), mtime=0)),
        ("t.csv", gzip.compress(TEXT.encode(), mtime=0)),
        ("t.csv", TEXT.replace("\n", "\r\n")),
        ("t.csv", TEXT.replace("\n", "\r")),
        ("t.csv", "\ufeff" + TEXT),
        ("t.csv", TEXT.rstrip("\n")),
        ("t.csv", TEXT.replace("no", '"no"')),
    ],
)
def test_all_ways_to_write_a_table(tmp_path, name, content):
    table = table_of(tmp_path, name, content)
    assert dict(table.columns) == {"id": ["a", "b"], "sequence": ["MKV", ""], "target": ["yes", "no"]}
    assert list(table.lines) == [2, 3]
    assert len(table) == 2
    assert table.where(1) == f"{tmp_path / name}, line 3"


def test_parquet(tmp_path):
    frame = pl.DataFrame({"id": [1, 2], "target": [" yes", None], "share": [0.5, 1.0], "list": [[1], [2]]})
    frame.write_parquet(tmp_path / "t.parquet")
    table = read_text_table(tmp_path / "t.parquet")
    assert dict(table.columns) == {"id": ["1", "2"], "target": ["yes", ""], "share": ["0.5", "1.0"]}
    assert table.where(0).endswith("t.parquet, row 1")


cells = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="\ufeff"), min_size=1
)


@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1), st.sampled_from(["csv", "tsv", "parquet"]))
def test_what_another_library_writes_is_read(tmp_path_factory, rows, ending):
    path = tmp_path_factory.getbasetemp() / f"written.{ending}"
    frame = pl.DataFrame(rows, schema=["x", "y", "z"], orient="row")
    if ending == "parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path, separator="," if ending == "csv" else "\t")
    assert dict(read_text_table(path).columns) == frame.to_dict(as_series=False)


def test_line_numbers_count_blank_lines_and_lines_within_cells(tmp_path):
    table = table_of(tmp_path, "t.csv", 'id,note\n\na,"two\nlines"\n\nb,x\n')
    assert list(table.columns["id"]) == ["a", "b"]
    assert table.where(1).endswith("line 6")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "", r"t\.csv: no rows: the file is empty"),
        ("t.csv", "\n\n", "no rows"),
        ("t.csv", "id,target\n", "no rows below the column names"),
        ("t.csv", "id,id\n1,2\n", r"a column name stands twice\. Found: 'id'"),
        ("t.csv", "id,target\na,1\nb\n", r"t\.csv, line 3: a row with too few cells\. Found: 1\. Accepted: 2"),
        ("t.csv", "id,target\na,1,2\n", r"t\.csv, line 2: a row with too many cells\. Found: 3"),
        ("t.csv", 'id,target\na,"1\n', r"t\.csv, line \d: the table cannot be read"),
        ("t.csv", gzip.compress(TEXT.encode() * 500, mtime=0)[:-20], r"t\.csv: the gzip file is damaged or cut off"),
        ("t.csv", b"PK\x03\x04" + b"x" * 50, "ZIP archive"),
        ("t.parquet", "no parquet", r"t\.parquet: the Parquet file cannot be read"),
    ],
)
def test_what_is_wrong_is_said_and_where(tmp_path, name, content, message):
    with pytest.raises(ReadError, match=message):
        table_of(tmp_path, name, content)


@pytest.mark.parametrize("name", ["absent.csv", "absent.parquet"])
def test_a_missing_file(tmp_path, name):
    with pytest.raises(ReadError, match=name):
        read_text_table(tmp_path / name)


def test_an_empty_parquet_table(tmp_path):
    pl.DataFrame({"id": []}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(ReadError, match="no rows"):
        read_text_table(tmp_path / "t.parquet")


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path):
    table = table_of(tmp_path, "t.csv", ",".join(f"c{number}" for number in range(30)) + "\n" + ",".join("x" * 30))
    assert table.column("c3", option="--id-column") == ["x"]
    with pytest.raises(ReadError, match=r"no column 'd'\. Found: the columns c0, .*c19, …\. Name it with --id-column"):
        table.column("d", option="--id-column")
