from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from primase.bio.genbank import read_proteins
from primase.errors import ReadError

RECORD = """LOCUS       {accession}                 120 bp    DNA     linear   SYN 01-JAN-2020
DEFINITION  made up.
ACCESSION   {accession}
VERSION     {accession}.1
KEYWORDS    .
SOURCE      .
  ORGANISM  .
            .
FEATURES             Location/Qualifiers
     source          1..120
                     /organism="made up"
{chromosome}     gene            11..40
                     /locus_tag="L1"
     CDS             11..40
                     /gene="abc"
                     /locus_tag="L1"
                     /product="first protein with a name
                     over two lines"
                     /EC_number="1.1.1.1"
                     /EC_number="2.7.-.-"
                     /EC_number="1.1.1.1"
                     /translation="MKVLA
                     WGCD"
     CDS             complement(join(51..60,71..80))
                     /locus_tag="L2"
                     /translation="MKV"
     CDS             join(complement(91..100),complement(81..86))
                     /locus_tag="L3"
                     /translation="MKL"
     CDS             complement(<100..>120)
                     /protein_id="P4.1"
                     /translation="mkw"
     CDS             1..9
                     /locus_tag="L5"
                     /pseudo
ORIGIN
        1 acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt
       61 acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt
//
"""
CHROMOSOME = '                     /chromosome="IV"\n'


def _archive(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def test_proteins_are_the_coding_sequences_with_a_translation(tmp_path: Path) -> None:
    members = {"chr.gb": RECORD.format(accession="AB1", chromosome=CHROMOSOME), "readme.txt": "no GenBank"}
    proteins = list(read_proteins(_archive(tmp_path / "x.zip", members)))
    assert [protein.locus_tag for protein in proteins] == ["L1", "L2", "L3", "P4.1"]
    first = proteins[0]
    assert (first.gene, first.product) == ("abc", "first protein with a name over two lines")
    assert first.ec_numbers == ("1.1.1.1", "2.7.-.-")
    assert first.translation == "MKVLAWGCD"
    assert proteins[1].gene is None
    assert proteins[1].ec_numbers == ()
    assert proteins[3].translation == "MKW"
    assert {protein.chromosome for protein in proteins} == {"IV"}


def test_coordinates_are_zero_based_and_half_open_however_exons_are_written(tmp_path: Path) -> None:
    members = {"chr.gb": RECORD.format(accession="AB1", chromosome="")}
    proteins = list(read_proteins(_archive(tmp_path / "x.zip", members)))
    assert [(protein.start, protein.end, protein.strand) for protein in proteins] == [
        (10, 40, 1),
        (50, 80, -1),
        (80, 100, -1),
        (99, 120, -1),
    ]
    assert proteins[0].chromosome == "AB1"


def test_members_are_chosen_by_pattern_and_read_by_name(tmp_path: Path) -> None:
    names = {"b.gb": "AB2", "a.gb": "AB1", "c.gbk": "AB3"}
    members = {name: RECORD.format(accession=accession, chromosome="") for name, accession in names.items()}
    path = _archive(tmp_path / "x.zip", members)
    assert [protein.chromosome for protein in read_proteins(path)] == ["AB1"] * 4 + ["AB2"] * 4
    assert {protein.chromosome for protein in read_proteins(path, "*.gbk")} == {"AB3"}


def test_nothing_is_unpacked_to_disk(tmp_path: Path) -> None:
    members = {"../evil.gb": RECORD.format(accession="AB1", chromosome="")}
    folder = tmp_path / "folder"
    folder.mkdir()
    assert len(list(read_proteins(_archive(folder / "x.zip", members)))) == 4
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["x.zip"]


def test_what_is_wrong_with_an_archive_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"nowhere\.zip: the file does not exist"):
        list(read_proteins(tmp_path / "nowhere.zip"))
    plain = tmp_path / "plain.zip"
    plain.write_text("no archive")
    with pytest.raises(ReadError, match=r"plain\.zip: the ZIP archive is damaged"):
        list(read_proteins(plain))
    with pytest.raises(ReadError, match=r"has no file '\*\.gb'.*a\.txt"):
        list(read_proteins(_archive(tmp_path / "a.zip", {"a.txt": "x"})))
    with pytest.raises(ReadError, match=r"b\.gb"):
        list(read_proteins(_archive(tmp_path / "b.zip", {"b.gb": "this is not GenBank\n"})))
    with pytest.raises(ReadError, match=r"Is a directory"):
        list(read_proteins(tmp_path))


def test_a_damaged_member_is_an_error(tmp_path: Path) -> None:
    path = _archive(tmp_path / "x.zip", {"chr.gb": RECORD.format(accession="AB1", chromosome="")})
    content = bytearray(path.read_bytes())
    content[100:140] = bytes(40)
    path.write_bytes(content)
    assert zipfile.is_zipfile(io.BytesIO(bytes(content)))
    with pytest.raises(ReadError, match=r"x\.zip"):
        list(read_proteins(path))
