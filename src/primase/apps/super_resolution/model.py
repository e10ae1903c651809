"""The whole network: a generator trained on pixels, and beside it the same one after a game with a discriminator."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from primase.apps.super_resolution.configuration import SuperResolutionNetworkSection
from primase.nn.adversarial import ResidualGenerator


@final
class SuperResolutionNetwork(nn.Module):
    """Make images larger: each generator adds to the bicubic interpolation what it has learned that this loses.

    With 8 blocks of 48 maps and a scale of 4, of a plane of 60 x 60 pixels (shapes without the batch)::

        low        1 x  60 x  60
        head      48 x  60 x  60    convolution 3 x 3
        blocks    48 x  60 x  60    8 x [convolution 3 x 3, ReLU, convolution 3 x 3, + what came in]
        neck      48 x  60 x  60    convolution 3 x 3, + what the head gave
        tail      16 x  60 x  60    convolution 3 x 3: the 4 x 4 sub-pixels of each pixel
        restored   1 x 240 x 240    sub-pixels in their places, + the bicubic interpolation

    Parameters
    ----------
    adversarial
        Whether there is an adversarial phase, whose generator is kept beside the other.
    """

    def __init__(self, settings: SuperResolutionNetworkSection, scale: int, *, adversarial: bool) -> None:
        super().__init__()
        shape = (1, settings.width, settings.blocks, scale)
        self.pixel = ResidualGenerator(*shape)
        self.adversarial: ResidualGenerator | None = None
        if adversarial:
            self.adversarial = ResidualGenerator(*shape)
            # Its turn comes after the other has learned.
            self.adversarial.requires_grad_(requires_grad=False)
        # Convolutions of many small maps are faster where the channels of a pixel lie together.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from the declarations

    def forward(self, low: Float[Tensor, "batch 1 height width"], **_: Tensor) -> Float[Tensor, "batch 1 tall broad"]:
        """Make planes larger with the generator that was trained on pixels."""
        restored: Tensor = self.pixel(low)
        return restored

    def generator(self, *, adversarial: bool) -> ResidualGenerator:
        """Return one of both generators."""
        chosen = self.adversarial if adversarial else self.pixel
        assert chosen is not None
        return chosen


def super_resolution_network(network: object) -> SuperResolutionNetwork:
    """Say that a network is the one of this application."""
    assert isinstance(network, SuperResolutionNetwork)
    return network
