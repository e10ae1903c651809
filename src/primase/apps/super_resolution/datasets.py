"""The registered data sets; the embedded one is cut into fields of view, as six specimens alone cannot be divided."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from primase.apps.images.datasets import SUPER_RESOLUTION, biology_folder, biology_images
from primase.apps.images.reading import Dataset
from primase.apps.images.sources import BIOLOGY_IMAGES
from primase.bio.image_pixels import Pixels
from primase.bio.images import write_image
from primase.data.derived import digest, write_once
from primase.data.fetch import cache_folder
from primase.events import Listener

FIELD_SIDE: Final = 256
"""Images are cut into fields at least so wide and high, in pixels, and less than twice as much."""
SMALL_SIDE: Final = 128
"""The same of images that are no larger than one field."""
EVERY: Final = 6
"""Of stacks and time lapses, whose neighbours are almost the same, every sixth image is taken."""
FIELD: Final = r"^(.*_field[0-9]+)"
"""Finds in a name the field of view; its slices and frames stay together."""

_LAYOUT: Final = 1


def biology_fields(listener: Listener) -> Mapping[str, Any]:
    """Cut the biology images into fields of view, once; all parts then have fields of every specimen."""
    names, pictures, _ = biology_images(listener)
    rules = repr([_LAYOUT, FIELD_SIDE, SMALL_SIDE, EVERY, biology_folder(listener).name])
    folder = cache_folder() / "images" / f"{BIOLOGY_IMAGES.name}-fields-{digest(rules.encode())}"

    def cut(staged: Path) -> None:
        for index, name in enumerate(names.tolist()):
            specimen, _, page = str(name).partition("#")
            if page and int(page) % EVERY:
                continue
            for number, field in enumerate(fields_of(pictures.pixels(index)), start=1):
                stem = re.sub(r"\W+", "_", Path(specimen).stem)
                write_image(staged / f"{stem}_field{number:02d}{f'_{int(page):02d}' if page else ''}.png", field)

    if not folder.is_dir():
        write_once(folder, cut)
    return {"images": folder, "group_pattern": FIELD}


def fields_of(pixels: Pixels) -> Iterator[Pixels]:
    """Cut an image into fields of about one size, in rows from the top left."""
    side = FIELD_SIDE if min(pixels.shape[:2]) >= 2 * FIELD_SIDE - 1 else SMALL_SIDE
    rows, columns = (_cuts(length, side) for length in pixels.shape[:2])
    for row in rows:
        for column in columns:
            yield pixels[row, column]


def _cuts(length: int, side: int) -> list[slice]:
    """Divide a side into as many equal parts as fit; one pixel less than a whole number of them does not matter."""
    count = max((length + 1) // side, 1)
    edges = [length * number // count for number in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


DATASETS: Final[Mapping[str, Dataset]] = {**SUPER_RESOLUTION, BIOLOGY_IMAGES.name: biology_fields}
