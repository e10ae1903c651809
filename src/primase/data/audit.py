"""What would leak and what is odd, found before any training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Shaped

from primase.data.examples import Examples, InputsT, are_known
from primase.data.splits import PARTS, Partition
from primase.data.tasks import Task
from primase.events import Severity

TWINS: Final = "twins across the split"
FEWEST_EXAMPLES: Final = 10
"""On fewer examples in validation or test nothing can be judged."""

Fingerprints = Shaped[np.ndarray, "examples"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the audit found.

    Parameters
    ----------
    finding
        A short name that stays the same, such as ``"twins across the split"``.
    count
        How many examples it concerns.
    text
        What it means, in one or two plain sentences.
    """

    finding: str
    count: int
    severity: Severity
    text: str

    def to_state(self) -> dict[str, object]:
        """Describe the finding in JSON."""
        return {"finding": self.finding, "count": self.count, "severity": self.severity, "text": self.text}


@dataclass(frozen=True, slots=True, eq=False)
class Kinship:
    """Test examples that are related to one in train without being identical, such as windows that overlap.

    Parameters
    ----------
    related
        Per test example.
    finding
        What that means.
    relation
        As it names a part of the test, such as ``"overlapping a training window"``.
    """

    related: Bool[np.ndarray, "tested"]
    finding: Finding
    relation: str

    @property
    def subsets(self) -> dict[str, Bool[np.ndarray, "tested"]]:
        """The related ones and the clean rest, by name."""
        return {self.relation: self.related, self.rest: ~self.related}

    @property
    def rest(self) -> str:
        """Name the clean rest."""
        return f"not {self.relation}"


def has_twin(fingerprints: Fingerprints, partition: Partition) -> Bool[np.ndarray, "tested"]:
    """Tell for every test example whether an identical input is in train; an empty one is identical to none."""
    tested = fingerprints[partition.test].astype(str)
    return np.asarray((tested != "") & np.isin(tested, fingerprints[partition.train].astype(str)))


def audit_examples(examples: Examples[InputsT], task: Task, fingerprints: Fingerprints, *, what: str) -> list[Finding]:
    """Look for what is odd whatever the split: repeated ids, identical inputs, conflicting labels, class balance.

    Parameters
    ----------
    fingerprints
        A text per example, equal for identical inputs, empty for an empty one.
    what
        What an input is, such as ``"domain set"``.
    """
    return [
        *_class_balance(examples, task),
        *_repeated_ids(examples),
        *_identical_inputs(examples, task, fingerprints, what),
    ]


def audit_partition(fingerprints: Fingerprints, partition: Partition, *, what: str) -> list[Finding]:
    """Count the test examples whose exact input the network has seen in training.

    Parameters
    ----------
    what
        What an input is, such as ``"domain set"``.
    """
    tested = fingerprints[partition.test].astype(str)
    identical = np.isin(tested, fingerprints[partition.train].astype(str))
    count, empty, total = int(identical.sum()), int((identical & (tested == "")).sum()), len(tested)
    if count == 0:
        return [Finding(TWINS, 0, "info", f"None of the {total:,} test examples has an identical {what} in train.")]
    text = f"{count:,} of {total:,} test examples ({count / total:.0%}) have an identical {what} in train"
    if empty:
        text += f", {empty:,} of them an empty one, which is no kinship"
    if count == empty:
        return [Finding(TWINS, count, "info", f"{text}.")]
    text += (
        ". For true twins the test asks what the network remembers, not what it understands; the figures on the other "
        f"{total - count + empty:,} stand beside."
    )
    return [Finding(TWINS, count, "warning", text)]


def audit_groups(examples: Examples[InputsT], partition: Partition, *, what: str) -> list[Finding]:
    """Count the test examples of which another one of the same group, such as the patient, is in train.

    Parameters
    ----------
    what
        What an example is, such as ``"image"``.
    """
    findings = []
    for name, group in examples.groups.items():
        shared = np.isin(group[partition.test], group[partition.train])
        count, total = int(shared.sum()), len(partition.test)
        topic = f"{name} on both sides of the split"
        if count:
            text = (
                f"{count:,} of {total:,} test {what}s share their {name} with one in train, so that the test asks in "
                f"part what the network remembers. --split group keeps every {name} together."
            )
            findings.append(Finding(topic, count, "warning", text))
        else:
            findings.append(Finding(topic, 0, "info", f"No {name} is both in train and in test."))
    return findings


def audit_sizes(partition: Partition) -> list[Finding]:
    """Warn of a validation or test part on which nothing can be judged."""
    small = {name: len(partition.part(name)) for name in PARTS[1:]}
    few = min(small.values())
    if few >= FEWEST_EXAMPLES:
        return []
    said = " and ".join(f"{count:,} in {name}" for name, count in small.items())
    text = (
        f"There is little to judge by: the examples are {said}. Figures on so few swing widely, and intervals are "
        "missing or mean little."
    )
    return [Finding("small parts", few, "warning", text)]


def _class_balance(examples: Examples[InputsT], task: Task) -> Iterable[Finding]:
    if task.is_multilabel:
        yield from _label_balance(examples, task)
        return
    if task.is_image:
        return
    if task.is_value:
        yield from _unknown_targets(examples)
        return
    counts = np.bincount(examples.targets[examples.targets >= 0], minlength=task.outputs)
    listing = ", ".join(f"{label} {count:,}" for label, count in zip(task.labels, counts, strict=True))
    rarest = int(counts.argmin())
    share = counts[rarest] / max(counts.sum(), 1)
    if share < 0.05:
        text = (
            f"The classes are unequal ({listing}): {task.labels[rarest]} makes up {share:.1%}. Accuracy says little "
            "here; look at the precision-recall figures."
        )
        yield Finding("class balance", int(counts[rarest]), "warning", text)
    else:
        yield Finding("class balance", int(counts[rarest]), "info", f"Examples by class: {listing}.")
    few = [label for label, count in zip(task.labels, counts, strict=True) if count < 30]
    if few:
        text = f"Fewer than 30 examples: {', '.join(few)}. Figures for these classes mean little."
        yield Finding("rare classes", len(few), "warning", text)


def _label_balance(examples: Examples[InputsT], task: Task) -> Iterable[Finding]:
    known, positives = (examples.targets >= 0).sum(axis=0), (examples.targets > 0).sum(axis=0)
    shares = positives / np.maximum(known, 1)
    ends = f"from {shares.min():.1%} ({task.labels[shares.argmin()]}) to {shares.max():.1%}"
    text = f"{len(task.labels):,} labels; examples that have one make up {ends} ({task.labels[shares.argmax()]})."
    if shares.min() < 0.05:
        text += " For the rare ones accuracy says little; look at AUPRC."
    yield Finding("class balance", int(positives.min()), "info", text)
    yield from _unknown_targets(examples)
    rarer = np.minimum(positives, known - positives)
    few = [label for label, count in zip(task.labels, rarer, strict=True) if count < 30]
    if few:
        text = f"Fewer than 30 positive or 30 negative examples: {_listing(few)}. Figures for these labels mean little."
        yield Finding("rare classes", len(few), "warning", text)


def _unknown_targets(examples: Examples[InputsT]) -> Iterable[Finding]:
    size = examples.targets.size
    unknown = size - int(np.count_nonzero(are_known(examples.targets)))
    if unknown:
        text = (
            f"{unknown:,} of {size:,} targets ({unknown / size:.0%}) are not known: they count neither in training nor "
            "in the figures."
        )
        yield Finding("unknown targets", unknown, "info", text)


def _listing(names: Sequence[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _repeated_ids(examples: Examples[InputsT]) -> Iterable[Finding]:
    counts = np.unique(examples.ids.astype(str), return_counts=True)[1]
    repeated = int((counts > 1).sum())
    if repeated:
        text = f"{repeated:,} ids occur more than once, always with one label; predictions cannot be told apart by id."
        yield Finding("repeated ids", repeated, "warning", text)


def _identical_inputs(
    examples: Examples[InputsT], task: Task, fingerprints: Fingerprints, what: str
) -> Iterable[Finding]:
    _, inverse, counts = np.unique(fingerprints.astype(str), return_inverse=True, return_counts=True)
    repeated = int((counts[inverse] > 1).sum())
    if repeated == 0:
        yield Finding("identical inputs", 0, "info", f"No two examples have the same {what}.")
        return
    text = (
        f"{repeated:,} of {len(examples):,} examples share their {what} with another one "
        f"({len(counts):,} distinct ones)."
    )
    yield Finding("identical inputs", repeated, "info", text)
    if task.is_multilabel:
        yield from _label_conflicts(examples, inverse, what)
        return
    if not task.has_labels:
        return
    known = examples.targets >= 0
    pairs = np.unique(np.stack([inverse[known], examples.targets[known]]), axis=1)
    labels_of_input = np.bincount(pairs[0], minlength=len(counts))
    conflicting = int((labels_of_input[inverse] > 1).sum())
    if conflicting:
        best = _best_accuracy(inverse[known], examples.targets[known])
        text = (
            f"{conflicting:,} examples have the same {what} as one with another label. No function of the {what} can "
            f"be right on all of them: at best, its accuracy on these data is {best:.3f}."
        )
        yield Finding("label conflicts", conflicting, "warning", text)


def _label_conflicts(
    examples: Examples[InputsT], inverse: Shaped[np.ndarray, "examples"], what: str
) -> Iterable[Finding]:
    """Look for inputs that have a label here and have it not there."""
    order = np.argsort(inverse, kind="stable")
    starts = np.flatnonzero(np.diff(inverse[order], prepend=-1))
    targets = examples.targets[order]
    yes = np.maximum.reduceat(targets == 1, starts, axis=0)
    no = np.maximum.reduceat(targets == 0, starts, axis=0)
    differs = np.asarray(np.any(yes & no, axis=1))
    conflicting = int(differs[inverse].sum())
    if conflicting:
        text = (
            f"{conflicting:,} examples have the same {what} as one that differs in a label. No function of the {what} "
            "can be right on all of them."
        )
        yield Finding("label conflicts", conflicting, "warning", text)


def _best_accuracy(inputs: Shaped[np.ndarray, "examples"], targets: Shaped[np.ndarray, "examples"]) -> float:
    """Answer each distinct input with its most frequent label."""
    table = np.zeros((int(inputs.max()) + 1, int(targets.max()) + 1), dtype=np.int64)
    np.add.at(table, (inputs, targets), 1)
    return float(table.max(axis=1).sum() / len(targets))
