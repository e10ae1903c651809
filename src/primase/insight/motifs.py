"""From contributions to motifs: what the stretches that matter to a model, over many sequences, have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float, Int

from primase.bio.motif_matrices import Frequencies, MotifMatrix, consensus_of, information
from primase.bio.nucleotides import BASES, FRACTIONS
from primase.events import Listener, Progress, silent
from primase.insight.alignment import align
from primase.insight.columns import Codes, is_letter, observed
from primase.insight.enrichment import Enrichment, enrichment
from primase.insight.seqlets import Sign, find_seqlets
from primase.insight.stretches import Stretches

TRIMMED_SHARE: Final = 0.2
"""Places at the ends that contribute a smaller share than this of the strongest place are cut off."""

TRIMMED_BITS: Final = 0.2
"""So are places at the ends that tell less than this, in bits."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """Where a motif lies in the sequences that it was found in.

    Parameters
    ----------
    examples
        The position of the sequence among those that were explained.
    starts
        The first letter of the site in its window, from 0, on the strand that was read.
    reverse
        Whether the motif stands on the other strand there.
    contributions
        What its letters contribute together, in log-odds.
    """

    examples: Int[np.ndarray, "sites"]
    starts: Int[np.ndarray, "sites"]
    reverse: Bool[np.ndarray, "sites"]
    contributions: Float[np.ndarray, "sites"]

    def __len__(self) -> int:
        """Return the number of sites."""
        return len(self.examples)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Motif:
    """A motif that a model relies on.

    Parameters
    ----------
    name
        Such as ``"motif-1"``; numbered by how much their sites contribute together.
    matrix
        The share of A, C, G and T at each place, over all sites.
    contributions
        What each letter contributes at each place, in the mean over all sites, in log-odds.
    sites
        Where it was found.
    sign
        1 where it raises the score, -1 where it lowers it.
    enrichment
        Whether there are more sites than in the same sequences after shuffling.
    """

    name: str
    matrix: Frequencies
    contributions: Float[np.ndarray, "4 width"]
    sites: Sites
    sign: Sign
    enrichment: Enrichment

    @property
    def width(self) -> int:
        """The number of places."""
        return int(self.matrix.shape[1])

    @property
    def consensus(self) -> str:
        """The motif in IUPAC letters of DNA."""
        return consensus_of(self.matrix)

    @property
    def examples(self) -> int:
        """How many sequences have a site."""
        return len(np.unique(self.sites.examples))

    def to_matrix(self) -> MotifMatrix:
        """Return what a file of motifs holds."""
        return MotifMatrix(self.name, self.matrix, self.consensus, len(self.sites))


@final
@dataclass(frozen=True, slots=True)
class MotifSearch:
    """How motifs are looked for.

    Parameters
    ----------
    width
        Letters of a seqlet; the motif may come out narrower, or wider by up to twice the flank.
    flank
        Letters at either side of a seqlet that are looked at as well.
    false_discoveries
        The share of seqlets that may be due to chance.
    similarity
        How alike seqlets of one motif are, from 0 to 1: the cosine of their contributions.
    least_sites
        Motifs with fewer sites are dropped.
    most_seqlets
        More seqlets of either sign are not used; the strongest are.
    seed
        For what is shuffled.
    """

    width: int = 8
    flank: int = 5
    false_discoveries: float = 0.05
    similarity: float = 0.6
    least_sites: int = 10
    most_seqlets: int = 20_000
    seed: int = 0


def find_motifs(
    codes: Codes,
    contributions: Float[np.ndarray, "sequences length"],
    *,
    both_strands: bool,
    search: MotifSearch | None = None,
    listener: Listener = silent,
) -> list[Motif]:
    """Find the motifs that raise or lower the score over a set of sequences.

    Stretches with high contributions are compared with each other by their contributions, in every alignment, and
    put together where they are alike; the sites of each group are then counted letter by letter.

    Parameters
    ----------
    codes
        The sequences as the network read them.
    contributions
        What the letter at each position contributes, in log-odds.
    both_strands
        Whether a motif may stand on either strand, as in DNA.
    search
        How to look.
    listener
        Hears of the progress in signs: first what raises, then what lowers the score.

    Returns
    -------
    list of Motif
        Those whose sites contribute most together come first. Empty where nothing stands out.
    """
    search = search or MotifSearch()
    found: list[Motif] = []
    signs: tuple[Sign, Sign] = (1, -1)
    for done, sign in enumerate(signs, start=1):
        found += _of_sign(codes, contributions, sign, search, both_strands=both_strands)
        listener(Progress("motifs", done, len(signs), "signs"))
    return numbered(found)


def numbered(motifs: Sequence[Motif]) -> list[Motif]:
    """Sort motifs by what their sites contribute together, and number them."""
    strongest = sorted(motifs, key=lambda motif: -float(np.abs(motif.sites.contributions).sum()))
    return [replace(motif, name=f"motif-{number}") for number, motif in enumerate(strongest, start=1)]


def _of_sign(
    codes: Codes,
    contributions: Float[np.ndarray, "sequences length"],
    sign: Sign,
    search: MotifSearch,
    *,
    both_strands: bool,
) -> Iterator[Motif]:
    seqlets = find_seqlets(
        codes,
        contributions,
        sign=sign,
        width=search.width,
        false_discoveries=search.false_discoveries,
        seed=search.seed,
    )
    kept = slice(0, search.most_seqlets)
    # Where a seqlet begins depends on the letters around it, so that it is looked at with its flanks.
    rows, starts = seqlets.rows[kept], seqlets.starts[kept] - search.flank
    one_way = np.zeros(len(rows), dtype=bool)
    stretches = Stretches(rows, starts, one_way, search.width + 2 * search.flank)
    profiles = observed(sign * stretches.values(contributions), stretches.letters(codes))
    for group in align(profiles, both_strands=both_strands, similarity=search.similarity, least=search.least_sites):
        moved = starts[group.members] + group.offsets
        aligned = Stretches(rows[group.members], moved, group.reverse, stretches.width)
        motif = motif_of(codes, contributions, aligned, sign, both_strands=both_strands, seed=search.seed)
        if motif is not None and len(motif.sites) >= search.least_sites:
            yield motif


def motif_of(
    codes: Codes,
    contributions: Float[np.ndarray, "sequences length"],
    stretches: Stretches,
    sign: Sign,
    *,
    both_strands: bool,
    seed: int = 0,
) -> Motif | None:
    """Make a motif of aligned stretches: cut it to the places that matter, and count its sites.

    Returns
    -------
    Motif or None
        None where no place matters, or no stretch lies within its sequence as a whole.
    """
    if stretches.reverse.mean() > 0.5:
        stretches = stretches.turned()
    frequencies, shares = _counted(stretches.letters(codes), stretches.values(contributions))
    strength = np.abs(shares.sum(axis=0))
    bits = information(frequencies, sites=len(stretches))
    matters = np.flatnonzero((strength >= TRIMMED_SHARE * strength.max()) & (bits >= TRIMMED_BITS))
    if len(matters) == 0:
        return None
    sites = stretches.part(int(matters[0]), int(matters[-1]) + 1).once()
    sites = sites.take(np.flatnonzero(is_letter(sites.letters(codes)).all(axis=1)))
    if len(sites) == 0:
        return None
    letters, values = sites.letters(codes), sites.values(contributions)
    frequencies, shares = _counted(letters, values)
    return Motif(
        name="motif",
        matrix=frequencies,
        contributions=shares,
        sites=Sites(sites.rows, sites.starts, sites.reverse, values.sum(axis=1)),
        sign=sign,
        enrichment=enrichment(codes, sites.rows, letters, both_strands=both_strands, seed=seed),
    )


def _counted(
    letters: Codes, values: Float[np.ndarray, "sites width"]
) -> tuple[Frequencies, Float[np.ndarray, "4 width"]]:
    """Count letters, and take the mean contribution of each, place by place."""
    counts = FRACTIONS[letters & BASES].sum(axis=0, dtype=np.float64).T
    totals = counts.sum(axis=0)
    frequencies = np.divide(counts, totals, out=np.full(counts.shape, 0.25), where=totals > 0)
    return frequencies, observed(values, letters).mean(axis=0, dtype=np.float64)
