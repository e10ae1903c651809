"""Would more data help? Nested shares of the training part, and the power law that errors often follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float, Integer
from scipy import stats

SHARES: Final = (0.125, 0.25, 0.5, 1.0)
FEWEST: Final = 16
"""On fewer examples nothing is trained."""

GOOD_FIT: Final = 0.9
"""The least share of the variance of the logarithms that a power law must explain to be believed."""

_BEST: Final = dict.fromkeys(("auroc", "auprc", "f1", "accuracy", "mcc", "r2", "pearson", "ssim"), 1.0)
_ERRORS: Final = frozenset({"mae", "mse", "brier", "ece", "distance"})


def smallest_share(
    units: Integer[np.ndarray, "examples"], strata: Integer[np.ndarray, "examples"], seed: int
) -> Float[np.ndarray, "examples"]:
    """Tell for every example from which share of the data on it takes part, from 0 to 1.

    Shares are nested: what is in an eighth is in a quarter, too. What a split keeps together stays together, and every
    kind of example takes part in every share, in about the same proportions.

    Parameters
    ----------
    units
        What must stay together.
    strata
        The kind of each example, such as its label; a unit is of its most frequent kind.
    """
    _, dense = np.unique(units, return_inverse=True)
    sizes = np.bincount(dense)
    kinds = _most_frequent(dense, strata)
    generator = np.random.default_rng(seed)
    place = np.zeros(len(sizes))
    for kind in np.unique(kinds):
        members = generator.permutation(np.flatnonzero(kinds == kind))
        behind = np.cumsum(sizes[members])
        place[members] = (behind - sizes[members] / 2) / behind[-1]
        place[members[0]] = 0.0
    return np.asarray(place[dense])


def _most_frequent(
    units: Integer[np.ndarray, "examples"], strata: Integer[np.ndarray, "examples"]
) -> Integer[np.ndarray, "units"]:
    pairs, counts = np.unique(np.stack([units, strata]), axis=1, return_counts=True)
    order = np.lexsort((pairs[1], -counts, pairs[0]))
    first = np.flatnonzero(np.diff(pairs[0][order], prepend=-1))
    return np.asarray(pairs[1][order][first])


def error_of(metric: str, value: float) -> float:
    """Turn a metric into an error that 0 is the best of; NaN where it has no best value, such as PSNR.

    Examples
    --------
    >>> round(error_of("macro_auroc", 0.9), 3), error_of("mae", 0.4), error_of("psnr", 30.0)
    (0.1, 0.4, nan)
    """
    last = metric.rpartition("_")[2]
    if last in _ERRORS:
        return value
    return _BEST.get(last, math.nan) - value


def metric_of(metric: str, error: float) -> float:
    """Turn an error back into the metric."""
    last = metric.rpartition("_")[2]
    return error if last in _ERRORS else _BEST.get(last, math.nan) - error


@final
@dataclass(frozen=True, slots=True)
class PowerLaw:
    """Errors that fall as a power of the number of examples, ``scale * number ** -exponent`` (Hestness et al. 2017).

    Parameters
    ----------
    exponent, scale
        Of the law, by least squares of the logarithms.
    determination
        The share of the variance of the logarithms that it explains.
    spread
        The standard deviation of what it does not, of the natural logarithm.
    centre, width
        The mean of the logarithms of the sizes, and the sum of the squares of their distances to it.
    points
        How many sizes it was fitted to.
    """

    exponent: float
    scale: float
    determination: float
    spread: float
    centre: float
    width: float
    points: int

    def error(self, examples: float) -> float:
        """Tell the error at so many examples."""
        return float(self.scale * examples**-self.exponent)

    def bounds(self, examples: float) -> tuple[float, float]:
        """Say between which errors a run on so many examples would end, 95 % of the time, if the law goes on."""
        far = (math.log(examples) - self.centre) ** 2 / self.width
        half = float(stats.t.ppf(0.975, self.points - 2)) * self.spread * math.sqrt(1 + 1 / self.points + far)
        return self.error(examples) * math.exp(-half), self.error(examples) * math.exp(half)

    @property
    def per_doubling(self) -> float:
        """By which share the error falls with every doubling."""
        return 1 - 2**-self.exponent


def fit_power_law(sizes: Sequence[int], errors: Sequence[float]) -> PowerLaw | None:
    """Fit errors at several sizes; None where no power law describes them.

    That is so with fewer than four sizes, where the error does not fall, or where the law explains less than 90 % of
    how the logarithms vary.
    """
    if len(sizes) < 4 or not all(math.isfinite(error) and error > 0 for error in errors):
        return None
    x, y = np.log(np.asarray(sizes, dtype=np.float64)), np.log(np.asarray(errors, dtype=np.float64))
    width = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / width)
    left = y - y.mean() - slope * (x - x.mean())
    total = float(((y - y.mean()) ** 2).sum())
    determination = 1 - float((left**2).sum()) / total if total > 0 else 0.0
    if slope >= 0 or determination < GOOD_FIT:
        return None
    return PowerLaw(
        exponent=-slope,
        scale=math.exp(float(y.mean()) - slope * float(x.mean())),
        determination=determination,
        spread=math.sqrt(float((left**2).sum()) / (len(sizes) - 2)),
        centre=float(x.mean()),
        width=width,
        points=len(sizes),
    )
