"""From what folders, tables and archives say of each image to targets: one class of several, or a yes or no to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Shaped

from primase.apps.answers import Answers, numbered, several_columns
from primase.data.labels import NEGATIVES, order_labels
from primase.data.tasks import Task
from primase.errors import InputError

JOINTS: Final = (";", "|")
"""What stands between several labels in one cell."""
_NOTHING: Final = frozenset({"no finding", "no findings", "none", "normal", "healthy", "negative", "0"})
"""What stands in a cell of several labels where none of them applies."""
_NORMAL: Final = ("normal", "healthy", "no finding", "benign", "unaffected", "uninfected", "uninfected", "non-", "not ")


def understand(
    columns: Mapping[str, Shaped[np.ndarray, "images"]], task: Task | None, *, where: str, places: Sequence[str]
) -> Answers:
    """Read one column of classes, one of several labels joined by ``;`` or ``|``, or several columns of yes and no.

    Parameters
    ----------
    columns
        The words of each column; an empty one is an unknown answer.
    task
        That of a trained model, to whose labels the answers must belong; None to find the labels here.
    where
        The folder, table or archive, for messages.
    places
        The file or line of each image, for messages.

    Raises
    ------
    InputError
        If nothing is known, there is one class only, a cell of several columns is neither yes nor no, or a label is
        none of the model's.
    """
    if len(columns) > 1:
        cells_of = {name: [str(word) for word in words.tolist()] for name, words in columns.items()}
        return several_columns(cells_of, task, where=where, places=places)
    ((name, words),) = columns.items()
    cells = [str(word) for word in words.tolist()]
    if not any(cells):
        what = "no image has a label"
        raise InputError(what, where=f"{where}, {name}", wanted="at least two different labels")
    if task.is_multilabel if task is not None else any(joint in cell for cell in cells for joint in JOINTS):
        return _joined(cells, task, places)
    return _one_of_several(cells, task, where=where, places=places)


def is_negative(label: str) -> bool:
    """Tell by its name whether a class is the one without the finding, such as ``NORMAL`` or ``no``."""
    lower = label.lower()
    return lower in NEGATIVES or lower.startswith(_NORMAL)


def _one_of_several(cells: Sequence[str], task: Task | None, *, where: str, places: Sequence[str]) -> Answers:
    if task is None:
        negatives = {cell.lower() for cell in set(cells) if is_negative(cell)}
        task = Task.from_labels(order_labels([cell or None for cell in cells], where, negatives=negatives))
    number_of = {label: number for number, label in enumerate(task.labels)}
    by_lower = {label.lower(): number for label, number in number_of.items()}
    number_of = number_of if len(by_lower) < len(number_of) else {**by_lower, **number_of}
    return Answers(task, numbered(cells, task, number_of, places))


def _joined(cells: Sequence[str], task: Task | None, places: Sequence[str]) -> Answers:
    """Read cells such as ``effusion;mass``; an empty one is unknown, ``no finding`` has none of the labels."""
    split = [_labels(cell) for cell in cells]
    if task is None:
        task = Task("multilabel", tuple(sorted({label for labels in split for label in labels})))
    number_of = {label: number for number, label in enumerate(task.labels)}
    targets = np.zeros((len(cells), len(number_of)), dtype=np.int8)
    for row, labels in enumerate(split):
        if not cells[row]:
            targets[row] = -1
        for label in labels:
            if label not in number_of:
                what = "a label that the model was not trained on"
                raise InputError(what, where=places[row], got=label, wanted=", ".join(task.labels))
            targets[row, number_of[label]] = 1
    return Answers(task, targets)


def _labels(cell: str) -> list[str]:
    for joint in JOINTS[1:]:
        cell = cell.replace(joint, JOINTS[0])
    parts = [part.strip() for part in cell.split(JOINTS[0])]
    return [part for part in parts if part and part.lower() not in _NOTHING]
