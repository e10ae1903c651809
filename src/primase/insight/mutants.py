"""How networks read the mutants of a sequence: one letter of it replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from primase.nn.letters import BASES

Columns = Float[Tensor, "sequences channels length"]
Logits = Float[Tensor, "mutants outputs"]


@final
@dataclass(frozen=True, slots=True)
class Mutants:
    """Sequences with one letter replaced.

    Parameters
    ----------
    rows
        The sequence that each is a mutant of.
    positions
        Which of its letters is replaced, from 0.
    letters
        What stands there now: 0 to 3 for A, C, G, T.
    """

    rows: Int[Tensor, "mutants"]
    positions: Int[Tensor, "mutants"]
    letters: Int[Tensor, "mutants"]

    def on_other_strand(self, length: int) -> Mutants:
        """Describe the same mutants as seen from the other strand."""
        return Mutants(self.rows, length - 1 - self.positions, BASES - 1 - self.letters)

    def columns(self, onehot: Columns) -> Float[Tensor, "mutants channels"]:
        """Make the columns that replace others; lower case stays with the position."""
        columns = onehot[self.rows, :, self.positions]
        columns[:, :BASES] = 0
        columns[torch.arange(len(columns), device=columns.device), self.letters] = 1
        return columns


Reader = Callable[[Mutants], Logits]
"""A network, asked about mutants of sequences that it knows already."""
