"""Stretches of one width in many sequences, some of them read on the other strand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from primase.bio.nucleotides import complement
from primase.insight.columns import Codes


@final
@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """Where the stretches lie; they may reach over the ends of their sequences, where there is padding.

    Parameters
    ----------
    rows
        The sequence of each.
    starts
        Its first letter, from 0, on the strand that the sequence is written in.
    reverse
        Whether it is read on the other strand.
    width
        In letters.
    """

    rows: Int[np.ndarray, "stretches"]
    starts: Int[np.ndarray, "stretches"]
    reverse: Bool[np.ndarray, "stretches"]
    width: int

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.rows)

    def take(self, chosen: Shaped[np.ndarray, "chosen"]) -> Stretches:
        """Return some of them."""
        return replace(self, rows=self.rows[chosen], starts=self.starts[chosen], reverse=self.reverse[chosen])

    def once(self) -> Stretches:
        """Return each of them once, in their order."""
        places = np.stack([self.rows, self.starts])
        return self.take(np.sort(np.unique(places, axis=1, return_index=True)[1]))

    def turned(self) -> Stretches:
        """Read each on its other strand."""
        return replace(self, reverse=~self.reverse)

    def part(self, first: int, last: int) -> Stretches:
        """Take the places from the first up to, not including, the last, in the direction of reading."""
        skipped = np.where(self.reverse, self.width - last, first)
        return replace(self, starts=self.starts + skipped, width=last - first)

    def letters(self, codes: Codes) -> Codes:
        """Read the letters of each."""
        cut: Codes = self._cut(codes)
        cut[self.reverse] = complement(cut[self.reverse])[:, ::-1]
        return cut

    def values(self, track: Float[np.ndarray, "sequences length"]) -> Float[np.ndarray, "stretches width"]:
        """Read a value per letter of each."""
        cut = self._cut(track)
        cut[self.reverse] = cut[self.reverse][:, ::-1]
        return np.asarray(cut)

    def _cut(self, track: Any) -> Any:
        places = self.starts[:, None] + np.arange(self.width)
        inside = (places >= 0) & (places < track.shape[1])
        cut = track[self.rows[:, None], np.clip(places, 0, track.shape[1] - 1)]
        cut[~inside] = 0
        return cut
