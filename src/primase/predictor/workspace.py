"""Where a run is built before it gets its name: nothing half-written is ever called a bundle, and nothing is lost.

While ``DIR`` is being made, everything lies in ``DIR.partial`` beside it. A run that is interrupted leaves that folder,
from which ``--resume`` goes on; a run that is refused for a wrong input leaves nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from primase.errors import ConfigurationError, InputError

CONFIGURATION: Final = "config.toml"
SUFFIX: Final = ".partial"


def partial_folder(out: Path) -> Path:
    """Name the folder in which ``out`` is being made."""
    whole = out.absolute()
    return whole.with_name(whole.name + SUFFIX)


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
    started_here, made = not partial.exists(), _missing_parents(partial.parent)
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
            _remove_empty(made)
        raise
    else:
        shutil.rmtree(partial, ignore_errors=True)
    finally:
        lock.release()


@contextmanager
def fresh_folder(out: Path) -> Iterator[Path]:
    """Make a result folder in one go: under a temporary name, renamed at the end, removed if anything goes wrong."""
    refuse_occupied(out)
    parent = out.absolute().parent
    made = _missing_parents(parent)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=parent))
        staged.chmod(0o777 & ~_umask())
    except OSError as error:
        what = "the output folder cannot be made"
        raise InputError(what, where=str(out), got=error.strerror) from None
    try:
        yield staged
        staged.rename(out)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        _remove_empty(made)
        raise


def _missing_parents(folder: Path) -> list[Path]:
    """List the folders that do not exist on the way to one, the innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders that were made for nothing."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _umask() -> int:
    """Tell the process's mask of permissions, which can be read only by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _check_partial(partial: Path, configuration: str, *, resume: bool) -> None:
    saved = partial / CONFIGURATION
    if not saved.exists():
        if partial.exists() and {path.name for path in partial.iterdir()} - {"lock", "bundle"}:
            what = "this name is needed for the run while it lasts, and is taken"
            raise InputError(what, where=str(partial), advice="Choose another --out.")
        return
    if not resume:
        what = "an interrupted run is in the way"
        advice = "Add --resume to continue it, or delete the folder to start again."
        raise InputError(what, where=str(partial), advice=advice)
    before = saved.read_text(encoding="utf-8")
    if before != configuration:
        what = "the interrupted run had other settings"
        advice = "Resume with the settings it was started with, or delete the folder to start again."
        raise ConfigurationError(what, where=str(saved), got=_changes(before, configuration), advice=advice)


def _changes(before: str, after: str) -> str:
    """Name the settings that differ between two configurations, with both values."""
    old, new = (_flat(tomllib.loads(text)) for text in (before, after))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return "; ".join(f"{name} was {old.get(name)} and is {new.get(name)}" for name in names)


def _flat(nested: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return flat


def _write(path: Path, text: str) -> None:
    staged = path.with_name(path.name + ".part")
    staged.write_text(text, encoding="utf-8")
    staged.replace(path)
