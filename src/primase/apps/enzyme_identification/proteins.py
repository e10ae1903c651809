"""What enzyme identification feeds its network: proteins with their domains and, where known, their sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import polars as pl
from jaxtyping import Shaped

from primase.bio.domain_sets import DomainSets
from primase.data.examples import Indices


@final
@dataclass(frozen=True, slots=True, eq=False)
class Proteins:
    """Proteins by position.

    Parameters
    ----------
    domains
        The Pfam families found in each.
    sequences
        Their residues; None where only domain lists were given.
    profiles
        What the domains were found with: ``name`` and ``sha256`` of the profile file; empty for given lists.
    """

    domains: DomainSets
    sequences: pl.Series | None
    profiles: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of proteins."""
        return len(self.domains)

    def take(self, indices: Indices) -> Proteins:
        """Return the proteins at these positions, in this order."""
        sequences = None if self.sequences is None else self.sequences.gather(indices)
        return Proteins(self.domains.take(indices), sequences, self.profiles)

    @classmethod
    def concatenate(cls, blocks: Sequence[Proteins]) -> Proteins:
        """Join blocks of proteins whose domains were found with the same profiles."""
        sets = [families for block in blocks for families in block.domains.sets()]
        sequences = [block.sequences for block in blocks if block.sequences is not None]
        joined = pl.concat(sequences) if len(sequences) == len(blocks) else None
        return cls(DomainSets.from_sets(sets), joined, blocks[0].profiles)

    def domain_texts(self) -> Shaped[np.ndarray, "proteins"]:
        """Write the domain set of each protein as one text; an empty one where there is none."""
        return np.array([";".join(sorted(names)) for names in self.domains.sets()], dtype=object)
