"""How good a model is on the test of each step, in one figure: the larger the better, for every kind of task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import expit, log_softmax, logsumexp
from torch import nn

from primase.data.tasks import Task
from primase.evaluation.scorer import scorer_of
from primase.remedies.continual.answering import outputs_of
from primase.remedies.continual.rehearsal import Remembered

Outputs = Float[np.ndarray, "examples outputs"]
Targets = Shaped[np.ndarray, "examples *labels"]

FEWEST: Final = 2


def figure_name(task: Task) -> str:
    """Name the figure: accuracy, the mean AUROC of several labels, or the mean R² of values."""
    if task.is_value:
        return "macro_r2"
    return "macro_auroc" if task.is_multilabel else "accuracy"


def chance(task: Task, own: Sequence[str]) -> float:
    """Give the figure of guessing among the labels of a step; of values, of their mean."""
    if task.is_value:
        return 0.0
    return 0.5 if task.is_multilabel else 1 / max(len(own), 1)


def averaged(members: Sequence[nn.Module], test: Remembered, task: Task) -> Outputs:
    """Ask several networks about the examples of a test: the logarithm of their mean probabilities, or mean values.

    Values are on the scale on which the networks learn.
    """
    found = np.stack([outputs_of(member, test).astype(np.float64) for member in members])
    if task.is_value:
        return np.asarray(found.mean(axis=0))
    if task.is_multilabel:
        mean = np.clip(expit(found).mean(axis=0), 1e-12, 1 - 1e-12)
        return np.asarray(np.log(mean) - np.log1p(-mean))
    return np.asarray(logsumexp(log_softmax(found, axis=2), axis=0) - np.log(len(found)))


def score(task: Task, outputs: Outputs, targets: Targets, own: Sequence[str] | None = None) -> float | None:
    """Measure outputs by the figure of the task; None where it is not defined.

    Parameters
    ----------
    outputs
        As of :func:`averaged`.
    own
        The labels to choose from; all where None.
    """
    if len(targets) < FEWEST:
        return None
    if task.is_value:
        return _r2(outputs, targets)
    if task.is_multilabel:
        known = outputs[:, : targets.shape[1]]
        figures = scorer_of(Task("multilabel", task.labels[: known.shape[1]]), targets, expit(known))
        value = float(figures(np.ones((1, len(targets))))["macro_auroc"][0])
        return value if np.isfinite(value) else None
    allowed = np.array([own is None or label in own for label in task.labels])
    chosen = np.where(allowed, outputs, -np.inf).argmax(axis=1)
    return float((chosen == targets).mean())


def _r2(values: Outputs, targets: Targets) -> float | None:
    """Average the share of the variance that is explained over the targets that vary."""
    known = np.isfinite(targets)
    filled = np.where(known, targets, 0.0)
    counts = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, filled - filled.sum(axis=0) / counts, 0.0)
    total = np.square(centred).sum(axis=0)
    rest = np.square(np.where(known, values - filled, 0.0)).sum(axis=0)
    varies = total > 1e-12
    return float((1 - rest[varies] / total[varies]).mean()) if varies.any() else None
