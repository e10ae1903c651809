"""Draws radiographs of chests: real or drawn lungs, ribs, a heart, and, where wanted, an opacity in a lung."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from scipy.ndimage import binary_erosion, gaussian_filter

SIDE: Final = 128
"""Pixels along each side."""

Picture = Float[np.ndarray, "side side"]
Lungs = Bool[np.ndarray, "side side"]
Pixels = tuple[int, int, int, int]

_SOFTEST: Final = 1e-6


@final
@dataclass(frozen=True, slots=True, eq=False)
class Radiograph:
    """A drawn radiograph.

    Parameters
    ----------
    pixels
        8-bit grey.
    box
        Left, top, right and bottom of the opacity in pixels, half-open; None where there is none.
    """

    pixels: UInt8[np.ndarray, "side side"]
    box: Pixels | None


def drawn_lungs(generator: np.random.Generator) -> Lungs:
    """Draw the outline of two lungs, where no real ones are at hand: half ellipses that are cut by the diaphragm."""
    rows, columns = _places()
    lungs = np.zeros((SIDE, SIDE), dtype=bool)
    middle = 0.5 + generator.uniform(-0.02, 0.02)
    for side in (-1, 1):
        across = middle + side * generator.uniform(0.19, 0.22)
        down = generator.uniform(0.46, 0.52)
        width = generator.uniform(0.13, 0.16) * (0.9 if side > 0 else 1.0)
        height = generator.uniform(0.33, 0.38)
        inside = ((columns - across) / width) ** 2 + ((rows - down) / height) ** 2 < 1
        floor = down + 0.62 * height + 0.5 * (columns - across) ** 2 / width
        lungs |= inside & (rows < floor)
    return lungs


def fitted(mask: Bool[np.ndarray, "rows columns"]) -> Lungs:
    """Bring the outline of real lungs to the size of a radiograph."""
    image = Image.fromarray((np.asarray(mask) > 0).astype(np.uint8) * 255)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)) > 127


def draw(lungs: Lungs, generator: np.random.Generator, *, opacity: bool) -> Radiograph:
    """Draw one radiograph.

    What differs between patients is drawn anew each time: how the chest is turned and how much it absorbs, the ribs,
    the heart, vessels, noise and exposure.

    Parameters
    ----------
    opacity
        Whether part of a lung is filled: a soft, uneven patch inside the lung, as bright as tissue can be there.
    """
    rows, columns = _places()
    body = gaussian_filter(_body(rows, columns, generator), 3)
    air = gaussian_filter(lungs.astype(np.float64), generator.uniform(1.0, 2.2))
    absorbed = body * (1 - generator.uniform(0.5, 0.62) * air)
    absorbed += generator.uniform(0.05, 0.09) * _ribs(rows, columns, generator) * body
    absorbed += generator.uniform(0.06, 0.12) * _heart(rows, columns, generator)
    absorbed += generator.uniform(0.015, 0.035) * _texture(generator, 2.0) * air
    box = None
    if opacity:
        patch, box = _opacity(lungs, generator)
        absorbed += generator.uniform(0.34, 0.48) * patch
    return Radiograph(_exposed(absorbed, generator), box)


def _places() -> tuple[Picture, Picture]:
    rows, columns = (np.mgrid[0:SIDE, 0:SIDE] + 0.5) / SIDE
    return rows, columns


def _body(rows: Picture, columns: Picture, generator: np.random.Generator) -> Picture:
    """Draw soft tissue: brightest along the spine and below the diaphragm, dark beside the body."""
    half = generator.uniform(0.44, 0.5)
    trunk = np.clip(1 - ((columns - 0.5) / half) ** 4, 0, 1) * np.clip((rows + 0.35) / 0.5, 0, 1)
    spine = np.exp(-(((columns - 0.5) / generator.uniform(0.06, 0.09)) ** 2))
    belly = 1 / (1 + np.exp(-(rows - generator.uniform(0.76, 0.84)) / 0.03))
    return np.asarray(trunk * (0.72 + 0.16 * spine + 0.12 * belly))


def _ribs(rows: Picture, columns: Picture, generator: np.random.Generator) -> Picture:
    """Draw bright bands that fall away from the spine."""
    spacing, phase = generator.uniform(0.085, 0.1), generator.uniform(0, 1)
    fall = rows - generator.uniform(0.25, 0.45) * np.abs(columns - 0.5) + 0.6 * (columns - 0.5) ** 2
    return np.asarray(np.clip(np.cos(2 * np.pi * (fall / spacing + phase)), 0.2, 1) - 0.2)


def _heart(rows: Picture, columns: Picture, generator: np.random.Generator) -> Picture:
    """Draw the heart, which lies on the right of the picture: on the left of the patient."""
    across, down = 0.55 + generator.uniform(-0.02, 0.03), generator.uniform(0.58, 0.64)
    width, height = generator.uniform(0.1, 0.14), generator.uniform(0.13, 0.17)
    shape = ((columns - across) / width) ** 2 + ((rows - down) / height) ** 2
    return np.asarray(1 / (1 + np.exp((shape - 1) / 0.12)))


def _opacity(lungs: Lungs, generator: np.random.Generator) -> tuple[Picture, Pixels]:
    """Fill a patch well inside a lung; the box holds what is at least a fifth as dense as the core of it."""
    rows, columns = _places()
    inside = binary_erosion(lungs, iterations=4)
    choices = np.argwhere(inside if inside.any() else lungs)
    row, column = (choices[generator.integers(len(choices))] + 0.5) / SIDE
    width, height = generator.uniform(0.12, 0.18, size=2)
    shape = ((columns - column) / width) ** 2 + ((rows - row) / height) ** 2
    patch = np.exp(-shape) * (1 + 0.2 * _texture(generator, 3.0))
    # Fluid fills what held air, and no more than that.
    patch = np.clip(patch, 0, None) * gaussian_filter(lungs.astype(np.float64), 1.5)
    patch /= max(float(patch.max()), _SOFTEST)
    dense = np.argwhere(patch >= 0.2)
    (top, left), (bottom, right) = dense.min(axis=0), dense.max(axis=0) + 1
    return patch, (int(left), int(top), int(right), int(bottom))


def _texture(generator: np.random.Generator, coarseness: float) -> Picture:
    """Draw smooth noise of mean 0 and spread 1."""
    noise = gaussian_filter(generator.standard_normal((SIDE, SIDE)), coarseness)
    return np.asarray((noise - noise.mean()) / max(float(noise.std()), _SOFTEST))


def _exposed(absorbed: Picture, generator: np.random.Generator) -> UInt8[np.ndarray, "side side"]:
    """Expose the film: the grain of few photons, and an exposure that differs from image to image."""
    grain = generator.uniform(0.012, 0.025) * generator.standard_normal(absorbed.shape)
    grey = np.clip(gaussian_filter(absorbed, 0.6) + grain, 0, None)
    low, high = np.percentile(grey, [0.5, 99.5])
    shown = np.clip((grey - low) / max(high - low, _SOFTEST), 0, 1) ** generator.uniform(0.8, 1.25)
    ends = generator.uniform(0, 20), generator.uniform(215, 255)
    film: UInt8[np.ndarray, "side side"] = np.rint(ends[0] + (ends[1] - ends[0]) * shown).astype(np.uint8)
    return film
