"""Images that are copies of each other to the eye: saved again, rescaled, brightened, mirrored or turned.

Two images are compared by thumbnails of 32 x 32. They count as copies if these correlate by at least 0.97, and what
remains of them after the mean of all thumbnails is taken away, by at least 0.9: images of one kind, such as chest
X-rays, have so much in common that the first alone would not do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, UInt8

ALIKE: Final = 0.97
REMAINDER_ALIKE: Final = 0.9
"""On PneumoniaMNIST none of 2.9 million pairs of a test and a training image passes both; of copies that were rescaled
to half or saved again as JPEG of quality 20, 99 % do, of brightened ones all."""

_FEWEST: Final = 50
"""Of fewer images no mean is taken away."""
_SIDE: Final = 8
_LIKELY: Final = 0.8
_CHECKED: Final = 64
_ROWS_AT_ONCE: Final = 256

Thumbnails = UInt8[np.ndarray, "images 32 32"]
Rows = Float32[np.ndarray, "images numbers"]


def have_copies(tested: Thumbnails, known: Thumbnails) -> Bool[np.ndarray, "tested"]:
    """Tell for each tested image whether one of the known ones is a copy of it, also mirrored or turned.

    Candidates are found by thumbnails of 8 x 8; the 64 most similar of each image are checked.
    """
    found = np.zeros(len(tested), dtype=np.bool_)
    if not len(tested) or not len(known):
        return found
    whole = _standardised(_flat(known))
    mean = whole.mean(axis=0) if len(known) >= _FEWEST else np.zeros(whole.shape[1], dtype=np.float32)
    rest = _standardised(whole - mean)
    coarse = _standardised(_pooled(rest))
    for turned in _symmetries(tested):
        own = _standardised(_flat(turned))
        own_rest = _standardised(own - mean)
        own_coarse = _standardised(_pooled(own_rest))
        for start in range(0, len(tested), _ROWS_AT_ONCE):
            place = slice(start, start + _ROWS_AT_ONCE)
            likely = own_coarse[place] @ coarse.T
            for row in np.flatnonzero(likely.max(axis=1) >= _LIKELY).tolist():
                at = start + row
                best = _most_alike(likely[row])
                alike = (whole[best] @ own[at] >= ALIKE) & (rest[best] @ own_rest[at] >= REMAINDER_ALIKE)
                found[at] |= bool(alike.any())
    return found


def _most_alike(similarity: Float32[np.ndarray, "known"]) -> np.ndarray:
    if len(similarity) <= _CHECKED:
        return np.arange(len(similarity))
    return np.asarray(np.argpartition(-similarity, _CHECKED)[:_CHECKED])


def _symmetries(thumbnails: Thumbnails) -> Iterator[Thumbnails]:
    """Mirror and turn images by quarters: all eight ways to lay a square on itself."""
    for mirrored in (thumbnails, thumbnails[:, :, ::-1]):
        for quarters in range(4):
            yield np.rot90(mirrored, quarters, axes=(1, 2))


def _flat(thumbnails: Thumbnails) -> Rows:
    return thumbnails.reshape(len(thumbnails), -1).astype(np.float32)


def _pooled(rows: Rows) -> Rows:
    """Average to 8 x 8."""
    side = int(np.sqrt(rows.shape[1]))
    step = side // _SIDE
    pooled: Rows = rows.reshape(len(rows), _SIDE, step, _SIDE, step).mean(axis=(2, 4)).reshape(len(rows), -1)
    return pooled


def _standardised(rows: Rows) -> Rows:
    """Bring rows to mean 0 and length 1, so that products are correlations; a constant row becomes zeros."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.where(lengths > 1e-4, centred / np.maximum(lengths, 1e-4), 0).astype(np.float32)
