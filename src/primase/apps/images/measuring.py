"""What is known of images without asking their files again: measures of when they were decoded, and headers."""

from __future__ import annotations

from typing import Final

import numpy as np

from primase.apps.images.decoding import in_threads
from primase.apps.images.pictures import Pictures
from primase.apps.images.summaries import MEASURES, THUMBNAIL, Summaries
from primase.bio.image_pixels import ImageHeader
from primase.events import Listener, silent

_EMPTY: Final = (0, THUMBNAIL, THUMBNAIL)


def measured(pictures: Pictures, listener: Listener = silent) -> Summaries:
    """Return the hash, thumbnail and measures of every image; those that were not decoded before are now.

    Raises
    ------
    ReadError
        If a file cannot be decoded.
    """
    found = Summaries.empty(len(pictures))
    missing: list[int] = []
    for store, positions in pictures.by_store():
        known = store.summaries
        if known is None:
            missing += positions.tolist()
            continue
        rows = pictures.row_of[positions]
        found.fingerprints[positions] = known.fingerprints[rows]
        found.thumbnails[positions] = known.thumbnails[rows]
        found.measures[positions] = known.measures[rows]
        found.distinct[positions] = known.distinct[rows]

    def measure(index: int) -> None:
        found.put(index, pictures.pixels(index))

    for _ in in_threads(measure, missing, stage="measure images", total=len(missing), listener=listener):
        pass
    return found


def headers_of(pictures: Pictures) -> list[ImageHeader]:
    """Return what the file of every image says of it."""
    return [pictures.header(index) for index in range(len(pictures))]


def measure(summaries: Summaries, name: str) -> np.ndarray:
    """Return one measure of every image, such as ``"mean"``."""
    return summaries.measures[:, MEASURES.index(name)]
