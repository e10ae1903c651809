"""What kind of answer is learned: it decides loss, metrics and columns of predictions, for every application."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from jaxtyping import Float, Integer, Shaped

from primase.errors import InputError

TaskKind = Literal["binary", "multiclass", "multilabel", "regression", "generative", "image"]

MULTILABEL: Final = "multilabel"
IMAGE: Final = "image"
VALUE_KINDS: Final = frozenset({"regression", "generative"})
YES_OR_NO_KINDS: Final = frozenset({"binary", MULTILABEL})
RARE: Final = 0.1
"""Positives that make up less are rare."""
_ROWS_AT_ONCE: Final = 100_000
LISTED_APART: Final = ";"
"""Stands between the labels of one prediction where it may have several."""


@dataclass(frozen=True, slots=True)
class Task:
    """A question with one answer out of several labels, a yes or no to each of several, a value for each, or an image.

    Parameters
    ----------
    kind
        ``"binary"`` for two labels, of which the second is the positive one; ``"multiclass"`` for three or more;
        ``"multilabel"`` where each label is a yes-or-no question of its own; ``"regression"`` where each label is a
        number to predict; ``"generative"`` where the input is to be made again, number by number; ``"image"`` where
        an image is to be made, and each label is a measure of how near it comes to the truth, such as ``"psnr"``.
    labels
        The names of the answers, in the order of the network's outputs. Targets are indices into it, shape (examples,),
        -1 where unknown; in a multilabel task they are 0, 1 or -1 (unknown) per label, shape (examples, labels); in
        regression values, NaN where unknown, of the same shape. A generative task and one of images have no targets
        beside their input: their shape is (examples, 0).
    rare
        Whether positives are so rare that the area under the curve of precision and recall says more than that of the
        receiver operating characteristic, in which many false alarms beside few positives do not show.
    """

    kind: TaskKind
    labels: tuple[str, ...]
    rare: bool = False

    def __post_init__(self) -> None:
        least, most, wanted = {
            "binary": (2, 2, "exactly two"),
            "multiclass": (3, None, "at least three"),
            "multilabel": (1, None, "at least one, and"),
            "regression": (1, None, "at least one, and"),
            "generative": (1, None, "at least one, and"),
            "image": (1, None, "at least one, and"),
        }[self.kind]
        fits = least <= len(self.labels) <= (most or len(self.labels))
        if not fits or len(set(self.labels)) != len(self.labels):
            what = f"a {self.kind} task needs {wanted} different labels"
            raise InputError(what, got=", ".join(self.labels) or "none")

    @classmethod
    def from_labels(cls, labels: tuple[str, ...]) -> Task:
        """Choose the kind by the number of labels."""
        return cls("binary" if len(labels) == 2 else "multiclass", labels)

    @property
    def outputs(self) -> int:
        """The number of outputs of the network: a logit per label, read through a softmax, or each by a sigmoid."""
        return len(self.labels)

    @property
    def is_multilabel(self) -> bool:
        """Whether an example may have several labels, or none."""
        return self.kind == MULTILABEL

    @property
    def is_value(self) -> bool:
        """Whether each answer is a number and not a label."""
        return self.kind in VALUE_KINDS

    @property
    def is_image(self) -> bool:
        """Whether each answer is an image, and what is known of it how near it comes to the truth."""
        return self.kind == IMAGE

    @property
    def has_labels(self) -> bool:
        """Whether each answer is a label, or several."""
        return not (self.is_value or self.is_image)

    def metric(self, name: str) -> str:
        """Name a metric of the task as a whole: that of several labels is the mean over them.

        Examples
        --------
        >>> Task("binary", ("no", "yes")).metric("ece"), Task("multilabel", ("a", "b")).metric("ece")
        ('ece', 'macro_ece')
        """
        return f"macro_{name}" if self.is_multilabel or self.is_value else name

    @property
    def main_metric(self) -> str:
        """The metric to look at first; every evaluation has it."""
        if self.rare and self.kind in YES_OR_NO_KINDS:
            return self.metric("auprc")
        return {
            "binary": "auroc",
            "multiclass": "macro_f1",
            "multilabel": "macro_auroc",
            "regression": "macro_mae",
            "generative": "macro_r2",
            "image": self.labels[0],
        }[self.kind]

    def with_rarity(self, targets: Shaped[np.ndarray, "examples *labels"]) -> Task:
        """Look whether positives are rare among some targets: fewer than one in ten, of labels in half of them.

        Examples
        --------
        >>> Task("binary", ("no", "yes")).with_rarity(np.array([0] * 19 + [1])).main_metric
        'auprc'
        """
        if self.kind not in YES_OR_NO_KINDS:
            return self
        shares = _positive_shares(targets if self.is_multilabel else targets[:, None])
        return replace(self, rare=bool(len(shares)) and float(np.median(shares)) < RARE)

    def strata(self, targets: Shaped[np.ndarray, "examples *labels"]) -> Integer[np.ndarray, "examples"]:
        """Sort examples into kinds that every part of a split should have its share of.

        In a multilabel task that is the rarest label that an example has, counted from 1, and 0 if it has none. Where
        answers are values or images all examples are of one kind.
        """
        if not self.has_labels:
            return np.zeros(len(targets), dtype=np.int64)
        if not self.is_multilabel:
            return targets
        # In blocks, as there may be thousands of millions of targets.
        blocks = [targets[start : start + _ROWS_AT_ONCE] for start in range(0, len(targets), _ROWS_AT_ONCE)]
        counts = sum(((block > 0).sum(axis=0) for block in blocks), np.zeros(self.outputs, dtype=np.int64))
        by_rarity = np.argsort(counts, kind="stable")
        rarest = [by_rarity[(block[:, by_rarity] > 0).argmax(axis=1)] for block in blocks]
        positive = [(block > 0).any(axis=1) for block in blocks]
        found = [np.where(some, one + 1, 0) for one, some in zip(rarest, positive, strict=True)]
        return np.concatenate([np.empty(0, dtype=np.int64), *found])

    def prediction_columns(
        self, answers: Float[np.ndarray, "examples labels"], cuts: Sequence[float] | None = None
    ) -> pl.DataFrame:
        """Lay answers out as the columns that every table of predictions has.

        Parameters
        ----------
        cuts
            From which probability on a label is predicted: of the second of two labels, or of each if multilabel.

        Returns
        -------
        polars.DataFrame
            ``prediction`` (the label with the highest probability; in a multilabel task those of at least one half,
            joined by semicolons; or what the cuts say) and one ``probability_LABEL`` column per label; where answers
            are values, one ``value_TARGET`` column per target, and of images one ``value_MEASURE`` per measure.
        """
        if not self.has_labels:
            return self.value_columns("value", answers)
        probabilities = answers
        names = np.asarray(self.labels, dtype=object)
        if self.is_multilabel:
            predicted = [LISTED_APART.join(names[row]) for row in probabilities >= (0.5 if cuts is None else cuts)]
        elif cuts is not None:
            predicted = names[(probabilities[:, 1] >= cuts[0]).astype(np.int64)].tolist()
        else:
            predicted = names[probabilities.argmax(axis=1)].tolist()
        columns: dict[str, Any] = {"prediction": pl.Series(predicted, dtype=pl.String)}
        for index, label in enumerate(self.labels):
            columns[f"probability_{label}"] = np.ascontiguousarray(probabilities[:, index])
        return pl.DataFrame(columns)

    def value_columns(self, prefix: str, values: Float[np.ndarray, "examples labels"]) -> pl.DataFrame:
        """Lay a number per target out as columns ``PREFIX_TARGET``, in 32 bits; NaN is null."""
        columns = np.ascontiguousarray(values.T, dtype=np.float32)
        names = (f"{prefix}_{label}" for label in self.labels)
        return pl.DataFrame(
            [pl.Series(name, column, nan_to_null=True) for name, column in zip(names, columns, strict=True)]
        )

    def target_columns(self, targets: Shaped[np.ndarray, "examples *labels"]) -> pl.DataFrame:
        """Lay targets out as the columns that every table of predictions has; an unknown one is null.

        Returns
        -------
        polars.DataFrame
            ``target``, the name of the label; in a multilabel task one ``target_LABEL`` of 0 and 1 per label, where
            answers are values one of numbers. Of images there are none.
        """
        if self.is_image:
            return pl.DataFrame()
        if self.is_value:
            return self.value_columns("target", targets)
        if self.is_multilabel:
            columns = [pl.Series(f"target_{label}", targets[:, place]) for place, label in enumerate(self.labels)]
            return pl.DataFrame([pl.select(pl.when(column >= 0).then(column)).to_series() for column in columns])
        names = [self.labels[target] if target >= 0 else None for target in targets.tolist()]
        return pl.DataFrame({"target": pl.Series(names, dtype=pl.String)})

    def to_state(self) -> dict[str, Any]:
        """Describe the task in JSON."""
        return {"kind": self.kind, "labels": list(self.labels), **({"rare": True} if self.rare else {})}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Task:
        """Read what :meth:`to_state` wrote."""
        return cls(kind=state["kind"], labels=tuple(state["labels"]), rare=state.get("rare", False))


def _positive_shares(targets: Shaped[np.ndarray, "examples labels"]) -> Float[np.ndarray, "asked"]:
    """Measure the share of positives among the known answers to each question that has both."""
    counts = np.zeros((2, targets.shape[1]))
    # In blocks, as there may be thousands of millions of targets.
    for start in range(0, len(targets), _ROWS_AT_ONCE):
        block = targets[start : start + _ROWS_AT_ONCE]
        counts += np.stack([(block == answer).sum(axis=0) for answer in (0, 1)])
    asked = counts[:, (counts > 0).all(axis=0)]
    return np.asarray(asked[1] / asked.sum(axis=0))
