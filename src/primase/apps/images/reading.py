"""Read images from what users have: folders by class, tables of paths, archives of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Integer, Shaped

from primase.apps.images.answers import Answers, understand
from primase.apps.images.configuration import ImageData
from primase.apps.images.gathering import (
    Entries,
    gather,
    of_arrays,
    of_file,
    of_listing,
    of_table,
)
from primase.apps.images.grouping import groups_of
from primase.apps.images.listing import list_images
from primase.apps.images.pictures import FilePictures, Pictures, Preparation
from primase.apps.images.remarks import no_test_part, patients_in_names, remarks
from primase.apps.images.surveying import Opening, surveyed, with_headers
from primase.apps.images.tables import is_table
from primase.bio.image_archives import read_archive
from primase.data.audit import Finding
from primase.data.examples import Examples
from primase.data.splits import Part
from primase.data.tasks import Task
from primase.errors import ConfigurationError, InputError, ReadError
from primase.events import Listener, Notice, silent

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
        Under the name of the group column (or ``"patient"`` by a pattern, ``"file"`` of pages), the group of each.
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
    preparation: Preparation | None = None,
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
    preparation
        The size of the network: :func:`~primase.apps.images.decoding.decoded` finds images that were brought to it
        here, and decodes nothing again. None to keep none.

    Raises
    ------
    InputError
        If the input is not what it should be. With ``broken="skip"`` files that cannot be read are left out instead.
    """
    data = resolve(data, sources or {}, listener)
    opening = Opening(data.broken == "skip", least_size, preparation)
    gathered = gather(data, labelled=labelled)
    # What files say of themselves is cheap to ask for, so that most errors are known before anything is decoded.
    opened = {part: with_headers(entries, opening, listener) for part, entries in gathered.items()}
    parts = {part: surveyed(entries, opening, listener) for part, entries in opened.items()}
    return _joined(data, parts)


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
        findings += patients_in_names(np.concatenate([own.names for own in entries]))
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


def stream_pictures(
    path: Path,
    data: ImageData,
    listener: Listener = silent,
    *,
    block: int = 256,
    least_size: int = 1,
    preparation: Preparation | None = None,
) -> Iterator[Examples[Pictures]]:
    """Read images to predict, block by block.

    Parameters
    ----------
    path
        An image, a folder of images at any depth, a MedMNIST archive, or a table of paths.
    block
        So many images at a time, at most.
    preparation
        As in :func:`read_pictures`; it lets images that cannot be decoded be skipped with ``broken="skip"``, too.

    Raises
    ------
    InputError
        If there is no image, or one cannot be read.
    """
    opening = Opening(data.broken == "skip", least_size, preparation)
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
    if opening.preparation is None and not opening.skips_broken:
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
