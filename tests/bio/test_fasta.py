from __future__ import annotations

import gzip
import tempfile
import tracemalloc
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.bio.alphabets import DNA
from primase.bio.fasta import SequenceRecord, read_fasta, read_nucleotides, write_fasta
from primase.bio.nucleotides import decode_nucleotides
from primase.errors import ReadError

GOOD = b">a first one\nMKV\n\nlla\n>b\nACDEF*\n"
EXPECTED = [SequenceRecord("a", "first one", "MKVLLA"), SequenceRecord("b", "", "ACDEF")]


def _write(folder: Path, content: bytes, name: str = "x.fa") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.rstrip(b"\n"),
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b"\n", b"\r"),
        b"\n \n" + GOOD + b"\n\n",
        b"\xef\xbb\xbf" + GOOD,
        b"; an old comment\n" + GOOD,
        GOOD.replace(b"MKV", b" MK V\t"),
        GOOD.replace(b">a ", b">a\t"),
        GOOD.replace(b">a ", b"> a "),
    ],
)
@pytest.mark.parametrize("name", ["x.fa", "x.fa.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_forms_that_files_have_give_the_same_records(
    tmp_path: Path, content: bytes, name: str, pack: Callable[[bytes], bytes]
) -> None:
    path = _write(tmp_path, pack(content), name)
    assert list(read_fasta(path)) == EXPECTED


def test_headers_with_accents_in_any_encoding_are_read(tmp_path: Path) -> None:
    path = _write(tmp_path, ">a Universität\nMK\n".encode("latin-1"))
    assert next(read_fasta(path)).description.startswith("Universit")
    path = _write(tmp_path, ">a Universität\nMK\n".encode())
    assert next(read_fasta(path)).description == "Universität"


def test_several_gzip_streams_in_one_file_are_read_to_the_end(tmp_path: Path) -> None:
    path = _write(tmp_path, gzip.compress(b">a\nMK\n") + gzip.compress(b">b\nVL\n"))
    assert [record.id for record in read_fasta(path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["no records", "empty"]),
        (b"\n\n", ["no records"]),
        (b"MKV\nLLA\n", ["line 1", "not a FASTA file", "'MKV'", "'>'"]),
        (b"\n\nid\tdomains\n", ["line 3", "not a FASTA file"]),
        (b">a\nMK\n>b\n>c\nMK\n", ["line 3", "record 'b'", "without a sequence"]),
        (b">a\nMK\n>b\n", ["line 3", "record 'b'", "without a sequence"]),
        (b">\nMK\n", ["line 1", "without a name"]),
        (b">a\nMK\n>b\nMKV\nL-A\n", ["line 3", "record 'b'", "'-' at position 5 of 6", "gaps"]),
        (b">a\nMK\n>b\nMKV\nL1A\n", ["record 'b'", "'1' at position 5"]),
        (b">a\n\x00\x01\x02", ["not text", "binary"]),
        (bytes(range(256)) * 20, ["not text", "binary"]),
        (">a\nMK\n".encode("utf-16"), ["UTF-16"]),
        (b"PK\x03\x04xxxx", ["ZIP"]),
        (b"BZh9xxxx", ["bzip2"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, content: bytes, parts: list[str]) -> None:
    path = _write(tmp_path, content)
    with pytest.raises(ReadError) as caught:
        list(read_fasta(path))
    message = str(caught.value)
    assert message.startswith(str(path))
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    "packed", [gzip.compress(GOOD * 5000, mtime=0)[:200], gzip.compress(GOOD, mtime=0)[:-8] + b"12345678"]
)
def test_a_damaged_gzip_is_an_error_however_much_was_read(tmp_path: Path, packed: bytes) -> None:
    path = _write(tmp_path, packed, "x.fa.gz")
    with pytest.raises(ReadError, match=r"x\.fa\.gz: the gzip file is damaged or cut off"):
        list(read_fasta(path))


def test_a_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="is a folder"):
        list(read_fasta(tmp_path))
    with pytest.raises(ReadError, match=r"nowhere\.fa: the file does not exist"):
        list(read_fasta(tmp_path / "nowhere.fa"))


def test_dna_given_as_protein_is_refused_before_the_first_record(tmp_path: Path) -> None:
    path = _write(tmp_path, b"".join(b">r%d\nACGTTGCAAGGCTTAC\n" % number for number in range(5_000)))
    with pytest.raises(ReadError, match="looks like a file of DNA, not of proteins"):
        next(read_fasta(path))
    assert len(list(read_fasta(path, alphabet=DNA))) == 5_000


def test_reading_holds_a_bounded_part_of_the_file_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    write_fasta(path, (SequenceRecord(str(number), "", "MKVLA" * 60) for number in range(40_000)))
    assert path.stat().st_size > 12_000_000
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_fasta(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 40_000
    assert peak < 5_000_000


NAMES = st.text(alphabet="abcXYZ019|._", min_size=1, max_size=8)
RECORDS = st.lists(
    st.builds(
        SequenceRecord,
        NAMES,
        st.lists(NAMES, max_size=3).map(" ".join),
        st.text(alphabet="ACDEFGHIKLMNPQRSTVWYX", min_size=1, max_size=200),
    ),
    min_size=1,
    max_size=8,
)


@given(RECORDS, st.integers(1, 90), st.sampled_from(["x.fa", "x.fa.gz"]))
def test_what_is_written_is_read_back(records: list[SequenceRecord], line_length: int, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        assert write_fasta(path, records, line_length=line_length) == len(records)
        assert path.read_bytes().startswith(b"\x1f\x8b" if name.endswith(".gz") else b">")
        # Read without the check for nucleotides, which tiny sequences of A, C, G and T rightly fail.
        letters = DNA.letters
        if any(set(record.sequence) - set(letters) for record in records):
            assert list(islice(read_fasta(path), 100)) == records


def test_interrupted_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = _write(tmp_path, GOOD)

    def failing() -> object:
        yield SequenceRecord("a", "", "MK")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_fasta(path, failing())  # type: ignore[arg-type]  # a generator that fails on purpose
    assert path.read_bytes() == GOOD
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.fa"]


# Nucleotides


NUCLEOTIDES = b">a first one\nACG\n\nuun\n>b\nRyACGT\n"


@pytest.mark.parametrize(
    "content",
    [
        NUCLEOTIDES,
        NUCLEOTIDES.rstrip(b"\n"),
        NUCLEOTIDES.replace(b"\n", b"\r\n"),
        NUCLEOTIDES.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + NUCLEOTIDES,
        NUCLEOTIDES.replace(b"ACG\n", b" AC G\t\n"),
        NUCLEOTIDES.replace(b"uu", b"tt"),
        NUCLEOTIDES.replace(b"T", b"U"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_nucleotides_in_the_forms_that_files_have(
    tmp_path: Path, content: bytes, pack: Callable[[bytes], bytes]
) -> None:
    records = list(read_nucleotides(_write(tmp_path, pack(content))))
    assert [(record.id, record.description) for record in records] == [("a", "first one"), ("b", "")]
    assert [decode_nucleotides(record.codes) for record in records] == ["ACGttn", "RyACGT"]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["no records", "empty"]),
        (b"ACGT\n", ["line 1", "not a FASTA file"]),
        (b">a\nAC\n>b\n>c\nAC\n", ["line 3", "record 'b'", "without a sequence"]),
        (b">a\nAC\n>\nAC\n", ["line 3", "without a name"]),
        (b">a\nAC\n>b\nACG\nA5T\n", ["line 3", "record 'b'", "'5' at position 5 of 6", "no nucleotide"]),
        (b">a\nAC-T\n", ["'-' at position 3 of 4", "gaps"]),
        (b">a kinase\nMKVLLAEF*\n", ["record 'a'", "'L' at position 4", "looks like a protein"]),
        (b">a\nAC\n>p\nACDEFGHIK\n", ["line 3", "record 'p'", "'E' at position 4", "looks like a protein"]),
        (">a\nAC\u00c4T\n".encode(), ["record 'a'", "at position 3 of 4"]),
    ],
)
def test_what_is_wrong_with_nucleotides_is_said_with_its_place(
    tmp_path: Path, content: bytes, parts: list[str]
) -> None:
    path = _write(tmp_path, content)
    with pytest.raises(ReadError) as caught:
        list(read_nucleotides(path))
    assert str(caught.value).startswith(str(path))
    for part in parts:
        assert part in str(caught.value)


def test_nucleotides_are_read_one_record_at_a_time(tmp_path: Path) -> None:
    path = _write(tmp_path, b">a\nACGT\n>b\nAC!T\n")
    records = read_nucleotides(path)
    assert next(records).id == "a"
    with pytest.raises(ReadError, match="'!' at position 3"):
        next(records)
