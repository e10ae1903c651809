from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from primase.bio.intervals import read_intervals
from primase.errors import ReadError

BED6 = b"chr1\t0\t10\ta\t5\t+\nchr2\t7\t9\tb c\t0\t-\n"
PEAKS = (
    b"chr1\t100\t200\tp1\t1000\t.\t12.5\t8.1\t6.2\t40\n"
    b"chr1\t300\t400\tp2\t900\t-\t1e3\t-1\t-1\t-1\n"
    b"chr2\t5\t5\tp3\t0\t+\t0\t0\t0\t0\n"
)


def _write(folder: Path, content: bytes, name: str = "x.bed") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        BED6,
        BED6.rstrip(b"\n"),
        BED6.replace(b"\n", b"\r\n"),
        b"browser position chr1:1-10\ntrack name=x\n#chrom\tstart\n\n" + BED6 + b"\n \n",
        b"\xef\xbb\xbf" + BED6,
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_forms_that_files_have_give_the_same_intervals(
    tmp_path: Path, content: bytes, pack: Callable[[bytes], bytes]
) -> None:
    table = read_intervals(_write(tmp_path, pack(content)))
    assert len(table) == 2
    assert table.chromosomes.tolist() == ["chr1", "chr2"]
    assert table.starts.tolist() == [0, 7]
    assert table.ends.tolist() == [10, 9]
    assert table.names.tolist() == ["a", "b c"]
    assert table.scores.tolist() == ["5", "0"]
    assert table.strands.tolist() == ["+", "-"]
    assert table.summits.tolist() == [-1, -1]
    assert table.extra == ()
    assert table.starts.dtype == table.ends.dtype == np.int64


def test_intervals_know_the_line_they_stand_on(tmp_path: Path) -> None:
    table = read_intervals(_write(tmp_path, b"track x\n\nchr1\t1\t2\n#\nchr1\t3\t4\n"))
    assert table.lines.tolist() == [3, 5]
    assert table.place(1) == f"{tmp_path / 'x.bed'}, line 5"
    assert table.text(1) == "chr1:3-4"
    assert table.strands.tolist() == [".", "."]
    assert table.names.tolist() == ["", ""]


def test_narrow_peaks_have_summits(tmp_path: Path) -> None:
    table = read_intervals(_write(tmp_path, PEAKS, "x.narrowPeak"))
    assert table.summits.tolist() == [40, -1, 0]
    assert table.extra[0].tolist() == ["12.5", "1e3", "0"]
    assert len(table.extra) == 4


def test_columns_may_stand_between_spaces(tmp_path: Path) -> None:
    table = read_intervals(_write(tmp_path, b"chr1  1 2 name\nchr1 3   4 other\n"))
    assert table.names.tolist() == ["name", "other"]


def test_all_twelve_columns_are_kept(tmp_path: Path) -> None:
    line = b"chr1\t1\t50\tn\t0\t+\t1\t50\t0,0,0\t2\t5,5\t0,44\n"
    table = read_intervals(_write(tmp_path, line))
    assert [column.tolist() for column in table.extra] == [["1"], ["50"], ["0,0,0"], ["2"], ["5,5"], ["0,44"]]
    assert table.summits.tolist() == [-1]


def test_some_of_the_intervals_can_be_taken(tmp_path: Path) -> None:
    table = read_intervals(_write(tmp_path, PEAKS)).take(np.array([2, 0]))
    assert table.names.tolist() == ["p3", "p1"]
    assert table.lines.tolist() == [3, 1]
    assert table.summits.tolist() == [0, 40]
    assert table.extra[0].tolist() == ["0", "12.5"]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"chr1\t1\n", 1, "this is no interval. Found: 'chr1\\t1'"),
        (b"\t1\t2\n", 1, "this is no interval"),
        (b"chrom\tstart\tend\nchr1\t1\t2\n", 1, "If this line names the columns"),
        (b"chr1\t1\t2\nchr1\t-1\t2\n", 2, "the start of the interval is no position. Found: '-1'"),
        (b"chr1\t1\t2.5\n", 1, "the end of the interval is no position. Found: '2.5'"),
        (b"chr1\t1\t" + b"9" * 30 + b"\n", 1, "the end of the interval is no position"),
        (b"chr1\t1\t2\nchr1\t9\t8\n", 2, "the interval ends before it starts. Found: 9 to 8"),
        (b"chr1\t1\t2\ta\t0\tx\n", 1, "the strand is unknown. Found: 'x' in column 6"),
        (b"chr1\t1\t2\nchr1\t1\t2\ta\n", 2, "the number of columns changes. Found: 4 columns. Accepted: 3"),
        (b"chr1\t1\t5\tp\t0\t.\t0\t0\t0\t9\n", 1, "the summit of the peak"),
        (b"chr1\t1\t5\tp\t0\t.\t0\t0\t0\tx\n", 1, "the summit of the peak"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, content: bytes, line: int, message: str) -> None:
    with pytest.raises(ReadError) as caught:
        read_intervals(_write(tmp_path, content))
    assert str(caught.value).startswith(f"{tmp_path / 'x.bed'}, line {line}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"# nothing\ntrack\n"])
def test_a_file_without_intervals_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ReadError, match="no intervals"):
        read_intervals(_write(tmp_path, content))


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="not text"):
        read_intervals(_write(tmp_path, b"\x00\x01\x02"))


@given(
    st.lists(
        st.tuples(st.sampled_from(["chr1", "2"]), st.integers(0, 10**9), st.integers(0, 10**6), st.sampled_from("+-.")),
        min_size=1,
        max_size=20,
    )
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, int, str]]
) -> None:
    path = tmp_path_factory.mktemp("bed") / "x.bed"
    path.write_text("".join(f"{name}\t{start}\t{start + size}\tn\t0\t{sign}\n" for name, start, size, sign in rows))
    table = read_intervals(path)
    assert_array_equal(table.starts, [start for _, start, _, _ in rows])
    assert_array_equal(table.ends, [start + size for _, start, size, _ in rows])
    assert table.chromosomes.tolist() == [row[0] for row in rows]
    assert table.strands.tolist() == [row[3] for row in rows]
