"""PNG, JPEG, BMP, GIF and WebP, by Pillow; PNG of 16-bit colour, which Pillow cuts to 8 bit, by imagecodecs."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import imagecodecs
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from primase.bio.image_pixels import ImageHeader, Pixels, as_pixels
from primase.errors import ReadError

FORMATS: Final = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
"""What is read, by Pillow's names: no format that runs a program or reads other files."""

_DAMAGES: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error, zlib.error)
"""What Pillow raises on damaged files; a broken PNG chunk is a SyntaxError to it."""
_GREY: Final = frozenset({"1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I", "F"})
_DEEP: Final = frozenset({"I;16", "I;16L", "I;16B", "I"})
# Pillow refuses images of twice that size, which is made an error below; a warning of the others helps nobody.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

_TURNED: Final = frozenset({5, 6, 7, 8})
_DEEP_COLOURS: Final = frozenset({2, 4, 6})


def read_header(path: Path) -> ImageHeader:
    """Read what a file says of its image, without decoding it."""
    with _opened(path) as image:
        height, width = image.height, image.width
        # Pillow decodes a whole PNG to look for this behind the pixels, too.
        known = image.format != "PNG" or "exif" in image.info
        if known and image.getexif().get(ExifTags.Base.Orientation) in _TURNED:
            height, width = width, height
        deep = image.mode in _DEEP or _is_deep_colour(path, image)
        kind = image.format or ""
        colour = image.mode not in _GREY
        return ImageHeader(kind, height, width, colour, 16 if deep else 8, 1, path.stat().st_size)


def read_pixels(path: Path) -> Pixels:
    """Decode an image, of a moving one the first frame, turned as it is meant to be seen."""
    with _opened(path) as image:
        if _is_deep_colour(path, image):
            return as_pixels(_decoded_png(path), str(path))
        image.load()
        upright = ImageOps.exif_transpose(image)
        if upright.mode == "I":  # 16-bit grey, as older versions of Pillow read it
            return as_pixels(np.asarray(upright).astype(np.uint16), str(path))
        if upright.mode in ("P", "PA"):
            upright = upright.convert("RGBA" if "transparency" in upright.info or upright.mode == "PA" else "RGB")
        elif upright.mode == "L" and "transparency" in upright.info:
            upright = upright.convert("LA")
        elif upright.mode not in _GREY and upright.mode not in ("RGB", "RGBA"):
            upright = upright.convert("RGB")
        return as_pixels(np.asarray(upright), str(path))


def refuse_size(path: Path, pixels: int, most: int) -> None:
    """Refuse an image that would fill the memory, as a few bytes of a malicious file can ask for.

    Raises
    ------
    ReadError
        If it has more pixels than that.
    """
    if pixels > most:
        what = "the image has too many pixels to be read"
        advice = "Cut it into tiles, or save it as TIFF, if it is no mistake."
        raise ReadError(what, where=str(path), got=f"{pixels:,}", wanted=f"at most {most:,}", advice=advice)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path, formats=FORMATS) as image:
            yield image
    except ReadError:
        raise
    except Image.DecompressionBombError as error:
        what = "the image has too many pixels to be read"
        advice = "Cut it into tiles, or save it as TIFF, if it is no mistake."
        raise ReadError(what, where=str(path), got=str(error).partition(",")[0], advice=advice) from error
    except UnidentifiedImageError as error:
        raise _no_image(path) from error
    except FileNotFoundError as error:
        what = "the file does not exist"
        raise ReadError(what, where=str(path)) from error
    except PermissionError as error:
        what = "the file cannot be read"
        raise ReadError(what, where=str(path), got=error.strerror) from error
    except _DAMAGES as error:
        what = "the image is damaged or cut off"
        advice = "Copy it again, or leave such files out with --broken skip."
        raise ReadError(what, where=str(path), got=str(error) or type(error).__name__, advice=advice) from error


def _no_image(path: Path) -> ReadError:
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        got = "an empty file"
    else:
        is_text = all(byte >= 32 or byte in b"\t\n\r" for byte in start)
        got = "text" if is_text else "something else, or an image whose beginning is damaged"
    what = f"this is no image, although it is named {path.suffix or path.name}"
    wanted = "PNG, JPEG, TIFF, BMP, GIF, WebP or DICOM"
    return ReadError(what, where=str(path), got=got, wanted=wanted, advice="See also --broken skip.")


def _is_deep_colour(path: Path, image: Image.Image) -> bool:
    """Tell whether this is a PNG of 16 bit per channel with colour or transparency."""
    if image.format != "PNG" or image.mode not in ("RGB", "RGBA", "LA", "L"):
        return False
    with path.open("rb") as file:
        start = file.read(26)
    return len(start) == 26 and start[24] == 16 and start[25] in _DEEP_COLOURS


def _decoded_png(path: Path) -> np.ndarray:
    try:
        return np.asarray(imagecodecs.png_decode(path.read_bytes()))
    except RuntimeError as error:  # what imagecodecs raises for a damaged file
        raise ValueError(str(error)) from error
