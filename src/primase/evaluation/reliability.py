"""The reliability diagram: of the predictions made with so much confidence, how many were right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float, Integer
from scipy.stats import binomtest

from primase.evaluation.scorer import CONFIDENCE_BINS, confidence_bin


@final
@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityCurve:
    """Confidence and accuracy of the predictions, bin by bin; bins without a prediction are left out.

    Parameters
    ----------
    lower, upper
        The borders (lower, upper] of each bin of confidence.
    confidence
        The mean probability of the predicted label in the bin.
    accuracy
        The share of predictions in the bin that are right.
    low, high
        The 95 % interval of the accuracy (Wilson, 1927), which takes every prediction as one piece of evidence.
    count
        The number of predictions in the bin.
    """

    lower: Float[np.ndarray, "bins"]
    upper: Float[np.ndarray, "bins"]
    confidence: Float[np.ndarray, "bins"]
    accuracy: Float[np.ndarray, "bins"]
    low: Float[np.ndarray, "bins"]
    high: Float[np.ndarray, "bins"]
    count: Integer[np.ndarray, "bins"]

    @property
    def expected_calibration_error(self) -> float:
        """The mean gap between confidence and accuracy, weighted by count (Guo et al., 2017, equation 3)."""
        if not len(self.count):
            return float("nan")
        return float(np.average(np.abs(self.confidence - self.accuracy), weights=self.count))

    def to_state(self) -> dict[str, Any]:
        """Describe the curve in JSON."""
        columns = ("lower", "upper", "confidence", "accuracy", "low", "high", "count")
        return {name: getattr(self, name).tolist() for name in columns}


def reliability(
    targets: Integer[np.ndarray, "examples *labels"],
    probabilities: Float[np.ndarray, "examples labels"],
    *,
    bins: int = CONFIDENCE_BINS,
) -> ReliabilityCurve:
    """Gather predictions by their confidence, for the reliability diagram.

    Parameters
    ----------
    targets
        The index of the true label, or 0 and 1 per label of a multilabel task; what is not known (below zero) is left
        out.
    probabilities
        Per example and label.
    bins
        The number of equally wide bins between 0 and 1.

    Examples
    --------
    >>> curve = reliability(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]]), bins=10)
    >>> curve.confidence.round(2).tolist(), curve.accuracy.tolist(), curve.count.tolist()
    ([0.6, 0.9], [1.0, 0.5], [1, 2])
    """
    if targets.ndim > 1:  # every label of every example is a prediction of its own
        probability = probabilities.reshape(-1)
        targets, probabilities = targets.reshape(-1), np.stack([1 - probability, probability], axis=1)
    known = targets >= 0
    confidence = probabilities[known].max(axis=1).astype(np.float64)
    right = probabilities[known].argmax(axis=1) == targets[known]
    place = confidence_bin(confidence, bins)
    count = np.bincount(place, minlength=bins)
    used = np.flatnonzero(count)
    hits = np.bincount(place, weights=right, minlength=bins)[used]
    held = count[used]
    wilson = [binomtest(int(hit), int(n)).proportion_ci(method="wilson") for hit, n in zip(hits, held, strict=True)]
    edges = np.linspace(0.0, 1.0, bins + 1)
    return ReliabilityCurve(
        lower=edges[used],
        upper=edges[used + 1],
        confidence=np.bincount(place, weights=confidence, minlength=bins)[used] / held,
        accuracy=hits / held,
        low=np.array([interval.low for interval in wilson], dtype=np.float64),
        high=np.array([interval.high for interval in wilson], dtype=np.float64),
        count=held,
    )
