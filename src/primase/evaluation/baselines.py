"""Baselines: simple models that are always trained on the same split and always shown beside the network.

A :class:`Baseline` is a name, a sentence, a function from examples to features, and a model. Which features is for the
application to say; the models are those of :mod:`primase.evaluation.models`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
from jaxtyping import Float

from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.errors import InputError
from primase.evaluation.models import (
    BaselineModel,
    Features,
    FittedModel,
    LabelledFeatures,
    LogisticRegression,
    Majority,
)
from primase.evaluation.models_per_label import fit_model
from primase.evaluation.neighbours import NearestNeighbours

FeatureFunction = Callable[[Examples[Any]], Features]
"""Turns examples into a matrix with one row each, sparse or dense; it must not look at the targets."""


class FittedRival(Protocol):
    """What a trained network is measured against."""

    @property
    def name(self) -> str:
        """Return the name that the figures have it by."""
        ...

    @property
    def description(self) -> str:
        """Return a sentence for the report, which ends with what was chosen on validation."""
        ...

    def answers(self, examples: Examples[Any]) -> Float[np.ndarray, "examples outputs"]:
        """Return a probability per label, or, where values are predicted, a value per target."""
        ...


class Rival(Protocol):
    """A simpler model that can be trained on the same parts."""

    @property
    def name(self) -> str:
        """Return the name that the figures have it by."""
        ...

    def fit(self, task: Task, train: Examples[Any], validation: Examples[Any]) -> FittedRival:
        """Train on train, and choose on validation what there is to choose."""
        ...


def no_features(examples: Examples[Any]) -> Features:
    """Return a matrix without any column, for a model that looks at none."""
    return np.zeros((len(examples), 0))


@final
@dataclass(frozen=True, slots=True, eq=False)
class FittedBaseline:
    """A trained baseline.

    Parameters
    ----------
    name, description
        As the report shows them; the description ends with what was chosen on validation.
    features
        From examples to what the model sees.
    model
        The trained model.
    """

    name: str
    description: str
    features: FeatureFunction
    model: FittedModel

    def answers(self, examples: Examples[Any]) -> Float[np.ndarray, "examples labels"]:
        """Predict: a probability per example and label of the task, also for labels that train did not have."""
        return self.model.probabilities(self.features(examples))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """A simple model to measure the network against.

    Parameters
    ----------
    name
        As the figures name it, such as ``"logistic regression"``.
    description
        One plain sentence for the report: what it is and what it sees.
    features
        From examples to what the model sees.
    model
        What is trained on them.
    """

    name: str
    description: str
    features: FeatureFunction
    model: BaselineModel

    def fit(self, task: Task, train: Examples[Any], validation: Examples[Any]) -> FittedBaseline:
        """Train on train, and choose on validation what there is to choose.

        Parameters
        ----------
        task
            What is asked; it says how many labels there are.
        train, validation
            Examples whose target is not known (below zero) are left out.

        Raises
        ------
        InputError
            If no example of train has a known target.
        """
        train, validation = _known(train), _known(validation)
        if not len(train):
            what = "there is nothing to train a baseline on: no example of train has a known target"
            raise InputError(what, where=self.name)
        model = fit_model(
            self.model,
            LabelledFeatures(self.features(train), train.targets),
            LabelledFeatures(self.features(validation), validation.targets),
            task,
        )
        description = f"{self.description} {model.chosen}".strip()
        return FittedBaseline(self.name, description, self.features, model)


def _known(examples: Examples[Any]) -> Examples[Any]:
    known = examples.targets >= 0 if examples.targets.ndim == 1 else np.any(examples.targets >= 0, axis=1)
    return examples if known.all() else examples.take(np.flatnonzero(known))


def majority_baseline() -> Baseline:
    """Make the baseline that has learned nothing but how frequent each label is."""
    description = "Gives every example the frequencies of the labels in train, and so predicts the most frequent one."
    return Baseline("majority class", description, no_features, Majority())


def logistic_regression_baseline(features: FeatureFunction, sees: str) -> Baseline:
    """Make the linear baseline.

    Parameters
    ----------
    features
        From examples to a matrix; sparse ones are taken as they are, the columns of dense ones standardised on train.
    sees
        What the columns are, for the reader, such as ``"the same domain vectors"``.
    """
    description = f"Logistic regression on {sees}: every feature adds its own weight."
    return Baseline("logistic regression", description, features, LogisticRegression())


def nearest_neighbour_baseline(features: FeatureFunction, shares: str) -> Baseline:
    """Make the baseline that looks up the most similar training examples.

    Parameters
    ----------
    features
        From examples to a matrix of which only what is not zero counts.
    shares
        What examples share, for the reader, such as ``"domains"``.
    """
    description = (
        f"The labels of the training examples that share most {shares} (Jaccard similarity), weighted by similarity; "
        "where nothing is shared, the frequencies of the labels among the training examples that stand as alone."
    )
    return Baseline("nearest neighbour", description, features, NearestNeighbours())
