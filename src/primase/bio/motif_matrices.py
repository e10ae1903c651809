"""A motif as a matrix of letter frequencies: how much it tells, and how it is written in one line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from jaxtyping import Float

from primase.bio.nucleotides import LETTERS

Frequencies = Float[np.ndarray, "4 width"]

_SINGLE: Final = 0.5
_PAIR: Final = 0.75
_ABSENT: Final = 0.05


@final
@dataclass(frozen=True, slots=True, eq=False)
class MotifMatrix:
    """A motif with a name.

    Parameters
    ----------
    name
        What it is called, without white space, such as ``"MA0139.2"``.
    frequencies
        The share of A, C, G and T (or U) at each place; columns sum to one.
    alternative
        Another name, such as that of the protein that binds it.
    sites
        How many sites it was made of; 0 if that is not known.
    e_value
        How many motifs as good were to be expected by chance; 0 if that is not known.
    """

    name: str
    frequencies: Frequencies
    alternative: str = ""
    sites: int = 0
    e_value: float = 0.0

    @property
    def width(self) -> int:
        """The number of places."""
        return int(self.frequencies.shape[1])

    @property
    def title(self) -> str:
        """Both names."""
        return f"{self.name} {self.alternative}".strip()

    @property
    def other_strand(self) -> MotifMatrix:
        """The motif as it is read on the other strand."""
        return replace(self, frequencies=self.frequencies[::-1, ::-1])

    def consensus(self, *, rna: bool = False) -> str:
        """Write the motif in IUPAC letters (:func:`consensus_of`)."""
        return consensus_of(self.frequencies, rna=rna)


def consensus_of(frequencies: Frequencies, *, rna: bool = False) -> str:
    """Write a motif in IUPAC letters, by the rules of Cavener (1987).

    One letter stands where it has more than half of the sites and twice as many as the next; the letter for two bases
    where these have more than three quarters; the letter for three bases where the fourth is all but absent (5 %);
    N elsewhere.

    Examples
    --------
    >>> consensus_of(np.array([[0.9, 0.5, 0.34, 0.25], [0, 0.5, 0.33, 0.25], [0.1, 0, 0.33, 0.25], [0, 0, 0, 0.25]]))
    'AMVN'
    """
    text = "".join(_letter(column) for column in frequencies.T)
    return text.replace("T", "U") if rna else text


def _letter(column: Float[np.ndarray, "4"]) -> str:
    order = np.argsort(-column, kind="stable")
    highest = column[order]
    if highest[0] > _SINGLE and highest[0] > 2 * highest[1]:
        kept = 1
    elif highest[:2].sum() > _PAIR:
        kept = 2
    else:
        kept = 3 if highest[3] <= _ABSENT and highest[2] > _ABSENT else 4
    return LETTERS[int(sum(1 << base for base in order[:kept]))]


def information(frequencies: Frequencies, *, sites: int = 0) -> Float[np.ndarray, "width"]:
    """Compute how much each place of a motif tells, in bits: from 0 (any letter) to 2 (always the same).

    This is two bits less the entropy of the letters (Schneider and Stephens 1990, equation 1).

    Parameters
    ----------
    sites
        How many sites the frequencies were counted in. If given, the bits that so few sites have by chance, about
        ``3 / (2 ln 2 sites)``, are taken off (equation 3 there).
    """
    shares = np.where(frequencies > 0, frequencies, 1.0)
    bits = 2 + (shares * np.log2(shares)).sum(axis=0)
    correction = 3 / (2 * np.log(2) * sites) if sites else 0.0
    return np.asarray(np.clip(bits - correction, 0, 2))
