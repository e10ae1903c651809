"""Radiographs with a known truth: in half of them part of a lung is filled, and where is written down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from primase.apps.image_diagnosis.radiographs import SIDE, Lungs, draw, drawn_lungs
from primase.apps.workflow import Simulated
from primase.bio.images import write_image

CLASSES: Final = ("clear", "opacity")
FOLDER: Final = "radiographs"


def simulate(folder: Path, count: int, seed: int, lungs: Sequence[Lungs] = ()) -> Simulated:
    """Write PNG files in a folder for each class: clear lungs, and lungs with an opacity.

    Parameters
    ----------
    count
        The number of radiographs, half of them with an opacity.
    lungs
        Outlines of real lungs to draw on, see :func:`~primase.apps.image_diagnosis.radiographs.fitted`; without them
        these are drawn, too.
    """
    generator = np.random.default_rng(seed)
    outlines, planted = list(lungs), []
    for number in range(count):
        name = CLASSES[number % 2]
        place = folder / FOLDER / name / f"{name}_{number // 2 + 1:05d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        chosen = outlines[generator.integers(len(outlines))] if outlines else drawn_lungs(generator)
        drawn = draw(_moved(chosen, generator), generator, opacity=name == "opacity")
        write_image(place, drawn.pixels)
        if drawn.box is not None:
            planted.append({"id": f"{name}/{place.name}", "box": list(drawn.box)})
    facts = {
        "classes": list(CLASSES),
        "lungs": "outlines of real lungs" if outlines else "drawn outlines",
        "side": SIDE,
    }
    return Simulated(["--images", FOLDER], planted, facts)


def _moved(lungs: Lungs, generator: np.random.Generator) -> Lungs:
    """Move the lungs a little, as no two patients stand alike."""
    down, across = generator.integers(-5, 6, size=2)
    return np.roll(lungs, (down, across), axis=(0, 1))
