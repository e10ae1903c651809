"""Compare all methods of calibration on new labelled examples, each judged on examples that it was not fitted to.

The examples are dealt into five folds of whole units; each fold is answered by the calibration that was fitted to the
other four. So every example is used to judge, which matters where there are few, and none judges itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from jaxtyping import Float, Shaped

from primase.data.tasks import Task
from primase.errors import ConfigurationError, InputError
from primase.evaluation.conformal import Conformal
from primase.evaluation.crossfit import cross_fitted, folds_of
from primase.evaluation.intervals import Interval, Units, percentile_interval
from primase.evaluation.metrics import evaluate
from primase.evaluation.per_label import METHODS, AnyCalibrator
from primase.evaluation.reliability import ReliabilityCurve, reliability
from primase.evaluation.values import Draw

Answers = Float[np.ndarray, "examples labels"]
Truth = Shaped[np.ndarray, "examples *labels"]

KEPT: Final = "as it was"
"""The name of the calibration that the model has already."""
LEAST_EXAMPLES: Final = 20

_RESAMPLES: Final = 1000
_RESAMPLES_OF_LABELS: Final = 200
_SMALLEST: Final = 1e-12


@final
@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """How good the answers of one calibration are.

    Parameters
    ----------
    figures
        ``ece``, ``brier``, ``log_loss`` and ``accuracy``, each with its interval; of several labels, means over them.
        Where answers are values, ``coverage`` and ``width``, the mean width of an interval as a share of what it was.
    answers
        Of the examples that it was not fitted to.
    curve
        Of reliability; None where answers are values.
    """

    figures: Mapping[str, Interval]
    answers: Answers
    curve: ReliabilityCurve | None = None

    def to_state(self) -> dict[str, dict[str, float | None]]:
        """Describe the figures in JSON."""
        return {name: figure.to_state() for name, figure in self.figures.items()}


def compare_calibrations(
    task: Task, outputs: Answers, truth: Truth, *, own: AnyCalibrator, units: Units, seed: int = 0
) -> dict[str, Judged]:
    """Judge every method of calibration, none, and the one that the model has, on the same examples.

    Parameters
    ----------
    outputs
        Of the network, before calibration.
    truth
        Below zero where not known.
    own
        The calibration that the model has.
    units
        What must not be parted.

    Raises
    ------
    InputError
        If there are fewer than 20 examples with a known label, or all have the same.
    """
    check_labels(task, truth, units)
    folds = folds_of(task, truth, units.index, seed=seed)
    answers = {KEPT: own.answers(outputs)}
    answers |= {method: cross_fitted(task, method, outputs, truth, folds) for method in METHODS}
    return {name: judge(task, truth, found, units) for name, found in answers.items()}


def judge(task: Task, truth: Truth, answers: Answers, units: Units) -> Judged:
    """Measure how far probabilities can be believed, each figure with its interval over the units."""
    resamples = _RESAMPLES_OF_LABELS if task.is_multilabel else _RESAMPLES
    metrics = evaluate(task, truth, answers, units=units, resamples=resamples)
    figures: dict[str, Any] = {name: metrics[task.metric(name)] for name in ("ece", "brier")}
    figures["log_loss"] = _log_loss(task, truth, answers, units)
    figures["accuracy"] = metrics[task.metric("accuracy")]
    return Judged(figures, answers, reliability(truth, answers))


def best_calibration(judged: Mapping[str, Judged]) -> str:
    """Name the one with the least log loss, the first of equals."""
    return min(judged, key=lambda name: judged[name].figures["log_loss"].value)


def compare_intervals(
    outputs: Answers, truth: Answers, *, own: Conformal, units: Units, seed: int = 0
) -> dict[str, Judged]:
    """Judge the intervals around values as they are, and as the new examples would have them.

    Raises
    ------
    InputError
        If there are fewer than 20 examples, or a single unit.
    """
    _check_units(units)
    _check_count(int((~np.isnan(truth)).any(axis=1).sum()))
    dense = np.unique(units.index, return_inverse=True)[1]
    folds = np.random.default_rng(seed).permutation(units.count)[dense] % min(5, units.count)
    widths = np.empty_like(truth, dtype=np.float64)
    for fold in np.unique(folds):
        widths[folds == fold] = Conformal.fit(outputs[folds != fold], truth[folds != fold], own.coverage).half_widths
    kept = np.broadcast_to(own.half_widths, widths.shape)
    errors = np.abs(outputs - truth)
    draw = Draw(units, _RESAMPLES, seed=0)
    return {
        KEPT: Judged(_coverage(errors, kept, kept, draw), outputs),
        own.name: Judged(_coverage(errors, widths, kept, draw), outputs),
    }


def check_labels(task: Task, truth: Truth, units: Units) -> None:
    """Refuse examples from which no calibration can be learned.

    Raises
    ------
    ConfigurationError
        If answers are no labels.
    InputError
        If they are too few, of one label, or all in one unit.
    """
    if not task.has_labels:
        what = "only probabilities and intervals around values can be calibrated"
        raise ConfigurationError(what, where="calibrate", got=f"a task of kind {task.kind}")
    known = truth[(truth >= 0).any(axis=1)] if task.is_multilabel else truth[truth >= 0]
    _check_count(len(known))
    if task.is_multilabel:
        two = ((known == 0).any(axis=0) & (known == 1).any(axis=0)).any()
        got = "no label that some examples have and some have not"
    else:
        found = np.unique(known)
        two, got = len(found) > 1, f"{len(known):,} examples, all {task.labels[int(found[0])]}"
    if not two:
        what = "a calibration cannot be learned from examples of one label"
        raise InputError(what, got=got, wanted="examples of two labels or more")
    _check_units(units)


def _check_count(count: int) -> None:
    if count < LEAST_EXAMPLES:
        what = "there are too few labelled examples to calibrate on"
        raise InputError(what, got=f"{count}", wanted=f"at least {LEAST_EXAMPLES}, better some hundreds")


def _check_units(units: Units) -> None:
    if units.count < 2:
        what = f"all examples are of one {units.name}, so that none can judge what was learned from the others"
        raise InputError(what, wanted=f"examples of several {units.name}s")


def _log_loss(task: Task, truth: Truth, answers: Answers, units: Units) -> Interval:
    """Measure the mean surprise in nats, of every known label; certainty that was wrong is cut at 1e-12."""
    known = truth >= 0
    if task.is_multilabel:
        said = np.where(truth == 1, answers, 1 - answers)
    else:
        said = answers[np.arange(len(truth)), np.where(known, truth, 0)][:, None]
        known = known[:, None]
    surprise = np.where(known, -np.log(np.clip(said, _SMALLEST, 1)), 0)
    counts = np.stack([surprise.sum(axis=1), known.sum(axis=1)], axis=1).astype(np.float64)
    return _ratio(counts, Draw(units, _RESAMPLES, seed=0))


def _coverage(errors: Answers, widths: Answers, before: Answers, draw: Draw) -> dict[str, Interval]:
    """Measure what share of the known values their intervals hold, and how wide those are beside what they were."""
    known = ~np.isnan(errors) & np.isfinite(widths)
    held = np.stack([(known & (errors <= widths)).sum(axis=1), known.sum(axis=1)], axis=1).astype(np.float64)
    both = np.isfinite(widths) & np.isfinite(before) & (before > 0)
    relative = float(np.median(widths[both] / before[both])) if both.any() else float("nan")
    return {"coverage": _ratio(held, draw), "width": Interval.undefined(relative)}


def _ratio(counts: Float[np.ndarray, "examples 2"], draw: Draw) -> Interval:
    whole, sums = counts.sum(axis=0), draw.sums(counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, spread = whole[0] / whole[1], sums[:, 0] / sums[:, 1]
    return percentile_interval(float(value), spread) if len(spread) else Interval.undefined(float(value))
