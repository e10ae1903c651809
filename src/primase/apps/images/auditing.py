"""What would leak and what is odd in images: copies and groups on both sides, giveaways, masks, blank images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64, Integer, Shaped
from scipy.stats import rankdata
from scipy.stats.contingency import association, crosstab

from primase.apps.images.copies import have_copies
from primase.apps.images.measuring import measure, measured
from primase.apps.images.nuisances import edges, formats, intensities, numbers_of, sizes
from primase.apps.images.pictures import Pictures
from primase.apps.images.summaries import Summaries
from primase.data.audit import Finding, Kinship, audit_groups
from primase.data.examples import Examples, Indices, evenly_spread
from primase.data.splits import Partition
from primase.data.tasks import Task
from primase.events import Listener, silent

MOST_TESTED: Final = 4000
MOST_TRAINED: Final = 60_000
"""So many images are compared at most; where there are more, that is said."""

FEW_VALUES: Final = 8
"""An image of no more different values is a mask or a drawing."""
WIDE_BORDER: Final = 0.03
GIVEN_AWAY: Final[Mapping[str, float]] = {"file": 0.8, "edge": 0.9, "intensity": 0.95}
"""From which AUROC on a nuisance tells a class: brightness may belong to what is asked, the size of a file cannot."""
_GIVING: Final[Mapping[str, str]] = {
    "file": "file properties that give",
    "edge": "borders or corners that give",
    "intensity": "brightness that gives",
}
CONFOUNDED: Final = 0.5
BESIDE: Final = "What is tested on them is memory; figures without them stand beside."
_MOST_LABELS: Final = 60
_FEWEST: Final = 10
_SHOWN: Final = 5

Members = Bool[np.ndarray, "images"]


def audit_images(
    examples: Examples[Pictures], task: Task, partition: Partition | None, listener: Listener = silent
) -> list[Finding]:
    """Look for what both applications find odd; what needs a split is left out without one.

    Giveaways are looked for among the training images only, where there is a split. What :func:`kinship` tells of the
    same images is not told again.
    """
    summaries = measured(examples.inputs, listener)
    findings = [*blank(summaries), *masks(summaries, examples.ids), *bordered(summaries)]
    train = np.arange(len(examples)) if partition is None else partition.train
    if partition is not None:
        groups = audit_groups(examples, partition, what="image")
        findings += [found for found in (*groups, *_not_copied(summaries, partition)) if not found.count]
    if examples.targets.size and not task.is_value:
        findings += giveaways(examples.take(train), summaries.take(train), task)
    return findings


def blank(summaries: Summaries) -> Iterator[Finding]:
    """Count the images of one value."""
    count = int((summaries.distinct == 1).sum())
    if count:
        text = f"{count:,} images are of one value all over: nothing can be seen on them. Leave them out."
        yield Finding("blank images", count, "warning", text)


def masks(summaries: Summaries, ids: Shaped[np.ndarray, "images"]) -> Iterator[Finding]:
    """Count the images with so few values that they are masks rather than images."""
    found = np.flatnonzero((summaries.distinct > 1) & (summaries.distinct <= FEW_VALUES))
    if len(found):
        shown = ", ".join(str(name) for name in ids[found[:_SHOWN]].tolist()) + (", …" if len(found) > _SHOWN else "")
        text = (
            f"{len(found):,} images have {FEW_VALUES} different values or fewer, as masks and drawings have: {shown}. "
            "A mask that lies among images is learned from, and tells what a person has drawn."
        )
        yield Finding("masks among the images", len(found), "warning", text)


def bordered(summaries: Summaries) -> Iterator[Finding]:
    """Count the images with borders of one value."""
    sides = np.stack([measure(summaries, f"border_{side}") for side in ("top", "bottom", "left", "right")])
    wide = (sides.max(axis=0) >= WIDE_BORDER) & (summaries.distinct > 1)
    count = int(wide.sum())
    if count:
        text = (
            f"{count:,} of {len(wide):,} images have a border of one value on some side, of {WIDE_BORDER:.0%} of it or "
            "more. Crop it away if it belongs to the machine or to the program that saved them."
        )
        yield Finding("borders of one value", count, "info", text)


def copied_from_train(summaries: Summaries, partition: Partition) -> tuple[Indices, Members, int]:
    """Find the test images that are copies of train images to the eye, or in every pixel.

    Returns
    -------
    The positions within test that were compared, whether each is a copy, and with how many of train.
    """
    compared = evenly_spread(len(partition.test), MOST_TESTED)
    tested = partition.test[compared]
    trained = partition.train[evenly_spread(len(partition.train), MOST_TRAINED)]
    found = have_copies(summaries.thumbnails[tested], summaries.thumbnails[trained])
    return compared, found, len(trained)


def _not_copied(summaries: Summaries, partition: Partition) -> Iterator[Finding]:
    """Say that no test image is a copy; of those that are, kinship tells."""
    compared, found, trained = copied_from_train(summaries, partition)
    count = int(found.sum())
    yield Finding("copies across the split", count, "info", _about_copies(count, len(compared), trained, partition))


def _about_copies(count: int, compared: int, trained: int, partition: Partition) -> str:
    text = (
        f"{count:,} of {compared:,} test images look like a copy of an image in train: the same to the eye, "
        "if saved again, rescaled, brightened, mirrored or turned."
    )
    if compared < len(partition.test) or trained < len(partition.train):
        text += f" {compared:,} of {len(partition.test):,} were compared with {trained:,} of train."
    return text


def kinship(examples: Examples[Pictures], partition: Partition, listener: Listener = silent) -> Kinship | None:
    """Find the test images that share a group with one in train, or are copies of one; None without any.

    Above 4,000 test images copies are looked for among that many, and the finding says so.
    """
    related = np.zeros(len(partition.test), dtype=np.bool_)
    texts, reasons = [], []
    for name, group in examples.groups.items():
        shared = np.isin(group[partition.test], group[partition.train])
        related |= shared
        if shared.any():
            reasons.append(name)
            texts.append(
                f"{int(shared.sum()):,} of {len(related):,} test images share their {name} with one in train. --split "
                f"group keeps every {name} together."
            )
    compared, found, trained = copied_from_train(measured(examples.inputs, listener), partition)
    related[compared] |= found
    if found.any():
        reasons.append("picture")
        texts.append(_about_copies(int(found.sum()), len(compared), trained, partition))
    count = int(related.sum())
    if not count:
        return None
    if len(reasons) > 1:
        texts.append(f"One or the other is true of {count:,}.")
    texts.append(BESIDE)
    relation = f"sharing a {' or '.join(reasons)} with train"
    return Kinship(related, Finding("kin of train", count, "warning", " ".join(texts)), relation)


def giveaways(examples: Examples[Pictures], summaries: Summaries, task: Task) -> Iterator[Finding]:
    """Find nuisances of which one alone tells a class: size, format, borders, corners, brightness, other columns."""
    labels = [*_label_members(examples.targets, task)]
    kinds = {
        "file": {**sizes(examples.inputs), **formats(examples.inputs)},
        "edge": edges(summaries),
        "intensity": intensities(summaries),
    }
    texts = {
        "file": "The network can tell the classes by how their files were made; bring all to one size and format that "
        "does not depend on the class, or split by source.",
        "edge": "The network can tell the classes by borders, or by text burnt into corners; crop them away.",
        "intensity": "Brightness may belong to what is asked, or to how each class was taken: look at the images.",
    }
    for kind, columns in kinds.items():
        told = sorted(_telling(columns, labels, GIVEN_AWAY[kind]), reverse=True)
        if told:
            shown = "; ".join(f"{name} tells {label} (AUROC {area:.2f})" for area, name, label in told[:_SHOWN])
            yield Finding(f"{_GIVING[kind]} a class away", len(told), "warning", f"{shown}. {texts[kind]}")
    yield from _telling_columns(examples, labels)


def _label_members(
    targets: Integer[np.ndarray, "images *labels"], task: Task
) -> Iterator[tuple[str, Members, Members]]:
    """List for each label which images are known, and which have it; of two classes the second tells both."""
    numbers = range(1, 2) if task.kind == "binary" else range(min(len(task.labels), _MOST_LABELS))
    for number in numbers:
        column = targets[:, number] if task.is_multilabel else targets
        known = column >= 0
        has = column == 1 if task.is_multilabel else column == number
        if min((known & has).sum(), (known & ~has).sum()) >= _FEWEST:
            yield task.labels[number], known, has


def _telling(
    columns: Mapping[str, Float64[np.ndarray, "images"]], labels: Sequence[tuple[str, Members, Members]], least: float
) -> Iterator[tuple[float, str, str]]:
    for name, values in columns.items():
        if np.ptp(values) == 0:
            continue
        for label, known, has in labels:
            area = area_under_curve(values[known], has[known])
            if max(area, 1 - area) >= least:
                yield max(area, 1 - area), name, label


def area_under_curve(values: Float64[np.ndarray, "images"], positive: Members) -> float:
    """Compute how well one number tells positives from negatives: AUROC by ranks (Mann and Whitney 1947)."""
    count = int(positive.sum())
    ranks = rankdata(values)[positive].sum()
    return float((ranks - count * (count + 1) / 2) / (count * (len(values) - count)))


def _telling_columns(examples: Examples[Pictures], labels: Sequence[tuple[str, Members, Members]]) -> Iterator[Finding]:
    for name, column in examples.covariates.items():
        words = column.astype(str)
        for label, known, has in labels:
            there = known & (words != "")
            strength = _strength(words[there], has[there])
            if strength >= CONFOUNDED:
                text = (
                    f"{name} tells {label} (by itself with a strength of {strength:.2f}, where 1 is without fail): "
                    f"what is learned of {label} may be {name}. Balance them, or keep every {name} together with "
                    f"--group-column {name}."
                )
                yield Finding(f"{label} confounded with {name}", int(there.sum()), "warning", text)


def _strength(words: Shaped[np.ndarray, "images"], has: Members) -> float:
    """Measure from 0 to 1 how well a column tells a label: by ranks if it holds numbers, else Cramér's V."""
    if not len(words) or has.all() or not has.any():
        return 0.0
    numbers = numbers_of(words)
    if numbers is not None and len(np.unique(words)) > 2:
        return abs(2 * area_under_curve(numbers, has) - 1)
    levels = len(np.unique(words))
    if not 2 <= levels <= len(words) / 5:
        return 0.0
    return float(association(crosstab(words, has).count, method="cramer"))
