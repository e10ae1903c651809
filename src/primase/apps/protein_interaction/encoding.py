"""From pairs of proteins to tensors: numbers of proteins, and the graph that the training part lets the network hear.

What the network hears through is made of the training links alone. While it learns about a link, that link must not
speak for itself either: a network that sees a link need not guess it. So the training links are dealt into folds, and
those of a fold, and the negatives beside them, are learned from a graph that lacks the whole fold; its main axes are
computed without them, too, and turned to lie along those of the whole graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import sparse

from primase.apps.protein_interaction.configuration import InteractionConfiguration
from primase.apps.protein_interaction.model import View
from primase.apps.protein_interaction.pairs import FeatureMatrix, ProteinPairs, Proteins
from primase.bio.graphs import Graph, Pairs, pair_keys
from primase.bio.spectral import eigenvectors
from primase.data.encoding import Batch, Encoder, EncoderState
from primase.data.examples import Examples, Indices
from primase.errors import BundleError, InputError

FoldsOf = Literal["links", "proteins"]

MOST_COORDINATES: Final = 20_000_000
"""Of a large graph fewer axes are taken, so that no more than so many numbers are computed for all its folds."""

NODES_PER_AXIS: Final = 16
"""A small graph has a few axes that mean something, and noise."""

LEAST_AXES: Final = 8

DENSE_COLUMN: Final = 0.5
"""A sparse feature that more than this share of proteins has is centred; others, such as domains, stay as they are."""

_CONSTANT: Final = 1e-12


@final
@dataclass(frozen=True, slots=True, eq=False)
class EncodedPairs:
    """Pairs of proteins as the network numbers them.

    Parameters
    ----------
    nodes
        Those beyond the known proteins are rows of ``new_features``.
    folds
        From which graph each pair is learned.
    """

    nodes: Int[np.ndarray, "examples width"]
    folds: Int[np.ndarray, "examples"]
    new_features: Float[np.ndarray, "new features"]

    largest_batch = 1_000_000
    """All proteins are embedded anew for each batch."""

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.nodes)

    def batch(self, indices: Indices) -> Batch:
        """Return ``nodes`` and ``fold``, and ``new_features`` if there are proteins that the model does not know."""
        batch = {"nodes": torch.from_numpy(self.nodes[indices]), "fold": torch.from_numpy(self.folds[indices])}
        if len(self.new_features):
            batch["new_features"] = torch.from_numpy(self.new_features)
        return batch


@final
@dataclass(frozen=True, eq=False)
class PairEncoder(Encoder[ProteinPairs]):
    """Numbers proteins, and holds what is known of them and the links of the training part.

    Parameters
    ----------
    proteins
        Those of the graph, their features as the network reads them.
    views
        The message graph with the place of each protein in it; when training, one more for each fold.
    center, scale
        Of the features; empty where there are none.
    width
        2 for pairs, 1 for single proteins.
    positive_share
        The share of interactions among the training pairs.
    """

    proteins: Proteins
    views: Sequence[View]
    center: Float[np.ndarray, "features"]
    scale: Float[np.ndarray, "features"]
    width: int
    folds_of: FoldsOf
    seed: int
    positive_share: float

    @classmethod
    def fit(cls, train: Examples[ProteinPairs], configuration: InteractionConfiguration) -> PairEncoder:
        """Take the links, the axes and the scale of the features from training pairs."""
        proteins, width = train.inputs.proteins, train.inputs.nodes.shape[1]
        links = train.inputs.nodes[train.targets == 1] if width == 2 else None
        graph = Graph.of(proteins.names, links) if links is not None else proteins.graph
        assert graph is not None, "single proteins come with their graph"
        folds_of: FoldsOf = "proteins" if configuration.split.split == "node-disjoint" else "links"
        settings = configuration.network
        folds = settings.folds if width == 2 else 0
        views = _views(graph, _axes(graph, settings.spectral, folds), folds, folds_of, configuration.seed)
        center, scale = _usual(proteins.features, np.unique(train.inputs.nodes))
        scaled = _scaled(proteins.features, center, scale)
        known = Proteins(proteins.names, scaled, proteins.feature_names, graph)
        share = float((train.targets == 1).mean())
        return cls(known, views, center, scale, width, folds_of, configuration.seed, share)

    @property
    def graph(self) -> Graph:
        """The message graph: the links of the training part."""
        return self.views[0].graph

    @property
    def folds(self) -> int:
        """How many graphs lack a share of the links each; 0 once training is over."""
        return len(self.views) - 1

    def fold_of(self, nodes: Int[np.ndarray, "examples width"]) -> Int[np.ndarray, "examples"]:
        """Tell from which graph each pair is learned, whether it is a link or not."""
        return _fold_of(nodes, len(self.proteins), self.folds, self.folds_of, self.seed)

    def encode(self, inputs: ProteinPairs) -> EncodedPairs:
        """Give proteins the numbers that the network knows them by.

        Raises
        ------
        InputError
            If a protein is neither known nor described by features.
        """
        if inputs.nodes.shape[1] != self.width:
            what = "the model answers questions about single proteins, and was given pairs"
            if self.width == 2:
                what = "the model answers questions about pairs of proteins, and was given single ones"
            raise InputError(what)
        number_of = self.proteins.number_of
        asked, places = np.unique(inputs.nodes, return_inverse=True)
        names = inputs.proteins.names[asked].tolist()
        new = [row for row, name in enumerate(names) if name not in number_of]
        numbers = np.array([number_of.get(name, -1) for name in names], dtype=np.int64)
        numbers[new] = len(self.proteins) + np.arange(len(new))
        described = np.empty((0, len(self.center)), dtype=np.float32)
        if new:
            described = self._described(inputs.proteins, asked[new])
        nodes = numbers[places].reshape(inputs.nodes.shape)
        return EncodedPairs(nodes, self.fold_of(nodes), described)

    def _described(self, proteins: Proteins, rows: Indices) -> Float[np.ndarray, "new features"]:
        """Scale the features of proteins that were not known in training."""
        if proteins.features is None or self.proteins.features is None:
            what = "a protein that the model does not know, and of which no features are given"
            raise InputError(what, got=str(proteins.names[rows[0]]))
        features = proteins.features[rows]
        if isinstance(self.proteins.features, np.ndarray) and not isinstance(features, np.ndarray):
            # Zeros of a dense matrix are scaled, too, and these must be as in training.
            features = features.toarray()
        scaled = _scaled(features, self.center, self.scale)
        return np.asarray(scaled.toarray() if sparse.issparse(scaled) else scaled, dtype=np.float32)

    def state(self) -> EncoderState:
        """Return what was learned, without the graphs of single folds, which only training needs."""
        facts = {
            "names": self.proteins.names.tolist(),
            "feature_names": list(self.proteins.feature_names),
            "width": self.width,
            "folds_of": self.folds_of,
            "seed": self.seed,
            "positive_share": self.positive_share,
        }
        arrays: dict[str, Any] = {
            "edges": self.graph.edges.astype(np.int32),
            "places": self.views[0].places,
            "axis_values": self.views[0].values,
            "center": self.center,
            "scale": self.scale,
        }
        features = self.proteins.features
        if isinstance(features, np.ndarray):
            arrays["features"] = features
        elif features is not None:
            arrays |= {
                "features_starts": features.indptr.astype(np.int64),
                "features_columns": features.indices.astype(np.int32),
                "features_values": features.data,
            }
        return EncoderState(facts, arrays)

    @classmethod
    def from_state(cls, state: EncoderState) -> PairEncoder:
        """Read what :meth:`state` returned.

        Raises
        ------
        BundleError
            If something is missing.
        """
        try:
            facts, arrays = state.facts, state.arrays
            names = np.array(facts["names"], dtype=object)
            graph = Graph(names, arrays["edges"].astype(np.int64))
            features: FeatureMatrix | None = arrays.get("features")
            if "features_starts" in arrays:
                parts = (arrays["features_values"], arrays["features_columns"], arrays["features_starts"])
                features = sparse.csr_array(parts, shape=(len(names), len(arrays["center"])))
            proteins = Proteins(names, features, tuple(facts["feature_names"]), graph)
            views = [View(graph, arrays["places"], arrays["axis_values"])]
            rest = [facts[name] for name in ("width", "folds_of", "seed", "positive_share")]
            return cls(proteins, views, arrays["center"], arrays["scale"], *rest)
        except KeyError as error:
            what = "the encoder of the bundle is not what it should be"
            raise BundleError(what, got=f"no {error}") from None


def _axes(graph: Graph, wanted: int, folds: int) -> int:
    nodes = max(len(graph), 1)
    return min(wanted, MOST_COORDINATES // (nodes * (folds + 1)), max(nodes // NODES_PER_AXIS, LEAST_AXES))


def _views(graph: Graph, axes: int, folds: int, folds_of: FoldsOf, seed: int) -> list[View]:
    """Make the whole message graph, and one that lacks a share of the links for each fold."""
    whole = View(graph, *_places(graph, axes))
    if not folds:
        return [whole]
    views = [whole]
    if folds_of == "links":
        fold_of_link = _fold_of(graph.edges, len(graph), folds, folds_of, seed)
        missing = [fold_of_link == fold for fold in range(folds)]
        scale = folds / (folds - 1)
    else:
        fold_of_protein = _spread(np.arange(len(graph)), seed) % folds
        missing = [np.any(fold_of_protein[graph.edges] == fold, axis=1) for fold in range(folds)]
        scale = 1.0
    for gone in missing:
        rest = Graph(graph.names, graph.edges[~gone])
        places, values = _places(rest, axes)
        views.append(View(rest, _turned(places, whole.places), values, scale))
    return views


def _places(graph: Graph, axes: int) -> tuple[Float[np.ndarray, "nodes axes"], Float[np.ndarray, "axes"]]:
    """Give each protein coordinates whose inner products rebuild the graph, of a mean square about the eigenvalue."""
    values, vectors = eigenvectors(graph, axes)
    places = np.zeros((len(graph), axes), dtype=np.float32)
    places[:, : len(values)] = vectors * np.sqrt(np.abs(values) * len(graph))
    return places, np.pad(values, (0, axes - len(values))).astype(np.float32)


def _turned(
    places: Float[np.ndarray, "nodes axes"], onto: Float[np.ndarray, "nodes axes"]
) -> Float[np.ndarray, "nodes axes"]:
    """Turn coordinates as a whole so that they lie along others (orthogonal Procrustes; Schönemann 1966).

    Eigenvectors are fixed up to a sign, and those of equal values up to a rotation, so that the same axis of two graphs
    need not mean the same.
    """
    if not places.shape[1]:
        return places
    left, _, right = np.linalg.svd(places.T @ onto)
    return np.asarray(places @ (left @ right), dtype=np.float32)


def _fold_of(nodes: Pairs, count: int, folds: int, folds_of: FoldsOf, seed: int) -> Int[np.ndarray, "examples"]:
    """Deal pairs into folds by a hash of their two proteins, or of one of them."""
    if folds < 2 or nodes.shape[1] != 2:
        return np.zeros(len(nodes), dtype=np.int64)
    spread = _spread(pair_keys(nodes, count), seed)
    if folds_of == "links":
        return spread % folds
    chosen = np.where((spread // folds) % 2 == 0, nodes.min(axis=1), nodes.max(axis=1))
    return _spread(chosen, seed) % folds


def _spread(numbers: Int[np.ndarray, "examples"], seed: int) -> Int[np.ndarray, "examples"]:
    """Turn numbers into ones that look random (the finaliser of SplitMix64; Steele, Lea and Flood 2014)."""
    mixed = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15 * (seed + 1) % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(1), dtype=np.int64)


def _usual(
    features: FeatureMatrix | None, rows: Indices
) -> tuple[Float[np.ndarray, "features"], Float[np.ndarray, "features"]]:
    """Compute mean and standard deviation of what most training proteins have; 0 and 1 for what few have."""
    if features is None:
        return np.empty(0), np.empty(0)
    if isinstance(features, np.ndarray):
        known = features[rows][_described_rows(features[rows])].astype(np.float64)
        mean = known.mean(axis=0) if len(known) else np.zeros(features.shape[1])
        deviation = known.std(axis=0) if len(known) else mean
        return mean, np.where(deviation > _CONSTANT, deviation, 1.0)
    matrix = features[rows].astype(np.float64)
    present = np.bincount(matrix.indices, minlength=matrix.shape[1])
    common = present > DENSE_COLUMN * matrix.shape[0]
    counts = np.maximum(present, 1)
    mean = np.asarray(matrix.sum(axis=0)).ravel() / counts
    squares = np.asarray(matrix.power(2).sum(axis=0)).ravel() / counts
    deviation = np.sqrt(np.maximum(squares - mean**2, 0))
    return np.where(common, mean, 0.0), np.where(common & (deviation > _CONSTANT), deviation, 1.0)


def _scaled(
    features: FeatureMatrix | None, center: Float[np.ndarray, "features"], scale: Float[np.ndarray, "features"]
) -> FeatureMatrix | None:
    """Centre and scale what is known; a protein of which nothing is, all zeros, is as the mean of the others."""
    if features is None:
        return None
    if isinstance(features, np.ndarray):
        known = _described_rows(features)[:, None]
        return np.asarray(np.where(known, (features - center) / scale, 0.0), dtype=np.float32)
    matrix = features.astype(np.float64)
    matrix.data = (matrix.data - center[matrix.indices]) / scale[matrix.indices]
    return matrix.astype(np.float32)


def _described_rows(features: Float[np.ndarray, "nodes features"]) -> Bool[np.ndarray, "nodes"]:
    return np.asarray(np.any(features != 0, axis=1))
