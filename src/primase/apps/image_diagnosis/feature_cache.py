"""What a frozen network has seen once: the features of each image, kept on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, final

import numpy as np
from jaxtyping import Float32

from primase.errors import ReadError

_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS features (image BLOB PRIMARY KEY, numbers BLOB NOT NULL) WITHOUT ROWID"
_KEYS_PER_QUERY: Final = 500
_LOCK_TIMEOUT_SECONDS: Final = 60.0


@final
class FeatureCache:
    """The features of images, by a hash of their pixels.

    It is one SQLite file for each network, set of weights and way of reading images. Several processes may use it at
    once; each batch is stored whole or not at all.

    Parameters
    ----------
    path
        The file; it and its folder are made where they do not exist.
    size
        How many features an image has.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Float32[np.ndarray, "features"]]:
        """Look up the features of images; what is not known is left out.

        Raises
        ------
        ReadError
            If the file cannot be opened, or is something else.
        """
        if not self.path.exists():
            return {}
        found: dict[bytes, np.ndarray] = {}
        try:
            with closing(self._open()) as connection:
                for start in range(0, len(keys), _KEYS_PER_QUERY):
                    part = keys[start : start + _KEYS_PER_QUERY]
                    marks = ",".join("?" * len(part))
                    query = f"SELECT image, numbers FROM features WHERE image IN ({marks})"  # noqa: S608 - marks only
                    for key, numbers in connection.execute(query, part):
                        read = np.frombuffer(numbers, dtype=np.float32)
                        if len(read) == self.size:
                            found[key] = read
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        return found

    def store(self, keys: Sequence[bytes], features: Float32[np.ndarray, "images features"]) -> None:
        """Keep the features of some images, all of them or, if interrupted, none.

        Raises
        ------
        ReadError
            If the file cannot be written.
        """
        rows = [(key, row.astype(np.float32).tobytes()) for key, row in zip(keys, features, strict=True)]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as connection, connection:
                connection.execute(_SCHEMA)
                connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?)", rows)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_LOCK_TIMEOUT_SECONDS)
        connection.execute(_SCHEMA)
        return connection

    def _unusable(self, error: Exception) -> ReadError:
        what = "the cache of features cannot be used"
        advice = (
            "Delete the file (it is filled again as needed), name another folder for the cache by the environment "
            "variable PRIMASE_CACHE, or give --no-cache-features."
        )
        return ReadError(what, where=str(self.path), got=str(error), advice=advice)
