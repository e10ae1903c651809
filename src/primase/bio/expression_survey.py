"""One pass over an expression matrix: what is missing, negative or constant, and whether the values are raw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float, Int

from primase.bio.expression import Matrix, block_rows

LARGEST_LOGARITHM: Final = 50.0
"""No logarithm to base 2 of an expression value comes near this; raw values mostly go far beyond."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What the numbers of a file are like.

    Parameters
    ----------
    missing
        How many values of each gene are missing.
    first_missing, first_negative, first_infinite
        The sample and the column of the first such value; None if there is none.
    negative
        How many values are below zero.
    lowest, highest
        Of each gene; NaN for one without any value.
    all_whole
        Whether all values are whole numbers.
    """

    missing: Int[np.ndarray, "genes"]
    first_missing: tuple[int, int] | None
    first_negative: tuple[int, int] | None
    first_infinite: tuple[int, int] | None
    negative: int
    lowest: Float[np.ndarray, "genes"]
    highest: Float[np.ndarray, "genes"]
    all_whole: bool

    @property
    def constant(self) -> Int[np.ndarray, "constant"]:
        """The places of genes of which all values are one."""
        return np.flatnonzero(self.lowest == self.highest)

    @property
    def maximum(self) -> float:
        """The largest value; NaN if there is none."""
        known = self.highest[~np.isnan(self.highest)]
        return float(known.max()) if len(known) else float("nan")

    def guess_raw(self) -> tuple[bool, str]:
        """Guess whether values are raw, such as counts, rather than logarithms; and say why.

        Values below zero are none of counts. Whole numbers, and values above 50 (2 to the power of 50 is more than any
        assay counts), are raw. The rest is taken for logarithms, or for scaled in another way.
        """
        if self.negative:
            return False, "some values are negative"
        if self.all_whole and self.maximum > 1:
            return True, "all values are whole numbers"
        if self.maximum > LARGEST_LOGARITHM:
            return True, f"the largest value is {self.maximum:,.4g}, above {LARGEST_LOGARITHM:g}"
        return False, f"no value is above {LARGEST_LOGARITHM:g} (the largest is {self.maximum:.4g})"


def survey(matrix: Matrix) -> Survey:
    """Look at every value once, block by block."""
    samples, genes = matrix.shape
    missing = np.zeros(genes, dtype=np.int64)
    lowest, highest = np.full(genes, np.inf, dtype=np.float32), np.full(genes, -np.inf, dtype=np.float32)
    first: dict[str, tuple[int, int]] = {}
    negative, all_whole = 0, True
    step = block_rows(genes)
    for start in range(0, samples, step):
        values = matrix.rows(np.arange(start, min(start + step, samples)))
        absent = np.isnan(values)
        if absent.any():
            missing += absent.sum(axis=0)
            _note(first, "missing", absent, start)
        lowest = np.fmin(lowest, np.fmin.reduce(values, axis=0))
        highest = np.fmax(highest, np.fmax.reduce(values, axis=0))
        if np.isinf(lowest).any() or np.isinf(highest).any():
            _note(first, "infinite", np.isinf(values), start)
        below = values < 0
        if below.any():
            negative += int(below.sum())
            _note(first, "negative", below, start)
        all_whole = all_whole and bool(((values == np.rint(values)) | absent).all())
    unknown = missing == samples
    lowest[unknown], highest[unknown] = np.nan, np.nan
    return Survey(
        missing=missing,
        first_missing=first.get("missing"),
        first_negative=first.get("negative"),
        first_infinite=first.get("infinite"),
        negative=negative,
        lowest=lowest,
        highest=highest,
        all_whole=all_whole,
    )


def _note(first: dict[str, tuple[int, int]], kind: str, found: np.ndarray, start: int) -> None:
    """Keep the place of the first value of a kind."""
    if kind not in first and found.any():
        row, column = np.unravel_index(int(found.argmax()), found.shape)
        first[kind] = (start + int(row), int(column))
