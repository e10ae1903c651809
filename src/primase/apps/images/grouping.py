"""Which images belong together: those of one patient or specimen, by a column or names, and the pages of one file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Integer, Shaped

from primase.apps.images.configuration import ImageData
from primase.apps.images.gathering import Entries
from primase.apps.images.pictures import FilePictures
from primase.data.audit import Finding
from primase.data.splits import group_by_key

GROUP: Final = "group"
"""What a pattern finds is called so, unless it gives it a name, as in ``(?P<mouse>mouse[0-9]+)_``."""
FILE: Final = "file"
"""Pages of one file belong together under this name."""

Words = Shaped[np.ndarray, "images"]


def groups_of(
    data: ImageData, ids: Words, columns: Mapping[str, Words], entries: Sequence[Entries]
) -> tuple[dict[str, Integer[np.ndarray, "images"]], list[Finding]]:
    """Give numbers to what a split keeps together; a file of no known group stands alone."""
    if data.group_pattern is not None:
        # Not the ids, which begin with the part: a group of both parts would be two.
        names = np.concatenate([own.names for own in entries])
        name, words = _name_of(data.group_pattern), pattern_groups(data.group_pattern, names)
    elif data.group_column is not None and data.group_column in columns:
        name, words = data.group_column, columns[data.group_column]
    else:
        return _pages_together(entries)
    unknown = words == ""
    keys = np.where(unknown, np.array([f"\0{file}" for file in _files(entries)], dtype=object), words)
    groups = {name: group_by_key(keys)}
    count = int(unknown.sum())
    if not count:
        return groups, []
    text = f"{count:,} of {len(ids):,} images have no {name}: each file is treated as one of its own."
    return groups, [Finding("images without a group", count, "warning", text)]


def _pages_together(
    entries: Sequence[Entries],
) -> tuple[dict[str, Integer[np.ndarray, "images"]], list[Finding]]:
    several = sum(int((own.store.pages >= 0).sum()) for own in entries if isinstance(own.store, FilePictures))
    if not several:
        return {}, []
    text = f"{several:,} images are pages of files with several: the pages of one file are kept together."
    return {FILE: group_by_key(_files(entries))}, [Finding("pages of one file", several, "info", text)]


def _files(entries: Sequence[Entries]) -> list[str]:
    """Name the file of each image; every row of an array is one of its own."""
    keys: list[str] = []
    for number, own in enumerate(entries):
        store = own.store
        if isinstance(store, FilePictures):
            keys += [str(path) for path in store.paths]
        else:
            keys += [f"{number}\0{row}" for row in range(len(store))]
    return keys


def _name_of(pattern: str) -> str:
    """Take the name that a pattern gives to its first brackets."""
    return next((name for name, place in re.compile(pattern).groupindex.items() if place == 1), GROUP)


def pattern_groups(pattern: str, names: Words) -> Words:
    """Find in each name what a split keeps together; an empty text where the pattern does not match."""
    compiled = re.compile(pattern)
    found = np.empty(len(names), dtype=object)
    for row, name in enumerate(names.tolist()):
        match = compiled.search(str(name))
        found[row] = (match[1] or "") if match is not None else ""
    return found
