"""Judge a network that predicts values: beside baselines and probes, on parts of the test, and by its intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from primase.data.examples import are_known
from primase.data.tasks import Task
from primase.evaluation.conformal import AnyIntervals
from primase.evaluation.coverage import coverage_figures
from primase.evaluation.evaluation import Evaluation, best_of
from primase.evaluation.gains import Gain, gain, gains_of_targets
from primase.evaluation.intervals import Units
from primase.evaluation.metrics import evaluate_subsets
from primase.evaluation.values import (
    Draw,
    Values,
    affordable_resamples,
    known_values,
    resamples_statement,
    value_figures,
)

NETWORK = "network"


def assess_values(
    task: Task,
    truth: Values,
    values: Values,
    *,
    intervals: AnyIntervals,
    units: Units,
    subsets: Mapping[str, Bool[np.ndarray, "examples"]],
    others: Mapping[str, Values],
    probes: Sequence[str],
) -> Evaluation:
    """Measure everything on the test part; each predictor is drawn anew once, on the same resamples.

    Parameters
    ----------
    truth, values
        What was measured (NaN where not known) and what the network predicts.
    intervals
        What says how far a value may be off.
    others
        What each baseline and probe predicts; the names in ``probes`` tell which are the latter.
    """
    known, (own, *rest), drawn = known_values(truth, [values, *others.values()], units)
    draw = Draw(drawn, affordable_resamples(drawn, task.outputs), seed=0)
    network = value_figures(task, known, own, draw, of_targets=True)
    figures = {name: value_figures(task, known, found, draw) for name, found in zip(others, rest, strict=True)}
    overall = {name: found.overall() for name, found in figures.items()}
    baselines = {name: found for name, found in overall.items() if name not in probes}
    reference = best_of(task, baselines)
    gains: dict[str, Gain] = {}
    for name, predicted in zip(others, rest, strict=True):
        if name in baselines:
            of_targets = gains_of_targets(task, known, own, predicted, draw) if name == reference else None
            gains[name] = gain(network, figures[name], of_targets)
    return Evaluation(
        task=task,
        test=network.everything(),
        calibration=coverage_figures(intervals, known, own, draw),
        subsets=evaluate_subsets(task, truth, values, subsets, units=units),
        baselines=baselines,
        probes={name: found for name, found in overall.items() if name in probes},
        differences={name: network.minus(found) for name, found in figures.items()},
        intervals=resamples_statement(drawn, task.outputs),
        gains=gains,
    )


def errors_of_targets(task: Task, truth: Values, values: Values) -> dict[str, np.ndarray]:
    """Compute the metrics of every target, without intervals: what the drawings of a report need."""
    known = are_known(truth).any(axis=1)
    draw = Draw(Units.examples(int(known.sum())), 0, seed=0)
    return dict(value_figures(task, truth[known], values[known], draw).of_targets)
