"""Seqlets: short stretches of a sequence that contribute more to the answer than chance would put side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, final

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.lib.stride_tricks import sliding_window_view

from primase.insight.columns import Codes, is_letter

NULL_SUMS: Final = 500_000
"""So many sums of contributions in shuffled order stand for chance."""

MOST_ROUNDS: Final = 100
"""Few sequences are shuffled no more often than this."""

Sign = Literal[1, -1]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Seqlets:
    """Stretches of one width, which do not overlap; the strongest first.

    Parameters
    ----------
    rows
        The sequence of each.
    starts
        Where it begins, from 0.
    sums
        What its letters contribute together; all of one sign.
    """

    rows: Int[np.ndarray, "seqlets"]
    starts: Int[np.ndarray, "seqlets"]
    sums: Float[np.ndarray, "seqlets"]

    def __len__(self) -> int:
        """Return the number of seqlets."""
        return len(self.rows)


def find_seqlets(
    codes: Codes,
    contributions: Float[np.ndarray, "sequences length"],
    *,
    sign: Sign,
    width: int,
    false_discoveries: float,
    seed: int,
) -> Seqlets:
    """Find the stretches whose contributions add up to more than those of letters from anywhere in the sequence.

    Parameters
    ----------
    sign
        1 for stretches that raise the score, -1 for those that lower it.
    width
        Letters of each stretch.
    false_discoveries
        The share of stretches that may be as strong by chance, between 0 and 1: chance is the same contributions in
        random order within each sequence.
    seed
        For this order.
    """
    if len(codes) == 0 or codes.shape[1] < width:
        return Seqlets(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))
    there = is_letter(codes)
    values = sign * contributions
    possible = sliding_window_view(there, width, axis=1).all(axis=2)
    sums = np.where(possible, _sums(values, width), -np.inf)
    threshold = _threshold(sums[possible], _by_chance(values, there, width, seed), false_discoveries)
    rows, starts = _apart(sums, threshold, width)
    found = sums[rows, starts]
    order = np.argsort(-found, kind="stable")
    return Seqlets(rows[order], starts[order], sign * found[order])


def _sums(values: Float[np.ndarray, "sequences length"], width: int) -> Float[np.ndarray, "sequences windows"]:
    return np.asarray(sliding_window_view(values, width, axis=1).sum(axis=2))


def _by_chance(
    values: Float[np.ndarray, "sequences length"], there: Bool[np.ndarray, "sequences length"], width: int, seed: int
) -> Float[np.ndarray, "sums"]:
    """Add up contributions in random order; padding takes no part."""
    generator = np.random.default_rng(seed)
    rounds = min(MOST_ROUNDS, -(-NULL_SUMS // values.size))
    drawn = []
    for _ in range(rounds):
        keys = np.where(there, generator.random(values.shape), 2.0)
        order = np.argsort(keys, axis=1)
        shuffled = np.take_along_axis(values, order, axis=1)
        full = np.arange(values.shape[1] - width + 1) + width <= there.sum(axis=1, keepdims=True)
        drawn.append(_sums(shuffled, width)[full])
    return np.concatenate(drawn)


def _threshold(
    sums: Float[np.ndarray, "windows"], chance: Float[np.ndarray, "sums"], false_discoveries: float
) -> float:
    """Find the lowest sum from which on chance accounts for no more than the given share of what is found."""
    if len(sums) == 0 or len(chance) == 0:
        return np.inf
    candidates = np.unique(sums[sums > 1e-9])
    found = 1 - np.searchsorted(np.sort(sums), candidates, side="left") / len(sums)
    expected = 1 - np.searchsorted(np.sort(chance), candidates, side="left") / len(chance)
    good = np.flatnonzero(expected <= false_discoveries * found)
    return float(candidates[good[0]]) if len(good) else np.inf


def _apart(
    sums: Float[np.ndarray, "sequences windows"], threshold: float, width: int
) -> tuple[Int[np.ndarray, "seqlets"], Int[np.ndarray, "seqlets"]]:
    """Take the strongest window of each sequence, then the strongest that does not overlap it, and so on."""
    left = sums.copy()
    rows_found, starts_found = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    rows = np.arange(len(sums))
    while True:
        starts = left[rows].argmax(axis=1) if len(rows) else np.empty(0, dtype=np.int64)
        strong = left[rows, starts] >= threshold
        rows, starts = rows[strong], starts[strong]
        if len(rows) == 0:
            return np.concatenate(rows_found), np.concatenate(starts_found)
        rows_found.append(rows)
        starts_found.append(starts)
        near = np.abs(np.arange(left.shape[1]) - starts[:, None]) < width
        left[rows] = np.where(near, -np.inf, left[rows])
