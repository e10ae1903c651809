"""Restored images as files: of the format, bit depth and pages of those that they were made of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

import numpy as np
import tifffile

from primase.apps.images.pictures import Pictures
from primase.apps.super_resolution.restoring import Restorer
from primase.bio.image_pixels import Pixels
from primase.bio.images import TIFF_ENDINGS, write_image
from primase.data.examples import Examples
from primase.events import Listener, Progress

PAGE: Final = "#"
"""Stands in an id between the name of a file and the number of a page."""

UNNAMED: Final = "image"
"""The name of what is left of an id that names no file, such as ``..``."""


def draw(blocks: Iterator[Examples[Pictures]], restorer: Restorer, folder: Path, listener: Listener) -> int:
    """Restore images one after the other and write each into the folder, under its own name.

    PNG and TIFF keep their format, and the pages of a TIFF stay in one file. What comes from other formats, which lose
    detail or hold other things, becomes PNG, or TIFF where its numbers are real. Wherever an id points to, its image is
    written below the folder, and no image takes the place of another.

    Returns
    -------
    int
        How many images were written; each page counts.
    """
    count = 0
    written: set[str] = set()
    for (name, _), pages in itertools.groupby(_named(blocks), key=lambda one: one[:2]):
        pictures = (picture for _, _, picture in pages)
        first = next(pictures)
        count += _write_file(folder, inner_path(name), (first, pictures), restorer, written)
        listener(Progress("restore", count, None, "images"))
    return count


class _Page:
    """One image of the input, decoded when it is needed."""

    def __init__(self, pictures: Pictures, index: int, *, is_page: bool) -> None:
        self.pictures = pictures
        self.index = index
        self.is_page = is_page

    def restored(self, restorer: Restorer) -> Pixels:
        """Make it larger."""
        return restorer.restored(self.pictures.pixels(self.index), where=self.pictures.where(self.index))


def inner_path(name: str) -> str:
    r"""Make of an id a path that leads nowhere but into a folder: without root, drive, and steps upwards.

    Ids come from tables too, whose cells may say anything, and from any system.

    Examples
    --------
    >>> inner_path("/data/../day 1/a.png"), inner_path("C:\\images\\a.png"), inner_path("..")
    ('data/day 1/a.png', 'images/a.png', 'image')
    """
    # On Windows both kinds of slashes divide a path.
    given = PureWindowsPath(name.replace("\0", ""))
    parts = [part for part in given.parts if part not in {given.anchor, ".."}]
    found = "/".join(parts) or UNNAMED
    # "/C:/a.png" holds a drive behind the root.
    return inner_path(found) if PureWindowsPath(found).anchor else found


def _named(blocks: Iterator[Examples[Pictures]]) -> Iterator[tuple[str, int, _Page]]:
    """Name the file of each image; what is no page of a file has a number of its own, as ids may be repeated."""
    number_of_file = 0
    for block in blocks:
        for index, name in enumerate(block.ids.tolist()):
            stem, found, number = str(name).rpartition(PAGE)
            is_page = bool(found) and number.isdigit()
            page = _Page(block.inputs, index, is_page=is_page)
            number_of_file += not is_page
            yield (stem, -1, page) if is_page else (str(name), number_of_file, page)


def _write_file(
    folder: Path, name: str, pages: tuple[_Page, Iterator[_Page]], restorer: Restorer, written: set[str]
) -> int:
    first, others = pages
    pixels = first.restored(restorer)
    path = _place(folder, name, pixels, written, many=first.is_page)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not first.is_page:
        write_image(path, pixels)
        return 1
    staged = path.with_name(path.name + ".part")
    count = 0
    with tifffile.TiffWriter(staged, bigtiff=True) as file:
        for page in _all(pixels, (one.restored(restorer) for one in others)):
            photometric = "rgb" if page.ndim == 3 else "minisblack"
            file.write(page, photometric=photometric, compression="zlib", contiguous=False)
            count += 1
    staged.replace(path)
    return count


def _all(first: Pixels, others: Iterator[Pixels]) -> Iterator[Pixels]:
    yield first
    yield from others


def _place(folder: Path, name: str, pixels: Pixels, written: set[str], *, many: bool) -> Path:
    """Choose a name that says where the image came from, and that no other has."""
    if any(str(parent) in written for parent in PurePosixPath(name).parents):
        # An image is written where the folder would have to be.
        name = name.replace("/", "_")
    given = PurePosixPath(name)
    ending = given.suffix.lower()
    wanted = ".tif" if many or pixels.dtype == np.float32 else ".png"
    keeps = ending in TIFF_ENDINGS or ending == wanted
    # "photo.jpg" becomes "photo.png", or "photo.jpg.png" beside a "photo.png"; a dot may be within a name.
    shorter = str(given.with_suffix(wanted)) if ending and not many else f"{name}{wanted}"
    candidates = [name] if keeps else []
    candidates += [shorter, f"{name}{wanted}"]
    numbered = (f"{name}.{number}{wanted}" for number in itertools.count(2))
    # Some systems take names for one that differ in capitals.
    free = (one for one in itertools.chain(candidates, numbered) if one not in written and not (folder / one).exists())
    chosen = next(free)
    written.add(chosen)
    path = folder / chosen
    assert path.resolve().is_relative_to(folder.resolve()), path
    return path
