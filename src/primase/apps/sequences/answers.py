"""From what files say of each sequence to targets: one answer of several, or a yes or no to each of several columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from primase.apps.answers import Answers, numbered, refuse_empty_columns, several_columns
from primase.bio.tables import TextTable
from primase.data.labels import NEGATIVES, POSITIVES, first_means_no, order_labels
from primase.data.tasks import Task
from primase.errors import ReadError

_IN_HEADER: Final = re.compile(r"(?:^|[\s|;,])(?:label|class|target)\s*[=:]\s*([^\s|;,]+)", re.IGNORECASE)
_LAST_WORD: Final = re.compile(r"[\s|;,](?![+.-]$)([^\s|;,]+)$")
"""But no strand, as in ``chr1,100,200,+``."""


def answer_in_header(header: str, *, where: str) -> str:
    """Find the answer in the header of a FASTA record: ``label=1``, ``class:1``, or else its last word.

    Raises
    ------
    ReadError
        If there is none.

    Examples
    --------
    >>> answer_in_header("chr1:2-9; class:1", where="x"), answer_in_header("name|bound", where="x")
    ('1', 'bound')
    """
    found = _IN_HEADER.search(header) or _LAST_WORD.search(header)
    if found is None:
        what = "the header tells no answer"
        wanted = "a header such as '>name label=1' or '>name 1'"
        raise ReadError(what, where=where, got=f">{header}", wanted=wanted)
    return found[1]


def target_columns(table: TextTable, wanted: Sequence[str], *, without: Sequence[str]) -> list[str]:
    """List the columns that are learned; ``H3*`` stands for all that begin so.

    Parameters
    ----------
    without
        Columns that mean something else, which a pattern does not take.

    Raises
    ------
    ReadError
        If a column is not there.
    """
    chosen: list[str] = []
    for name in wanted:
        matching = [name] if name in table.columns else []
        if not matching and any(sign in name for sign in "*?["):
            matching = [column for column in table.columns if fnmatchcase(column, name) and column not in without]
        if not matching:
            table.column(name, option="--target-column")
        chosen += [column for column in matching if column not in chosen]
    return chosen


def understand(
    columns: Mapping[str, Sequence[str]], task: Task | None, *, where: str, places: Sequence[str]
) -> Answers:
    """Read one column of labels, or several columns of yes and no.

    Parameters
    ----------
    columns
        The cells of each column; an empty one is an unknown answer.
    task
        That of a trained model, to whose labels the answers must belong; None to find the labels here.
    where
        The file, for messages.
    places
        The file and line of each example, for messages.

    Raises
    ------
    InputError
        If all cells of a column are empty, a cell of several columns is neither yes nor no, there is only one label,
        or a label that the model lacks.
    """
    if len(columns) == 1 and (task is None or not task.is_multilabel):
        refuse_empty_columns(columns, where)
        ((name, cells),) = columns.items()
        return _one_column(cells, task, where=f"{where}, column {name!r}", places=places)
    return several_columns(columns, task, where=where, places=places)


def _one_column(cells: Sequence[str], task: Task | None, *, where: str, places: Sequence[str]) -> Answers:
    chosen = task or Task.from_labels(order_labels([cell or None for cell in cells], where))
    number_of = {label: number for number, label in enumerate(chosen.labels)}
    if chosen.kind == "binary" and first_means_no(chosen.labels):
        for words, number in ((NEGATIVES, 0), (POSITIVES, 1)):
            number_of = dict.fromkeys(words, number) | number_of
    return Answers(chosen, numbered(cells, chosen, number_of, places))
