"""Read images to predict block by block, so that any number of them can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Integer

from primase.apps.images.configuration import ImageData
from primase.apps.images.gathering import Entries, of_arrays, of_file, of_listing, of_table
from primase.apps.images.listing import list_images
from primase.apps.images.pictures import FilePictures, Pictures, Preparation
from primase.apps.images.surveying import Opening, surveyed, with_headers
from primase.apps.images.tables import is_table
from primase.bio.image_archives import read_archive
from primase.data.audit import Finding
from primase.data.examples import Examples
from primase.errors import InputError, ReadError
from primase.events import Listener, Notice, silent


def stream_pictures(
    path: Path,
    data: ImageData,
    listener: Listener = silent,
    *,
    block: int = 256,
    least_size: int = 1,
    preparations: Sequence[Preparation] = (),
) -> Iterator[Examples[Pictures]]:
    """Read images to predict, block by block.

    Parameters
    ----------
    path
        An image, a folder of images at any depth, a MedMNIST archive, or a table of paths.
    block
        So many images at a time, at most.
    preparations
        The sizes to which all images will be brought. Where there are several, or images that cannot be decoded are to
        be skipped, each is decoded here, once.

    Raises
    ------
    InputError
        If there is no image, or one cannot be read.
    """
    opening = Opening(data.broken == "skip", least_size, tuple(preparations))
    # Blocks of which nothing is left are told of when another one has something: else one error says it all.
    lost: list[InputError] = []
    is_any = False
    for some in _blocks(_unlabelled(path, data), block):
        try:
            opened = with_headers(some, opening)
        except InputError as error:
            _keep(error, lost, opening)
            continue
        for inner in _blocks([opened], block):
            try:
                known = _known(inner, opening)
            except InputError as error:
                _keep(error, lost, opening)
                continue
            is_any = True
            _tell([*_left_out(lost), *known.findings], listener)
            lost.clear()
            yield _unanswered(known)
        if is_any:
            _tell([*_left_out(lost), *opened.findings], listener)
            lost.clear()
    if is_any:
        _tell(_left_out(lost), listener)
    elif lost:
        raise ReadError(lost[0].what, where=str(path), got=lost[0].got, wanted=lost[0].wanted)


def _blocks(every: Sequence[Entries], block: int) -> Iterator[Entries]:
    for entries in every:
        for start in range(0, len(entries.ids), block):
            rows = np.arange(start, min(start + block, len(entries.ids)))
            yield _slice(replace(entries, findings=()), rows)


def _keep(error: InputError, lost: list[InputError], opening: Opening) -> None:
    if not opening.skips_broken:
        raise error
    lost.append(error)


def _left_out(lost: Sequence[InputError]) -> list[Finding]:
    return [Finding("broken images", 1, "warning", f"Left out: {error}") for error in lost]


def _known(entries: Entries, opening: Opening) -> Entries:
    if len(opening.preparations) < 2 and not opening.skips_broken:
        return entries
    return surveyed(entries, opening)


def _unanswered(entries: Entries) -> Examples[Pictures]:
    return Examples(
        ids=entries.ids,
        inputs=Pictures.whole(entries.store),
        targets=np.empty((len(entries.ids), 0), dtype=np.float32),
        covariates=entries.columns,
    )


def _tell(findings: Sequence[Finding], listener: Listener) -> None:
    for finding in findings:
        listener(Notice(finding.text, finding.severity))


def _slice(entries: Entries, rows: Integer[np.ndarray, "chosen"]) -> Entries:
    store = entries.store
    if isinstance(store, FilePictures):
        headers = [store.headers[row] for row in rows.tolist()] if store.headers is not None else None
        return entries.take(rows, FilePictures([store.paths[row] for row in rows.tolist()], store.pages[rows], headers))
    return entries.take(rows, replace(store, images=store.images[int(rows[0]) : int(rows[-1]) + 1]))


def _unlabelled(path: Path, data: ImageData) -> list[Entries]:
    if path.suffix.lower() == ".npz":
        archive = read_archive(path)
        return [of_arrays(path, part, archive, labelled=False) for part in archive.values()]
    if path.is_file() and is_table(path):
        roots = [path.parent, *([data.images] if data.images is not None else [])]
        return [of_table(data, path, roots, labelled=False, predicting=True)]
    if path.is_file():
        return [of_file(path)]
    listing = list_images(path)
    return [replace(of_listing(listing, listing, labelled=False), findings=listing.findings())]
