"""Read images from what users have: folders by class, tables of paths, archives of arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from jaxtyping import Integer, Shaped

from primase.apps.answers import Answers
from primase.apps.images.answers import understand
from primase.apps.images.configuration import ImageData
from primase.apps.images.decoding import MOST_IN_MEMORY
from primase.apps.images.gathering import (
    Entries,
    gather,
)
from primase.apps.images.grouping import groups_of
from primase.apps.images.pictures import Pictures, Preparation
from primase.apps.images.remarks import groups_in_names, no_test_part, remarks
from primase.apps.images.surveying import Opening, surveyed, with_headers
from primase.apps.images.tables import columns_of_no_table
from primase.data.audit import Finding
from primase.data.examples import Examples
from primase.data.splits import Part
from primase.data.tasks import Task
from primase.errors import ConfigurationError, InputError
from primase.events import Listener, silent

Preparing = Callable[[Pictures], Sequence[Preparation]]
"""Says to which sizes images will be brought."""

Dataset = Callable[[Listener], Mapping[str, Any]]
"""Brings a data set, and names the settings under which its files are read."""

Words = Shaped[np.ndarray, "images"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class ReadPictures:
    """What a user's files say.

    Parameters
    ----------
    ids
        The name of each image: its path relative to the folder, ``NAME#3`` for a page, ``test_12`` in an archive.
    pictures
        All images; each was decoded once already, and measured.
    labels
        Columns of what is learned, as words, by name; empty without labels.
    places
        Where it is said what each image shows, for messages.
    where
        The folder, table or archive of the training part, for messages.
    parts
        The part of each image where they are given apart, one to test on among them; else None.
    groups
        Under the name of the group column (or ``"group"`` by a pattern, ``"file"`` of pages), the group of each.
    covariates
        Other columns of the table, as words.
    findings
        What was odd.
    """

    ids: Words
    pictures: Pictures
    labels: Mapping[str, Words]
    places: Words
    where: str
    parts: Words | None
    groups: Mapping[str, Integer[np.ndarray, "images"]]
    covariates: Mapping[str, Words]
    findings: Sequence[Finding]

    def answers(self, task: Task | None) -> Answers:
        """Turn the labels into targets.

        Parameters
        ----------
        task
            That of a trained model; None to find the labels in the data.

        Raises
        ------
        InputError
            If there is one class only, or a label that the model does not know.
        """
        return understand(self.labels, task, where=self.where, places=self.places.tolist())

    def examples(self, targets: Shaped[np.ndarray, "images *labels"] | None = None) -> Examples[Pictures]:
        """Lay everything out as examples; without targets these have the shape (images, 0)."""
        return Examples(
            ids=self.ids,
            inputs=self.pictures,
            targets=np.empty((len(self.ids), 0), dtype=np.float32) if targets is None else targets,
            groups=self.groups,
            parts=self.parts,
            covariates=self.covariates,
        )


def read_pictures(
    data: ImageData,
    listener: Listener = silent,
    sources: Mapping[str, Dataset] | None = None,
    *,
    labelled: bool,
    least_size: int = 1,
    preparing: Preparing | None = None,
    trained: bool = False,
) -> ReadPictures:
    """Read images to learn from or to judge a model on; every file is opened, and decoded once.

    Parameters
    ----------
    data
        What the user named; what a registered data set says of itself gives way to it.
    sources
        The registered data sets by name.
    labelled
        Whether labels must be there.
    least_size
        The least height and width in pixels.
    preparing
        Says, by the headers of the training images, to which sizes all images will be brought:
        :func:`~primase.apps.images.decoding.decoded` finds those that were brought to it here, and decodes nothing
        again. Of what would take more than 1 GiB nothing is kept.
    trained
        Whether a trained model is to be judged: the columns that it was trained with need not be there.

    Raises
    ------
    InputError
        If the input is not what it should be. With ``broken="skip"`` files that cannot be read are left out instead.
    """
    data = resolve(data, sources or {}, listener)
    strange = columns_of_no_table(data, trained=trained)
    opening = Opening(data.broken == "skip", least_size)
    gathered = gather(data, labelled=labelled)
    # What files say of themselves is cheap to ask for, so that most errors are known before anything is decoded.
    opened = {part: with_headers(entries, opening, listener) for part, entries in gathered.items()}
    if preparing is not None:
        preparations = preparing(Pictures.whole(opened["train"].store))
        opening = replace(opening, preparations=_few(preparations, sum(len(own.ids) for own in opened.values())))
    parts = {part: surveyed(entries, opening, listener) for part, entries in opened.items()}
    joined = _joined(data, parts)
    return replace(joined, findings=[*joined.findings, *strange])


def _few(preparations: Sequence[Preparation], count: int) -> tuple[Preparation, ...]:
    """Leave out what would take too much memory beside the rest: it is decoded again when it is needed."""
    kept: list[Preparation] = []
    left = MOST_IN_MEMORY
    for preparation in preparations:
        bytes_needed = count * math.prod(preparation.shape)
        if bytes_needed <= left:
            kept.append(preparation)
            left -= bytes_needed
    return tuple(kept)


def resolve(data: ImageData, sources: Mapping[str, Dataset], listener: Listener) -> ImageData:
    """Put the files of a registered data set in its place, with what it says of itself where the user says nothing.

    Raises
    ------
    ConfigurationError
        If there is no such data set.
    """
    if data.dataset is None:
        return data
    if data.dataset not in sources:
        what = "this data set holds no images for this question"
        raise ConfigurationError(what, where=f"--dataset {data.dataset}", wanted=", ".join(sources))
    usual = type(data)()
    own = {
        name: value
        for name, value in sources[data.dataset](listener).items()
        if getattr(data, name) == getattr(usual, name)
    }
    return data.model_copy(update={"dataset": None, **own})


def _joined(data: ImageData, parts: Mapping[Part, Entries]) -> ReadPictures:
    entries = [*parts.values()]
    ids = np.concatenate([own.ids for own in entries])
    _refuse_repeated(ids, np.concatenate([own.places for own in entries]))
    labels = {name: _column(entries, name, of_labels=True) for name in entries[0].labels}
    _refuse_other_labels(entries)
    names = list(dict.fromkeys(name for own in entries for name in own.columns))
    columns = {name: _column(entries, name, of_labels=False) for name in names}
    groups, findings = groups_of(data, ids, columns, entries)
    if not groups:
        findings += groups_in_names(np.concatenate([own.names for own in entries]))
    pictures = Pictures.concatenate([Pictures.whole(own.store) for own in entries])
    names_of_parts = [part for part, own in parts.items() for _ in range(len(own.ids))]
    # Parts without one to test on cannot be taken as they are given.
    named = np.array(names_of_parts, dtype=object) if "test" in parts else None
    return ReadPictures(
        ids=ids,
        pictures=pictures,
        labels=labels,
        places=np.concatenate([own.places for own in entries]),
        where=entries[0].where,
        parts=named,
        groups=groups,
        covariates={name: words for name, words in columns.items() if name != data.group_column},
        findings=[
            *(finding for own in entries for finding in own.findings),
            *findings,
            *(no_test_part(len(ids)) if len(parts) > 1 and named is None else []),
            *remarks(pictures),
        ],
    )


def _column(entries: Sequence[Entries], name: str, *, of_labels: bool) -> Words:
    found = []
    for own in entries:
        words = (own.labels if of_labels else own.columns).get(name)
        found.append(np.full(len(own.ids), "", dtype=object) if words is None else words)
    return np.concatenate(found)


def _refuse_repeated(ids: Words, places: Words) -> None:
    first: dict[str, int] = {}
    for row, name in enumerate(ids.tolist()):
        if first.setdefault(name, row) != row:
            what = "two images have one name"
            got = f"{name!r}, as in {places[first[name]]}"
            raise InputError(what, where=str(places[row]), got=got, wanted="a different name per image")


def _refuse_other_labels(entries: Sequence[Entries]) -> None:
    for own in entries[1:]:
        if [*own.labels] != [*entries[0].labels]:
            what = "the parts have different columns of labels"
            got, wanted = ", ".join(own.labels), ", ".join(entries[0].labels)
            raise InputError(what, where=own.where, got=got, wanted=wanted)
