"""Find images in folders: by class or not, divided into parts or not; nothing is opened."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from primase.bio.dicom import is_dicom
from primase.bio.images import is_image_name
from primase.data.audit import Finding
from primase.data.splits import Part
from primase.errors import InputError

PART_NAMES: Final[Mapping[str, Part]] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""What people call the folders of parts, in lower case."""

_LIKE_PARTS: Final = re.compile(
    rf"({'|'.join(PART_NAMES)})([-_ ]?(set|data|dataset|images|imgs|part|split))?", flags=re.IGNORECASE
)
_WORDS_OF_CLASSES: Final = frozenset({"valid", "dev"})
"""Alone among others these may well be a class, such as valid and invalid."""

_OTHERWISE: Final = "if it is a class, give the folder another name, or name the classes in a table (--table)."
_NO_DATA: Final = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
_SHOWN: Final = 5


@final
@dataclass(frozen=True, slots=True)
class Listing:
    """Images below a folder, in the order of their names.

    Parameters
    ----------
    root
        The folder.
    paths
        Each image file.
    names
        Its path relative to the folder, with slashes.
    ignored
        How many files of each ending are no images.
    """

    root: Path
    paths: Sequence[Path]
    names: Sequence[str]
    ignored: Mapping[str, int]

    def below(self, folder: str) -> Listing:
        """Return the images below one folder, named relative to it."""
        kept = [place for place, name in enumerate(self.names) if name.startswith(f"{folder}/")]
        names = [self.names[place].removeprefix(f"{folder}/") for place in kept]
        return Listing(self.root / folder, [self.paths[place] for place in kept], names, {})

    @property
    def folders(self) -> list[str]:
        """List the folders right below that hold images."""
        return sorted({name.partition("/")[0] for name in self.names if "/" in name})

    def findings(self) -> list[Finding]:
        """Say what was left out."""
        count = sum(self.ignored.values())
        if not count:
            return []
        shown = ", ".join(f"{number:,} {ending}" for ending, number in Counter(self.ignored).most_common(_SHOWN))
        text = f"{count:,} files in {self.root} are no images by their endings, and are left out: {shown}."
        return [Finding("files that are no images", count, "info", text)]


def list_images(root: Path) -> Listing:
    """Find all images below a folder; hidden files and those that systems leave behind do not count.

    Raises
    ------
    InputError
        If it is no folder, cannot be read, or holds no image.
    """
    if not root.is_dir():
        what = "the folder does not exist" if not root.exists() else "this is no folder of images"
        raise InputError(what, where=str(root), wanted="a folder of images, or a MedMNIST archive (.npz)")
    paths: list[Path] = []
    ignored: Counter[str] = Counter()
    for path in _files(root):
        if is_image_name(path) or (not path.suffix and is_dicom(path)):
            paths.append(path)
        else:
            ignored[path.suffix.lower() or "without ending"] += 1
    if not paths:
        what = "the folder holds no images"
        got = f"{sum(ignored.values()):,} other files" if ignored else "no files"
        raise InputError(what, where=str(root), got=got, wanted="PNG, JPEG, TIFF, BMP, GIF, WebP or DICOM files")
    return Listing(root, paths, [path.relative_to(root).as_posix() for path in paths], ignored)


def _files(root: Path) -> Iterator[Path]:
    """Walk through folders in the order of names; links are followed, each folder is visited once."""
    visited: set[tuple[int, int]] = set()

    def walk(folder: str) -> Iterator[Path]:
        try:
            status = Path(folder).stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            what = "the folder cannot be read"
            raise InputError(what, where=folder, got=error.strerror) from error
        if (status.st_dev, status.st_ino) in visited:
            return
        visited.add((status.st_dev, status.st_ino))
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower() in _NO_DATA:
                continue
            if entry.is_dir():
                yield from walk(entry.path)
            elif entry.is_file():  # no pipes and devices, which would block
                yield Path(entry.path)

    yield from walk(str(root))


def divided(listing: Listing) -> dict[Part, Listing]:
    """Divide images by the folders train, val and test right below; without a folder ``train`` all are one part.

    An only folder around everything, as archives have one, is looked through.

    Raises
    ------
    InputError
        If two folders mean the same part.
    """
    inner = _unwrapped(listing)
    folders: dict[Part, str] = {}
    for folder in inner.folders:
        part = PART_NAMES.get(folder.lower())
        if part is None:
            continue
        if part in folders:
            what = "two folders mean the same part"
            raise InputError(what, where=str(inner.root), got=f"{folders[part]} and {folder}", wanted="one of them")
        folders[part] = folder
    if "train" not in folders:
        return {"train": listing}
    return {part: inner.below(folder) for part, folder in folders.items()}


def _unwrapped(listing: Listing) -> Listing:
    folders = listing.folders
    if len(folders) != 1 or any("/" not in name for name in listing.names):
        return listing
    inner = listing.below(folders[0])
    return inner if any(PART_NAMES.get(name.lower()) == "train" for name in inner.folders) else listing


def outside_of_parts(listing: Listing, parts: Mapping[Part, Listing]) -> list[Finding]:
    """Say which images lie beside the folders of the parts."""
    count = len(listing.paths) - sum(len(part.paths) for part in parts.values())
    if not count:
        return []
    text = (
        f"{count:,} images lie beside the folders of train, validation and test in {listing.root}: they are left out."
    )
    return [Finding("images beside the parts", count, "warning", text)]


def classes_of(listing: Listing) -> tuple[list[int], list[str], list[Finding]]:
    """Name the class of each image by the folder right below; images in no folder are left out.

    Returns
    -------
    The positions of the images that have a class, the classes of these, and what was odd.

    Raises
    ------
    InputError
        If no image lies in a folder, or the folders are named like parts and not like classes.
    """
    kept = [place for place, name in enumerate(listing.names) if "/" in name]
    if not kept:
        what = "the images lie in no folders that name their classes"
        wanted = "a folder per class, or a table of paths and labels beside --images"
        advice = None
        if listing.root.name.lower() in PART_NAMES:
            advice = f"A folder called {listing.root.name} means a part; {_OTHERWISE}"
        raise InputError(what, where=str(listing.root), got=f"{listing.names[0]}, …", wanted=wanted, advice=advice)
    _refuse_parts(listing)
    outside = len(listing.names) - len(kept)
    findings = []
    if outside:
        text = f"{outside:,} images in {listing.root} lie beside the folders of the classes: they are left out."
        findings.append(Finding("images without a class", outside, "warning", text))
    return kept, [listing.names[place].partition("/")[0] for place in kept], findings


def _refuse_parts(listing: Listing) -> None:
    """Refuse to learn to tell test images from validation images."""
    parts = [folder for folder in listing.folders if _LIKE_PARTS.fullmatch(folder)]
    if not parts or (len(parts) == 1 and parts[0].lower() in _WORDS_OF_CLASSES):
        return
    what = "folders that should name the classes are named like parts"
    wanted = "folders train, val and test with a folder per class in each, or folders named by the classes only"
    advice = (
        "Name the folder to learn from train, or give each part: --images, --validation-images, --test-images. "
        f"{_OTHERWISE[0].upper()}{_OTHERWISE[1:]}"
    )
    raise InputError(what, where=str(listing.root), got=", ".join(parts), wanted=wanted, advice=advice)
