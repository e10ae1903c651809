"""What the network is measured against: simple models on thumbnails, and on what is known beside the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float32
from sklearn.ensemble import RandomForestClassifier

from primase.apps.images.decoding import decoded
from primase.apps.images.pictures import Pictures, Preparation
from primase.data.examples import Examples
from primase.evaluation.baselines import Baseline, logistic_regression_baseline, majority_baseline
from primase.evaluation.models import BaselineModel, Classifier, LabelledFeatures

THUMBNAIL: Final = 28
"""Pixels along each side."""

TREES: Final = 200


PREPARATION: Final = Preparation((THUMBNAIL, THUMBNAIL), colour=False)


def thumbnails(examples: Examples[Pictures]) -> Float32[np.ndarray, "images pixels"]:
    """Shrink images to 28 x 28 grey levels, a column each, from 0 to 1."""
    small = decoded(examples.inputs, PREPARATION.size, colour=PREPARATION.colour)
    return (small.reshape(len(small), THUMBNAIL * THUMBNAIL) / 255).astype(np.float32)


@final
@dataclass(frozen=True, slots=True)
class Forest(BaselineModel):
    """Many decision trees on different examples and pixels (Breiman 2001).

    Parameters
    ----------
    trees
        How many.
    """

    trees: int = TREES

    def fit(
        self,
        train: LabelledFeatures,
        validation: LabelledFeatures,  # noqa: ARG002 - there is nothing to choose
        labels: int,
    ) -> Classifier:
        """Grow the trees."""
        forest = RandomForestClassifier(self.trees, random_state=0, n_jobs=1).fit(train.features, train.targets)
        return Classifier(forest, None, labels)


def baselines() -> Sequence[Baseline]:
    """Guess the majority; weigh every pixel of a thumbnail; ask many trees about it."""
    sees = f"thumbnails of {THUMBNAIL} x {THUMBNAIL} grey levels"
    forest = f"A random forest of {TREES} trees on {sees}."
    return (
        majority_baseline(),
        logistic_regression_baseline(thumbnails, sees),
        Baseline("random forest", forest, thumbnails, Forest()),
    )
