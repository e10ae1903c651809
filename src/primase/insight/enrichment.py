"""Whether a motif is more than what the letters of the sequences would give anyway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import fisher_exact

from primase.bio.nucleotides import BASES, FRACTIONS, reverse_complement
from primase.bio.shuffling import shuffle_dinucleotides
from primase.insight.columns import Codes, is_letter

CHANCE: Final = 0.1
"""A match as good as those that count is found in about this share of the shuffled sequences."""

PSEUDOCOUNT: Final = 0.5


@final
@dataclass(frozen=True, slots=True)
class Enrichment:
    """In how many sequences a motif is found, and in how many of the same after shuffling.

    Parameters
    ----------
    found, found_in_shuffled
        Sequences with a match.
    sequences
        All sequences that were looked at.
    p_value
        Of Fisher's exact test that there are more in the sequences than in the shuffled ones, one-sided. It is not
        corrected for the number of motifs.
    """

    found: int
    found_in_shuffled: int
    sequences: int
    p_value: float


def enrichment(
    codes: Codes, rows: Int[np.ndarray, "sites"], letters: Codes, *, both_strands: bool, seed: int
) -> Enrichment:
    """Look for a motif in sequences and in shuffled ones that keep their pairs of neighbours.

    The motif was made of these very sequences, and fits them better than others for that alone. So the even ones are
    searched with the sites of the odd ones, and the other way round.

    Parameters
    ----------
    rows
        The sequence of each site.
    letters
        The letters of each site, aligned.
    both_strands
        Whether to look on both strands.
    """
    shuffled = shuffle_dinucleotides(codes, shuffles=1, seed=seed)[:, 0]
    background = FRACTIONS[codes & BASES].sum(axis=(0, 1), dtype=np.float64) + PSEUDOCOUNT
    found = found_in_shuffled = 0
    for fold in (0, 1):
        counts = FRACTIONS[letters[rows % 2 != fold] & BASES].sum(axis=0, dtype=np.float64) + PSEUDOCOUNT
        odds = np.log2(counts / counts.sum(axis=1, keepdims=True)) - np.log2(background / background.sum())
        own, chance = (_best(part[fold::2], odds, both_strands=both_strands) for part in (codes, shuffled))
        if len(own):
            threshold = np.quantile(chance, 1 - CHANCE)
            found += int((own >= threshold).sum())
            found_in_shuffled += int((chance >= threshold).sum())
    table = np.array([[found, len(codes) - found], [found_in_shuffled, len(codes) - found_in_shuffled]])
    return Enrichment(found, found_in_shuffled, len(codes), float(fisher_exact(table, alternative="greater").pvalue))


def _best(codes: Codes, odds: Float[np.ndarray, "width 4"], *, both_strands: bool) -> Float[np.ndarray, "sequences"]:
    """Score the best match in each sequence, in bits; a sequence shorter than the motif has none."""
    places = codes.shape[1] - len(odds) + 1
    best = np.full(len(codes), -1e9)
    if places < 1:
        return best
    for read in (codes, reverse_complement(codes))[: 1 + both_strands]:
        # An ambiguous letter scores the mean of its bases, and padding matches nothing.
        per_code = FRACTIONS @ odds.T  # (16, width)
        per_code[0] = -1e6
        letters = np.where(is_letter(read), read & BASES, 0)
        scores = np.zeros((len(codes), places))
        for place in range(len(odds)):
            scores += per_code[letters[:, place : place + places], place]
        best = np.maximum(best, scores.max(axis=1))
    return best
