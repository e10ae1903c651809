"""The evaluation: all figures of a trained model, beside those of the baselines and the probes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

from primase.data.tasks import Task
from primase.evaluation.contrasts import ContrastFigures
from primase.evaluation.coverage import CoverageFigures
from primase.evaluation.gains import Gain
from primase.evaluation.intervals import Interval
from primase.evaluation.metrics import lower_is_better
from primase.evaluation.per_label import AnyCalibrator

Metrics = Mapping[str, Interval]


@final
@dataclass(frozen=True, slots=True)
class CalibrationFigures:
    """How far the probabilities could be believed on the test, before and after calibration.

    Parameters
    ----------
    method
        The name of the method.
    note
        What was done, as a sentence.
    ece_before, ece_after
        The expected calibration error.
    brier_before, brier_after
        The Brier score.
    """

    method: str
    note: str
    ece_before: Interval
    ece_after: Interval
    brier_before: Interval
    brier_after: Interval

    @classmethod
    def of(cls, task: Task, calibrator: AnyCalibrator, before: Metrics, after: Metrics) -> CalibrationFigures:
        """Pick the figures of calibration from all metrics before and after; of several labels, the means over them."""
        ece, brier = task.metric("ece"), task.metric("brier")
        figures = (before[ece], after[ece], before[brier], after[brier])
        return cls(calibrator.name, calibrator.note, *figures)

    def to_state(self) -> dict[str, Any]:
        """Describe the method and the two errors in JSON, as ``metrics.json`` has them: numbers, null if undefined."""
        return {
            "method": self.method,
            "ece_before": self.ece_before.to_state()["value"],
            "ece_after": self.ece_after.to_state()["value"],
        }


AnyCalibrationFigures: TypeAlias = CalibrationFigures | CoverageFigures
"""How far the answers could be believed: probabilities, or values with intervals."""


@final
@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is known of how good a model is.

    Parameters
    ----------
    task
        What was asked.
    test
        The metrics on the test.
    calibration
        How far the probabilities could be believed, before and after; or whether the intervals around values hold what
        they should.
    subsets
        The metrics on named parts of the test.
    baselines, probes
        The metrics of each, by name, on the same test.
    differences
        Per baseline or probe, the network's metrics minus its, drawn together.
    intervals
        What the intervals were drawn over, as a sentence.
    contrasts
        The same of the test asked in another way, by what is different in it.
    gains
        Where answers are values: per baseline, by which share the network's errors are smaller.
    """

    task: Task
    test: Metrics
    calibration: AnyCalibrationFigures
    subsets: Mapping[str, Metrics] = field(default_factory=dict)
    baselines: Mapping[str, Metrics] = field(default_factory=dict)
    probes: Mapping[str, Metrics] = field(default_factory=dict)
    differences: Mapping[str, Metrics] = field(default_factory=dict)
    intervals: str = ""
    contrasts: Mapping[str, ContrastFigures] = field(default_factory=dict)
    gains: Mapping[str, Gain] = field(default_factory=dict)

    @property
    def reference(self) -> str | None:
        """The best baseline: the one that is worth beating; None without any."""
        return best_of(self.task, self.baselines)

    @property
    def main(self) -> Interval:
        """The metric to look at first."""
        return self.test[self.task.main_metric]

    def to_state(self) -> dict[str, Any]:
        """Describe the figures in JSON: the part of ``metrics.json`` that is about how good the model is."""
        # A reader of subsets finds those of the contrasts there, too.
        subsets = {**self.subsets, **{name: figures.test for name, figures in self.contrasts.items()}}
        state: dict[str, Any] = {
            "test": _state(self.test),
            "subsets": _states(subsets),
            "baselines": _states(self.baselines),
            "probes": _states(self.probes),
            "calibration": self.calibration.to_state(),
        }
        if self.gains:
            state["gains"] = {name: gain.to_state() for name, gain in self.gains.items()}
        if self.contrasts:
            state["contrasts"] = {
                name: {
                    "test": _state(figures.test),
                    "baselines": _states(figures.baselines),
                    "probes": _states(figures.probes),
                }
                for name, figures in self.contrasts.items()
            }
        return state


def best_of(task: Task, models: Mapping[str, Metrics]) -> str | None:
    """Name the model with the best main metric, the first of equals; None without any."""
    return next(iter(best_first(task, models)), None)


def best_first(task: Task, models: Mapping[str, Metrics]) -> list[str]:
    """Name models by their main metric, the best first and those without a figure last."""
    main = task.main_metric
    sign = 1 if lower_is_better(main) else -1
    figures = {name: metrics[main].value for name, metrics in models.items()}
    return sorted(models, key=lambda name: math.inf if math.isnan(figures[name]) else sign * figures[name])


def _states(several: Mapping[str, Metrics]) -> dict[str, dict[str, dict[str, float | None]]]:
    return {name: _state(metrics) for name, metrics in several.items()}


def _state(metrics: Metrics) -> dict[str, dict[str, float | None]]:
    return {name: interval.to_state() for name, interval in metrics.items()}
