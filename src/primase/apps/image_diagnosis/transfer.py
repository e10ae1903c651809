"""Whether what validation promises holds on test: figures on both, and a cut that was chosen on the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
from jaxtyping import Float, Integer

from primase.apps.images.pictures import Pictures
from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.evaluation.intervals import Interval, Units
from primase.evaluation.metrics import evaluate
from primase.evaluation.operating import Aim, JudgedCut, OperatingPoint, choose_cut
from primase.evaluation.rates import rates_at

Answers = Float[np.ndarray, "examples labels"]


@final
@dataclass(frozen=True, slots=True)
class Transfer:
    """Figures on validation and on test, by name, and the cuts behind some of them.

    Parameters
    ----------
    aim
        What the cuts were chosen for.
    is_followed
        Whether predictions follow them.
    frequencies
        Per label the mean of its calibrated probabilities on validation, and the share of images there that have it.
    """

    figures: Mapping[str, tuple[Interval, Interval]]
    cuts: tuple[JudgedCut, ...] = ()
    aim: Aim = field(default_factory=Aim)
    is_followed: bool = False
    frequencies: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def to_figures(self) -> dict[str, dict[str, Interval]]:
        """Name everything as ``metrics.json`` has it."""
        named = {
            part: {name: both[place] for name, both in self.figures.items()}
            for place, part in enumerate(("validation", "test beside validation"))
        }
        for cut in self.cuts:
            chosen = {"cut": Interval.undefined(cut.cut)}
            named[f"operating point of {cut.label} on validation"] = {**chosen, **cut.validation}
            named[f"operating point of {cut.label} on test"] = {**chosen, **cut.test}
        return named


def compare_parts(
    task: Task,
    parts: tuple[Examples[Pictures], Examples[Pictures]],
    answers: tuple[Answers, Answers],
    operating: OperatingPoint | None = None,
) -> Transfer:
    """Measure validation and test in the same way, and choose a cut on the first alone.

    Parameters
    ----------
    parts
        Validation and test.
    answers
        Calibrated probabilities of both.
    operating
        Where the model draws the line; None where it predicts the most probable answer. The cuts that are looked at are
        then those with the largest sum of sensitivity and specificity, of each class against the others.
    """
    aim = Aim() if operating is None else operating.aim
    both = [evaluate(task, part.targets, own, units=units_of(part)) for part, own in zip(parts, answers, strict=True)]
    names = [task.metric(name) for name in ("auroc", "accuracy", "ece")]
    if task.kind == "multiclass":
        names = ["macro_auroc", "accuracy", "ece"]
    figures = {name: (both[0][name], both[1][name]) for name in names}
    cuts = tuple(_cuts(task, parts, answers, aim))
    if task.kind == "binary" and cuts:
        (cut,) = cuts
        figures |= {name: (cut.validation[name], cut.test[name]) for name in ("sensitivity", "specificity")}
    return Transfer(figures, cuts, aim, operating is not None, _frequencies(task, parts[0], answers[0]))


def _frequencies(task: Task, part: Examples[Pictures], answers: Answers) -> dict[str, tuple[float, float]]:
    """Compare what is said on average with how many images have each label, among those of which it is known."""
    found = {}
    for number, label in enumerate(task.labels):
        truth = _yes_or_no(task, part.targets, number)
        known = truth >= 0
        if known.any():
            found[label] = (float(answers[known, number].mean()), float((truth[known] > 0).mean()))
    return found


def _cuts(
    task: Task, parts: tuple[Examples[Pictures], Examples[Pictures]], answers: tuple[Answers, Answers], aim: Aim
) -> list[JudgedCut]:
    cuts = []
    for number in [1] if task.kind == "binary" else range(task.outputs):
        truth = [_yes_or_no(task, part.targets, number) for part in parts]
        if len(np.unique(truth[0][truth[0] >= 0])) < 2:
            continue  # Nothing can be chosen where validation has one kind only.
        cut = choose_cut(truth[0], answers[0][:, number], aim)
        rates = [
            rates_at(cut, own, answer[:, number], units=units_of(part))
            for own, answer, part in zip(truth, answers, parts, strict=True)
        ]
        cuts.append(JudgedCut(task.labels[number], cut, rates[0], rates[1]))
    return cuts


def _yes_or_no(
    task: Task, targets: Integer[np.ndarray, "examples *labels"], number: int
) -> Integer[np.ndarray, "examples"]:
    if task.is_multilabel:
        return targets[:, number]
    return np.where(targets < 0, -1, targets == number)


def units_of(part: Examples[Pictures]) -> Units:
    """Draw over what the split keeps together, such as patients; over images where nothing is known of such."""
    if part.groups:
        name, group = next(iter(part.groups.items()))
        return Units.of(group, name)
    return Units.examples(len(part))
