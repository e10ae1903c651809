"""From words to targets, whatever is asked of: one answer of several, or a yes or no to each of several columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Integer

from primase.data.labels import NEGATIVES, POSITIVES
from primase.data.tasks import Task
from primase.errors import InputError

Targets = Integer[np.ndarray, "examples *labels"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What is asked, and the answer of each example, below zero where unknown."""

    task: Task
    targets: Targets


def numbered(
    cells: Sequence[str], task: Task, number_of: Mapping[str, int], places: Sequence[str]
) -> Integer[np.ndarray, "examples"]:
    """Look up the number of each answer, if need be in lower case; an empty one is unknown.

    Parameters
    ----------
    number_of
        Of each word.
    places
        The file or line of each example, for messages.

    Raises
    ------
    InputError
        If there is an answer that has no number.
    """
    targets = np.full(len(cells), -1, dtype=np.int64)
    for row, cell in enumerate(cells):
        if not cell:
            continue
        number = number_of.get(cell, number_of.get(cell.lower()))
        if number is None:
            what = "a label that the model was not trained on"
            raise InputError(what, where=places[row], got=cell, wanted=", ".join(task.labels))
        targets[row] = number
    return targets


def several_columns(
    columns: Mapping[str, Sequence[str]], task: Task | None, *, where: str, places: Sequence[str]
) -> Answers:
    """Read a yes or no from each of several columns; an empty cell is unknown.

    Parameters
    ----------
    task
        That of a trained model, whose labels the columns must be; None to ask what they are called.
    where
        The file or folder, for messages.

    Raises
    ------
    InputError
        If all cells of a column are empty, one is neither yes nor no, or the columns are not those of the model.
    """
    refuse_empty_columns(columns, where)
    if task is not None and tuple(columns) != task.labels:
        what = "the columns are not those that the model answers"
        raise InputError(what, where=where, got=", ".join(columns), wanted=", ".join(task.labels))
    matrix = np.stack([_yes_or_no(cells, name, places) for name, cells in columns.items()], axis=1)
    return Answers(task or Task("multilabel", tuple(columns)), matrix)


def refuse_empty_columns(columns: Mapping[str, Sequence[str]], where: str) -> None:
    """Refuse a column in which nothing is known.

    Raises
    ------
    InputError
        If there is one.
    """
    for name, cells in columns.items():
        if not any(cells):
            what = "all answers of a column are empty"
            raise InputError(what, where=f"{where}, column {name!r}", wanted="at least one answer that is known")


def _yes_or_no(cells: Sequence[str], name: str, places: Sequence[str]) -> Integer[np.ndarray, "examples"]:
    meaning = {"": -1, **dict.fromkeys(NEGATIVES, 0), **dict.fromkeys(POSITIVES, 1)}
    answers = [meaning.get(cell.lower()) for cell in cells]
    if None in answers:
        row = answers.index(None)
        what = f"column {name!r} holds what is neither yes nor no"
        wanted = "1 or 0, yes or no, or an empty cell where it is not known"
        raise InputError(what, where=places[row], got=cells[row], wanted=wanted)
    return np.array(answers, dtype=np.int8)
