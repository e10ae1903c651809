"""Sets of labels that hold the true one as often as was asked for: conformal prediction.

Split conformal prediction with the least ambiguous sets (LAC; Sadinle, Lei and Wasserman, 2019, Least ambiguous
set-valued classifiers with bounded error levels, Journal of the American Statistical Association 114): of n examples
that the network was not fitted to, the ceil((n + 1) c)-th smallest of 1 - p, where p is the probability of the true
label, is the most that a label of the set may miss. The set then holds the true label of a new example with probability
of at least c, whatever the network, as long as the example is drawn like those. Of all sets that do, these are the
smallest on average, and some are empty; adaptive sets (Romano, Sesia and Candès, 2020) are larger, and need a throw of
dice to be exact.

Where every label is a question of its own there is a threshold for each, from the examples that have it: the set then
holds a label that is there with probability of at least c, label by label (Vovk, 2012, Conditional validity of
inductive conformal predictors).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Self, final

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Integer, Shaped

from primase.data.tasks import Task
from primase.errors import BundleError, ConfigurationError
from primase.evaluation.crossfit import cross_fitted, folds_of
from primase.evaluation.intervals import Interval, Units, percentile_interval
from primase.evaluation.values import Draw

Answers = Float[np.ndarray, "examples labels"]
Truth = Shaped[np.ndarray, "examples *labels"]
Members = Bool[np.ndarray, "examples labels"]

BETWEEN: Final = "|"
COLUMN: Final = "prediction_set"


@final
@dataclass(frozen=True, slots=True)
class PredictionSets:
    """Puts into a set every label whose probability is high enough.

    Parameters
    ----------
    coverage
        The share of true labels that their sets should hold, between 0 and 1.
    thresholds
        The least probability of a label in a set: one for all, or one per label of a multilabel task; 0 where there
        were too few examples to say, so that the label is in every set.
    count
        The examples that they are from; of several labels, the fewest that have one.

    Examples
    --------
    >>> sets = PredictionSets(0.9, (0.2,), 100)
    >>> sets.column(Task("multiclass", ("a", "b", "c")), np.array([[0.5, 0.3, 0.2], [0.9, 0.1, 0.0]])).to_list()
    ['a|b|c', 'a']
    """

    coverage: float
    thresholds: tuple[float, ...]
    count: int

    def __post_init__(self) -> None:
        if not 0 < self.coverage < 1 or not self.thresholds or not all(0 <= one <= 1 for one in self.thresholds):
            message = f"a coverage of {self.coverage} with thresholds {self.thresholds}"
            raise ValueError(message)

    @classmethod
    def fit(cls, task: Task, answers: Answers, truth: Truth, coverage: float) -> Self:
        """Find the thresholds on examples that neither the network nor its calibration was fitted to.

        Parameters
        ----------
        answers
            Calibrated probabilities.
        truth
            Below zero where not known.
        """
        if task.is_multilabel:
            has = [answers[truth[:, place] == 1, place] for place in range(task.outputs)]
        else:
            known = truth >= 0
            has = [answers[known, truth[known]]]
        found = tuple(_threshold(probabilities, coverage) for probabilities in has)
        return cls(coverage, found, min(map(len, has)))

    def members(self, answers: Answers) -> Members:
        """Tell which labels are in the set of each example.

        A set may be empty, where even the most probable label is less probable than true ones mostly are; where the
        network is right more often than the coverage asks for, some sets must be.
        """
        return np.asarray(answers >= np.asarray(self.thresholds))

    def column(self, task: Task, answers: Answers) -> pl.Series:
        r"""Write each set as its labels joined by ``|``; a ``|`` or ``\`` within a label has a ``\`` in front."""
        names = [label.replace("\\", "\\\\").replace(BETWEEN, f"\\{BETWEEN}") for label in task.labels]
        rows = (BETWEEN.join(names[place] for place in np.flatnonzero(row)) for row in self.members(answers))
        return pl.Series(COLUMN, list(rows), dtype=pl.String)

    @property
    def note(self) -> str:
        """What was done, as a sentence."""
        asked = f"{100 * self.coverage:.4g} %"
        each = "a label that is there" if len(self.thresholds) > 1 else "the true label"
        said = (
            f"Each prediction has a set of labels that should hold {each} in {asked} of all cases, found by conformal "
            f"prediction on at least {self.count:,} validation examples. Their probabilities were calibrated on the "
            "other folds of validation, never on the fold of the example itself; validation also chose the epoch."
        )
        endless = sum(threshold == 0 for threshold in self.thresholds)
        if endless:
            whose = "No label is" if len(self.thresholds) == 1 else f"{endless:,} labels are never"
            said += f" {whose} ruled out: so few examples cannot say more."
        return said

    def to_state(self) -> dict[str, Any]:
        """Describe what was learned in JSON."""
        return {"coverage": self.coverage, "thresholds": list(self.thresholds), "count": self.count}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read what :meth:`to_state` wrote.

        Raises
        ------
        BundleError
            If it is something else.
        """
        try:
            return cls(float(state["coverage"]), tuple(map(float, state["thresholds"])), int(state["count"]))
        except (KeyError, TypeError, ValueError) as error:
            what = "the settings of the prediction sets cannot be read"
            raise BundleError(what, where="prediction_sets", got=str(error)) from error


def fit_sets(
    task: Task,
    method: str,
    outputs: Answers,
    truth: Truth,
    *,
    coverage: float,
    units: Integer[np.ndarray, "examples"],
    seed: int = 0,
) -> PredictionSets:
    """Learn sets from the examples that the calibration is also fitted to.

    Were the thresholds from probabilities that were calibrated on the very same examples, those would be a little
    better than new ones, and the sets too small. So each fold is calibrated by the others.

    Parameters
    ----------
    method
        Of calibration.
    outputs
        Of the network, before calibration.
    units
        What the split keeps together.

    Raises
    ------
    ConfigurationError
        If answers are no labels.
    """
    if not task.has_labels:
        what = "only labels have prediction sets"
        raise ConfigurationError(what, where="coverage", got=task.kind)
    folds = folds_of(task, truth, units, seed=seed)
    return PredictionSets.fit(task, cross_fitted(task, method, outputs, truth, folds), truth, coverage)


@final
@dataclass(frozen=True, slots=True)
class SetFigures:
    """What the sets hold on the test, and how large they are.

    Parameters
    ----------
    stated
        The share of true labels that their sets should hold.
    found
        The share that they hold.
    size
        The mean number of labels in a set.
    single, empty
        The shares of sets with one label, and with none.
    of_labels
        The share that is found of each label; NaN where the test has none.
    note
        What was done.
    """

    stated: float
    found: Interval
    size: Interval
    single: float
    empty: float
    of_labels: tuple[float, ...]
    note: str

    def to_state(self) -> dict[str, Any]:
        """Describe the figures in JSON, as ``metrics.json`` has them."""
        found = self.found.to_state()
        return {
            "method": "lac",
            "coverage_stated": self.stated,
            "coverage_found": found["value"],
            "coverage_found_low": found["low"],
            "coverage_found_high": found["high"],
            "mean_size": self.size.to_state()["value"],
            "single": self.single,
            "empty": self.empty,
        }


def set_figures(
    sets: PredictionSets, task: Task, truth: Truth, answers: Answers, units: Units, *, seed: int = 0
) -> SetFigures:
    """Count on the test how often sets hold the true label, and how many labels they hold."""
    held = sets.members(answers)
    there = (truth == 1) if task.is_multilabel else (truth[:, None] == np.arange(task.outputs))
    counts = np.stack([(held & there).sum(1), there.sum(1), held.sum(1), np.ones(len(held))], axis=1).astype(float)
    sums, whole = Draw(units, 1000, seed).sums(counts), counts.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_labels = (held & there).sum(axis=0) / there.sum(axis=0)
        found, size = (_ratio_interval(whole, sums, place) for place in (0, 2))
    single, empty = (float((held.sum(axis=1) == labels).mean()) for labels in (1, 0))
    return SetFigures(sets.coverage, found, size, single, empty, tuple(of_labels.tolist()), sets.note)


def _ratio_interval(whole: Float[np.ndarray, "4"], sums: Float[np.ndarray, "resamples 4"], place: int) -> Interval:
    value = float(whole[place] / whole[place + 1])
    return percentile_interval(value, sums[:, place] / sums[:, place + 1]) if len(sums) else Interval.undefined(value)


def _threshold(probabilities: Float[np.ndarray, "examples"], coverage: float) -> float:
    """Find the least probability of a label in a set, of the rank that the coverage asks for."""
    # A little less than the product, as 0.9 * 10 may come out above 9 in floating-point numbers.
    rank = math.ceil((len(probabilities) + 1) * coverage - 1e-9)
    if rank > len(probabilities):
        return 0.0
    return float(np.sort(probabilities)[len(probabilities) - rank])
