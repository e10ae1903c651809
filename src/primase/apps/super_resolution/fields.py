"""Which crops were cut from one field of view: those that go on in each other at a border."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from primase.apps.images.pictures import Pictures
from primase.bio.resampling import intensity_range
from primase.evaluation.image_quality import luminance

MOST_PICTURES: Final = 20_000
"""Among more, crops of one field are no longer searched for: every pair of sides is compared."""
LEAST_CORRELATION: Final = 0.9
MOST_STEP: Final = 2.0
"""From one crop to the next intensities change at most by so many times as much as within a crop."""
LEAST_SPREAD: Final = 0.006
"""A side whose intensities spread less than by this share of the range shows nothing that could go on."""
LEAST_STEP: Final = 0.001
AT_ONCE: Final = 1024
READERS: Final = 4

Lines = Float[np.ndarray, "pictures pixels"]


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """The outermost two lines of pixels of a picture at each of its sides, and the range of its intensities."""

    top: Float[np.ndarray, "2 width"]
    bottom: Float[np.ndarray, "2 width"]
    left: Float[np.ndarray, "2 height"]
    right: Float[np.ndarray, "2 height"]
    span: float


def fields(pictures: Pictures, tick: Callable[[int], None] | None = None) -> Int[np.ndarray, "pictures"]:
    """Find the field of view of each picture, by number: crops that border on each other are of one.

    Two pictures border on each other if the last column of one and the first of the other, or the last row and the
    first, are as long, correlate by at least 0.9, and differ hardly more than neighbouring lines within a picture do.

    Parameters
    ----------
    tick
        Told how many pictures have been looked at.
    """
    count = len(pictures)
    alone = np.arange(count)
    if count > MOST_PICTURES:
        return alone
    with ThreadPoolExecutor(READERS) as pool:
        sides = []
        for number, found in enumerate(pool.map(lambda index: _sides(pictures, index), range(count)), start=1):
            sides.append(found)
            if tick is not None:
                tick(number)
    spans = np.array([side.span for side in sides])
    pairs = [
        *_continuing([side.right for side in sides], [side.left for side in sides], spans),
        *_continuing([side.bottom for side in sides], [side.top for side in sides], spans),
    ]
    if not pairs:
        return alone
    first, second = np.concatenate(pairs, axis=1)
    links = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)


def _sides(pictures: Pictures, index: int) -> Sides:
    pixels = pictures.pixels(index)
    low, high = intensity_range(pixels)
    # Pictures of one or two pixels have their only lines twice.
    rows, columns = ([0, min(1, side - 1), max(side - 2, 0), side - 1] for side in pixels.shape[:2])
    # As they are: crops of one field may have ranges of their own.
    across, along = luminance(pixels[rows]), luminance(pixels[:, columns]).T
    return Sides(top=across[:2], bottom=across[:1:-1], left=along[:2], right=along[:1:-1], span=high - low)


def _continuing(
    ending: Sequence[Float[np.ndarray, "2 pixels"]],
    beginning: Sequence[Float[np.ndarray, "2 pixels"]],
    spans: Float[np.ndarray, "pictures"],
) -> list[Int[np.ndarray, "2 pairs"]]:
    """Find the pictures that go on in others: pairs of who ends and who begins."""
    lengths = np.array([line.shape[1] for line in ending])
    found = []
    for length in np.unique(lengths):
        own = np.flatnonzero(lengths == length)
        last, next_to_last = (np.stack([ending[place][line] for place in own.tolist()]) for line in (0, 1))
        first = np.stack([beginning[place][0] for place in own.tolist()])
        shows = [lines.std(axis=1) >= LEAST_SPREAD * spans[own] for lines in (last, first)]
        within = np.maximum(np.abs(last - next_to_last).mean(axis=1), LEAST_STEP * spans[own])
        unit_last, unit_first = _unit(last), _unit(first)
        for start in range(0, len(own), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            alike = unit_last[some] @ unit_first.T >= LEAST_CORRELATION
            alike &= shows[0][some, None] & shows[1][None]
            one, other = np.nonzero(alike)
            one += start
            step = np.abs(last[one] - first[other]).mean(axis=1)
            joined = (one != other) & (step <= MOST_STEP * within[one])
            found.append(np.stack([own[one[joined]], own[other[joined]]]))
    return found


def _unit(lines: Lines) -> Lines:
    """Centre lines, and bring them to length 1, so that products are correlations."""
    centred = lines - lines.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12))
