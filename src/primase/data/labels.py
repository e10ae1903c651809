"""The labels that a user's column names, in the order in which a task has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from primase.errors import InputError

NEGATIVES: Final = frozenset(
    {
        "0",
        "0.0",
        "no",
        "n",
        "false",
        "f",
        "negative",
        "neg",
        "none",
        "-",
        "unbound",
        "not bound",
        "background",
        "control",
    }
)
"""What people write for no."""

POSITIVES: Final = frozenset({"1", "1.0", "yes", "y", "true", "t", "positive", "+"})
"""What people write for yes."""

MOST_LABELS: Final = 100


def first_means_no(labels: Sequence[str]) -> bool:
    """Tell whether the first of two labels is a negative one, so that yes and no have a meaning."""
    return labels[0].lower() in NEGATIVES


def order_labels(
    labels: Sequence[str | None], where: str, *, negatives: Collection[str] = NEGATIVES
) -> tuple[str, ...]:
    """Order the different labels so that the negative one comes first, and the others by name.

    Parameters
    ----------
    labels
        Of each example; None where unknown.
    where
        The file and column, for messages.
    negatives
        What counts as a negative label, in lower case.

    Raises
    ------
    InputError
        If there are fewer than two different labels, or too many to be classes.

    Examples
    --------
    >>> order_labels(["enhancer", "no", None, "no"], "a table")
    ('no', 'enhancer')
    """
    counts = Counter(label for label in labels if label is not None)
    if len(counts) < 2:
        what = "there is one class only" if counts else "no example has an answer"
        wanted = "at least two different answers"
        raise InputError(what, where=where, got=most_frequent(list(counts.elements())), wanted=wanted)
    if len(counts) > MOST_LABELS:
        what = "there are too many different answers to be classes"
        raise InputError(what, where=where, got=f"{len(counts):,} different ones", wanted=f"at most {MOST_LABELS}")
    return tuple(sorted(counts, key=lambda label: (label.lower() not in negatives, label)))


def most_frequent(texts: Sequence[str]) -> str:
    """List the most frequent answers, for messages."""
    common = [text or "an empty cell" for text, _ in Counter(texts).most_common(3)]
    return ", ".join(common) or "nothing"
