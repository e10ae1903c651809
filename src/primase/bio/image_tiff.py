"""TIFF of 8 and 16 bit and floating point, with any number of pages, by tifffile."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from tifffile import PHOTOMETRIC, TiffFile, TiffFileError, TiffPage

from primase.bio.image_pillow import refuse_size
from primase.bio.image_pixels import ImageHeader, Pixels, as_pixels, where
from primase.errors import ReadError

MOST_PIXELS: Final = 1_000_000_000
"""Mosaics of microscopes are as large; anything larger is read by nobody as one image."""

_DAMAGES: Final = (
    OSError, ValueError, KeyError, IndexError, TypeError, RuntimeError, AttributeError, EOFError, OverflowError,
    ZeroDivisionError, struct.error,
)  # fmt: skip
_TURNED: Final = frozenset({5, 6, 7, 8})
_FILES_KNOWN: Final = 256
"""Of so many files it is remembered where their pages are."""

# What tifffile finds odd it logs, which ends on the terminal where nobody has said where logs go.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def read_header(path: Path, page: int | None) -> ImageHeader:
    """Read what one page says of itself, and count the pages."""
    with _opened(path) as file:
        chosen, count = _page(file, path, page)
        return _header(chosen, count, path.stat().st_size)


def read_headers(path: Path) -> list[ImageHeader]:
    """Read what every page says of itself: pages of one file may differ in size and colour."""
    with _opened(path) as file:
        pages = _pages(file, path)
        return [_header(page, len(pages), path.stat().st_size) for page in pages]


def _header(page: TiffPage, count: int, size_bytes: int) -> ImageHeader:
    height, width = page.imagelength, page.imagewidth
    if _orientation(page) in _TURNED:
        height, width = width, height
    colour = page.samplesperpixel > 2 or page.photometric == PHOTOMETRIC.PALETTE
    bits = 8 if page.bitspersample <= 8 else 16 if page.bitspersample <= 16 else 32
    return ImageHeader("TIFF", height, width, colour, bits, count, size_bytes)


def read_pixels(path: Path, page: int | None) -> Pixels:
    """Decode one page, turned as it is meant to be seen."""
    with _opened(path) as file:
        chosen, _ = _page(file, path, page)
        refuse_size(path, chosen.imagelength * chosen.imagewidth, MOST_PIXELS)
        return as_pixels(_upright(_values(chosen, where(path, page)), _orientation(chosen)), where(path, page))


def _values(page: TiffPage, place: str) -> np.ndarray:
    values = np.asarray(page.asarray())
    if page.photometric == PHOTOMETRIC.PALETTE and page.colormap is not None:
        return np.asarray(page.colormap.T[values] >> 8).astype(np.uint8)
    if values.ndim == 3 and page.axes == "SYX":  # channels apart from each other
        values = np.moveaxis(values, 0, -1)
    if page.photometric == PHOTOMETRIC.MINISWHITE and values.dtype != np.float32:
        values = ~values
    if values.ndim == 3 and values.shape[-1] in (2, 4) and not page.extrasamples:
        what = "the image has channels that are neither colour nor transparency"
        got, wanted = f"{values.shape[-1]} channels", "one page per channel"
        raise ReadError(what, where=place, got=got, wanted=wanted)
    return values


def _orientation(page: TiffPage) -> int:
    tag = page.tags.get("Orientation")
    return int(tag.value) if tag is not None else 1


def _upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Undo how the camera was held (TIFF 6.0, tag 274)."""
    if orientation in _TURNED:
        values = np.swapaxes(values, 0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def _pages(file: TiffFile, path: Path) -> list[TiffPage]:
    """List the pages of full resolution; smaller copies of one are no images of their own."""
    every = [page if isinstance(page, TiffPage) else page.aspage() for page in file.pages]
    pages = [page for page in every if not page.is_reduced]
    if not pages:
        what = "the TIFF file holds no image"
        raise ReadError(what, where=str(path))
    return pages


def _page(file: TiffFile, path: Path, page: int | None) -> tuple[TiffPage, int]:
    """Read one page of full resolution, and count them; the others are looked at once per file, not per page."""
    status = path.stat()
    offsets = _offsets(path, status.st_mtime_ns, status.st_size)
    number = page or 0
    if not 0 <= number < len(offsets):
        what = "the file has no such page"
        raise ReadError(what, where=where(path, number), got=f"{len(offsets)} pages, counted from 0")
    index, offset = offsets[number]
    if file.is_lsm or file.is_stk:  # their pages are mended when they are listed
        return _pages(file, path)[number], len(offsets)
    file.filehandle.seek(offset)
    return TiffPage(file, index), len(offsets)


@lru_cache(maxsize=_FILES_KNOWN)
def _offsets(path: Path, changed: int, size: int) -> tuple[tuple[int, int], ...]:
    """List the number of every page of full resolution and where it begins, in bytes, as long as a file stays as is."""
    del changed, size
    with TiffFile(path) as file:
        return tuple((int(page.index), int(page.offset)) for page in _pages(file, path))


@contextmanager
def _opened(path: Path) -> Iterator[TiffFile]:
    try:
        with TiffFile(path) as file:
            yield file
    except ReadError:
        raise
    except FileNotFoundError as error:
        what = "the file does not exist"
        raise ReadError(what, where=str(path)) from error
    except TiffFileError as error:
        what = f"this is no TIFF image, although it is named {path.suffix}"
        raise ReadError(what, where=str(path), advice="See also --broken skip.") from error
    except _DAMAGES as error:
        what = "the image is damaged or cut off"
        advice = "Copy it again, or leave such files out with --broken skip."
        raise ReadError(what, where=str(path), got=str(error) or type(error).__name__, advice=advice) from error
