"""Nearest neighbours among sparse rows, by the share of features in common; never dense, and in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy import sparse

from primase.evaluation.models import (
    BaselineModel,
    Features,
    FittedModel,
    LabelledFeatures,
    Probabilities,
    label_frequencies,
    log_loss,
)

PAIRS_PER_BLOCK = 2_000_000
"""How many pairs of rows that share a feature are held at once, unless a single row has more."""


def distinct_rows(features: Features) -> tuple[sparse.csr_array, Integer[np.ndarray, "rows"]]:
    """Find the different rows of a matrix of which only what is not zero counts.

    Returns
    -------
    rows
        The different rows, as ones, in order of first appearance.
    index
        Which of them each row is.

    Examples
    --------
    >>> rows, index = distinct_rows(np.array([[1, 0], [0, 2], [3, 0]]))
    >>> rows.toarray().tolist(), index.tolist()
    ([[1.0, 0.0], [0.0, 1.0]], [0, 1, 0])
    """
    table = sparse.csr_array(features, copy=True)
    table.sum_duplicates()
    table.eliminate_zeros()
    table.sort_indices()
    columns = table.indices.astype(np.int64)
    seen: dict[bytes, int] = {}
    index = np.empty(table.shape[0], dtype=np.int64)
    for row, (start, end) in enumerate(zip(table.indptr[:-1], table.indptr[1:], strict=True)):
        index[row] = seen.setdefault(columns[start:end].tobytes(), len(seen))
    first = np.unique(index, return_index=True)[1]
    rows = table[first]
    return sparse.csr_array((np.ones(rows.nnz), rows.indices, rows.indptr), shape=rows.shape), index


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Pairs of a query row and a training row that share a feature, by row and falling similarity, with their ties."""

    row: Integer[np.ndarray, "pairs"]
    neighbour: Integer[np.ndarray, "pairs"]
    similarity: Float[np.ndarray, "pairs"]
    tie: Integer[np.ndarray, "pairs"]
    tied: Float[np.ndarray, "ties"]
    before: Float[np.ndarray, "ties"]

    def weights(self, neighbours: int) -> Float[np.ndarray, "pairs"]:
        """Weight the nearest by similarity; those that tie for the last places share them."""
        share = np.clip((neighbours - self.before) / self.tied, 0.0, 1.0)
        weights: Float[np.ndarray, "pairs"] = self.similarity * share[self.tie]
        return weights


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Library:
    """The different rows of train, and how often each came with each label."""

    rows: sparse.csr_array
    transposed: sparse.csr_array
    label_counts: Float[np.ndarray, "rows labels"]
    frequencies: Float[np.ndarray, "labels"]

    def background(self, queries: sparse.csr_array, smoothing: float) -> Float[np.ndarray, "queries labels"]:
        """Return what to expect of each query before any neighbour votes.

        That is the frequencies of the labels in train; but where a query has no feature at all, those of the training
        examples without any, and where it shares none with train, those of the training examples that share none with
        another: what stands alone is often of one kind. Few such examples are pulled to the frequencies of all.
        """
        alone = self._frequencies(self._is_alone(), smoothing)
        featureless = self._frequencies(np.diff(self.rows.indptr) == 0, smoothing)
        is_featureless = np.diff(queries.indptr) == 0
        is_alone = queries @ np.diff(self.transposed.indptr) == 0
        expected = np.where(is_alone[:, None], alone, self.frequencies)
        return np.where(is_featureless[:, None], featureless, expected)

    def _frequencies(self, selected: Bool[np.ndarray, "rows"], smoothing: float) -> Float[np.ndarray, "labels"]:
        counts = self.label_counts[selected].sum(axis=0) + smoothing * self.frequencies
        return np.asarray(counts / counts.sum())

    def _is_alone(self) -> Bool[np.ndarray, "rows"]:
        """Tell which rows have features, and share none with another example of train."""
        examples = self.label_counts.sum(axis=1)
        popularity = self.transposed @ examples
        return np.asarray((np.diff(self.rows.indptr) > 0) & (self.rows @ (popularity - 1) == 0))

    def votes(self, queries: sparse.csr_array, choices: tuple[int, ...]) -> list[Float[np.ndarray, "queries labels"]]:
        """Sum the votes of the nearest rows, once for each choice of how many."""
        votes = [np.zeros((queries.shape[0], self.label_counts.shape[1])) for _ in choices]
        for start, end in self._blocks(queries):
            pairs = self._pairs(queries[start:end])
            shape = (end - start, self.rows.shape[0])
            for summed, neighbours in zip(votes, choices, strict=True):
                weights = sparse.csr_array((pairs.weights(neighbours), (pairs.row, pairs.neighbour)), shape=shape)
                summed[start:end] = weights @ self.label_counts
        return votes

    def _blocks(self, queries: sparse.csr_array) -> Iterator[tuple[int, int]]:
        """Cut the queries so that no block has many more pairs than fit."""
        popularity = np.diff(self.transposed.indptr)
        work = np.concatenate([[0], np.cumsum(queries @ popularity)])
        start = 0
        while start < queries.shape[0]:
            end = max(start + 1, int(np.searchsorted(work, work[start] + PAIRS_PER_BLOCK, side="right")) - 1)
            yield start, min(end, queries.shape[0])
            start = end

    def _pairs(self, queries: sparse.csr_array) -> _Pairs:
        shared = sparse.coo_array(queries @ self.transposed)
        row, neighbour = shared.coords
        union = np.diff(queries.indptr)[row] + np.diff(self.rows.indptr)[neighbour] - shared.data
        similarity = shared.data / union
        order = np.lexsort((-similarity, row))
        row, neighbour, similarity = row[order], neighbour[order], similarity[order]
        # Equal ratios of whole numbers are equal as floats, so that ties need no tolerance.
        opens_tie = np.ones(len(row), dtype=bool)
        opens_tie[1:] = (np.diff(row) != 0) | (np.diff(similarity) != 0)
        tie = np.cumsum(opens_tie) - 1
        tied = np.bincount(tie, weights=self.label_counts.sum(axis=1)[neighbour])
        running = np.concatenate([[0.0], np.cumsum(tied)])[:-1]
        tie_row = row[opens_tie]
        opens_row = np.ones(len(tie_row), dtype=bool)
        opens_row[1:] = np.diff(tie_row) != 0
        before = running - running[opens_row][np.cumsum(opens_row) - 1]
        return _Pairs(row, neighbour, similarity, tie, tied, before)


@final
@dataclass(frozen=True, slots=True, eq=False)
class FittedNeighbours(FittedModel):
    """The training rows, ready to be looked up."""

    library: _Library
    neighbours: int
    smoothing: float
    chosen: str = ""

    def probabilities(self, features: Features) -> Probabilities:
        """Let the nearest training examples vote; where none shares a feature, return the background."""
        queries, index = distinct_rows(features)
        (votes,) = self.library.votes(queries, (self.neighbours,))
        return _smoothed(votes, self.library.background(queries, self.smoothing), self.smoothing).take(index, axis=0)


def _smoothed(votes: Probabilities, background: Float[np.ndarray, "queries labels"], smoothing: float) -> Probabilities:
    summed = votes + smoothing * background
    smoothed: Probabilities = summed / summed.sum(axis=1, keepdims=True)
    return smoothed


@final
@dataclass(frozen=True, slots=True)
class NearestNeighbours(BaselineModel):
    """Similarity-weighted vote of the nearest training examples, by Jaccard similarity of their features.

    The similarity is the number of shared features over the number that either has. Every training example counts, also
    identical ones; those that tie for the last places share them. To the votes comes the background, as one more
    neighbour of similarity ``smoothing``: the frequencies of the labels in train; for an example that shares nothing,
    those among the training examples that share nothing with another; for one without any feature, those among such.

    Parameters
    ----------
    choices
        The numbers of neighbours to choose from, by log loss on validation (the middle one where it is empty).
    smoothing
        The weight of the background, above zero.
    """

    choices: tuple[int, ...] = (1, 5, 15)
    smoothing: float = 1.0

    def fit(self, train: LabelledFeatures, validation: LabelledFeatures, labels: int) -> FittedNeighbours:
        """Gather the different rows of train and choose the number of neighbours."""
        rows, index = distinct_rows(train.features)
        counts = np.bincount(index * labels + train.targets, minlength=rows.shape[0] * labels).reshape(-1, labels)
        frequencies = label_frequencies(train.targets, labels)
        library = _Library(rows, sparse.csr_array(rows.T), counts.astype(np.float64), frequencies)
        if not len(validation):
            neighbours = sorted(self.choices)[len(self.choices) // 2]
            chosen = f"There was no validation to choose by, so {neighbours} neighbours vote."
            return FittedNeighbours(library, neighbours, self.smoothing, chosen)
        queries, place = distinct_rows(validation.features)
        votes = library.votes(queries, self.choices)
        background = library.background(queries, self.smoothing)
        losses = [log_loss(validation.targets, _smoothed(v, background, self.smoothing)[place]) for v in votes]
        neighbours = self.choices[int(np.argmin(losses))]
        chosen = f"{neighbours} neighbour{'s vote' if neighbours > 1 else ' votes'}, chosen on validation by log loss."
        return FittedNeighbours(library, neighbours, self.smoothing, chosen)
