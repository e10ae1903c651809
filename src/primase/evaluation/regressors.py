"""Simple models of values, for rivals and probes of tasks that predict numbers: many targets at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol, final

import numpy as np
from jaxtyping import Float, Integer
from sklearn.neighbors import NearestNeighbors as ScikitNeighbours
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no annotations

from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.errors import InputError
from primase.evaluation.baselines import FeatureFunction, no_features
from primase.evaluation.ridge import ROWS_AT_ONCE, STRENGTHS, RidgePath, Standard, Table, chosen_strengths

CHOSEN_ON: Final = 2_000
"""So many validation examples, evenly spread, are enough to choose a strength or a number of neighbours by."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class KnownValues:
    """Features and the values of the same examples, NaN where a value is not known."""

    features: Table
    targets: Float[np.ndarray, "examples targets"]

    def __len__(self) -> int:
        return len(self.targets)

    def thinned(self, most: int) -> KnownValues:
        """Return at most so many of the examples, evenly spread."""
        if len(self) <= most:
            return self
        rows = np.linspace(0, len(self) - 1, most).round().astype(np.int64)
        return KnownValues(self.features[rows], self.targets[rows])


class FittedRegressor(Protocol):
    """A trained model of values; ``chosen`` is a sentence on what was chosen, or empty."""

    @property
    def chosen(self) -> str:
        """Return what was chosen on validation, as a sentence."""
        ...

    def values(self, features: Table) -> Float[np.ndarray, "examples targets"]:
        """Predict a value per row and target."""
        ...


class Regressor(Protocol):
    """Something that learns values from features."""

    def fit(self, train: KnownValues, validation: KnownValues) -> FittedRegressor:
        """Train on train; choose on validation, by mean absolute error, what there is to choose."""
        ...


def mean_absolute_error(targets: Table, values: Table) -> float:
    """Return the mean over targets of the mean absolute error over the examples for which it is known."""
    errors = np.abs(targets - values)
    known = ~np.isnan(errors)
    counts = known.sum(axis=0)
    per_target = np.where(known, errors, 0).sum(axis=0)[counts > 0] / counts[counts > 0]
    return float(per_target.mean()) if len(per_target) else float("nan")


@final
@dataclass(frozen=True, slots=True, eq=False)
class FittedLinear:
    """Weights of standardised features."""

    inputs: Standard
    weights: Float[np.ndarray, "features targets"]
    intercept: Float[np.ndarray, "targets"]
    chosen: str = ""

    def values(self, features: Table) -> Float[np.ndarray, "examples targets"]:
        """Weigh the features and add up, block by block."""
        found = np.empty((len(features), len(self.intercept)), dtype=np.float32)
        for start in range(0, len(features), ROWS_AT_ONCE):
            block = slice(start, start + ROWS_AT_ONCE)
            found[block] = self.inputs.scaled(features[block]) @ self.weights + self.intercept
        return found


@final
@dataclass(frozen=True, slots=True)
class MeanOfTrain:
    """Gives every example the mean of train, which no feature can change."""

    def fit(self, train: KnownValues, validation: KnownValues) -> FittedLinear:
        """Measure the mean of each target."""
        del validation
        width = train.features.shape[1]
        none = Standard(np.zeros(width), np.ones(width))
        means = Standard.fit(train.targets).means
        return FittedLinear(none, np.zeros((width, len(means))), means)


@final
@dataclass(frozen=True, slots=True)
class LeastSquares:
    """Linear regression without any penalty; of several solutions the smallest."""

    def fit(self, train: KnownValues, validation: KnownValues) -> FittedLinear:
        """Solve for all targets at once."""
        del validation
        path = RidgePath.fit(train.features, train.targets)
        return FittedLinear(path.inputs, path.weights(0.0), path.targets.means)


@final
@dataclass(frozen=True, slots=True)
class Ridge:
    """Linear regression with a penalty on large weights, as strong as the data ask for.

    Two ways of choosing the strength compete on validation: one strength for all targets, that with the least error
    there; and one per target, by cross-validation on train.

    Parameters
    ----------
    strengths
        To choose from, as multiples of the number of examples.
    """

    strengths: tuple[float, ...] = STRENGTHS

    def fit(self, train: KnownValues, validation: KnownValues) -> FittedLinear:
        """Decompose train once, and choose."""
        path = RidgePath.fit(train.features, train.targets)
        own = chosen_strengths(train.features, train.targets, self.strengths)
        separate = FittedLinear(
            path.inputs,
            path.weights(own),
            path.targets.means,
            "One strength of the penalty per target, by five-fold cross-validation on train.",
        )
        if not len(validation):
            return separate
        judged = validation.thinned(CHOSEN_ON)
        errors = []
        for strength in self.strengths:
            common = FittedLinear(path.inputs, path.weights(strength), path.targets.means)
            errors.append(mean_absolute_error(judged.targets, common.values(judged.features)))
        if mean_absolute_error(judged.targets, separate.values(judged.features)) <= min(errors):
            return separate
        strength = self.strengths[int(np.argmin(errors))]
        said = f"One strength of the penalty for all targets, chosen on validation: {strength * len(train):.3g}."
        return FittedLinear(path.inputs, path.weights(strength), path.targets.means, said)


@final
@dataclass(frozen=True, slots=True, eq=False)
class FittedNearest:
    """The training examples, ready to be looked up."""

    inputs: Standard
    index: Any
    targets: Float[np.ndarray, "train targets"]
    neighbours: int
    chosen: str = ""

    def values(self, features: Table) -> Float[np.ndarray, "examples targets"]:
        """Take the mean over the nearest training examples."""
        nearest = _nearest(self.index, self.inputs, features, self.neighbours)
        return _running_means(self.targets, nearest, (self.neighbours,))[self.neighbours]


@final
@dataclass(frozen=True, slots=True)
class NearestValues:
    """The mean of the nearest training examples, by Euclidean distance of the standardised features.

    Parameters
    ----------
    choices
        The numbers of neighbours to choose from, by mean absolute error on validation (the middle one where it is
        empty).
    """

    choices: tuple[int, ...] = (1, 3, 5, 10, 20, 50)

    def fit(self, train: KnownValues, validation: KnownValues) -> FittedNearest:
        """Keep train, and choose the number of neighbours."""
        inputs = Standard.fit(train.features)
        # Distances do not depend on a gene being known to seven digits.
        index = ScikitNeighbours(algorithm="brute", n_jobs=1).fit(inputs.scaled(train.features).astype(np.float32))
        middle = Standard.fit(train.targets).means.astype(np.float32)
        known = train.targets.astype(np.float32, copy=False)
        targets = np.where(np.isnan(known), middle, known)
        choices = sorted({min(choice, len(train)) for choice in self.choices})
        if not len(validation):
            count = choices[len(choices) // 2]
            return FittedNearest(inputs, index, targets, count, f"There was no validation, so {count} neighbours.")
        judged = validation.thinned(CHOSEN_ON)
        nearest = _nearest(index, inputs, judged.features, choices[-1])
        means = _running_means(targets, nearest, tuple(choices))
        errors = [mean_absolute_error(judged.targets, means[choice]) for choice in choices]
        count = choices[int(np.argmin(errors))]
        said = f"{count} neighbour{'s' if count > 1 else ''}, chosen on validation."
        return FittedNearest(inputs, index, targets, count, said)


def _nearest(index: Any, inputs: Standard, features: Table, count: int) -> Integer[np.ndarray, "examples neighbours"]:
    with threadpool_limits(1, "openmp"):
        scaled = inputs.scaled(features).astype(np.float32)
        return np.asarray(index.kneighbors(scaled, n_neighbors=count, return_distance=False))


def _running_means(
    targets: Table, nearest: Integer[np.ndarray, "examples neighbours"], counts: tuple[int, ...]
) -> dict[int, Table]:
    """Average over the first neighbours, for several numbers of them."""
    total = np.zeros((len(nearest), targets.shape[1]))
    means = {}
    for place in range(max(counts)):
        total += targets[nearest[:, place]]
        if place + 1 in counts:
            means[place + 1] = (total / (place + 1)).astype(np.float32)
    return means


@final
@dataclass(frozen=True, slots=True, eq=False)
class FittedRegressionRival:
    """A trained rival.

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
    model: FittedRegressor

    def answers(self, examples: Examples[Any]) -> Float[np.ndarray, "examples targets"]:
        """Predict a value per example and target."""
        return self.model.values(np.asarray(self.features(examples)))


@final
@dataclass(frozen=True, slots=True, eq=False)
class RegressionRival:
    """A simple model of values to measure the network against; a probe, where the features are a nuisance.

    Parameters
    ----------
    name
        As the figures name it, such as ``"ridge regression"``.
    description
        One plain sentence for the report: what it is and what it sees.
    features
        From examples to what the model sees; NaN where a value is missing.
    model
        What is trained on them.
    """

    name: str
    description: str
    features: FeatureFunction
    model: Regressor

    def fit(self, task: Task, train: Examples[Any], validation: Examples[Any]) -> FittedRegressionRival:
        """Train on train, and choose on validation what there is to choose.

        Raises
        ------
        InputError
            If train is empty.
        """
        del task
        if not len(train):
            what = "there is nothing to train a baseline on"
            raise InputError(what, where=self.name)
        model = self.model.fit(
            KnownValues(np.asarray(self.features(train)), train.targets),
            KnownValues(np.asarray(self.features(validation)), validation.targets),
        )
        description = f"{self.description} {model.chosen}".strip()
        return FittedRegressionRival(self.name, description, self.features, model)


def mean_rival() -> RegressionRival:
    """Make the rival that has learned nothing but the mean of each target."""
    description = "Gives every example the mean of train, and so explains nothing."
    return RegressionRival("mean", description, no_features, MeanOfTrain())


def linear_rival(features: FeatureFunction, sees: str) -> RegressionRival:
    """Make the linear rival.

    Parameters
    ----------
    sees
        What the columns are, for the reader, such as ``"the landmark genes"``.
    """
    description = f"Linear regression on {sees}: every feature adds its own weight."
    return RegressionRival("linear regression", description, features, LeastSquares())


def ridge_rival(features: FeatureFunction, sees: str) -> RegressionRival:
    """Make the linear rival whose weights are kept small, which is the one to beat."""
    description = f"Ridge regression on {sees}: every feature adds its own weight, and large weights cost."
    return RegressionRival("ridge regression", description, features, Ridge())


def nearest_rival(features: FeatureFunction, sees: str) -> RegressionRival:
    """Make the rival that looks up the most similar training examples."""
    description = f"The mean of the training examples that are nearest by {sees}."
    return RegressionRival("nearest neighbours", description, features, NearestValues())
