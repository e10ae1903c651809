"""What a cut does: the share of positives that it finds, of negatives that it leaves alone, and whether that holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Integer

from primase.evaluation.intervals import Interval, Units, percentile_interval, resampled_weights

Targets = Integer[np.ndarray, "examples"]
Probabilities = Float[np.ndarray, "examples"]

RATES: Final = ("sensitivity", "specificity", "accuracy", "f1")
_NORMAL: Final = 1.959964
"""Half the width of a 95 % interval of a normal distribution, in standard deviations."""


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
        ``sensitivity``, ``specificity``, ``accuracy`` and ``f1``, each with a 95 % interval; NaN without examples of
        the kind. A rate of exactly 0 or 1, which is the same in every resample, has the interval of Wilson (1927) over
        the units that have examples of the kind.
    """
    known = targets >= 0
    truth, called = targets[known] == 1, probabilities[known] >= cut
    own = Units.examples(len(truth)) if units is None else units.take(known)
    point = _rates(np.ones((1, len(truth))), truth, called)
    if own.count < 2:
        return {name: Interval.undefined(float(value[0])) for name, value in point.items()}
    drawn = [_rates(weights, truth, called) for weights in resampled_weights(own, resamples=resamples, seed=seed)]
    of_kind = {"specificity": ~truth, "accuracy": np.ones_like(truth)}
    return {
        name: _with_room(
            percentile_interval(float(value[0]), np.concatenate([one[name] for one in drawn])),
            len(np.unique(own.index[of_kind.get(name, truth)])),
        )
        for name, value in point.items()
    }


def _with_room(rate: Interval, units: int) -> Interval:
    """Leave a rate of none or all room to be another: that all of 10 are found does not tell 1 from 0.8.

    Parameters
    ----------
    units
        How many it was counted over.
    """
    room = _NORMAL**2 / (units + _NORMAL**2)
    if not rate.has_bounds or 0 < rate.value < 1:
        return rate
    if rate.value == 1:
        return Interval(1.0, min(rate.low, 1 - room), 1.0)
    return Interval(0.0, 0.0, max(rate.high, room))


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
            "f1": np.where(
                weights @ truth > 0, 2 * (weights @ (right & truth)) / (weights @ (truth + 1.0 * called)), np.nan
            ),
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
