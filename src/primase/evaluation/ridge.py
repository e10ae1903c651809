"""Ridge regression of many targets at once: one decomposition serves all strengths of the penalty, and all targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float
from scipy import linalg

from primase.data.examples import evenly_spread

ROWS_AT_ONCE: Final = 4096
STRENGTHS: Final[tuple[float, ...]] = tuple(float(10.0**power) for power in np.arange(-5, 2.01, 0.5))
"""The penalty as a multiple of the number of examples, from almost none to one that leaves almost nothing."""

FOLDS: Final = 5
DIVIDED_EXAMPLES: Final = 20_000
JUDGED_EXAMPLES: Final = 1_000
"""So many examples at most are divided into folds, and so many of a fold are judged on, evenly spread."""

Table = Float[np.ndarray, "examples columns"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """The mean and the standard deviation of each column; a missing value (NaN) counts in neither.

    Parameters
    ----------
    means, deviations
        A constant column has the deviation 1.
    """

    means: Float[np.ndarray, "columns"]
    deviations: Float[np.ndarray, "columns"]

    @classmethod
    def fit(cls, table: Table) -> Standard:
        """Measure the columns, block by block."""
        counts, sums = np.zeros(table.shape[1]), np.zeros(table.shape[1])
        for block in _blocks(table):
            known = ~np.isnan(block)
            counts += known.sum(axis=0)
            sums += np.where(known, block, 0).sum(axis=0)
        means = sums / np.maximum(counts, 1)
        squares = sum((np.nan_to_num(block - means) ** 2).sum(axis=0) for block in _blocks(table))
        deviations = np.sqrt(squares / np.maximum(counts, 1))
        # What differs by rounding alone is constant.
        constant = deviations <= 1e-7 * np.maximum(np.abs(means), 1e-7)
        return cls(means, np.where(constant, 1.0, deviations))

    def centred(self, block: Table) -> Table:
        """Subtract the means; a missing value becomes 0, which is the mean."""
        return np.asarray(np.nan_to_num(block.astype(np.float64) - self.means, nan=0.0))

    def scaled(self, block: Table) -> Table:
        """Subtract the means and divide by the deviations; a missing value becomes 0, which is the mean."""
        return np.asarray(self.centred(block) / self.deviations)


def _blocks(table: Table) -> Iterator[Table]:
    for start in range(0, len(table), ROWS_AT_ONCE):
        yield np.asarray(table[start : start + ROWS_AT_ONCE], dtype=np.float64)


@final
@dataclass(frozen=True, slots=True, eq=False)
class RidgePath:
    """The ridge regressions of some targets on the same features, for every strength of the penalty.

    Features are standardised, targets centred, so that the penalty treats all features alike and leaves the mean alone.
    Targets that are not known are taken to be the mean.

    Parameters
    ----------
    examples
        The number that was fitted to.
    axes
        The directions in which the features vary.
    spread
        How much they vary along each: the eigenvalues of the features' inner products.
    shared
        What the targets share with each direction: inner products, shape (directions, targets).
    squares
        The sum of squares of each target around its mean.
    inputs, targets
        How features and targets were standardised and centred.
    """

    examples: int
    axes: Float[np.ndarray, "features directions"]
    spread: Float[np.ndarray, "directions"]
    shared: Float[np.ndarray, "directions targets"]
    squares: Float[np.ndarray, "targets"]
    inputs: Standard
    targets: Standard

    @classmethod
    def fit(cls, features: Table, targets: Table) -> RidgePath:
        """Decompose the features; memory follows the number of features and targets, not that of the examples."""
        inputs, outputs = Standard.fit(features), Standard.fit(targets)
        width = features.shape[1]
        gram, cross, squares = np.zeros((width, width)), np.zeros((width, targets.shape[1])), np.zeros(targets.shape[1])
        for block, own in zip(_blocks(features), _blocks(targets), strict=True):
            scaled, centred = inputs.scaled(block), outputs.centred(own)
            gram += scaled.T @ scaled
            cross += scaled.T @ centred
            squares += (centred**2).sum(axis=0)
        spread, axes = linalg.eigh(gram) if width else (np.empty(0), np.empty((0, 0)))
        # Directions in which nothing varies but the rounding.
        kept = spread > max(spread.max(initial=0.0), 1e-300) * max(len(features), width) * np.finfo(np.float64).eps
        axes = axes[:, kept]
        return cls(len(features), axes, spread[kept], axes.T @ cross, squares, inputs, outputs)

    def weights(self, strengths: float | Float[np.ndarray, "targets"]) -> Float[np.ndarray, "features targets"]:
        """Return the weight of each standardised feature for each target.

        Parameters
        ----------
        strengths
            The penalty as a multiple of the number of examples, one for all targets or one for each; 0 gives the least
            squares (of several solutions the smallest).
        """
        penalty = np.broadcast_to(np.asarray(strengths, dtype=np.float64) * self.examples, self.squares.shape)
        return np.asarray(self.axes @ (self.shared / (self.spread[:, None] + penalty[None, :])))

    def cross_validated(self, strengths: Sequence[float] = STRENGTHS) -> Float[np.ndarray, "strengths targets"]:
        """Estimate the mean squared error of each target on new examples, by generalised cross-validation.

        It is what leaving out one example after the other gives, with the leverage of each example replaced by the mean
        leverage (Golub, Heath and Wahba 1979, Technometrics 21:215, equation 1.4). Infinite where there are hardly more
        examples than what was fitted to them.
        """
        found = np.full((len(strengths), len(self.squares)), np.inf)
        for place, strength in enumerate(strengths):
            damped = self.spread + strength * self.examples
            freedom = self.examples - 1 - float((self.spread / damped).sum())
            if freedom <= 0.01 * self.examples:
                continue
            explained = (2 / damped - self.spread / damped**2) @ self.shared**2
            residual = np.maximum(self.squares - explained, 0.0)
            found[place] = residual * self.examples / freedom**2
        return found

    def predictable(self) -> Float[np.ndarray, "targets"]:
        """Return the share of the variance of each target that the features tell, cross-validated: at most 1."""
        known = np.maximum(self.squares / max(self.examples, 1), 1e-300)
        share = 1 - self.cross_validated().min(axis=0) / known
        return np.asarray(np.where(self.squares > 0, share, 0.0))


def chosen_strengths(
    features: Table, targets: Table, strengths: Sequence[float] = STRENGTHS, *, tolerance: float = 0.0
) -> Float[np.ndarray, "targets"]:
    """Choose a strength of the penalty for each target, by its mean absolute error in five-fold cross-validation.

    Parameters
    ----------
    features, targets
        Examples in rows; targets may be missing (NaN). The folds are the same each time. Of very many examples some are
        taken, evenly spread.
    strengths
        To choose from, ascending, as multiples of the number of examples.
    tolerance
        The strongest penalty is taken whose error is larger than the least by no more than this share.

    Returns
    -------
    array
        Multiples of the number of examples; the largest where there are too few examples to divide.
    """
    count = len(features)
    if count < FOLDS:
        return np.full(targets.shape[1], max(strengths))
    rows = evenly_spread(count, DIVIDED_EXAMPLES)
    fold = np.random.default_rng(0).permutation(len(rows)) % FOLDS
    errors = np.zeros((len(strengths), targets.shape[1]))
    for number in range(FOLDS):
        held, kept = rows[fold == number], rows[fold != number]
        held = held[evenly_spread(len(held), JUDGED_EXAMPLES)]
        path = RidgePath.fit(features[kept], targets[kept])
        scaled, truth = path.inputs.scaled(features[held]), path.targets.centred(targets[held])
        # A penalty must not win by guessing the mean where nothing is known.
        known = ~np.isnan(targets[held])
        for place, strength in enumerate(strengths):
            errors[place] += (np.abs(scaled @ path.weights(strength) - truth) * known).sum(axis=0)
    # Twice as many examples need the same penalty, and not twice as much.
    share = len(rows) / count
    good = errors <= errors.min(axis=0) * (1 + tolerance)
    strongest = len(strengths) - 1 - good[::-1].argmax(axis=0)
    return np.asarray(np.array(strengths, dtype=np.float64)[strongest] * share)
