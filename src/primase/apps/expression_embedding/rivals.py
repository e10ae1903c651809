"""What the network must beat at the same number of latent dimensions, and what nuisances alone would tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, final

import numpy as np
from jaxtyping import Float
from sklearn.decomposition import FactorAnalysis

from primase.apps.expression.annotations import is_kind
from primase.apps.expression.profiles import Profiles
from primase.apps.expression.scaling import Scaler
from primase.apps.expression_embedding.axes import MOST_VALUES, fitted_components, sampled
from primase.apps.expression_embedding.encoding import ProfileEncoder
from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.evaluation.baselines import Rival

PCA_NAME: Final = "PCA"
MOST_FACTOR_VALUES: Final = 2_000_000
"""Factor analysis, which iterates, is fitted to so many values of train at most."""
FACTOR_ROUNDS: Final = 100
MOST_LEVELS: Final = 60
"""A column of words with more levels than this is a name, and no batch."""

Values = Float[np.ndarray, "samples genes"]


class LinearModel(Protocol):
    """What scikit-learn's models of latent dimensions have in common."""

    @property
    def components_(self) -> Any:
        """The direction of each latent dimension among the genes."""
        ...

    @property
    def mean_(self) -> Any:
        """The mean of each gene."""
        ...

    def transform(self, values: Any) -> Any:
        """Return the latent numbers of samples."""
        ...


@final
@dataclass(frozen=True, slots=True, eq=False)
class FittedLinear:
    """A linear model of latent dimensions, on the scale of the network."""

    name: str
    description: str
    scaler: Scaler
    model: LinearModel

    def answers(self, examples: Examples[Profiles]) -> Values:
        """Reconstruct profiles, on the modelled scale."""
        found = np.empty((len(examples), len(examples.inputs.columns)), dtype=np.float32)
        for place, values in examples.inputs.blocks():
            latent = self.model.transform(self.scaler.scaled(values))
            found[place] = self.scaler.restored(latent @ self.model.components_ + self.model.mean_)
        return found

    def embedding(self, profiles: Profiles) -> Float[np.ndarray, "samples latent"]:
        """Return the latent numbers of samples."""
        blocks = [np.asarray(self.model.transform(self.scaler.scaled(values))) for _, values in profiles.blocks()]
        return np.concatenate(blocks)


@final
@dataclass(frozen=True, slots=True, eq=False)
class LinearRival:
    """A linear embedding of as many dimensions as the network's, fitted to genes scaled alike.

    Parameters
    ----------
    fit_model
        From scaled values to a fitted model.
    most_values
        So many values are fitted to at most; the samples are spread evenly over train.
    """

    name: str
    description: str
    scaler: Scaler
    fit_model: Callable[[Values], LinearModel]
    most_values: int

    def fit(self, task: Task, train: Examples[Profiles], validation: Examples[Profiles]) -> FittedLinear:
        """Fit to train; nothing is chosen on validation."""
        del task, validation
        return self.fit_to(train.inputs)

    def fit_to(self, train: Profiles) -> FittedLinear:
        """Fit to profiles of train."""
        chosen = sampled(len(train), len(train.columns), self.most_values)
        model = self.fit_model(self.scaler.scaled(train.values(chosen)))
        said = f"{self.description} {len(model.components_):,} dimensions"
        said += "." if len(chosen) == len(train) else f", fitted to {len(chosen):,} of {len(train):,} samples."
        return FittedLinear(self.name, said, self.scaler, model)


def components_rival(scaler: Scaler, latent: int) -> LinearRival:
    """Make the rival of principal components."""

    def fit(values: Values) -> LinearModel:
        model: LinearModel = fitted_components(values, latent)
        return model

    return LinearRival(PCA_NAME, "Principal components.", scaler, fit, MOST_VALUES)


def factors_rival(scaler: Scaler, latent: int) -> LinearRival:
    """Make the rival of factor analysis, in which every gene has a noise of its own."""

    def fit(values: Values) -> LinearModel:
        most = max(min(latent, len(values) - 1, values.shape[1]), 1)
        # It stops when a round wins hardly anything, and after so many rounds at the latest.
        model = FactorAnalysis(most, max_iter=FACTOR_ROUNDS, tol=0.1, random_state=0).fit(values)
        return _Regression(model.components_, model.mean_, model.noise_variance_)

    return LinearRival("factor analysis", "Factor analysis, a noise for each gene.", scaler, fit, MOST_FACTOR_VALUES)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Regression:
    """The expected factors of a sample, given its genes (Bartholomew's regression scores)."""

    components_: Float[np.ndarray, "latent genes"]
    mean_: Float[np.ndarray, "genes"]
    noise: Float[np.ndarray, "genes"]

    def transform(self, values: Values) -> Float[np.ndarray, "samples latent"]:
        """Return the factors of samples."""
        weighted = self.components_ / self.noise
        precision = np.eye(len(weighted)) + weighted @ self.components_.T
        return np.asarray(np.linalg.solve(precision, weighted @ (values - self.mean_).T).T)


@final
@dataclass(frozen=True, slots=True, eq=False)
class FittedMeans:
    """The mean profile of each kind of sample; of an unknown kind that of all."""

    name: str
    description: str
    column: str
    means: dict[str, Float[np.ndarray, "genes"]]
    overall: Float[np.ndarray, "genes"]

    def answers(self, examples: Examples[Profiles]) -> Values:
        """Return the mean of the kind of each sample."""
        words = kinds_of(examples, self.column)
        return np.stack([self.means.get(word, self.overall) for word in words]).astype(np.float32)


@final
@dataclass(frozen=True, slots=True)
class MeansRival:
    """Knows the kind of a sample by one column, and nothing of its profile.

    Parameters
    ----------
    column
        Among the columns of words; empty for the mean of all samples.
    """

    name: str
    description: str
    column: str = ""

    def fit(self, task: Task, train: Examples[Profiles], validation: Examples[Profiles]) -> FittedMeans:
        """Average train, block by block; a missing value counts as nothing."""
        del task, validation
        words = np.array(kinds_of(train, self.column), dtype=object)
        genes = len(train.inputs.columns)
        sums = {word: np.zeros((2, genes)) for word in sorted(set(words.tolist()))}
        for place, values in train.inputs.blocks():
            for word in set(words[place].tolist()):
                own = values[words[place] == word]
                sums[word] += np.stack([np.nansum(own, axis=0), (~np.isnan(own)).sum(axis=0)])
        total = np.sum(list(sums.values()), axis=0)
        overall = total[0] / np.maximum(total[1], 1)
        means = {
            word: np.where(found[1] > 0, found[0] / np.maximum(found[1], 1), overall) for word, found in sums.items()
        }
        return FittedMeans(self.name, self.description, self.column, means, overall)


@final
@dataclass(frozen=True, slots=True, eq=False)
class FittedTotal:
    """A straight line per gene over the mean expression of a sample."""

    name: str
    description: str
    slopes: Float[np.ndarray, "genes"]
    intercepts: Float[np.ndarray, "genes"]

    def answers(self, examples: Examples[Profiles]) -> Values:
        """Return what the mean of each sample's genes says of each of them."""
        blocks = [_means(values)[:, None] * self.slopes + self.intercepts for _, values in examples.inputs.blocks()]
        return np.concatenate(blocks).astype(np.float32)


@final
@dataclass(frozen=True, slots=True)
class TotalProbe:
    """Sees the mean over all genes of a sample and nothing else."""

    name: str = "total expression"
    description: str = "Sees the mean over all genes of a sample and nothing else: a straight line for each gene."

    def fit(self, task: Task, train: Examples[Profiles], validation: Examples[Profiles]) -> FittedTotal:
        """Fit least squares, block by block."""
        del task, validation
        genes = len(train.inputs.columns)
        count, total, squares = 0, 0.0, 0.0
        sums, shared = np.zeros(genes), np.zeros(genes)
        for _, values in train.inputs.blocks():
            means = _means(values).astype(np.float64)
            known = np.where(np.isnan(values), means[:, None], values)
            count, total, squares = count + len(values), total + means.sum(), squares + float(means @ means)
            sums += known.sum(axis=0)
            shared += means @ known
        variance = max(squares / count - (total / count) ** 2, 1e-12)
        slopes = (shared / count - sums / count * total / count) / variance
        return FittedTotal(self.name, self.description, slopes, sums / count - slopes * total / count)


def baselines(own: ProfileEncoder, latent: int) -> Sequence[Rival]:
    """Name the linear embeddings of the same size, and the mean of all samples."""
    return (
        MeansRival("mean", "The mean of train, whatever the sample: explains nothing by definition."),
        components_rival(own.scaler, latent),
        factors_rival(own.scaler, latent),
    )


def probes(train: Examples[Profiles]) -> Sequence[Rival]:
    """Name what columns of words, and the total expression, tell by themselves."""
    columns = [name for name, words in train.covariates.items() if is_kind(words, MOST_LEVELS)]
    said = "Sees the column {} and nothing else: the mean profile of its kind."
    return (*(MeansRival(name, said.format(name), name) for name in columns), TotalProbe())


def kinds_of(examples: Examples[Profiles], column: str) -> list[str]:
    """Return the kind of each sample by a column; all are of one kind where there is no such column."""
    if column not in examples.covariates:
        return [""] * len(examples)
    return [str(word) for word in examples.covariates[column].tolist()]


def _means(values: Values) -> Float[np.ndarray, "samples"]:
    known = ~np.isnan(values)
    return np.asarray(np.where(known, values, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))
