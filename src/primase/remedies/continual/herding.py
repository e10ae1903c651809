"""Which few examples stand for many: herding, as iCaRL chooses its exemplars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Integer, Shaped

from primase.data.examples import Indices
from primase.data.tasks import Task

Features = Float[np.ndarray, "examples features"]


def unit_length(features: Features) -> Features:
    """Scale the features of each example to length 1; those that are all zero stay so."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(lengths > 0, lengths, 1.0)


def herd(features: Features, count: int) -> Indices:
    """Choose examples one after the other, so that the mean of those chosen stays nearest to the mean of all.

    Algorithm 4 of Rebuffi et al. (2017), "iCaRL: incremental classifier and representation learning", on features of
    length 1.

    Parameters
    ----------
    count
        How many at most; the first of them are what a smaller count would choose.

    Returns
    -------
    array
        Positions, in the order in which they were chosen; none twice.
    """
    units = unit_length(np.asarray(features, dtype=np.float64))
    mean = units.mean(axis=0) if len(units) else np.zeros(units.shape[1])
    chosen: list[int] = []
    total = np.zeros_like(mean)
    free = np.ones(len(units), dtype=bool)
    for number in range(1, min(count, len(units)) + 1):
        distances = np.square(mean - (units + total) / number).sum(axis=1)
        best = int(np.where(free, distances, np.inf).argmin())
        chosen.append(best)
        free[best] = False
        total += units[best]
    return np.array(chosen, dtype=np.int64)


def choose_exemplars(
    features: Features, targets: Shaped[np.ndarray, "examples *labels"], task: Task, count: int
) -> Indices:
    """Choose exemplars of every label by :func:`herd`; of several labels, of those that have each, and of none.

    Where answers are values there are no labels, and ten times as many are chosen in all.

    Parameters
    ----------
    count
        Per label.

    Returns
    -------
    array
        Positions, none twice, in their order.
    """
    if task.is_value:
        return np.sort(herd(features, 10 * count))
    chosen = [members[herd(features[members], count)] for members in _kinds(targets, task)]
    return np.asarray(np.unique(np.concatenate([np.empty(0, dtype=np.int64), *chosen])))


def _kinds(targets: Shaped[np.ndarray, "examples *labels"], task: Task) -> Sequence[Integer[np.ndarray, "members"]]:
    if task.is_multilabel:
        kinds = [np.flatnonzero(column > 0) for column in targets.T]
        return [*kinds, np.flatnonzero((targets <= 0).all(axis=1))]
    return [np.flatnonzero(targets == label) for label in range(task.outputs)]


def class_means(
    features: Features, targets: Integer[np.ndarray, "examples"], labels: int
) -> Float[np.ndarray, "labels features"]:
    """Average the features of the exemplars of each label, each of length 1, to length 1; NaN where there are none."""
    units = unit_length(np.asarray(features, dtype=np.float64))
    means = np.full((labels, units.shape[1]), np.nan)
    for label in range(labels):
        own = units[targets == label]
        if len(own):
            means[label] = unit_length(own.mean(axis=0, keepdims=True))[0]
    return means
