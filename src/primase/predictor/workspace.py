"""Where a run is built before it gets its name: nothing half-written is ever called a bundle, and nothing is lost.

While ``DIR`` is being made, everything lies in ``DIR.partial`` beside it. A run that is interrupted leaves that folder,
from which ``--resume`` goes on; a run that is refused for a wrong input leaves nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from primase.errors import ConfigurationError, InputError

CONFIGURATION: Final = "config.toml"
SUFFIX: Final = ".partial"


def partial_folder(out: Path) -> Path:
    """Name the folder in which ``out`` is being made."""
    return out.with_name(out.name + SUFFIX)


def refuse_occupied(out: Path) -> None:
    """Refuse to write over what is there.

    Raises
    ------
    InputError
        If ``out`` is a file, or a folder that is not empty.
    """
    wanted = "a folder that does not exist yet, or is empty"
    if out.is_dir() and any(out.iterdir()):
        names = sorted(path.name for path in out.iterdir())
        what = "the output folder is not empty"
        raise InputError(what, where=str(out), got=", ".join(names[:5]), wanted=wanted)
    if out.exists() and not out.is_dir():
        what = "the output folder is a file"
        raise InputError(what, where=str(out), wanted=wanted)


@contextmanager
def run_folder(out: Path, configuration: str, *, resume: bool) -> Iterator[Path]:
    """Open the partial folder of a resumable run, and rename its ``bundle`` folder to ``out`` at the end.

    Parameters
    ----------
    configuration
        The settings as TOML. They are kept, and a run is resumed only with the same.

    Yields
    ------
    Path
        The partial folder. The caller builds the result in ``bundle`` inside it.

    Raises
    ------
    InputError
        If ``out`` is occupied, another process is making it, or an interrupted run is in the way.
    """
    refuse_occupied(out)
    partial = partial_folder(out)
    _check_partial(partial, configuration, resume=resume)
    started_here = not partial.exists()
    try:
        partial.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = "the output folder cannot be made"
        raise InputError(what, where=str(out), got=error.strerror) from None
    lock = FileLock(partial / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        what = "another process is making this right now"
        raise InputError(what, where=str(partial)) from None
    try:
        _write(partial / CONFIGURATION, configuration)
        shutil.rmtree(partial / "bundle", ignore_errors=True)
        (partial / "bundle").mkdir()
        yield partial
        (partial / "bundle").rename(out)
    except InputError:
        if started_here:
            shutil.rmtree(partial, ignore_errors=True)
        raise
    else:
        shutil.rmtree(partial, ignore_errors=True)
    finally:
        lock.release()


@contextmanager
def fresh_folder(out: Path) -> Iterator[Path]:
    """Make a result folder in one go: under a temporary name, renamed at the end, removed if anything goes wrong."""
    refuse_occupied(out)
    staged = partial_folder(out)
    shutil.rmtree(staged, ignore_errors=True)
    try:
        staged.mkdir(parents=True)
    except OSError as error:
        what = "the output folder cannot be made"
        raise InputError(what, where=str(out), got=error.strerror) from None
    try:
        yield staged
        staged.rename(out)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise


def _check_partial(partial: Path, configuration: str, *, resume: bool) -> None:
    saved = partial / CONFIGURATION
    if not saved.exists():
        return
    if not resume:
        what = "an interrupted run is in the way"
        advice = "Add --resume to continue it, or delete the folder to start again."
        raise InputError(what, where=str(partial), advice=advice)
    before = saved.read_text(encoding="utf-8")
    if before != configuration:
        changed = sorted(set(configuration.splitlines()) ^ set(before.splitlines()))
        what = "the interrupted run had other settings"
        advice = "Resume with the settings it was started with, or delete the folder to start again."
        raise ConfigurationError(what, where=str(saved), got="; ".join(changed[:6]), advice=advice)


def _write(path: Path, text: str) -> None:
    staged = path.with_name(path.name + ".part")
    staged.write_text(text, encoding="utf-8")
    staged.replace(path)
