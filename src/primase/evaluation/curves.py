"""Calibration by curves: for each label a curve from how sure the network is to how often it is right.

Where there are three labels or more each is told from all others by a curve of its own, and the answers of a row are
then divided by their sum (Zadrozny and Elkan, 2002, Transforming classifier scores into accurate multiclass probability
estimates, section 5). A curve reads the log-odds that the network gives the label.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self, final

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy.special import expit, logsumexp

from primase.evaluation.calibration import Calibrator, Logits, Targets

Scores = Float[np.ndarray, "examples"]
Right = Bool[np.ndarray, "examples"]
Shares = Float[np.ndarray, "examples"]

_LEAST: Final = 1e-300


class Curve(ABC):
    """From the log-odds of one label to its probability."""

    @classmethod
    @abstractmethod
    def fit(cls, scores: Scores, right: Right) -> Self:
        """Learn from log-odds, and from which examples have the label; some have it, and some do not."""

    @abstractmethod
    def shares(self, scores: Scores) -> Shares:
        """Return the probability of the label for each of the log-odds, above 0 and below 1."""

    @abstractmethod
    def to_state(self) -> dict[str, Any]:
        """Describe the curve in JSON."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read what :meth:`to_state` wrote; a ``KeyError``, ``TypeError`` or ``ValueError`` if it is something else."""


@dataclass(frozen=True, slots=True)
class CurveCalibrator(Calibrator):
    """Calibrates by curves of one kind.

    Parameters
    ----------
    curves
        One for the second of two labels, or one per label; None where validation had examples of one kind only, so
        that the label stays as the network gave it.
    """

    curves: tuple[Curve | None, ...]
    kind: ClassVar[type[Curve]]

    @classmethod
    def fit(cls, logits: Logits, targets: Targets) -> Self:
        """Learn a curve for each label that some validation examples have and some have not."""
        columns = zip(log_odds(logits).T, _has_label(targets, logits.shape[1]).T, strict=True)
        return cls(
            tuple(cls.kind.fit(scores, right) if 0 < right.sum() < len(right) else None for scores, right in columns)
        )

    @final
    def answers(self, logits: Logits) -> Float[np.ndarray, "examples labels"]:
        """Read each label's probability from its curve; rows of three labels or more are divided by their sum."""
        scores = log_odds(logits.astype(np.float64))
        columns = [
            expit(column) if curve is None else curve.shares(column)
            for curve, column in zip(self.curves, scores.T, strict=True)
        ]
        if len(columns) == 1:
            return np.stack([1 - columns[0], columns[0]], axis=1)
        # A sigmoid far from what it was fitted to is 0 in double precision; were all, no sum would be left.
        shares = np.maximum(np.stack(columns, axis=1), _LEAST)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    @final
    def settings(self) -> dict[str, Any]:
        """Return the curves."""
        return {"curves": [None if curve is None else curve.to_state() for curve in self.curves]}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Read what :meth:`settings` returned."""
        states: Sequence[Any] = settings.pop("curves")
        if settings or not states:
            message = f"unknown settings {sorted(settings)}" if settings else "no curves"
            raise ValueError(message)
        return cls(tuple(None if state is None else cls.kind.from_state(state) for state in states))

    @final
    def said_of_missing(self) -> str:
        """Say which labels have no curve, as a sentence with a space in front; empty if all have one."""
        missing = sum(curve is None for curve in self.curves)
        if not missing:
            return ""
        if missing == len(self.curves):
            return " Validation holds fewer than two labels, so the probabilities are as the network gave them."
        return f" {missing} of {len(self.curves)} labels were not seen in validation, and stay as they were."


def log_odds(logits: Logits) -> Float[np.ndarray, "examples questions"]:
    """Return the log-odds of the second of two labels, or of each label against all others.

    Examples
    --------
    >>> log_odds(np.array([[1.0, 3.0]])).tolist(), log_odds(np.array([[0.0, 0.0, 0.0]])).round(2).tolist()
    ([[2.0]], [[-0.69, -0.69, -0.69]])
    """
    if logits.shape[1] == 2:
        return np.asarray(logits[:, 1:] - logits[:, :1])
    others = [logsumexp(np.delete(logits, label, axis=1), axis=1) for label in range(logits.shape[1])]
    return np.asarray(logits - np.stack(others, axis=1))


def _has_label(targets: Integer[np.ndarray, "examples"], labels: int) -> Bool[np.ndarray, "examples questions"]:
    asked = np.array([1]) if labels == 2 else np.arange(labels)
    return np.asarray(targets[:, None] == asked)
