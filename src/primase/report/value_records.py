"""Tables of a run that predicts values: every target with its figures, and the interval around every value."""

from __future__ import annotations

import numpy as np
import polars as pl

from primase.data.splits import Part
from primase.evaluation.coverage import CoverageFigures
from primase.evaluation.evaluation import Evaluation
from primase.evaluation.scorer import VALUE_METRICS
from primase.report.run import TrainingRun
from primase.report.targets import gain_columns

MOST_BOUNDED = 1_000
"""Of more targets the intervals are not written value by value: their half-widths in the table of targets say it."""


def targets_table(evaluation: Evaluation) -> pl.DataFrame:
    """List every target with its metrics on the test, its gain over the best baseline, and its interval.

    Returns
    -------
    polars.DataFrame
        ``target``; ``mae``, ``r2``, ``mse`` and ``pearson``, each with ``_low`` and ``_high``; ``gain`` (1 minus the
        network's error divided by the baseline's) with ``_low`` and ``_high``, and ``reference``, its name;
        ``coverage`` (the share of measured values inside their intervals) and ``half_width`` of the interval. What is
        not defined is null.
    """
    labels = evaluation.task.labels
    columns: dict[str, np.ndarray] = {}
    for metric in VALUE_METRICS:
        found = [evaluation.test[f"{label}_{metric}"] for label in labels]
        columns[metric] = np.array([interval.value for interval in found])
        columns[f"{metric}_low"] = np.array([interval.low for interval in found])
        columns[f"{metric}_high"] = np.array([interval.high for interval in found])
    columns["gain"], columns["gain_low"], columns["gain_high"] = gain_columns(evaluation)
    figures = evaluation.calibration
    nothing = np.full(len(labels), np.nan)
    bounded = isinstance(figures, CoverageFigures) and len(figures.half_widths) > 0
    widths = figures.half_widths if isinstance(figures, CoverageFigures) and bounded else nothing
    columns["coverage"] = figures.of_targets if isinstance(figures, CoverageFigures) and bounded else nothing
    columns["half_width"] = np.where(np.isfinite(widths), widths, np.nan)
    numbers = [pl.Series(name, values, dtype=pl.Float64, nan_to_null=True) for name, values in columns.items()]
    reference = pl.Series("reference", [evaluation.reference] * len(labels), dtype=pl.String)
    return pl.DataFrame([pl.Series("target", list(labels), dtype=pl.String), *numbers, reference])


def bounds_table(run: TrainingRun, part: Part) -> list[pl.DataFrame]:
    """Lay out the ends of the interval around every value of a part; nothing where there are none, or too many.

    The intervals were made from validation, so that those of its own values would say nothing: they are null.
    """
    bounds = None if run.task.outputs > MOST_BOUNDED else run.assessment.bounds
    if bounds is None:
        return []
    ends = dict(zip(("low", "high"), bounds, strict=True))
    if part != "test":
        ends = dict.fromkeys(ends, np.full((len(run.partition.part(part)), run.task.outputs), np.nan))
    finite = {name: np.where(np.isfinite(values), values, np.nan) for name, values in ends.items()}
    return [run.task.value_columns(name, values) for name, values in finite.items()]
