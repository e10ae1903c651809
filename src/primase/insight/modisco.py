"""Motifs by TF-MoDISco, for those who have installed it: an alternative to our own search."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from primase.bio.nucleotides import BASES, FRACTIONS
from primase.errors import InputError
from primase.insight.columns import Codes
from primase.insight.motifs import Motif, motif_of, numbered
from primase.insight.seqlets import Sign
from primase.insight.stretches import Stretches


def find_motifs_by_modisco(
    codes: Codes,
    hypothetical: Float[np.ndarray, "sequences 4 length"],
    contributions: Float[np.ndarray, "sequences length"],
    *,
    both_strands: bool,
    seed: int = 0,
) -> list[Motif]:
    """Find motifs with the program TF-MoDISco (Shrikumar et al. 2018) in its edition modisco-lite.

    Its patterns are cut to the places that matter, and tested, as our own are.

    Parameters
    ----------
    hypothetical
        What each letter would contribute at each position.
    contributions
        What the letter that is there contributes.
    both_strands
        Must be True: the program always reads both strands.

    Raises
    ------
    InputError
        If modisco-lite is not installed, or the sequences have one strand.
    """
    if not both_strands:
        what = "TF-MoDISco always reads both strands of a sequence, and RNA has one"
        raise InputError(what, advice="Use our own search for motifs, which is the default.")
    try:
        # It pulls in packages under the GPL, so that it is only used where the user has chosen to install it.
        program: Any = importlib.import_module("modiscolite.tfmodisco")
    except ImportError as error:
        what = "TF-MoDISco is not installed"
        advice = "Install the package modisco-lite, or use our own search for motifs, which is the default."
        raise InputError(what, got=str(error), advice=advice) from error
    onehot = FRACTIONS[codes & BASES].astype(np.float32)  # (sequences, length, 4)
    raising, lowering = program.TFMoDISco(onehot, hypothetical.transpose(0, 2, 1).astype(np.float32))
    signed: tuple[tuple[Sign, Any], ...] = ((1, raising), (-1, lowering))
    found = [
        motif_of(codes, contributions, stretches, sign, both_strands=True, seed=seed)
        for sign, patterns in signed
        for stretches in _stretches(patterns or ())
    ]
    return numbered([motif for motif in found if motif is not None])


def _stretches(patterns: Any) -> Iterator[Stretches]:
    """Read where the seqlets of each pattern lie."""
    for pattern in patterns:
        seqlets = pattern.seqlets
        rows, starts, ends = (
            np.array([getattr(seqlet, name) for seqlet in seqlets], dtype=np.int64)
            for name in ("example_idx", "start", "end")
        )
        reverse = np.array([bool(seqlet.is_revcomp) for seqlet in seqlets])
        yield Stretches(rows, starts, reverse, int(ends[0] - starts[0]))
