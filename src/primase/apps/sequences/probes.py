"""What a sequence's length, composition, ends, case and single letters give away, which no motif is needed for.

Each probe is a small model on one such nuisance. What it reaches the network has not earned: sites that were cut by an
enzyme begin and end with the letters that it cuts at, wherever the protein binds.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
from jaxtyping import Float32, Float64

from primase.apps.sequences.anchors import (
    Case,
    Letters,
    first_letters,
    has_mixed_case,
    last_letters,
    marked_regions,
    marking_case,
    whole_blocks,
)
from primase.apps.sequences.positions import Position, best_position, letters_around
from primase.bio.nucleotides import BASES, FRACTIONS
from primase.data.examples import Examples
from primase.data.sequences import Sequences
from primase.evaluation.probes import Probe

END_LETTERS: Final = 12

Columns = Float32[np.ndarray, "sequences columns"] | Float64[np.ndarray, "sequences columns"]


def sequence_probes(train: Examples[Sequences]) -> list[Probe]:
    """Name the probes that make sense for these sequences.

    There is one on length if the lengths differ, those on case if both cases occur, and those on the letters around
    the borders of a region, and on the composition inside it, if case marks one region in each sequence.

    Parameters
    ----------
    train
        The training part; its targets are looked at to find the one position whose letter gives most away.
    """
    sequences = train.inputs
    probes = [Probe("composition", composition), Probe("ends", ends)]
    if len(np.unique(sequences.lengths)) > 1:
        probes.insert(0, Probe("length", length))
    if has_mixed_case(sequences):
        case = marking_case(sequences)
        probes.append(Probe("case", partial(case_columns, case=case or "upper")))
        if case is not None:
            probes.append(Probe(f"letters around the borders of the {case}-case region", partial(borders, case=case)))
            name = f"composition inside and outside the {case}-case region"
            probes.append(Probe(name, partial(region_composition, case=case)))
    best = best_position(train)
    if best is not None:
        probes.append(Probe(f"best single position ({best})", partial(one_letter, position=best)))
    return probes


def length(examples: Examples[Sequences]) -> Columns:
    """Give the length of each sequence in letters."""
    return examples.inputs.lengths.astype(np.float64)[:, None]


def composition(examples: Examples[Sequences]) -> Columns:
    """Give the shares of A, C, G, T, of G and C together, and of ambiguous letters."""
    sequences = examples.inputs
    shares = np.zeros((len(sequences), 6))
    for indices, letters in whole_blocks(sequences):
        shares[indices] = _shares(letters)
    return shares


def ends(examples: Examples[Sequences], *, count: int = END_LETTERS) -> Columns:
    """Give the first and the last twelve letters, a column for each base at each place."""
    sequences = examples.inputs
    return _columns_of(np.hstack([first_letters(sequences, count), last_letters(sequences, count)]))


def case_columns(examples: Examples[Sequences], *, case: Case) -> Columns:
    """Give the share of letters that have this case, where they start and end, and how long they stretch."""
    sequences = examples.inputs
    regions = marked_regions(sequences, case)
    stretch = regions.ends - regions.starts
    share = regions.marked / np.maximum(sequences.lengths, 1)
    return np.stack([share, regions.starts, sequences.lengths - regions.ends, stretch], axis=1).astype(np.float64)


def borders(examples: Examples[Sequences], *, case: Case) -> Columns:
    """Give the six letters just outside and the six just inside both borders of the marked region."""
    return _columns_of(np.hstack(letters_around(examples.inputs, case)))


def region_composition(examples: Examples[Sequences], *, case: Case) -> Columns:
    """Give the shares of bases inside the marked region, and those outside it."""
    sequences = examples.inputs
    regions = marked_regions(sequences, case)
    shares = np.zeros((len(sequences), 12))
    for indices, letters in whole_blocks(sequences):
        places = np.arange(letters.shape[1])
        inside = (places >= regions.starts[indices, None]) & (places < regions.ends[indices, None])
        outside = np.where(inside, np.uint8(0), letters)
        shares[indices] = np.hstack([_shares(np.where(inside, letters, np.uint8(0))), _shares(outside)])
    return shares


def one_letter(examples: Examples[Sequences], *, position: Position) -> Columns:
    """Give the letter at one place, a column for each base."""
    return _columns_of(position.letters(examples.inputs))


def _shares(letters: Letters) -> Float64[np.ndarray, "sequences six"]:
    codes = letters & np.uint8(BASES)
    counts = np.stack([(codes == code).sum(axis=1) for code in (1, 2, 4, 8)], axis=1)
    total = np.maximum((codes != 0).sum(axis=1, keepdims=True), 1)
    known = counts.sum(axis=1, keepdims=True)
    ambiguous = (codes != 0).sum(axis=1, keepdims=True) - known
    return np.hstack([counts / total, counts[:, 1:3].sum(axis=1, keepdims=True) / total, ambiguous / total])


def _columns_of(letters: Letters) -> Float32[np.ndarray, "sequences columns"]:
    return np.asarray(FRACTIONS[letters & np.uint8(BASES)].reshape(len(letters), -1))
