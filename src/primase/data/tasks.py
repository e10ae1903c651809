"""What kind of answer is learned: it decides loss, metrics and columns of predictions, for every application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Float, Integer

from primase.errors import InputError

TaskKind = Literal["binary", "multiclass"]


@dataclass(frozen=True, slots=True)
class Task:
    """A question with one answer out of several labels.

    Parameters
    ----------
    kind
        ``"binary"`` for two labels, of which the second is the positive one; ``"multiclass"`` for three or more.
    labels
        The names of the answers, in the order of the network's outputs. Targets are indices into it.
    """

    kind: TaskKind
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        wanted = "exactly two" if self.kind == "binary" else "at least three"
        fits = len(self.labels) == 2 if self.kind == "binary" else len(self.labels) >= 3
        if not fits or len(set(self.labels)) != len(self.labels):
            what = f"a {self.kind} task needs {wanted} different labels"
            raise InputError(what, got=", ".join(self.labels) or "none")

    @classmethod
    def from_labels(cls, labels: tuple[str, ...]) -> Task:
        """Choose the kind by the number of labels."""
        return cls("binary" if len(labels) == 2 else "multiclass", labels)

    @property
    def outputs(self) -> int:
        """The number of outputs of the network: one logit per label, read through a softmax."""
        return len(self.labels)

    @property
    def main_metric(self) -> str:
        """The metric to look at first; every evaluation has it."""
        return "auroc" if self.kind == "binary" else "macro_f1"

    def prediction_columns(self, probabilities: Float[np.ndarray, "examples labels"]) -> pl.DataFrame:
        """Lay probabilities out as the columns that every table of predictions has.

        Returns
        -------
        polars.DataFrame
            ``prediction`` (the label with the highest probability) and one ``probability_LABEL`` column per label.
        """
        names = np.asarray(self.labels, dtype=object)
        columns: dict[str, Any] = {"prediction": pl.Series(names[probabilities.argmax(axis=1)], dtype=pl.String)}
        for index, label in enumerate(self.labels):
            columns[f"probability_{label}"] = np.ascontiguousarray(probabilities[:, index])
        return pl.DataFrame(columns)

    def target_column(self, targets: Integer[np.ndarray, "examples"]) -> pl.Series:
        """Name the label of each target; an unknown target (below zero) is null."""
        names = [self.labels[target] if target >= 0 else None for target in targets.tolist()]
        return pl.Series("target", names, dtype=pl.String)

    def to_state(self) -> dict[str, Any]:
        """Describe the task in JSON."""
        return {"kind": self.kind, "labels": list(self.labels)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Task:
        """Read what :meth:`to_state` wrote."""
        return cls(kind=state["kind"], labels=tuple(state["labels"]))
