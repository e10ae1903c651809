"""Micrographs with a known truth: filaments and spots, seen through a microscope whose blur is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter

from primase.apps.workflow import Simulated
from primase.bio.images import write_image

SIDE: Final = 192
PSF_SIGMA: Final = 1.5
"""Standard deviation of the point-spread function, in pixels."""
SPOTS: Final = (4, 12)
FILAMENTS: Final = (5, 10)
SPOT_BOX: Final = 9
"""Side of the box around a planted spot: three standard deviations to each side."""
STEPS: Final = 1600
BENDING: Final = 0.012
BACKGROUND: Final = 300.0
BRIGHTEST: Final = 12_000.0
READ_NOISE: Final = 12.0

Field = Float[np.ndarray, "height width"]


def simulate(folder: Path, count: int, seed: int) -> Simulated:
    """Write micrographs of 16 bit, every other one as PNG and as TIFF, as from a camera that uses 14 of them.

    Every field has filaments, which bend as they grow, and spots far smaller than the point-spread function, so that
    their images are that function itself.
    """
    images = folder / "images"
    images.mkdir()
    planted: list[dict[str, Any]] = []
    for number in range(count):
        name = f"field_{number + 1:04d}{'.tif' if number % 2 else '.png'}"
        generator = np.random.default_rng([seed, number])
        field = _filaments(generator)
        for row, column in _spots(generator, field):
            half = SPOT_BOX // 2
            box = [int(column) - half, int(row) - half, int(column) + half + 1, int(row) + half + 1]
            planted.append({"id": name, "kind": "spot", "row": float(row), "column": float(column), "box": box})
        write_image(images / name, _seen(field, generator))
    facts = {
        "psf_sigma_px": PSF_SIGMA,
        "boxes": "left, top, right, bottom in pixels, 0-based, half-open; rows and columns are of pixel centres",
    }
    return Simulated(["--images", "images"], planted, facts)


def _filaments(generator: np.random.Generator) -> Field:
    """Let filaments grow in small steps, each of which leaves some dye at its place, between pixels."""
    field = np.zeros((SIDE, SIDE))
    for _ in range(generator.integers(*FILAMENTS)):
        start = generator.uniform(0, SIDE, 2)
        turns = generator.normal(0, BENDING, STEPS).cumsum() + generator.uniform(0, 2 * np.pi)
        places = start + 0.25 * np.stack([np.sin(turns), np.cos(turns)], axis=1).cumsum(axis=0)
        _leave(field, places, generator.uniform(0.3, 1.0) * 0.25)
    return field


def _spots(generator: np.random.Generator, field: Field) -> Float[np.ndarray, "spots 2"]:
    """Put spots in places that keep their boxes inside."""
    count = generator.integers(*SPOTS)
    places = generator.uniform(SPOT_BOX, SIDE - SPOT_BOX - 1, (count, 2))
    for place in places:
        _leave(field, place[None], generator.uniform(4.0, 8.0))
    return places


def _leave(field: Field, places: Float[np.ndarray, "places 2"], amount: float) -> None:
    """Share an amount of dye among the four pixels around each place."""
    corner = np.floor(places).astype(np.int64)
    beyond = places - corner
    for down in (0, 1):
        for right in (0, 1):
            rows, columns = corner[:, 0] + down, corner[:, 1] + right
            share = np.abs(1 - down - beyond[:, 0]) * np.abs(1 - right - beyond[:, 1])
            inside = (rows >= 0) & (rows < SIDE) & (columns >= 0) & (columns < SIDE)
            np.add.at(field, (rows[inside], columns[inside]), amount * share[inside])


def _seen(field: Field, generator: np.random.Generator) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Blur a field by the point-spread function, and count photons."""
    blurred = gaussian_filter(field, PSF_SIGMA, mode="constant")
    expected = BACKGROUND + BRIGHTEST * np.clip(blurred, 0, 1)
    counted = generator.poisson(expected) + generator.normal(0, READ_NOISE, expected.shape)
    return np.clip(np.rint(counted), 0, 2**16 - 1).astype(np.uint16)
