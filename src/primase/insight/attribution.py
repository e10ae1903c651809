"""One result for every explanation: what in the input raised or lowered the score, and by how far to trust that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

SCHEMA = {
    "id": pl.String,
    "target": pl.String,
    "feature": pl.String,
    "position": pl.Int64,
    "value": pl.Float64,
    "method": pl.String,
}


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """How far an explanation can be trusted, measured on the explanation itself.

    Parameters
    ----------
    completeness_error
        The largest difference between the sum of an example's gradient attributions and what they should sum to: the
        change of the score from the empty input to the whole one. In log-odds; 0 is exact.
    score_range
        The largest such change, against which the error is to be read.
    agreement
        Spearman correlation between the two methods over all features of all examples, -1 to 1.
    sign_agreement
        The share of features to which both methods give the same sign.
    randomised_agreement
        Mean Spearman correlation with the attributions of the same network after shuffling its weights, several times:
        an explanation that stays the same when the network knows nothing explains nothing (Adebayo et al. 2018).
    """

    completeness_error: float
    score_range: float
    agreement: float
    sign_agreement: float
    randomised_agreement: float

    def to_state(self) -> dict[str, float | None]:
        """Describe the check in JSON; what is not defined is null."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: None if np.isnan(value) else float(value) for name, value in values.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """The contribution of every feature of every example to the score of one label.

    Parameters
    ----------
    table
        One row per example, feature and method: ``id``, ``target`` (the label whose score is explained), ``feature``,
        ``position`` (null where features have none), ``value`` (log-odds), ``method``.
    check
        How far to trust it; None where nothing could be explained.
    """

    table: pl.DataFrame
    check: SelfCheck | None

    def of(self, method: str) -> pl.DataFrame:
        """Return the rows of one method."""
        return self.table.filter(pl.col("method") == method)


def rank_correlation(first: Float[np.ndarray, "values"], second: Float[np.ndarray, "values"]) -> float:
    """Compute Spearman's correlation; NaN where either side is constant or there are fewer than two values."""
    if len(first) < 2:
        return float("nan")
    ranks: list[Any] = [pl.Series(values).rank().to_numpy() for values in (first, second)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])
