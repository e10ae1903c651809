"""How good predictions are: every metric of a task with its interval, and the difference of two predictors.

========================  ==============================================================================================
``auroc``                 chance that a positive scores above a negative, ties counting half
``auprc``                 average precision, ties taken together (no interpolation)
``accuracy``              share of predictions that are right; the prediction is the label of highest probability
``mcc``                   Matthews' correlation, for any number of labels (Gorodkin, 2004); 0 where a side is constant
``f1``                    2 TP / (2 TP + FP + FN) of the positive label
``ece``                   expected calibration error, 15 equally wide bins on the confidence of the predicted label
                          (Guo et al., 2017, equation 3)
``brier``                 binary: mean square of probability minus truth of the positive label, 0 to 1; several labels:
                          summed over labels, 0 to 2 (Brier, 1950)
``macro_…``               mean over the labels, one against the rest, that have both positives and negatives in the test
                          (for F1: positives); labels that do not occur are left out. Of values the mean over the
                          targets that have it (for R² and Pearson's correlation: those that are not constant)
``mae``, ``mse``          mean absolute and mean square error of a value, in its unit and in the square of it
``r2``                    1 - SSE / SST, the latter about the mean of the values that are evaluated; below 0 where that
                          mean would be the better prediction
``pearson``               Pearson's correlation of predicted and measured values
``psnr``, ``ssim``        of images, see :mod:`primase.evaluation.images`: means over the images
``LABEL_…``               of one label against the rest; in a multilabel task of its own yes-or-no question, on the
                          examples where the answer is known; of one target on the examples where it is known
========================  ==============================================================================================

A metric that is not defined (a ranking with one label only, F1 without a positive) is NaN, here and in the resamples,
where it is then left out of the interval. A macro average is formed anew in each resample by the same rule. Intervals
are percentiles of the bootstrap; that of the calibration error, which is biased upwards, is the reflected kind (see
:func:`~primase.evaluation.intervals.percentile_interval`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Integer, Shaped

from primase.data.examples import are_known
from primase.data.tasks import Task
from primase.errors import InputError
from primase.evaluation.intervals import Interval, Units, percentile_interval, resampled_weights
from primase.evaluation.scorer import VALUE_METRICS, MultilabelScorer, Scorer, metric_names, scorer_of
from primase.evaluation.values import Draw, ValueFigures, affordable_resamples, known_values, value_figures

Targets = Shaped[np.ndarray, "examples *labels"]
Answers = Float[np.ndarray, "examples labels"]
UnitsLike = Units | Integer[np.ndarray, "examples"] | None

_LOWER_IS_BETTER = frozenset({"ece", "brier", "mae", "mse", "distance"})

_TITLES = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "mcc": "MCC",
    "f1": "F1",
    "ece": "ECE",
    "brier": "Brier score",
    "mae": "MAE",
    "mse": "MSE",
    "r2": "R²",
    "pearson": "Pearson r",
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "psnr_rgb": "PSNR of all channels (dB)",
    "ssim_rgb": "SSIM of all channels",
    "perceptual_distance": "perceptual distance",
}


def lower_is_better(metric: str) -> bool:
    """Tell whether less of a metric is better, of the task or of one label.

    Examples
    --------
    >>> lower_is_better("macro_ece"), lower_is_better("auroc")
    (True, False)
    """
    return metric.rpartition("_")[2] in _LOWER_IS_BETTER


def metric_title(metric: str) -> str:
    """Write a metric as a reader expects it.

    Examples
    --------
    >>> metric_title("macro_auroc"), metric_title("EC 3_f1"), metric_title("macro_r2")
    ('macro AUROC', 'EC 3 F1', 'mean R²')
    """
    if metric in _TITLES:
        return _TITLES[metric]
    label, _, last = metric.rpartition("_")
    title = _TITLES.get(last, last)
    if label == "macro" and last in VALUE_METRICS:
        return f"mean {title}"
    return f"{label} {title}" if label else title


def evaluate(
    task: Task,
    targets: Targets,
    answers: Answers,
    *,
    units: UnitsLike = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Measure how good predictions are, each figure with its 95 % bootstrap interval.

    Parameters
    ----------
    task
        What was asked; it decides the metrics.
    targets
        The index of the true label per example, or of several labels and of values what
        :class:`~primase.data.examples.Examples` says; examples whose target is not known are left out.
    answers
        A probability per example and label, each row summing to one unless multilabel; or a value per target.
    units
        What the split keeps together and the bootstrap draws as one; by default every example by itself.
    resamples
        How often the units are drawn anew; 0 for figures without intervals. Of very many values fewer are drawn, see
        :func:`~primase.evaluation.values.affordable_resamples`.
    seed
        Of the draw.

    Returns
    -------
    dict
        An interval per metric, in the order of :func:`~primase.evaluation.scorer.metric_names`.

    Raises
    ------
    InputError
        If no target is known.
    ValueError
        If the arrays do not fit each other.

    Examples
    --------
    >>> task = Task("binary", ("no", "yes"))
    >>> certain = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    >>> evaluate(task, np.array([0, 1, 1, 1]), certain, resamples=0)["accuracy"].value
    0.75
    """
    if task.is_value:
        return _value_figures(task, targets, [answers], units, resamples, seed, of_targets=True)[0].everything()
    (scorer,), drawn = _prepare(task, targets, [answers], units)
    figures = scorer(np.ones((1, len(drawn.index))))
    spread = _resample([scorer], drawn, resamples, seed)[0] if drawn.count > 1 else {}
    return {name: _interval(name, float(figures[name][0]), spread) for name in metric_names(task)}


def evaluate_beside(
    task: Task,
    targets: Targets,
    answers: Answers,
    *,
    units: UnitsLike = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Measure what only stands beside, such as a baseline or a part of the test.

    Parameters are those of :func:`evaluate`. Where answers are values the figures are those of the task as a whole, as
    there may be ten thousand targets.
    """
    if task.is_value:
        return _value_figures(task, targets, [answers], units, resamples, seed)[0].overall()
    return evaluate(task, targets, answers, units=units, resamples=resamples, seed=seed)


def evaluate_subsets(
    task: Task,
    targets: Targets,
    answers: Answers,
    subsets: Mapping[str, Bool[np.ndarray, "examples"]],
    *,
    units: UnitsLike = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Interval]]:
    """Measure on parts of the test, such as the rows without a twin in train.

    Parameters are those of :func:`evaluate`; ``subsets`` holds a mask over the examples per name. A part without any
    known target is left out. Where answers are values the figures are those of the task as a whole.
    """
    everything = _as_units(units, len(targets))
    found: dict[str, dict[str, Interval]] = {}
    for name, mask in subsets.items():
        truth, own, drawn = targets[mask], answers[mask], everything.take(mask)
        if not np.any(are_known(truth)):
            continue
        found[name] = evaluate_beside(task, truth, own, units=drawn, resamples=resamples, seed=seed)
    return found


def compare(
    task: Task,
    targets: Targets,
    answers: Answers,
    others: Answers,
    *,
    units: UnitsLike = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Measure by how much one predictor differs from another on the same examples, drawn together in each resample.

    Drawing both together takes out what makes some examples hard for either, so that a difference can be beyond doubt
    where the two intervals overlap.

    Parameters
    ----------
    task, targets, units, resamples, seed
        As in :func:`evaluate`.
    answers, others
        Of the one (the network) and of the other (a baseline).

    Returns
    -------
    dict
        Per metric the first minus the second; beyond doubt where the interval :meth:`~Interval.excludes` zero. Where
        answers are values the metrics are those of the task as a whole.
    """
    if task.is_value:
        ours, theirs = _value_figures(task, targets, [answers, others], units, resamples, seed)
        return ours.minus(theirs)
    scorers, drawn = _prepare(task, targets, [answers, others], units)
    figures = [scorer(np.ones((1, len(drawn.index)))) for scorer in scorers]
    spreads = _resample(scorers, drawn, resamples, seed) if drawn.count > 1 else [{}, {}]
    differences = {name: values - spreads[1][name] for name, values in spreads[0].items()}
    return {
        name: _interval(name, float(figures[0][name][0] - figures[1][name][0]), differences, bounded=False)
        for name in metric_names(task)
    }


def _as_units(units: UnitsLike, examples: int) -> Units:
    if units is None:
        return Units.examples(examples)
    named = units if isinstance(units, Units) else Units.of(units, "unit")
    if len(named.index) != examples:
        message = f"units of {len(named.index)} examples beside {examples} targets"
        raise ValueError(message)
    return named


def _prepare(
    task: Task, targets: Targets, answers: Sequence[Answers], units: UnitsLike
) -> tuple[list[Scorer | MultilabelScorer], Units]:
    """Leave out what has no target, and prepare the rest."""
    named = _as_units(units, len(targets))
    known = are_known(targets) if targets.ndim == 1 else np.any(are_known(targets), axis=1)
    if not known.any():
        what = "there is nothing to evaluate on: no example has a known target"
        raise InputError(what, got=f"{len(targets)} examples", wanted="at least one with a target")
    if not known.all():
        targets, named = targets[known], named.take(known)
        answers = [columns[known] for columns in answers]
    return [scorer_of(task, targets, columns) for columns in answers], named


def _value_figures(
    task: Task,
    targets: Targets,
    answers: Sequence[Answers],
    units: UnitsLike,
    resamples: int,
    seed: int,
    *,
    of_targets: bool = False,
) -> list[ValueFigures]:
    """Compute the figures of several predictors of values on the same resamples."""
    truth, values, drawn = known_values(targets, answers, _as_units(units, len(targets)))
    draw = Draw(drawn, affordable_resamples(drawn, task.outputs, resamples), seed)
    return [value_figures(task, truth, own, draw, of_targets=of_targets) for own in values]


def _resample(
    scorers: list[Scorer | MultilabelScorer], units: Units, resamples: int, seed: int
) -> list[dict[str, np.ndarray]]:
    """Compute the figures of several predictors on the same resamples."""
    blocks: list[list[dict[str, np.ndarray]]] = [[] for _ in scorers]
    for weights in resampled_weights(units, resamples=resamples, seed=seed):
        for collected, scorer in zip(blocks, scorers, strict=True):
            collected.append(scorer(weights))
    return [
        {name: np.concatenate([block[name] for block in collected]) for name in collected[0]} if collected else {}
        for collected in blocks
    ]


def _interval(name: str, value: float, spread: Mapping[str, np.ndarray], *, bounded: bool = True) -> Interval:
    if name not in spread:
        return Interval.undefined(value)
    # Noise can only add to a calibration error, and a resample is noisier than the sample: in simulations the plain
    # percentiles of a perfectly calibrated predictor never held the truth.
    interval = percentile_interval(value, spread[name], reflected=_is_ece(name))
    if _is_ece(name) and bounded and interval.has_bounds:
        return Interval(interval.value, max(0.0, interval.low), interval.high)
    return interval


def _is_ece(name: str) -> bool:
    return name.rpartition("_")[2] == "ece"
