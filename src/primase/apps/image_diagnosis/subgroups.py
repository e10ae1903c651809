"""Parts of the test that are looked at apart: images with the same word in a column of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Shaped

from primase.apps.images.pictures import Pictures
from primase.data.audit import Finding
from primase.data.examples import Examples

FEWEST: Final = 20
"""Of fewer images no figures are given."""
MOST_WORDS: Final = 12
"""A column with more different words has no subgroups."""
_SHOWN: Final = 6


def subgroups(test: Examples[Pictures]) -> Mapping[str, Bool[np.ndarray, "tested"]]:
    """Find the images with each word, in every column with few different ones."""
    found: dict[str, Bool[np.ndarray, "tested"]] = {}
    for name, column in test.covariates.items():
        counts = _counts(column)
        if len(counts) > MOST_WORDS:
            continue
        for word, count in counts.items():
            if FEWEST <= count < len(column):
                found[f"{name}: {word}"] = column.astype(str) == word
    return found


def left_out(test: Examples[Pictures], asked: Sequence[str]) -> list[Finding]:
    """Say of which of the columns that were asked for, or of which of their words, no figures are given, and why.

    Parameters
    ----------
    asked
        The columns of --label-column.
    """
    findings = []
    for name in asked:
        column = test.covariates.get(name)
        if column is None:
            continue  # That there is no such column is said where the table is read.
        reason, count = _reason(_counts(column), len(column))
        if reason:
            findings.append(Finding(f"subgroups of {name} left out", count, "warning", f"{name}: {reason}"))
    return findings


def _reason(counts: Mapping[str, int], total: int) -> tuple[str, int]:
    """Say what is left out, and how many images that concerns; an empty text for nothing."""
    if not counts:
        return "no image of the test has a word in this column, and no figures are given by it.", total
    if len(counts) > MOST_WORDS:
        text = (
            f"{len(counts):,} different words in the test are more than {MOST_WORDS}: no figures are given by them. "
            "Bring numbers, such as ages, into a few classes."
        )
        return text, total
    if len(counts) == 1 and max(counts.values()) == total:
        return f"all images of the test have the same word ({next(iter(counts))}): there is nothing to compare.", total
    few = {word: count for word, count in counts.items() if count < FEWEST}
    if not few:
        return "", 0
    listed = [f"{word} ({count:,})" for word, count in few.items()]
    shown = ", ".join(listed[:_SHOWN]) + (", …" if len(listed) > _SHOWN else "")
    return f"no figures are given of words that fewer than {FEWEST} test images have: {shown}.", sum(few.values())


def _counts(column: Shaped[np.ndarray, "images"]) -> dict[str, int]:
    words, counts = np.unique(column.astype(str), return_counts=True)
    return {word: count for word, count in zip(words.tolist(), counts.tolist(), strict=True) if word}
