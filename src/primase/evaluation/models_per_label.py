"""Baselines where every label is a question of its own: the same model once per label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from primase.data.tasks import Task
from primase.evaluation.models import (
    BaselineModel,
    Features,
    FittedModel,
    Frequencies,
    LabelledFeatures,
    Probabilities,
    label_frequencies,
)


@final
@dataclass(frozen=True, slots=True, eq=False)
class PerLabelModel(FittedModel):
    """A trained model for every label, each of which answers no or yes."""

    models: tuple[FittedModel, ...]
    chosen: str = ""

    def probabilities(self, features: Features) -> Probabilities:
        """Predict the probability of every label; rows need not sum to one."""
        return np.stack([model.probabilities(features)[:, 1] for model in self.models], axis=1)


def fit_model(model: BaselineModel, train: LabelledFeatures, validation: LabelledFeatures, task: Task) -> FittedModel:
    """Train a model for a task; if multilabel, one for every label, on the examples for which its answer is known.

    Parameters
    ----------
    train, validation
        All targets are known, or, if multilabel, 0, 1 or -1 (unknown), shape (examples, labels).
    """
    if not task.is_multilabel:
        return model.fit(train, validation, task.outputs)
    fitted = [_fit_one(model, _of_label(train, label), _of_label(validation, label)) for label in range(task.outputs)]
    first = next((one.chosen for one in fitted if one.chosen), "")
    return PerLabelModel(tuple(fitted), f"One model per label; for the first: {first}" if first else "")


def _fit_one(model: BaselineModel, train: LabelledFeatures, validation: LabelledFeatures) -> FittedModel:
    if not len(train):
        # Nothing is known of this label in train: neither answer is more likely.
        return Frequencies(np.full(2, 0.5))
    if len(np.unique(train.targets)) < 2:
        return Frequencies(label_frequencies(train.targets, 2))
    return model.fit(train, validation, 2)


def _of_label(examples: LabelledFeatures, label: int) -> LabelledFeatures:
    rows = np.flatnonzero(examples.targets[:, label] >= 0)
    features = examples.features if len(rows) == len(examples) else examples.features[rows]
    return LabelledFeatures(features, examples.targets[rows, label].astype(np.int64))
