"""Judge a trained network on the test: beside baselines and probes, before and after calibration, on parts apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.evaluation.baselines import Baseline, FittedBaseline
from primase.evaluation.contrasts import AssessedContrast
from primase.evaluation.evaluation import CalibrationFigures, Evaluation, Metrics
from primase.evaluation.intervals import Units
from primase.evaluation.metrics import compare, evaluate, evaluate_subsets
from primase.evaluation.per_label import AnyCalibrator, uncalibrated
from primase.evaluation.probes import Probe
from primase.events import Listener, Progress, silent

Probabilities = Float[np.ndarray, "examples labels"]
Masks = Mapping[str, Bool[np.ndarray, "examples"]]


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """The figures of a model, and the predictions on the test that they can be recomputed from.

    Parameters
    ----------
    before, after
        The network's probabilities on the test, before and after calibration.
    others
        Those of each baseline and probe, by name.
    descriptions
        A sentence on each baseline and probe, by name.
    contrasts
        The same of the test asked in another way.
    """

    evaluation: Evaluation
    before: Probabilities
    after: Probabilities
    others: Mapping[str, Probabilities] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    contrasts: Sequence[AssessedContrast] = ()

    def with_contrasts(self, contrasts: Sequence[AssessedContrast]) -> Assessment:
        """Put what was found on the test asked in another way beside the rest.

        Raises
        ------
        ValueError
            If two contrasts, or a contrast and a part of the test, have the same name.
        """
        names = [*self.evaluation.subsets, *(assessed.figures.name for assessed in contrasts)]
        if len(set(names)) != len(names):
            message = f"parts of the test and contrasts need different names: {', '.join(names)}"
            raise ValueError(message)
        figures = {assessed.figures.name: assessed.figures for assessed in contrasts}
        return replace(self, evaluation=replace(self.evaluation, contrasts=figures), contrasts=tuple(contrasts))


def fit_rivals(
    baselines: Sequence[Baseline],
    probes: Sequence[Probe],
    task: Task,
    train: Examples[Any],
    validation: Examples[Any],
    *,
    listener: Listener = silent,
) -> list[FittedBaseline]:
    """Train what the network is measured against, on the same parts."""
    rivals: list[Baseline | Probe] = [*baselines, *probes]
    fitted = []
    for done, rival in enumerate(rivals):
        listener(Progress("baselines", done, len(rivals), rival.name))
        fitted.append(rival.fit(task, train, validation))
    listener(Progress("baselines", len(rivals), len(rivals)))
    return fitted


def assess(
    logits: Probabilities,
    calibrator: AnyCalibrator,
    test: Examples[Any],
    task: Task,
    *,
    units: Units,
    subsets: Masks,
    rivals: Sequence[FittedBaseline] = (),
    probes: Sequence[str] = (),
) -> Assessment:
    """Measure everything on the test part, each figure with an interval over the units of the split.

    Parameters
    ----------
    logits
        The network's outputs on the test, before calibration.
    rivals
        Trained baselines and probes; the names in ``probes`` tell which are the latter.
    """
    before, after = uncalibrated(task).probabilities(logits), calibrator.probabilities(logits)
    targets = test.targets
    raw = evaluate(task, targets, before, units=units)
    metrics = evaluate(task, targets, after, units=units)
    others = {rival.name: rival.probabilities(test) for rival in rivals}
    figures: dict[str, Metrics] = {
        name: evaluate(task, targets, values, units=units) for name, values in others.items()
    }
    evaluation = Evaluation(
        task=task,
        test=metrics,
        calibration=CalibrationFigures.of(task, calibrator, raw, metrics),
        subsets=evaluate_subsets(task, targets, after, subsets, units=units),
        baselines={name: metrics for name, metrics in figures.items() if name not in probes},
        probes={name: metrics for name, metrics in figures.items() if name in probes},
        differences={name: compare(task, targets, after, values, units=units) for name, values in others.items()},
        intervals=units.statement,
    )
    return Assessment(evaluation, before, after, others, {rival.name: rival.description for rival in rivals})
