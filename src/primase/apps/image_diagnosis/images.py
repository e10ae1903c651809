"""From grey levels to what a network reads."""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float, Num
from torch import Tensor

from primase.nn.backbones import Normalisation

_LEAST_SPREAD: Final = 1.0
"""In grey levels: an image that is all but constant has nothing in it that would deserve to be blown up."""


def standardised(images: Num[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 3 height width"]:
    """Bring each image to mean 0 and spread 1 over all its pixels, so that exposure and contrast do not count.

    Colours keep their relations: all channels of an image are shifted and scaled together. Grey images get the three
    channels that networks of photographs expect.
    """
    levels = images.to(torch.float32)
    mean = levels.mean(dim=(1, 2, 3), keepdim=True)
    spread = levels.std(dim=(1, 2, 3), keepdim=True, correction=0).clamp(min=_LEAST_SPREAD)
    return _in_colour((levels - mean) / spread)


def normalised(
    images: Num[Tensor, "batch channels height width"], normalisation: Normalisation
) -> Float[Tensor, "batch 3 height width"]:
    """Scale images in the way that a network was trained with, the same for all."""
    return _in_colour(normalisation(images))


def _in_colour(levels: Tensor) -> Float[Tensor, "batch 3 height width"]:
    # The layout in which convolutions on a processor are fastest.
    return levels.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
