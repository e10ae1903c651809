"""What a report says of when not to believe a model: sets of labels, unfamiliar inputs, another prevalence."""

from __future__ import annotations

from typing import Final

import numpy as np

from primase.data.tasks import Task
from primase.evaluation.intervals import Interval
from primase.evaluation.prediction_sets import SetFigures
from primase.evaluation.prevalence import Prevalence
from primase.report.run import Remedy
from primase.report.sections import Block, Paragraph, Section, Table
from primase.report.wording import number_text

MOST_LABELS: Final = 40


def sets_remedy(task: Task, figures: SetFigures) -> Remedy:
    """Tell what the sets of labels hold on the test, and how large they are."""
    size = f"A set has {figures.size:.2f} of {task.outputs} labels on average."
    if figures.empty:
        size += (
            f" {figures.empty:.1%} are empty: even the most probable label is less probable there than true ones "
            "mostly are. A network that is right more often than was asked for must leave some empty."
        )
    rows = [["Coverage, stated", f"{figures.stated:.3f}"], ["Coverage, found on test", str(figures.found)]]
    rows.append(["Labels in a set", f"{figures.size:.2f}"])
    rows += [["Sets of one label", f"{figures.single:.3f}"], ["Empty sets", f"{figures.empty:.3f}"]]
    blocks: list[Block] = [
        Paragraph(f"{figures.note} On test they hold it in {figures.found:.1%}. {size}"),
        Table(["Prediction sets", "Value"], rows, "What the sets hold, each figure with its 95 % interval."),
    ]
    known = [(share, label) for label, share in zip(task.labels, figures.of_labels, strict=True) if not np.isnan(share)]
    if len(known) > 1:
        worst = sorted(known)[:MOST_LABELS]
        caption = "Coverage of each label on test, the least first: what is promised holds over all of them together."
        blocks.append(Table(["Label", "Coverage"], [[label, f"{share:.3f}"] for share, label in worst], caption))
    return Remedy("prediction_sets", figures.to_state(), [Section("Which labels cannot be ruled out?", blocks)])


def familiarity_remedy(beyond: Interval, *, threshold: float, kept: int) -> Remedy:
    """Tell which share of the test is unlike the training examples.

    Parameters
    ----------
    beyond
        The share of the test whose rank is at least the threshold.
    kept
        How many training examples are kept.
    """
    usual = 1 - threshold
    more = beyond.excludes(usual) and beyond.value > usual
    verdict = (
        "The test has more of them than chance would give: it is unlike what the network learned from."
        if more
        else "The test is about as familiar to the network as validation is."
    )
    text = (
        f"What the network computes before its last layer is compared with that of {number_text(kept)} training "
        f"examples (the distance to the tenth nearest; Sun and others, 2022). {beyond:.1%} of the test lie farther "
        f"away than {threshold:.0%} of validation; {usual:.0%} would be usual. {verdict} The option --flag-unlike of "
        "predict gives every new input its rank: near 1, the answer rests on nothing that the network has seen."
    )
    state = {"threshold": threshold, "share_of_test": beyond.to_state(), "kept": kept}
    return Remedy("unlike_training", state, [Section("Is an input like those it was trained on?", [Paragraph(text)])])


def prevalence_remedy(prevalence: Prevalence) -> Remedy:
    """Tell that predictions are corrected for a prevalence."""
    section = Section("For which prevalence are its probabilities?", [Paragraph(prevalence.note)])
    return Remedy("prevalence", prevalence.to_state(), [section])
