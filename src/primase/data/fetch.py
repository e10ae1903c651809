"""Brings the files of a source to this machine: from the cache, a mirror, the web or a package, always checked.

A file is used only if its sha256 is the registered one, which is computed anew each time it is asked for: a fraction
of a second, against results that nobody can explain. It is written under another name and renamed when it is right, so
that an interruption leaves nothing that would be used; and one process at a time writes it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, final

import platformdirs
from filelock import FileLock, Timeout

from primase.data.downloads import download
from primase.data.mirror import MirrorFolder
from primase.data.sources import Mirror, PackageMember, Place, Source, SourceFile, Url, sha256_of
from primase.data.wheels import take_from_package
from primase.errors import SourceError
from primase.events import Listener, Notice, StageFinished, StageStarted, silent


@dataclass(frozen=True, slots=True)
class Location:
    """Where a file of a data set is now.

    Parameters
    ----------
    state
        ``"cached"``: in the cache; ``"mirror"``: in the mirror folder; ``"missing"``: it would have to be downloaded.
    path
        The file; None where it is missing.
    """

    state: Literal["cached", "mirror", "missing"]
    path: Path | None


def cache_folder() -> Path:
    """Name the folder that keeps what was fetched or computed: ``PRIMASE_CACHE``, or the platform's cache folder."""
    named = os.environ.get("PRIMASE_CACHE")
    return Path(named).expanduser().absolute() if named else platformdirs.user_cache_path("primase", appauthor=False)


def cached_path(file: SourceFile) -> Path:
    """Name the place of a file in the cache: by its content, so that two versions of it never meet."""
    return cache_folder() / "files" / file.sha256 / file.name


def fetch(source: Source, *, listener: Listener = silent) -> dict[str, Path]:
    """Bring the files of a data set to this machine, each checked against its sha256.

    Parameters
    ----------
    source
        The data set.
    listener
        Hears of downloads, of their progress in bytes, and of damaged files that are replaced.

    Returns
    -------
    dict of str to Path
        The path of each file, by its name. The files lie in the cache and must not be changed.

    Raises
    ------
    SourceError
        A file cannot be had from any of its places, or is nowhere what its sha256 says. The message lists what was
        tried, and says how to supply the file by hand.
    """
    mirror = _LazyMirror()
    return {file.name: _Fetching(source, file, mirror, listener).path() for file in source.files}


def locate(source: Source) -> dict[str, Location]:
    """Say where each file of a data set is now, without downloading anything.

    A cached file is recognised by its size alone, and checked in full when it is fetched.

    Raises
    ------
    SourceError
        ``PRIMASE_MIRROR`` names something that is no folder.
    """
    mirror = MirrorFolder.from_environment()
    return {file.name: _location(file, mirror) for file in source.files}


def _location(file: SourceFile, mirror: MirrorFolder | None) -> Location:
    path = cached_path(file)
    if path.is_file() and path.stat().st_size == file.size_bytes:
        return Location("cached", path)
    found = mirror.find(file) if mirror else None
    return Location("mirror", found) if found else Location("missing", None)


@final
class _LazyMirror:
    """The mirror folder, looked at only if a file is not in the cache, and once for all files of a source."""

    @cached_property
    def folder(self) -> MirrorFolder | None:
        return MirrorFolder.from_environment()


@dataclass(frozen=True, slots=True)
class _Fetching:
    """One file on its way."""

    source: Source
    file: SourceFile
    mirror: _LazyMirror
    listener: Listener

    def path(self) -> Path:
        path = cached_path(self.file)
        try:
            # A file that is right needs no lock, so that a cache which others filled may be read-only.
            if _is(path, self.file):
                return path
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._alone(path):
                self._bring(path)
        except OSError as error:
            what = f"{self.file.name} of {self.source.name} cannot be kept in the cache folder: {error.strerror}"
            advice = "Name a folder that can be written to by the environment variable PRIMASE_CACHE."
            raise SourceError(what, where=str(path.parent), advice=advice) from error
        return path

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        """Wait for other processes that fetch the same file."""
        lock = FileLock(path.with_name(path.name + ".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self.listener(Notice(f"Waiting for another process that is fetching {self.file.name}"))
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _bring(self, path: Path) -> None:
        """Try every place in order until the file is in the cache."""
        tried: list[str] = []
        if path.exists():
            # Another process may have brought it while this one waited.
            if _is(path, self.file):
                return
            tried.append(f"the cache (the copy there was damaged: its sha256 is {sha256_of(path)}; it was removed)")
            path.unlink()
            self.listener(Notice(f"The cached {self.file.name} was damaged, and is fetched again", "warning"))
        stage = f"fetch {self.file.name}"
        mirror = self.mirror.folder
        self.listener(StageStarted(stage))
        began = time.perf_counter()
        for place in self.file.places_in_order:
            try:
                self._take(place, path, mirror)
            except SourceError as error:
                tried.append(f"{place} ({error.what})")
            else:
                self.listener(StageFinished(stage, time.perf_counter() - began))
                return
        raise self._nowhere(tried)

    def _take(self, place: Place, path: Path, mirror: MirrorFolder | None) -> None:
        """Get the file from one place, and put it in the cache if it is right."""
        unfinished, copy = path.with_name(path.name + ".part"), path.with_name(path.name + ".copy")
        staged = unfinished if isinstance(place, Url) else copy
        try:
            match place:
                case Url():
                    self._download(place, staged)
                case PackageMember():
                    take_from_package(place, self.file, staged, self.listener)
                case Mirror():
                    self._copy_from_mirror(mirror, staged)
            found = sha256_of(staged)
            if found != self.file.sha256:
                staged.unlink()
                message = f"refused: its sha256 is {found}, not {self.file.sha256}"
                raise SourceError(message)
            staged.replace(path)
            unfinished.unlink(missing_ok=True)
        finally:
            copy.unlink(missing_ok=True)

    def _download(self, url: Url, staged: Path) -> None:
        """Download a file; an interruption keeps what has arrived, and the next attempt goes on from there."""
        resumed = staged.exists()
        download(url, self.file, staged, self.listener)
        if resumed and sha256_of(staged) != self.file.sha256:
            # The beginning, left by an earlier attempt, may be what is wrong: once more, from the first byte.
            staged.unlink()
            download(url, self.file, staged, self.listener)

    def _copy_from_mirror(self, mirror: MirrorFolder | None, staged: Path) -> None:
        found = mirror.find(self.file) if mirror else None
        if found is None:
            message = f"no file with this sha256 below {mirror.folder}" if mirror else "PRIMASE_MIRROR is not set"
            raise SourceError(message)
        try:
            shutil.copyfile(found, staged)
        except OSError as error:
            message = f"{found} cannot be copied: {error.strerror}"
            raise SourceError(message) from error

    def _nowhere(self, tried: list[str]) -> SourceError:
        numbered = "; ".join(f"{number}. {attempt}" for number, attempt in enumerate(tried, start=1))
        ways = [place.by_hand for place in self.file.places_in_order if place.by_hand]
        first = f"{ways[0]}; put" if ways else "put"
        return SourceError(
            f"the file could not be fetched; tried: {numbered}",
            where=f"{self.source.name}, {self.file.name}",
            wanted=f"a file of {self.file.size_bytes} bytes with sha256 {self.file.sha256}",
            advice=f"To supply it by hand: {first} the file anywhere below a folder, under any name, and set the "
            "environment variable PRIMASE_MIRROR to that folder.",
        )


def _is(path: Path, file: SourceFile) -> bool:
    """Whether a file is there and has the registered content; the size is compared first, being cheaper."""
    try:
        return path.stat().st_size == file.size_bytes and sha256_of(path) == file.sha256
    except (FileNotFoundError, NotADirectoryError):
        return False
