"""Which known motifs the motifs of a model are like, and how likely that is by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from jaxtyping import Float

from primase.bio.motif_matrices import MotifMatrix

FEWEST_KNOWN: Final = 50
"""Chance is estimated from the places of all known motifs; with fewer motifs, random ones are added to them."""


@final
@dataclass(frozen=True, slots=True)
class MotifMatch:
    """A known motif that a motif is like.

    Parameters
    ----------
    known
        The known motif.
    p_value
        How likely a random motif is as much like this known one, in its best alignment.
    e_value
        How many of all known motifs are to be expected to be as much like a random one.
    q_value
        The share of false matches among this and the better ones (Benjamini and Hochberg 1995).
    offset
        How many places of the known motif come before the first one of the motif; negative if it begins later.
    overlap
        How many places lie above each other.
    reverse
        Whether the known motif is alike on its other strand; the offset counts there.
    """

    known: MotifMatrix
    p_value: float
    e_value: float
    q_value: float
    offset: int
    overlap: int
    reverse: bool


def match_motifs(
    motifs: Sequence[MotifMatrix], known: Sequence[MotifMatrix], *, both_strands: bool, most: int = 3
) -> list[list[MotifMatch]]:
    """Compare motifs with known ones by Tomtom (Gupta et al. 2007; Schreiber 2025), which scores every alignment.

    The first call on a machine compiles for about a minute.

    Parameters
    ----------
    both_strands
        Whether to compare with the other strand of the known motifs, too.
    most
        How many matches of each motif to return.

    Returns
    -------
    list of list of MotifMatch
        The best matches of each motif, the best first.
    """
    if not motifs or not known:
        return [[] for _ in motifs]
    p_values, _, offsets, overlaps, strands = _tomtom(motifs, known, both_strands=both_strands)
    matches = []
    for query in range(len(motifs)):
        p_value = np.clip(p_values[query, : len(known)], 0.0, 1.0)
        q_value = _false_discovery_rates(p_value)
        matches.append(
            [
                MotifMatch(
                    known=known[target],
                    p_value=float(p_value[target]),
                    e_value=float(p_value[target] * len(known)),
                    q_value=float(q_value[target]),
                    offset=int(offsets[query, target]),
                    overlap=int(overlaps[query, target]),
                    reverse=bool(strands[query, target]),
                )
                for target in np.argsort(p_value, kind="stable")[:most]
            ]
        )
    return matches


def _tomtom(motifs: Sequence[MotifMatrix], known: Sequence[MotifMatrix], *, both_strands: bool) -> Any:
    # memelite brings numba, which takes two seconds to import.
    from memelite import tomtom  # noqa: PLC0415

    queries, targets = (
        [np.ascontiguousarray(motif.frequencies, dtype=np.float64) for motif in side] for side in (motifs, known)
    )
    targets += _random_motifs(FEWEST_KNOWN - len(targets))
    return tomtom(queries, targets, reverse_complement=both_strands, n_jobs=1)


def _random_motifs(count: int) -> list[Float[np.ndarray, "4 width"]]:
    """Draw motifs whose places are as varied as those of known ones: from all but certain to all but empty."""
    generator = np.random.default_rng(0)
    return [generator.dirichlet(np.full(4, 0.3), size=int(generator.integers(6, 13))).T for _ in range(count)]


def _false_discovery_rates(p_values: Float[np.ndarray, "tests"]) -> Float[np.ndarray, "tests"]:
    order = np.argsort(p_values)
    scaled = p_values[order] * len(p_values) / np.arange(1, len(p_values) + 1)
    rates = np.empty_like(scaled)
    rates[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.asarray(np.minimum(rates, 1.0))
