"""Hide the letters around borders, where the way in which sequences were cut may give the answer away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from primase.bio.nucleotides import BASES, LOWER_CASE
from primase.data.sequences import Sequences


def hide_borders(sequences: Sequences, letters: int) -> Sequences:
    """Replace so many letters on either side of every border by N, and forget the case that showed where it was.

    A border is where case changes, as around a site that stands in upper case between its flanks; a sequence in one
    case has its borders at its ends.

    Parameters
    ----------
    sequences
        Records of files; each has letters of its own.
    letters
        How many on either side.
    """
    row = np.array(sequences.letters)
    for start, length in zip(sequences.starts.tolist(), sequences.lengths.tolist(), strict=True):
        codes = row[start : start + length]
        lower = codes & np.uint8(LOWER_CASE)
        borders = (np.flatnonzero(lower[1:] != lower[:-1]) + 1).tolist() or [0, length]
        for border in borders:
            codes[max(border - letters, 0) : border + letters] = BASES
    return replace(sequences, letters=row & np.uint8(BASES))
