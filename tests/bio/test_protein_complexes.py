from __future__ import annotations

import zipfile
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.bio.genbank import AnnotatedProtein, OntologyTerm, read_proteins
from primase.bio.protein_complexes import ProteinComplex, co_complex_graph, find_complexes, is_complex, is_curated

RECORD = """LOCUS       AB1                      120 bp    DNA     linear   SYN 01-JAN-2020
DEFINITION  made up.
ACCESSION   AB1
VERSION     AB1.1
KEYWORDS    .
SOURCE      .
  ORGANISM  .
            .
FEATURES             Location/Qualifiers
     source          1..120
                     /organism="made up"
     CDS             11..40
                     /locus_tag="L1"
                     /GO_component="GO:0000502 - proteasome complex [Evidence
                     IEA,IEA]"
                     /GO_component="GO:0005634 - nucleus [Evidence IDA]"
                     /GO_component="GO:0000502 - proteasome complex [Evidence IDA]
                     [PMID 11742986,
                     12345678]"
                     /GO_component="nucleus [goid 0005634]"
                     /GO_function="GO:0005524 - ATP binding complex [Evidence IDA]"
                     /translation="MKV"
     CDS             51..80
                     /locus_tag="L2"
                     /translation="MKV"
ORIGIN
        1 acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt
       61 acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt
//
"""


def protein(tag: str, *terms: tuple[str, str, str]) -> AnnotatedProtein:
    components = tuple(OntologyTerm(accession, name, tuple(codes.split(","))) for accession, name, codes in terms)
    return AnnotatedProtein(tag, None, "", (), "MKV", "I", 0, 9, 1, components)


def test_terms_are_read_once_with_the_evidence_of_all_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("chr.gb", RECORD)
    first, second = read_proteins(path)
    assert first.components == (
        OntologyTerm("GO:0000502", "proteasome complex", ("IDA", "IEA")),
        OntologyTerm("GO:0005634", "nucleus", ("IDA",)),
    )
    assert second.components == ()


@pytest.mark.parametrize(
    ("codes", "curated"),
    [("IEA", False), ("ND", False), ("IEA,ND", False), ("IDA", True), ("IDA,IEA", True), ("IBA", True), ("TAS", True)],
)
def test_evidence_counts_where_a_curator_stands_behind_it(codes: str, curated: bool) -> None:  # noqa: FBT001
    assert is_curated(OntologyTerm("GO:0000502", "proteasome complex", tuple(codes.split(",")))) is curated


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Arp2/3 protein complex", True),
        ("retromer, tubulation complex", True),
        ("proteasome regulatory particle, base subcomplex", True),
        ("mitochondrial small ribosomal subunit", True),
        ("U2-type prespliceosome", True),
        ("vacuolar proton-transporting V-type ATPase, V1 domain", True),
        ("nucleus", False),
        ("lysosome", False),
        ("cytoplasmic stress granule", False),
        ("integral component of membrane", False),
        ("chromosome, centromeric region", False),
    ],
)
def test_complexes_are_told_from_places_by_name(name: str, expected: bool) -> None:  # noqa: FBT001
    assert is_complex(name) is expected


def test_complexes_hold_the_proteins_that_curators_put_there() -> None:
    one, two, place = ("GO:2", "second complex"), ("GO:1", "U9 snRNP"), ("GO:3", "nucleus")
    proteins = [
        protein("C", (*one, "IDA"), (*place, "IDA")),
        protein("A", (*one, "IPI"), (*two, "IMP")),
        protein("B", (*one, "IEA"), (*two, "ISS"), (*place, "IDA")),
    ]
    assert find_complexes(proteins) == [
        ProteinComplex("GO:1", "U9 snRNP", ("A", "B")),
        ProteinComplex("GO:2", "second complex", ("A", "C")),
    ]


def test_complexes_have_2_to_40_proteins_unless_said_otherwise() -> None:
    sizes = {"GO:1": 1, "GO:2": 2, "GO:3": 40, "GO:4": 41}
    proteins = [
        protein(f"P{number:02}", *((go, "complex", "IDA") for go, size in sizes.items() if number < size))
        for number in range(41)
    ]
    assert [group.accession for group in find_complexes(proteins)] == ["GO:2", "GO:3"]
    assert [group.accession for group in find_complexes(proteins, smallest=1, largest=41)] == [*sizes]
    assert find_complexes([]) == []


@given(st.lists(st.sets(st.sampled_from("ABCDEFG"), min_size=2), max_size=6))
def test_every_two_proteins_of_one_complex_are_linked_once(groups: list[set[str]]) -> None:
    complexes = [ProteinComplex(f"GO:{number}", "", tuple(sorted(group))) for number, group in enumerate(groups)]
    graph = co_complex_graph(complexes)
    expected = {frozenset(pair) for group in groups for pair in combinations(group, 2)}
    found = [frozenset(pair) for pair in graph.names[graph.edges].tolist()]
    assert set(found) == expected
    assert len(found) == len(expected)
    assert graph.names.tolist() == sorted(set().union(*groups))
