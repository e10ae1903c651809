"""What every image becomes, whatever its file: grey or colour pixels of 8 or 16 bit, or floating point."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Shaped

from primase.errors import ReadError

Pixels = Shaped[np.ndarray, "height width *three"]
"""Grey (height, width) or colour (height, width, 3), of uint8, uint16 or float32."""

DTYPES: Final = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a file says of its image before it is decoded.

    Parameters
    ----------
    kind
        The format, such as ``"PNG"``; ``"array"`` for an image out of an array.
    height, width
        As the image is shown, in pixels.
    colour
        Whether it has three channels; grey otherwise.
    bits
        Per channel: 8, 16 or 32 (floating point).
    pages
        How many images the file holds.
    size_bytes
        The length of the file; 0 where the image is none.
    """

    kind: str
    height: int
    width: int
    colour: bool
    bits: int
    pages: int = 1
    size_bytes: int = 0


def where(path: Path, page: int | None) -> str:
    """Name an image for messages; pages are counted from 0, as in ids."""
    return str(path) if page is None else f"{path}, page {page}"


def as_pixels(values: Shaped[np.ndarray, "..."], place: str) -> Pixels:
    """Bring decoded values to the one form that all images have.

    One channel is grey, two are grey with transparency, three are colour and four colour with transparency; what is
    transparent is laid on white. Floating point becomes 32 bits wide, one bit eight.

    Parameters
    ----------
    place
        The file, for messages.

    Raises
    ------
    ReadError
        If the values are of another kind or shape, or are not finite.
    """
    if values.dtype == np.bool_:
        values = values.astype(np.uint8) * np.uint8(255)
    if values.dtype in (np.dtype(np.float16), np.dtype(np.float64)):
        values = values.astype(np.float32)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype not in DTYPES:
        what = "the pixels are of a kind that is not read"
        wanted = "uint8, uint16 or floating point"
        raise ReadError(what, where=place, got=str(values.dtype), wanted=wanted, advice="Convert the image first.")
    channels = values.shape[2] if values.ndim == 3 else 1
    if values.ndim not in (2, 3) or not values.size or channels > 4:
        what = "the image has another shape than images have"
        wanted = "height and width, and at most three channels beside transparency"
        raise ReadError(what, where=place, got=" x ".join(map(str, values.shape)), wanted=wanted)
    if values.dtype == np.float32 and not np.isfinite(values).all():
        what = "pixels of the image are not numbers (NaN or infinite)"
        raise ReadError(what, where=place, wanted="finite values", advice="Fill or cut them away first.")
    if channels in (2, 4):
        values = _on_white(values)
    return np.ascontiguousarray(values[:, :, 0] if values.ndim == 3 and values.shape[2] == 1 else values)


def _on_white(values: Shaped[np.ndarray, "height width channels"]) -> Shaped[np.ndarray, "height width colours"]:
    """Lay an image with transparency in its last channel on white."""
    full = 1.0 if values.dtype == np.float32 else float(np.iinfo(values.dtype).max)
    shown, alpha = values[:, :, :-1], values[:, :, -1:].astype(np.float64) / full
    if (alpha == 1).all():
        return shown
    laid = shown * alpha + full * (1 - alpha)
    return (laid if values.dtype == np.float32 else np.rint(laid)).astype(values.dtype)
