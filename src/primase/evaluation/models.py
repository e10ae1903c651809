"""The models of baselines and probes: from labelled features to probabilities, small, quick and deterministic."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self, final

import numpy as np
from jaxtyping import Float, Integer
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as ScikitLogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no annotations

Features = Float[np.ndarray, "examples features"] | sparse.csr_array
Probabilities = Float[np.ndarray, "examples labels"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class LabelledFeatures:
    """Features and the targets of the same examples: known ones, unless there are several labels."""

    features: Features
    targets: Integer[np.ndarray, "examples *labels"]

    def __len__(self) -> int:
        return len(self.targets)


class FittedModel(ABC):
    """A trained model; ``chosen`` is a sentence on what was chosen on validation, or empty."""

    chosen: str

    @abstractmethod
    def probabilities(self, features: Features) -> Probabilities:
        """Predict a probability per row and label of the task; rows sum to one."""


class BaselineModel(ABC):
    """Something that can be trained on features."""

    @abstractmethod
    def fit(self, train: LabelledFeatures, validation: LabelledFeatures, labels: int) -> FittedModel:
        """Train on train; choose on validation, by log loss, what there is to choose.

        Parameters
        ----------
        train
            At least one example.
        validation
            May be empty; then nothing is chosen and a stated default is taken.
        labels
            How many labels the task has, whether or not train has them all.
        """


def log_loss(targets: Integer[np.ndarray, "examples"], probabilities: Probabilities) -> float:
    """Measure how surprising the true labels are under the probabilities: the mean of -ln p, p at least 1e-15."""
    return -float(np.log(np.maximum(probabilities[np.arange(len(targets)), targets], 1e-15)).mean())


def label_frequencies(targets: Integer[np.ndarray, "examples"], labels: int) -> Float[np.ndarray, "labels"]:
    """Return the share of each label.

    Examples
    --------
    >>> label_frequencies(np.array([0, 2, 2, 2]), 3).tolist()
    [0.25, 0.0, 0.75]
    """
    return np.bincount(targets, minlength=labels) / len(targets)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Frequencies(FittedModel):
    """Gives every example the same probabilities."""

    frequencies: Float[np.ndarray, "labels"]
    chosen: str = ""

    def probabilities(self, features: Features) -> Probabilities:
        """Repeat the frequencies for every row."""
        return np.tile(self.frequencies, (features.shape[0], 1))


@final
@dataclass(frozen=True, slots=True)
class Majority(BaselineModel):
    """Learns how frequent each label is, and nothing else."""

    def fit(
        self,
        train: LabelledFeatures,
        validation: LabelledFeatures,  # noqa: ARG002 - there is nothing to choose
        labels: int,
    ) -> Frequencies:
        """Count the labels of train."""
        return Frequencies(label_frequencies(train.targets, labels))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Classifier(FittedModel):
    """A trained classifier of scikit-learn, with a column for every label of the task."""

    estimator: Any
    scaler: Any
    labels: int
    chosen: str = ""

    def probabilities(self, features: Features) -> Probabilities:
        """Predict, with zero for the labels that train did not have."""
        seen = self.estimator.predict_proba(features if self.scaler is None else self.scaler.transform(features))
        return _all_labels(seen, self.estimator.classes_, self.labels)


def _all_labels(seen: Probabilities, classes: Integer[np.ndarray, "seen"], labels: int) -> Probabilities:
    columns = np.zeros((len(seen), labels))
    columns[:, classes] = seen
    return columns


@final
@dataclass(frozen=True, slots=True)
class LogisticRegression(BaselineModel):
    """Logistic regression with a ridge penalty, over all labels at once where there are several.

    Parameters
    ----------
    strengths
        The inverse strengths of the penalty (scikit-learn's C) to choose from, by log loss on validation.
    default
        The one taken where validation is empty.
    """

    strengths: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
    default: float = 1.0

    def fit(self, train: LabelledFeatures, validation: LabelledFeatures, labels: int) -> FittedModel:
        """Train from the strongest penalty to the weakest until validation is no longer better, and keep the best."""
        if len(np.unique(train.targets)) < 2 or train.features.shape[1] == 0:
            return Frequencies(label_frequencies(train.targets, labels))
        scaler = None if sparse.issparse(train.features) else StandardScaler().fit(train.features)
        features = train.features if scaler is None else scaler.transform(train.features)
        if not len(validation):
            chosen = f"There was no validation to choose by, so C is {self.default:g}."
            return Classifier(_logistic(features, train.targets, self.default), scaler, labels, chosen)
        best: tuple[float, Classifier] | None = None
        for strength in sorted(self.strengths):
            chosen = f"C = {strength:g}, chosen on validation by log loss."
            fitted = Classifier(_logistic(features, train.targets, strength), scaler, labels, chosen)
            loss = log_loss(validation.targets, fitted.probabilities(validation.features))
            if best is None or loss < best[0]:
                best = (loss, fitted)
            else:
                break  # Past its valley the loss only rises, and weaker penalties take longer.
        assert best is not None
        return best[1]


def _logistic(features: Features, targets: Integer[np.ndarray, "examples"], strength: float) -> Any:
    # On one thread: the products of long vectors gain little from several, which on a busy machine wait for each other.
    with warnings.catch_warnings(), threadpool_limits(1):
        # A baseline that is a few steps short of its optimum is as good a baseline; the user can do nothing about it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="(?i).*line search")
        # On tens of thousands of sparse columns liblinear needs less than a second, where Newton's method took minutes
        # or stopped short; it knows two labels only.
        two = len(np.unique(targets)) == 2
        solver, tolerance = ("liblinear", 1e-4) if two else ("newton-cg", 1e-3)
        estimator = ScikitLogisticRegression(C=strength, solver=solver, tol=tolerance, random_state=0)
        return estimator.fit(_with_narrow_indices(features), targets)


def _with_narrow_indices(features: Features) -> Features:
    """Store the indices of a sparse matrix in 32 bits, which is all that liblinear reads."""
    if not sparse.issparse(features):
        return features
    indices, starts = features.indices.astype(np.int32), features.indptr.astype(np.int32)
    return sparse.csr_array((features.data, indices, starts), shape=features.shape)


@final
@dataclass(frozen=True, slots=True, eq=False)
class StagedBoosting(FittedModel):
    """Boosted trees, stopped after so many rounds."""

    estimator: Any
    rounds: int
    labels: int
    chosen: str = ""

    def probabilities(self, features: Features) -> Probabilities:
        """Predict with the first rounds."""
        with threadpool_limits(1, "openmp"):
            stages = self.estimator.staged_predict_proba(_dense(features))
            seen = next(islice(stages, self.rounds - 1, None))
        return _all_labels(seen, self.estimator.classes_, self.labels)


def _dense(features: Features) -> Float[np.ndarray, "examples features"]:
    return np.asarray(features.toarray() if sparse.issparse(features) else features, dtype=np.float64)


@final
@dataclass(frozen=True, slots=True)
class Boosting(BaselineModel):
    """Gradient-boosted small trees on a few dense features (Friedman, 2001): sees curves and interactions.

    Parameters
    ----------
    rounds
        The most rounds; how many are used is chosen on validation by log loss (all of them where it is empty).
    """

    rounds: int = 100

    def fit(self, train: LabelledFeatures, validation: LabelledFeatures, labels: int) -> FittedModel:
        """Train all rounds, and keep those that help on validation."""
        if len(np.unique(train.targets)) < 2 or train.features.shape[1] == 0:
            return Frequencies(label_frequencies(train.targets, labels))
        estimator = HistGradientBoostingClassifier(
            max_iter=self.rounds,
            max_leaf_nodes=8,
            min_samples_leaf=max(2, min(20, len(train) // 20)),
            early_stopping=False,
            random_state=0,
        )
        best = self.rounds
        # So small a model is quickest on one thread: on a busy machine several wait for each other, ten times as long.
        with threadpool_limits(1, "openmp"):
            estimator.fit(_dense(train.features), train.targets)
            if len(validation):
                stages = estimator.staged_predict_proba(_dense(validation.features))
                losses = [log_loss(validation.targets, _all_labels(s, estimator.classes_, labels)) for s in stages]
                best = 1 + int(np.argmin(losses))
        return StagedBoosting(estimator, best, labels, f"Boosted trees, {best} round{'s' if best > 1 else ''}.")


@final
@dataclass(frozen=True, slots=True)
class BestOf(BaselineModel):
    """Whichever of several models is best on validation, by log loss; the first where validation is empty."""

    models: tuple[BaselineModel, ...]

    @classmethod
    def small(cls) -> Self:
        """Make the model of probes: linear where data are few, trees where a nuisance acts in curves and together."""
        return cls((LogisticRegression(), Boosting()))

    def fit(self, train: LabelledFeatures, validation: LabelledFeatures, labels: int) -> FittedModel:
        """Train them all and keep one."""
        fitted = [model.fit(train, validation, labels) for model in self.models]
        if not len(validation):
            return fitted[0]
        return min(fitted, key=lambda model: log_loss(validation.targets, model.probabilities(validation.features)))
