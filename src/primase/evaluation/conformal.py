"""Intervals around predicted values: how far off a value may be, by what was seen on validation.

Split conformal prediction (Vovk, Gammerman and Shafer, 2005, Algorithmic Learning in a Random World; Lei and others,
2018, Distribution-Free Predictive Inference for Regression, Journal of the American Statistical Association 113,
algorithm 2): of n absolute errors on examples that the network was not fitted to, the ceil((n + 1) c)-th smallest is
the half-width of an interval that holds a new value with probability of at least c, whatever the distribution, as long
as the new example is drawn like those.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias, final

import numpy as np
from jaxtyping import Float

from primase.errors import BundleError, ConfigurationError, InputError

Values = Float[np.ndarray, "examples targets"]

CONFORMAL: Final = "conformal"
NO_INTERVALS: Final = "no intervals"
INTERVAL_METHODS: Final = (CONFORMAL, "none")
COVERAGE: Final = 0.9
"""The share of values that their intervals should hold, unless asked otherwise."""

_CELLS_AT_ONCE: Final = 2_000_000


@final
@dataclass(frozen=True, slots=True)
class NoIntervals:
    """Leaves values as the network gave them, without an interval."""

    @property
    def name(self) -> str:
        """What the reader knows the method by."""
        return "none"

    @property
    def note(self) -> str:
        """That nothing was done."""
        return "The values are as the network gave them, without an interval around each."

    def answers(self, outputs: Values) -> Values:
        """Return the values as they are."""
        return outputs

    def to_state(self) -> dict[str, Any]:
        """Describe the method in JSON."""
        return {"method": NO_INTERVALS}


@final
@dataclass(frozen=True, slots=True, eq=False)
class Conformal:
    """Puts an interval around each value, for each target as wide as its errors on validation ask for.

    Parameters
    ----------
    coverage
        The share of values that their intervals should hold, between 0 and 1.
    half_widths
        Per target, in its unit; infinite where validation is too small to say.
    count
        How many validation examples the errors are from; of targets that are not known everywhere, the fewest.

    Examples
    --------
    >>> errors = np.arange(1.0, 20.0)[:, None]
    >>> found = Conformal.fit(errors, np.zeros((19, 1)), 0.9)
    >>> found.half_widths.tolist(), [bound.tolist() for bound in found.bounds(np.array([[5.0]]))]
    ([18.0], [[[-13.0]], [[23.0]]])
    """

    coverage: float
    half_widths: Float[np.ndarray, "targets"]
    count: int

    def __post_init__(self) -> None:
        if not 0 < self.coverage < 1:
            message = f"a coverage of {self.coverage}, which is not between 0 and 1"
            raise ValueError(message)

    @classmethod
    def fit(cls, outputs: Values, targets: Values, coverage: float = COVERAGE) -> Self:
        """Learn the half-widths from validation examples; values that are not known (NaN) do not count.

        Parameters
        ----------
        outputs, targets
            What was predicted and what was measured, on the same scale.
        coverage
            Between 0 and 1.

        Raises
        ------
        InputError
            If an output is not a finite number.
        """
        if outputs.shape != targets.shape:
            message = f"outputs of shape {outputs.shape} beside targets of {targets.shape}"
            raise ValueError(message)
        if not np.all(np.isfinite(outputs)):
            what = "an output of the network is not a finite number, so no interval can be put around it"
            raise InputError(what, advice="Training has diverged: try a lower learning rate, or float32 precision.")
        count = outputs.shape[1]
        half_widths, known = np.empty(count), np.empty(count, dtype=np.int64)
        step = max(1, _CELLS_AT_ONCE // max(1, len(outputs)))
        for start in range(0, count, step):
            block = slice(start, start + step)
            half_widths[block], known[block] = _half_widths(outputs[:, block], targets[:, block], coverage)
        return cls(coverage, half_widths, int(known.min(initial=len(outputs))))

    def answers(self, outputs: Values) -> Values:
        """Return the values as they are: an interval lies around the same value."""
        return outputs

    def bounds(self, values: Values) -> tuple[Values, Values]:
        """Return the lower and the upper end of the interval around each value."""
        return values - self.half_widths, values + self.half_widths

    @property
    def name(self) -> str:
        """What the reader knows the method by."""
        return CONFORMAL

    @property
    def note(self) -> str:
        """What was done, and what may be too good about it."""
        said = (
            f"Each value has an interval that should hold what is measured in {_percent(self.coverage)} of all cases: "
            f"split conformal prediction, from the errors on at least {self.count:,} validation examples, each target "
            "by itself. Validation also chose the epoch, and its examples may share units, so that the intervals may "
            "be a little too narrow: the test says what they hold."
        )
        endless = int(np.isinf(self.half_widths).sum())
        if endless:
            least = _fewest(self.coverage)
            said += (
                f" For {endless:,} of {len(self.half_widths):,} targets there is no interval: fewer than {least:,} "
                "validation values are known, and so few cannot say."
            )
        return said

    def to_state(self) -> dict[str, Any]:
        """Describe what was learned in JSON; a width that is infinite is null."""
        widths = [width if math.isfinite(width) else None for width in self.half_widths.tolist()]
        return {"method": CONFORMAL, "coverage": self.coverage, "half_widths": widths, "count": self.count}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read what :meth:`to_state` wrote.

        Raises
        ------
        BundleError
            If the settings are not what it needs.
        """
        try:
            widths = [math.inf if width is None else float(width) for width in state["half_widths"]]
            return cls(float(state["coverage"]), np.asarray(widths), int(state["count"]))
        except (KeyError, TypeError, ValueError) as error:
            what = "the settings of the conformal intervals cannot be read"
            raise BundleError(what, where="calibration", got=str(error)) from error


AnyIntervals: TypeAlias = Conformal | NoIntervals
"""What says how far a value may be off."""


def fit_intervals(method: str, outputs: Values, targets: Values, coverage: float = COVERAGE) -> AnyIntervals:
    """Learn to put intervals around values by a method.

    Raises
    ------
    ConfigurationError
        If there is no such method.
    """
    if method not in INTERVAL_METHODS:
        what = "there is no such method of putting intervals around values"
        raise ConfigurationError(what, where="calibration", got=method, wanted=", ".join(INTERVAL_METHODS))
    return Conformal.fit(outputs, targets, coverage) if method == CONFORMAL else NoIntervals()


def _half_widths(outputs: Values, targets: Values, coverage: float) -> tuple[np.ndarray, np.ndarray]:
    """Find per target the error of the rank that the coverage asks for, and how many errors are known."""
    errors = np.abs(outputs.astype(np.float64) - targets)
    errors.sort(axis=0)  # what is not known comes last
    known = (~np.isnan(errors)).sum(axis=0)
    # A little less than the product, as 0.9 * 10 may come out above 9 in floating-point numbers.
    rank = np.ceil((known + 1) * coverage - 1e-9).astype(np.int64)
    enough = rank <= known
    chosen = np.where(enough, rank, 1) - 1
    if not len(errors):
        return np.full(errors.shape[1], np.inf), known
    return np.where(enough, np.take_along_axis(errors, chosen[None], axis=0)[0], np.inf), known


def _fewest(coverage: float) -> int:
    """Count the errors without which no finite interval has the coverage."""
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"
