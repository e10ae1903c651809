"""Which single position tells most about the target: from the start, from the end, or around a marked region."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, final

import numpy as np
from jaxtyping import Float64, Int8, Int64, Integer

from primase.apps.sequences.anchors import (
    Case,
    Letters,
    first_letters,
    last_letters,
    letters_at,
    marked_regions,
    marking_case,
)
from primase.bio.nucleotides import BASES
from primase.data.examples import Examples
from primase.data.sequences import Sequences

BORDER_LETTERS: Final = 6
"""So many letters inside, and as many outside, each border of a marked region are looked at."""

FARTHEST: Final = 1000
"""Positions farther than this from the start and the end are not tried."""

_SAMPLED: Final = 20_000
_BASES: Final = (1, 2, 4, 8)

_CLEARLY_MORE: Final = 1.02
"""A position that is merely counted must tell this much more than one at a border, which is easier to understand."""

# Whether a place stands before its border, and whether inside the region, to how it is said.
_SIDES: Final = {(True, True): "of", (False, True): "of", (True, False): "before", (False, False): "after"}

Anchor = Literal["start", "end", "region start", "region end"]
Answers = Int8[np.ndarray, "examples labels"]


@final
@dataclass(frozen=True, slots=True)
class Position:
    """A place in every sequence.

    Parameters
    ----------
    anchor
        What it is counted from.
    offset
        Places behind the anchor; -1 is the last letter of the sequence or the last one before the border.
    case
        The case that marks the region, where the anchor is one of its borders.
    """

    anchor: Anchor
    offset: int
    case: Case | None = None

    def __str__(self) -> str:
        if self.anchor == "start":
            return f"letter {self.offset + 1}"
        if self.anchor == "end":
            return f"letter {-self.offset} from the end"
        before = self.offset < 0
        count = -self.offset if before else self.offset + 1
        inside = before == (self.anchor == "region end")
        place = f"{self.case}-case region"
        if count == 1:
            return f"the {'last' if before else 'first'} letter {_SIDES[before, inside]} the {place}"
        if inside:
            return f"letter {count} {'from the end ' if before else ''}of the {place}"
        return f"letter {count} {'before' if before else 'after'} the {place}"

    def letters(self, sequences: Sequences) -> Letters:
        """Read the letter of each sequence at this place, in one column."""
        if self.anchor == "start":
            return letters_at(sequences, np.full((len(sequences), 1), self.offset))
        if self.anchor == "end":
            return letters_at(sequences, sequences.lengths[:, None] + self.offset)
        assert self.case is not None
        regions = marked_regions(sequences, self.case)
        border = regions.starts if self.anchor == "region start" else regions.ends
        return np.where(regions.known[:, None], letters_at(sequences, border[:, None] + self.offset), np.uint8(0))


def best_position(train: Examples[Sequences]) -> Position | None:
    """Find the position whose letter tells most about a target, by mutual information on the training part.

    Where there are several targets, it is the one that tells most about any of them. At most 20,000 examples are looked
    at.

    Returns
    -------
    Position or None
        None if no position tells anything.
    """
    answers = answer_columns(train.targets)
    known = np.flatnonzero((answers >= 0).any(axis=1))
    if len(known) > _SAMPLED:
        known = np.sort(np.random.default_rng(0).permutation(known)[:_SAMPLED])
    sequences, answers = train.inputs.take(known), answers[known]
    best: tuple[float, Position | None] = (0.0, None)
    for first, letters in _scanned(sequences):
        told = information(letters, answers).max(axis=1, initial=0.0)
        if told.size and told.max() > best[0] * _CLEARLY_MORE:
            place = int(told.argmax())
            best = (float(told[place]), replace(first, offset=first.offset + place))
    return best[1]


def answer_columns(targets: Integer[np.ndarray, "..."]) -> Answers:
    """Write targets as columns of 1 (yes), 0 (no) and -1 (unknown), whatever the task.

    Targets of several labels are such columns. Of one target with two answers the second is the yes; of one with more,
    each has a column.

    Examples
    --------
    >>> answer_columns(np.array([0, 1, -1])).tolist()
    [[0], [1], [-1]]
    >>> answer_columns(np.array([0, 2, -1])).tolist()
    [[1, 0, 0], [0, 0, 1], [-1, -1, -1]]
    """
    if targets.ndim == 2:
        return np.asarray(targets, dtype=np.int8)
    if targets.max(initial=1) <= 1:
        return np.asarray(targets[:, None], dtype=np.int8)
    columns = (targets[:, None] == np.arange(targets.max() + 1)).astype(np.int8)
    return np.where(targets[:, None] < 0, np.int8(-1), columns)


def information(letters: Letters, answers: Answers) -> Float64[np.ndarray, "positions labels"]:
    """Measure how many bits the letter at each position tells about each answer (mutual information, Shannon 1948)."""
    yes, no = (answers == 1).astype(np.float32), (answers == 0).astype(np.float32)
    codes = letters & np.uint8(BASES)
    tables = [_joint(codes == base, yes, no) for base in _BASES]
    tables.append(_joint(~np.isin(codes, _BASES), yes, no))
    joint = np.stack(tables)  # letter, answer, position, label
    joint /= np.maximum(joint.sum(axis=(0, 1), keepdims=True), 1)
    apart = joint.sum(axis=0, keepdims=True) * joint.sum(axis=1, keepdims=True)
    surprise = np.log2(joint, out=np.zeros_like(joint), where=joint > 0)
    expected = np.log2(apart, out=np.zeros_like(joint), where=joint > 0)
    told: Float64[np.ndarray, "positions labels"] = (joint * (surprise - expected)).sum(axis=(0, 1))
    return told


def _joint(
    here: Int64[np.ndarray, "examples positions"],
    yes: Float64[np.ndarray, "examples labels"],
    no: Float64[np.ndarray, "examples labels"],
) -> Float64[np.ndarray, "two positions labels"]:
    # float32 counts exactly up to 16 million.
    marks = here.T.astype(np.float32)
    return np.stack([marks @ yes, marks @ no]).astype(np.float64)


def letters_around(sequences: Sequences, case: Case) -> tuple[Letters, Letters]:
    """Read the letters around the start and around the end of the marked region, six outside and six inside each."""
    regions = marked_regions(sequences, case)
    around = np.arange(-BORDER_LETTERS, BORDER_LETTERS)
    known = regions.known[:, None]
    at_start, at_end = (
        np.where(known, letters_at(sequences, border[:, None] + around), np.uint8(0))
        for border in (regions.starts, regions.ends)
    )
    return at_start, at_end


def _scanned(sequences: Sequences) -> Iterator[tuple[Position, Letters]]:
    """Cut the letters to try: the position of the first column, and a column for it and each one behind it."""
    if len(sequences) == 0:
        return
    case = marking_case(sequences)
    if case is not None:
        at_start, at_end = letters_around(sequences, case)
        yield Position("region start", -BORDER_LETTERS, case), at_start
        yield Position("region end", -BORDER_LETTERS, case), at_end
    longest = int(sequences.lengths.max())
    count = min(longest, FARTHEST)
    yield Position("start", 0), first_letters(sequences, count)
    if sequences.lengths.min() < longest or longest > FARTHEST:
        yield Position("end", -count), last_letters(sequences, count)
