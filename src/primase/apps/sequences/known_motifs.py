"""Known motifs to compare those of a model with, where they have been fetched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from primase.bio.motif_files import read_attract, read_jaspar
from primase.bio.motif_matrices import MotifMatrix
from primase.data.fetch import fetch, locate
from primase.data.motif_sources import ATTRACT, JASPAR
from primase.data.sources import Source


@final
@dataclass(frozen=True, slots=True)
class KnownMotifs:
    """Known motifs, and a sentence for the reader on where they are from, or how to get them."""

    motifs: list[MotifMatrix] = field(default_factory=list)
    note: str = ""


def known_motifs(*, rna: bool) -> KnownMotifs:
    """Read ATtRACT for RNA, JASPAR for DNA, if the files are on this machine: a report downloads nothing by itself."""
    source = ATTRACT if rna else JASPAR
    if any(location.state == "missing" for location in locate(source).values()):
        return KnownMotifs(note=f"To compare them with known motifs, run: primase data fetch {source.name}.")
    motifs = _read(source)
    name = source.title.partition(":")[0]
    note = f"Compared with {len(motifs):,} motifs of {name} by Tomtom; an E-value below 0.05 is more than chance."
    return KnownMotifs(motifs, note)


def _read(source: Source) -> list[MotifMatrix]:
    files = fetch(source)
    if source is JASPAR:
        return read_jaspar(files["JASPAR2026.sqlite"])
    return read_attract(files["attract_pwm.txt"], files["attract_metadata.txt"])
