"""What is odd about labelled sequences, and what of the test part is in train already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from jaxtyping import Integer, Shaped

from primase.apps.sequences.anchors import whole_blocks
from primase.apps.sequences.giveaways import find_giveaways
from primase.bio.nucleotides import BASES
from primase.data.audit import Finding
from primase.data.examples import Examples
from primase.data.sequences import Sequences
from primase.data.splits import PARTS, Partition

AMBIGUOUS: Final = 0.05
_SHOWN: Final = 8
_FEWEST: Final = 30

Fingerprints = Shaped[np.ndarray, "sequences"]


def audit_sequences(examples: Examples[Sequences], labels: Sequence[str], *, window: int) -> list[Finding]:
    """Look for what is odd whatever the split.

    That is: what the window crops and pads, ambiguous letters, and what gives a label away without any motif
    (composition, length, case, one position, remains of adapters).

    Parameters
    ----------
    labels
        The labels of the task.
    window
        How many letters the network reads.
    """
    return [
        *_lengths(examples.inputs, window),
        *_ambiguous_letters(examples.inputs),
        *find_giveaways(examples, labels),
    ]


def audit_chromosomes(sequences: Sequences, partition: Partition) -> list[Finding]:
    """Say which chromosomes are in which part, where that is known."""
    return list(_chromosomes(sequences, partition))


def _lengths(sequences: Sequences, window: int) -> Iterable[Finding]:
    lengths = sequences.lengths
    shortest, longest = int(lengths.min(initial=window)), int(lengths.max(initial=window))
    starts = sequences.starts + (lengths - window) // 2
    padded = int(((starts < sequences.lows) | (starts + window > sequences.highs)).sum())
    cropped = int((lengths > window).sum())
    if len(np.unique(lengths)) <= 1 and not padded and not cropped:
        yield Finding("lengths", 0, "info", f"All sequences have {window:,} letters, and the network reads them all.")
        return
    text = (
        f"The sequences have {shortest:,} to {longest:,} letters (median {np.median(lengths):,.0f}); the network reads "
        f"{window:,} around the centre: {cropped:,} of {len(sequences):,} are cropped, and {padded:,} are padded, "
        "which the network is told."
    )
    yield Finding("lengths", cropped + padded, "warning" if cropped > len(sequences) / 10 else "info", text)


def _ambiguous_letters(sequences: Sequences) -> Iterable[Finding]:
    ambiguous = np.zeros(len(sequences), dtype=np.int64)
    for indices, letters in whole_blocks(sequences):
        codes = letters & np.uint8(BASES)
        ambiguous[indices] = ((codes & (codes - np.uint8(1))) != 0).sum(axis=1)
    count = int((ambiguous > 0).sum())
    if count == 0:
        yield Finding("ambiguous letters", 0, "info", "No sequence has an ambiguous letter such as N.")
        return
    share = ambiguous.sum() / max(int(sequences.lengths.sum()), 1)
    mostly = int((2 * ambiguous > sequences.lengths).sum())
    text = f"{count:,} of {len(sequences):,} sequences have ambiguous letters such as N ({share:.2%} of all letters)"
    text = text.replace("%", " %")
    text += f"; {mostly:,} consist mostly of them and say next to nothing." if mostly else "."
    yield Finding("ambiguous letters", count, "warning" if mostly or share > AMBIGUOUS else "info", text)


def _chromosomes(sequences: Sequences, partition: Partition) -> Iterable[Finding]:
    if sequences.places is None or not sequences.places.known.any():
        return
    names = sequences.places.chromosomes.astype(str)
    by_part = {part: _names(names, partition.part(part)) for part in PARTS}
    shared = sorted(set(by_part["test"]) & set(by_part["train"]))
    text = "; ".join(f"{part}: {_listed(found)}" for part, found in by_part.items() if found) + "."
    if shared:
        text += f" {len(shared)} of the {len(by_part['test'])} chromosomes of the test part are in train too."
    yield Finding("chromosomes", len(shared), "info", f"Chromosomes by part: {text}")


def _names(names: Shaped[np.ndarray, "examples"], chosen: Integer[np.ndarray, "part"]) -> list[str]:
    return [name for name in np.unique(names[chosen]).tolist() if name]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
