"""Where the names and scores of a file of pairs stand: whether its first line names columns, and which are meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from primase.bio.delimited import Layout, Sample, shorten
from primase.errors import ConfigurationError, ReadError

Evidence = Literal["physical", "genetic", "all"]
Kind = Literal["table", "STRING links", "BioGRID tab3", "GraphML"]

_NODE_WORDS: Final = frozenset(
    {"protein", "proteins", "gene", "genes", "node", "nodes", "vertex", "interactor", "source", "target", "from", "to"}
    | {"bait", "prey", "partner", "orf", "locus", "uniprot", "symbol"}
)
_QUALIFIERS: Final = frozenset(
    {"a", "b", "x", "y", "i", "j", "u", "v", "1", "2", "id", "ids", "ac", "accession", "name", "names", "symbol"}
    | {"official", "systematic", "string", "external", "internal"}
)
_OTHER_WORDS: Final = frozenset(
    {"score", "weight", "combined_score", "confidence", "evidence", "label", "interaction", "type"}
)
_BIOGRID: Final = "biogrid interaction id"
_STRING: Final = ("protein1", "protein2", "combined_score")
_MISSING: Final = frozenset({"", "-", "na", "n/a", "nan", "none", "null"})
_SHOWN_COLUMNS: Final = 20


@dataclass(frozen=True, slots=True)
class EdgeOptions:
    """How a file of pairs is read.

    Parameters
    ----------
    pair_columns
        The two columns of names, by their names or by their numbers from 1; empty for the first two.
    score_column
        The column of scores; ``combined_score`` by default in files of STRING.
    minimum_score
        The least score of a pair that is kept; None keeps all.
    evidence
        Which interactions of a BioGRID file are kept: physical contacts, genetic ones, or all.
    """

    pair_columns: tuple[str, ...] = ()
    score_column: str | None = None
    minimum_score: float | None = None
    evidence: Evidence = "physical"

    def __post_init__(self) -> None:
        if self.pair_columns and (len(self.pair_columns) != 2 or len({*self.pair_columns}) != 2):
            what = "there must be two different columns of names"
            got = ", ".join(self.pair_columns)
            raise ConfigurationError(what, where="pair_columns", got=got, wanted="such as protein1,protein2")


@dataclass(frozen=True, slots=True)
class Header:
    """Whether the first line was taken as column names.

    Parameters
    ----------
    text
        What was decided and why, in one sentence without the name of the file.
    taken
        Whether it was.
    """

    text: str
    taken: bool


@dataclass(frozen=True, slots=True)
class EdgeLayout:
    """How a table of pairs is laid out.

    Parameters
    ----------
    pair
        The numbers of the two columns of names, from 0.
    score
        The number of the column of scores; None where scores play no part.
    """

    table: Layout
    header: Header
    kind: Kind
    pair: tuple[int, int]
    score: int | None


def lay_out(sample: Sample, options: EdgeOptions) -> EdgeLayout:
    """Decide where the names and scores of a file of pairs stand.

    The first line names columns if both of its first cells are words such as ``protein_a``, ``source`` or ``gene``, if
    a further column has such a word or no number while all later rows have one, or if it has the columns that the
    options name.

    Raises
    ------
    ReadError
        If there is one column only, or a column that the options name is not there.
    """
    _refuse_one_column(sample)
    header, columns, line = _header(sample, options)
    if line == sample.lines[0] and len(sample.rows) == 1:
        what = "no rows below the column names"
        raise ReadError(what, where=str(sample.path), wanted="one pair per line")
    return _choose_columns(Layout(sample.path, sample.separator, columns, line), header, options)


def _header(sample: Sample, options: EdgeOptions) -> tuple[Header, tuple[str, ...], int]:
    """Decide about the first line; also name the columns, and the line of their names."""
    asked = [name for name in (*options.pair_columns, options.score_column or "") if name and not name.isdecimal()]
    first, rest = sample.rows[0], sample.rows[1:]
    if len(sample.comment) == len(first) and (reason := _names_columns(sample.comment, sample.rows, asked)):
        text = f"The comment above the first row is taken as column names ({listing(sample.comment)}), as {reason}."
        return Header(text, taken=True), tuple(sample.comment), sample.lines[0] - 1
    if reason := _names_columns(first, rest, asked):
        text = f"The first line is taken as column names ({listing(first)}), as {reason}."
        # R leaves out the name of the column of row names.
        shift = rest and all(len(row) == len(first) + 1 for row in rest)
        return Header(text, taken=True), ("", *first) if shift else tuple(first), sample.lines[0]
    text = f"The first line ({shorten(', '.join(first))}) is taken as a pair, as nothing in it names columns."
    return Header(text, taken=False), tuple(str(number) for number in range(1, len(first) + 1)), 0


def _refuse_one_column(sample: Sample) -> None:
    first = sample.rows[0]
    if len(first) < 2:
        what = "there is one column, and a pair needs two"
        where = f"{sample.path}, line {sample.lines[0]}"
        wanted = "two names a line, separated by a tab, a comma or spaces"
        raise ReadError(what, where=where, got=shorten(first[0]), wanted=wanted)


def _names_columns(cells: Sequence[str], rows: Sequence[Sequence[str]], asked: Sequence[str]) -> str:
    """Say why these cells are names of columns; an empty text if they are not."""
    if cells and cells[0].lower() == _BIOGRID:
        return "they are those of BioGRID"
    if asked and {*asked} <= {*cells}:
        return "the columns that are asked for stand in it"
    rows = [row for row in rows if len(row) == len(cells)] or rows
    if len(cells) >= 2 and all(_is_node_word(cell) for cell in cells[:2]):
        # In a graph of nodes called node1, node2, and so on, such words are names.
        others = sum(all(_is_node_word(cell.strip("0123456789")) for cell in row[:2]) for row in rows)
        return "" if 2 * others > len(rows) else "its first words name columns"
    return _stands_above(cells, rows)


def _stands_above(cells: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Say by which of the further columns, or by which kind of names, these cells differ from the rows below."""
    # Counting from the right finds the same column where R has left out the name of the column of row names.
    for place in range(1, max(len(cells) - 1, 1)):
        cell, column = cells[-place], [row[-place] for row in rows if len(row) >= len(cells)]
        if cell.lower() in _OTHER_WORDS and cell not in column:
            return f"{cell!r} names a column"
        if column and cell.lower() not in _MISSING and not _is_number(cell) and all(map(_is_number, column)):
            return f"{cell!r} stands above numbers"
    pair = [cell for row in rows for cell in row[:2]]
    if pair and not any(map(_is_number, cells[:2])) and all(map(_is_number, pair)):
        return "it stands above numbers"
    return ""


def _is_node_word(cell: str) -> bool:
    words = {*re.findall(r"[a-z]+|[0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cell).lower())}
    return bool(words & _NODE_WORDS) and words <= _NODE_WORDS | _QUALIFIERS


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _choose_columns(table: Layout, header: Header, options: EdgeOptions) -> EdgeLayout:
    lowered = [name.lower() for name in table.columns]
    kind: Kind = "table"
    if lowered[0] == _BIOGRID:
        kind = "BioGRID tab3"
    elif {*_STRING} <= {*lowered}:
        kind = "STRING links"
    pair = _pair(table, header, options)
    score: int | None = None
    if options.score_column is not None:
        score = _number_of(table, options.score_column)
    elif options.minimum_score is not None:
        if "combined_score" not in lowered:
            what = "a least score is asked for, and no column of scores is named"
            got = f"the columns {listing(table.columns)}"
            raise ReadError(what, where=str(table.path), got=got, advice="Name it with --score-column.")
        score = lowered.index("combined_score")
    return EdgeLayout(table, header, kind, pair, score)


def _pair(table: Layout, header: Header, options: EdgeOptions) -> tuple[int, int]:
    if options.pair_columns:
        first, second = (_number_of(table, name) for name in options.pair_columns)
        return first, second
    if not header.taken:
        return 0, 1
    # A column without a name numbers the rows, as pandas and R write them.
    named = [number for number, name in enumerate(table.columns) if name and not name.lower().startswith("unnamed")]
    words = [_is_node_word(table.columns[number]) for number in named]
    for place in range(len(named) - 1):
        if words[place] and words[place + 1]:
            return named[place], named[place + 1]
    if len(named) < 2:
        return 0, 1
    return named[0], named[1]


def _number_of(table: Layout, name: str) -> int:
    if name in table.columns:
        return table.columns.index(name)
    if name.isdecimal() and 1 <= int(name) <= len(table.columns):
        return int(name) - 1
    what = f"there is no column {name!r}"
    got = f"the columns {listing(table.columns)}" + ("" if table.header_line else ", as the first line names none")
    raise ReadError(what, where=str(table.path), got=got, wanted="a name or a number from 1")


def listing(names: Sequence[str]) -> str:
    """Name the columns, or the first of many, for a message."""
    shown = ", ".join(name or "(no name)" for name in names[:_SHOWN_COLUMNS])
    return f"{shown}, …" if len(names) > _SHOWN_COLUMNS else shown
