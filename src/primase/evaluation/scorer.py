"""All metrics of a task at once, for many weightings of the same examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

import numpy as np
from jaxtyping import Float, Integer

from primase.data.tasks import Task
from primase.errors import InputError
from primase.evaluation.ranking import Ranking

CONFIDENCE_BINS = 15

MOST_PREPARED: Final = 5_000_000
"""Of so many answers the scorers of all labels are kept, at some two hundred bytes each."""

VALUE_METRICS: Final = ("mae", "r2", "mse", "pearson")
BINARY_METRICS: Final = ("auroc", "auprc", "accuracy", "mcc", "f1", "ece", "brier")
YES_OR_NO: Final = Task("binary", ("no", "yes"))
"""What is asked of each label of a multilabel task."""

Column = Float[np.ndarray, "resamples"]


def confidence_bin(
    confidence: Float[np.ndarray, "examples"], bins: int = CONFIDENCE_BINS
) -> Integer[np.ndarray, "examples"]:
    """Tell in which of the equally wide bins (low, high] between 0 and 1 each confidence lies."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    return np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)


def overall_metrics(task: Task) -> tuple[str, ...]:
    """List the metrics of a task as a whole, in the order in which they are shown, the main one of values first.

    Examples
    --------
    >>> overall_metrics(Task("regression", ("TP53", "MYC")))
    ('macro_mae', 'macro_r2', 'macro_mse', 'macro_pearson')
    """
    if task.kind == "binary":
        return _main_first(task, BINARY_METRICS)
    if task.is_image:
        return task.labels
    if "macro" in task.labels:
        what = "a label may not be called macro, which names the average over labels"
        raise InputError(what, got=", ".join(task.labels[:10]), advice="Rename the label.")
    if task.is_value:
        return _main_first(task, [task.metric(name) for name in VALUE_METRICS])
    if task.is_multilabel:
        return _main_first(task, [f"macro_{metric}" for metric in BINARY_METRICS])
    return ("accuracy", "mcc", "macro_auroc", "macro_auprc", "macro_f1", "ece", "brier")


def _main_first(task: Task, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: name != task.main_metric))


def metric_names(task: Task) -> tuple[str, ...]:
    """List the metrics of a task and of its labels or targets, in the order in which they are shown.

    Examples
    --------
    >>> metric_names(Task("binary", ("no", "yes")))
    ('auroc', 'auprc', 'accuracy', 'mcc', 'f1', 'ece', 'brier')
    """
    overall = overall_metrics(task)
    if task.kind == "binary" or task.is_image:
        return overall
    own = VALUE_METRICS if task.is_value else BINARY_METRICS if task.is_multilabel else ("f1", "auroc", "auprc")
    return overall + tuple(f"{label}_{metric}" for label in task.labels for metric in own)


def check_shapes(
    task: Task, targets: Integer[np.ndarray, "examples"], probabilities: Float[np.ndarray, "examples labels"]
) -> None:
    """Refuse probabilities that do not belong to these targets, or are none.

    Raises
    ------
    ValueError
        For a wrong shape, a target beyond the labels, a number outside 0 to 1, or a row that does not sum to one.
    """
    if task.is_multilabel:
        _check_multilabel(task, targets, probabilities)
        return
    if probabilities.shape != (len(targets), task.outputs):
        message = f"probabilities of shape {probabilities.shape} beside {len(targets)} targets, {task.outputs} labels"
        raise ValueError(message)
    if len(targets) and targets.max() >= task.outputs:
        message = f"target {targets.max()} of a task of {task.outputs} labels"
        raise ValueError(message)
    # Written so that NaN fails, too.
    if not (np.all(probabilities >= 0) and np.all(np.abs(probabilities.sum(axis=1) - 1) < 1e-3)):
        message = "probabilities are below zero, not finite, or do not sum to one"
        raise ValueError(message)


def _check_multilabel(
    task: Task, targets: Integer[np.ndarray, "examples labels"], probabilities: Float[np.ndarray, "examples labels"]
) -> None:
    expected = (len(targets), task.outputs)
    if targets.shape != expected or probabilities.shape != expected:
        message = f"targets of shape {targets.shape} and probabilities of {probabilities.shape}, and not {expected}"
        raise ValueError(message)
    if targets.max(initial=0) > 1:
        message = f"a target of {targets.max()} where each is yes (1), no (0) or unknown (-1)"
        raise ValueError(message)
    if not (np.all(probabilities >= 0) and np.all(probabilities <= 1)):
        message = "probabilities are below zero, above one, or not finite"
        raise ValueError(message)


@final
class Scorer:
    """The metrics of some predictions, prepared once so that weighting the examples anew is cheap.

    Nearly every metric is a function of weighted sums over the examples, so that one matrix product serves all
    resamples; only the ranking metrics need the examples in order.

    Parameters
    ----------
    task
        What was asked.
    targets
        The index of the true label of each example, all known.
    probabilities
        Per example and label; the prediction is the label with the highest (the first of equals).
    """

    def __init__(
        self,
        task: Task,
        targets: Integer[np.ndarray, "examples"],
        probabilities: Float[np.ndarray, "examples labels"],
    ) -> None:
        check_shapes(task, targets, probabilities)
        scores = probabilities.astype(np.float64)
        labels = np.arange(task.outputs)
        true = targets[:, None] == labels
        predicted = scores.argmax(axis=1)[:, None] == labels
        confidence = scores.max(axis=1)
        gap = confidence - np.any(true & predicted, axis=1)
        bins = confidence_bin(confidence)[:, None] == np.arange(CONFIDENCE_BINS)
        squared = (scores - true) ** 2
        brier = squared[:, 1] if task.kind == "binary" else squared.sum(axis=1)
        self._task = task
        self._summands = np.concatenate(
            [true, predicted, true & predicted, bins * gap[:, None], brier[:, None]], axis=1, dtype=np.float64
        )
        ranked = labels[1:] if task.kind == "binary" else labels
        self._rankings = [Ranking.of(scores[:, label], true[:, label]) for label in ranked]

    def __call__(self, weights: Float[np.ndarray, "resamples examples"]) -> dict[str, Column]:
        """Compute every metric under every row of weights, NaN where it is not defined."""
        total = weights.sum(axis=1)
        outputs = self._task.outputs
        cuts = np.cumsum([outputs, outputs, outputs, CONFIDENCE_BINS])
        true, predicted, hit, gap, brier = np.split(weights @ self._summands, cuts, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            f1 = np.where(true > 0, 2 * hit / (true + predicted), np.nan)
            figures = {
                "accuracy": hit.sum(axis=1) / total,
                "mcc": _matthews(true, predicted, hit),
                "ece": np.abs(gap).sum(axis=1) / total,
                "brier": brier[:, 0] / total,
            }
        areas = [ranking.areas(weights) for ranking in self._rankings]
        if self._task.kind == "binary":
            figures |= {"auroc": areas[0][0], "auprc": areas[0][1], "f1": f1[:, 1]}
        else:
            figures |= self._per_label(f1, areas)
        return {name: figures[name] for name in metric_names(self._task)}

    def _per_label(
        self, f1: Float[np.ndarray, "resamples labels"], areas: list[tuple[Column, Column]]
    ) -> dict[str, Column]:
        figures: dict[str, Column] = {}
        for index, label in enumerate(self._task.labels):
            figures[f"{label}_f1"] = f1[:, index]
            figures[f"{label}_auroc"], figures[f"{label}_auprc"] = areas[index]
        for metric in ("f1", "auroc", "auprc"):
            figures[f"macro_{metric}"] = _mean_of_defined([figures[f"{label}_{metric}"] for label in self._task.labels])
        return figures


@final
class MultilabelScorer:
    """The metrics of every label, each on the examples where it is known, and their means over the labels.

    Parameters are those of :class:`Scorer`, for targets of 0, 1 and -1 (unknown) per label. A label that is nowhere
    known has no figures.
    """

    def __init__(
        self,
        task: Task,
        targets: Integer[np.ndarray, "examples labels"],
        probabilities: Float[np.ndarray, "examples labels"],
    ) -> None:
        check_shapes(task, targets, probabilities)
        self._task = task
        self._known = [np.flatnonzero(column >= 0) for column in targets.T]
        self._targets, self._probabilities = targets, probabilities
        # Sorting each label anew in each call takes longer; keeping all of thousands of labels takes all memory.
        keep = targets.size <= MOST_PREPARED
        self._prepared = [self._scorer(place) for place in range(task.outputs)] if keep else None

    def _scorer(self, place: int) -> Scorer:
        rows = self._known[place]
        targets, probability = self._targets[rows, place].astype(np.int64), self._probabilities[rows, place]
        return Scorer(YES_OR_NO, targets, _no_and_yes(probability))

    def __call__(self, weights: Float[np.ndarray, "resamples examples"]) -> dict[str, Column]:
        """Compute every metric under every row of weights, NaN where it is not defined."""
        figures: dict[str, Column] = {}
        undefined = np.full(len(weights), np.nan)
        for place, (label, rows) in enumerate(zip(self._task.labels, self._known, strict=True)):
            scorer = self._prepared[place] if self._prepared else self._scorer(place)
            own = scorer(weights[:, rows]) if len(rows) else dict.fromkeys(BINARY_METRICS, undefined)
            figures |= {f"{label}_{metric}": values for metric, values in own.items()}
        for metric in BINARY_METRICS:
            figures[f"macro_{metric}"] = _mean_of_defined([figures[f"{label}_{metric}"] for label in self._task.labels])
        return {name: figures[name] for name in metric_names(self._task)}


def scorer_of(
    task: Task, targets: Integer[np.ndarray, "examples *labels"], probabilities: Float[np.ndarray, "examples labels"]
) -> Scorer | MultilabelScorer:
    """Prepare the metrics of some predictions; every target is known, unless there are several labels."""
    return (MultilabelScorer if task.is_multilabel else Scorer)(task, targets, probabilities)


def _no_and_yes(probability: Float[np.ndarray, "examples"]) -> Float[np.ndarray, "examples 2"]:
    return np.stack([1 - probability, probability], axis=1)


def _mean_of_defined(columns: list[Column]) -> Column:
    """Average over the labels for which the metric is defined, in each resample."""
    table = np.stack(columns)
    defined = ~np.isnan(table)
    with np.errstate(invalid="ignore"):
        mean: Column = np.where(defined, table, 0.0).sum(axis=0) / defined.sum(axis=0)
    return mean


def _matthews(
    true: Float[np.ndarray, "resamples labels"],
    predicted: Float[np.ndarray, "resamples labels"],
    hit: Float[np.ndarray, "resamples labels"],
) -> Column:
    """Matthews' correlation for any number of labels (Gorodkin, 2004); 0 where one side is constant."""
    total = true.sum(axis=1)
    covariance = hit.sum(axis=1) * total - (true * predicted).sum(axis=1)
    spread = (total**2 - (true**2).sum(axis=1)) * (total**2 - (predicted**2).sum(axis=1))
    correlation: Column = np.divide(covariance, np.sqrt(spread), out=np.zeros_like(total), where=spread > 0)
    return correlation
