from __future__ import annotations

import gzip
import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from primase.bio import genome as genome_module
from primase.bio import genome_records
from primase.bio.genome import Genome, open_genome, views
from primase.bio.intervals import IntervalTable, read_intervals
from primase.bio.nucleotides import decode_nucleotides, encode_nucleotides, reverse_complement
from primase.errors import ReadError
from primase.events import Event, Progress

CHROMOSOMES = {"chr1": "ACGTNacgtn" * 7 + "ACG", "chr2": "TTTT", "chrM": "GATTACARYK" * 3}
FASTA = b"".join(
    f">{name} something\n".encode()
    + b"".join(letters[start : start + 10].encode() + b"\n" for start in range(0, len(letters), 10))
    for name, letters in CHROMOSOMES.items()
)


def _plain(path: Path) -> Path:
    path.write_bytes(FASTA)
    return path


def _gzip(path: Path) -> Path:
    path = path.with_name(path.name + ".gz")
    path.write_bytes(gzip.compress(FASTA, mtime=0))
    return path


def _indexed(path: Path) -> Path:
    pysam.faidx(str(_plain(path)))
    return path


def _bgzip(path: Path) -> Path:
    packed = path.with_name(path.name + ".gz")
    pysam.tabix_compress(str(_plain(path)), str(packed))
    return packed


def _indexed_bgzip(path: Path) -> Path:
    packed = _bgzip(path)
    pysam.faidx(str(packed))
    return packed


@pytest.fixture(params=[_plain, _gzip, _indexed, _bgzip, _indexed_bgzip], ids=lambda make: make.__name__)
def fasta(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "user"
    folder.mkdir()
    make: Callable[[Path], Path] = request.param
    return make(folder / "genome.fa")


def _texts(genome: Genome) -> dict[str, str]:
    return {name: decode_nucleotides(genome.chromosome(name)) for name in genome.names}


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 20])
def test_all_chromosomes_are_read(fasta: Path, tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(genome_records, "LETTERS_PER_BLOCK", block)
    genome = open_genome(fasta, chromosomes=None, folder=tmp_path / "cache")
    assert _texts(genome) == CHROMOSOMES
    assert genome.lengths.tolist() == [73, 4, 30]
    assert genome.offsets.tolist() == [0, 73, 77]
    assert genome.left_out == ()


def test_only_the_wanted_chromosomes_are_kept(fasta: Path, tmp_path: Path) -> None:
    genome = open_genome(fasta, chromosomes={"chrM", "chr2", "chr99"}, folder=tmp_path / "cache")
    assert _texts(genome) == {name: CHROMOSOMES[name] for name in ("chr2", "chrM")}
    assert genome.left_out == ("chr1",)
    assert len(genome.letters) == 34


def test_with_none_of_the_wanted_chromosomes_there_are_no_letters(fasta: Path, tmp_path: Path) -> None:
    genome = open_genome(fasta, chromosomes={"chr99"}, folder=tmp_path / "cache")
    assert genome.names == ()
    assert len(genome.letters) == 0
    assert genome.left_out == tuple(CHROMOSOMES)


def test_nothing_is_written_beside_the_file_of_the_user(fasta: Path, tmp_path: Path) -> None:
    before = sorted(fasta.parent.iterdir())
    open_genome(fasta, chromosomes=None, folder=tmp_path / "cache")
    assert sorted(fasta.parent.iterdir()) == before
    assert [entry.name[:7] for entry in (tmp_path / "cache").iterdir()] == ["genome-"]


def test_the_second_time_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _plain(tmp_path / "genome.fa")
    heard: list[Event] = []
    first = open_genome(path, chromosomes=None, folder=tmp_path / "cache", listener=heard.append)
    assert Progress("read the genome", 107, None, "letters") in heard
    monkeypatch.setattr(genome_module, "streamed_blocks", None)
    again = open_genome(path, chromosomes=None, folder=tmp_path / "cache", listener=heard.append)
    assert_array_equal(first.letters, again.letters)
    assert not again.letters.flags.writeable


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    path = _plain(tmp_path / "genome.fa")
    open_genome(path, chromosomes=None, folder=tmp_path / "cache")
    path.write_bytes(FASTA.replace(b"TTTT", b"CCCC"))
    os.utime(path, ns=(1, 1))
    assert _texts(open_genome(path, chromosomes=None, folder=tmp_path / "cache"))["chr2"] == "CCCC"


def test_other_chromosomes_have_a_cache_of_their_own(tmp_path: Path) -> None:
    path = _plain(tmp_path / "genome.fa")
    asked: list[set[str] | None] = [None, set(), {"chr1"}, {"chr1", "chr2"}]
    found = [open_genome(path, chromosomes=one, folder=tmp_path / "cache").names for one in asked]
    assert found == [("chr1", "chr2", "chrM"), (), ("chr1",), ("chr1", "chr2")]
    assert len(list((tmp_path / "cache").iterdir())) == 4


def test_an_index_that_is_older_than_the_file_is_not_trusted(tmp_path: Path) -> None:
    path = _indexed(tmp_path / "genome.fa")
    path.write_bytes(b">new\nACGT\n")
    os.utime(f"{path}.fai", ns=(1, 1))
    assert _texts(open_genome(path, chromosomes=None, folder=tmp_path / "cache")) == {"new": "ACGT"}


def test_an_index_of_another_file_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = _indexed(tmp_path / "genome.fa")
    path.write_bytes(b">new\nACGT\n")
    os.utime(path, ns=(1, 1))
    with pytest.raises(ReadError, match=r"the index of the genome does not fit the file.*samtools faidx"):
        open_genome(path, chromosomes=None, folder=tmp_path / "cache")
    assert capfd.readouterr().err == ""
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        FASTA.replace(b"\n", b"\r\n"),
        FASTA.replace(b"\n", b"\r"),
        FASTA.rstrip(b"\n"),
        b"\n\n" + FASTA,
        b"\xef\xbb\xbf" + FASTA,
        FASTA.replace(b"\n>", b"\n\n>"),
    ],
)
@pytest.mark.parametrize("block", [1, 2, 3, 16])
def test_the_forms_that_files_have_give_the_same_genome(
    tmp_path: Path, content: bytes, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(genome_records, "LETTERS_PER_BLOCK", block)
    path = tmp_path / "genome.fa"
    path.write_bytes(content)
    assert _texts(open_genome(path, chromosomes=None, folder=tmp_path / "cache")) == CHROMOSOMES


@settings(deadline=None)
@given(
    st.dictionaries(st.text("abc123", min_size=1, max_size=5), st.text("ACGTNacgt", max_size=40), min_size=1),
    st.integers(1, 9),
    st.integers(1, 50),
    st.data(),
)
def test_any_genome_in_any_blocks_is_read_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, records: dict[str, str], line: int, block: int, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("genome")
    text = ""
    for name, letters in records.items():
        text += f">{name}\n" + "".join(letters[at : at + line] + "\n" for at in range(0, len(letters), line))
    (folder / "x.fa").write_text(text)
    wanted = data.draw(st.none() | st.sets(st.sampled_from(list(records))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(genome_records, "LETTERS_PER_BLOCK", block)
        genome = open_genome(folder / "x.fa", chromosomes=wanted, folder=folder / "cache")
    expected = {name: letters for name, letters in records.items() if wanted is None or name in wanted}
    assert _texts(genome) == expected
    shutil.rmtree(folder)


@pytest.mark.parametrize("block", [1, 8, 1 << 20])
@pytest.mark.parametrize("index", [False, True])
def test_a_letter_that_is_no_nucleotide_is_named(
    *, tmp_path: Path, block: int, index: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(genome_records, "LETTERS_PER_BLOCK", block)
    path = tmp_path / "genome.fa"
    path.write_bytes(b">one\nACGT\n>two x\nACGTACGTAC\nGTJCGTACGT\nJ\n")
    if index:
        pysam.faidx(str(path))
    with pytest.raises(ReadError) as caught:
        open_genome(path, chromosomes=None, folder=tmp_path / "cache")
    expected = f"{path}, record 'two': a letter that is no nucleotide. Found: 'J' at position 13. Accepted: ACGT"
    assert str(caught.value).startswith(expected)
    assert list((tmp_path / "cache").iterdir()) == []
    assert open_genome(path, chromosomes={"one"}, folder=tmp_path / "cache").names == ("one",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no records"),
        (b"\n\n", "no records"),
        (b"ACGT\n>one\nACGT\n", "this is not a FASTA file. Found: 'ACGT'"),
        (b">one\nACGT\n>\nACGT\n", "a record without a name"),
        (b">one\nACGT\n>two\nA\n>one x\nACGT\n", "two records of the genome have one name. Found: 'one'"),
        (gzip.compress(FASTA, mtime=0)[:60], "damaged or cut off"),
        (b"\x1aE\x00\x00", "not text"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "genome.fa"
    path.write_bytes(content)
    with pytest.raises(ReadError) as caught:
        open_genome(path, chromosomes=None, folder=tmp_path / "cache")
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="does not exist"):
        open_genome(tmp_path / "no.fa", chromosomes=None, folder=tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(ReadError, match="the genome cannot be written to the cache"):
        open_genome(_plain(tmp_path / "genome.fa"), chromosomes=None, folder=tmp_path / "cache")


def test_memory_does_not_grow_with_the_genome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(genome_records, "LETTERS_PER_BLOCK", 1 << 16)
    path = tmp_path / "genome.fa"
    # One line without an end, as some genomes have them.
    path.write_bytes(b">one\n" + b"ACGTACGT" * 1_000_000 + b"\n")
    tracemalloc.start()
    try:
        genome = open_genome(path, chromosomes=None, folder=tmp_path / "cache")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert genome.lengths.tolist() == [8_000_000]
    assert peak < 4_000_000  # the buffer of the file is 1 MB


def _intervals(folder: Path, text: str) -> IntervalTable:
    path = folder / "x.bed"
    path.write_text(text)
    return read_intervals(path)


@pytest.fixture
def genome(tmp_path: Path) -> Genome:
    path = tmp_path / "genome.fa"
    random = np.random.default_rng(0)
    letters = ["".join(random.choice(list("ACGT"), size)) for size in (50, 80)]
    path.write_text(f">chr1\n{letters[0]}\n>chr2\n{letters[1]}\n")
    return open_genome(path, chromosomes=None, folder=tmp_path / "cache")


def _read(genome: Genome, table: IntervalTable, width: int | None = None) -> list[str]:
    """Read windows letter by letter, with padding outside of the chromosome."""
    found = views(genome, table, width=width)
    texts = []
    for row in range(len(table)):
        places = np.arange(found.starts[row], found.starts[row] + found.lengths[row])
        inside = (places >= found.lows[row]) & (places < found.highs[row])
        codes = np.where(inside, genome.letters[np.clip(places, 0, len(genome.letters) - 1)], 0).astype(np.uint8)
        texts.append(decode_nucleotides(reverse_complement(codes) if found.reverse[row] else codes))
    return texts


def test_intervals_are_what_samtools_reads(genome: Genome, tmp_path: Path) -> None:
    table = _intervals(tmp_path, "chr2\t3\t13\ta\t0\t+\nchr1\t0\t50\tb\t0\t-\nchr2\t70\t80\tc\t0\t.\n")
    with pysam.FastaFile(str(genome.path)) as reference:
        expected = [reference.fetch("chr2", 3, 13), reference.fetch("chr1", 0, 50), reference.fetch("chr2", 70, 80)]
    codes = encode_nucleotides(expected[1], where="chr1")
    expected[1] = decode_nucleotides(reverse_complement(codes))
    assert _read(genome, table) == expected


@pytest.mark.parametrize("width", [1, 4, 5, 20, 21])
@pytest.mark.parametrize("size", [10, 11])
def test_both_strands_of_a_window_have_the_same_centre(genome: Genome, tmp_path: Path, width: int, size: int) -> None:
    # The reverse complement of the genome, with the intervals turned as well, must give the same windows.
    start = 12
    forward = _read(genome, _intervals(tmp_path, f"chr1\t{start}\t{start + size}\ta\t0\t+\n"), width)
    turned = tmp_path / "turned.fa"
    turned.write_text(f">chr1\n{decode_nucleotides(reverse_complement(genome.chromosome('chr1')))}\n")
    other = open_genome(turned, chromosomes=None, folder=tmp_path / "cache")
    table = _intervals(tmp_path, f"chr1\t{50 - start - size}\t{50 - start}\ta\t0\t-\n")
    assert _read(other, table, width) == forward
    middle = decode_nucleotides(genome.chromosome("chr1"))[start + (size - width) // 2 :][:width]
    assert forward == [middle]


@pytest.mark.parametrize(("strand", "before"), [("+", 2), ("-", 1), (".", 2)])
def test_peaks_are_cut_around_their_summit(genome: Genome, tmp_path: Path, strand: str, before: int) -> None:
    table = _intervals(
        tmp_path, f"chr2\t20\t60\tp\t0\t{strand}\t0\t0\t0\t5\nchr2\t20\t60\tp\t0\t{strand}\t0\t0\t0\t-1\n"
    )
    found = views(genome, table, width=4)
    assert found.starts.tolist() == [50 + 25 - before, 50 + 38]
    assert found.lengths.tolist() == [4, 4]
    assert found.lows.tolist() == [50, 50]
    assert found.highs.tolist() == [130, 130]
    assert found.reverse.tolist() == [strand == "-"] * 2


def test_a_window_may_reach_over_the_end_of_its_chromosome(genome: Genome, tmp_path: Path) -> None:
    table = _intervals(tmp_path, "chr1\t0\t2\nchr1\t48\t50\nchr2\t0\t2\n")
    letters = {name: decode_nucleotides(genome.chromosome(name)) for name in genome.names}
    expected = ["--" + letters["chr1"][:4], letters["chr1"][-4:] + "--", "--" + letters["chr2"][:4]]
    assert _read(genome, table, 6) == expected


def test_empty_intervals_have_a_window_only_if_resized(genome: Genome, tmp_path: Path) -> None:
    table = _intervals(tmp_path, "chr1\t5\t6\nchr1\t10\t10\n")
    with pytest.raises(ReadError, match=r"line 2: the interval is empty\. Found: chr1:10-10\."):
        views(genome, table)
    assert views(genome, table, width=4).starts.tolist() == [3, 8]


def test_an_interval_past_the_end_is_named_with_its_line(genome: Genome, tmp_path: Path) -> None:
    table = _intervals(tmp_path, "# a\nchr1\t5\t50\nchr1\t10\t51\nchr2\t10\t99\n")
    with pytest.raises(ReadError) as caught:
        views(genome, table, width=4)
    expected = (
        f"{tmp_path / 'x.bed'}, line 3: the interval ends past the end of its chromosome. Found: chr1:10-51. "
        f"chr1 has 50 base pairs in {genome.path}: are the intervals of the same assembly?"
    )
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("name", "advice"),
    [("1", "The genome calls it 'chr1': rename it in one of the two files."), ("chrZ", None), ("chr1_alt", None)],
)
def test_a_chromosome_that_is_lacking_is_named(genome: Genome, tmp_path: Path, name: str, advice: str | None) -> None:
    table = _intervals(tmp_path, f"chr1\t1\t2\n{name}\t5\t50\n")
    with pytest.raises(ReadError) as caught:
        views(genome, table)
    error = caught.value
    assert (error.where, error.got, error.advice) == (f"{tmp_path / 'x.bed'}, line 2", name, advice)
    assert error.wanted == f"chr1, chr2 ({genome.path})"


def test_the_advice_goes_the_other_way_too_and_knows_what_was_left_out(tmp_path: Path) -> None:
    path = tmp_path / "genome.fa"
    path.write_text("".join(f">{name}\nACGT\n" for name in (*"1234567", "chr8")))
    genome = open_genome(path, chromosomes={"1"}, folder=tmp_path / "cache")
    with pytest.raises(ReadError, match=r"Accepted: 1, 2, 3, 4, 5 and 3 more .*The genome calls it '7'"):
        views(genome, _intervals(tmp_path, "chr7\t1\t2\n"))
    with pytest.raises(ReadError, match="It was left out when the genome was opened"):
        views(genome, _intervals(tmp_path, "chr8\t1\t2\n"))
