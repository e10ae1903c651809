"""Judge a network that makes images: how near each comes to the truth, averaged over the images of the test.

An application measures every image against its truth, whatever their sizes; here are the means of these measures, with
intervals over what the split keeps together, and by how much they differ from those of a simpler way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from primase.data.tasks import Task
from primase.evaluation.conformal import NoIntervals
from primase.evaluation.coverage import CoverageFigures
from primase.evaluation.evaluation import Evaluation
from primase.evaluation.intervals import Interval, Units, percentile_interval
from primase.evaluation.values import Draw

Measured = Float[np.ndarray, "images measures"]
"""How near each image comes to its truth, by each measure; NaN where it could not be measured."""

RESAMPLES: Final = 1000


def assess_images(
    task: Task,
    measured: Measured,
    *,
    units: Units,
    subsets: Mapping[str, Bool[np.ndarray, "images"]],
    others: Mapping[str, Measured],
    probes: Sequence[str],
) -> Evaluation:
    """Average the measures of all test images, and of parts of them, beside those of simpler ways.

    Parameters
    ----------
    measured
        Of the network's images.
    others
        Of those of each baseline and probe; the names in ``probes`` tell which are the latter.
    """
    draw = Draw(units, RESAMPLES, seed=0)
    figures = {name: mean_measures(task, found, draw) for name, found in others.items()}
    nothing = np.empty(0)
    note = "The images are as the network made them."
    unknown = CoverageFigures(NoIntervals().name, note, np.nan, Interval.undefined(), np.nan, nothing, nothing)
    return Evaluation(
        task=task,
        test=mean_measures(task, measured, draw),
        calibration=unknown,
        subsets={
            name: mean_measures(task, measured[mask], Draw(units.take(mask), RESAMPLES, seed=0))
            for name, mask in subsets.items()
        },
        baselines={name: found for name, found in figures.items() if name not in probes},
        probes={name: found for name, found in figures.items() if name in probes},
        differences={name: mean_measures(task, measured - found, draw) for name, found in others.items()},
        intervals=units.statement,
    )


def mean_measures(task: Task, measured: Measured, draw: Draw) -> dict[str, Interval]:
    """Average each measure over the images that have it, with its interval.

    Parameters
    ----------
    draw
        Over the units of these images.

    Raises
    ------
    ValueError
        If there is not a column per measure of the task.
    """
    if measured.shape != (len(draw.units.index), task.outputs):
        message = f"measures of shape {measured.shape} of {len(draw.units.index)} images by {task.outputs} measures"
        raise ValueError(message)
    known = np.isfinite(measured)
    summands = np.concatenate([np.where(known, measured, 0.0), known], axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        total, count = np.split(summands.sum(axis=0), 2)
        totals, counts = np.split(draw.sums(summands), 2, axis=1)
        means, resampled = total / count, totals / counts
    return {
        measure: percentile_interval(float(means[place]), resampled[:, place])
        for place, measure in enumerate(task.labels)
    }
