"""How much better a network is on what it was trained on than on what is new to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float, Shaped

from primase.data.examples import Indices, evenly_spread
from primase.data.tasks import Task
from primase.evaluation.intervals import Interval, Units
from primase.evaluation.metrics import evaluate_beside
from primase.evaluation.rates import differ
from primase.evaluation.scorer import overall_metrics

LARGE: Final = 0.05
"""A smaller difference between train and test is no reason for a warning, however certain."""
MOST_EXAMPLES: Final = 5_000
MOST_ANSWERS: Final = 20_000_000
"""So many examples, and answers in all, are looked at."""


@final
@dataclass(frozen=True, slots=True)
class Gap:
    """The figures on some training examples beside those on test.

    Parameters
    ----------
    task
        What was asked.
    count
        How many training examples were looked at.
    train, test
        The metrics of the task as a whole.
    """

    task: Task
    count: int
    train: Mapping[str, Interval]
    test: Mapping[str, Interval]

    @property
    def metric(self) -> str:
        """The metric that is compared: one that is no better for there being more positives, and lies below 1."""
        if self.task.kind == "multiclass":
            return self.task.main_metric
        return self.task.metric("r2" if self.task.is_value else "auroc")

    @property
    def difference(self) -> float:
        """By how much the figure on train is better."""
        return self.train[self.metric].value - self.test[self.metric].value

    @property
    def is_large(self) -> bool:
        """Whether it is so much better that it should be said, and beyond what chance would give."""
        return self.difference >= LARGE and differ(self.train[self.metric], self.test[self.metric])


def looked_at(train: Indices, outputs: int) -> Indices:
    """Choose the training examples that are looked at, from the first to the last."""
    most = min(MOST_EXAMPLES, max(MOST_ANSWERS // outputs, 1))
    return np.asarray(train[evenly_spread(len(train), most)])


def measure_gap(
    task: Task,
    targets: Shaped[np.ndarray, "examples *labels"],
    answers: Float[np.ndarray, "examples labels"],
    test: Mapping[str, Interval],
    units: Units,
) -> Gap:
    """Measure on training examples what was measured on test.

    Parameters
    ----------
    targets, answers, units
        Of the training examples that are looked at.
    test
        The metrics on test.
    """
    found = evaluate_beside(task, targets, answers, units=units)
    names = [name for name in overall_metrics(task) if name in found and name in test]
    return Gap(task, len(targets), {name: found[name] for name in names}, {name: test[name] for name in names})
