"""The records of a FASTA file too large for memory: a block of letters at a time, through an index if there is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

import numpy as np
from jaxtyping import UInt8

from primase.bio.nucleotides import LETTERS, encode_nucleotides
from primase.bio.reading import open_text
from primase.errors import ReadError

LETTERS_PER_BLOCK: Final = 1 << 22

_NUCLEOTIDES: Final = (LETTERS[1:] + "U" + LETTERS[1:].lower() + "u").encode("ascii")
_BGZIP_EXTRA_FIELD = b"BC\x02\x00"
_SHOWN_CHARACTERS = 40


def encode_block(raw: bytes, before: int, path: Path, name: str) -> UInt8[np.ndarray, "letters"]:
    """Encode a block of a record; a letter that is wrong is named by its position in the record."""
    place = f"{path}, record {name!r}"
    try:
        return encode_nucleotides(raw, where=place)
    except ReadError as error:
        position = raw.index(raw.translate(None, _NUCLEOTIDES)[:1])
        got = f"{chr(raw[position])!r} at position {before + position + 1:,}"
        raise ReadError(error.what, where=place, got=got, wanted=error.wanted, advice=error.advice) from None


def has_index(path: Path) -> bool:
    """Tell whether a file can be read through an index, and the index is not older than the file."""
    with path.open("rb") as file:
        start = file.read(16)
    compressed = start.startswith(b"\x1f\x8b")
    if compressed and start[12:16] != _BGZIP_EXTRA_FIELD:
        return False
    changed = path.stat().st_mtime_ns
    indices = [Path(f"{path}.fai"), *([Path(f"{path}.gzi")] if compressed else [])]
    # An index that is older than the file may be of another file; reading all of it takes longer and is always right.
    return all(index.exists() and index.stat().st_mtime_ns >= changed for index in indices)


def indexed_blocks(path: Path, wanted: frozenset[str] | None) -> Iterator[tuple[str, bytes | None]]:
    """Read the wanted chromosomes through the index, in blocks; None stands for one that is not wanted."""
    import pysam  # noqa: PLC0415  a large library, needed for indexed files only

    damaged = "the index of the genome does not fit the file"
    advice = "Make it again with samtools faidx, or delete it."
    loud = pysam.set_verbosity(0)  # htslib would write to the terminal what the errors below say
    try:
        # With the paths given, pysam never makes an index beside the user's file.
        gzi = f"{path}.gzi" if Path(f"{path}.gzi").exists() else None
        with pysam.FastaFile(str(path), filepath_index=f"{path}.fai", filepath_index_compressed=gzi) as file:
            for name, length in zip(file.references, file.lengths, strict=True):
                if wanted is not None and name not in wanted:
                    yield name, None
                    continue
                yield name, b""
                for start in range(0, length, LETTERS_PER_BLOCK):
                    stop = min(start + LETTERS_PER_BLOCK, length)
                    raw = file.fetch(name, start, stop).encode("ascii", "replace")
                    if len(raw) != stop - start:
                        got = f"{name!r} ends after {start + len(raw):,} of {length:,} letters"
                        raise ReadError(damaged, where=f"{path}.fai", got=got, advice=advice)
                    yield name, raw
    except (OSError, ValueError, KeyError) as error:
        raise ReadError(damaged, where=f"{path}.fai", got=str(error), advice=advice) from error
    finally:
        pysam.set_verbosity(loud)


def streamed_blocks(path: Path, wanted: frozenset[str] | None) -> Iterator[tuple[str, bytes | None]]:
    """Read a file from its start to its end, in blocks; None stands for a chromosome that is not wanted."""
    name: str | None = None
    seen: set[str] = set()
    with open_text(path) as file:
        for is_header, text in _pieces(file):
            if is_header:
                name = _new_name(text, seen, path)
                yield name, b"" if wanted is None or name in wanted else None
            elif name is None:
                if text.strip():
                    what = "this is not a FASTA file"
                    got = repr(text.strip()[:_SHOWN_CHARACTERS])
                    raise ReadError(what, where=str(path), got=got, wanted="a header line that starts with '>'")
            elif wanted is None or name in wanted:
                raw = text.encode("ascii", "replace").translate(None, b" \t\n")
                if raw:
                    yield name, raw
    if name is None:
        what = "no records: the file is empty"
        raise ReadError(what, where=str(path), wanted="the FASTA file of a genome")


def _new_name(header: str, seen: set[str], path: Path) -> str:
    words = header.split(maxsplit=1)
    if not words:
        what = "a record without a name"
        raise ReadError(what, where=str(path), got="a header that is only '>'", wanted="'>' followed by a name")
    if words[0] in seen:
        what = "two records of the genome have one name"
        raise ReadError(what, where=str(path), got=repr(words[0]), wanted="one record per chromosome")
    seen.add(words[0])
    return words[0]


def _pieces(file: TextIO) -> Iterator[tuple[bool, str]]:
    """Cut a text into headers (whole, without ``>``) and stretches of letters of at most one block."""
    header: list[str] | None = None
    at_line_start = True
    while block := file.read(LETTERS_PER_BLOCK):
        place = 0
        while place < len(block):
            if header is None and at_line_start and block[place] == ">":
                header, place = [], place + 1
            stop = block.find("\n" if header is not None else "\n>", place) + 1 or len(block)
            piece, place = block[place:stop], stop
            at_line_start = piece.endswith("\n") if piece else False
            if header is None:
                yield False, piece
                continue
            header.append(piece)
            if at_line_start:
                yield True, "".join(header)
                header = None
    if header is not None:
        yield True, "".join(header)
