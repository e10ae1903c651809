"""Files that the user has at hand: a folder in which a file is found by its content, whatever it is called there."""

from __future__ import annotations

import os
from collections import defaultdict
from functools import cached_property
from pathlib import Path
from typing import final

from primase.data.sources import SourceFile, sha256_of
from primase.errors import SourceError


@final
class MirrorFolder:
    """A folder, at any depth of which a registered file may lie.

    Sizes are compared first, so that only a file of the right length is ever read.

    Parameters
    ----------
    folder
        Where to look; links to other folders are not followed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def from_environment(cls) -> MirrorFolder | None:
        """Use the folder that ``PRIMASE_MIRROR`` names; None where it is not set.

        Raises
        ------
        SourceError
            It names something that is no folder.
        """
        named = os.environ.get("PRIMASE_MIRROR")
        if not named:
            return None
        folder = Path(named).expanduser()
        if not folder.is_dir():
            what = "the mirror is no folder"
            raise SourceError(what, where="PRIMASE_MIRROR", got=named, wanted="an existing folder")
        return cls(folder)

    @cached_property
    def _paths_by_size(self) -> dict[int, list[Path]]:
        paths: dict[int, list[Path]] = defaultdict(list)
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = Path(folder, name)
                try:
                    # Pipes and devices, which would block a reader, have size zero: no registered file has.
                    paths[path.stat().st_size].append(path)
                except OSError:
                    continue
        return paths

    def find(self, file: SourceFile) -> Path | None:
        """Find a file by size and sha256; None where there is none that can be read."""
        for path in self._paths_by_size.get(file.size_bytes, []):
            try:
                if sha256_of(path) == file.sha256:
                    return path
            except OSError:
                continue
        return None
