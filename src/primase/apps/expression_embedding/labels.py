"""What an embedding tells of labels that it was not trained with: nearest neighbours, beside principal components."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from jaxtyping import Bool, Float, Shaped
from sklearn.neighbors import KNeighborsClassifier

from primase.data.examples import Examples, evenly_spread
from primase.data.splits import Part
from primase.evaluation.intervals import Interval, Units, percentile_interval, resampled_weights

NEIGHBOURS: Final = 5
MOST_KNOWN: Final = 20_000
"""Neighbours are sought among so many samples of train at most, evenly spread."""
RESAMPLES: Final = 1_000

Embedding = Float[np.ndarray, "samples latent"]
Words = Shaped[np.ndarray, "samples"]


@final
@dataclass(frozen=True, slots=True)
class LabelFigures:
    """How well the nearest neighbours in train know a label of test samples.

    Parameters
    ----------
    network, pca
        The share of test samples whose label is that of most of their five neighbours, by the embedding of each.
    difference
        The one less the other, on the same resamples.
    majority
        The share of the most frequent label of train.
    samples, levels
        How many test samples have the label, and how many different ones there are in train.
    """

    network: Interval
    pca: Interval
    difference: Interval
    majority: Interval
    samples: int
    levels: int


def label_figures(
    label: str, parts: Mapping[Part, Examples[Any]], network: Mapping[str, Embedding], pca: Mapping[str, Embedding]
) -> LabelFigures | None:
    """Measure a label on the test part; None where there is nothing to tell apart.

    Parameters
    ----------
    parts, network, pca
        Examples and their two embeddings, by ``"train"`` and ``"test"``.
    """
    known, asked = (parts[part].covariates.get(label) for part in ("train", "test"))
    if known is None or asked is None:
        return None
    labelled = np.flatnonzero(_there(known))
    rows = labelled[evenly_spread(len(labelled), MOST_KNOWN)]
    tested = np.flatnonzero(_there(asked))
    levels = Counter(str(word) for word in known[rows].tolist())
    if len(levels) < 2 or not len(tested) or len(levels) > len(rows) / 2:
        return None
    truth = _texts(asked[tested])
    right = [
        _right(embedding["train"][rows], _texts(known[rows]), embedding["test"][tested], truth)
        for embedding in (network, pca)
    ]
    often = truth == levels.most_common(1)[0][0]
    both = np.stack([*right, right[0].astype(float) - right[1], often]).astype(np.float64)
    own, other, difference, majority = _intervals(both, units_of(parts["test"]).take(tested))
    return LabelFigures(own, other, difference, majority, len(tested), len(levels))


def _right(known: Embedding, labels: Words, asked: Embedding, truth: Words) -> Bool[np.ndarray, "samples"]:
    model = KNeighborsClassifier(min(NEIGHBOURS, len(known)), algorithm="brute").fit(known, labels)
    return np.asarray(model.predict(asked) == truth)


def units_of(examples: Examples[Any]) -> Units:
    """Say what intervals are drawn over: the groups that belong together, such as patients, else single samples."""
    if not examples.groups:
        return Units.of(np.arange(len(examples)), "sample")
    name, groups = next(iter(examples.groups.items()))
    return Units.of(groups, name)


def _intervals(values: Float[np.ndarray, "figures samples"], units: Units) -> list[Interval]:
    """Average each row, with a bootstrap interval over the units."""
    means = values.mean(axis=1)
    if units.count < 2:
        return [Interval.undefined(float(mean)) for mean in means]
    blocks = [
        weights @ values.T / weights.sum(axis=1, keepdims=True)
        for weights in resampled_weights(units, resamples=RESAMPLES, seed=0)
    ]
    return [
        percentile_interval(float(mean), drawn) for mean, drawn in zip(means, np.concatenate(blocks).T, strict=True)
    ]


def _there(words: Words) -> Bool[np.ndarray, "samples"]:
    return np.array([bool(str(word)) for word in words.tolist()], dtype=np.bool_)


def _texts(words: Words) -> Words:
    return np.array([str(word) for word in words.tolist()])
