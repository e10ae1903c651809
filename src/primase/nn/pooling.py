"""From features of places to features of a sequence, whatever its length; places that are padding do not count.

A sequence without a single letter gets zeros.
"""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

Features = Float[Tensor, "batch channels places"]
PlaceMask = Bool[Tensor, "batch places"]


def masked_max(features: Features, mask: PlaceMask) -> Float[Tensor, "batch channels"]:
    """Take the strongest value of each channel: is it there, anywhere."""
    lowest = torch.finfo(features.dtype).min
    strongest = features.masked_fill(~mask.unsqueeze(1), lowest).amax(dim=2)
    return strongest.masked_fill(~mask.any(dim=1, keepdim=True), 0)


def masked_mean(features: Features, mask: PlaceMask) -> Float[Tensor, "batch channels"]:
    """Take the mean of each channel: how much of it is there? In 32 bits, since long sums lose digits in 16."""
    counts = mask.sum(dim=1, keepdim=True).clamp(min=1)
    return features.float().masked_fill(~mask.unsqueeze(1), 0).sum(dim=2) / counts


@final
class GlobalPooling(nn.Module):
    """The strongest and the mean value of each channel, side by side; blind to where on the sequence they are."""

    def forward(self, features: Features, mask: PlaceMask) -> Float[Tensor, "batch twice_channels"]:
        """Pool the places that stand for letters."""
        return torch.cat([masked_max(features, mask).float(), masked_mean(features, mask)], dim=1)


@final
class AttentionPooling(nn.Module):
    """A mean of places that the network weighs itself (Ilse, Tomczak and Welling 2018, equation 7).

    Parameters
    ----------
    channels
        Of the features.
    heads
        How many means, each with weights of its own.
    hidden
        Width of the layer that the weights are computed from.
    """

    def __init__(self, channels: int, *, heads: int = 4, hidden: int = 32) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Conv1d(channels, hidden, 1), nn.Tanh(), nn.Conv1d(hidden, heads, 1))

    def weights(self, features: Features, mask: PlaceMask) -> Float[Tensor, "batch heads places"]:
        """Compute how much each place counts: they sum to one over the places that stand for letters."""
        scores = self.score(features).float()
        hidden = ~mask.unsqueeze(1)
        # The lowest number rather than minus infinity, whose softmax is undefined where there are no letters at all.
        spread: Tensor = scores.masked_fill(hidden, torch.finfo(scores.dtype).min).softmax(dim=2)
        return spread.masked_fill(hidden, 0)

    def forward(self, features: Features, mask: PlaceMask) -> Float[Tensor, "batch heads_times_channels"]:
        """Pool the places that stand for letters."""
        return torch.einsum("bhp,bcp->bhc", self.weights(features, mask), features.float()).flatten(1)
