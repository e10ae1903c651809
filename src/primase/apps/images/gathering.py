"""Gather what the user named as images, part by part: folders, tables of paths, archives; no image is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self, final

import numpy as np
from jaxtyping import Integer, Shaped

from primase.apps.images.configuration import ImageData, inputs_of
from primase.apps.images.listing import PART_NAMES, Listing, classes_of, divided, list_images, outside_of_parts
from primase.apps.images.medmnist import label_names
from primase.apps.images.pictures import ArrayPictures, FilePictures
from primase.apps.images.tables import Row, rows_of
from primase.bio.image_archives import ArchivePart, read_archive
from primase.bio.images import is_image_name
from primase.data.audit import Finding
from primase.data.splits import PARTS, Part
from primase.errors import ConfigurationError, InputError

FOLDER: Final = "class"
"""What folders say of an image is called so."""

Words = Shaped[np.ndarray, "images"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """The images of one part, and what is said of them.

    Parameters
    ----------
    store
        Where they are.
    ids, places
        The name of each, and where it is said what it shows, for messages.
    names
        What a pattern finds groups in: the path of each below the folders of its part and of its class.
    labels, columns
        What is learned and what else is known, by name, as words; an empty one is unknown.
    where
        The folder, table or archive.
    """

    store: FilePictures | ArrayPictures
    ids: Words
    places: Words
    names: Words
    labels: Mapping[str, Words]
    columns: Mapping[str, Words]
    where: str
    findings: Sequence[Finding] = field(default_factory=tuple)

    def take(self, rows: Integer[np.ndarray, "chosen"], store: FilePictures | ArrayPictures) -> Self:
        """Return the entries at these positions, which are all images of another store."""
        return replace(
            self,
            store=store,
            ids=self.ids[rows],
            places=self.places[rows],
            names=self.names[rows],
            labels={name: words[rows] for name, words in self.labels.items()},
            columns={name: words[rows] for name, words in self.columns.items()},
        )


def gather(data: ImageData, *, labelled: bool) -> dict[Part, Entries]:
    """Gather the images of every part that is given.

    Parameters
    ----------
    labelled
        Whether labels must be there; otherwise folders are searched for images whatever their names say.

    Raises
    ------
    InputError
        If there is no input, or a folder, table or archive is not what it should be.
    """
    found: dict[Part, Entries] = {}
    for part in PARTS:
        images, table = inputs_of(data, part)
        if images is None and table is None:
            continue
        inner = _gathered(data, part, images, table, labelled=labelled)
        for name, entries in inner.items():
            if name in found:
                what = f"{name} images are given twice"
                got = f"those in {found[name].where}, too"
                raise ConfigurationError(what, where=entries.where, got=got, wanted="one of them")
            found[name] = entries
    if "train" not in found:
        what = "there is no input"
        wanted = "--dataset NAME, --images FOLDER, or --table FILE"
        raise InputError(what, wanted=wanted)
    outer = [part for part in PARTS if inputs_of(data, part) != (None, None)]
    return (
        found if len(outer) == 1 or data.table is not None else {part: _prefixed(found[part], part) for part in found}
    )


def _gathered(
    data: ImageData, part: Part, images: Path | None, table: Path | None, *, labelled: bool
) -> dict[Part, Entries]:
    if table is not None:
        roots = [root for root in (images, data.images) if root is not None]
        return {part: of_table(data, table, roots, labelled=labelled)}
    assert images is not None
    if images.suffix.lower() == ".npz":
        return _of_archive(images, part, labelled=labelled)
    if images.is_file() and not labelled:
        return {part: of_file(images)}
    listing = list_images(images)
    if part != "train":
        return {part: of_listing(listing, listing, labelled=labelled)}
    parts = divided(listing)
    beside = [*listing.findings(), *outside_of_parts(listing, parts)]
    found = {name: of_listing(inner, listing, labelled=labelled) for name, inner in parts.items()}
    first = next(iter(found))
    return {**found, first: replace(found[first], findings=[*beside, *found[first].findings])}


def _prefixed(entries: Entries, part: Part) -> Entries:
    """Put the part in front of ids, as two folders may hold files of one name."""
    return replace(entries, ids=_words([f"{part}/{name}" for name in entries.ids.tolist()]))


def _words(texts: Sequence[str]) -> Words:
    found = np.empty(len(texts), dtype=object)
    found[:] = texts
    return found


def of_file(path: Path) -> Entries:
    """Take one image file."""
    if not is_image_name(path):
        what = "this is neither an image nor a folder of images"
        raise InputError(what, where=str(path), wanted="PNG, JPEG, TIFF, BMP, GIF, WebP or DICOM")
    return _of_paths([path], [path.name], [path.name], {}, str(path))


def of_listing(listing: Listing, whole: Listing, *, labelled: bool) -> Entries:
    """Take the images below a folder, each with its class if labelled; ids are relative to the folder around all."""
    ids = [path.relative_to(whole.root).as_posix() for path in listing.paths]
    if not labelled:
        return _of_paths(listing.paths, ids, listing.names, {}, str(listing.root))
    kept, classes, findings = classes_of(listing)
    entries = _of_paths(
        [listing.paths[place] for place in kept],
        [ids[place] for place in kept],
        [listing.names[place].partition("/")[2] for place in kept],
        {FOLDER: classes},
        str(listing.root),
    )
    return replace(entries, findings=findings)


def _of_paths(
    paths: Sequence[Path], ids: Sequence[str], names: Sequence[str], labels: Mapping[str, Sequence[str]], where: str
) -> Entries:
    store = FilePictures(list(paths), np.full(len(paths), -1, dtype=np.int64))
    columns = {name: _words(words) for name, words in labels.items()}
    return Entries(store, _words(ids), _words([str(path) for path in paths]), _words(names), columns, {}, where)


def of_table(
    data: ImageData, table: Path, roots: Sequence[Path], *, labelled: bool, predicting: bool = False
) -> Entries:
    """Take the images that the rows of a table name; to predict, columns of groups may be absent.

    Raises
    ------
    InputError
        If a column is missing, or a row names no file, or one that another row has named.
    """
    found = rows_of(data, table, roots, labelled=labelled, predicting=predicting)
    rows: Sequence[Row] = found.rows
    store = FilePictures([row.path for row in rows], np.array([row.page for row in rows], dtype=np.int64))
    kept = np.array([row.number for row in rows], dtype=np.int64)
    labels = {name: _words(words)[kept] for name, words in found.labels.items()}
    columns = {name: _words(words)[kept] for name, words in found.columns.items()}
    places = _words([found.table.where(row.number) for row in rows])
    ids, names = _words([row.name for row in rows]), _words([_without_part(row.name) for row in rows])
    return Entries(store, ids, places, names, labels, columns, str(table), found.findings)


def _without_part(name: str) -> str:
    """Leave the first folder that is called like a part out of a path."""
    *folders, last = name.split("/")
    part = next((place for place, folder in enumerate(folders) if folder.lower() in PART_NAMES), None)
    return name if part is None else "/".join([*folders[:part], *folders[part + 1 :], last])


def _of_archive(path: Path, part: Part, *, labelled: bool) -> dict[Part, Entries]:
    archive = read_archive(path)
    if part == "train":
        return {name: of_arrays(path, archive[name], archive, labelled=labelled) for name in PARTS if name in archive}
    if part not in archive and len(archive) > 1:
        what = f"the archive has several parts, and none is called {part}"
        raise InputError(what, where=str(path), got=", ".join(archive))
    inner = archive.get(part) or next(iter(archive.values()))
    return {part: of_arrays(path, inner, archive, labelled=labelled)}


def of_arrays(path: Path, part: ArchivePart, archive: Mapping[str, ArchivePart], *, labelled: bool) -> Entries:
    """Take one part of an archive; the numbers of known ones get their names.

    Raises
    ------
    InputError
        If labels are needed and there are none.
    """
    prefix = f"{part.name}_" if part.name else "image_"
    ids = _words([f"{prefix}{row}" for row in range(len(part.images))])
    store = ArrayPictures(part.images, f"{path}, {prefix.rstrip('_')}")
    places = _words([f"{path}, {name}" for name in ids.tolist()])
    if not labelled:
        return Entries(store, ids, places, ids, {}, {}, str(path))
    if part.labels is None:
        what = "the archive has images and no labels"
        raise InputError(what, where=str(path), wanted=f"an array {part.name or ''}_labels".replace(" _", " "))
    labels = [inner.labels for inner in archive.values() if inner.labels is not None]
    several = part.labels.shape[1] > 1
    count = part.labels.shape[1] if several else int(max(own.max(initial=0) for own in labels)) + 1
    names = label_names(path.name, count)
    if several:
        columns = {
            names[number] if names else f"label_{number}": _words([str(value) for value in column.tolist()])
            for number, column in enumerate(part.labels.T)
        }
    else:
        words = [names[value] if names and value >= 0 else str(value) for value in part.labels[:, 0].tolist()]
        columns = {FOLDER: _words(words)}
    return Entries(store, ids, places, ids, columns, {}, str(path))
