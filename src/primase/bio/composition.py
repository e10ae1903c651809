"""What a protein is made of: how long it is, and which amino acids it has how much of."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from jaxtyping import Float

from primase.bio.alphabets import PROTEIN

COMPOSITION_COLUMNS: Final = ("log length", *(f"share of {letter}" for letter in PROTEIN.letters))
"""What the columns of :func:`describe_sequences` are."""


def describe_sequences(sequences: pl.Series) -> Float[np.ndarray, "proteins columns"]:
    """Summarise sequences by the logarithm of their length and the share of each of the twenty amino acids.

    Examples
    --------
    >>> describe_sequences(pl.Series(["AACA"]))[0, 1:4].tolist()
    [0.75, 0.25, 0.0]
    """
    lengths = sequences.str.len_bytes().cast(pl.Float64)
    shares = [sequences.str.count_matches(letter, literal=True) / lengths for letter in PROTEIN.letters]
    return np.column_stack([np.log(lengths.to_numpy()), *(share.to_numpy() for share in shares)])
