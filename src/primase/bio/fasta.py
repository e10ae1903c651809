"""FASTA files: read as a stream, checked letter by letter, and written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TextIO, TypeVar

import numpy as np
from jaxtyping import UInt8

from primase.bio.alphabets import PROTEIN, Alphabet, clean_sequence, recognise_nucleotides
from primase.bio.nucleotides import codes_or_none, encode_nucleotides
from primase.bio.reading import open_binary, open_text, write_then_rename
from primase.errors import ReadError

_BLOCK_BYTES = 1 << 20
# So many records, or residues, are held back to see whether a file of proteins is really one of nucleotides.
_SAMPLE_RECORDS = 1_000
_SAMPLE_RESIDUES = 1_000_000
_SHOWN_CHARACTERS = 40


RecordT = TypeVar("RecordT")


@dataclass(frozen=True, slots=True)
class SequenceRecord:
    """One sequence of a file, with its name.

    Parameters
    ----------
    id
        The first word of the header.
    description
        The rest of the header, often empty.
    sequence
        Upper-case letters of the alphabet that the file was read with.
    """

    id: str
    description: str
    sequence: str


def read_fasta(path: Path, *, alphabet: Alphabet = PROTEIN) -> Iterator[SequenceRecord]:
    """Read the sequences of a FASTA file one after the other, in bounded memory.

    Gzip (recognised by content), lower case, Windows line ends, sequences over several lines, blank lines and a ``*``
    at the end of a protein are all fine.

    Parameters
    ----------
    path
        The file.
    alphabet
        What the sequences are. If proteins, a file that holds DNA or RNA is refused after its first records.

    Yields
    ------
    SequenceRecord
        In the order of the file.

    Raises
    ------
    ReadError
        If the file is missing, empty, not FASTA, damaged, made of nucleotides instead of proteins, or if a record has
        no name, no sequence or a letter that is not in the alphabet. The message names the file, the record and the
        line.
    """
    path = Path(path)
    with open_text(path) as lines:
        records = _records(lines, path, alphabet)
        sample = _sample(_at_least_one(records, path))
        if alphabet == PROTEIN:
            _refuse_nucleotides(sample, path)
        yield from chain(sample, records)


@dataclass(frozen=True, slots=True, eq=False)
class NucleotideRecord:
    """One DNA or RNA sequence of a file, with its name.

    Parameters
    ----------
    id
        The first word of the header.
    description
        The rest of the header, often empty.
    codes
        The letters, as codes of :mod:`primase.bio.nucleotides`; case is kept.
    """

    id: str
    description: str
    codes: UInt8[np.ndarray, "letters"]


def read_nucleotides(path: Path) -> Iterator[NucleotideRecord]:
    """Read the DNA or RNA sequences of a FASTA file one after the other, in bounded memory.

    T and U are the same, any ambiguity letter of the IUPAC is accepted, and so are lower case and all that
    :func:`read_fasta` takes.

    Yields
    ------
    NucleotideRecord
        In the order of the file.

    Raises
    ------
    ReadError
        If the file is missing, empty, not FASTA, damaged, made of proteins, or if a record has no name, no sequence or
        a letter that is no nucleotide. The message names the file, the record and the line.
    """
    path = Path(path)
    done = 0
    for record in _quick_nucleotides(path):
        if record is None:
            break
        yield record
        done += 1
    else:
        return
    # Something is odd: read line by line, which says what and where, or knows that it is fine.
    with open_text(path) as lines:
        records = (_nucleotides(*parts) for parts in _parts(lines, path))
        yield from islice(_at_least_one(records, path), done, None)


def _quick_nucleotides(path: Path) -> Iterator[NucleotideRecord | None]:
    """Read records from large blocks of bytes, several times faster than by lines; None where anything is odd."""
    with open_binary(path) as binary:
        if binary.read(1) != b">":
            yield None
            return
        rest = b""
        while block := binary.read(_BLOCK_BYTES):
            *whole, rest = (rest + block).split(b"\n>")
            yield from map(_quick_nucleotide, whole)
        yield _quick_nucleotide(rest)


def _quick_nucleotide(raw: bytes) -> NucleotideRecord | None:
    header, _, body = raw.partition(b"\n")
    codes = codes_or_none(body)
    words = header.decode("utf-8", "replace").split(maxsplit=1)
    if codes is None or not words:
        return None
    return NucleotideRecord(words[0], words[1].strip() if len(words) > 1 else "", codes)


def _nucleotides(header: str, parts: list[str], place: str) -> NucleotideRecord:
    name, description = _name(header, place)
    text = "".join(parts)
    where = f"{place}, record {name!r}"
    try:
        codes = encode_nucleotides(text, where=where)
    except ReadError as error:
        letters = "".join(text.split()).upper().removesuffix("*")
        if PROTEIN.first_invalid(letters) is None and not error.advice:
            advice = "This looks like a protein. Give the DNA or RNA."
            raise ReadError(error.what, where=where, got=error.got, wanted=error.wanted, advice=advice) from None
        raise
    if not len(codes):
        what = "a record without a sequence"
        raise ReadError(what, where=where, wanted="DNA or RNA letters")
    return NucleotideRecord(name, description, codes)


def _at_least_one(records: Iterator[RecordT], path: Path) -> Iterator[RecordT]:
    first = next(records, None)
    if first is None:
        what = "no records: the file is empty"
        raise ReadError(what, where=str(path), wanted="a FASTA file with at least one sequence")
    return chain([first], records)


def _records(lines: TextIO, path: Path, alphabet: Alphabet) -> Iterator[SequenceRecord]:
    for header, parts, place in _parts(lines, path):
        name, description = _name(header, place)
        sequence = clean_sequence("".join(parts), alphabet, where=f"{place}, record {name!r}")
        yield SequenceRecord(name, description, sequence)


def _parts(lines: TextIO, path: Path) -> Iterator[tuple[str, list[str], str]]:
    """Cut a file into headers, the lines below each, and where each stands."""
    header: str | None = None
    header_line = 0
    parts: list[str] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith(">"):
            if header is not None:
                yield header, parts, f"{path}, line {header_line}"
            header, header_line, parts = line, number, []
        elif header is not None:
            parts.append(line)
        elif line.strip() and not line.startswith(";"):  # Pearson's original format has comments that start with ;
            _refuse_start(path, number, line)
    if header is not None:
        yield header, parts, f"{path}, line {header_line}"


def _name(header: str, place: str) -> tuple[str, str]:
    """Take a header apart into the name and what stands behind it."""
    words = header[1:].split(maxsplit=1)
    if not words:
        what = "a record without a name"
        raise ReadError(what, where=place, got="a header that is only '>'", wanted="'>' followed by a name")
    return words[0], words[1].strip() if len(words) > 1 else ""


def _refuse_start(path: Path, number: int, line: str) -> None:
    shown = line.strip()
    shown = repr(shown if len(shown) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "…")
    what = "this is not a FASTA file"
    raise ReadError(what, where=f"{path}, line {number}", got=shown, wanted="a header line that starts with '>'")


def _sample(records: Iterator[SequenceRecord]) -> list[SequenceRecord]:
    sample: list[SequenceRecord] = []
    residues = 0
    for record in records:
        sample.append(record)
        residues += len(record.sequence)
        if len(sample) == _SAMPLE_RECORDS or residues >= _SAMPLE_RESIDUES:
            break
    return sample


def _refuse_nucleotides(sample: list[SequenceRecord], path: Path) -> None:
    found = recognise_nucleotides(record.sequence for record in sample)
    if found is None:
        return
    what = f"this looks like a file of {found.name}, not of proteins"
    first = sample[0]
    shown = first.sequence[:_SHOWN_CHARACTERS]
    raise ReadError(
        what,
        where=str(path),
        got=f"nearly nothing but the letters of {found.name}, such as {shown} in record {first.id!r}",
        wanted="protein sequences",
        advice="Translate the genes into proteins first.",
    )


def write_fasta(path: Path, records: Iterable[SequenceRecord], *, line_length: int = 60) -> int:
    """Write sequences as a FASTA file, compressed if the name ends in ``.gz``.

    The file appears under its name when it is complete, so that an interruption leaves no half-written one.

    Parameters
    ----------
    path
        Where to; an existing file is replaced.
    records
        The sequences, in order.
    line_length
        Residues per line, at least 1.

    Returns
    -------
    int
        How many records were written.
    """
    count = 0
    with write_then_rename(Path(path)) as file:
        for record in records:
            header = f"{record.id} {record.description}" if record.description else record.id
            sequence = record.sequence
            rows = (sequence[start : start + line_length] for start in range(0, len(sequence), line_length))
            file.write(f">{header}\n" + "\n".join(rows) + "\n")
            count += 1
    return count
