"""From letters to one-hot columns, on the device and per batch: a sequence costs one byte a letter until then.

Channels are A, C, G, T (U is the same), and a fifth for lower case where a network is to see it. Padding is a column
of zeros, and an ambiguous letter the fractions of its bases: a quarter each for N.
"""

from __future__ import annotations

from typing import Final, final

import torch
from jaxtyping import Bool, Float, Integer, Shaped, UInt8
from torch import Tensor, nn

from primase.bio.nucleotides import FRACTIONS

BASES: Final = 4
"""Channels of the bases, in alphabetical order: the reverse of their order pairs each with its complement."""

Letters = UInt8[Tensor, "batch length"] | Float[Tensor, "batch channels length"]
"""What every network of sequences takes: codes of :mod:`primase.bio.nucleotides`, or columns made of them."""


@final
class OneHot(nn.Module):
    """Turn letters into one-hot columns, and let through what is one-hot already.

    Gradients flow to columns that are let through, which is how explanations reach the letters.

    Parameters
    ----------
    channels
        4, or 5 where lower case is a signal.
    shift
        In training, every sequence is moved by up to so many letters in either direction, with padding moving in: what
        is learned must not hang on where exactly a window was cut.
    """

    fractions: Tensor

    def __init__(self, channels: int = BASES, *, shift: int = 0) -> None:
        super().__init__()
        if channels not in {BASES, BASES + 1}:
            message = f"sequences have 4 channels, or 5 with lower case, not {channels}"
            raise ValueError(message)
        self.channels = channels
        self.shift = shift
        bases = torch.from_numpy(FRACTIONS).repeat(2, 1)  # (32, 4): the second half are the lower-case codes
        lower = (torch.arange(32) >= 16).float().unsqueeze(1)
        # No weight: a bundle has no need to keep it, and an older one none to lack it.
        self.register_buffer("fractions", torch.cat([bases, lower], dim=1)[:, :channels], persistent=False)

    def forward(self, letters: Letters) -> Float[Tensor, "batch channels length"]:
        """Look up the column of every letter."""
        if letters.is_floating_point():
            if letters.ndim != 3 or letters.shape[1] != self.channels:
                message = f"one-hot columns are (batch, {self.channels}, length), not {tuple(letters.shape)}"
                raise ValueError(message)
            onehot = letters
        else:
            onehot = nn.functional.embedding(letters.int(), self.fractions).transpose(1, 2)
        return random_shift(onehot, self.shift) if self.training and self.shift else onehot


def letter_mask(onehot: Float[Tensor, "batch channels length"]) -> Bool[Tensor, "batch length"]:
    """Tell letters from padding.

    A column of zeros is padding, so that explanations must compare with letters (shuffled ones, or N), never with
    nothing at all.
    """
    return onehot[:, :BASES].sum(dim=1) > 0


def reverse_complement(onehot: Float[Tensor, "batch channels length"]) -> Float[Tensor, "batch channels length"]:
    """Read the other strand: from the end, A for T and C for G. Lower case stays with its letter."""
    paired = [onehot[:, :BASES].flip(1), onehot[:, BASES:]]
    return torch.cat(paired, dim=1).flip(2)


def shifted(
    columns: Shaped[Tensor, "batch *channels length"], offsets: Integer[Tensor, "batch"]
) -> Shaped[Tensor, "batch *channels length"]:
    """Move each sequence by its own number of letters, to the right where it is positive; padding moves in.

    Parameters
    ----------
    columns
        Codes or one-hot columns, with letters along the last axis.
    offsets
        In letters, on the same device.
    """
    length = columns.shape[-1]
    sources = torch.arange(length, device=columns.device) - offsets.unsqueeze(1)  # (batch, length)
    inside = (sources >= 0) & (sources < length)
    between = (1,) * (columns.ndim - 2)
    sources = sources.clamp(0, max(length - 1, 0)).view(len(columns), *between, length)
    moved = columns.gather(-1, sources.expand_as(columns))
    return moved.masked_fill(~inside.view(len(columns), *between, length), 0)


def random_shift(
    columns: Shaped[Tensor, "batch *channels length"], most: int
) -> Shaped[Tensor, "batch *channels length"]:
    """Move each sequence by a random number of letters, at most so many in either direction."""
    return shifted(columns, torch.randint(-most, most + 1, (len(columns),), device=columns.device))
