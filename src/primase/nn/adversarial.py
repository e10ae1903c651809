"""The two networks that play against each other: one makes pictures larger, the other tells them from sharp ones.

As in SRGAN (Ledig et al. 2017): a residual generator and a discriminator in the manner of VGG (Simonyan and Zisserman
2015), with what was learned of such generators since (Lim et al. 2017, EDSR): no batch normalisation, which takes
the intensities of a picture away, and all computation at the low resolution, where it is cheapest.
"""

from __future__ import annotations

from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle

LAST_LAYER_SCALE: Final = 0.1
SLOPE: Final = 0.2
DEEPEST: Final = 8


@final
class ResidualBlock(nn.Module):
    """Two convolutions whose result is added to what came in (He et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, maps: Float[Tensor, "batch width height breadth"]) -> Float[Tensor, "batch width height breadth"]:
        """Add what the block has seen to what it was given."""
        added: Tensor = maps + self.body(maps)
        return added


@final
class ResidualGenerator(nn.Module):
    """Make pictures larger: add to the bicubic interpolation what it has lost.

    Parameters
    ----------
    channels
        Of a picture: 1 for intensities or luminance, 3 for colour.
    width
        Feature maps of each layer.
    blocks
        Residual blocks of two convolutions.
    scale
        How many times larger each side becomes: 2, 3 or 4.
    """

    def __init__(self, channels: int, width: int, blocks: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(channels, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.neck = nn.Conv2d(width, width, 3, padding=1)
        # One layer gives all scale x scale sub-pixels of each pixel (Shi et al. 2016), and begins near nothing, so that
        # training begins at the interpolation.
        self.tail = nn.Conv2d(width, channels * scale**2, 3, padding=1)
        with torch.no_grad():
            self.tail.weight.mul_(LAST_LAYER_SCALE)
            nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]  # there is a bias

    @property
    def reach(self) -> int:
        """How many pixels of the small picture, to each side, the result at a place can depend on."""
        return 2 * len(self.blocks) + 3

    def forward(
        self, low: Float[Tensor, "batch channels height breadth"]
    ) -> Float[Tensor, "batch channels tall broad"]:
        """Make pictures larger; intensities go from 0 to 1."""
        base = enlarged(low, self.scale)  # (batch, channels, scale * height, scale * breadth)
        maps = self.head(low - 0.5)  # (batch, width, height, breadth), as all up to the tail
        maps = maps + self.neck(self.blocks(maps))
        # (batch, channels * scale², height, breadth) -> (batch, channels, scale * height, scale * breadth)
        added: Tensor = pixel_shuffle(self.tail(maps).float(), self.scale)
        return base + added


def enlarged(
    low: Float[Tensor, "batch channels height breadth"], scale: int
) -> Float[Tensor, "batch channels tall broad"]:
    """Interpolate with the bicubic kernel of the literature (a = -0.5), which torch has where it is antialiased."""
    return interpolate(low.float(), scale_factor=scale, mode="bicubic", antialias=True)


@final
class Discriminator(nn.Module):
    """Tell sharp pictures from made ones: pairs of 3 x 3 convolutions, the second of which halves the picture.

    As in SRGAN, but for the last layers: an average over the picture stands in for a dense layer over all its places,
    so that pictures of any size from 16 x 16 pixels can be judged, with fewer weights to learn.

    Parameters
    ----------
    channels
        Of a picture.
    width
        Feature maps of the first pair; each next pair has twice as many, up to eight times.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        # Batch x channels x side: c x s -> w x s/2 -> 2w x s/4 -> 4w x s/8 -> 8w x s/16
        layers: list[nn.Module] = [
            nn.Conv2d(channels, width, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            *_normalised(width, width, stride=2),
        ]
        for times in (2, 4, DEEPEST):
            layers += [*_normalised(width * times // 2, width * times, stride=1)]
            layers += [*_normalised(width * times, width * times, stride=2)]
        self.features = nn.Sequential(*layers)
        deepest = width * DEEPEST
        self.classifier = nn.Sequential(nn.Linear(deepest, deepest), nn.LeakyReLU(SLOPE), nn.Linear(deepest, 1))

    def forward(self, pictures: Float[Tensor, "batch channels height breadth"]) -> Float[Tensor, "batch"]:
        """Return the logit of each picture's being a sharp one."""
        maps = self.features(pictures * 2 - 1)
        logits: Tensor = self.classifier(maps.mean(dim=(2, 3)))[:, 0]
        return logits


def _normalised(given: int, width: int, *, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(given, width, 3, stride=stride, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(width), nn.LeakyReLU(SLOPE)
