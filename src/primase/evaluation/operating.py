"""Where to draw the line: a cut chosen on validation, what it does on test, and whether it holds there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, Self, final

import numpy as np
from jaxtyping import Float, Integer

from primase.data.tasks import YES_OR_NO_KINDS, Task
from primase.errors import BundleError, ConfigurationError, InputError
from primase.evaluation.intervals import Interval, Units
from primase.evaluation.rates import RATES, differ, rates_at

Criterion = Literal["youden", "f1", "sensitivity", "specificity", "cost"]
Targets = Integer[np.ndarray, "examples"]
Probabilities = Float[np.ndarray, "examples"]
AnyTargets = Integer[np.ndarray, "examples *labels"]
Answers = Float[np.ndarray, "examples labels"]
Rates = Mapping[str, Interval]

_NOTHING: Final[Rates] = MappingProxyType(dict.fromkeys(RATES, Interval.undefined()))


@final
@dataclass(frozen=True, slots=True)
class Aim:
    """What a cut is chosen for.

    Parameters
    ----------
    criterion
        ``"sensitivity"``: the highest cut that finds at least the share ``least`` of the positives. ``"specificity"``:
        the lowest that leaves at least that share of the negatives alone. ``"youden"``: the largest sum of the two
        (Youden 1950). ``"f1"``: the largest harmonic mean of sensitivity and precision. ``"cost"``: the least cost,
        where a missed positive costs ``ratio`` times a false alarm.
    least
        From 0 to 1; without meaning but for a sensitivity and a specificity.
    ratio
        Above 0; without meaning but for costs.
    """

    criterion: Criterion = "youden"
    least: float = 0.95
    ratio: float = 1.0

    @classmethod
    def asked(cls, settings: Mapping[str, Any]) -> Self | None:
        """Read from settings what a cut is to be chosen for; None where there is to be none."""
        criterion = settings.get("operating_point", "none")
        return None if criterion == "none" else cls(criterion, settings["operating_rate"], settings["cost_ratio"])

    def __str__(self) -> str:
        if self.criterion == "youden":
            return "the largest sum of sensitivity and specificity"
        if self.criterion == "f1":
            return "the largest F1"
        if self.criterion == "cost":
            return f"the least cost, where a missed positive costs {self.ratio:g} times a false alarm"
        return f"a {self.criterion} of at least {self.least:g}"


def choose_cut(targets: Targets, probabilities: Probabilities, aim: Aim) -> float:
    """Choose from which probability on an example is called positive.

    A cut lies half-way between two neighbouring probabilities, so that what is a little different on either side is
    still told apart as it was.

    Parameters
    ----------
    targets
        1 for positives, 0 for negatives; below zero where not known.
    probabilities
        Of the positive label, of examples that the network was not trained on.

    Raises
    ------
    InputError
        If there are no positives, or no negatives.

    Examples
    --------
    >>> choose_cut(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.6, 0.9]), Aim())
    0.5
    """
    known = targets >= 0
    truth, scores = targets[known] == 1, probabilities[known]
    if truth.all() or not truth.any():
        what = "a cut cannot be chosen where all known examples of validation have the same answer"
        got = f"{int(truth.sum()):,} positives of {len(truth):,}"
        raise InputError(what, where="--operating-point", got=got, wanted="some of both")
    cuts = _cuts(scores)
    # How many of each kind lie at or above each cut.
    found = _above(np.sort(scores[truth]), cuts) / truth.sum()
    # Counted before it is divided, so that 95 of 100 are 0.95, and not a last digit less.
    spared = ((~truth).sum() - _above(np.sort(scores[~truth]), cuts)) / (~truth).sum()
    if aim.criterion == "sensitivity":
        return float(cuts[np.flatnonzero(found >= aim.least)[-1]])
    if aim.criterion == "specificity":
        return float(cuts[np.flatnonzero(spared >= aim.least)[0]])
    merit = _merit(aim, found, spared, share=float(truth.mean()))
    best = np.flatnonzero(merit >= merit.max() - 1e-12)
    # Among equals the middle one, which is furthest from what would change it.
    return float(cuts[best[len(best) // 2]])


def _merit(
    aim: Aim, found: Float[np.ndarray, "cuts"], spared: Float[np.ndarray, "cuts"], *, share: float
) -> Float[np.ndarray, "cuts"]:
    """Measure how good each cut is, by the sensitivity and the specificity that it has; more is better.

    Parameters
    ----------
    share
        Of positives.
    """
    if aim.criterion == "cost":
        return np.asarray(-aim.ratio * share * (1 - found) - (1 - share) * (1 - spared))
    if aim.criterion == "f1":
        # F1 is 2 TP / (positives + called).
        return np.asarray(2 * share * found / (share + share * found + (1 - share) * (1 - spared)))
    return np.asarray(found + spared)


def _cuts(scores: Probabilities) -> Float[np.ndarray, "cuts"]:
    """List every cut that tells the examples apart in another way, from one that lets all in to one that lets none."""
    distinct = np.unique(scores)
    return np.concatenate([[0.0], (distinct[1:] + distinct[:-1]) / 2, [np.nextafter(max(distinct[-1], 1.0), 2.0)]])


def _above(ascending: Probabilities, cuts: Float[np.ndarray, "cuts"]) -> Integer[np.ndarray, "cuts"]:
    return len(ascending) - np.searchsorted(ascending, cuts, side="left")


@final
@dataclass(frozen=True, slots=True)
class JudgedCut:
    """A cut for one label against the rest, and what it does.

    Parameters
    ----------
    label
        What is positive.
    cut
        From which calibrated probability on an example is called positive.
    validation, test
        Sensitivity, specificity, accuracy and F1 where it was chosen, and where it is judged.
    """

    label: str
    cut: float
    validation: Rates
    test: Rates

    @property
    def lost(self) -> list[str]:
        """Name the rates that are beyond doubt worse or better than where the cut was chosen."""
        return [name for name in ("sensitivity", "specificity") if differ(self.validation[name], self.test[name])]

    @property
    def tells_nothing_apart(self) -> bool:
        """Whether all validation examples lie above it, or all below."""
        rates = {self.validation[name].value for name in ("sensitivity", "specificity")}
        return rates == {0.0, 1.0}

    def to_state(self) -> dict[str, Any]:
        """Describe the cut and the rates in JSON."""
        parts = {"validation": self.validation, "test": self.test}
        rates = {part: {name: rate.to_state() for name, rate in own.items()} for part, own in parts.items()}
        return {"cut": self.cut, **rates}


@final
@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Where a model draws the line: one cut for the second of two labels, or one for each label of several.

    Parameters
    ----------
    aim
        What the cuts were chosen for, on validation.
    labels
        What is positive.
    cuts
        From which calibrated probability on; one half for a label of which validation has one answer only.
    validation
        What each does there.
    """

    aim: Aim
    labels: tuple[str, ...]
    cuts: tuple[float, ...]
    validation: tuple[Rates, ...]

    def judged(
        self, task: Task, targets: AnyTargets, answers: Answers, units: Units | None = None
    ) -> tuple[JudgedCut, ...]:
        """Measure what each cut does on other examples; a label of which no answer is known is left out.

        Parameters
        ----------
        answers
            Calibrated probabilities.
        """
        found = []
        for place, (truth, own) in enumerate(questions(task, targets, answers)):
            if np.any(truth >= 0):
                rates = rates_at(self.cuts[place], truth, own, units=units)
                found.append(JudgedCut(self.labels[place], self.cuts[place], self.validation[place], rates))
        return tuple(found)

    def to_state(self) -> dict[str, Any]:
        """Describe the cuts in JSON."""
        aim = {"criterion": self.aim.criterion, "least": self.aim.least, "ratio": self.aim.ratio}
        rates = [{name: rate.to_state() for name, rate in own.items()} for own in self.validation]
        return {"aim": aim, "labels": list(self.labels), "cuts": list(self.cuts), "validation": rates}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_state` wrote.

        Raises
        ------
        BundleError
            If it is something else.
        """
        try:
            rates = [{name: Interval.from_state(rate) for name, rate in own.items()} for own in state["validation"]]
            return cls(Aim(**state["aim"]), tuple(state["labels"]), tuple(state["cuts"]), tuple(rates))
        except (KeyError, TypeError, AttributeError) as error:
            what = "the operating point of this model cannot be read"
            raise BundleError(what, where="operating_point", got=repr(error)) from None


def choose_operating_point(
    task: Task, targets: AnyTargets, answers: Answers, aim: Aim, units: Units | None = None
) -> OperatingPoint:
    """Choose on validation from which probability on each label is predicted.

    Parameters
    ----------
    answers
        Calibrated probabilities of the validation examples.

    Raises
    ------
    ConfigurationError
        If there is no line to draw: several labels of which one is right, or answers that are no labels.
    InputError
        If validation has one answer only.
    """
    refuse_no_line(task, targets, aim)
    labels = task.labels if task.is_multilabel else task.labels[1:]
    cuts, rates = [], []
    for truth, own in questions(task, targets, answers):
        undecided = task.is_multilabel and len(np.unique(truth[truth >= 0])) < 2
        cuts.append(0.5 if undecided else choose_cut(truth, own, aim))
        rates.append(rates_at(cuts[-1], truth, own, units=units) if np.any(truth >= 0) else _NOTHING)
    return OperatingPoint(aim, labels, tuple(cuts), tuple(rates))


def refuse_no_line(task: Task, targets: AnyTargets, aim: Aim) -> None:
    """Refuse to choose a cut where none can be, which is better known before a network was trained for hours.

    Parameters
    ----------
    targets
        Of validation.

    Raises
    ------
    ConfigurationError
        If there is no line to draw: several labels of which one is right, or answers that are no labels.
    InputError
        If it is a task of two labels, and validation has one answer only.
    """
    if task.kind not in YES_OR_NO_KINDS:
        what = f"a cut is drawn between yes and no, and this task is {task.kind}"
        raise ConfigurationError(what, where="--operating-point", got=aim.criterion, wanted="none")
    if not task.is_multilabel:
        choose_cut(targets, np.zeros(len(targets)), aim)


def questions(task: Task, targets: AnyTargets, answers: Answers) -> list[tuple[Targets, Probabilities]]:
    """Take a task apart into its yes-or-no questions: the truth and the probability of yes of each."""
    if not task.is_multilabel:
        return [(targets, answers[:, 1])]
    return [(targets[:, place], answers[:, place]) for place in range(task.outputs)]
