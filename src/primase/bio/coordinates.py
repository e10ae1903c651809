"""Places on a genome as the headers of FASTA files give them, in the ways that tools write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Strand = Literal["+", "-", "."]


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of a chromosome: 0-based and half-open, so that ``end - start`` is its length.

    Parameters
    ----------
    chromosome
        Its name, as written.
    start, end
        In base pairs from the start of the chromosome.
    strand
        ``"."`` where it is not known.
    """

    chromosome: str
    start: int
    end: int
    strand: Strand = "."

    def __len__(self) -> int:
        """Return the number of base pairs."""
        return self.end - self.start


# A name starts at the start of the header or after a sign that separates it from what stands before: tools write
# "name::chr1:1-2(+)" (bedtools), "hg38_dna range=chr1:1-2 5'pad=0 3'pad=0 strand=-" (UCSC), "x|chr1:1-2".
_BEFORE: Final = r"(?:(?<=^)|(?<=[>\s:;|=,]))"
_NAME: Final = r"(?P<chromosome>[A-Za-z0-9][\w.*\-]*)"
_COLON: Final = re.compile(
    _BEFORE + _NAME + r":(?P<start>\d[\d,]*)(?:-|\.\.)(?P<end>\d[\d,]*)"
    r"(?:\((?P<strand>[+\-.])\)|:(?P<sign>[+\-])(?!\d))?(?![\w])"
)
_UCSC_STRAND: Final = re.compile(r"\bstrand=([+-])")
_COMMAS: Final = re.compile(_BEFORE + _NAME + r",(?P<start>\d+),(?P<end>\d+),(?P<strand>[+\-.])(?![\w])")
_ENSEMBL: Final = re.compile(
    r"\b(?:chromosome|scaffold|supercontig|contig|primary_assembly|plasmid):[^:\s]+:"
    r"(?P<chromosome>[^:\s]+):(?P<start>\d+):(?P<end>\d+):(?P<strand>-?1)\b"
)
_STRANDS: Final[dict[str, Strand]] = {"+": "+", "-": "-", ".": ".", "1": "+", "-1": "-"}


def coordinates_in_header(header: str, *, length: int | None = None) -> Interval | None:
    """Find the place on a genome that the header of a sequence names.

    Recognised, anywhere in the header, are

    - ``chr1:100-200`` with or without ``(+)``, as bedtools, samtools and UCSC write it;
    - ``chr1,100,200,+``, as in the RBP-24 sets (Maticzka et al. 2014): 0-based and half-open, and the place of the
      binding site alone, which the sequence has flanks around;
    - ``chromosome:GRCh38:1:100:200:-1``, as Ensembl writes it: 1-based, with both ends.

    The first form has three readings. If the ends are as far apart as the sequence is long, they are 0-based and
    half-open (``bedtools getfasta``). If the sequence is one letter longer, both ends belong to it, and the first base
    of a chromosome is taken to be number 1 (``samtools faidx``, UCSC); where a tool counted it as number 0, which
    nothing in a header tells, all places are one base pair too far left, which changes nothing about which of them
    overlap. If the length is not given or is another (a sequence with flanks), the first reading is taken.

    Parameters
    ----------
    header
        The line without or with its ``>``.
    length
        Letters of the sequence.

    Returns
    -------
    Interval or None
        None where the header names no place, or one that ends before it starts.

    Examples
    --------
    >>> coordinates_in_header("chr1:367697-367797(+)", length=101)
    Interval(chromosome='chr1', start=367696, end=367797, strand='+')
    >>> coordinates_in_header("site_1 chr1:100-200", length=100)
    Interval(chromosome='chr1', start=100, end=200, strand='.')
    >>> coordinates_in_header("CID_000781;chr1,154950102,154950134,+")
    Interval(chromosome='chr1', start=154950102, end=154950134, strand='+')
    """
    found = _COMMAS.search(header)
    if found is not None:
        return _interval(found, found["strand"])
    found = _ENSEMBL.search(header)
    if found is not None:
        return _interval(found, found["strand"], both_ends=True)
    found = _COLON.search(header)
    if found is None:
        return None
    strand = found["strand"] or found["sign"]
    if strand is None:
        named = _UCSC_STRAND.search(header)
        strand = named[1] if named else "."
    apart = _number(found["end"]) - _number(found["start"])
    return _interval(found, strand, both_ends=length is not None and apart + 1 == length)


def _number(digits: str) -> int:
    return int(digits.replace(",", ""))


def _interval(found: re.Match[str], strand: str, *, both_ends: bool = False) -> Interval | None:
    start, end = _number(found["start"]) - both_ends, _number(found["end"])
    if not 0 <= start < end:
        return None
    return Interval(found["chromosome"], start, end, _STRANDS[strand])
