"""From what files say of each sequence to targets: one answer of several, or a yes or no to each of several columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

import numpy as np
from jaxtyping import Integer

from primase.bio.tables import TextTable
from primase.data.labels import NEGATIVES, POSITIVES, first_means_no, order_labels
from primase.data.tasks import Task
from primase.errors import InputError, ReadError

Targets = Integer[np.ndarray, "examples *labels"]

_IN_HEADER: Final = re.compile(r"(?:^|[\s|;,])(?:label|class|target)\s*[=:]\s*([^\s|;,]+)", re.IGNORECASE)
_LAST_WORD: Final = re.compile(r"[\s|;,](?![+.-]$)([^\s|;,]+)$")
"""But no strand, as in ``chr1,100,200,+``."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What is asked, and the answer of each example, below zero where unknown."""

    task: Task
    targets: Targets


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
    for name, cells in columns.items():
        if not any(cells):
            what = "all answers of a column are empty"
            raise InputError(what, where=f"{where}, column {name!r}", wanted="at least one answer that is known")
    if len(columns) == 1 and (task is None or not task.is_multilabel):
        ((name, cells),) = columns.items()
        return _one_column(cells, task, where=f"{where}, column {name!r}", places=places)
    if task is not None and tuple(columns) != task.labels:
        what = "the columns are not those that the model answers"
        raise InputError(what, where=where, got=", ".join(columns), wanted=", ".join(task.labels))
    matrix = np.stack([_yes_or_no(cells, name, places) for name, cells in columns.items()], axis=1)
    return Answers(task or Task("multilabel", tuple(columns)), matrix)


def _one_column(cells: Sequence[str], task: Task | None, *, where: str, places: Sequence[str]) -> Answers:
    labels = [cell or None for cell in cells]
    chosen = task or Task.from_labels(order_labels(labels, where))
    number_of = {label: number for number, label in enumerate(chosen.labels)}
    if chosen.kind == "binary" and first_means_no(chosen.labels):
        for words, number in ((NEGATIVES, 0), (POSITIVES, 1)):
            number_of = dict.fromkeys(words, number) | number_of
    targets = np.full(len(cells), -1, dtype=np.int64)
    for row, label in enumerate(labels):
        if label is None:
            continue
        answer = number_of.get(label, number_of.get(label.lower()))
        if answer is None:
            what = "a label that the model was not trained on"
            raise InputError(what, where=places[row], got=label, wanted=", ".join(chosen.labels))
        targets[row] = answer
    return Answers(chosen, targets)


def _yes_or_no(cells: Sequence[str], name: str, places: Sequence[str]) -> Integer[np.ndarray, "examples"]:
    meaning = {"": -1, **dict.fromkeys(NEGATIVES, 0), **dict.fromkeys(POSITIVES, 1)}
    answers = [meaning.get(cell.lower()) for cell in cells]
    if None in answers:
        row = answers.index(None)
        what = f"column {name!r} holds what is neither yes nor no"
        wanted = "1 or 0, yes or no, or an empty cell where it is not known"
        raise InputError(what, where=places[row], got=cells[row], wanted=wanted)
    return np.array(answers, dtype=np.int8)
