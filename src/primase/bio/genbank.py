"""Annotated genomes: the proteins that GenBank files describe."""

from __future__ import annotations

import fnmatch
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, cast

import gb_io

from primase.errors import ReadError

Strand = Literal[1, -1]

_TERM: Final = re.compile(r"(GO:\d{7}) - (.+) \[Evidence ([A-Z]+(?:, ?[A-Z]+)*)\]")


@dataclass(frozen=True, slots=True)
class OntologyTerm:
    """What a protein is annotated with in the Gene Ontology, and on which evidence.

    Parameters
    ----------
    accession
        Such as ``"GO:0005671"``.
    name
        Such as ``"Ada2/Gcn5/Ada3 transcription activator complex"``.
    evidence
        The codes of all evidence, each once and sorted, such as ``("IDA", "IEA")``; https://geneontology.org explains
        them.
    """

    accession: str
    name: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnnotatedProtein:
    """A protein as a genome's annotation describes it.

    Parameters
    ----------
    locus_tag
        The systematic name of the gene, such as ``"YAL068C"``.
    gene
        Its common name, such as ``"PAU8"``; None where it has none.
    product
        What the protein is called.
    ec_numbers
        The reactions it catalyses, as Enzyme Commission numbers, such as ``"3.2.2.-"``; none for most proteins.
    translation
        The sequence, upper case.
    chromosome
        The name of the chromosome, such as ``"I"``, or the accession of the record where it has none.
    start, end
        Where the coding sequence lies, in base pairs, 0-based and half-open, from its first to its last exon.
    strand
        1 for forward, -1 for reverse.
    components
        Where in the cell it is, and which complexes it is part of: terms of the Gene Ontology, each once, in the order
        of the file.
    """

    locus_tag: str
    gene: str | None
    product: str
    ec_numbers: tuple[str, ...]
    translation: str
    chromosome: str
    start: int
    end: int
    strand: Strand
    components: tuple[OntologyTerm, ...] = ()


def read_proteins(path: Path, member_pattern: str = "*.gb") -> Iterator[AnnotatedProtein]:
    """Read the proteins of an annotated genome from GenBank files in a ZIP archive.

    A protein is a coding sequence (CDS) with a translation; pseudogenes have none and are left out. Nothing is
    unpacked to disk.

    Parameters
    ----------
    path
        The archive.
    member_pattern
        Which of its files to read, with ``*`` and ``?`` as in a shell. They are read in the order of their names.

    Yields
    ------
    AnnotatedProtein
        In the order of the files.

    Raises
    ------
    ReadError
        If the archive is missing or damaged, has no such file, or a file is not GenBank.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(name for name in archive.namelist() if fnmatch.fnmatchcase(name, member_pattern))
            if not members:
                got = ", ".join(archive.namelist()[:5]) or "an empty archive"
                what = f"the archive has no file {member_pattern!r}"
                raise ReadError(what, where=str(path), got=got)
            for member in members:
                yield from _read_member(archive, member, path)
    except FileNotFoundError as error:
        what = "the file does not exist"
        raise ReadError(what, where=str(path)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        what = "the ZIP archive is damaged"
        raise ReadError(what, where=str(path), got=str(error), wanted="a ZIP archive of GenBank files") from error
    except OSError as error:
        what = "the file cannot be read"
        raise ReadError(what, where=str(path), got=error.strerror or str(error)) from error


def _read_member(archive: zipfile.ZipFile, member: str, path: Path) -> Iterator[AnnotatedProtein]:
    place = f"{path}, {member}"
    with archive.open(member) as file:
        try:
            records = list(gb_io.iter(cast("BinaryIO", file)))
        except (ValueError, RuntimeError) as error:  # gb_io raises the latter for a syntax error
            what = "the GenBank file cannot be read"
            raise ReadError(what, where=place, got=" ".join(str(error).split())) from error
    if not records:
        what = "the GenBank file has no records"
        raise ReadError(what, where=place)
    for record in records:
        features = [(feature, _qualifiers(feature)) for feature in record.features]
        named = (qualifiers["chromosome"][0] for feature, qualifiers in features if "chromosome" in qualifiers)
        chromosome = next(named, record.accession or record.name or member)
        for feature, qualifiers in features:
            if feature.kind == "CDS" and "translation" in qualifiers:
                yield _protein(feature, qualifiers, chromosome, place)


def _qualifiers(feature: gb_io.Feature) -> dict[str, list[str]]:
    """Collect the qualifiers by name; where a text was broken over lines, a space stands between the lines."""
    values: dict[str, list[str]] = defaultdict(list)
    for qualifier in feature.qualifiers:
        values[qualifier.key].append(" ".join((qualifier.value or "").split()))
    return dict(values)


def _protein(feature: gb_io.Feature, qualifiers: dict[str, list[str]], chromosome: str, place: str) -> AnnotatedProtein:
    names = qualifiers.get("locus_tag") or qualifiers.get("protein_id")
    if not names:
        what = "a coding sequence without a locus_tag and a protein_id"
        raise ReadError(what, where=place, got=str(feature.location))
    spans = list(spans_of(feature.location))
    if not spans:
        what = "a coding sequence without a place in the record"
        raise ReadError(what, where=f"{place}, {names[0]}", got=str(feature.location))
    return AnnotatedProtein(
        locus_tag=names[0],
        gene=qualifiers.get("gene", [None])[0],
        product=qualifiers.get("product", [""])[0],
        ec_numbers=tuple(dict.fromkeys(qualifiers.get("EC_number", ()))),
        translation="".join(qualifiers["translation"][0].split()).upper(),
        chromosome=chromosome,
        start=min(start for start, _, _ in spans),
        end=max(end for _, end, _ in spans),
        strand=spans[0][2],
        components=_terms(qualifiers.get("GO_component", ())),
    )


def _terms(texts: Sequence[str]) -> tuple[OntologyTerm, ...]:
    """Read what stands in the qualifier of an ontology, a line per publication; what is written otherwise is left."""
    names: dict[str, str] = {}
    evidence: dict[str, set[str]] = defaultdict(set)
    for matched in filter(None, map(_TERM.match, texts)):
        accession, name, codes = matched.groups()
        names.setdefault(accession, name)
        evidence[accession].update(code.strip() for code in codes.split(","))
    return tuple(OntologyTerm(accession, name, tuple(sorted(evidence[accession]))) for accession, name in names.items())


def spans_of(location: gb_io.Location, strand: Strand = 1) -> Iterator[tuple[int, int, Strand]]:
    """Take a location apart into (start, end, strand), 0-based and half-open; parts in other records are left out."""
    if isinstance(location, gb_io.Complement):
        yield from spans_of(location.location, -1 if strand == 1 else 1)
    elif isinstance(location, gb_io.Join | gb_io.Order | gb_io.OneOf | gb_io.Bond):
        for part in location.locations:
            yield from spans_of(part, strand)
    elif isinstance(location, gb_io.Range | gb_io.Between):
        yield location.start, location.end, strand
