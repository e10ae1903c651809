"""Ready-made domain lists: a tab-separated table with one protein per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from primase.bio.tables import TextTable, read_text_table
from primase.errors import ReadError

_FAMILY_SEPARATOR = ";"


@dataclass(frozen=True, slots=True)
class DomainTable:
    """Proteins whose domains are known already.

    Parameters
    ----------
    ids
        The name of each protein, each once.
    domains
        The families of each, in the order of the file; often none.
    targets
        What the target column says of each protein, None where it is empty; None if no column was asked for.
    """

    ids: tuple[str, ...]
    domains: tuple[tuple[str, ...], ...]
    targets: tuple[str | None, ...] | None = None

    def __len__(self) -> int:
        """Return the number of proteins."""
        return len(self.ids)


def read_domain_table(
    path: Path, *, target_column: str | None = None, id_column: str = "id", domains_column: str = "domains"
) -> DomainTable:
    """Read a table of proteins and their domain families.

    Parameters
    ----------
    path
        As :func:`~primase.bio.tables.read_text_table` reads it: tab-separated text with a line of column names, plain
        or gzip. All cells are read as text.
    target_column
        The column to learn, if any.
    id_column
        The column with the name of each protein.
    domains_column
        The column with its families, separated by ``;``. Empty where it has none.

    Raises
    ------
    ReadError
        If the file cannot be read, has no rows, lacks a column, has a row with too few or too many cells, or names
        a protein twice or not at all. The message gives the line.
    """
    table = read_text_table(Path(path))
    ids = table.column(id_column, option="id_column")
    cells = table.column(domains_column, option="domains_column")
    targets = None if target_column is None else table.column(target_column, option="target_column")
    _refuse_ids(table, ids)
    domains = tuple(_families(cell) for cell in cells)
    return DomainTable(tuple(ids), domains, None if targets is None else tuple(target or None for target in targets))


def _refuse_ids(table: TextTable, ids: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for row, name in enumerate(ids):
        if not name:
            what = "a row without a name"
            raise ReadError(what, where=table.where(row), wanted="a different name in every row")
        if name in first:
            what = "the same name twice"
            got = f"{name!r}, which stands in line {table.lines[first[name]]} too"
            raise ReadError(what, where=table.where(row), got=got, wanted="a different name in every row")
        first[name] = row


def _families(cell: str) -> tuple[str, ...]:
    names = (name.strip() for name in cell.split(_FAMILY_SEPARATOR))
    return tuple(dict.fromkeys(name for name in names if name))
