"""Judge a trained network on the test: beside baselines and probes, before and after calibration, on parts apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.evaluation.baselines import FittedRival, Rival
from primase.evaluation.conformal import Conformal, NoIntervals
from primase.evaluation.contrasts import AssessedContrast
from primase.evaluation.coverage import CoverageFigures
from primase.evaluation.division import Division
from primase.evaluation.evaluation import CalibrationFigures, Evaluation, Metrics
from primase.evaluation.images import assess_images
from primase.evaluation.intervals import Units
from primase.evaluation.metrics import compare, evaluate, evaluate_subsets
from primase.evaluation.per_label import AnyCalibrator, uncalibrated
from primase.evaluation.value_assessment import assess_values
from primase.events import Listener, Progress, silent

Answers = Float[np.ndarray, "examples labels"]
Truth = Shaped[np.ndarray, "examples *labels"]
Masks = Mapping[str, Bool[np.ndarray, "examples"]]


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """The figures of a model, and the predictions on the test that they can be recomputed from.

    Parameters
    ----------
    before, after
        The network's answers on the test, before and after calibration; of values and images both are the same.
    others
        Those of each baseline and probe, by name.
    descriptions
        A sentence on each baseline and probe, by name.
    contrasts
        The same of the test asked in another way.
    """

    evaluation: Evaluation
    before: Answers
    after: Answers
    others: Mapping[str, Answers] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    contrasts: Sequence[AssessedContrast] = ()

    @property
    def bounds(self) -> tuple[Answers, Answers] | None:
        """The lower and the upper end of the interval around each value of the test; None where there are none."""
        figures = self.evaluation.calibration
        if not isinstance(figures, CoverageFigures) or not len(figures.half_widths):
            return None
        return self.after - figures.half_widths, self.after + figures.half_widths

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
    baselines: Sequence[Rival],
    probes: Sequence[Rival],
    task: Task,
    train: Examples[Any],
    validation: Examples[Any],
    *,
    listener: Listener = silent,
) -> list[FittedRival]:
    """Train what the network is measured against, on the same parts."""
    rivals = [*baselines, *probes]
    fitted = []
    for done, rival in enumerate(rivals):
        listener(Progress("baselines", done, len(rivals), rival.name))
        fitted.append(rival.fit(task, train, validation))
    listener(Progress("baselines", len(rivals), len(rivals)))
    return fitted


def assess(  # noqa: PLR0913 - what is judged, by what, against what and over what
    outputs: Answers,
    calibrator: AnyCalibrator,
    test: Examples[Any],
    task: Task,
    *,
    units: Units,
    subsets: Masks,
    rivals: Sequence[FittedRival] = (),
    probes: Sequence[str] = (),
    truth: Truth | None = None,
    division: Division | None = None,
) -> Assessment:
    """Measure everything on the test part, each figure with an interval over the units of the split.

    Parameters
    ----------
    outputs
        The network's on the test, before calibration; of images, how near they come to the truth.
    rivals
        Trained baselines and probes; the names in ``probes`` tell which are the latter.
    truth
        What the answers are measured against; by default the targets of the test.
    division
        Which examples were set apart for this; None where there were no others.

    Raises
    ------
    InputError
        If the examples are not those that were set apart, each of them once: if they were resampled.
    """
    if division is not None:
        division.refuse_resampled(test.ids)
    targets = test.targets if truth is None else truth
    others = {rival.name: rival.answers(test) for rival in rivals}
    before, after = uncalibrated(task).answers(outputs), calibrator.answers(outputs)
    if task.is_image:
        evaluation = assess_images(task, after, units=units, subsets=subsets, others=others, probes=probes)
    elif isinstance(calibrator, Conformal | NoIntervals):
        # As the tables have them, so that the figures can be computed again from there.
        before = after = np.asarray(after, dtype=np.float32)
        others = {name: np.asarray(values, dtype=np.float32) for name, values in others.items()}
        evaluation = assess_values(
            task, targets, after, intervals=calibrator, units=units, subsets=subsets, others=others, probes=probes
        )
    else:
        evaluation = _assess_labels(
            task, targets, (before, after), calibrator, units=units, subsets=subsets, others=others, probes=probes
        )
    descriptions = {rival.name: rival.description for rival in rivals}
    return Assessment(evaluation, before, after, others, descriptions)


def _assess_labels(
    task: Task,
    targets: Truth,
    answers: tuple[Answers, Answers],
    calibrator: AnyCalibrator,
    *,
    units: Units,
    subsets: Masks,
    others: Mapping[str, Answers],
    probes: Sequence[str],
) -> Evaluation:
    """Judge a network that gives probabilities, before and after calibration."""
    _, after = answers
    raw, metrics = (evaluate(task, targets, probabilities, units=units) for probabilities in answers)
    figures: dict[str, Metrics] = {
        name: evaluate(task, targets, values, units=units) for name, values in others.items()
    }
    return Evaluation(
        task=task,
        test=metrics,
        calibration=CalibrationFigures.of(task, calibrator, raw, metrics),
        subsets=evaluate_subsets(task, targets, after, subsets, units=units),
        baselines={name: metrics for name, metrics in figures.items() if name not in probes},
        probes={name: metrics for name, metrics in figures.items() if name in probes},
        differences={name: compare(task, targets, after, values, units=units) for name, values in others.items()},
        intervals=units.statement,
    )
