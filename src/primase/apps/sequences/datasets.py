"""Registered data sets whose files are read as a user's own would be."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from primase.apps.sequences.reading import Dataset
from primase.apps.workflow import Simulated
from primase.data.derived import SIMULATED
from primase.data.fetch import cache_folder, fetch
from primase.data.sources import Source
from primase.events import Listener, Notice

SIMULATED_SEQUENCES: Final = 4000


def files_as_words(source: Source, words: tuple[str, ...], **settings: object) -> Dataset:
    """Read the files of a source, in their order, as if they were given by these words.

    Parameters
    ----------
    settings
        Further settings, such as the columns of a table.
    """

    def read(listener: Listener) -> Mapping[str, object]:
        paths = fetch(source, listener=listener)
        given = {word: paths[file.name] for word, file in zip(words, source.files, strict=True)}
        return {**given, **settings}

    return read


def simulated(name: str, simulate: Callable[[Path, int, int], Simulated]) -> Dataset:
    """Read sequences that are simulated the first time they are asked for, always the same; the user is told.

    Parameters
    ----------
    name
        What the folder in the cache is called.
    simulate
        Writes files into a folder, given how many sequences and a seed.
    """

    def read(listener: Listener) -> Mapping[str, object]:
        text = f"These {SIMULATED_SEQUENCES:,} sequences are simulated: motifs planted in a random background."
        listener(Notice(text, "info"))
        place = cache_folder() / SIMULATED / f"{name}-{SIMULATED_SEQUENCES}"
        place.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=place.parent))
        try:
            # Made anew each time, which takes a second: an older version may have simulated otherwise.
            written = simulate(staged, SIMULATED_SEQUENCES, 0)
            shutil.rmtree(place, ignore_errors=True)
            staged.rename(place)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        words = iter(written.inputs)
        given = {word.lstrip("-").replace("-", "_"): value for word, value in zip(words, words, strict=True)}
        return {word: place / value if (place / value).exists() else _several(value) for word, value in given.items()}

    return read


def _several(value: str) -> tuple[str, ...]:
    return tuple(value.split(","))
