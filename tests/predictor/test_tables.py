import csv

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from primase.errors import InputError
from primase.predictor.tables import check_table_path, write_table

TABLE = pl.DataFrame(
    {"id": ["a", 'q"uote', "com,ma", "tab\there", "ü"], "number": [1.5, -2.0, None, 1e-300, 3.0], "text": ["", *"wxyz"]}
)


def read(path):
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    with path.open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file, delimiter={".csv": ",", ".tsv": "\t"}[path.suffix])
    columns = {name: [row[number] for row in rows] for number, name in enumerate(names)}
    columns["number"] = [float(cell) if cell else None for cell in columns["number"]]
    return pl.DataFrame(columns, schema=TABLE.schema)


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_blocks_become_one_table(tmp_path, ending, rows):
    path = tmp_path / f"table.{ending}"
    blocks = [TABLE[start : start + rows] for start in range(0, len(TABLE), rows)]
    assert write_table(path, iter(blocks)) == len(TABLE)
    assert_frame_equal(read(path), TABLE)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_nothing_appears_before_the_table_is_whole(tmp_path, ending):
    path = tmp_path / f"table.{ending}"

    def blocks():
        yield TABLE
        assert not path.exists()
        yield TABLE
        message = "the input is damaged"
        raise InputError(message)

    with pytest.raises(InputError, match="damaged"):
        write_table(path, blocks())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_an_interruption_leaves_nothing(tmp_path, ending):
    def blocks():
        yield TABLE
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(tmp_path / f"table.{ending}", blocks())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_an_empty_block_keeps_the_columns(tmp_path, ending):
    path = tmp_path / f"table.{ending}"
    assert write_table(path, [TABLE[:0]]) == 0
    assert read(path).columns == TABLE.columns


@pytest.mark.parametrize("name", ["table", "table.xlsx", "table.csv.gz", "csv"])
def test_the_ending_must_tell_the_format(tmp_path, name):
    with pytest.raises(InputError, match=r"Accepted: \.parquet, \.csv, \.tsv"):
        check_table_path(tmp_path / name)


def test_a_taken_name_is_refused(tmp_path):
    (tmp_path / "table.csv").write_text("precious")
    with pytest.raises(InputError, match=r"table\.csv: there is already a file"):
        write_table(tmp_path / "table.csv", [TABLE])
    assert (tmp_path / "table.csv").read_text() == "precious"


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="absent: the folder does not exist"):
        check_table_path(tmp_path / "absent" / "table.csv")
