"""What is measured of every image when it is decoded for the first time, so that no audit decodes it again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float32, Integer, Shaped, UInt8
from PIL import Image

from primase.bio.image_pixels import Pixels

THUMBNAIL: Final = 32
"""Thumbnails are grey and have so many pixels on each side, whatever the image's shape."""
MEASURES: Final = (
    "mean", "spread", "darkest", "brightest", "border_top", "border_bottom", "border_left", "border_right",
    "corner_top_left", "corner_top_right", "corner_bottom_left", "corner_bottom_right", "detail_top_left",
    "detail_top_right", "detail_bottom_left", "detail_bottom_right",
)  # fmt: skip
"""Intensities are shares of the whole range; borders are the share of outer rows or columns that are of one value;
corners are means, and details spreads, of the outer eighth of each side."""
FEW_VALUES: Final = 16
"""Distinct values are counted up to so many."""

_GREY: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_SAMPLED: Final = 1 << 12


@final
@dataclass(frozen=True, slots=True, eq=False)
class Summaries:
    """What is known of each image of a store.

    Parameters
    ----------
    fingerprints
        A hash of the decoded pixels, equal for identical images whatever their files.
    thumbnails
        Grey, 32 x 32, stretched over each image's own range.
    measures
        A column for each of :data:`MEASURES`.
    distinct
        The number of different values, 16 where there are that many or more.
    """

    fingerprints: Shaped[np.ndarray, "images"]
    thumbnails: UInt8[np.ndarray, "images 32 32"]
    measures: Float32[np.ndarray, "images measures"]
    distinct: Integer[np.ndarray, "images"]

    @classmethod
    def empty(cls, count: int) -> Summaries:
        """Make room for so many images."""
        return cls(
            np.full(count, "", dtype=object),
            np.zeros((count, THUMBNAIL, THUMBNAIL), dtype=np.uint8),
            np.zeros((count, len(MEASURES)), dtype=np.float32),
            np.zeros(count, dtype=np.int16),
        )

    def put(self, row: int, pixels: Pixels) -> None:
        """Measure an image and keep it in a row; any thread may, for another row."""
        grey = grey_shares(pixels)
        self.fingerprints[row] = fingerprint(pixels)
        self.thumbnails[row] = thumbnail(grey)
        self.measures[row] = _measures(grey)
        self.distinct[row] = _distinct(pixels)

    def take(self, rows: Integer[np.ndarray, "chosen"]) -> Summaries:
        """Return those of some images."""
        return Summaries(self.fingerprints[rows], self.thumbnails[rows], self.measures[rows], self.distinct[rows])


def fingerprint(pixels: Pixels) -> str:
    """Hash an image: its shape, depth and every pixel."""
    found = hashlib.blake2b(f"{pixels.shape} {pixels.dtype.name}".encode(), digest_size=16)
    found.update(np.ascontiguousarray(pixels).data)
    return found.hexdigest()


def grey_shares(pixels: Pixels) -> Float32[np.ndarray, "height width"]:
    """Turn an image grey (ITU-R BT.601) and to shares of the whole range; floating point to shares of its own."""
    values = pixels.astype(np.float32)
    if pixels.ndim == 3:
        values = values @ _GREY
    if pixels.dtype == np.float32:
        low, high = float(values.min()), float(values.max())
        return np.asarray((values - low) / max(high - low, 1e-12), dtype=np.float32)
    return np.asarray(values / np.float32(np.iinfo(pixels.dtype).max), dtype=np.float32)


def thumbnail(grey: Float32[np.ndarray, "height width"]) -> UInt8[np.ndarray, "32 32"]:
    """Shrink an image to 32 x 32 with antialiasing, and stretch it from black to white."""
    small = np.asarray(Image.fromarray(grey).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR))
    low, high = float(small.min()), float(small.max())
    if high - low < 1e-6:
        return np.zeros((THUMBNAIL, THUMBNAIL), dtype=np.uint8)
    return np.rint((small - low) * (255 / (high - low))).astype(np.uint8)


def _measures(grey: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "measures"]:
    height, width = max(grey.shape[0] // 8, 1), max(grey.shape[1] // 8, 1)
    corners = [
        grey[vertical, horizontal]
        for vertical in (slice(None, height), slice(-height, None))
        for horizontal in (slice(None, width), slice(-width, None))
    ]
    flat_rows, flat_columns = np.ptp(grey, axis=1) < 1e-6, np.ptp(grey, axis=0) < 1e-6
    borders = [_run(flat_rows), _run(flat_rows[::-1]), _run(flat_columns), _run(flat_columns[::-1])]
    values = [grey.mean(), grey.std(), grey.min(), grey.max(), *borders]
    return np.array(
        [*values, *(corner.mean() for corner in corners), *(corner.std() for corner in corners)], dtype=np.float32
    )


def _run(flat: Shaped[np.ndarray, "lines"]) -> float:
    """Measure the share of lines before the first that is not of one value."""
    return float(np.argmin(flat) / len(flat)) if not flat.all() else 1.0


def _distinct(pixels: Pixels) -> int:
    """Count different values (colours) up to 16, first in a sample, which most images have enough of."""
    flat = pixels.reshape(-1, 3).astype(np.int64) @ [1, 1 << 16, 1 << 32] if pixels.ndim == 3 else pixels.ravel()
    step = max(len(flat) // _SAMPLED, 1)
    found = len(np.unique(flat[::step]))
    if found < FEW_VALUES and step > 1:
        found = len(np.unique(flat))
    return min(found, FEW_VALUES)
