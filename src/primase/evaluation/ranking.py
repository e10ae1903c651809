"""How well scores order the positives before the negatives, for many weightings of the same examples at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from jaxtyping import Bool, Float, Integer


@final
@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Examples in order of falling score, sorted once and weighted often.

    Parameters
    ----------
    order
        The positions of the examples by falling score.
    positive
        Whether each example, in that order, is positive.
    starts, ends
        The first and the past-the-end place, in that order, of each run of equal scores that holds a positive. The
        other runs only matter by what they add before these.
    """

    order: Integer[np.ndarray, "examples"]
    positive: Bool[np.ndarray, "examples"]
    starts: Integer[np.ndarray, "runs"]
    ends: Integer[np.ndarray, "runs"]

    @classmethod
    def of(cls, scores: Float[np.ndarray, "examples"], positive: Bool[np.ndarray, "examples"]) -> Self:
        """Sort examples by falling score and find the ties."""
        order = np.argsort(-scores, kind="stable")
        sorted_scores, sorted_positive = scores[order], positive[order]
        borders = np.flatnonzero(np.diff(sorted_scores)) + 1
        starts = np.concatenate([[0], borders]).astype(np.int64)
        ends = np.concatenate([borders, [len(order)]]).astype(np.int64)
        positives_before = np.concatenate([[0], np.cumsum(sorted_positive)])
        holds_positive = positives_before[ends] > positives_before[starts]
        return cls(order, sorted_positive, starts[holds_positive], ends[holds_positive])

    def areas(
        self, weights: Float[np.ndarray, "resamples examples"]
    ) -> tuple[Float[np.ndarray, "resamples"], Float[np.ndarray, "resamples"]]:
        """Compute the area under the ROC curve and the average precision, each for every row of weights.

        The first is the chance that a positive scores above a negative, ties counting half (Hanley and McNeil, 1982);
        the second the mean precision at the score of each positive, without interpolation, ties taken together.

        Returns
        -------
        auroc, auprc
            Between 0 and 1; NaN in a row without a positive or without a negative of any weight.
        """
        every = _before(weights[:, self.order])
        positives = _before(weights[:, self.order] * self.positive)
        positive_total = positives[:, -1]
        negative_total = every[:, -1] - positive_total
        found, listed = positives[:, self.ends], every[:, self.ends]
        gained = found - positives[:, self.starts]
        negatives_above = (listed - found + every[:, self.starts] - positives[:, self.starts]) / 2
        ordered = np.sum(gained * (negative_total[:, None] - negatives_above), axis=1)
        precision = np.divide(found, listed, out=np.zeros_like(found), where=listed > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            auroc = ordered / (positive_total * negative_total)
            auprc = np.sum(gained * precision, axis=1) / positive_total
        undefined = (positive_total == 0) | (negative_total == 0)
        return np.where(undefined, np.nan, auroc), np.where(undefined, np.nan, auprc)


def _before(weights: Float[np.ndarray, "resamples examples"]) -> Float[np.ndarray, "resamples places"]:
    """Sum the weights before each place, from none to all."""
    summed = np.zeros((weights.shape[0], weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=summed[:, 1:])
    return summed
