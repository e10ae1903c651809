"""What the network is measured against: classic scores of the links around two proteins, and their degrees alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import blake2b
from typing import Final, final

import numpy as np
from jaxtyping import Float64
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from primase.apps.protein_interaction.pairs import FeatureMatrix, ProteinPairs
from primase.bio.graphs import Graph, Pairs
from primase.bio.spectral import HeldOutSpectra
from primase.bio.topology import (
    adamic_adar,
    common_neighbours,
    jaccard,
    other_degrees,
    paths_of_length_three,
    resource_allocation,
)
from primase.data.examples import Examples
from primase.evaluation.baselines import Baseline, majority_baseline
from primase.evaluation.models import (
    BaselineModel,
    Boosting,
    Features,
    FittedModel,
    LabelledFeatures,
    LogisticRegression,
    Probabilities,
)
from primase.evaluation.probes import Probe

AXES: Final = 128
"""How many eigenvectors are used."""
LARGE: Final = 20_000
"""From so many proteins on, a quarter of the eigenvectors must do, or they would take longer than the network."""
DAMPING: Final = 5.0
"""What is added to each degree before: of 0 to 156, best on the validation part of the yeast interactions."""
POWERS: Final = (1.0, 1.5, 2.0, 3.0)
"""How strongly the coarse axes count: 1 was best against degree-matched negatives, 2 against uniform ones."""
COMPONENTS: Final = 32
"""Many features are summarised in so many (truncated singular value decomposition)."""
MOST_PAIRS: Final = 200_000
"""How many training pairs boosted trees see at most."""

Columns = Float64[np.ndarray, "examples columns"]


def baselines(graph: Graph, features: FeatureMatrix | None = None) -> list[Baseline]:
    """Name the baselines that are always trained beside the network.

    Parameters
    ----------
    graph
        The links of train, between the same proteins as those of the examples. Where an example is one of them, its
        own link does not count.
    features
        What is known of each protein, if anything is: then a model is trained on that alone.
    """
    scores = _Scores(graph)
    axes = AXES if len(graph) <= LARGE else AXES // 4
    sees = "Logistic regression on one score:"
    alone = [] if features is None else [_features_alone(features)]
    return [
        majority_baseline(),
        *alone,
        Baseline(
            "common neighbours",
            f"{sees} how many proteins interact with both.",
            partial(scores.columns, of=(common_neighbours,)),
            LogisticRegression(),
        ),
        Baseline(
            "Adamic-Adar",
            f"{sees} the proteins that interact with both, each weighted by 1 / ln(degree) (Adamic and Adar, 2003).",
            partial(scores.columns, of=(adamic_adar,)),
            LogisticRegression(),
        ),
        Baseline(
            "L3",
            f"{sees} paths of three links between both, weighted by the degrees on the way (Kovács et al., 2019).",
            partial(scores.columns, of=(paths_of_length_three,)),
            LogisticRegression(),
        ),
        Baseline(
            "eigenvectors",
            f"Logistic regression on how alike both lie along {axes} eigenvectors of the graph without their own link, "
            "which is counted in four ways, from fine to coarse. No network is trained.",
            scores.affinities,
            LogisticRegression(),
        ),
        Baseline(
            "boosted trees on all scores",
            "Sees all of these scores, Jaccard's and resource allocation, and the degrees of both.",
            scores.everything,
            _OnSample(Boosting()),
        ),
    ]


def probes(graph: Graph) -> list[Probe]:
    """Name the probes: how many links each of the two proteins has says nothing of the pair itself.

    Parameters
    ----------
    graph
        As of :func:`baselines`.
    """
    return [Probe("degree product", _Scores(graph).degrees)]


def _features_alone(features: FeatureMatrix) -> Baseline:
    """Make the baseline that looks at both proteins and at no link."""
    matrix = sparse.csr_array(features)
    if matrix.shape[1] > COMPONENTS:
        reduced = TruncatedSVD(COMPONENTS, random_state=0).fit_transform(sparse.csr_matrix(matrix))
    else:
        reduced = matrix.toarray()

    def compared(examples: Examples[ProteinPairs]) -> Columns:
        first, second = (reduced[column] for column in examples.inputs.nodes.T)
        return np.hstack([first * second, np.abs(first - second)])

    sees = f"Sees the features of both proteins, in at most {COMPONENTS} components, and no link of the graph."
    return Baseline("features alone", sees, compared, _OnSample(Boosting()))


Score = Callable[[Graph, Pairs], Float64[np.ndarray, "pairs"]]


@final
class _Scores:
    """The features of pairs, each computed once for the same pairs."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[tuple[object, bytes], Columns] = {}

    def columns(self, examples: Examples[ProteinPairs], of: tuple[Score, ...]) -> Columns:
        """Give the logarithm of one more than each score: many scores are a few times as large as most."""
        found = [self._once(score, examples.inputs, partial(score, self._graph)) for score in of]
        return np.asarray(np.log1p(np.stack(found, axis=1)))

    def degrees(self, examples: Examples[ProteinPairs]) -> Columns:
        """Give the logarithms of the degrees in a way that does not tell the two proteins apart."""
        logarithms = np.log1p(other_degrees(self._graph, self._pairs(examples.inputs)).astype(np.float64))
        first, second = logarithms.T
        return np.stack([first + second, first * second, np.abs(first - second)], axis=1)

    def affinities(self, examples: Examples[ProteinPairs]) -> Columns:
        """Give how alike both lie along the eigenvectors, on a scale like that of logarithms."""
        raw = self._once("spectra", examples.inputs, lambda pairs: self._spectra.affinities(pairs, POWERS))
        return np.asarray(np.arcsinh(raw))

    def everything(self, examples: Examples[ProteinPairs]) -> Columns:
        """Give all columns."""
        scores = (common_neighbours, adamic_adar, resource_allocation, jaccard, paths_of_length_three)
        return np.hstack([self.columns(examples, scores), self.affinities(examples), self.degrees(examples)])

    @cached_property
    def _spectra(self) -> HeldOutSpectra:
        if len(self._graph) > LARGE:
            return HeldOutSpectra.of(self._graph, AXES // 4, folds=2, damping=DAMPING)
        return HeldOutSpectra.of(self._graph, AXES, damping=DAMPING)

    def _once(self, name: object, inputs: ProteinPairs, compute: Callable[[Pairs], Columns]) -> Columns:
        pairs = self._pairs(inputs)
        key = (name, blake2b(np.ascontiguousarray(pairs).tobytes()).digest())
        if key not in self._known:
            self._known[key] = compute(pairs)
        return self._known[key]

    def _pairs(self, inputs: ProteinPairs) -> Pairs:
        if len(inputs.proteins) != len(self._graph):
            message = "these pairs are not of the proteins of this graph"
            raise ValueError(message)
        return inputs.nodes


@final
@dataclass(frozen=True, slots=True)
class _OnSample(BaselineModel):
    """A model that is trained on a sample where there is more than it needs."""

    model: BaselineModel

    def fit(self, train: LabelledFeatures, validation: LabelledFeatures, labels: int) -> FittedModel:
        """Draw at most so many examples of train."""
        if len(train) <= MOST_PAIRS:
            return self.model.fit(train, validation, labels)
        rows = np.random.default_rng(0).choice(len(train), MOST_PAIRS, replace=False)
        fitted = self.model.fit(LabelledFeatures(train.features[rows], train.targets[rows]), validation, labels)
        chosen = f"{fitted.chosen} Trained on {MOST_PAIRS:,} of {len(train):,} pairs, drawn at random.".strip()
        return _Sampled(fitted, chosen)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Sampled(FittedModel):
    """A trained model, of which it is said that it has seen a sample only."""

    model: FittedModel
    chosen: str

    def probabilities(self, features: Features) -> Probabilities:
        """Predict."""
        return self.model.probabilities(features)
