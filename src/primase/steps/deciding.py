"""Where a finished model draws the line between no and yes, and how much better it is on what it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from primase.apps.workflow import Labelled, Workflow
from primase.data.examples import are_known
from primase.data.splits import Partition
from primase.data.tasks import Task
from primase.evaluation.assessment import Assessment
from primase.evaluation.gap import Gap, looked_at, measure_gap
from primase.evaluation.intervals import Units
from primase.evaluation.operating import Aim, OperatingPoint, choose_operating_point, refuse_no_line
from primase.evaluation.prevalence import Prevalence
from primase.events import Listener
from primase.predictor.predictor import Predictor
from primase.report.remedies import operating_remedy, used_remedies
from primase.report.run import Remedy

Truth = Shaped[np.ndarray, "examples *labels"]


def refuse_in_time(task: Task, truth: Truth, remedies: Mapping[str, Any]) -> None:
    """Refuse before training what is asked of the finished model and cannot be had: a cut, or a prevalence.

    Parameters
    ----------
    truth
        Of validation.
    remedies
        The settings of all remedies.
    """
    aim = Aim.asked(remedies)
    if aim is not None:
        refuse_no_line(task, truth, aim)
    if remedies.get("prevalence") is not None:
        Prevalence.fit(task, truth, remedies["prevalence"])


def draw_line(
    task: Task,
    truth: Truth,
    answers: Float[np.ndarray, "examples labels"],
    units: Units,
    remedies: Mapping[str, Any],
) -> OperatingPoint | None:
    """Choose on validation from which probability on a label is predicted; None where nobody asked for it.

    Parameters
    ----------
    truth, answers, units
        Of validation.
    remedies
        The settings of all remedies.
    """
    aim = Aim.asked(remedies)
    return None if aim is None else choose_operating_point(task, truth, answers, aim, units)


def tell_remedies(
    configuration: Mapping[str, Any], point: OperatingPoint | None, assessment: Assessment, truth: Truth, units: Units
) -> list[Remedy]:
    """Say what was done in training, and what the line does on test, as far as either was asked for.

    Parameters
    ----------
    truth, units
        Of the test.
    """
    used = used_remedies(configuration)
    told = [] if used is None else [used]
    if point is not None:
        told.append(operating_remedy(point, point.judged(assessment.evaluation.task, truth, assessment.after, units)))
    return told


def find_gap(
    workflow: Workflow[Any, Any],
    predictor: Predictor[Any],
    labelled: Labelled[Any],
    partition: Partition,
    real: int,
    assessment: Assessment,
    listener: Listener,
) -> Gap | None:
    """Measure how much better the network is on training examples; None where that would tell nothing.

    Parameters
    ----------
    real
        So many of the examples are the user's own; what is behind them was simulated, and is left out.
    """
    task, train = predictor.task, partition.train[partition.train < real]
    if task.is_image or not workflow.is_judged_on_train or not len(train):
        return None
    positions = looked_at(train, task.outputs)
    some = labelled.examples.take(positions)
    truth = workflow.truth(some)
    if not np.any(are_known(truth)):
        return None
    answers = predictor.calibrator.answers(workflow.outputs(predictor, some, listener))
    units = workflow.resampled(some, partition.units[positions], partition.policy)
    return measure_gap(task, truth, answers, assessment.evaluation.test, units)
