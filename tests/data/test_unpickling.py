from __future__ import annotations

import contextlib
import datetime as dt
import os
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.apps.enzyme_identification.sources import ENZYME_FAMILIES_FILE, FAMILY_NAMES_FILE
from primase.data.mirror import MirrorFolder
from primase.data.unpickling import load_string_lists, load_strings
from primase.errors import ReadError

LATIN = st.text(st.characters(max_codepoint=255), max_size=20)

# What Python 2 writes for [["a", "b'"], []], protocol 0: byte strings, each remembered.
PYTHON_2 = b"""(lp0\n(lp1\nS'a'\np2\naS"b'"\np3\naa(lp4\na."""


def write(folder: Path, content: bytes) -> Path:
    path = folder / "some.pickle"
    path.write_bytes(content)
    return path


def test_reads_what_python_2_wrote(tmp_path: Path) -> None:
    assert pickle.loads(PYTHON_2) == [["a", "b'"], []]
    assert load_string_lists(write(tmp_path, PYTHON_2)) == [["a", "b'"], []]


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02]q\x00(U\x02abq\x01U\x01\xe9e.",  # protocol 2: short byte strings
        b"\x80\x02]q\x00(T\x02\x00\x00\x00abq\x01T\x01\x00\x00\x00\xe9e.",  # protocol 1: long byte strings
        b"(lp0\nVab\np1\naV\\u00e9\na.",  # protocol 0: unicode
    ],
)
def test_reads_the_other_ways_of_python_2(tmp_path: Path, content: bytes) -> None:
    assert pickle.loads(content, encoding="latin-1") == ["ab", "é"]
    assert load_strings(write(tmp_path, content)) == ["ab", "é"]


@given(rows=st.lists(st.lists(LATIN)), protocol=st.integers(0, 4))
def test_lists_come_back_as_pickle_wrote_them(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], protocol: int
) -> None:
    path = write(tmp_path_factory.getbasetemp(), pickle.dumps(rows, protocol))
    assert load_string_lists(path) == rows


@given(strings=st.lists(LATIN), protocol=st.integers(0, 4))
def test_strings_come_back_as_pickle_wrote_them(
    tmp_path_factory: pytest.TempPathFactory, strings: list[str], protocol: int
) -> None:
    path = write(tmp_path_factory.getbasetemp(), pickle.dumps(strings, protocol))
    assert load_strings(path) == strings


def test_a_list_that_occurs_twice_is_read_twice(tmp_path: Path) -> None:
    row = ["a", "b"]
    path = write(tmp_path, pickle.dumps([row, row], protocol=0))
    assert load_string_lists(path) == [row, row]


class _Harmful:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("exit 3",)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_a_global_is_named_and_never_looked_up(tmp_path: Path, protocol: int) -> None:
    path = write(tmp_path, pickle.dumps([["a"], _Harmful()], protocol))
    with pytest.raises(ReadError, match=rf"global {os.system.__module__}\.system") as caught:
        load_string_lists(path)
    assert caught.value.where == str(path)


def test_the_instance_instruction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"global os\.system"):
        load_strings(write(tmp_path, b"(S'exit 3'\nios\nsystem\n."))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"(lp0\nPsecret\na.", "persistent id"),
        (b"]\x82\x01a.", "EXT1"),
        (pickle.dumps([1], 0), "INT"),
        (pickle.dumps([("a",)], 2), "TUPLE1"),
        (pickle.dumps([{}], 2), "EMPTY_DICT"),
        (pickle.dumps([None], 2), "NONE"),
        (pickle.dumps([b"a"], 4), "SHORT_BINBYTES"),
        (pickle.dumps([dt.date(2000, 1, 1)], 4), "global datetime.date"),
    ],
)
def test_anything_but_lists_and_strings_is_refused(tmp_path: Path, content: bytes, named: str) -> None:
    with pytest.raises(ReadError, match="forbidden") as caught:
        load_strings(write(tmp_path, content))
    assert named in str(caught.value.got)


@pytest.mark.parametrize("length", range(len(PYTHON_2)))
def test_every_truncation_is_noticed(tmp_path: Path, length: int) -> None:
    with pytest.raises(ReadError, match="truncated or damaged"):
        load_string_lists(write(tmp_path, PYTHON_2[:length]))


@given(content=st.binary(max_size=200))
def test_no_bytes_cause_any_other_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = write(tmp_path_factory.getbasetemp(), content)
    for load in (load_strings, load_string_lists):
        try:
            load(path)
        except ReadError:
            continue


@pytest.mark.parametrize(
    "content",
    [b"S'a'\n.", b"a.", b".", b"(.", b"(l(a.", b"S'a'\nS'b'\na.", b"g5\n.", b"(lp0\ng0\na.", b"not a pickle"],
)
def test_nonsense_is_a_read_error(tmp_path: Path, content: bytes) -> None:
    for load in (load_strings, load_string_lists):
        with pytest.raises(ReadError):
            load(write(tmp_path, content))


def test_the_shape_is_checked(tmp_path: Path) -> None:
    strings = write(tmp_path, pickle.dumps(["a"], 0))
    with pytest.raises(ReadError, match=r"Found: string\. Accepted: a list of lists of strings"):
        load_string_lists(strings)
    for nested in ([["a"]], [[["a"]]], ["a", ["b"]]):
        with pytest.raises(ReadError, match="list"):
            load_strings(write(tmp_path, pickle.dumps(nested, 0)))
    with pytest.raises(ReadError, match="list of lists of strings"):
        load_string_lists(write(tmp_path, pickle.dumps([["a"], [["b"]]], 0)))


def test_a_list_repeated_many_times_is_refused(tmp_path: Path) -> None:
    # 1,000 strings, mentioned 10,000 times at two bytes each: ten million entries from 30 kB.
    row = b"](" + b"U\x01a" * 1000 + b"e" + b"q\x01"
    content = b"](" + row + b"h\x01" * 10_000 + b"e."
    assert len(pickle.loads(content)) == 10_001
    with pytest.raises(ReadError, match="more entries than it has bytes"):
        load_string_lists(write(tmp_path, content))


@pytest.mark.parametrize(
    "content",
    [
        b"]r" + struct.pack("<I", 0x7FFF_FFFF) + b".",  # remembered at an index of two billion
        b"]X" + struct.pack("<I", 0xFFFF_FFFF) + b"a.",  # a string that claims four gigabytes
        b"]\x8d" + struct.pack("<Q", 1 << 62) + b"a.",
    ],
)
def test_a_few_bytes_cannot_claim_much_memory(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content)
    tracemalloc.start()
    try:
        with contextlib.suppress(ReadError):
            assert load_strings(path) == []
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1_000_000


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"absent\.pickle"):
        load_strings(tmp_path / "absent.pickle")


def test_the_papers_files_agree_with_pickle() -> None:
    folder = os.environ.get("PRIMASE_MIRROR")
    mirror = MirrorFolder(Path(folder)) if folder else None
    names = mirror.find(FAMILY_NAMES_FILE) if mirror else None
    enzymes = mirror.find(ENZYME_FAMILIES_FILE) if mirror else None
    if names is None or enzymes is None:
        pytest.skip("PRIMASE_MIRROR does not hold the paper's enzyme set")
    # The content is that of the registered sha256, so that the ordinary unpickler is safe here.
    assert load_strings(names) == pickle.loads(names.read_bytes())
    rows = load_string_lists(enzymes)
    assert rows == pickle.loads(enzymes.read_bytes())
    assert len(rows) == 22_168
