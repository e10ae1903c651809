"""Letters as shapes that can be made as tall as what they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final, final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from primase.report.figures.palette import MUTED, SERIES

COLOURS: Final = {"A": SERIES[2], "C": SERIES[0], "G": SERIES[1], "T": SERIES[3], "U": SERIES[3]}
"""Green, blue, vermilion and purple of Okabe and Ito: apart for every kind of sight, on a light and a dark page."""

LETTER_WIDTH: Final = 0.92
_FONT: Final = FontProperties(family="DejaVu Sans", weight="bold")

Stack = Iterable[tuple[str, float]]
"""Letters of one place with their heights; negative ones hang below the axis."""


@final
class LetterStacks:
    """Draws stacks of letters into a plot."""

    def __init__(self, axes: Axes) -> None:
        self._axes = axes

    def draw(self, place: float, stack: Stack) -> None:
        """Draw the letters of one place, the tallest farthest from the axis, as logos have it.

        Parameters
        ----------
        place
            Where the middle of the letters is on the horizontal axis; they are almost one wide.
        stack
            Letters and heights in units of the vertical axis. Heights of zero are left out.
        """
        up = down = 0.0
        for letter, height in sorted(stack, key=lambda item: abs(item[1])):
            if height > 0:
                self._letter(letter, place, (up, up + height))
                up += height
            elif height < 0:
                self._letter(letter, place, (down + height, down))
                down += height

    def _letter(self, letter: str, place: float, span: tuple[float, float]) -> None:
        bottom, top = span
        shape = _unit(letter).transformed(
            Affine2D().scale(LETTER_WIDTH, top - bottom).translate(place - LETTER_WIDTH / 2, bottom)
        )
        colour = COLOURS.get(letter.upper(), MUTED)
        self._axes.add_patch(PathPatch(shape, facecolor=colour, linewidth=0, clip_on=False, zorder=3))


@cache
def _unit(letter: str) -> Path:
    """Make the outline of a letter fill the square from 0 to 1."""
    outline = TextPath((0, 0), letter, size=1, prop=_FONT)
    box = outline.get_extents()
    low, size = np.array([box.x0, box.y0]), np.array([box.width, box.height])
    # A narrow letter, such as the I of no base, keeps its shape.
    return Path((outline.vertices - low) / np.maximum(size, 1e-9), outline.codes)
