"""What image diagnosis shows: whether what was chosen on validation holds on test, and where the network looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float, Int

from primase.apps.image_diagnosis.explaining import Heatmaps, heatmaps
from primase.apps.image_diagnosis.transfer import Transfer
from primase.apps.images.pictures import Pictures
from primase.data.examples import Examples, evenly_spread
from primase.data.tasks import Task
from primase.evaluation.metrics import metric_title
from primase.evaluation.rates import differ
from primase.events import Listener, silent
from primase.predictor.predictor import Predictor
from primase.report.checks import self_check
from primase.report.figures.overlay import overlaid
from primase.report.figures.paired import PairedScore, paired
from primase.report.remedies import cuts_table
from primase.report.sections import Block, Callout, Paragraph, PictureGrid, PictureRow, Section, Table

MOST_COMPARED: Final = 200
"""With so many test images those that are shown are compared at most."""

NO_FREQUENCY: Final = 0.05
"""By so much the mean of probabilities may differ from how many images have a label."""

SHOWN: Final = 4
"""So many images of each kind are shown in the report of a training run."""

MOST_EXPLAINED: Final = 24
"""So many are shown on the page of explanations; the table and the folder have all."""

_WORDS: Final[Mapping[str, str]] = {
    "grad-cam": "Grad-CAM: gradients at the maps of features, brought to the size of the image",
    "occlusion": "occlusion: how far the log-odds fall when a piece is replaced by that of another image",
    "integrated-gradients": "integrated gradients: the share of each pixel in the difference of the log-odds",
}
_AGAINST: Final = (
    "Each image is compared with those of the others that look most like it and of which the network does not say the "
    "same: what both have is no reason for the answer."
)
_FOUND: Final = (
    "On simulated radiographs the brightest point lay in the planted opacity, which takes 9 % of the image: with "
    "integrated gradients in 77 of 77 (frozen features) and 29 of 30 (a small network from scratch), with Grad-CAM in "
    "69 of 77 and 60 of 60. Real diseases are less plain."
)
_COLOURS: Final = "Vermilion speaks for the diagnosis that is named, blue against it."


def transfer_section(transfer: Transfer) -> Section:
    """Show figures on validation beside those on test, and say plainly where they differ."""
    lost = [name for name, (first, second) in transfer.figures.items() if differ(first, second)]
    rows = [
        [_title(name), str(first), str(second), "no" if name in lost else "yes"]
        for name, (first, second) in transfer.figures.items()
    ]
    table = Table(
        ["Figure", "Validation", "Test", "Holds"],
        rows,
        "What validation promised, and what the test shows, each with its 95 % interval.",
        "A figure does not hold where the difference of validation and test is beyond their intervals. Probabilities "
        "are calibrated on validation, so that their error there is a little too good.",
        [number for number, row in enumerate(rows) if row[3] == "no"],
    )
    scores = [
        PairedScore(_title(name), *both, kind="network" if name in lost else "baseline")
        for name, both in transfer.figures.items()
        if not name.endswith(("ece", "brier"))
    ]
    caption = (
        "Figures on validation and on test, with 95 % intervals as pale bars. In bold: what does not hold. The cut of "
        "sensitivity and specificity was chosen on validation."
    )
    figure = paired(scores, names=("validation", "test"), metric="value", chance=None, caption=caption)
    # What predictions follow is shown in a section of its own.
    cuts = [] if transfer.is_followed else cuts_table(transfer.aim, transfer.cuts, is_followed=False)
    blocks = [_verdict(lost, transfer), *_frequencies(transfer), *cuts, table, figure]
    return Section("Does it hold on test?", blocks)


def _frequencies(transfer: Transfer) -> list[Block]:
    """Say where probabilities are no frequencies, which an error of calibration by confidence may not show."""
    off = {name: both for name, both in transfer.frequencies.items() if abs(both[0] - both[1]) > NO_FREQUENCY}
    if not off:
        return []
    listed = "; ".join(f"{name}: {said:.2f} on average, {share:.0%} have it" for name, (said, share) in off.items())
    text = (
        f"Already on validation what is said is not how often it is so ({listed}). Where classes count the same in "
        "training, however rare (--balance), probabilities are those of a world in which all are equally frequent: "
        "right for a cut at 0.5, wrong as frequencies. Train with --no-balance for those of your data."
    )
    return [Callout("warning", "Probabilities are not frequencies", text)]


def _title(name: str) -> str:
    return metric_title(name)


def _verdict(lost: Sequence[str], transfer: Transfer) -> Callout:
    if not lost:
        text = (
            "No figure on test is beyond doubt another than on validation. A cut chosen on validation can be used on "
            "images that come from where the test images come from."
        )
        return Callout("good", "What was chosen on validation holds on test", text)
    listed = "; ".join(
        f"{_title(name)} {transfer.figures[name][0].value:.3f} on validation, {transfer.figures[name][1].value:.3f} on "
        "test"
        for name in lost
    )
    text = (
        f"Test images differ from those of training and validation: {listed}. A cut or a temperature that was chosen "
        "on validation promises more than it keeps. Expect the same again where images come from elsewhere, and choose "
        "the cut anew on images from there."
    )
    return Callout("warning", "What was chosen on validation does not hold on test", text)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """Test images of one kind, such as those of which the network is most sure and wrong."""

    title: str
    rows: Int[np.ndarray, "shown"]


def pictures_section(
    predictor: Predictor[Pictures],
    test: Examples[Pictures],
    answers: Float[np.ndarray, "examples labels"],
    listener: Listener = silent,
) -> Section | None:
    """Show what the network is sure of, rightly and wrongly, and what it cannot tell, with where it looks.

    In a multilabel task the label with the highest probability speaks for an image.
    """
    kinds = [kind for kind in _kinds(predictor.task, test.targets, answers) if len(kind.rows)]
    if not kinds:
        return None
    every = np.concatenate([kind.rows for kind in kinds])
    said = answers[every].argmax(axis=1)
    others = test.inputs.take(evenly_spread(len(test), MOST_COMPARED))
    found = heatmaps(predictor, test.inputs.take(every), said, others=others, check=False, listener=listener)
    names, rows, start = predictor.task.labels, [], 0
    for kind in kinds:
        pictures, notes = [], []
        for place, row in enumerate(kind.rows.tolist(), start=start):
            pictures += [found.pixels(place), overlaid(found.pixels(place), found.heat[place])]
            answer = f"said {names[said[place]]} {answers[row, said[place]]:.2f}"
            notes += [str(test.ids[row]), f"{_truth(predictor.task, test.targets[row])}; {answer}"]
        rows.append(PictureRow(kind.title, pictures, notes))
        start += len(kind.rows)
    caption = f"Test images as the network reads them, and where it looks ({_WORDS[found.method]}). {_COLOURS}"
    alternative = "; ".join(f"{row.label}: {', '.join(row.notes[1::2])}" for row in rows)
    text = (
        "A map shows where the answer comes from, not whether the place is the right one for it: look whether it lies "
        "on what a reader of such images would look at, or on a border, a label or a device. " + _AGAINST
    )
    return Section("Where it looks", [Paragraph(text), PictureGrid([], rows, caption, alternative)])


def _truth(task: Task, target: object) -> str:
    if task.is_multilabel:
        own = [name for name, value in zip(task.labels, np.asarray(target).tolist(), strict=True) if value > 0]
        return "is " + (", ".join(own) or "nothing asked")
    number = int(np.asarray(target))
    return f"is {task.labels[number]}" if number >= 0 else "unknown"


def _kinds(
    task: Task, targets: Int[np.ndarray, "examples *labels"], answers: Float[np.ndarray, "examples labels"]
) -> list[_Kind]:
    said = answers.argmax(axis=1)
    sure = answers.max(axis=1)
    if task.is_multilabel:
        truth = np.take_along_axis(targets, said[:, None], axis=1)[:, 0]
        right, known, doubt = truth > 0, truth >= 0, np.abs(sure - 0.5)
    else:
        right, known, doubt = said == targets, targets >= 0, sure
    by_sureness = np.argsort(-sure, kind="stable")
    surest_right = by_sureness[(right & known)[by_sureness]]
    return [
        _Kind("Surest and right", _of_each(said, surest_right)),
        _Kind("Surest and wrong", by_sureness[(~right & known)[by_sureness]][:SHOWN]),
        _Kind("Least sure", np.argsort(doubt, kind="stable")[:SHOWN]),
    ]


def _of_each(said: Int[np.ndarray, "examples"], rows: Int[np.ndarray, "ordered"]) -> Int[np.ndarray, "shown"]:
    """Take turns between the labels, so that not all that is shown has the same one."""
    turn: dict[int, int] = {}
    order = []
    for place, row in enumerate(rows.tolist()):
        label = int(said[row])
        turn[label] = turn.get(label, 0) + 1
        order.append((turn[label], place, row))
    return np.array([row for _, _, row in sorted(order)[:SHOWN]], dtype=np.int64)


def explanation_section(
    found: Heatmaps, ids: Sequence[str], labels: Sequence[str], answers: Float[np.ndarray, "images labels"]
) -> list[Section]:
    """Show the first images with what speaks for the label that is predicted."""
    rows = []
    for place, name in enumerate(list(ids)[:MOST_EXPLAINED]):
        label = int(found.labels[place])
        pictures = [found.pixels(place), overlaid(found.pixels(place), found.heat[place])]
        rows.append(PictureRow(name, pictures, ["as read", f"{labels[label]} {answers[place, label]:.2f}"]))
    rest = len(ids) - len(rows)
    text = f"By {_WORDS[found.method]}. {_COLOURS} {_AGAINST}"
    if found.alone:
        text += (
            f" {found.alone:,} of {len(ids):,} had no other to be compared with, but themselves, blurred, which finds "
            "less: explain them together with images that have another diagnosis."
        )
    if rest > 0:
        text += f" {rest:,} more images are in the folder overlays and in attributions.parquet."
    caption = "Each image as the network reads it, and with what speaks for the label that it predicts."
    alternative = "; ".join(f"{row.label}: {row.notes[1]}" for row in rows) or "No image."
    grid = PictureGrid(["Image", "What speaks for it"], rows, caption, alternative)
    blocks: list[Block] = [Paragraph(text), grid, Paragraph(_FOUND)]
    if found.check is not None:
        second = "integrated gradients" if found.method == "occlusion" else "occlusion"
        blocks.append(self_check(found.check, found.method.replace("-", " "), second, part="cell"))
    return [Section("Image by image", blocks)]
