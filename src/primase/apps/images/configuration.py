"""The settings that the applications on images share: where images come from, and how they are divided."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Final, Literal

from pydantic import model_validator

from primase.apps.contract import Configuration
from primase.data.words import DatasetWords, ImageWords, SplitSection, refuse_ambiguous_input

Broken = Literal["refuse", "skip"]
Intensity = Literal["auto", "range", "stretch"]

IMAGE_COLUMNS: Final = ("image", "path", "file", "filename", "file_name", "image_path")
"""What people call the column of paths."""
TARGET_COLUMNS: Final = ("label", "labels", "target", "class", "diagnosis")
"""What people call the column of what is learned."""


class ImageData(DatasetWords, ImageWords):
    """Where the images come from, and how they are read."""

    image_column: str = "image"
    """Column of the paths of images, relative to --images or else to the table; `path`, `file` and `filename` are found
    without being named."""
    target_column: tuple[str, ...] = ()
    """Column of what is learned: one with a class per image, or with several joined by `;` or `|`; or several columns
    of 0 and 1. By default `label`, `target`, `class` or `diagnosis`."""
    group_pattern: str | None = None
    """Regular expression that finds in the path of an image, below the folders of its part (train, test) and of its
    class, what a split keeps together, such as `(person[0-9]+)_`; the first pair of brackets counts, and may name it:
    `(?P<mouse>mouse[0-9]+)_`."""
    label_column: tuple[str, ...] = ()
    """Columns that are never learned from; figures are given for each of their values, such as the sex or the
    hospital."""
    broken: Broken = "refuse"
    """What to do with files that cannot be read: refuse them all, or leave them out and say so."""
    intensity: Intensity = "auto"
    """How images of 16 bit or floating point become 8 bit: by the whole range of values, or by stretching each image
    from its 0.5th to its 99.5th percentile; auto stretches what is not 8 bit already."""

    @model_validator(mode="after")
    def _one_input(self) -> ImageData:
        message = _complaint(self)
        if message is not None:
            raise ValueError(message)
        refuse_ambiguous_input(self.model_copy(update={"images": None, "group_column": None}), ("dataset", "table"))
        return self


def _complaint(data: ImageData) -> str | None:
    """Say which words do not go together."""
    if data.dataset is not None and data.images is not None:
        return "give one input, not several at once: --dataset and --images"
    alone = data.dataset is None and data.images is None and data.table is None
    if alone and (data.validation_images or data.test_images):
        return f"--{'validation' if data.validation_images else 'test'}-images needs --images beside it"
    if data.dataset is None and data.table is None and (data.validation_table or data.test_table):
        return f"--{'validation' if data.validation_table else 'test'}-table needs --table beside it"
    if data.group_column is not None and data.group_pattern is not None:
        return "--group-column and --group-pattern say the same thing in two ways: give one"
    if data.group_column is not None and data.dataset is None and data.images is not None and data.table is None:
        return "--group-column names a column of --table, which is not given; --group-pattern reads it from the paths"
    return _complaint_of_pattern(data.group_pattern)


def _complaint_of_pattern(pattern: str | None) -> str | None:
    if pattern is None:
        return None
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        return f"--group-pattern is no regular expression: {error}"
    return None if groups else "--group-pattern has no brackets around what it finds, such as (person[0-9]+)_"


class ImageSplit(SplitSection):
    """How images are divided."""

    split: Literal["auto", "given", "group", "random"] = "auto"
    """Take the parts as given, keep together what --group-column or --group-pattern says (a patient, a specimen), or
    draw at random; auto: given, else group where there are groups, else random."""


class ImageConfiguration(Configuration):
    """The sections that both applications have."""

    inherited: ClassVar[frozenset[str]] = frozenset({"intensity"})
    """How a model that starts from another reads its images: as that one does."""

    data: ImageData = ImageData()
    split: ImageSplit = ImageSplit()


def inputs_of(data: ImageData, part: str) -> tuple[Path | None, Path | None]:
    """Return the folder (or archive) of images and the table that the user gave for a part."""
    prefix = "" if part == "train" else f"{part}_"
    return getattr(data, f"{prefix}images"), getattr(data, f"{prefix}table")
