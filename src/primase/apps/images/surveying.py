"""Open every image once: first what files say of themselves, then all pixels; what is broken is named or left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from jaxtyping import Integer

from primase.apps.images.decoding import in_threads, prepared, room
from primase.apps.images.gathering import Entries
from primase.apps.images.pictures import ArrayPictures, FilePictures, Preparation, Prepared
from primase.apps.images.summaries import Summaries
from primase.bio.image_pixels import ImageHeader, where
from primase.bio.images import image_headers
from primase.data.audit import Finding
from primase.errors import InputError, ReadError
from primase.events import Listener, silent

_SHOWN: Final = 3

_Page = tuple[int, ImageHeader | InputError]
"""The number of a page (-1 in a file with one only), and what it says of itself or what is wrong with it."""


@final
@dataclass(frozen=True, slots=True)
class Opening:
    """How images are opened.

    Parameters
    ----------
    skips_broken
        Whether what cannot be read is left out, or refused.
    least_size
        The least height and width in pixels.
    preparations
        The sizes to which images are brought when they are decoded, such as that of the network.
    """

    skips_broken: bool = False
    least_size: int = 1
    preparations: tuple[Preparation, ...] = ()


def with_headers(entries: Entries, opening: Opening, listener: Listener = silent) -> Entries:
    """Read what every file says of itself, and make an entry of every page.

    Raises
    ------
    InputError
        If a file is no image or too small, which names the first and counts the others; or if nothing is left.
    """
    store = entries.store
    if isinstance(store, ArrayPictures):
        _refuse_small(store.header(0), store.where(0), opening.least_size)
        return entries

    def read(row: int) -> list[_Page]:
        return _pages_of(store, row, opening.least_size)

    count = len(store)
    found = [*in_threads(read, range(count), stage="check images", total=count, listener=listener)]
    errors: list[InputError] = []
    headers: list[ImageHeader] = []
    rows: list[int] = []
    pages: list[int] = []
    for row, own in enumerate(found):
        for page, header in own:
            if isinstance(header, InputError):
                errors.append(header)
                continue
            headers.append(header)
            rows.append(row)
            pages.append(page)
    findings = _broken(errors, opening, entries.where, len(rows))
    opened = FilePictures([store.paths[row] for row in rows], np.array(pages, dtype=np.int64), headers)
    taken = entries.take(np.array(rows, dtype=np.int64), opened)
    expanded = opened.pages >= 0
    ids = taken.ids.copy()
    for row in np.flatnonzero(expanded & (store.pages[rows] < 0)).tolist():
        ids[row] = f"{ids[row]}#{pages[row]}"
    return replace(taken, ids=ids, findings=[*taken.findings, *findings])


def _pages_of(store: FilePictures, row: int, least: int) -> list[_Page]:
    """Read the headers of all pages that an entry stands for; a page that is no good is an error."""
    page = store.page(row)
    try:
        headers = image_headers(store.paths[row]) if page is None else [store.header(row)]
    except InputError as error:
        return [(-1, error)]
    first = -1 if page is None and len(headers) == 1 else page or 0
    found: list[_Page] = []
    for number, header in enumerate(headers, start=first):
        try:
            _refuse_small(header, where(store.paths[row], number if number >= 0 else None), least)
        except InputError as error:
            found.append((number, error))
        else:
            found.append((number, header))
    return found


def surveyed(entries: Entries, opening: Opening, listener: Listener = silent) -> Entries:
    """Decode every image once: measure it, hash it, and bring it to the sizes that are known to be needed.

    Raises
    ------
    InputError
        If an image cannot be decoded; or if nothing is left.
    """
    store = entries.store
    count = len(store)
    summaries = Summaries.empty(count)
    ready = [Prepared(own, room((count, *own.shape))) for own in opening.preparations]

    def measure(row: int) -> ReadError | None:
        try:
            pixels = store.pixels(row)
        except ReadError as error:
            if not opening.skips_broken:
                raise
            return error
        summaries.put(row, pixels)
        for own in ready:
            own.images[row] = prepared(pixels, own.preparation)
        return None

    errors = [*in_threads(measure, range(count), stage="decode images", total=count, listener=listener)]
    known = replace(store, summaries=summaries, prepared=ready)
    bad = [error for error in errors if error is not None]
    if not bad:
        return replace(entries, store=known)
    kept = np.array([row for row, error in enumerate(errors) if error is None], dtype=np.int64)
    findings = _broken(bad, opening, entries.where, len(kept))
    return replace(entries.take(kept, _rows(known, kept)), findings=[*entries.findings, *findings])


def _rows(store: FilePictures | ArrayPictures, rows: Integer[np.ndarray, "kept"]) -> FilePictures | ArrayPictures:
    """Keep some rows of a store whose images are known."""
    summaries = store.summaries.take(rows) if store.summaries is not None else None
    ready = [Prepared(own.preparation, own.images[rows]) for own in store.prepared]
    if isinstance(store, ArrayPictures):
        return ArrayPictures([store.images[row] for row in rows.tolist()], store.name, summaries, ready)
    headers = [store.header(row) for row in rows.tolist()]
    paths = [store.paths[row] for row in rows.tolist()]
    return FilePictures(paths, store.pages[rows], headers, summaries, ready)


def _refuse_small(header: ImageHeader, place: str, least: int) -> None:
    if min(header.height, header.width) < least:
        what = "the image is too small to learn from or to be judged"
        got = f"{header.height} x {header.width} pixels"
        raise ReadError(what, where=place, got=got, wanted=f"at least {least} x {least}")


def _broken(errors: Sequence[InputError], opening: Opening, source: str, left: int) -> list[Finding]:
    """Raise the first error, or say what is left out."""
    if not errors:
        return []
    if opening.skips_broken and not left:
        raise nothing_left(errors, source)
    first = errors[0]
    if not opening.skips_broken:
        others = len(errors) - 1
        if others:
            more = f"{others:,} further {'files' if others > 1 else 'file'} cannot be read either."
            advice = f"{first.advice} {more}" if first.advice else more
            raise ReadError(first.what, where=first.where, got=first.got, wanted=first.wanted, advice=advice)
        raise first
    shown = "; ".join(f"{error.where} ({error.what})" for error in errors[:_SHOWN])
    text = f"{len(errors):,} images of {source} cannot be read, and are left out, the first of them {shown}."
    return [Finding("broken images", len(errors), "warning", text)]


def nothing_left(errors: Sequence[InputError], source: str) -> ReadError:
    """Say that no image is left, although what cannot be read is skipped."""
    first = errors[0]
    got = f"{first.where}: {first.what}"
    return ReadError("no image is left, as none can be read", where=source, got=got, wanted="one image or more")
