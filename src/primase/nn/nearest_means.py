"""A class by the mean of its exemplars: an answering layer that looks where the features of each class are."""

from __future__ import annotations

from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

SHARPNESS: Final = 10.0
"""How fast a logit falls with the squared distance, which is 4 at most; calibration corrects it."""


@final
class NearestMeans(nn.Module):
    """Answer by the distance of the features, scaled to length 1, from the mean of each class.

    Rebuffi et al. (2017), "iCaRL: incremental classifier and representation learning", algorithm 1: the class whose
    exemplars have the nearest mean. The logit of a class is ten times the negative squared distance, of which
    calibration makes a probability.

    Parameters
    ----------
    layer
        The dense layer in whose place it stands. It does not answer any more, but is what a further extension learns
        with.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        self.means: Tensor
        self.register_buffer("means", torch.zeros(layer.out_features, layer.in_features))

    def forward(self, features: Float[Tensor, "batch features"]) -> Float[Tensor, "batch labels"]:
        """Compute the logits of each class; one without a mean is as far as can be."""
        units = functional.normalize(features.float(), dim=1)
        # As both have length 1, the squared distance is 2 minus twice their product.
        squared = 2 - 2 * units @ self.means.T
        there = self.means.any(dim=1)
        return -SHARPNESS * torch.where(there, squared, torch.full_like(squared, 4.0))
