"""Images that biologists and clinicians have: PNG, JPEG, TIFF, BMP, GIF, WebP and DICOM, read and written."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from primase.bio import dicom, image_pillow, image_tiff
from primase.bio.image_pixels import DTYPES, ImageHeader, Pixels, where
from primase.errors import InputError, ReadError

PILLOW_ENDINGS: Final = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".gif", ".webp"})
TIFF_ENDINGS: Final = frozenset({".tif", ".tiff"})
DICOM_ENDINGS: Final = frozenset({".dcm", ".dicom", ".ima"})
ENDINGS: Final = PILLOW_ENDINGS | TIFF_ENDINGS | DICOM_ENDINGS
"""The endings by which a file is taken for an image, in lower case."""

_TIFF_STARTS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_image_name(path: Path) -> bool:
    """Tell by the ending whether a file is meant to be an image.

    Examples
    --------
    >>> is_image_name(Path("a.PNG")), is_image_name(Path("notes.txt"))
    (True, False)
    """
    return path.suffix.lower() in ENDINGS


def image_header(path: Path, page: int | None = None) -> ImageHeader:
    """Read what a file says of its image without decoding it: format, size, colour, depth, pages.

    Parameters
    ----------
    page
        Which page of a TIFF or frame of a DICOM, counted from 0; None for the first.

    Raises
    ------
    ReadError
        If the file does not exist, is no image, its beginning is damaged, or it has no such page.
    """
    kind = _kind(path)
    if kind == "TIFF":
        return image_tiff.read_header(path, page)
    header = dicom.read_header(path) if kind == "DICOM" else image_pillow.read_header(path)
    if page is not None and not 0 <= page < header.pages:
        what = "the file has no such page"
        raise ReadError(what, where=where(path, page), got=f"{header.pages} pages, counted from 0")
    return header


def image_headers(path: Path) -> list[ImageHeader]:
    """Read what a file says of each of its images: pages of a TIFF, which may differ, frames of a DICOM, or one.

    Raises
    ------
    ReadError
        As :func:`image_header`.
    """
    if _kind(path) == "TIFF":
        return image_tiff.read_headers(path)
    header = image_header(path)
    return [header] * max(header.pages, 1)


def read_image(path: Path, page: int | None = None) -> Pixels:
    """Decode an image.

    Parameters
    ----------
    page
        Which page of a TIFF or frame of a DICOM, counted from 0; None for the first.

    Returns
    -------
    uint8, uint16 or float32, grey (height, width) or colour (height, width, 3), turned as it is meant to be seen. What
    is transparent is laid on white, palettes are expanded.

    Raises
    ------
    ReadError
        If the file does not exist, is no image, is damaged, or its pixels are of a kind that is not read.
    """
    kind = _kind(path)
    if kind == "TIFF":
        return image_tiff.read_pixels(path, page)
    if kind == "DICOM":
        return dicom.read_pixels(path, page)
    if page:
        what = "the file has one page only"
        raise ReadError(what, where=str(path), got=f"page {page} is asked for")
    return image_pillow.read_pixels(path)


def _kind(path: Path) -> str:
    """Tell the reader by the content, as names mislead; by the name where the content tells nothing."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except FileNotFoundError as error:
        what = "the file does not exist"
        raise ReadError(what, where=str(path)) from error
    except IsADirectoryError as error:
        what = "this is a folder"
        raise ReadError(what, where=str(path), wanted="an image file") from error
    except OSError as error:
        what = "the file cannot be read"
        raise ReadError(what, where=str(path), got=error.strerror) from error
    ending = path.suffix.lower()
    # Asked first, as what stands before the mark of DICOM may be the beginning of a TIFF.
    if start[128:] == b"DICM" or (ending in DICOM_ENDINGS and not _is_known_to_pillow(start)):
        return "DICOM"
    if start.startswith(_TIFF_STARTS) or (ending in TIFF_ENDINGS and not _is_known_to_pillow(start)):
        return "TIFF"
    return "Pillow"


def _is_known_to_pillow(start: bytes) -> bool:
    return start.startswith((b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8")) or start[8:12] == b"WEBP"


def write_image(path: Path, pixels: Pixels) -> None:
    """Write an image without loss, with the bit depth that it has; under its name only when it is complete.

    Parameters
    ----------
    path
        Its ending says the format: ``.png`` (8 and 16 bit) or ``.tif``, ``.tiff`` (also floating point).
    pixels
        As :func:`read_image` returns them.

    Raises
    ------
    InputError
        If the ending is another one, or the format cannot hold such pixels.
    """
    ending = path.suffix.lower()
    fits = pixels.dtype in DTYPES and (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3))
    if not fits:
        message = f"{pixels.dtype} pixels of shape {pixels.shape} are no image"
        raise ValueError(message)
    if ending in TIFF_ENDINGS:
        photometric = "rgb" if pixels.ndim == 3 else "minisblack"
        _write_whole(path, lambda place: tifffile.imwrite(place, pixels, photometric=photometric, compression="zlib"))
    elif ending == ".png" and pixels.dtype != np.float32:
        _write_whole(path, lambda place: place.write_bytes(_png(pixels)))
    else:
        what = "this image cannot be written so"
        wanted = ".png for 8 and 16 bit, .tif for these and floating point"
        raise InputError(what, where=str(path), got=f"{pixels.dtype} pixels", wanted=wanted)


def _png(pixels: Pixels) -> bytes:
    if pixels.dtype == np.uint16:
        return bytes(imagecodecs.png_encode(pixels))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
