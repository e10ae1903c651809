"""What a scan has predicted so far, on disk, so that an interruption loses at most the block that was being made."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from filelock import FileLock, Timeout
from jaxtyping import Float32

from primase.errors import ConfigurationError, InputError
from primase.predictor.workspace import partial_folder

MANIFEST: Final = "manifest.json"
VALUES: Final = "values.f4"
LOCK: Final = "lock"

Values = Float32[np.ndarray, "columns windows"]


@final
class ScanBlocks:
    """Probabilities of windows, block after block in one file: four bytes each, a row per column of the result.

    Parameters
    ----------
    folder
        Where the file is.
    windows
        How many there are in all.
    columns
        Values of each window.
    block
        Windows of a block; the last may be smaller.
    """

    def __init__(self, folder: Path, *, windows: int, columns: int, block: int) -> None:
        self.path = folder / VALUES
        self.windows = windows
        self.columns = columns
        self.block = block

    @property
    def count(self) -> int:
        """The number of blocks."""
        return -(-self.windows // self.block)

    @property
    def done(self) -> int:
        """The number of blocks that are finished."""
        size = self.path.stat().st_size if self.path.exists() else 0
        finished = size // (self.columns * 4)
        return self.count if finished >= self.windows else finished // self.block

    def range(self, number: int) -> tuple[int, int]:
        """Return the numbers of the first window of a block and of the one behind its last."""
        return number * self.block, min((number + 1) * self.block, self.windows)

    def append(self, values: Values) -> None:
        """Keep the block that is next; what an interruption left of one is written over."""
        first, _ = self.range(self.done)
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.truncate(first * self.columns * 4)
            file.seek(0, os.SEEK_END)
            file.write(np.ascontiguousarray(values, dtype="<f4").tobytes())
            file.flush()
            os.fsync(file.fileno())

    def read(self, number: int, column: int | None = None) -> Values:
        """Read a block, or one column of it."""
        first, last = self.range(number)
        count = last - first
        skipped = column * count if column is not None else 0
        rows = 1 if column is not None else self.columns
        offset = (first * self.columns + skipped) * 4
        return np.fromfile(self.path, dtype="<f4", count=rows * count, offset=offset).reshape(rows, count)


@contextmanager
def kept_blocks(out: Path, manifest: Mapping[str, Any], *, resume: bool) -> Iterator[Path]:
    """Open the folder ``OUT.partial`` of a scan; it is removed when the scan is done.

    Parameters
    ----------
    manifest
        What decides the values: the model, the input, and the settings. A scan is resumed only with the same.

    Raises
    ------
    InputError
        If another process is making this, or an interrupted scan is in the way.
    ConfigurationError
        If the interrupted scan was another one.
    """
    folder = partial_folder(out)
    _check(folder, manifest, resume=resume)
    started_here = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        what = "the folder for what is done so far cannot be made"
        raise InputError(what, where=str(folder), got=error.strerror) from None
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        what = "another process is making this right now"
        raise InputError(what, where=str(folder)) from None
    try:
        if not (folder / MANIFEST).exists():
            staged = folder / f"{MANIFEST}.part"
            staged.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
            staged.replace(folder / MANIFEST)
        yield folder
    except InputError:
        if started_here:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    except OSError as error:
        what = "the results of the scan cannot be written"
        advice = "What is done so far is kept: make room, and go on with --resume."
        raise InputError(what, where=str(folder), got=error.strerror or str(error), advice=advice) from error
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()


def _check(folder: Path, manifest: Mapping[str, Any], *, resume: bool) -> None:
    saved = folder / MANIFEST
    if not saved.exists():
        if folder.exists() and {path.name for path in folder.iterdir()} - {LOCK, f"{MANIFEST}.part"}:
            what = "this name is needed for the scan while it lasts, and is taken"
            raise InputError(what, where=str(folder), advice="Choose another --out.")
        return
    if not resume:
        what = "an interrupted scan is in the way"
        advice = "Add --resume to continue it, or delete the folder to start again."
        raise InputError(what, where=str(folder), advice=advice)
    try:
        before = dict(json.loads(saved.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        what = "the record of the interrupted scan cannot be read"
        raise InputError(what, where=str(saved), got=str(error), advice="Delete the folder to start again.") from None
    now = json.loads(json.dumps(manifest))
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if changed:
        what = "the interrupted scan was another one"
        got = "; ".join(f"{name} was {before.get(name)} and is {now.get(name)}" for name in changed)
        advice = "Resume with the model, the input and the settings it was started with, or delete the folder."
        raise ConfigurationError(what, where=str(saved), got=got, advice=advice)
