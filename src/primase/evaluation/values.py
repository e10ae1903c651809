"""How good predicted values are: every metric per target and over all targets, each with its interval.

All metrics are functions of weighted sums over the examples, so that one matrix product per sum serves all resamples of
the bootstrap; targets are worked through in blocks, so that ten thousand of them need little memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float
from scipy import sparse

from primase.data.examples import are_known
from primase.data.tasks import Task
from primase.errors import InputError
from primase.evaluation.intervals import UNDEFINED_LIMIT, Interval, Units, percentile_interval, resampled_weights
from primase.evaluation.scorer import VALUE_METRICS, overall_metrics

Values = Float[np.ndarray, "examples targets"]
Columns = Float[np.ndarray, "rows targets"]

MOST_WORK: Final = 3_000_000_000
"""The most values (resamples, units and targets multiplied) that are drawn for one predictor: a few seconds."""

FEWEST_RESAMPLES: Final = 200

_PUSHED: Final = frozenset({"r2", "pearson"})
_SUMMED_AT_ONCE: Final = 3_000_000
_KEPT_WEIGHTS: Final = 8_000_000
_MOST_COLUMNS: Final = 256
_CONSTANT: Final = 1e-10
"""A sum of squares about the mean below this share of that about another centre is rounding."""


def affordable_resamples(units: Units, targets: int, wanted: int = 1000) -> int:
    """Tell how many resamples are drawn: as many as wanted, or fewer (at least 200) where there are many targets."""
    most = MOST_WORK // max(1, units.count * targets)
    return min(wanted, max(FEWEST_RESAMPLES, most))


def resamples_statement(units: Units, targets: int) -> str:
    """Say what the intervals were drawn over, and how often where that is less than usual."""
    count = affordable_resamples(units, targets)
    if count == affordable_resamples(units, 1):
        return units.statement
    return f"{units.statement} They are from {count:,} resamples, to save time."


@final
class Draw:
    """The resamples of a bootstrap over units, the same each time they are gone through.

    Parameters
    ----------
    units
        What is drawn.
    resamples, seed
        How often; none where there are not two units to draw from.
    """

    def __init__(self, units: Units, resamples: int, seed: int) -> None:
        self.units = units
        self.resamples = resamples if units.count > 1 else 0
        self._seed = seed
        few = self.resamples * units.count <= _KEPT_WEIGHTS
        self._kept = list(self._drawn()) if few else None

    def _drawn(self) -> Iterator[Float[np.ndarray, "resamples units"]]:
        alone = Units.examples(self.units.count)
        return resampled_weights(alone, resamples=self.resamples, seed=self._seed)

    def per_unit(self, columns: Columns) -> Columns:
        """Sum what belongs to the examples of each unit."""
        count = len(self.units.index)
        if count == self.units.count and np.array_equal(self.units.index, np.arange(count)):
            return columns
        member = sparse.csr_array((np.ones(count), (self.units.index, np.arange(count))), (self.units.count, count))
        return np.asarray(member @ columns)

    def sums(self, columns: Columns) -> Columns:
        """Sum the columns over the examples of each resample."""
        gathered = self.per_unit(columns)
        blocks = [weights @ gathered for weights in (self._kept if self._kept is not None else self._drawn())]
        return np.concatenate(blocks) if blocks else np.empty((0, columns.shape[1]))


@final
@dataclass(frozen=True, slots=True, eq=False)
class ValueFigures:
    """The metrics of a predictor of values.

    Parameters
    ----------
    task
        What was asked.
    of_targets
        Per metric the figure of every target, NaN where it is not defined.
    bounds
        Per metric the lower and the upper ends of the intervals of every target; empty where they were not asked for.
    resampled
        Per metric its mean over the targets, in each resample.
    """

    task: Task
    of_targets: Mapping[str, Float[np.ndarray, "targets"]]
    bounds: Mapping[str, Float[np.ndarray, "ends targets"]]
    resampled: Mapping[str, Float[np.ndarray, "resamples"]]

    def mean(self, metric: str) -> float:
        """Average a metric over the targets for which it is defined."""
        return _mean_of_defined(self.of_targets[metric])

    def overall(self) -> dict[str, Interval]:
        """Return the metrics of the task as a whole."""
        metrics = _of_the_whole(self.task)
        return {name: percentile_interval(self.mean(own), self._centred(own)) for name, own in metrics.items()}

    def everything(self) -> dict[str, Interval]:
        """Return the metrics of the task as a whole, and those of every target."""
        found = self.overall()
        undefined = np.full((2, self.task.outputs), np.nan)
        columns = {metric: (self.of_targets[metric], *self.bounds.get(metric, undefined)) for metric in VALUE_METRICS}
        numbers = {metric: np.stack(column, axis=1).tolist() for metric, column in columns.items()}
        for place, target in enumerate(self.task.labels):
            for metric in VALUE_METRICS:
                found[f"{target}_{metric}"] = Interval(*numbers[metric][place])
        return found

    def minus(self, other: ValueFigures) -> dict[str, Interval]:
        """Return by how much the metrics of the task as a whole differ from those of another predictor.

        Both must be of the same resamples.
        """
        metrics = _of_the_whole(self.task)
        return {
            name: percentile_interval(self.mean(own) - other.mean(own), self._centred(own) - other._centred(own))
            for name, own in metrics.items()
        }

    def _centred(self, metric: str) -> Float[np.ndarray, "resamples"]:
        """Return a metric in the resamples, without the push that drawing anew gives to it.

        Drawing n units anew takes about 1 / n off the squares about the mean, and so lowers every R² alike, and moves
        correlations. Of one target that is little beside the spread of the resamples; a mean over thousands spreads
        less than that, and its interval would lie beside it.
        """
        resampled = self.resampled[metric]
        if metric not in _PUSHED or np.isnan(resampled).all():
            return resampled
        return resampled + (self.mean(metric) - float(np.nanmean(resampled)))


def _of_the_whole(task: Task) -> dict[str, str]:
    """Name the metrics of a task as a whole, each with the metric whose mean over the targets it is."""
    return {name: name.removeprefix("macro_") for name in overall_metrics(task)}


def known_values(targets: Values, answers: Sequence[Values], units: Units) -> tuple[Values, list[Values], Units]:
    """Leave out examples of which no target is known.

    Raises
    ------
    InputError
        If no target is known.
    ValueError
        If the arrays do not fit each other, or an answer is not a finite number.
    """
    for values in answers:
        if targets.ndim != 2 or values.shape != targets.shape:
            message = f"values of shape {values.shape} beside targets of {targets.shape}"
            raise ValueError(message)
        if not np.all(np.isfinite(values)):
            message = "a predicted value is not a finite number"
            raise ValueError(message)
    known = np.any(are_known(targets), axis=1)
    if not known.any():
        what = "there is nothing to evaluate on: no example has a known target"
        raise InputError(what, got=f"{len(targets)} examples", wanted="at least one with a target")
    if known.all():
        return targets, list(answers), units
    return targets[known], [values[known] for values in answers], units.take(known)


def value_figures(task: Task, targets: Values, values: Values, draw: Draw, *, of_targets: bool = False) -> ValueFigures:
    """Compute all metrics of some predicted values, and what they are in each resample.

    Parameters
    ----------
    targets
        As :func:`known_values` leaves them; NaN where not known.
    draw
        Over the units of these examples.
    of_targets
        Whether to lay an interval around the figures of every target, too.
    """
    points: dict[str, list[np.ndarray]] = {metric: [] for metric in VALUE_METRICS}
    ends: dict[str, list[np.ndarray]] = {metric: [] for metric in VALUE_METRICS}
    totals = {metric: np.zeros(draw.resamples) for metric in VALUE_METRICS}
    counts = {metric: np.zeros(draw.resamples) for metric in VALUE_METRICS}
    for block in target_blocks(*targets.shape, summands=8):
        summands = _summands(targets[:, block], values[:, block])
        once = _figures(summands.sum(axis=0, keepdims=True))
        drawn = _figures(draw.sums(summands))
        for metric in VALUE_METRICS:
            points[metric].append(once[metric][0])
            defined = ~np.isnan(drawn[metric])
            totals[metric] += np.where(defined, drawn[metric], 0.0).sum(axis=1)
            counts[metric] += defined.sum(axis=1)
            if of_targets:
                ends[metric].append(quantile_ends(once[metric][0], drawn[metric]))
    with np.errstate(invalid="ignore"):
        resampled = {metric: totals[metric] / counts[metric] for metric in VALUE_METRICS}
    bounds = {metric: np.concatenate(found, axis=1) for metric, found in ends.items() if found}
    return ValueFigures(task, {name: np.concatenate(found) for name, found in points.items()}, bounds, resampled)


def target_blocks(examples: int, targets: int, *, summands: int) -> Iterator[slice]:
    """Divide the targets into blocks, of which so many sums over the examples fit into some tens of megabytes."""
    step = int(np.clip(_SUMMED_AT_ONCE // max(1, examples * summands), 1, _MOST_COLUMNS))
    return (slice(start, start + step) for start in range(0, targets, step))


def quantile_ends(
    value: Float[np.ndarray, "targets"], resampled: Float[np.ndarray, "resamples targets"]
) -> Float[np.ndarray, "ends targets"]:
    """Lay a 95 % interval around the figure of each target, by the rule of :func:`percentile_interval`."""
    ends: Float[np.ndarray, "ends targets"] = np.full((2, len(value)), np.nan)
    if not len(resampled):
        return ends
    missing = np.isnan(resampled).sum(axis=0)
    full = missing == 0
    if full.any():
        ends[:, full] = np.quantile(resampled[:, full], [0.025, 0.975], axis=0)
    for place in np.flatnonzero(~full & (missing <= UNDEFINED_LIMIT * len(resampled))).tolist():
        interval = percentile_interval(float(value[place]), resampled[:, place])
        ends[:, place] = interval.low, interval.high
    ends[:, np.isnan(value)] = np.nan
    return ends


def _summands(targets: Values, values: Values) -> Columns:
    """Lay eight numbers per example and target side by side, whose weighted sums decide all metrics."""
    # The order in memory decides the order of sums, and so the last digit.
    truth, found = (np.ascontiguousarray(numbers, dtype=np.float64) for numbers in (targets, values))
    known = ~np.isnan(truth)
    everywhere = bool(known.all())
    error = found - truth
    # Centred first, as the squares of large numbers differ little.
    centred = [numbers - _centre(numbers, known) for numbers in (truth, found)]
    if not everywhere:
        error, *centred = (np.where(known, numbers, 0.0) for numbers in (error, *centred))
    measured, predicted = centred
    columns = [known, np.abs(error), error**2, measured, measured**2, predicted, predicted**2, measured * predicted]
    return np.concatenate(columns, axis=1, dtype=np.float64)


def _centre(numbers: Values, known: np.ndarray) -> Float[np.ndarray, "targets"]:
    with np.errstate(invalid="ignore"):
        mean = np.where(known, numbers, 0.0).sum(axis=0) / known.sum(axis=0)
    return np.asarray(np.nan_to_num(mean))


def _figures(sums: Columns) -> dict[str, Columns]:
    """Compute the metrics from the eight sums, NaN where they are not defined."""
    count, error, square, measured, measured_square, predicted, predicted_square, product = np.split(sums, 8, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = measured_square - measured**2 / count
        spread = predicted_square - predicted**2 / count
        total = np.where(total > _CONSTANT * measured_square, total, np.nan)
        spread = np.where(spread > _CONSTANT * predicted_square, spread, np.nan)
        together = product - measured * predicted / count
        pearson = np.clip(together / np.sqrt(total * spread), -1.0, 1.0)
        return {"mae": error / count, "mse": square / count, "r2": 1 - square / total, "pearson": pearson}


def _mean_of_defined(values: Float[np.ndarray, "targets"]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
