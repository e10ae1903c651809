"""Intervals: how far a figure could have been otherwise, had other proteins, patients or chromosomes been drawn.

The bootstrap (Efron, 1979) resamples the units that the split keeps together, not single examples: ten copies of one
protein are one piece of evidence (cluster bootstrap; Davison and Hinkley, 1997, section 3.8).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from jaxtyping import Float, Integer

ENOUGH_UNITS = 20
"""With fewer units than this a bootstrap over them is too narrow to be trusted."""

UNDEFINED_LIMIT = 0.05
"""The largest share of resamples in which a figure may be undefined before its interval is, too."""

CELLS_PER_BLOCK = 1_000_000
"""How many weights (resamples times examples) are held at once: eight megabytes."""


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval; ``low`` and ``high`` are NaN where no interval can be given.

    Examples
    --------
    >>> print(Interval(0.9454, 0.938, 0.9521))
    0.945 [0.938, 0.952]
    >>> f"{Interval(0.9454, 0.938, 0.9521):.1%}"
    '94.5% [93.8%, 95.2%]'
    >>> Interval(0.02, 0.01, 0.03).excludes(0.0)
    True
    """

    value: float
    low: float
    high: float

    @classmethod
    def undefined(cls, value: float = math.nan) -> Self:
        """Make a figure without an interval, or one that is not defined at all."""
        return cls(value, math.nan, math.nan)

    @property
    def has_bounds(self) -> bool:
        """Whether an interval could be given."""
        return not (math.isnan(self.low) or math.isnan(self.high))

    def excludes(self, number: float) -> bool:
        """Tell whether a number, such as no difference at all, lies beyond the interval; never where there is none."""
        return self.has_bounds and not self.low <= number <= self.high

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return format(self, "")

    def __format__(self, specification: str) -> str:
        specification = specification or ".3f"
        if math.isnan(self.value):
            return "not defined"
        value = format(self.value, specification)
        if not self.has_bounds:
            return f"{value} [no interval]"
        return f"{value} [{format(self.low, specification)}, {format(self.high, specification)}]"

    def to_state(self) -> dict[str, float | None]:
        """Describe the figure in JSON: ``value``, ``low`` and ``high``, null where not defined."""
        named = {"value": self.value, "low": self.low, "high": self.high}
        return {name: None if math.isnan(number) else float(number) for name, number in named.items()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read what :meth:`to_state` wrote."""
        return cls(*(math.nan if state[name] is None else float(state[name]) for name in ("value", "low", "high")))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What is drawn anew in each resample: examples, or groups of examples that the split keeps together.

    Parameters
    ----------
    index
        The unit of each example: an integer, which may be any.
    name
        What one unit is, in the singular: ``"example"``, ``"homology cluster"``, ``"chromosome"``.
    count
        How many units there are; :meth:`of` counts them.
    instead_of
        Where ``index`` holds smaller blocks because there were too few units: what they stand in for, such as
        ``"7 chromosomes"``.
    """

    index: Integer[np.ndarray, "examples"]
    name: str
    count: int
    instead_of: str | None = None

    @classmethod
    def of(cls, groups: Integer[np.ndarray, "examples"], name: str) -> Self:
        """Make units of groups, numbered anew from zero.

        Examples
        --------
        >>> Units.of(np.array([7, 7, 3]), "patient").count
        2
        """
        distinct, index = np.unique(groups, return_inverse=True)
        return cls(index=index.reshape(-1), name=name, count=len(distinct))

    @classmethod
    def examples(cls, count: int) -> Self:
        """Let every example be its own unit."""
        return cls(index=np.arange(count), name="example", count=count)

    def take(self, selected: np.ndarray) -> Units:
        """Return the units of some examples, chosen by a mask or by positions."""
        chosen = Units.of(self.index[selected], self.name)
        return Units(chosen.index, chosen.name, chosen.count, self.instead_of)

    @property
    def statement(self) -> str:
        """What the intervals were drawn over, as a sentence for the reader.

        Examples
        --------
        >>> Units.examples(300).statement
        'Intervals are over 300 examples.'
        """
        counted = f"Intervals are over {self.count:,} {self.name}{'' if self.count == 1 else 's'}"
        if self.instead_of is not None:
            counted += f" (the split keeps only {self.instead_of} apart, which are too few to draw from)"
        if self.count < 2:
            return f"{counted}: too few for any interval."
        if self.count < ENOUGH_UNITS:
            return f"{counted}, fewer than {ENOUGH_UNITS}: they are narrower than they should be."
        return f"{counted}."


def choose_units(units: Units, blocks: Units) -> Units:
    """Choose what to resample: the units of the split, or named smaller blocks where there are fewer than 20 of them.

    Parameters
    ----------
    units
        What the split keeps together, such as chromosomes.
    blocks
        Smaller pieces of them, such as windows of a million base pairs.

    Returns
    -------
    Units
        One of the two; its ``statement`` says which, and why.

    Examples
    --------
    >>> chromosomes = Units.of(np.arange(100) // 50, "chromosome")
    >>> choose_units(chromosomes, Units.of(np.arange(100) // 2, "block of 1 Mb")).count
    50
    """
    if units.count >= ENOUGH_UNITS or blocks.count <= units.count:
        return units
    kept = f"{units.count} {units.name}{'' if units.count == 1 else 's'}"
    return Units(blocks.index, blocks.name, blocks.count, instead_of=kept)


def resampled_weights(
    units: Units, *, resamples: int, seed: int, cells_per_block: int = CELLS_PER_BLOCK
) -> Iterator[Float[np.ndarray, "block examples"]]:
    """Draw as many units as there are, with replacement, many times, and say how often each example came.

    Parameters
    ----------
    units
        What is drawn.
    resamples
        How many times.
    seed
        Of the draw; the weights do not depend on the size of the blocks.
    cells_per_block
        The most weights in memory at once, unless a single resample has more.

    Yields
    ------
    numpy.ndarray
        The weight of every example (columns) in the next resamples (rows).
    """
    generator = np.random.default_rng(seed)
    per_block = max(1, cells_per_block // max(len(units.index), units.count, 1))
    for start in range(0, resamples, per_block):
        rows = min(per_block, resamples - start)
        # Drawing indices and counting them is a multinomial draw, several times as fast as numpy's own.
        drawn = generator.integers(units.count, size=(rows, units.count))
        drawn += np.arange(rows)[:, None] * units.count
        counts = np.bincount(drawn.reshape(-1), minlength=rows * units.count).reshape(rows, units.count)
        yield counts.astype(np.float64)[:, units.index]


def percentile_interval(
    value: float, resampled: Float[np.ndarray, "resamples"], *, reflected: bool = False
) -> Interval:
    """Lay a 95 % interval around a figure: the middle 95 % of what it was in the resamples (Efron, 1979).

    Resamples in which the figure is not defined (NaN, as when a label was not drawn at all) are left out; where they
    are more than 5 %, or where there are none, no interval is given.

    Parameters
    ----------
    value
        The figure on the data themselves.
    resampled
        The figure on each resample.
    reflected
        Mirror the resamples at the figure (the basic bootstrap; Davison and Hinkley, 1997, section 5.2). For a figure
        that drawing anew itself pushes to one side: what the resamples have more than the data, the data have more
        than the truth. The interval is stretched to hold the figure where it would not.

    Examples
    --------
    >>> print(percentile_interval(0.5, np.linspace(0, 1, 1001)))
    0.500 [0.025, 0.975]
    """
    defined = resampled[~np.isnan(resampled)]
    if math.isnan(value) or len(defined) == 0 or len(defined) < (1 - UNDEFINED_LIMIT) * len(resampled):
        return Interval.undefined(value)
    low, high = np.quantile(defined, [0.025, 0.975])
    if reflected:
        low, high = min(value, 2 * value - high), max(value, 2 * value - low)
    return Interval(float(value), float(low), float(high))
