"""The files of DeepSEA as labelled sequences: converted once, slice by slice, then memory-mapped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

import numpy as np
from jaxtyping import Int8, UInt8

from primase.apps.workflow import Labelled
from primase.bio.matlab import DeepSeaFile, Part, open_deepsea
from primase.data.examples import Examples
from primase.data.sequences import Sequences
from primase.data.splits import PARTS
from primase.data.tasks import Task
from primase.errors import ReadError
from primase.events import Listener, Progress

EXAMPLES_PER_SLICE: Final = 4096
_FORMAT: Final = 1


def read_deepsea(files: Mapping[str, Path], folder: Path, listener: Listener) -> Labelled[Sequences]:
    """Read the parts of the DeepSEA data, in bounded memory.

    Parameters
    ----------
    files
        By part: ``"train"``, and perhaps ``"validation"`` and ``"test"``; an empty name stands for any of them.
    folder
        The cache of what was converted: one byte per letter and per target.

    Raises
    ------
    ReadError
        If a file is not what it says, or the files do not fit each other.
    """
    opened = {part or "train": _open(path, part) for part, path in files.items()}
    shapes = {(file.length, file.targets) for file in opened.values()}
    if len(shapes) > 1:
        what = "the files have sequences of different lengths, or different numbers of targets"
        listing = ", ".join(
            f"{file.path.name}: {file.length} letters, {file.targets} targets" for file in opened.values()
        )
        raise ReadError(what, where=str(next(iter(files.values()))), got=listing)
    ((length, targets),) = shapes
    letters, answers = _all_in_one(opened, folder, listener)
    count = len(letters)
    starts = np.arange(count) * length
    ends = starts + length
    lengths, forward = np.full(count, length), np.zeros(count, dtype=bool)
    ids = [f"{part} {number + 1}" for part, file in opened.items() for number in range(file.examples)]
    parts = np.repeat(np.array(list(opened), dtype=object), [file.examples for file in opened.values()])
    width = len(str(targets))
    examples = Examples(
        ids=np.array(ids, dtype=object),
        inputs=Sequences(letters.reshape(-1), starts, lengths, starts, ends, forward),
        targets=answers,
        parts=parts if "test" in opened or "validation" in opened else None,
    )
    return Labelled(examples, Task("multilabel", tuple(f"feature {number + 1:0{width}}" for number in range(targets))))


def _open(path: Path, part: str) -> DeepSeaFile:
    """Open the file of a part; one that is given alone may be any of the three."""
    if part:
        return open_deepsea(path, cast("Part", part))
    for one in PARTS[1:]:
        with contextlib.suppress(ReadError):
            return open_deepsea(path, one)
    return open_deepsea(path, PARTS[0])


def _all_in_one(
    opened: Mapping[str, DeepSeaFile], folder: Path, listener: Listener
) -> tuple[UInt8[np.ndarray, "examples length"], Int8[np.ndarray, "examples targets"]]:
    """Convert all parts into one row of letters and one of targets, or find that this was done before."""
    facts = [
        [part, str(file.path.resolve()), file.path.stat().st_size, file.path.stat().st_mtime_ns]
        for part, file in opened.items()
    ]
    place = folder / hashlib.blake2b(json.dumps([_FORMAT, facts]).encode(), digest_size=16).hexdigest()
    total = sum(file.examples for file in opened.values())
    first = next(iter(opened.values()))
    shapes = {"letters": (np.uint8, (total, first.length)), "targets": (np.int8, (total, first.targets))}
    if not place.exists():
        folder.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=folder))
        try:
            maps = {
                name: np.memmap(staged / name, dtype=kind, mode="w+", shape=shape)
                for name, (kind, shape) in shapes.items()
            }
            done = 0
            for file in opened.values():
                for letters, targets in file.blocks(EXAMPLES_PER_SLICE):
                    maps["letters"][done : done + len(letters)] = letters
                    maps["targets"][done : done + len(letters)] = targets
                    done += len(letters)
                    listener(Progress("read", done, total, "sequences"))
            for one in maps.values():
                one.flush()
            try:
                staged.rename(place)
            except OSError:
                if not place.exists():  # else another process was quicker, and wrote the same
                    raise
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    read = {name: np.memmap(place / name, dtype=kind, mode="r", shape=shape) for name, (kind, shape) in shapes.items()}
    return np.asarray(read["letters"]), np.asarray(read["targets"])
