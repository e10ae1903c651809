"""The pointing game: whether the brightest pixel of a map lies where the truth is known to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float


@final
@dataclass(frozen=True, slots=True)
class Box:
    """Where something is in an image: shares of its sides, from 0 at the top left to 1; half-open.

    Examples
    --------
    >>> Box.of_pixels((10, 20, 30, 60), height=100, width=100).area
    0.08
    """

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of_pixels(cls, box: Sequence[float], *, height: int, width: int) -> Box:
        """Make one of left, top, right and bottom in pixels of an image of this size."""
        left, top, right, bottom = box
        return cls(left / width, top / height, right / width, bottom / height)

    @property
    def area(self) -> float:
        """The share of the image that it takes."""
        return round((self.right - self.left) * (self.bottom - self.top), 12)


def points_at(
    heat: Float[np.ndarray, "images height width"], boxes: Sequence[Sequence[Box]]
) -> Bool[np.ndarray, "images"]:
    """Tell for which images the highest value of the map lies in one of the boxes (Zhang et al. 2018).

    Who points at random hits as often as the boxes take area.

    Parameters
    ----------
    heat
        What speaks for the label, per pixel.
    boxes
        Of each image; one without any is never hit.

    Examples
    --------
    >>> heat = np.zeros((1, 4, 4))
    >>> heat[0, 1, 3] = 1.0
    >>> points_at(heat, [[Box(0.5, 0.0, 1.0, 0.5)]]).tolist(), points_at(heat, [[Box(0, 0, 0.5, 1)]]).tolist()
    ([True], [False])
    """
    if len(heat) != len(boxes):
        message = f"{len(heat)} maps beside boxes of {len(boxes)} images"
        raise ValueError(message)
    hits = np.zeros(len(heat), dtype=bool)
    for number, (one, own) in enumerate(zip(heat, boxes, strict=True)):
        row, column = np.unravel_index(int(np.argmax(one)), one.shape)
        down, across = (row + 0.5) / one.shape[0], (column + 0.5) / one.shape[1]
        hits[number] = any(box.left <= across < box.right and box.top <= down < box.bottom for box in own)
    return hits
