"""In-silico mutagenesis: replace every letter of a sequence by every other one, and see what the model says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from primase.data.sequences import EncodedSequences
from primase.events import Listener, Progress, silent
from primase.insight.columns import OneHotColumns, blocks, codes_of, columns_of, device_of, is_letter
from primase.insight.mutants import Mutants, Reader
from primase.insight.reading_mutants import reader_of
from primase.nn.letters import BASES
from primase.predictor.predictor import Predictor

LETTERS_PER_BLOCK: Final = {"cpu": 1 << 15, "accelerator": 1 << 20}
"""Mutants are computed in blocks of so many letters, whatever the length of the sequences: it bounds the memory.

On a processor, small blocks stay in its cache.
"""

SEQUENCES_PER_BLOCK: Final = 32


@final
@dataclass(frozen=True, slots=True, eq=False)
class Mutagenesis:
    """What every mutation of one letter would change.

    Parameters
    ----------
    scores
        The log-odds of the chosen label for each sequence as it is.
    changes
        By how much they rise if the letter at a position is replaced by A, C, G or T: 0 for the letter that is there,
        and in padding, which has no letter to replace. An ambiguous letter has four replacements.
    counts
        How many replacements each position has: 3, 4 or none.
    """

    scores: Float[np.ndarray, "sequences"]
    changes: Float[np.ndarray, "sequences 4 length"]
    counts: Int[np.ndarray, "sequences length"]

    @property
    def contributions(self) -> Float[np.ndarray, "sequences length"]:
        """How much the letter at each position raises the score: minus the mean change of its replacements."""
        return np.asarray(-self.changes.sum(axis=1) / np.maximum(self.counts, 1))


def mutate_everywhere(
    predictor: Predictor[Any],
    encoded: EncodedSequences,
    labels: Int[np.ndarray, "sequences"],
    *,
    whole: bool = False,
    listener: Listener = silent,
) -> Mutagenesis:
    """Measure how the log-odds of a label change with every possible replacement of one letter, exactly.

    Of networks that say which part of them is local (:class:`primase.insight.local_reading.LocalNetwork`) only what a
    mutation can reach is computed again; this gives the same numbers up to rounding, many times faster.

    Parameters
    ----------
    labels
        The index of the label to score, per sequence.
    whole
        Compute every mutant as a whole sequence all the same.
    listener
        Hears of the progress in mutants.
    """
    score, length = predictor.scorer(), encoded.encoder.length
    device = device_of(predictor)
    letters = LETTERS_PER_BLOCK["cpu" if device.type == "cpu" else "accelerator"]
    per_block = max(1, letters // max(1, length))
    results: list[Mutagenesis] = []
    for indices in blocks(len(encoded), min(SEQUENCES_PER_BLOCK, per_block)):
        codes = codes_of(encoded, indices)
        onehot = columns_of(codes, encoded, device)
        label = torch.from_numpy(labels[indices].astype(np.int64)).to(device)
        possible = torch.from_numpy(is_letter(codes)).to(device).unsqueeze(1) & (onehot[:, :BASES] != 1)
        changes = torch.zeros(possible.shape, dtype=torch.float64, device=device)
        with torch.inference_mode(), _full_precision():
            scores = score({"letters": onehot}, label).double()
            answers = replace(predictor, members=_members(predictor, onehot, whole=whole))
            for mutants in _in_blocks(possible, per_block):
                asked = {"rows": mutants.rows, "positions": mutants.positions, "letters": mutants.letters}
                new = answers.log_odds(asked, label[mutants.rows]).double()
                changes[mutants.rows, mutants.letters, mutants.positions] = new - scores[mutants.rows]
                listener(Progress("mutagenesis", int(indices[0] + mutants.rows[-1]), len(encoded), "sequences"))
        listener(Progress("mutagenesis", int(indices[-1]) + 1, len(encoded), "sequences"))
        results.append(Mutagenesis(*(part.cpu().numpy() for part in (scores, changes, possible.sum(dim=1)))))
    return _joined(results, length)


@final
class _Answers(nn.Module):
    """A member of an ensemble that is asked about mutants instead of sequences."""

    def __init__(self, read: Reader) -> None:
        super().__init__()
        self.read = read

    def forward(
        self, rows: Int[Tensor, "mutants"], positions: Int[Tensor, "mutants"], letters: Int[Tensor, "mutants"]
    ) -> Float[Tensor, "mutants outputs"]:
        return self.read(Mutants(rows, positions, letters))


def _members(predictor: Predictor[Any], onehot: OneHotColumns, *, whole: bool) -> tuple[nn.Module, ...]:
    return tuple(_Answers(reader_of(member, onehot, whole=whole)) for member in predictor.members)


def _in_blocks(possible: Bool[Tensor, "sequences 4 length"], size: int) -> Iterator[Mutants]:
    """List the mutants sequence by sequence, those of one position beside each other."""
    rows, positions, letters = possible.transpose(1, 2).nonzero(as_tuple=True)
    for block in blocks(len(rows), size):
        chosen = slice(int(block[0]), int(block[-1]) + 1)
        yield Mutants(rows[chosen], positions[chosen], letters[chosen])


@contextmanager
def _full_precision() -> Iterator[None]:
    """Compute convolutions in 32 bits on any device: the differences of interest are small beside the scores."""
    cudnn = torch.backends.cudnn
    before = cudnn.allow_tf32
    cudnn.allow_tf32 = False
    try:
        yield
    finally:
        cudnn.allow_tf32 = before


def _joined(results: list[Mutagenesis], length: int) -> Mutagenesis:
    nothing = Mutagenesis(np.empty(0), np.empty((0, BASES, length)), np.empty((0, length), dtype=np.int64))
    parts = [nothing, *results]
    return Mutagenesis(
        scores=np.concatenate([part.scores for part in parts]),
        changes=np.concatenate([part.changes for part in parts]),
        counts=np.concatenate([part.counts for part in parts]),
    )
