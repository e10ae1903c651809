"""DICOM as a radiologist sees it, and nothing of it but the pixels.

Only elements that say how pixels are stored and shown are kept: names, dates and everything else of a patient are not
even read (what stands among the groups of frames is dropped at once), and so cannot get into a message. Formulas are
those of DICOM PS3.3, C.11.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from jaxtyping import Float
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi
from pydicom.pixels.utils import pixel_array

from primase.bio.image_pixels import ImageHeader, Pixels, as_pixels, where
from primase.errors import ReadError

_MAGIC: Final = b"DICM"
_SHOWN: Final = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SmallestImagePixelValue",
    "RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence", "Modality",
    "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence", "PresentationLUTShape",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
)  # fmt: skip
_FRAMES: Final = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
"""Where files of many frames say what others say of the whole image (C.7.6.16)."""
_OF_FRAME: Final = {
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction"),
}
_PIXELS: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_GREY: Final = ("MONOCHROME1", "MONOCHROME2")

# What pydicom finds odd it logs, which ends on the terminal where nobody has said where logs go.
logging.getLogger("pydicom").addHandler(logging.NullHandler())


def is_dicom(path: Path) -> bool:
    """Tell a DICOM file by its content: many have no ending."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == _MAGIC
    except OSError:
        return False


def read_header(path: Path) -> ImageHeader:
    """Read what a file says of its image, without decoding it.

    Raises
    ------
    ReadError
        If it is no DICOM file.
    """
    data = _dataset(path, before_pixels=True)
    _refuse_floats(data, path)
    try:
        stored = int(data.get("BitsStored", 8))
        colour = data.get("PhotometricInterpretation", "MONOCHROME2") not in _GREY
        pages = int(data.get("NumberOfFrames", 1) or 1)
        height, width = int(data.get("Rows", 0)), int(data.get("Columns", 0))
    except (TypeError, ValueError) as error:
        raise _damaged(path, error) from None
    return ImageHeader("DICOM", height, width, colour, 8 if stored <= 8 else 16, pages, path.stat().st_size)


def read_pixels(path: Path, page: int | None) -> Pixels:
    """Decode one frame: modality values, then the window, then inverted where high values are to be dark.

    Returns
    -------
    uint8 where up to 8 bits are stored, else uint16 over the whole range; a radiograph without a window keeps the range
    of its stored values, so that images of one detector stay comparable.

    Raises
    ------
    ReadError
        If the file is no DICOM, holds no pixels, or they cannot be decoded.
    """
    place = where(path, page)
    data = _dataset(path, before_pixels=False)
    _refuse_floats(data, path)
    try:
        _settle_frame(data, page or 0)
    except Exception as error:  # noqa: BLE001 - elements are parsed late, and may fail in any way
        raise _damaged(path, error) from None
    if not any(name in data for name in _PIXELS):
        what = "the DICOM file holds no image (it has no pixel data)"
        raise ReadError(what, where=place, advice="Structured reports and plans are no images: leave them out.")
    try:
        shown = _shown(data, page or 0)
    # Decoders raise what they like, and a message of theirs may repeat what stands in the file.
    except Exception as error:  # noqa: BLE001
        what = "the pixels of the DICOM file cannot be decoded"
        advice = "Convert it to PNG or to uncompressed DICOM, or leave such files out with --broken skip."
        raise ReadError(what, where=place, got=type(error).__name__, advice=advice) from None
    return as_pixels(shown, place)


def _dataset(path: Path, *, before_pixels: bool) -> Any:
    tags = list(_SHOWN if before_pixels else _SHOWN + _FRAMES + _PIXELS)
    try:
        return pydicom.dcmread(path, specific_tags=tags, stop_before_pixels=before_pixels)
    except FileNotFoundError as error:
        what = "the file does not exist"
        raise ReadError(what, where=str(path)) from error
    except InvalidDicomError:
        what = f"this is no DICOM file, although it is named {path.suffix or path.name}"
        raise ReadError(what, where=str(path), advice="See also --broken skip.") from None
    except Exception as error:  # noqa: BLE001 - as above
        raise _damaged(path, error) from None


def _refuse_floats(data: Any, path: Path) -> None:
    """Refuse maps of measured values: they say of no bits how many are stored, and of no range what is white."""
    # The header is read up to the pixels: there only the missing number of bits tells (C.7.6.24).
    is_float = "BitsStored" not in data and data.get("BitsAllocated") in (32, 64)
    if is_float or ("PixelData" not in data and any(name in data for name in _PIXELS[1:])):
        what = "the DICOM file holds a map of floating-point values (FloatPixelData), which is not read"
        advice = "Convert it to TIFF of floating point, or leave such files out with --broken skip."
        raise ReadError(what, where=str(path), advice=advice)


def _settle_frame(data: Any, frame: int) -> None:
    """Say of the whole image what is said of one frame or of all, and drop everything else that is said of them."""
    every, each = (data.get(name) or [] for name in _FRAMES)
    groups = [*every[:1], *each[frame : frame + 1]]  # the frame's own comes last, and counts
    found = [
        (word, item[0][word].value)
        for group in groups
        for name, words in _OF_FRAME.items()
        if (item := group.get(name))
        for word in words
        if word in item[0]
    ]
    for name in _FRAMES:
        if name in data:
            delattr(data, name)
    for word, value in found:
        setattr(data, word, value)


def _damaged(path: Path, error: Exception) -> ReadError:
    what = "the DICOM file is damaged or cut off"
    advice = "Copy it again, or leave such files out with --broken skip."
    return ReadError(what, where=str(path), got=type(error).__name__, advice=advice)


def _shown(data: Any, frame: int) -> np.ndarray:
    values = np.asarray(pixel_array(data, index=frame))
    interpretation = str(data.PhotometricInterpretation)
    stored = int(data.BitsStored)
    if interpretation == "PALETTE COLOR":
        coloured = np.asarray(apply_color_lut(values, data))
        return coloured if coloured.dtype == np.uint8 else (coloured >> 8).astype(np.uint8)
    if interpretation not in _GREY:
        return values if stored <= 8 else _scaled(values.astype(np.float64), 0, 2**stored - 1, stored)
    low, high = _stored_range(data, stored)
    modality = np.asarray(apply_modality_lut(values, data), dtype=np.float64)
    ends = np.asarray(apply_modality_lut(np.array([low, high]), data), dtype=np.float64)
    lowest, highest = (float(ends.min()), float(ends.max()))
    if "ModalityLUTSequence" in data:
        lowest, highest = 0.0, float(2 ** int(data.ModalityLUTSequence[0].LUTDescriptor[2]) - 1)
    if data.get("VOILUTSequence"):
        seen = np.asarray(apply_voi(modality.astype(np.int64), data), dtype=np.float64)
        shown = _scaled(seen, 0, 2 ** int(data.VOILUTSequence[0].LUTDescriptor[2]) - 1, stored)
    elif _number(data.get("WindowWidth")) is not None and _number(data.get("WindowCenter")) is not None:
        shown = _scaled(_windowed(modality, data), 0, 1, stored)
    else:
        shown = _scaled(modality, lowest, highest, stored)
    return ~shown if interpretation == "MONOCHROME1" else shown


def _stored_range(data: Any, stored: int) -> tuple[int, int]:
    signed = int(data.get("PixelRepresentation", 0)) == 1
    return (-(2 ** (stored - 1)), 2 ** (stored - 1) - 1) if signed else (0, 2**stored - 1)


def _windowed(values: Float[np.ndarray, "height width"], data: Any) -> Float[np.ndarray, "height width"]:
    """Apply the first window of the file (C.11.2.1.2 and C.11.2.1.3); the result is from 0 to 1."""
    centre, width = _number(data.WindowCenter) or 0.0, max(_number(data.WindowWidth) or 1.0, 1e-6)
    function = str(data.get("VOILUTFunction", "LINEAR") or "LINEAR")
    if function == "SIGMOID":
        exponent = np.clip(-4 * (values - centre) / width, -700, 700)
        return np.asarray(1 / (1 + np.exp(exponent)))
    if function == "LINEAR_EXACT":
        return np.asarray((values - centre) / width + 0.5)
    if width <= 1:
        return np.where(values > centre - 0.5, 1.0, 0.0)
    return np.asarray((values - (centre - 0.5)) / (width - 1) + 0.5)


def _number(value: Any) -> float | None:
    """Take the first of several values; None where there is none."""
    if value is None or value == "":
        return None
    first = value[0] if isinstance(value, Sequence) and not isinstance(value, str) and len(value) else value
    try:
        return float(first)
    except (TypeError, ValueError):
        return None


def _scaled(values: np.ndarray, low: float, high: float, stored: int) -> np.ndarray:
    """Spread values over the whole range of 8 or 16 bits."""
    dtype = np.uint8 if stored <= 8 else np.uint16
    share = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    return np.rint(share * np.iinfo(dtype).max).astype(dtype)
