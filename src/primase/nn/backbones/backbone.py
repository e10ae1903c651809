"""What every backbone is: named blocks that turn an image into maps of features, and a classifier behind them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn import functional

Images = Float[Tensor, "batch channels height width"]
Maps = Float[Tensor, "batch features rows columns"]


@dataclass(frozen=True, slots=True)
class Normalisation:
    """How grey levels become the numbers that a network expects: less a mean, divided by a spread, for each channel.

    Parameters
    ----------
    mean, std
        In grey levels, from 0 to 255, one for each channel; colours in the order red, green, blue.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Num[Tensor, "batch channels height width"]) -> Images:
        """Normalise images of grey levels from 0 to 255; grey ones are given the channels that the network expects."""
        levels = images if images.is_floating_point() else images.to(torch.float32)
        mean = torch.tensor(self.mean, dtype=levels.dtype, device=levels.device).view(-1, 1, 1)
        std = torch.tensor(self.std, dtype=levels.dtype, device=levels.device).view(-1, 1, 1)
        return (levels - mean) / std  # one channel is broadcast to as many as there are means


# What the networks of torchvision were trained with.
IMAGENET = Normalisation(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))


class Backbone(nn.Module, ABC):
    """A convolutional network in named blocks, each of which makes coarser maps of more abstract features.

    Parameters
    ----------
    classes
        How many the classifier tells apart.

    Attributes
    ----------
    name
        What users call it, set by :func:`primase.nn.backbones.building.build_backbone`.
    normalisation
        What turns images of 0 to 255, as ``(batch, 3, height, width)`` or with one channel, into what it expects.
    image_size
        Pixels along each side of the images of pre-training; other sizes work as well.
    channels
        Features of the map after each block.
    classifier_name
        Where the parameters of the classifier are: what their names start with.
    frozen
        How many blocks, from the first, are frozen: they never enter the mode of training, so that the statistics of
        their batch normalisation stay what they are. Set by :func:`primase.nn.freezing.freeze`.
    """

    name: str = "a network of no name"
    normalisation: Normalisation = IMAGENET
    image_size: ClassVar[int] = 224
    classifier_name: ClassVar[str]
    channels: tuple[int, ...]
    frozen: int = 0

    @property
    @abstractmethod
    def blocks(self) -> tuple[tuple[str, nn.Module], ...]:
        """The blocks from first to last, by name; each takes the map of the one before."""

    @abstractmethod
    def classify(self, maps: Maps) -> Float[Tensor, "batch classes"]:
        """Compute the logits of the classes from the map after the last block."""

    def stages(self, images: Float[Tensor, "batch features rows columns"], first: int = 0) -> list[Maps]:
        """Compute the maps after every block.

        Parameters
        ----------
        images
            Normalised images; if ``first`` is not 0, the map after the block before it.
        first
            The block to begin with.
        """
        maps = []
        for _, block in self.blocks[first:]:
            images = block(images)
            maps.append(images)
        return maps

    def forward(self, images: Images) -> Float[Tensor, "batch classes"]:
        """Classify normalised images by the classifier that the network was trained with."""
        return self.classify(self.stages(images)[-1])

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - the signature of torch
        """Enter the mode of training or leave it; frozen blocks stay in that of evaluation."""
        super().train(mode)
        for _, block in self.blocks[: self.frozen]:
            block.eval()
        return self

    def translated(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Give published weights of another layout the names and scales that this network uses."""
        return dict(weights)


def pooled(maps: Maps) -> Float[Tensor, "batch features"]:
    """Average each feature over the image."""
    return functional.adaptive_avg_pool2d(maps, 1).flatten(1)
