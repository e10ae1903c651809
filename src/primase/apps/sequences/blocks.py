"""Blocks of sequences as they are read from one file: names, letters, places, and what the file says of each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

import numpy as np
from jaxtyping import Shaped, UInt8

from primase.bio.coordinates import Interval, coordinates_in_header
from primase.bio.fasta import NucleotideRecord, read_nucleotides
from primase.bio.genome import Genome, views
from primase.bio.intervals import IntervalTable
from primase.bio.nucleotides import encode_nucleotides
from primase.bio.reading import open_text
from primase.bio.tables import TextTable
from primase.data.sequences import Places, Sequences
from primase.errors import ReadError

INTERVAL_ENDINGS: Final = (".bed", ".narrowpeak", ".broadpeak")
TABLE_ENDINGS: Final = (".csv", ".tsv", ".tab", ".txt", ".parquet")
_CHROMOSOME_COLUMNS: Final = ("chromosome", "chrom", "chr", "seqnames")

Texts = Shaped[np.ndarray, "examples"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Sequences that were read together.

    Parameters
    ----------
    ids
        A name per sequence.
    where
        Says where a sequence was read, for messages.
    headers
        What stands behind the name of each, where there is something.
    """

    ids: Texts
    sequences: Sequences
    where: Callable[[int], str]
    headers: Sequence[str] = field(default=())

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.ids)


def has_ending(path: Path, endings: Sequence[str]) -> bool:
    """Tell the kind of a file by the end of its name, looking through ``.gz``."""
    name = path.with_suffix("") if path.suffix == ".gz" else path
    return name.suffix.lower() in endings


def holds_intervals(path: Path) -> bool:
    """Tell whether a file holds intervals: by its name, or because its first line is no FASTA header but columns."""
    if has_ending(path, INTERVAL_ENDINGS):
        return True
    words = _first_words(path)
    return len(words) >= 3 and not words[0].startswith((">", ";")) and words[1].isdigit() and words[2].isdigit()


def holds_table(path: Path) -> bool:
    """Tell whether a file holds a table that names its columns: by its name, if its content is nothing else."""
    if path.suffix == ".parquet":
        return True
    if not has_ending(path, TABLE_ENDINGS) or holds_intervals(path):
        return False
    return not "".join(_first_words(path)[:1]).startswith(">")


def _first_words(path: Path) -> list[str]:
    """Split the first line that says something, looking past what browsers are told about intervals."""
    with open_text(path) as lines:
        split = (line.split() for line in lines)
        return next((words for words in split if words and not words[0].startswith(("#", "track", "browser"))), [])


def fasta_blocks(path: Path, size: int) -> Iterator[Block]:
    """Read a FASTA file in blocks of so many records."""
    records = read_nucleotides(path)
    while chosen := list(itertools.islice(records, size)):
        yield _of_records(path, chosen)


def _of_records(path: Path, records: Sequence[NucleotideRecord]) -> Block:
    headers = [f"{record.id} {record.description}".strip() for record in records]
    found = [
        coordinates_in_header(header, length=len(record.codes)) for header, record in zip(headers, records, strict=True)
    ]
    sequences = Sequences.from_codes([record.codes for record in records], _places(found))
    ids = np.array([record.id for record in records], dtype=object)
    return Block(ids, sequences, lambda row: f"{path}, record {ids[row]!r}", headers)


def _places(found: Sequence[Interval | None]) -> Places | None:
    """Gather the places of sequences, if that of any is known."""
    if not any(found):
        return None
    nowhere = Interval("", 0, 0, ".")
    known = [interval or nowhere for interval in found]
    return Places(
        np.array([interval.chromosome for interval in known], dtype=object),
        np.array([interval.start for interval in known], dtype=np.int64),
        np.array([interval.end for interval in known], dtype=np.int64),
        np.array([interval.strand for interval in known], dtype=object),
    )


def table_block(table: TextTable, *, sequence_column: str, id_column: str, part: str = "") -> Block:
    """Read the sequences of a table; where it has no ids, rows are numbered, with the part before the number."""
    texts = table.column(sequence_column, option="--sequence-column")
    codes = [_encoded(text, table, row) for row, text in enumerate(texts)]
    intervals = table_intervals(table) if _chromosome_column(table) else None
    places = None if intervals is None else _places_of(intervals)
    return Block(_table_ids(table, id_column, part), Sequences.from_codes(codes, places), table.where)


def _encoded(text: str, table: TextTable, row: int) -> UInt8[np.ndarray, "letters"]:
    if not text:
        what = "a row without a sequence"
        raise ReadError(what, where=table.where(row), wanted="DNA or RNA letters")
    return encode_nucleotides(text, where=table.where(row))


def _table_ids(table: TextTable, id_column: str, part: str) -> Texts:
    texts = table.columns.get(id_column) or [f"{part} row {number + 1}".strip() for number in range(len(table))]
    return np.array(texts, dtype=object)


def _chromosome_column(table: TextTable) -> str | None:
    named = (name for name in table.columns if name.lower() in _CHROMOSOME_COLUMNS)
    chosen = next(named, None)
    return chosen if chosen and {"start", "end"} <= table.columns.keys() else None


def table_intervals(table: TextTable) -> IntervalTable:
    """Read the columns chromosome, start and end, and strand where there is one: 0-based and half-open.

    Raises
    ------
    ReadError
        If a column is missing, or a start or end is no position.
    """
    chromosomes = table.columns.get(_chromosome_column(table) or "")
    if chromosomes is None:
        chromosomes = table.column("chromosome", option="--sequence-column SEQUENCES, or chromosome, start and end")
    starts, ends = (_positions(table, name) for name in ("start", "end"))
    backwards = np.flatnonzero(ends < starts)
    if len(backwards):
        row = int(backwards[0])
        what = "an interval ends before it starts"
        raise ReadError(what, where=table.where(row), got=f"{starts[row]} to {ends[row]}")
    strands = np.array(table.columns.get("strand", ["."] * len(table)))
    empty = np.full(len(table), "")
    return IntervalTable(
        path=table.path,
        lines=np.array(table.lines, dtype=np.int64),
        chromosomes=np.array(chromosomes),
        starts=starts,
        ends=ends,
        names=empty,
        scores=empty,
        strands=np.where(np.isin(strands, ["+", "-"]), strands, "."),
        summits=np.full(len(table), -1),
    )


def _positions(table: TextTable, name: str) -> Shaped[np.ndarray, "rows"]:
    texts = table.column(name, option=f"a column {name}")
    wrong = next((row for row, text in enumerate(texts) if not text.isdigit()), None)
    if wrong is not None:
        what = f"the {name} of an interval is no position"
        wanted = "a whole number from 0"
        raise ReadError(what, where=table.where(wrong), got=texts[wrong] or "an empty cell", wanted=wanted)
    return np.array(texts, dtype=np.int64)


def interval_ids(tables: Sequence[IntervalTable]) -> list[Texts]:
    """Name intervals as their files do; by coordinates where a name stands twice, as in shuffled copies of peaks."""
    coordinates = [[f"{table.text(row)}({table.strands[row]})" for row in range(len(table))] for table in tables]
    named = [
        [name if name not in {"", "."} else place for name, place in zip(table.names.tolist(), places, strict=True)]
        for table, places in zip(tables, coordinates, strict=True)
    ]
    apart = len(set(itertools.chain.from_iterable(named))) == sum(map(len, tables))
    return [np.array(ids, dtype=object) for ids in (named if apart else coordinates)]


def interval_block(intervals: IntervalTable, genome: Genome, *, window: int, ids: Texts) -> Block:
    """Cut intervals out of a genome, or windows around their centres; the letters stay in the genome's own row."""
    cut = views(genome, intervals, width=window or None)
    sequences = Sequences(
        letters=genome.letters,
        starts=cut.starts,
        lengths=cut.lengths,
        lows=cut.lows,
        highs=cut.highs,
        reverse=cut.reverse,
        places=_places_of(intervals),
    )
    return Block(ids, sequences, intervals.place)


def _places_of(intervals: IntervalTable) -> Places:
    return Places(
        intervals.chromosomes.astype(object), intervals.starts, intervals.ends, intervals.strands.astype(object)
    )


def joined(blocks: Sequence[Block]) -> tuple[Texts, Sequences, list[str]]:
    """Join blocks into ids, sequences, and where each was read."""
    ids = np.concatenate([block.ids for block in blocks])
    places = [block.where(row) for block in blocks for row in range(len(block))]
    return ids, Sequences.concatenate([block.sequences for block in blocks]), places
