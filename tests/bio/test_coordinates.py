from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.bio.coordinates import Interval, Strand, coordinates_in_header


@pytest.mark.parametrize(
    ("header", "length", "expected"),
    [
        ("chr1:367697-367797(+)", 101, Interval("chr1", 367696, 367797, "+")),
        ("chr1:367697-367797(+)", 100, Interval("chr1", 367697, 367797, "+")),
        ("chr1:367697-367797(+)", None, Interval("chr1", 367697, 367797, "+")),
        ("chr1:367697-367797(+)", 400, Interval("chr1", 367697, 367797, "+")),
        (">chr1:1-101", 101, Interval("chr1", 0, 101, ".")),
        ("X:5-9(-)", 4, Interval("X", 5, 9, "-")),
        ("CID_000781;chr1,154950102,154950134,+", 332, Interval("chr1", 154950102, 154950134, "+")),
        ("id;chr14,23945242,23945271,-", None, Interval("chr14", 23945242, 23945271, "-")),
        (">name chr1:100-200", 100, Interval("chr1", 100, 200, ".")),
        ("peak_7::chr2:100-200(-)", 100, Interval("chr2", 100, 200, "-")),
        ("a|chrUn_KI270302v1:3-8|b", 5, Interval("chrUn_KI270302v1", 3, 8, ".")),
        ("hg38_dna range=chr7:11-20 5'pad=0 3'pad=0 strand=- repeatMasking=none", 10, Interval("chr7", 10, 20, "-")),
        ("NC_000001.11:1,000-2,000", 1000, Interval("NC_000001.11", 1000, 2000, ".")),
        ("HLA-A*01:100-110:-", 10, Interval("HLA-A*01", 100, 110, "-")),
        ("gene chr3:100-110:-", 10, Interval("chr3", 100, 110, "-")),
        ("chrX:100..110", 10, Interval("chrX", 100, 110, ".")),
        ("1 dna:chromosome chromosome:GRCh38:1:101:200:-1 REF", 100, Interval("1", 100, 200, "-")),
    ],
)
def test_the_ways_in_which_headers_name_places(header: str, length: int | None, expected: Interval) -> None:
    assert coordinates_in_header(header, length=length) == expected


@pytest.mark.parametrize(
    "header",
    ["", ">", "seq1", "sp|P12345|NAME_HUMAN a protein", "chr1", "chr1:200-100(+)", "chr1:100", "chr1:5-5", "chr1:5-9x"],
)
def test_a_header_without_a_place_has_none(header: str) -> None:
    assert coordinates_in_header(header, length=100) is None


@given(
    st.sampled_from(["chr1", "2", "chrX", "NC_000001.11", "scaffold-7"]),
    st.integers(0, 10**9),
    st.integers(2, 10**4),
    st.sampled_from(["+", "-", "."]),
    st.sampled_from(["", "name ", "a;", "b::"]),
)
def test_what_is_written_is_read_back(chromosome: str, start: int, size: int, strand: Strand, before: str) -> None:
    expected = Interval(chromosome, start, start + size, strand)
    assert len(expected) == size
    half_open = f"{before}{chromosome}:{start}-{start + size}({strand})"
    assert coordinates_in_header(half_open, length=size) == expected
    both_ends = f"{before}{chromosome}:{start + 1}-{start + size}({strand})"
    assert coordinates_in_header(both_ends, length=size) == expected
    assert coordinates_in_header(f"{before}{chromosome},{start},{start + size},{strand} x", length=size) == expected


@pytest.mark.parametrize(
    ("name", "flank"),
    [("rbp31/QKI.test.positives.fa.gz", 0), ("rbp24/PARCLIP_QKI.ls.positives.fa.gz", 150)],
)
def test_every_header_of_the_published_sets_names_a_place(name: str, flank: int) -> None:
    path = Path(os.environ.get("PRIMASE_MIRROR", "/nowhere")) / name
    if not path.exists():
        pytest.skip(f"PRIMASE_MIRROR does not hold {name}")
    with gzip.open(path, "rt") as file:
        records = [record.split("\n", 1) for record in file.read().split(">")[1:]]
    fitting = 0
    for header, letters in records:
        sequence = letters.replace("\n", "")
        found = coordinates_in_header(header, length=len(sequence))
        assert found is not None
        fitting += len(found) + 2 * flank == len(sequence)
    assert fitting > 0.95 * len(records)  # sites near the ends of transcripts have shorter flanks
