"""Calibration by bins: histogram binning, and the average of many binnings (BBQ)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self, final

import numpy as np
from jaxtyping import Float
from scipy.special import expit, gammaln, softmax

from primase.evaluation.calibration import register_calibrator
from primase.evaluation.curves import Curve, CurveCalibrator, Right, Scores, Shares

MOST_BINS: Final = 15
LEAST_IN_BIN: Final = 10
SUPPOSED: Final = 2.0
"""The weight of what is supposed of a bin before it is looked at, in examples."""

_SPREAD_OF_BINS: Final = 10.0
_NEGLIGIBLE: Final = 1e-6


@final
@dataclass(frozen=True, slots=True)
class Steps(Curve):
    """A share for each bin; a bin reaches from its left border to before the next.

    Parameters
    ----------
    borders
        Between the bins, in log-odds.
    levels
        The probability in each bin: one more than borders.
    """

    borders: tuple[float, ...]
    levels: tuple[float, ...]

    def __post_init__(self) -> None:
        inside = all(0 < level < 1 for level in self.levels)
        if len(self.levels) != len(self.borders) + 1 or not inside or np.any(np.diff(self.borders) <= 0):
            message = "bins whose borders do not rise, or whose probabilities are not between 0 and 1"
            raise ValueError(message)

    @classmethod
    def fit(cls, scores: Scores, right: Right) -> Self:
        """Count in bins of equally many examples; two supposed ones, as the whole has them, stand beside each bin's."""
        bins = min(max(len(scores) // LEAST_IN_BIN, 1), MOST_BINS)
        borders = equal_borders(np.sort(scores), bins)
        held, yes = counts_in(borders, scores, right)
        overall = (yes.sum() + 1) / (held.sum() + 2)
        levels = (yes + SUPPOSED * overall) / (held + SUPPOSED)
        return cls(tuple(borders.tolist()), tuple(levels.tolist()))

    def shares(self, scores: Scores) -> Shares:
        """Look up the bin of each example."""
        return np.asarray(self.levels)[np.searchsorted(self.borders, scores, side="right")]

    def to_state(self) -> dict[str, Any]:
        """Return borders and probabilities."""
        return {"borders": list(self.borders), "levels": list(self.levels)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read borders and probabilities."""
        return cls(tuple(map(float, state["borders"])), tuple(map(float, state["levels"])))


@register_calibrator
@final
@dataclass(frozen=True, slots=True)
class HistogramBinning(CurveCalibrator):
    """Replaces a probability by how often the validation examples of its bin were right.

    Bins hold equally many examples (Zadrozny and Elkan, 2001, Obtaining calibrated probability estimates from decision
    trees and naive Bayesian classifiers): as many as leave ten in each, and at most 15. The share of a bin is smoothed
    by their m-estimate with m = 2, so that no bin says never or always. Examples of one bin become equally probable, so
    that rankings lose detail.
    """

    method: ClassVar[str] = "histogram"
    title: ClassVar[str] = "histogram binning"
    keeps: ClassVar[str] = "nothing"
    kind: ClassVar[type[Curve]] = Steps

    @property
    def note(self) -> str:
        """What was done."""
        return "The probabilities were corrected by histogram binning, label by label." + self.said_of_missing()


@final
@dataclass(frozen=True, slots=True)
class AveragedSteps(Curve):
    """The average of several binnings, each weighted by how well it accounts for what was seen.

    Parameters
    ----------
    binnings
        Each with borders of its own.
    weights
        Of each; they sum to one.
    """

    binnings: tuple[Steps, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.binnings) != len(self.weights) or not math.isclose(sum(self.weights), 1, abs_tol=1e-6):
            message = "binnings whose weights do not sum to one"
            raise ValueError(message)

    @classmethod
    def fit(cls, scores: Scores, right: Right) -> Self:
        """Try every number of bins from a tenth to ten times the cube root of the number of examples.

        Binnings that together would not change a probability by a millionth are left out.
        """
        root = len(scores) ** (1 / 3)
        fewest, most = max(1, math.floor(root / _SPREAD_OF_BINS)), math.ceil(root * _SPREAD_OF_BINS)
        ordered = np.sort(scores)
        several = [equal_borders(ordered, bins) for bins in range(fewest, min(most, len(scores)) + 1)]
        different = {borders.tobytes(): borders for borders in several}  # ties leave some numbers of bins alike
        weighed = [binning_of(borders, scores, right) for borders in different.values()]
        weights = softmax([score for _, score in weighed])
        kept = np.flatnonzero(weights >= _NEGLIGIBLE * weights.max() / len(weights))
        shares = weights[kept] / weights[kept].sum()
        return cls(tuple(weighed[place][0] for place in kept), tuple(shares.tolist()))

    def shares(self, scores: Scores) -> Shares:
        """Average what the binnings say."""
        said = np.stack([binning.shares(scores) for binning in self.binnings])
        return np.asarray(np.asarray(self.weights) @ said)

    def to_state(self) -> dict[str, Any]:
        """Return the binnings and their weights."""
        return {"binnings": [binning.to_state() for binning in self.binnings], "weights": list(self.weights)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read the binnings and their weights."""
        return cls(tuple(map(Steps.from_state, state["binnings"])), tuple(map(float, state["weights"])))


@register_calibrator
@final
@dataclass(frozen=True, slots=True)
class BayesianBinning(CurveCalibrator):
    """Averages many binnings by their evidence: BBQ, Bayesian binning into quantiles.

    Naeini, Cooper and Hauskrecht, 2015, Obtaining well calibrated probabilities using Bayesian binning: the score of a
    binning is the probability of the targets under a beta prior in each bin (their equation 1, with N' = 2), and the
    probability of an example is the average over all binnings, weighted by their scores (equation 2).
    """

    method: ClassVar[str] = "bbq"
    title: ClassVar[str] = "Bayesian binning (BBQ)"
    keeps: ClassVar[str] = "nothing"
    kind: ClassVar[type[Curve]] = AveragedSteps

    @property
    def note(self) -> str:
        """What was done."""
        said = "The probabilities were corrected by Bayesian binning into quantiles (BBQ), label by label."
        return said + self.said_of_missing()


def equal_borders(ordered: Scores, bins: int) -> Float[np.ndarray, "borders"]:
    """Draw borders between bins that hold equally many of some rising numbers; equal ones are never parted.

    Examples
    --------
    >>> [equal_borders(np.array(scores), 2).tolist() for scores in ([1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 4.0])]
    [[2.5], []]
    """
    wanted = np.round(np.arange(1, bins) * len(ordered) / bins).astype(np.int64)
    firsts = np.unique(np.searchsorted(ordered, ordered[wanted], side="left"))
    firsts = firsts[firsts > 0]
    below, above = ordered[firsts - 1], ordered[firsts]
    middle = (below + above) / 2
    return np.asarray(np.where(middle > below, middle, above))


def counts_in(
    borders: Float[np.ndarray, "borders"], scores: Scores, right: Right
) -> tuple[Float[np.ndarray, "bins"], Float[np.ndarray, "bins"]]:
    """Count the examples of each bin, and those of them that have the label."""
    place = np.searchsorted(borders, scores, side="right")
    held = np.bincount(place, minlength=len(borders) + 1)
    return held.astype(np.float64), np.bincount(place, weights=right, minlength=len(borders) + 1)


def binning_of(borders: Float[np.ndarray, "borders"], scores: Scores, right: Right) -> tuple[Steps, float]:
    """Return the probabilities of one binning, and the logarithm of its score (Naeini et al., 2015, equation 1)."""
    held, yes = counts_in(borders, scores, right)
    edges = np.concatenate([[0.0], expit(borders), [1.0]])
    middle = np.clip((edges[:-1] + edges[1:]) / 2, 1e-6, 1 - 1e-6)
    supposed = SUPPOSED / len(held)
    alpha, beta = supposed * middle, supposed * (1 - middle)
    evidence = gammaln(supposed) - gammaln(held + supposed)
    evidence += gammaln(yes + alpha) - gammaln(alpha) + gammaln(held - yes + beta) - gammaln(beta)
    levels = (yes + alpha) / (held + supposed)
    return Steps(tuple(borders.tolist()), tuple(levels.tolist())), float(evidence.sum())
