"""Which sequences belong together, because they overlap on a genome or share a stretch of letters."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import numpy as np
from jaxtyping import Bool

from primase.bio.nucleotide_similarity import cluster_nucleotides, cluster_overlapping, overlapping_across
from primase.bio.nucleotides import BASES, reverse_complement
from primase.bio.overlaps import Spans, overlaps_any
from primase.data.audit import Finding, Fingerprints, Kinship
from primase.data.sequences import Sequences
from primase.data.splits import Groups, Partition, group_by_key, merge_groups
from primase.events import Listener, Notice, Severity

OVERLAPPING: Final = "overlapping a training window"
MOST_COMPARED: Final = 500_000
"""With more sequences than this, letters are compared only where no places are known."""


def all_places_known(sequences: Sequences) -> bool:
    """Tell whether it is known of every sequence where on a genome it lies."""
    return sequences.places is not None and bool(sequences.places.known.all())


def fingerprints(sequences: Sequences, *, both_strands: bool) -> Fingerprints:
    """Hash each sequence, whatever its case; with ``both_strands`` a reverse complement has the same hash."""
    return np.array([_hash(sequences, row, both_strands=both_strands) for row in range(len(sequences))], dtype=object)


def _hash(sequences: Sequences, row: int, *, both_strands: bool) -> str:
    codes = sequences.codes(row) & np.uint8(BASES)
    content = codes.tobytes()
    if both_strands:
        content = min(content, reverse_complement(codes).tobytes())
    return blake2b(content, digest_size=8).hexdigest() if content else ""


def cluster(sequences: Sequences, *, both_strands: bool, listener: Listener) -> Groups:
    """Group sequences that overlap on a genome; where not all places are known, those that share a stretch."""
    identical = group_by_key(fingerprints(sequences, both_strands=both_strands))
    if all_places_known(sequences):
        spans = _spans(sequences)
        return merge_groups(identical, cluster_overlapping(spans.chromosomes, spans.starts, spans.ends))
    if len(sequences) > MOST_COMPARED:
        text = (
            f"Only identical sequences are kept together: {len(sequences):,} are too many to compare letter by letter."
        )
        listener(Notice(text, "warning"))
        return identical
    codes = [sequences.codes(row) for row in range(len(sequences))]
    return merge_groups(identical, cluster_nucleotides(codes, both_strands=both_strands, listener=listener))


def kinship(sequences: Sequences, partition: Partition, *, both_strands: bool, listener: Listener) -> Kinship:
    """Find the test sequences that overlap one in train, by places or by a shared stretch of letters."""
    test, train = sequences.take(partition.test), sequences.take(partition.train)
    related: Bool[np.ndarray, "tested"] = np.zeros(len(test), dtype=bool)
    how = []
    if sequences.places is not None:
        related |= overlaps_any(_spans(test), _spans(train))
        how.append("by their places on the genome")
    if not all_places_known(sequences) or len(sequences) <= MOST_COMPARED:
        parts = ([some.codes(row) for row in range(len(some))] for some in (test, train))
        related |= overlapping_across(*parts, both_strands=both_strands, listener=listener)
        how.append(f"by a shared stretch of letters{', on either strand' if both_strands else ''}")
    count = int(related.sum())
    text = (
        f"{count:,} of {len(test):,} test sequences ({count / max(len(test), 1):.1%}) overlap a training sequence "
        f"({' or '.join(how)})."
    )
    if count:
        text += " The network has seen part of them; the figures on the others stand beside."
    severity: Severity = "warning" if count >= 0.01 * len(test) and count else "info"
    return Kinship(related, Finding("overlap across the split", count, severity, text), OVERLAPPING)


def _spans(sequences: Sequences) -> Spans:
    """Return the stretch of the genome that each sequence covers: its place, with the flanks that it has."""
    places = sequences.places
    assert places is not None
    flanks = np.maximum(sequences.lengths - (places.ends - places.starts), 0) // 2
    return Spans(places.chromosomes, places.starts - flanks, places.ends + flanks)
