"""Restoring images of any size and kind: tile by tile, without seams, in the numbers that they came in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from primase.apps.super_resolution.configuration import Colour
from primase.apps.super_resolution.encoding import planes
from primase.bio.image_pixels import Pixels
from primase.bio.resampling import as_kind, intensity_range
from primase.errors import InputError
from primase.nn.adversarial import ResidualGenerator, enlarged

LUMA_SPAN: Final = 219 / 255
"""So much does luminance (BT.601) change where all three channels change by 1."""
SMALLEST_SIDE: Final = 4

Planes = Float[Tensor, "planes 1 height width"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Restorer:
    """Makes images larger.

    Parameters
    ----------
    generators
        Of the members of an ensemble, whose results are averaged.
    colour
        What they see of a colour image: each channel; or its luminance, whose lost detail is added to all channels
        beside interpolated colours.
    self_ensemble
        Whether each plane is restored in its eight flips and turns, which are averaged.
    tile
        The side of a tile, in pixels of low resolution.
    """

    generators: Sequence[ResidualGenerator]
    colour: Colour
    self_ensemble: bool = False
    tile: int = 256

    @property
    def scale(self) -> int:
        """How many times larger each side becomes."""
        return self.generators[0].scale

    @torch.inference_mode()
    def restored(self, low: Pixels, *, where: str | None = None, advance: Callable[[], None] | None = None) -> Pixels:
        """Make an image larger; it stays grey or colour, and of the same bit depth.

        Memory beside the image itself does not grow with it: a tile sees as much around it as the generator can reach,
        so that the result is that of the image as a whole.

        Parameters
        ----------
        advance
            Called after each tile.

        Raises
        ------
        InputError
            If the image is too small to be restored.
        """
        height, width = low.shape[:2]
        if min(height, width) < SMALLEST_SIDE:
            what = "this image is too small to be restored"
            wanted = f"at least {SMALLEST_SIDE} x {SMALLEST_SIDE}"
            raise InputError(what, where=where, got=f"{width} x {height} pixels", wanted=wanted)
        bounds = intensity_range(low)
        found = np.empty((height * self.scale, width * self.scale, *low.shape[2:]), dtype=low.dtype)
        for rows, columns in _tiles(height, width, self.tile):
            tall, broad = (slice(part.start * self.scale, part.stop * self.scale) for part in (rows, columns))
            found[tall, broad] = self._tile(low, rows, columns, bounds)
            if advance is not None:
                advance()
        return found

    def tiles(self, low: Pixels) -> int:
        """Count the tiles of an image."""
        height, width = (int(side) for side in low.shape[:2])
        return math.ceil(height / self.tile) * math.ceil(width / self.tile)

    def _tile(self, low: Pixels, rows: slice, columns: slice, bounds: tuple[float, float]) -> Pixels:
        """Restore one tile, with enough around it."""
        reach = max(generator.reach for generator in self.generators)
        around = tuple(
            slice(max(part.start - reach, 0), min(part.stop + reach, size))
            for part, size in zip((rows, columns), low.shape[:2], strict=True)
        )
        values = self._enlarged(low[around], bounds)
        inner = tuple(
            slice((part.start - wide.start) * self.scale, (part.stop - wide.start) * self.scale)
            for part, wide in zip((rows, columns), around, strict=True)
        )
        lowest, highest = bounds
        return as_kind(values[inner] * (highest - lowest) + lowest, low.dtype)

    def _enlarged(self, low: Pixels, bounds: tuple[float, float]) -> Float[np.ndarray, "height width *channels"]:
        channels = _stacked(planes(low, "channels", bounds))
        seen = channels if self.colour == "channels" else _stacked(planes(low, "luminance", bounds))
        restored = self._planes(seen)
        if len(seen) != len(channels):
            # What luminance has gained all channels gain: that leaves the differences of colour as interpolated.
            restored = enlarged(channels, self.scale) + (restored - enlarged(seen, self.scale)) / LUMA_SPAN
        values = restored[:, 0].double().cpu().numpy()
        return values[0] if low.ndim == 2 else np.moveaxis(values, 0, 2)

    def _planes(self, low: Planes) -> Planes:
        device = next(self.generators[0].parameters()).device
        placed = low.to(device)
        restored = [
            _turned_back(generator(_turned(placed, orientation)), orientation)
            for generator in self.generators
            for orientation in range(8 if self.self_ensemble else 1)
        ]
        mean: Tensor = torch.stack(restored).mean(dim=0).cpu()
        return mean


def _tiles(height: int, width: int, side: int) -> Iterator[tuple[slice, slice]]:
    for row in range(0, height, side):
        for column in range(0, width, side):
            yield slice(row, min(row + side, height)), slice(column, min(column + side, width))


def _stacked(layers: Sequence[Float[np.ndarray, "height width"]]) -> Planes:
    return torch.from_numpy(np.stack(layers)[:, None])


def _turned(layers: Planes, orientation: int) -> Planes:
    mirrored = layers.flip(3) if orientation >= 4 else layers
    return mirrored.rot90(orientation % 4, (2, 3))


def _turned_back(layers: Planes, orientation: int) -> Planes:
    upright = layers.rot90(-(orientation % 4), (2, 3))
    return upright.flip(3) if orientation >= 4 else upright
