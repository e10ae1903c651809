"""What size, brightness, borders and metadata of an image give away, which no network should be praised for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float64

from primase.apps.images.measuring import measured
from primase.apps.images.nuisances import edges, formats, intensities, numbers_of, sizes
from primase.apps.images.pictures import Pictures
from primase.data.examples import Examples
from primase.evaluation.probes import Probe

MOST_LEVELS: Final = 20
"""So many words of a column get a column of their own, the most frequent ones."""

Table = Float64[np.ndarray, "images columns"]


def image_probes(train: Examples[Pictures]) -> list[Probe]:
    """Name the probes that have something to look at in these images.

    Intensity, and borders and corners, always; image size where sizes differ; metadata (format, bit depth, length of
    the file, columns of the table) where there are any that differ.

    Parameters
    ----------
    train
        The training part; its targets are not looked at.
    """
    probes = [Probe("mean and spread of intensity", intensity_table), Probe("borders and corners", edge_table)]
    if _varies(size_table(train)):
        probes.insert(0, Probe("image size", size_table))
    metadata = Metadata.of(train)
    if _varies(metadata(train)):
        probes.append(Probe("metadata", metadata))
    return probes


def size_table(examples: Examples[Pictures]) -> Table:
    """Give height, width and their ratio."""
    return _stacked(sizes(examples.inputs))


def intensity_table(examples: Examples[Pictures]) -> Table:
    """Give mean, spread, darkest and brightest value, as shares of the whole range."""
    return _stacked(intensities(measured(examples.inputs)))


def edge_table(examples: Examples[Pictures]) -> Table:
    """Give the width of borders of one value, and mean and spread of the four corners."""
    return _stacked(edges(measured(examples.inputs)))


@final
@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of an image without looking at it.

    Parameters
    ----------
    formats
        The columns on files that are looked at.
    words
        By the name of a column of the table, the words that get a column each; none where it holds numbers.
    """

    formats: Sequence[str]
    words: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, train: Examples[Pictures]) -> Metadata:
        """Decide by train which columns there are."""
        words: dict[str, Sequence[str]] = {}
        for name, column in train.covariates.items():
            counts = Counter(str(word) for word in column.tolist() if word)
            if numbers_of(column) is not None:
                words[name] = ()
            elif 2 <= len(counts) <= max(len(column) // 5, 2):  # no names that every image has one of
                words[name] = tuple(word for word, _ in counts.most_common(MOST_LEVELS))
        return cls(tuple(formats(train.inputs)), words)

    def __call__(self, examples: Examples[Pictures]) -> Table:
        """Give the columns of some images."""
        files = formats(examples.inputs)
        nothing = np.zeros(len(examples))
        columns = {name: files.get(name, nothing) for name in self.formats}
        for name, levels in self.words.items():
            known = examples.covariates.get(name, np.full(len(examples), "", dtype=object))
            if levels:
                columns |= {f"{name} {word}": (known.astype(str) == word).astype(np.float64) for word in levels}
                continue
            numbers = numbers_of(known)
            values = np.full(len(examples), np.nan) if numbers is None else numbers
            columns[name] = np.nan_to_num(values, nan=0.0)
            columns[f"{name} is known"] = np.isfinite(values).astype(np.float64)
        return _stacked(columns)


def _stacked(columns: Mapping[str, Float64[np.ndarray, "images"]]) -> Table:
    return np.stack([*columns.values()], axis=1)


def _varies(table: Table) -> bool:
    return bool((np.ptp(table, axis=0) > 0).any()) if table.size else False
