"""The registered data sets that can be trained on, and those that are drawn."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from primase.apps.image_diagnosis.radiographs import SIDE, Lungs, fitted
from primase.apps.image_diagnosis.simulator import FOLDER, simulate
from primase.apps.images.datasets import DIAGNOSIS, lung_masks
from primase.apps.images.reading import Dataset
from primase.data.derived import SIMULATED, digest, write_once
from primase.data.fetch import cache_folder
from primase.errors import SourceError
from primase.events import Listener, Notice, silent

SIMULATED_IMAGES: Final = 1200
_TELLING: Final = 4
_LEAST_AIR: Final = 0.15
_MOST_AIR: Final = 0.6
"""Lungs take such a share of the picture; outlines with less are of one side, or of a part."""


def simulated(listener: Listener) -> Mapping[str, Any]:
    """Draw radiographs, always the same; the user is told."""
    text = (
        f"These {SIMULATED_IMAGES:,} radiographs are drawn, and of nobody: in half of them part of a lung is filled. "
        "What is learned from them says nothing of patients."
    )
    listener(Notice(text, "info"))
    lungs = lungs_at_hand(listener)
    folder = cache_folder() / SIMULATED / f"radiographs-{_telling(lungs)}"
    if not folder.is_dir():
        write_once(folder, lambda staged: simulate(staged, SIMULATED_IMAGES, 0, lungs))
    return {"images": folder / FOLDER}


def _telling(lungs: Sequence[Lungs]) -> str:
    """Tell one way of drawing from another by the first few radiographs: all of them take seconds."""
    with tempfile.TemporaryDirectory() as trial:
        simulate(Path(trial), _TELLING, 0, lungs)
        return digest(b"".join(path.read_bytes() for path in sorted(Path(trial).rglob("*.png"))))


def lungs_at_hand(listener: Listener = silent) -> list[Lungs]:
    """Bring outlines of real lungs; none, where they cannot be had, which the listener hears of."""
    try:
        outlines = [fitted(mask) for mask in lung_masks(listener, longest=2 * SIDE)]
    except SourceError as error:
        text = f"Outlines of real lungs cannot be had ({error.what}): lungs are drawn, too."
        listener(Notice(text, "warning"))
        return []
    return [lungs for lungs in outlines if _LEAST_AIR <= lungs.mean() <= _MOST_AIR]


DATASETS: Final[Mapping[str, Dataset]] = {SIMULATED: simulated, **DIAGNOSIS}
