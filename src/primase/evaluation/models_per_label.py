"""Baselines where every label is a question of its own: the same model once per label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from scipy import sparse

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

MOST_CELLS: Final = 100_000_000
"""So many numbers, counted once per label, are learned from; a few minutes for logistic regression."""

FEWEST_EXAMPLES: Final = 2_000


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
    drawn, said = _few_enough(train, task.outputs)
    fitted = [_fit_one(model, _of_label(drawn, label), _of_label(validation, label)) for label in range(task.outputs)]
    first = next((one.chosen for one in fitted if one.chosen), "")
    chosen = f"One model per label; for the first: {first}" if first else ""
    return PerLabelModel(tuple(fitted), f"{chosen} {said}".strip())


def _few_enough(train: LabelledFeatures, labels: int) -> tuple[LabelledFeatures, str]:
    """Draw examples where all of them, once per label, would take longer than the network; also say so."""
    features = train.features
    cells = labels * (features.nnz if sparse.issparse(features) else max(features.size, len(train)))
    if cells <= MOST_CELLS:
        return train, ""
    count = max(int(len(train) * MOST_CELLS / cells), min(len(train), FEWEST_EXAMPLES))
    rows = np.sort(np.random.default_rng(0).permutation(len(train))[:count])
    said = f"Trained on {count:,} of {len(train):,} examples, drawn at random, to save time."
    return LabelledFeatures(features[rows], train.targets[rows]), said


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
