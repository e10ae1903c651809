"""What each kind of network in an ensemble reaches by itself, beside all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from primase.apps.image_diagnosis.configuration import Recipe
from primase.apps.image_diagnosis.transfer import units_of
from primase.apps.images.pictures import Pictures
from primase.data.examples import Examples
from primase.evaluation.intervals import Interval
from primase.evaluation.metrics import evaluate, metric_title
from primase.evaluation.per_label import uncalibrated
from primase.predictor.predictor import Predictor
from primase.report.sections import Paragraph, Section, Table

SHOWN: Final = ("auroc", "accuracy", "auprc", "brier")
WORDS: Final[Mapping[Recipe, str]] = {
    "frozen": "linear layer on a frozen network",
    "fine-tune": "network with its last blocks fine-tuned",
    "scratch": "small network from scratch",
}


def figures_of_kinds(
    predictor: Predictor[Pictures], recipes: Sequence[Recipe], test: Examples[Pictures]
) -> dict[str, dict[str, Interval]]:
    """Measure each kind of network by itself on the test, before calibration; nothing where there is one kind only.

    Parameters
    ----------
    recipes
        In the order of the members, of which each kind has as many as the others.
    """
    if len(recipes) < 2:
        return {}
    of_each = len(predictor.members) // len(recipes)
    found = {}
    for place, recipe in enumerate(recipes):
        members = predictor.members[place * of_each : (place + 1) * of_each]
        alone = replace(predictor, members=members, calibrator=uncalibrated(predictor.task))
        found[recipe] = evaluate(predictor.task, test.targets, alone.answers(test.inputs), units=units_of(test))
    return {f"{recipe} alone": figures for recipe, figures in found.items()}


def kinds_section(
    figures: Mapping[str, Mapping[str, Interval]], recipes: Sequence[Recipe], predictor: Predictor[Pictures]
) -> list[Section]:
    """Lay the kinds of network beside each other; nothing where there is one kind only."""
    if not figures:
        return []
    task = predictor.task
    known = next(iter(figures.values()))
    names = [name for name in map(task.metric, SHOWN) if name in known]
    names = names if task.kind != "multiclass" else ["macro_auroc", *names]
    rows = [
        [WORDS[recipe], *(str(own[name]) for name in names)]
        for recipe, own in zip(recipes, figures.values(), strict=True)
    ]
    text = "The model averages the probabilities of networks of several kinds. This is what each reaches by itself."
    table = Table(
        ["Network", *(metric_title(name) for name in names)],
        rows,
        "Each kind of network by itself on the test, before calibration, with its 95 % interval.",
        "The figures of all together stand at the beginning.",
    )
    return [Section("The networks one by one", [Paragraph(text), table])]
