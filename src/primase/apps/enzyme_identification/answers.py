"""From what a user's column says to the labels that are learned: yes and no, EC numbers, or any names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Integer

from primase.data.audit import Finding
from primase.data.labels import NEGATIVES, POSITIVES, most_frequent, order_labels
from primase.data.tasks import Task
from primase.errors import InputError

Question = Literal["enzyme", "main-class"]

ENZYME: Final = ("non-enzyme", "enzyme")
NOT_AN_ENZYME: Final = "not an enzyme"

_EC_NUMBER: Final = re.compile(r"(?:EC[ :]*)?([1-7])(?:\.(?:\d+|n\d+|-)){1,3}", re.IGNORECASE)
# What makes a column one of EC numbers; 1.0 alone is a number as tables write it.
_SURELY_EC: Final = re.compile(r"EC[ :]*[1-7]|[1-7]\.(?:\d+|n\d+|-)\.(?:\d+|n\d+|-)", re.IGNORECASE)
_NEGATIVES: Final = NEGATIVES | {"non-enzyme", "nonenzyme", "non_enzyme", "non enzyme", "not an enzyme"}


@dataclass(frozen=True, slots=True)
class Answers:
    """The label of each protein, -1 where it has none, and what was odd."""

    task: Task
    targets: Integer[np.ndarray, "proteins"]
    findings: Sequence[Finding]


def understand(
    answers: Sequence[str], question: Question, task: Task | None, *, where: str, places: Sequence[str]
) -> Answers:
    """Read a column of answers.

    A column that holds EC numbers is read as such: an empty cell or a "no" then means that the protein is not an
    enzyme, and several numbers are joined by commas, semicolons or spaces. Any other column holds names of labels, of
    which an empty cell is an unknown one.

    Parameters
    ----------
    question
        What is asked of EC numbers.
    task
        That of a trained model, to whose labels the answers must belong; None to find the labels here.
    where
        The file and column, for messages.
    places
        The file and line of each answer, for messages.

    Raises
    ------
    InputError
        If an answer is no EC number among EC numbers, there is one label only, or a label that the model lacks.
    """
    texts = [answer.strip() for answer in answers]
    findings: list[Finding] = []
    if any(_SURELY_EC.match(text) for text in texts):
        labels_found, findings = _from_ec_numbers(texts, question, places)
    elif question == "main-class" and task is None:
        what = "main classes are read from EC numbers, and there are none"
        raise InputError(
            what, where=where, got=most_frequent(texts), wanted="EC numbers such as 1.1.1.1 in --target-column"
        )
    else:
        labels_found = [_own_label(text, task) for text in texts]
    unknown = sum(label is None for label in labels_found)
    if unknown:
        text = f"{unknown:,} proteins have no single answer and were left out."
        findings.append(Finding("no answer", unknown, "info", text))
    chosen = task or Task.from_labels(order_labels(labels_found, where, negatives=_NEGATIVES))
    number_of = {label: number for number, label in enumerate(chosen.labels)}
    for row, label in enumerate(labels_found):
        if label is not None and label not in number_of:
            what = "a label that the model was not trained on"
            raise InputError(what, where=places[row], got=label, wanted=", ".join(chosen.labels))
    if unknown == len(texts):
        what = "no protein has an answer"
        raise InputError(what, where=where, wanted="one of " + ", ".join(chosen.labels))
    targets = [number_of[label] if label is not None else -1 for label in labels_found]
    return Answers(chosen, np.array(targets, dtype=np.int64), findings)


def _from_ec_numbers(
    texts: Sequence[str], question: Question, places: Sequence[str]
) -> tuple[list[str | None], list[Finding]]:
    labels: list[str | None] = []
    several = 0
    for row, text in enumerate(texts):
        words = [word for word in re.split(r"[\s,;]+", re.sub(r"(?i)EC[ :]*", "", text)) if word]
        if not words or text.lower() in _NEGATIVES:
            labels.append(ENZYME[0] if question == "enzyme" else NOT_AN_ENZYME)
            continue
        matches = [_EC_NUMBER.fullmatch(word) for word in words]
        if not all(matches):
            what = "an answer is no EC number, where others are"
            raise InputError(what, where=places[row], got=text, wanted="EC numbers, or an empty cell")
        classes = {match.group(1) for match in matches if match}
        several += len(classes) > 1
        if question == "enzyme":
            labels.append(ENZYME[1])
        else:
            labels.append(f"EC {classes.pop()}" if len(classes) == 1 else None)
    findings = []
    empty = sum(not text for text in texts)
    if empty:
        text = f"{empty:,} proteins without an EC number were read as no enzymes."
        findings.append(Finding("no EC number", empty, "info", text))
    if several and question == "main-class":
        text = f"{several:,} proteins belong to several main classes, of which one answer cannot name all."
        findings.append(Finding("several main classes", several, "info", text))
    return labels, findings


def _own_label(text: str, task: Task | None) -> str | None:
    """Keep a name as it is; translate yes and no where the model's labels are ours."""
    if not text:
        return None
    if task is not None and task.labels == ENZYME and text not in ENZYME:
        if text.lower() in _NEGATIVES:
            return ENZYME[0]
        if text.lower() in POSITIVES:
            return ENZYME[1]
    return text
