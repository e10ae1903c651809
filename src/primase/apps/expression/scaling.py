"""Scaling of genes: fitted on the training part alone, block by block, and undone in what is predicted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import numpy as np
from jaxtyping import Float, Integer
from sklearn.preprocessing import QuantileTransformer

from primase.apps.expression.profiles import BLOCK, Profiles
from primase.data.encoding import EncoderState
from primase.data.examples import evenly_spread

ScalingMethod = Literal["zscore", "minmax", "quantile", "none"]
METHODS: Final[tuple[ScalingMethod, ...]] = get_args(ScalingMethod)

MOST_QUANTILES: Final = 1000
MOST_SAMPLES: Final = 10_000
"""Quantiles are taken from so many samples, evenly spread over the training part."""
_QUANTILES: Final = "quantiles"

Numbers = Float[np.ndarray, "genes"]
Table = Float[np.ndarray, "samples genes"]


@dataclass(frozen=True, slots=True, eq=False)
class Scaler:
    """Brings each gene to a scale that a network learns well from, and back.

    Parameters
    ----------
    method
        ``"zscore"``: mean 0 and standard deviation 1; ``"minmax"``: from 0 to 1 (values beyond those of training go
        beyond it); ``"quantile"``: to a normal distribution by the ranks of training values, which cannot be undone
        beyond the extremes of training; ``"none"``: as it is. A gene that is constant in training is shifted only.
    center, scale
        Per gene: scaled values are ``(value - center) / scale``.
    means
        The mean of each gene in training, on the modelled scale: what a missing value is filled with; 0 for a gene of
        which nothing is known.
    quantiles
        The quantiles of each gene in training, for that method, else without rows.
    """

    method: ScalingMethod
    center: Numbers
    scale: Numbers
    means: Numbers
    quantiles: Float[np.ndarray, "quantiles genes"]
    _transformer: QuantileTransformer | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.method == "quantile":
            object.__setattr__(self, "_transformer", _quantile_transformer(self.quantiles))

    @classmethod
    def fit(cls, training: Profiles | Table, method: ScalingMethod) -> Scaler:
        """Fit to the training part; missing values (NaN) are left out.

        Parameters
        ----------
        training
            Profiles, or values on the modelled scale, such as targets. They are read block by block.

        Raises
        ------
        ValueError
            If there is no such method.
        """
        if method not in METHODS:
            message = f"there is no scaling called {method}, only {', '.join(METHODS)}"
            raise ValueError(message)
        moments = _moments(training)
        center, scale = np.zeros_like(moments.means), np.ones_like(moments.means)
        quantiles = np.empty((0, len(moments.means)), dtype=np.float32)
        if method == "zscore":
            center, scale = moments.means, moments.deviations
        elif method == "minmax":
            center, scale = moments.lowest, moments.highest - moments.lowest
        elif method == "quantile":
            quantiles = _quantiles_of(training)
        # A gene whose values differ by rounding alone is constant.
        constant = moments.highest - moments.lowest <= 1e-6 * np.maximum(np.abs(moments.highest), 1e-6)
        scale = np.where(constant | (scale == 0), 1.0, scale)
        center, scale, means = (one.astype(np.float32) for one in (center, scale, moments.means))
        return cls(method, center, scale, means, quantiles)

    def only(self, rows: Integer[np.ndarray, "chosen"]) -> Scaler:
        """Scale some of the genes alone, by position."""
        return Scaler(
            self.method, self.center[rows], self.scale[rows], self.means[rows], np.asarray(self.quantiles[:, rows])
        )

    def scaled(self, values: Table, *, keep_missing: bool = False) -> Float[np.ndarray, "samples genes"]:
        """Scale values, float32; a missing one becomes the mean of training unless it is to stay missing (NaN)."""
        table = np.asarray(values, dtype=np.float32)
        if not keep_missing:
            missing = np.isnan(table)
            if missing.any():
                table = np.where(missing, self.means, table)
        if self._transformer is None:
            return np.asarray((table - self.center) / self.scale, dtype=np.float32)
        found = np.asarray(self._transformer.transform(table), dtype=np.float32)
        return np.where(self._constant, table - self.quantiles[0], found)

    def restored(self, values: Table) -> Float[np.ndarray, "samples genes"]:
        """Undo the scaling, float32."""
        table = np.asarray(values, dtype=np.float32)
        if self._transformer is None:
            return np.asarray(table * self.scale + self.center, dtype=np.float32)
        found = np.asarray(self._transformer.inverse_transform(table), dtype=np.float32)
        return np.where(self._constant, table + self.quantiles[0], found)

    def state(self, prefix: str = "") -> EncoderState:
        """Return all that is needed to make this scaler again, under names that begin with ``prefix``."""
        arrays = {"center": self.center, "scale": self.scale, "means": self.means, _QUANTILES: self.quantiles}
        named = {f"{prefix}{name}": array for name, array in arrays.items() if array.size}
        return EncoderState({f"{prefix}method": self.method}, named)

    @classmethod
    def from_state(cls, state: EncoderState, prefix: str = "") -> Scaler:
        """Make the scaler again that :meth:`state` describes."""
        arrays = state.arrays
        means = np.asarray(arrays[f"{prefix}means"], dtype=np.float32)
        none = np.empty((0, len(means)), dtype=np.float32)
        return cls(
            state.facts[f"{prefix}method"],
            np.asarray(arrays[f"{prefix}center"], dtype=np.float32),
            np.asarray(arrays[f"{prefix}scale"], dtype=np.float32),
            means,
            np.asarray(arrays.get(f"{prefix}{_QUANTILES}", none), dtype=np.float32),
        )

    @property
    def _constant(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return np.asarray(self.quantiles[0] == self.quantiles[-1])


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """What is known of each gene in training, float64; 0 for a gene without any value."""

    means: Numbers
    deviations: Numbers
    lowest: Numbers
    highest: Numbers


def _blocks(training: Profiles | Table) -> Iterator[Table]:
    if isinstance(training, Profiles):
        yield from (values for _, values in training.blocks())
    else:
        yield from (training[start : start + BLOCK] for start in range(0, len(training), BLOCK))


def _moments(training: Profiles | Table) -> _Moments:
    """Add up blocks without loss of precision (Chan, Golub and LeVeque 1983, The American Statistician 37:242)."""
    genes = len(training.columns) if isinstance(training, Profiles) else training.shape[1]
    count, mean, squares = (np.zeros(genes) for _ in range(3))
    lowest, highest = np.full(genes, np.inf), np.full(genes, -np.inf)
    for block in _blocks(training):
        known = ~np.isnan(block)
        whole = bool(known.all())
        values = block.astype(np.float64)
        added = np.full(genes, len(block)) if whole else known.sum(axis=0)
        own = (values if whole else np.where(known, values, 0.0)).sum(axis=0) / np.maximum(added, 1)
        values -= own
        if not whole:
            values[~known] = 0.0
        own_squares = np.einsum("sg,sg->g", values, values)
        total = count + added
        difference = np.where(added > 0, own - mean, 0.0)
        mean += difference * added / np.maximum(total, 1)
        squares += own_squares + difference**2 * count * added / np.maximum(total, 1)
        count = total
        lowest = np.fmin(lowest, np.fmin.reduce(block, axis=0, initial=np.inf))
        highest = np.fmax(highest, np.fmax.reduce(block, axis=0, initial=-np.inf))
    known_at_all = count > 0
    deviations = np.sqrt(squares / np.maximum(count, 1))
    return _Moments(mean, deviations, np.where(known_at_all, lowest, 0.0), np.where(known_at_all, highest, 0.0))


def _quantiles_of(training: Profiles | Table) -> Float[np.ndarray, "quantiles genes"]:
    count = len(training)
    chosen = evenly_spread(count, MOST_SAMPLES)
    levels = np.linspace(0, 1, min(MOST_QUANTILES, max(len(chosen), 2)))
    picked = [
        training.values(part) if isinstance(training, Profiles) else np.asarray(training[part], dtype=np.float32)
        for part in np.array_split(chosen, max(1, -(-len(chosen) // BLOCK)))
    ]
    table = np.concatenate(picked)
    found = np.zeros((len(levels), table.shape[1]), dtype=np.float32)
    for gene in range(table.shape[1]):
        values = table[:, gene]
        values = values[~np.isnan(values)]
        if len(values):
            # Rounding must not make a quantile smaller than the one before it.
            found[:, gene] = np.maximum.accumulate(np.quantile(values, levels))
    return found


def _quantile_transformer(quantiles: Float[np.ndarray, "quantiles genes"]) -> QuantileTransformer:
    """Make scikit-learn's transformer of quantiles that were found before."""
    count, genes = quantiles.shape
    transformer = QuantileTransformer(n_quantiles=count, output_distribution="normal", subsample=None)
    transformer.n_quantiles_ = count
    transformer.n_features_in_ = genes
    transformer.references_ = np.linspace(0, 1, count)
    transformer.quantiles_ = quantiles.astype(np.float64)
    return transformer
