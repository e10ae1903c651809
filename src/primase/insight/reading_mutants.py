"""How networks read mutants: as whole sequences, or only where a mutation makes a difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from primase.insight.local_reading import LocalReader, PooledReader, is_local
from primase.insight.mutants import Columns, Logits, Mutants, Reader
from primase.nn.letters import reverse_complement
from primase.nn.strands import BothStrands


def reader_of(network: nn.Module, onehot: Columns, *, whole: bool = False) -> Reader:
    """Choose how a network, in evaluation, reads mutants of these sequences.

    Parameters
    ----------
    whole
        Compute every mutant from its first letter to its last, whatever the network offers.
    """
    if isinstance(network, BothStrands):
        return _BothStrandsReader(
            reader_of(network.network, onehot, whole=whole),
            reader_of(network.network, reverse_complement(onehot), whole=whole),
            onehot.shape[2],
        )
    if whole or not is_local(network):
        return _WholeReader(network, onehot)
    local = LocalReader.of(network, onehot)
    return PooledReader.of(local) or local


@final
@dataclass(frozen=True, slots=True)
class _BothStrandsReader:
    """The mean of both strands, which a mutation changes at places that mirror each other."""

    reading: Reader
    other: Reader
    length: int

    def __call__(self, mutants: Mutants) -> Logits:
        return (self.reading(mutants) + self.other(mutants.on_other_strand(self.length))) / 2


@final
@dataclass(frozen=True, slots=True)
class _WholeReader:
    """Every mutant as a sequence of its own."""

    network: nn.Module
    onehot: Columns

    def __call__(self, mutants: Mutants) -> Logits:
        sequences = self.onehot[mutants.rows]
        index = torch.arange(len(sequences), device=sequences.device)
        sequences[index, :, mutants.positions] = mutants.columns(self.onehot)
        logits: Tensor = self.network(sequences)
        return logits
