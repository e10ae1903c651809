"""Archives of images as arrays (.npz), as MedMNIST publishes them: images and labels of train, validation and test."""

from __future__ import annotations

import lzma
import math
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import numpy as np
from jaxtyping import Shaped

from primase.bio.image_pixels import DTYPES
from primase.errors import ReadError

MOST_IN_MEMORY: Final = 1 << 30
"""Larger arrays are unpacked into a file without a name, and read from there page by page."""

_CHUNK: Final = 1 << 20
_PARTS: Final = {"train": "train", "val": "validation", "validation": "validation", "test": "test", "": "train"}
_WANTED: Final = "arrays such as train_images, train_labels, val_images, test_images, as in MedMNIST"


@dataclass(frozen=True, slots=True, eq=False)
class ArchivePart:
    """The images of one part.

    Parameters
    ----------
    name
        As the archive calls the part, such as ``"val"``; empty where it does not divide them.
    images
        (images, height, width) or (images, height, width, 3).
    labels
        (images, labels) of whole numbers; None where there are none.
    """

    name: str
    images: Shaped[np.ndarray, "images height width *three"]
    labels: Shaped[np.ndarray, "images labels"] | None


def read_archive(path: Path) -> Mapping[str, ArchivePart]:
    """Read the images of an archive by part: ``"train"``, ``"validation"``, ``"test"``.

    Nothing in it is run: arrays of Python objects are refused.

    Raises
    ------
    ReadError
        If it is no archive of arrays, is damaged, or holds no images, volumes, or labels of another number.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
            found = {}
            for key, member in members.items():
                part, _, word = key.rpartition("_")
                if word == "images" and part in _PARTS:
                    images = _images(_array(archive, member, path), f"{path}, {key}")
                    label_key = f"{part}_labels" if part else "labels"
                    labels = _array(archive, members[label_key], path) if label_key in members else None
                    labels = _labels(labels, len(images), f"{path}, {label_key}")
                    found[_PARTS[part]] = ArchivePart(part, images, labels)
    except FileNotFoundError as error:
        what = "the file does not exist"
        raise ReadError(what, where=str(path)) from error
    except RuntimeError as error:  # of zipfile: a password, or a compression that it does not know
        what = "the archive is encrypted, or packed in a way that is not read"
        advice = "Unpack it, and save the arrays with numpy.savez."
        raise ReadError(what, where=str(path), got=str(error), advice=advice) from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        what = "this is no archive of arrays, or it is damaged or cut off"
        raise ReadError(what, where=str(path), got=str(error), wanted=_WANTED, advice="Copy it again.") from error
    if not found:
        what = "the archive holds no images"
        shown = ", ".join(sorted(members)[:10]) or "nothing"
        raise ReadError(what, where=str(path), got=f"arrays called {shown}", wanted=_WANTED)
    return found


def _array(archive: zipfile.ZipFile, member: str, path: Path) -> Shaped[np.ndarray, "..."]:
    place = f"{path}, {member.removesuffix('.npy')}"
    with archive.open(member) as file:
        try:
            shape, fortran, dtype = _header(file)
        except (ValueError, SyntaxError, TypeError) as error:
            what = "the array cannot be read"
            raise ReadError(what, where=place, got=str(error)) from error
        if dtype.hasobject:
            what = "the array holds Python objects, which could run a program, and is not read"
            raise ReadError(what, where=place, wanted="an array of numbers")
        if math.prod(shape) * dtype.itemsize > MOST_IN_MEMORY and not fortran:
            return _on_disk(file, shape, dtype, place)
    with archive.open(member) as file:
        try:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
        except ValueError as error:
            what = "the array is damaged or cut off"
            raise ReadError(what, where=place, got=str(error)) from error


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    return shape, fortran, dtype


def _on_disk(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype, place: str) -> Shaped[np.ndarray, "..."]:
    whole = left = math.prod(shape) * dtype.itemsize
    with tempfile.TemporaryFile(prefix="primase.") as unpacked:
        # No more than the array needs: a small archive may be packed to fill a disk.
        while left and (chunk := file.read(min(left, _CHUNK))):
            unpacked.write(chunk)
            left -= len(chunk)
        if left:
            what = "the array is damaged or cut off"
            raise ReadError(what, where=place, got=f"{whole - left:,} bytes", wanted=f"{whole:,} bytes")
        return np.memmap(unpacked, dtype=dtype, mode="r", shape=shape)


def _images(values: Shaped[np.ndarray, "..."], place: str) -> Shaped[np.ndarray, "images height width *three"]:
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[:, :, :, 0]
    if values.ndim not in (3, 4) or (values.ndim == 4 and values.shape[3] != 3) or not values.size:
        what = "these are no images"
        wanted = "(images, height, width) or (images, height, width, 3); volumes are not read"
        raise ReadError(what, where=place, got=" x ".join(map(str, values.shape)), wanted=wanted)
    if values.dtype not in DTYPES:
        what = "the pixels are of a kind that is not read"
        raise ReadError(what, where=place, got=str(values.dtype), wanted="uint8, uint16 or float32")
    return values


def _labels(
    values: Shaped[np.ndarray, "..."] | None, count: int, place: str
) -> Shaped[np.ndarray, "images labels"] | None:
    if values is None:
        return None
    if values.ndim not in (1, 2) or len(values) != count or values.dtype.kind not in "iub":
        what = "the labels do not belong to the images"
        got = f"{values.dtype} of shape {values.shape}"
        raise ReadError(what, where=place, got=got, wanted=f"whole numbers, a row for each of {count:,} images")
    return values.reshape(count, -1).astype(np.int64)
