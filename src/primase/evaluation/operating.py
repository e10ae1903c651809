"""Where to draw the line: a cut chosen on validation, what it does on test, and whether it holds there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, final

import numpy as np
from jaxtyping import Bool, Float, Integer

from primase.errors import InputError
from primase.evaluation.intervals import Interval, Units, percentile_interval, resampled_weights

Criterion = Literal["youden", "sensitivity", "specificity"]
Targets = Integer[np.ndarray, "examples"]
Probabilities = Float[np.ndarray, "examples"]

RATES: Final = ("sensitivity", "specificity", "accuracy")
_NORMAL: Final = 1.959964
"""Half the width of a 95 % interval of a normal distribution, in standard deviations."""


@final
@dataclass(frozen=True, slots=True)
class Aim:
    """What a cut is chosen for.

    Parameters
    ----------
    criterion
        ``"sensitivity"``: the highest cut that finds at least the share ``least`` of the positives. ``"specificity"``:
        the lowest that leaves at least that share of the negatives alone. ``"youden"``: the largest sum of the two
        (Youden 1950).
    least
        From 0 to 1; without meaning for Youden's.
    """

    criterion: Criterion = "youden"
    least: float = 0.95

    def __str__(self) -> str:
        if self.criterion == "youden":
            return "the largest sum of sensitivity and specificity"
        return f"a {self.criterion} of at least {self.least:g}"


def choose_cut(targets: Targets, probabilities: Probabilities, aim: Aim) -> float:
    """Choose from which probability on an example is called positive.

    A cut lies half-way between two neighbouring probabilities, so that what is a little different on either side is
    still told apart as it was.

    Parameters
    ----------
    targets
        1 for positives, 0 for negatives; below zero where not known.
    probabilities
        Of the positive label, of examples that the network was not trained on.

    Raises
    ------
    InputError
        If there are no positives, or no negatives.

    Examples
    --------
    >>> choose_cut(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.6, 0.9]), Aim())
    0.5
    """
    known = targets >= 0
    truth, scores = targets[known] == 1, probabilities[known]
    if truth.all() or not truth.any():
        what = "a cut cannot be chosen where all known examples have the same answer"
        raise InputError(what, got=f"{int(truth.sum()):,} positives of {len(truth):,}", wanted="some of both")
    cuts = _cuts(scores)
    # How many of each kind lie at or above each cut.
    found = _above(np.sort(scores[truth]), cuts) / truth.sum()
    spared = 1 - _above(np.sort(scores[~truth]), cuts) / (~truth).sum()
    if aim.criterion == "sensitivity":
        return float(cuts[np.flatnonzero(found >= aim.least)[-1]])
    if aim.criterion == "specificity":
        return float(cuts[np.flatnonzero(spared >= aim.least)[0]])
    best = np.flatnonzero(found + spared >= (found + spared).max() - 1e-12)
    # Among equals the middle one, which is furthest from what would change it.
    return float(cuts[best[len(best) // 2]])


def _cuts(scores: Probabilities) -> Float[np.ndarray, "cuts"]:
    """List every cut that tells the examples apart in another way, from one that lets all in to one that lets none."""
    distinct = np.unique(scores)
    return np.concatenate([[0.0], (distinct[1:] + distinct[:-1]) / 2, [np.nextafter(max(distinct[-1], 1.0), 2.0)]])


def _above(ascending: Probabilities, cuts: Float[np.ndarray, "cuts"]) -> Integer[np.ndarray, "cuts"]:
    return len(ascending) - np.searchsorted(ascending, cuts, side="left")


def rates_at(
    cut: float,
    targets: Targets,
    probabilities: Probabilities,
    *,
    units: Units | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Measure what a cut does: the share of positives that it finds, of negatives that it leaves alone, of all.

    Parameters
    ----------
    units
        What the bootstrap draws as one; every example by itself where None.

    Returns
    -------
    dict
        ``sensitivity``, ``specificity`` and ``accuracy``, each with a 95 % interval; NaN without examples of the kind.
    """
    known = targets >= 0
    truth, called = targets[known] == 1, probabilities[known] >= cut
    own = Units.examples(len(truth)) if units is None else units.take(known)
    point = _rates(np.ones((1, len(truth))), truth, called)
    if own.count < 2:
        return {name: Interval.undefined(float(value[0])) for name, value in point.items()}
    drawn = [_rates(weights, truth, called) for weights in resampled_weights(own, resamples=resamples, seed=seed)]
    return {
        name: percentile_interval(float(value[0]), np.concatenate([one[name] for one in drawn]))
        for name, value in point.items()
    }


def _rates(
    weights: Float[np.ndarray, "resamples examples"],
    truth: Bool[np.ndarray, "examples"],
    called: Bool[np.ndarray, "examples"],
) -> Mapping[str, Float[np.ndarray, "resamples"]]:
    right = truth == called
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "sensitivity": weights @ (right & truth) / (weights @ truth),
            "specificity": weights @ (right & ~truth) / (weights @ ~truth),
            "accuracy": weights @ right / weights.sum(axis=1),
        }


def differ(first: Interval, second: Interval) -> bool:
    """Tell whether a figure is beyond doubt another on other examples, such as on test than on validation.

    By the difference of two independent figures, each about normal with the spread that its 95 % interval says
    (Schenker and Gentleman 2001): intervals that barely overlap differ, too.

    Examples
    --------
    >>> differ(Interval(0.99, 0.98, 1.0), Interval(0.96, 0.94, 0.98))
    True
    >>> differ(Interval(0.99, 0.98, 1.0), Interval(0.98, 0.96, 1.0))
    False
    """
    if not (first.has_bounds and second.has_bounds):
        return False
    spreads = [(interval.high - interval.low) / (2 * _NORMAL) for interval in (first, second)]
    return abs(first.value - second.value) > _NORMAL * math.hypot(*spreads) > 0
