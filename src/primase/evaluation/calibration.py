"""Calibration: making a probability of 0.9 mean that nine out of ten such predictions are right."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar, final

import numpy as np
from jaxtyping import Float, Integer
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from primase.errors import BundleError, ConfigurationError, InputError

Logits = Float[np.ndarray, "examples labels"]
Targets = Integer[np.ndarray, "examples"]

COLDEST, HOTTEST = 0.05, 20.0
"""The bounds of a temperature. Without them a validation set without any error would ask for endless certainty."""


class Calibrator(ABC):
    """Turns the outputs of a network into probabilities, by what was learned on validation examples.

    A new method is one subclass, made known by :func:`register_calibrator`; whatever it learns goes through
    :meth:`settings` into the saved model.
    """

    method: ClassVar[str]
    """The name of the method, as in the configuration and in the saved model."""
    title: ClassVar[str]
    """The name of the method, as a reader expects it."""
    keeps: ClassVar[str]
    """What it never changes: ``"predictions"``; or, of two labels, the ``"order"`` of examples; or ``"nothing"``."""

    @classmethod
    @abstractmethod
    def fit(cls, logits: Logits, targets: Targets) -> Self:
        """Learn from validation examples; those whose target is not known (below zero) do not count."""

    @abstractmethod
    def answers(self, logits: Logits) -> Float[np.ndarray, "examples labels"]:
        """Turn logits into probabilities, each row by itself and summing to one."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Describe what was learned, in JSON, as the arguments that make the same calibrator."""

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Make the same calibrator of what :meth:`settings` described."""
        make: Callable[..., Self] = cls
        return make(**settings)

    @property
    @abstractmethod
    def note(self) -> str:
        """What was done, as a sentence for the reader."""

    @property
    def name(self) -> str:
        """What the reader knows the method by."""
        return self.method

    @final
    def to_state(self) -> dict[str, Any]:
        """Describe the method and what was learned, in JSON."""
        return {"method": self.method, **self.settings()}

    @staticmethod
    def from_state(state: dict[str, Any]) -> Calibrator:
        """Read what :meth:`to_state` wrote.

        Raises
        ------
        BundleError
            If the method is not known, or its settings are not what it needs.
        """
        settings = dict(state)
        method = settings.pop("method", None)
        if method not in _METHODS:
            what = "the calibration method of this model is not known"
            raise BundleError(what, where="calibration", got=str(method), wanted=", ".join(calibration_methods()))
        try:
            return _METHODS[method].from_settings(settings)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"the settings of the calibration method {method} cannot be read"
            raise BundleError(what, where="calibration", got=str(error)) from error


CalibratorT = TypeVar("CalibratorT", bound=type[Calibrator])

_METHODS: dict[str, type[Calibrator]] = {}


def register_calibrator(calibrator: CalibratorT) -> CalibratorT:
    """Make a method of calibration known by its name; use it as a decorator of the class."""
    if calibrator.method in _METHODS:
        message = f"there already is a calibration method {calibrator.method}"
        raise ValueError(message)
    _METHODS[calibrator.method] = calibrator
    return calibrator


def calibration_methods() -> tuple[str, ...]:
    """List the names of the methods.

    Examples
    --------
    >>> {"none", "temperature"} <= set(calibration_methods())
    True
    """
    return tuple(sorted(_METHODS))


def fit_calibrator(method: str, logits: Logits, targets: Targets) -> Calibrator:
    """Learn to calibrate by a method, on the validation examples.

    Parameters
    ----------
    method
        One of :func:`calibration_methods`.
    logits
        The outputs of the network, before any softmax.
    targets
        The index of the true label of each example, below zero where not known.

    Raises
    ------
    ConfigurationError
        If there is no such method.
    InputError
        If a logit is not a finite number.
    """
    if method not in _METHODS:
        wanted = ", ".join(calibration_methods())
        what = "there is no such method of calibration"
        raise ConfigurationError(what, where="calibration", got=method, wanted=wanted)
    known = targets >= 0
    return _METHODS[method].fit(_finite(logits[known]), targets[known])


def _finite(logits: Logits) -> Logits:
    if not np.all(np.isfinite(logits)):
        what = "an output of the network is not a finite number, so nothing can be calibrated"
        raise InputError(what, advice="Training has diverged: try a lower learning rate, or float32 precision.")
    return logits.astype(np.float64)


@register_calibrator
@final
@dataclass(frozen=True, slots=True)
class NoCalibration(Calibrator):
    """Leaves the probabilities as the network gave them: the softmax of its outputs."""

    method: ClassVar[str] = "none"
    title: ClassVar[str] = "no calibration"
    keeps: ClassVar[str] = "predictions"

    @classmethod
    def fit(cls, logits: Logits, targets: Targets) -> Self:  # noqa: ARG003 - nothing is learned
        """Learn nothing."""
        return cls()

    def answers(self, logits: Logits) -> Float[np.ndarray, "examples labels"]:
        """Return the softmax of the logits."""
        return np.asarray(softmax(logits.astype(np.float64), axis=1))

    def settings(self) -> dict[str, Any]:
        """Return nothing, for there is nothing."""
        return {}

    @property
    def note(self) -> str:
        """That nothing was done."""
        return "The probabilities are as the network gave them."


@register_calibrator
@final
@dataclass(frozen=True, slots=True)
class TemperatureScaling(Calibrator):
    """Divides the logits by one number, the temperature, so that the network is as sure as it is right.

    The temperature is the one under which the validation targets are most probable (Guo et al., 2017, section 4.2). It
    is above 1 where the network was too sure and below 1 where it was not sure enough; the order of the labels, and so
    every prediction, stays the same.

    Parameters
    ----------
    temperature
        Between 0.05 and 20.
    reason
        Why the temperature is not simply the best one, where that is so: ``"one label"`` (validation holds fewer than
        two labels, so 1 was kept), ``"no error"`` (nothing in validation was wrong, so 1 was kept) or ``"bound"`` (the
        best is hotter than the hottest).

    Examples
    --------
    >>> TemperatureScaling(2.0).answers(np.array([[0.0, 2.0 * np.log(3.0)]])).round(2).tolist()
    [[0.25, 0.75]]
    """

    temperature: float
    reason: str | None = None
    method: ClassVar[str] = "temperature"
    title: ClassVar[str] = "temperature scaling"
    keeps: ClassVar[str] = "predictions"

    def __post_init__(self) -> None:
        if not COLDEST <= self.temperature <= HOTTEST:
            message = f"a temperature of {self.temperature}, which is not between {COLDEST} and {HOTTEST}"
            raise ValueError(message)

    @classmethod
    def fit(cls, logits: Logits, targets: Targets) -> Self:
        """Find the temperature that makes the targets most probable, to a relative precision of one in a million."""
        if len(np.unique(targets)) < 2:
            return cls(1.0, "one label")

        def surprise(log_temperature: float) -> float:
            log_probabilities = log_softmax(logits / math.exp(log_temperature), axis=1)
            return -float(log_probabilities[np.arange(len(targets)), targets].mean())

        bounds = (math.log(COLDEST), math.log(HOTTEST))
        # In 1 / temperature the surprise is convex, so that there is one valley, and a bounded search finds it.
        found = float(minimize_scalar(surprise, bounds=bounds, method="bounded", options={"xatol": 1e-7}).x)
        if surprise(0.0) - surprise(found) < 1e-12:
            return cls(1.0)
        # Where all is right the surprise is nil long before the bound, so that its value is asked and not the place.
        at_bound = [bound for bound in bounds if surprise(bound) - surprise(found) < 1e-12]
        if at_bound and at_bound[0] < 0:
            return cls(1.0, "no error")
        return cls(HOTTEST, "bound") if at_bound else cls(math.exp(found))

    def answers(self, logits: Logits) -> Float[np.ndarray, "examples labels"]:
        """Return the softmax of the logits divided by the temperature."""
        return np.asarray(softmax(logits.astype(np.float64) / self.temperature, axis=1))

    def settings(self) -> dict[str, Any]:
        """Return the temperature, and why it is what it is."""
        return {"temperature": self.temperature, "reason": self.reason}

    @property
    def note(self) -> str:
        """What the temperature says about the network."""
        if self.reason == "one label":
            return "Validation holds fewer than two labels, so the probabilities are as the network gave them."
        if self.reason == "no error":
            return (
                "No validation example was wrong, which cannot tell how sure the network may be: its probabilities are "
                "as it gave them."
            )
        if self.reason == "bound":
            return f"The temperature is {self.temperature:g}, the highest that is accepted: the network knows little."
        if math.isclose(self.temperature, 1.0, abs_tol=0.005):
            return "The temperature is 1.00: the network was as sure as it was right."
        verdict = "too sure of itself" if self.temperature > 1 else "not sure enough"
        return f"The temperature is {self.temperature:.2f}: before, the network was {verdict}."
