"""Calibration by curves that only rise: Platt's sigmoid and isotonic regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self, final

import numpy as np
from scipy.optimize import Bounds, minimize
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from primase.evaluation.calibration import register_calibrator
from primase.evaluation.curves import Curve, CurveCalibrator, Right, Scores, Shares

_ROUNDING: Final = 1e-12
"""Scores that differ by less, as a share of what they are, are the same."""


@final
@dataclass(frozen=True, slots=True)
class Sigmoid(Curve):
    """The logistic function of a slope times the log-odds plus an intercept.

    Parameters
    ----------
    slope
        Not negative, so that the surer example stays the surer one.
    """

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if not (0 <= self.slope < np.inf and np.isfinite(self.intercept)):
            message = f"a slope of {self.slope} and an intercept of {self.intercept}"
            raise ValueError(message)

    @classmethod
    def fit(cls, scores: Scores, right: Right) -> Self:
        """Find the most probable slope and intercept for Platt's targets, which lie a little inside 0 and 1."""
        yes, no = int(right.sum()), int((~right).sum())
        goal = np.where(right, (yes + 1) / (yes + 2), 1 / (no + 2))  # Platt, 1999, section 2.2
        # In units of their spread the search takes the same steps whatever the network's logits are; what is left of
        # equal scores by rounding is no spread, and would make of it the steepest of slopes.
        centre, spread = float(scores.mean()), float(scores.std())
        spread = spread if spread > _ROUNDING * max(1.0, abs(centre)) else 1.0
        scaled = (scores - centre) / spread

        def surprise(found: np.ndarray) -> float:
            odds = found[0] * scaled + found[1]
            return float((np.logaddexp(0, odds) - goal * odds).mean())

        def steepness(found: np.ndarray) -> np.ndarray:
            slack = expit(found[0] * scaled + found[1]) - goal
            return np.array([(slack * scaled).mean(), slack.mean()])

        start = np.array([1.0, np.log((yes + 1) / (no + 1))])
        best = minimize(
            surprise,
            start,
            jac=steepness,
            method="L-BFGS-B",
            bounds=Bounds([0, -np.inf], [np.inf, np.inf]),
            options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000},
        )
        slope = float(best.x[0]) / spread
        return cls(slope, float(best.x[1]) - slope * centre)

    def shares(self, scores: Scores) -> Shares:
        """Read the sigmoid."""
        return np.asarray(expit(self.slope * scores + self.intercept))

    def to_state(self) -> dict[str, Any]:
        """Return slope and intercept."""
        return {"slope": self.slope, "intercept": self.intercept}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read slope and intercept."""
        return cls(float(state["slope"]), float(state["intercept"]))


@register_calibrator
@final
@dataclass(frozen=True, slots=True)
class PlattScaling(CurveCalibrator):
    """Fits a sigmoid to the log-odds of each label (Platt, 1999, Probabilistic outputs for support vector machines).

    Beside the temperature it has an intercept, and so can also mend probabilities that are all too high or too low. The
    slope is kept from being negative: of two examples the one with the higher probability keeps it, but one half may be
    crossed, and with it the predicted label changed.
    """

    method: ClassVar[str] = "platt"
    title: ClassVar[str] = "Platt scaling"
    keeps: ClassVar[str] = "order"
    kind: ClassVar[type[Curve]] = Sigmoid

    @property
    def note(self) -> str:
        """What was done."""
        return "The probabilities were corrected by Platt scaling, a sigmoid for each label." + self.said_of_missing()


@final
@dataclass(frozen=True, slots=True)
class Rising(Curve):
    """A curve through corners that only rises, and is level beyond them.

    Parameters
    ----------
    places, heights
        The corners, from left to right.
    """

    places: tuple[float, ...]
    heights: tuple[float, ...]

    def __post_init__(self) -> None:
        places, heights = np.asarray(self.places, dtype=float), np.asarray(self.heights, dtype=float)
        inside = len(heights) and heights.min() > 0 and heights.max() < 1
        if len(places) != len(heights) or not inside or np.any(np.diff(places) < 0) or np.any(np.diff(heights) < 0):
            message = "corners that do not rise from left to right between 0 and 1"
            raise ValueError(message)

    @classmethod
    def fit(cls, scores: Scores, right: Right) -> Self:
        """Find the rising curve with the least squared error; what it calls certain keeps Laplace's rest of a doubt."""
        doubt = 1 / (len(right) + 2)
        found = IsotonicRegression(y_min=doubt, y_max=1 - doubt, out_of_bounds="clip").fit(scores, right.astype(float))
        return cls(tuple(found.X_thresholds_.tolist()), tuple(found.y_thresholds_.tolist()))

    def shares(self, scores: Scores) -> Shares:
        """Read the curve, in straight lines between its corners."""
        return np.asarray(np.interp(scores, self.places, self.heights))

    def to_state(self) -> dict[str, Any]:
        """Return the corners."""
        return {"places": list(self.places), "heights": list(self.heights)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read the corners."""
        return cls(tuple(map(float, state["places"])), tuple(map(float, state["heights"])))


@register_calibrator
@final
@dataclass(frozen=True, slots=True)
class IsotonicCalibration(CurveCalibrator):
    """Fits the rising curve of least squared error to each label (Zadrozny and Elkan, 2002; scikit-learn's regression).

    It can take any rising shape, and needs some hundreds of examples not to follow chance. Of n examples no probability
    is less than 1 / (n + 2) from 0 or 1, so that a single surprise is not endlessly surprising.
    """

    method: ClassVar[str] = "isotonic"
    title: ClassVar[str] = "isotonic regression"
    keeps: ClassVar[str] = "order"
    kind: ClassVar[type[Curve]] = Rising

    @property
    def note(self) -> str:
        """What was done."""
        return "The probabilities were corrected by isotonic regression, label by label." + self.said_of_missing()
