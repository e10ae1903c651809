"""What is odd in the files themselves, whatever is asked of the images."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

import numpy as np
from jaxtyping import Shaped

from primase.apps.images.pictures import Pictures
from primase.data.audit import Finding

_KINDS: Final = "person|patient|subject|case|donor|animal|mouse|rat|fish|embryo|specimen|slide"
GROUPED: Final = f"(?i)((?:{_KINDS})[-_ ]?[0-9]+)[-_ .]"
"""How file names tell the patient, the specimen or the like, if they do."""
_OFTEN: Final = 0.2


def remarks(pictures: Pictures) -> list[Finding]:
    """Say which formats, depths and colours there are, where they are mixed."""
    headers = [pictures.header(index) for index in range(len(pictures))]
    return [*_mixed_colour([header.colour for header in headers]), *_mixed_bits([header.bits for header in headers])]


def groups_in_names(names: Shaped[np.ndarray, "images"]) -> list[Finding]:
    """Say that file names seem to tell which images are of one patient or specimen, where a fifth or more do."""
    found = [re.search(GROUPED, str(name)) for name in names.tolist()]
    groups = Counter(match[1].lower() for match in found if match is not None)
    count = sum(groups.values())
    if count < _OFTEN * len(names) or count == len(groups):
        return []
    example = next(str(name) for name, match in zip(names.tolist(), found, strict=True) if match is not None)
    kinds = " or ".join(dict.fromkeys(re.match("[a-z]+", group)[0] for group in groups))  # type: ignore[index]  # begins so
    text = (
        f"The names of {count:,} of {len(names):,} images seem to tell the {kinds}, such as {example}: "
        f"{len(groups):,} different ones. --group-pattern '{GROUPED}' keeps the images of one together."
    )
    return [Finding("groups in file names", count, "warning", text)]


def no_test_part(count: int) -> list[Finding]:
    """Say that parts are given, and none to test on."""
    text = (
        "Images to train and to validate on are given, and none to test on: all of them are divided anew. Name those "
        "to test on with --test-images or --test-table to keep the parts."
    )
    return [Finding("no test part", count, "warning", text)]


def _mixed_colour(colours: list[bool]) -> list[Finding]:
    coloured, count = sum(colours), len(colours)
    if coloured in (0, count):
        return []
    text = (
        f"{coloured:,} images are in colour and {count - coloured:,} grey. All are brought to one form; if one class "
        "or source has more of one kind, that gives it away."
    )
    return [Finding("mixed grey and colour", min(coloured, count - coloured), "warning", text)]


def _mixed_bits(bits: list[int]) -> list[Finding]:
    kinds = Counter(bits)
    if len(kinds) < 2:
        return []
    words = {8: "8 bit", 16: "16 bit", 32: "floating point"}
    shown = ", ".join(f"{count:,} of {words[kind]}" for kind, count in kinds.most_common())
    text = f"The images have different depths: {shown}. See --intensity for how they are brought to one."
    return [Finding("mixed bit depths", min(kinds.values()), "warning", text)]
