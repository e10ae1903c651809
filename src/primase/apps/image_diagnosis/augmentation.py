"""Images as they might have been taken: turned, moved, nearer or darker, drawn anew in every step of training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from primase.data.encoding import Batch

Modality = Literal["xray", "microscopy", "natural"]
Images = Float[Tensor, "batch channels height width"]


@final
@dataclass(frozen=True, slots=True)
class Augmentation:
    """What may be changed of an image without changing what it shows.

    Parameters
    ----------
    flip_horizontal, flip_vertical
        Whether half of the images are mirrored left to right, or top to bottom.
    rotation_degrees
        The largest turn, either way.
    scale
        The largest change of size, as a share: 0.1 is from 0.9 to 1.1 times.
    shift
        The largest move along either side, as a share of it.
    brightness
        The largest change of exposure: the exponent of the grey levels (gamma) is at most 1 + brightness, or one over
        that.
    """

    flip_horizontal: bool = False
    flip_vertical: bool = False
    rotation_degrees: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0

    def __call__(self, batch: Batch, targets: Tensor) -> tuple[Batch, Tensor]:
        """Change every image of a batch, each in its own way; what is no image stays as it is."""
        changed = {name: self.changed(tensor) if name in IMAGES else tensor for name, tensor in batch.items()}
        return {**batch, **changed}, targets

    def changed(self, images: Tensor) -> Tensor:
        """Change images of grey levels from 0 to 255, shape (batch, channels, height, width)."""
        if not len(images):
            return images
        levels = images.float()
        if self.brightness:
            exponent = (1 + self.brightness) ** _between(levels, 1.0)
            levels = 255 * (levels / 255).clamp(1e-6, 1) ** exponent[:, None, None, None]
        if self.moves:
            grid = functional.affine_grid(self._maps(levels), list(levels.shape), align_corners=False)
            levels = functional.grid_sample(levels, grid, padding_mode="border", align_corners=False)
        return levels

    @property
    def moves(self) -> bool:
        """Whether pixels change their places."""
        sizes = self.rotation_degrees, self.scale, self.shift
        return any(sizes) or self.flip_horizontal or self.flip_vertical

    def _maps(self, levels: Images) -> Float[Tensor, "batch 2 3"]:
        """Draw where each image is read: turned and resized about its middle, mirrored, and moved."""
        angle = math.radians(self.rotation_degrees) * _between(levels, 1.0)
        size = 1 + _between(levels, self.scale)
        across = torch.where(torch.rand_like(size) < 0.5 * self.flip_horizontal, -1.0, 1.0)
        down = torch.where(torch.rand_like(size) < 0.5 * self.flip_vertical, -1.0, 1.0)
        # Places run from -1 to 1 along each side, so that a turn of an oblong image must know by how much it is.
        height, width = levels.shape[-2:]
        oblong = height / width
        rows = [
            torch.stack([across * angle.cos() * size, -across * angle.sin() * size * oblong, 2 * _moved(size, self)]),
            torch.stack([down * angle.sin() * size / oblong, down * angle.cos() * size, 2 * _moved(size, self)]),
        ]
        return torch.stack(rows).permute(2, 0, 1)


IMAGES: Final = frozenset({"images", "small_images"})
"""The tensors of a batch that are images."""

PRESETS: Final[Mapping[Modality, Augmentation]] = {
    # The heart has a side, and gravity a direction: neither mirrored nor upside down is any radiograph ever taken.
    "xray": Augmentation(rotation_degrees=10, scale=0.1, shift=0.08, brightness=0.3),
    # A slide can lie in any way under the lens, but a cell has its size.
    "microscopy": Augmentation(
        flip_horizontal=True, flip_vertical=True, rotation_degrees=180, scale=0.1, shift=0.05, brightness=0.2
    ),
    "natural": Augmentation(flip_horizontal=True, rotation_degrees=15, scale=0.2, shift=0.1, brightness=0.3),
}
"""What is right for a kind of image."""


def _between(like: Tensor, largest: float) -> Float[Tensor, "batch"]:
    """Draw a number for each image, from minus to plus the largest."""
    return largest * (2 * torch.rand(len(like), device=like.device) - 1)


def _moved(like: Tensor, augmentation: Augmentation) -> Float[Tensor, "batch"]:
    return _between(like, augmentation.shift)
