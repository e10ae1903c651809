"""From files to pixels of one size, in several threads: decoders and resizing release Python's lock."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final, TypeVar

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from primase.apps.images.pictures import Pictures, Preparation
from primase.bio.image_pixels import Pixels
from primase.events import Listener, Progress, silent

MOST_IN_MEMORY: Final = 1 << 30
"""Arrays of more bytes are kept on disk, in a file without a name that is gone when the process ends."""

_STRETCHED: Final = (0.5, 99.5)
_SAMPLED: Final = 1 << 20
_MOST_THREADS: Final = 16
_COPIED_AT_ONCE: Final = 256

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
SmallPixels = UInt8[np.ndarray, "height width *three"]


def to_eight_bits(pixels: Pixels, intensity: str = "auto") -> SmallPixels:
    """Bring an image to 8 bit, as networks that were trained on photographs read it.

    Parameters
    ----------
    intensity
        ``"range"``: the whole range of the type becomes 0 to 255 (of floating point, 0 to 1, or the image's own range
        if it goes beyond). ``"stretch"``: the 0.5th percentile of the image becomes 0, the 99.5th 255, in all channels
        alike. ``"auto"``: stretch what is not 8 bit.
    """
    if pixels.dtype == np.uint8 and intensity != "stretch":
        return pixels
    if intensity == "range":
        low, high = _whole_range(pixels)
    else:
        flat = pixels.reshape(-1)
        low, high = np.percentile(flat[:: max(len(flat) // _SAMPLED, 1)], _STRETCHED).tolist()
        if high <= low:
            low, high = float(pixels.min()), float(pixels.max())
    if high <= low:
        return np.zeros(pixels.shape, dtype=np.uint8)
    scaled = (pixels.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
    return np.asarray(np.rint(np.clip(scaled, 0, 255)), dtype=np.uint8)


def _whole_range(pixels: Pixels) -> tuple[float, float]:
    if pixels.dtype != np.float32:
        return 0.0, float(np.iinfo(pixels.dtype).max)
    low, high = float(pixels.min()), float(pixels.max())
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def resized(pixels: SmallPixels, size: tuple[int, int], *, colour: bool, keep_shape: bool = False) -> SmallPixels:
    """Resize an image of 8 bit, bilinear with antialiasing.

    Parameters
    ----------
    size
        Height and width in pixels.
    colour
        Three channels if true (grey is repeated), else one (ITU-R BT.601).
    keep_shape
        Whether the sides keep their ratio, with black borders around, or both are stretched to the size.
    """
    image = Image.fromarray(pixels)
    height, width = size
    if keep_shape:
        scale = min(height / image.height, width / image.width)
        inner = (max(round(image.height * scale), 1), max(round(image.width * scale), 1))
    else:
        inner = size
    if (image.height, image.width) != inner:
        image = image.resize((inner[1], inner[0]), Image.Resampling.BILINEAR)
    # After the resizing, as there are fewer pixels then.
    image = image.convert("RGB" if colour else "L")
    if inner == size:
        return np.asarray(image)
    framed = Image.new(image.mode, (width, height))
    framed.paste(image, ((width - inner[1]) // 2, (height - inner[0]) // 2))
    return np.asarray(framed)


def prepared(pixels: Pixels, preparation: Preparation) -> SmallPixels:
    """Bring one image to the size of a network."""
    small = to_eight_bits(pixels, preparation.intensity)
    return resized(small, preparation.size, colour=preparation.colour, keep_shape=preparation.keep_shape)


def decoded(
    pictures: Pictures,
    size: tuple[int, int],
    *,
    colour: bool,
    intensity: str = "auto",
    listener: Listener = silent,
    keep_shape: bool = False,
) -> UInt8[np.ndarray, "images height width *three"]:
    """Decode images and bring them to one size, in several threads.

    Images that were brought to this size when they were read are not decoded again.

    Returns
    -------
    One array; from 1 GiB on it lies in a temporary file, and its pages come into memory as they are read.

    Raises
    ------
    ReadError
        If a file cannot be decoded.
    """
    preparation = Preparation(size, colour, intensity, keep_shape)
    images = room((len(pictures), *preparation.shape))
    missing: list[int] = []
    for store, positions in pictures.by_store():
        ready = next((one for one in store.prepared if one.preparation == preparation), None)
        if ready is None:
            missing += positions.tolist()
            continue
        for start in range(0, len(positions), _COPIED_AT_ONCE):
            some = positions[start : start + _COPIED_AT_ONCE]
            images[some] = ready.images[pictures.row_of[some]]

    def put(index: int) -> None:
        images[index] = prepared(pictures.pixels(index), preparation)

    for _ in in_threads(put, missing, stage="decode images", total=len(missing), listener=listener):
        pass
    return images


def room(shape: tuple[int, ...]) -> Shaped[np.ndarray, "..."]:
    """Make room for bytes of this shape, in memory or, from 1 GiB on, in a file that no other process sees."""
    if int(np.prod(shape, dtype=np.int64)) <= MOST_IN_MEMORY:
        return np.zeros(shape, dtype=np.uint8)
    with tempfile.TemporaryFile(prefix="primase.") as file:  # the mapping outlives the name and the handle
        images: np.memmap = np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)
        return images


def in_threads(
    work: Callable[[ItemT], ResultT], items: Iterable[ItemT], *, stage: str, total: int, listener: Listener
) -> Iterator[ResultT]:
    """Do independent work in threads, and yield the results in order; few are waiting at any time.

    The first error ends it. A listener hears how much is done, at most a few hundred times.
    """
    threads = min(_MOST_THREADS, _processors())
    step = max(total // 200, 1)
    waiting = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        queue = [pool.submit(work, item) for item in islice(waiting, 4 * threads)]
        done = 0
        try:
            while queue:
                yield queue.pop(0).result()
                queue += [pool.submit(work, item) for item in islice(waiting, 1)]
                done += 1
                if done % step == 0 or done == total:
                    listener(Progress(stage, done, total, "images"))
        finally:
            for future in queue:
                future.cancel()


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
