"""What made a model say what it says, laid over the image that it says it of."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

# Vermilion and blue of Okabe and Ito (2008), which people with colour-blindness can tell apart.
_FOR: Final = np.array([213, 94, 0], dtype=np.float64)
_AGAINST: Final = np.array([0, 114, 178], dtype=np.float64)
_MOST_OPAQUE: Final = 0.65
_STRONGEST: Final = 99.5
"""The percentile of the strengths that has the full colour: a single pixel must not make all others pale."""


def overlaid(
    pixels: UInt8[np.ndarray, "height width *channels"],
    heat: Float[np.ndarray, "rows columns"],
    *,
    strongest: float | None = None,
) -> UInt8[np.ndarray, "height width channels"]:
    """Lay a map over an image: vermilion where it speaks for the answer, blue where it speaks against.

    Parameters
    ----------
    pixels
        8-bit grey or colour.
    heat
        Above zero for, below zero against; of any size, and enlarged smoothly to that of the image.
    strongest
        What has the full colour; by default nearly the strongest of this map.

    Returns
    -------
    array
        8-bit colour, in which the image itself is grey.

    Raises
    ------
    ValueError
        If the map holds anything but finite numbers.
    """
    if not np.all(np.isfinite(heat)):
        message = "a map to lay over an image must hold finite numbers"
        raise ValueError(message)
    grey = np.asarray(Image.fromarray(pixels).convert("L"), dtype=np.float64)
    size = (grey.shape[1], grey.shape[0])
    smooth = np.asarray(Image.fromarray(heat.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    full = float(np.percentile(np.abs(smooth), _STRONGEST)) if strongest is None else strongest
    share = np.clip(smooth / full, -1.0, 1.0) if full > 0 else np.zeros_like(smooth)
    opacity = _MOST_OPAQUE * np.abs(share)[..., None]
    colour = np.where(share[..., None] >= 0, _FOR, _AGAINST)
    mixed = (1 - opacity) * grey[..., None] + opacity * colour
    return np.asarray(mixed.round(), dtype=np.uint8)
