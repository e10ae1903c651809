"""By which share a network's errors are smaller than those of a baseline, over all targets and target by target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float

from primase.data.examples import are_known
from primase.data.tasks import Task
from primase.evaluation.intervals import Interval, percentile_interval
from primase.evaluation.values import Draw, ValueFigures, Values, quantile_ends, target_blocks


@final
@dataclass(frozen=True, slots=True, eq=False)
class TargetGains:
    """The gain of each target: the share by which the error is smaller, with its 95 % interval; NaN if undefined."""

    value: Float[np.ndarray, "targets"]
    low: Float[np.ndarray, "targets"]
    high: Float[np.ndarray, "targets"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Gain:
    """What a network gains over a baseline.

    Parameters
    ----------
    metric
        The error that is compared, such as ``"macro_mae"``.
    relative
        1 minus the network's error divided by the baseline's, each the mean over the targets, drawn together: 0.05
        where the error is smaller by a twentieth.
    share_better
        The share of targets of which the network has the smaller error.
    of_targets
        The same for each target; None where it was not asked for.
    """

    metric: str
    relative: Interval
    share_better: float
    of_targets: TargetGains | None = None

    def to_state(self) -> dict[str, Any]:
        """Describe the gain in JSON."""
        share = None if np.isnan(self.share_better) else self.share_better
        return {self.metric: self.relative.to_state(), "share_better": share}


def error_of(task: Task) -> str:
    """Name the error that gains are shares of: the mean absolute one, or what a generative network makes small.

    Examples
    --------
    >>> error_of(Task("regression", ("TP53",))), error_of(Task("generative", ("TP53",)))
    ('mae', 'mse')
    """
    return "mse" if task.kind == "generative" else "mae"


def gain(ours: ValueFigures, theirs: ValueFigures, of_targets: TargetGains | None = None) -> Gain:
    """Compare the errors of two predictors, whose figures are of the same resamples."""
    error = error_of(ours.task)
    mine, other = ours.of_targets[error], theirs.of_targets[error]
    known = ~np.isnan(mine) & ~np.isnan(other)
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = _share(ours.resampled[error], theirs.resampled[error])
        value = float(_share(np.asarray(ours.mean(error)), np.asarray(theirs.mean(error))))
    better = float((mine < other)[known].mean()) if known.any() else float("nan")
    return Gain(f"macro_{error}", percentile_interval(value, resampled), better, of_targets)


def gains_of_targets(task: Task, truth: Values, ours: Values, theirs: Values, draw: Draw) -> TargetGains:
    """Compare the errors of two predictors target by target.

    Parameters
    ----------
    truth
        NaN where not known, as :func:`~primase.evaluation.values.known_values` leaves it.
    draw
        Over the units of the same examples.
    """
    found = []
    for block in target_blocks(*truth.shape, summands=2):
        known = are_known(truth[:, block])
        errors = [np.where(known, _errors(task, truth[:, block], values[:, block]), 0.0) for values in (ours, theirs)]
        summands = np.concatenate(errors, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = _share(*np.split(summands.sum(axis=0), 2))
            resampled = _share(*np.split(draw.sums(summands), 2, axis=1))
        found.append(np.stack([value, *quantile_ends(value, resampled)]))
    return TargetGains(*np.concatenate(found, axis=1))


def _errors(task: Task, truth: Values, values: Values) -> Values:
    difference: Values = values.astype(np.float64) - truth
    return np.abs(difference) if error_of(task) == "mae" else difference**2


def _share(mine: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return by which share the first is smaller; NaN where the other is nothing."""
    return np.asarray(np.where(other > 0, 1 - mine / other, np.nan))
