from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.bio import expression_tables
from primase.bio.expression import ExpressionFile
from primase.bio.expression_disk import FileMatrix
from primase.bio.expression_layout import TableOptions, looks_like_genes
from primase.bio.expression_tables import read_table
from primase.errors import ReadError

GENES = ["TP53", "BRCA1", "ESR1", "GATA3", "MYC", "EGFR"]
SAMPLES = ["TCGA-A8-A07B", "TCGA-A8-A08B", "TCGA-A8-A08P", "TCGA-BH-A0E0"]
VALUES = np.round(np.random.default_rng(0).gamma(1, 100, (4, 6)), 3).astype(np.float32)


def frame(*, turned: bool = False, **words: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(VALUES, index=pd.Index(SAMPLES), columns=GENES)
    if turned:
        return table.T
    for place, (name, cells) in enumerate(words.items()):
        table.insert(place, name, cells)
    return table


def write(path: Path, table: pd.DataFrame, **options: Any) -> Path:
    table.to_csv(path, sep="\t" if ".tsv" in path.name else ",", **options)
    return path


def check(file: ExpressionFile) -> None:
    assert file.ids.tolist() == SAMPLES
    assert file.genes == tuple(GENES)
    np.testing.assert_allclose(file.matrix.rows(np.arange(4)), VALUES, rtol=1e-6)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.tsv.gz"])
@pytest.mark.parametrize("turned", [False, True])
def test_either_orientation_is_read_alike(tmp_path: Path, name: str, *, turned: bool) -> None:
    path = write(tmp_path / name, frame(turned=turned))
    file = read_table(path)
    check(file)
    assert f"with {'genes' if turned else 'samples'} in rows" in file.says["orientation"]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("limit_bytes", [0, 1 << 20])
def test_parquet_is_read_alike(tmp_path: Path, limit_bytes: int, *, turned: bool) -> None:
    path = tmp_path / "a.parquet"
    frame(turned=turned).to_parquet(path)
    file = read_table(path, limit_bytes=limit_bytes, folder=tmp_path / "big")
    check(file)
    assert isinstance(file.matrix, FileMatrix) == (limit_bytes == 0)


def test_parquet_of_words_and_numbers_without_an_index(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = frame(patient=["p1", "p1", "p2", "p3"]).reset_index(names="sample")
    pl.from_pandas(table).write_parquet(path)
    file = read_table(path)
    check(file)
    assert file.texts["patient"].tolist() == ["p1", "p1", "p2", "p3"]


@pytest.mark.parametrize("turned", [False, True])
def test_a_table_in_small_blocks_on_disk_is_read_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, turned: bool
) -> None:
    monkeypatch.setattr(expression_tables, "_BLOCK_BYTES", 64)
    file = read_table(write(tmp_path / "a.csv.gz", frame(turned=turned)), limit_bytes=10, folder=tmp_path / "big")
    assert isinstance(file.matrix, FileMatrix)
    check(file)


def test_columns_of_words_are_no_genes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", frame(patient=["p1", "p1", "p2", "NA"], batch=["x", "y", "", "x"]))
    file = read_table(path)
    check(file)
    assert file.texts["patient"].tolist() == ["p1", "p1", "p2", ""]
    assert file.texts["batch"].tolist() == ["x", "y", "", "x"]


def test_a_declared_column_of_numbers_is_no_gene(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", frame().assign(er=[0, 1, 1, 0]))
    file = read_table(path, TableOptions(words=("er",)))
    check(file)
    assert file.texts["er"].tolist() == ["0", "1", "1", "0"]
    assert "er" in read_table(path).genes


def test_the_id_column_may_be_any(tmp_path: Path) -> None:
    table = frame(patient=["p1", "p1", "p2", "p3"]).reset_index(drop=True)
    table["barcode"] = SAMPLES
    path = write(tmp_path / "a.csv", table, index=False)
    file = read_table(path, TableOptions(id_column="barcode"))
    check(file)
    with pytest.raises(ReadError, match=r"no column 'nobody'.*--id-column"):
        read_table(path, TableOptions(id_column="nobody"))


def test_samples_without_a_name_are_numbered(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", frame(), index=False)
    file = read_table(path, TableOptions(orientation="samples-in-rows"))
    assert file.ids.tolist() == ["sample_1", "sample_2", "sample_3", "sample_4"]
    assert "numbered" in file.says["numbered samples"]


def test_descriptions_of_genes_are_ignored_and_said(tmp_path: Path) -> None:
    table = frame(turned=True)
    table.insert(0, "Entrez_Gene_Id", [7157, 672, 2099, 2625, 4609, 1956])
    table.index.name = "Hugo_Symbol"
    file = read_table(write(tmp_path / "a.tsv", table))
    check(file)
    assert "Entrez_Gene_Id" in file.says["ignored columns"]


def test_genes_may_be_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    rows = [f"{1000 + gene}\t{gene}\t{gene + 1}" for gene in range(30)]
    path.write_text("\n".join(["gene_id\tS1\tS2", *rows]))
    file = read_table(path)
    assert file.genes[:2] == ("1000", "1001")
    assert file.ids.tolist() == ["S1", "S2"]


def test_known_genes_decide_where_names_do_not(tmp_path: Path) -> None:
    names = [f"x{number}" for number in range(6)]
    table = pd.DataFrame(VALUES, index=pd.Index([f"y{number}" for number in range(4)]), columns=names)
    path = write(tmp_path / "a.csv", table.T)
    assert "genes in rows" in read_table(path, TableOptions(known_genes=frozenset(names))).says["orientation"]
    assert "samples in rows" in read_table(path, TableOptions(known_genes={"y0", "y1", "y2", "y3"})).says["orientation"]


@pytest.mark.parametrize(("rows", "turned"), [(5, False), (300, True)])
def test_the_shape_decides_where_nothing_else_does(tmp_path: Path, rows: int, *, turned: bool) -> None:
    path = tmp_path / "a.csv"
    lines = [",".join(["", *(f"x{number}" for number in range(20))])]
    lines += [",".join([f"y{row}", *(str(row * column) for column in range(20))]) for row in range(rows)]
    path.write_text("\n".join(lines))
    file = read_table(path)
    assert file.matrix.shape == ((20, rows) if turned else (rows, 20))
    other = "samples-in-rows" if turned else "genes-in-rows"
    assert read_table(path, TableOptions(orientation=other)).matrix.shape == file.matrix.shape[::-1]


def test_gct_is_such_a_table(tmp_path: Path) -> None:
    table = frame(turned=True)
    table.insert(0, "Description", ["one"] * 6)
    table.index.name = "Name"
    path = tmp_path / "a.gct"
    path.write_text("#1.2\n6\t4\n" + table.to_csv(sep="\t"))
    check(read_table(path))


def test_names_of_rows_as_r_writes_them(tmp_path: Path) -> None:
    text = frame().to_csv(sep="\t")
    path = tmp_path / "a.tsv"
    path.write_text(text.removeprefix("\t"))
    check(read_table(path))


def test_windows_line_ends_a_mark_blank_lines_and_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = frame().to_csv(quoting=1).replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\r\n\r\n")
    check(read_table(path))


@pytest.mark.parametrize("missing", ["", "NA", "NaN", "null"])
@pytest.mark.parametrize("quoted", [0, 1])
def test_missing_values_are_nan(tmp_path: Path, missing: str, quoted: int) -> None:
    table = frame().astype(object)
    table.iloc[1, 2] = missing
    file = read_table(write(tmp_path / "a.csv", table, quoting=quoted))
    values = file.matrix.rows(np.arange(4))
    assert np.argwhere(np.isnan(values)).tolist() == [[1, 2]]


@pytest.mark.parametrize("turned", [False, True])
def test_a_word_among_numbers_is_named(tmp_path: Path, *, turned: bool) -> None:
    table = frame(turned=turned).astype(object)
    table.iloc[2, 1] = "high"
    path = write(tmp_path / "a.csv", table)
    column = SAMPLES[1] if turned else GENES[1]
    with pytest.raises(ReadError, match=rf"a\.csv, line 4, column '{column}': a word among numbers.*Found: 'high'"):
        read_table(path)


def test_a_word_among_numbers_of_parquet_is_named(tmp_path: Path) -> None:
    table = frame().astype(str)
    table.iloc[2, 1] = "high"
    table.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ReadError, match=r"row 3, column 'BRCA1': a word among numbers"):
        read_table(tmp_path / "a.parquet")


def test_a_sample_that_stands_twice_is_named(tmp_path: Path) -> None:
    table = frame()
    table.index = pd.Index([SAMPLES[0], SAMPLES[1], SAMPLES[0], SAMPLES[3]])
    with pytest.raises(ReadError, match=r"line 4: a sample name stands twice.*'TCGA-A8-A07B', which is that of line 2"):
        read_table(write(tmp_path / "a.csv", table))
    with pytest.raises(ReadError, match=r"column 4: a sample name stands twice"):
        read_table(write(tmp_path / "b.csv", table.T))


@pytest.mark.parametrize(("change", "said"), [("\t1", "too many cells"), ("", "too few cells")])
def test_a_row_of_another_length_is_named(tmp_path: Path, change: str, said: str) -> None:
    lines = frame().to_csv(sep="\t").splitlines()
    lines[2] = lines[2] + change if change else lines[2].rsplit("\t", 1)[0]
    path = tmp_path / "a.tsv"
    path.write_text("\n".join(lines))
    with pytest.raises(ReadError, match=f"line 3: a row with {said}"):
        read_table(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ("sample,TP53,MYC\n", "no rows below"),
        ("a,b\nx,y\nz,w\n", "words only"),
        ("0.1,0.2,0.3\n0.4,0.5,0.6\n", "first line holds numbers"),
        ("id,TP53,\na,1,2\n", "a gene without a name"),
        ("gene,S1,S2\nTP53,1,2\n,3,4\n", "a gene without a name"),
    ],
)
def test_what_is_no_table_is_said(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(ReadError, match=said):
        read_table(path)


def test_damaged_gzip_and_missing_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(frame().to_csv().encode())[:-20])
    with pytest.raises(ReadError, match="damaged or cut off"):
        read_table(path)
    for name in ("absent.csv", "absent.parquet"):
        with pytest.raises(ReadError, match="does not exist"):
            read_table(tmp_path / name)


@given(
    values=st.lists(
        st.lists(st.floats(allow_nan=True, allow_infinity=False, width=32), min_size=3, max_size=3),
        min_size=2,
        max_size=6,
    )
)
def test_any_numbers_come_back(tmp_path_factory: pytest.TempPathFactory, values: list[list[float]]) -> None:
    table = pd.DataFrame(np.array(values, dtype=np.float32), columns=GENES[:3])
    table.index = pd.Index([f"sample {number}" for number in range(len(values))])
    path = write(tmp_path_factory.getbasetemp() / "any.csv", table)
    found = read_table(path, TableOptions(orientation="samples-in-rows")).matrix.rows(np.arange(len(values)))
    np.testing.assert_array_equal(found, table.to_numpy())


def test_names_are_told_apart() -> None:
    assert looks_like_genes(["ENSG00000141510.5", "hsa-mir-21", "HLA-DRA", "C1orf43", "Trp53", "1007_s_at"]) == 1
    assert looks_like_genes(["GSM123", "SRR99", "sample_1", "P12", "AAACATACAACCAC-1", "TCGA-02-0001-01"]) == 0
    assert looks_like_genes([]) == 0
