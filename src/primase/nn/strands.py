"""DNA has two strands: a network that reads one is taught with both, and asked about both."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from primase.nn.letters import BASES, Letters, OneHot, reverse_complement


@final
class BothStrands(nn.Module):
    """Read DNA from either strand: at random in training, as the mean of both answers ever after.

    A site has the same function on whichever strand it is written, so that reading the other strand is training data
    for free, and the mean of both answers does not depend on the strand. RNA has one strand: there this is wrong.

    Parameters
    ----------
    network
        Takes one-hot columns and returns logits.
    channels
        4, or 5 where lower case is a signal.
    """

    def __init__(self, network: nn.Module, *, channels: int = BASES) -> None:
        super().__init__()
        self.read = OneHot(channels)
        self.network = network

    def forward(self, letters: Letters) -> Float[Tensor, "batch outputs"]:
        """Compute the logits of each output."""
        onehot = self.read(letters)  # (batch, channels, length)
        other = reverse_complement(onehot)
        if self.training:
            turned = torch.rand(len(onehot), 1, 1, device=onehot.device) < 0.5
            drawn: Tensor = self.network(torch.where(turned, other, onehot))
            return drawn
        # One after the other rather than in one batch: as fast, with half the memory.
        both: Tensor = (self.network(onehot) + self.network(other)) / 2
        return both
