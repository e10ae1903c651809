"""Files that are made of others, or simulated: in the cache whole or not at all, and never replaced."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from primase.data.fetch import cache_folder

SIMULATED: Final = "simulated"
"""Names simulated data among the data sets, and their folder in the cache."""


def digest(content: bytes) -> str:
    """Tell one content, or one way of making files, from another in the name of a folder."""
    return hashlib.sha256(content).hexdigest()[:16]


def write_once(folder: Path, write: Callable[[Path], object]) -> None:
    """Write a folder under another name and rename it, so that it is there whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        write(staged)
        try:
            staged.rename(folder)
        except OSError:
            # Another process may have been faster, and what it wrote is the same.
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def simulated_folder(name: str, telling: str, simulate: Callable[[Path], object]) -> Path:
    """Simulate files in the cache.

    Parameters
    ----------
    name
        What the folder is called.
    telling
        The file whose content tells one simulation from another.
    simulate
        Writes the files into a folder, always the same.
    """
    parent = cache_folder() / SIMULATED
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=parent) as trial:
        # Made anew each time, which takes no time: an older version may have simulated otherwise. The folder is named
        # by what is in it, so that none is replaced while another process reads it.
        simulate(Path(trial))
        folder = parent / f"{name}-{digest((Path(trial) / telling).read_bytes())}"
        if not folder.is_dir():
            write_once(folder, lambda staged: shutil.copytree(trial, staged, dirs_exist_ok=True))
    return folder
