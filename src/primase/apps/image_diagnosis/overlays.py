"""Images with what speaks for their diagnosis laid over them, as files to look at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from primase.apps.image_diagnosis.explaining import Heatmaps
from primase.bio.images import write_image
from primase.report.figures.overlay import overlaid

FOLDER: Final = "overlays"
_LONGEST: Final = 80


def write_overlays(folder: Path, found: Heatmaps, ids: Sequence[str]) -> None:
    """Write ``overlays/0001_NAME.png`` for each image, in their order, at the size that the network reads."""
    (folder / FOLDER).mkdir(exist_ok=True)
    digits = max(len(str(len(ids))), 4)
    for place, name in enumerate(ids):
        plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("._")[-_LONGEST:]
        path = folder / FOLDER / f"{place + 1:0{digits}d}_{plain}.png"
        write_image(path, overlaid(found.pixels(place), found.heat[place]))
