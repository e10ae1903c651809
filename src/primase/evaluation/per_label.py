"""Calibration of any task: where every label is a question of its own one calibrator per label, of any method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias, final

import numpy as np
from jaxtyping import Float, Shaped

from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.evaluation.binnings import BayesianBinning, HistogramBinning
from primase.evaluation.calibration import Calibrator, NoCalibration, TemperatureScaling, fit_calibrator
from primase.evaluation.conformal import (
    CONFORMAL,
    COVERAGE,
    NO_INTERVALS,
    AnyIntervals,
    Conformal,
    NoIntervals,
    fit_intervals,
)
from primase.evaluation.smooth_curves import IsotonicCalibration, PlattScaling

Logits = Float[np.ndarray, "examples labels"]
Targets = Shaped[np.ndarray, "examples *labels"]

PER_LABEL: Final = "per label"

METHODS: Final[Mapping[str, type[Calibrator]]] = MappingProxyType(
    {
        kind.method: kind
        for kind in (
            TemperatureScaling,
            PlattScaling,
            HistogramBinning,
            IsotonicCalibration,
            BayesianBinning,
            NoCalibration,
        )
    }
)
"""The methods of calibration that come with primase, in the order in which they are shown."""


def uncalibrated(task: Task) -> AnyCalibrator:
    """Read answers as the network gave them: values, or through a softmax, or a sigmoid per label if multilabel."""
    if not task.has_labels:
        return NoIntervals()
    return PerLabel((NoCalibration(),) * task.outputs) if task.is_multilabel else NoCalibration()


def fit_calibrator_of(
    task: Task, method: str, outputs: Logits, targets: Targets, *, coverage: float = COVERAGE
) -> AnyCalibrator:
    """Learn to calibrate by a method on the validation examples, each label by itself if multilabel.

    Parameters
    ----------
    method
        One of :func:`~primase.evaluation.calibration.calibration_methods`; where answers are values ``"conformal"`` or
        ``"none"``, of which a generative task and one of images have only the latter.
    outputs
        Of the network: before a softmax, or the log-odds of each label if multilabel, or values.
    targets
        Below zero where not known; of values, NaN.
    coverage
        The share of values that their intervals should hold, between 0 and 1.

    Raises
    ------
    ConfigurationError
        If there is no such method.
    InputError
        If an output is not a finite number.
    """
    if not task.has_labels:
        if task.kind != "regression" and method != "none":
            what = "there are no intervals around what is made again, or made as an image"
            raise ConfigurationError(what, where="calibration", got=method, wanted="none")
        return fit_intervals(method, outputs, targets, coverage)
    if not task.is_multilabel:
        return fit_calibrator(method, outputs, targets)
    columns = range(task.outputs)
    return PerLabel(tuple(fit_calibrator(method, _two_logits(outputs[:, at]), targets[:, at]) for at in columns))


def _two_logits(log_odds: Float[np.ndarray, "examples"]) -> Float[np.ndarray, "examples 2"]:
    """Write the log-odds of yes as logits of no and yes."""
    return np.stack([np.zeros_like(log_odds), log_odds], axis=1)


def read_calibrator(state: dict[str, Any]) -> AnyCalibrator:
    """Make the calibrator of a saved model again, of whatever kind.

    Raises
    ------
    BundleError
        If a method is not known, or its settings are not what it needs.
    """
    if state.get("method") == CONFORMAL:
        return Conformal.from_state(state)
    if state.get("method") == NO_INTERVALS:
        return NoIntervals()
    if state.get("method") != PER_LABEL:
        return Calibrator.from_state(state)
    return PerLabel(tuple(Calibrator.from_state(one) for one in state.get("labels", [])))


@final
@dataclass(frozen=True, slots=True)
class PerLabel:
    """Calibrates the log-odds of every label by a calibrator of its own.

    Parameters
    ----------
    calibrators
        One per label, in their order; each of two labels, no and yes.
    """

    calibrators: tuple[Calibrator, ...]

    def answers(self, logits: Logits) -> Float[np.ndarray, "examples labels"]:
        """Turn the log-odds of each label into its probability; rows need not sum to one."""
        columns = [
            calibrator.answers(_two_logits(logits[:, place].astype(np.float64)))[:, 1]
            for place, calibrator in enumerate(self.calibrators)
        ]
        return np.stack(columns, axis=1)

    def to_state(self) -> dict[str, Any]:
        """Describe what was learned for each label, in JSON."""
        return {"method": PER_LABEL, "labels": [calibrator.to_state() for calibrator in self.calibrators]}

    @property
    def name(self) -> str:
        """The method used for the labels."""
        return self.calibrators[0].name

    @property
    def note(self) -> str:
        """What was done, with the range of what was learned."""
        if isinstance(self.calibrators[0], NoCalibration):
            return self.calibrators[0].note
        learned = sorted(
            value
            for calibrator in self.calibrators
            for value in calibrator.settings().values()
            if isinstance(value, float)
        )
        spread = f" ({self.name} between {learned[0]:.2f} and {learned[-1]:.2f})" if learned else ""
        by = "" if learned else f" by {METHODS[self.name].title}" if self.name in METHODS else f" ({self.name})"
        return f"Each of the {len(self.calibrators)} labels was calibrated by itself{by}{spread}."


AnyCalibrator: TypeAlias = Calibrator | PerLabel | AnyIntervals
"""What turns the outputs of a network into answers: one calibrator, one per label, or intervals around values."""
