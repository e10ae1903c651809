"""What has been searched once: the domains of each sequence, kept on disk per set of profiles."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, final

from primase.errors import ReadError

# Raised when the search gives other results for the same profiles: what was found before is then searched again.
SEARCH_VERSION = 1

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE profile_sets (
    id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, search_version INTEGER NOT NULL, without_cutoffs INTEGER NOT NULL,
    UNIQUE (sha256, search_version)
);
CREATE TABLE domains (
    profile_set INTEGER NOT NULL, sequence BLOB NOT NULL, families TEXT NOT NULL,
    PRIMARY KEY (profile_set, sequence)
) WITHOUT ROWID;
CREATE TABLE checksums (path TEXT PRIMARY KEY, size INTEGER, modified_ns INTEGER, sha256 TEXT NOT NULL) WITHOUT ROWID;
"""
_LOCK_TIMEOUT_SECONDS = 60.0
# Names of profiles are single words, so that a space can stand between them.
_SEPARATOR = " "
_KEYS_PER_QUERY = 500


def sequence_key(sequence: str) -> bytes:
    """Name a sequence by 16 bytes that no other sequence has (BLAKE2b)."""
    return hashlib.blake2b(sequence.encode("utf-8"), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class KnownProfiles:
    """What the cache remembers of a set of profiles.

    Parameters
    ----------
    id
        The number under which its results are kept.
    without_cutoffs
        How many of the profiles have no gathering cut-off.
    """

    id: int
    without_cutoffs: int


@final
class DomainCache:
    """The domains that were found before, so that no sequence is searched twice with the same profiles.

    It is one SQLite file. Several processes may use it at once; each batch of results is stored whole or not at all.

    Parameters
    ----------
    path
        The file; it and its folder are made where they do not exist.

    Raises
    ------
    ReadError
        If the file cannot be opened, or is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=_LOCK_TIMEOUT_SECONDS, isolation_level=None)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            what = "the cache of domains cannot be opened"
            advice = "Delete the file, or choose another folder for the cache; it is filled again as needed."
            raise ReadError(what, where=str(self.path), got=str(error), advice=advice) from error

    def _prepare(self) -> None:
        version = self._version()
        if version == 0:
            # IMMEDIATE takes the lock before looking again: of two processes that start together, one makes the tables.
            with closing(self._connection.cursor()) as cursor:
                cursor.execute("BEGIN IMMEDIATE")
                version = self._version()
                if version == 0:
                    for statement in filter(str.strip, _SCHEMA.split(";")):
                        cursor.execute(statement)
                    cursor.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
                    version = _SCHEMA_VERSION
                cursor.execute("COMMIT")
        if version != _SCHEMA_VERSION:
            message = f"its schema has version {version}, this program knows version {_SCHEMA_VERSION}"
            raise sqlite3.DatabaseError(message)

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._connection.close()

    def known_profiles(self, sha256: str) -> KnownProfiles | None:
        """Look up what is remembered of a set of profiles; None where it was never used for a search."""
        query = "SELECT id, without_cutoffs FROM profile_sets WHERE sha256 = ? AND search_version = ?"
        row = self._connection.execute(query, (sha256, SEARCH_VERSION)).fetchone()
        return None if row is None else KnownProfiles(*row)

    def remember_profiles(self, sha256: str, *, without_cutoffs: int) -> KnownProfiles:
        """Give a set of profiles a number, if it has none."""
        statement = """
            INSERT INTO profile_sets (sha256, search_version, without_cutoffs) VALUES (?, ?, ?)
            ON CONFLICT (sha256, search_version) DO NOTHING
        """
        self._connection.execute(statement, (sha256, SEARCH_VERSION, without_cutoffs))
        known = self.known_profiles(sha256)
        assert known is not None
        return known

    def find(self, profiles: KnownProfiles, keys: Sequence[bytes]) -> dict[bytes, tuple[str, ...]]:
        """Look up the domains of sequences, by :func:`sequence_key`; what is not known is left out."""
        found: dict[bytes, tuple[str, ...]] = {}
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            part = keys[start : start + _KEYS_PER_QUERY]
            marks = ",".join("?" * len(part))
            query = f"SELECT sequence, families FROM domains WHERE profile_set = ? AND sequence IN ({marks})"  # noqa: S608 (question marks only)
            for key, families in self._connection.execute(query, (profiles.id, *part)):
                found[key] = tuple(families.split(_SEPARATOR)) if families else ()
        return found

    def store(self, profiles: KnownProfiles, domains: Mapping[bytes, Iterable[str]]) -> None:
        """Keep the domains of some sequences, all of them or, if interrupted, none."""
        rows = [(profiles.id, key, _SEPARATOR.join(families)) for key, families in domains.items()]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have stored the same ones meanwhile: the results are the same too.
            statement = "INSERT INTO domains VALUES (?, ?, ?) ON CONFLICT (profile_set, sequence) DO NOTHING"
            self._connection.executemany(statement, rows)
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def checksum(self, path: Path) -> str:
        """Return the SHA-256 of a file, remembered for as long as its size and time of change stay the same.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        name = str(path.resolve())
        status = path.stat()
        query = "SELECT sha256 FROM checksums WHERE path = ? AND size = ? AND modified_ns = ?"
        row = self._connection.execute(query, (name, status.st_size, status.st_mtime_ns)).fetchone()
        if row is not None:
            return str(row[0])
        sha256 = file_sha256(path)
        statement = "INSERT OR REPLACE INTO checksums VALUES (?, ?, ?, ?)"
        self._connection.execute(statement, (name, status.st_size, status.st_mtime_ns, sha256))
        return sha256


def file_sha256(path: Path) -> str:
    """Compute the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
