"""What the network must beat, and what nuisances alone would tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Shaped

from primase.apps.expression.annotations import is_kind
from primase.apps.expression.profiles import Profiles
from primase.data.examples import Examples
from primase.evaluation.regressors import (
    RegressionRival,
    Ridge,
    linear_rival,
    mean_rival,
    nearest_rival,
    ridge_rival,
)

SEES: Final = "the landmark genes"
MOST_LEVELS: Final = 50
"""A column with more different words than this is a name, and no batch."""


def landmark_values(examples: Examples[Any]) -> Float[np.ndarray, "examples landmarks"]:
    """Return the landmarks as they are; a missing one is NaN."""
    return np.asarray(examples.inputs.values())


def baselines() -> tuple[RegressionRival, ...]:
    """Make the rivals of D-GEX (Chen et al. 2016), and a ridge regression, which is harder to beat."""
    return (
        mean_rival(),
        linear_rival(landmark_values, SEES),
        ridge_rival(landmark_values, SEES),
        nearest_rival(landmark_values, SEES),
    )


def probes(train: Examples[Profiles]) -> tuple[RegressionRival, ...]:
    """Make a probe of each column of words that came with the samples, and of the total of the landmarks."""
    total = RegressionRival(
        "total of the landmarks",
        "Sees the mean over all landmarks of a sample and its square, and nothing else.",
        _total,
        Ridge(),
    )
    kinds = {name: words for name, words in train.covariates.items() if is_kind(words, MOST_LEVELS)}
    return (*(_word_probe(name, words) for name, words in kinds.items()), total)


def _total(examples: Examples[Profiles]) -> Float[np.ndarray, "examples 2"]:
    values = landmark_values(examples)
    known = ~np.isnan(values)
    means = np.where(known, values, 0).sum(axis=1, dtype=np.float64) / np.maximum(known.sum(axis=1), 1)
    return np.stack([means, means**2], axis=1)


def _word_probe(name: str, words: Shaped[np.ndarray, "examples"]) -> RegressionRival:
    description = f"Sees the column {name} and nothing else: the mean of its kind."
    return RegressionRival(name, description, _indicators(name, words), Ridge())


def _indicators(name: str, words: Shaped[np.ndarray, "examples"]) -> Callable[[Examples[Any]], np.ndarray]:
    levels = np.array(sorted({str(word) for word in words.tolist()}))

    def features(examples: Examples[Any]) -> Float[np.ndarray, "examples levels"]:
        own = np.array([str(word) for word in examples.covariates[name].tolist()], dtype=levels.dtype.type)
        return np.asarray(own[:, None] == levels[None, :], dtype=np.float32)

    return features
