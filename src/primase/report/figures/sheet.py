"""A sheet to draw on: matplotlib with places given in pixels of the page, and SVG text as the result.

Nothing of matplotlib's global state is changed: no pyplot, no backend, and the settings are put back.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, final

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from matplotlib.transforms import Affine2D

from primase.report.figures import palette
from primase.report.svg import Svg
from primase.report.wording import printable, shortened

HALF: Final = 400
"""Width of a drawing that shares the column with another, in pixels."""

WIDE: Final = 840
"""Width of a drawing across the whole column, in pixels."""

NARROW: Final = 360
"""Width of a drawing for a telephone, in pixels."""

TEXT_SIZE: Final = 12.0
LEGEND_ROW: Final = 20
MOST_POINTS: Final = 400
"""Curves are thinned to so many points: more cannot be seen, and make the page heavy."""

_LETTER: Final = 0.57
"""Width of an average letter as a share of the text size, rounded up: the reader's font is not known here."""

_SETTINGS: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "primase",
    "text.parse_math": False,
    "font.family": ["sans-serif"],
    "font.size": TEXT_SIZE,
    "text.color": palette.INK,
    "axes.edgecolor": palette.MUTED,
    "axes.labelcolor": palette.INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "grid.color": palette.GRID,
    "grid.linewidth": 0.8,
    "xtick.color": palette.MUTED,
    "ytick.color": palette.MUTED,
    "xtick.labelsize": TEXT_SIZE - 1,
    "ytick.labelsize": TEXT_SIZE - 1,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}


@final
@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a legend: a name, perhaps a value at the far end of the line, and how it is drawn."""

    name: str
    colour: str
    value: str = ""
    dashes: Sequence[float] = ()
    marker: str = ""
    line_width: float = 1.6
    hollow: bool = False


@final
class Sheet:
    """Paper of a fixed size; places are pixels from the left and from the top."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        # matplotlib's SVG has 72 units per inch, so that one inch of 72 dots makes units and pixels the same.
        self._figure = MatplotlibFigure(figsize=(width / 72, height / 72), dpi=72)
        self._pixels = Affine2D().scale(1, -1).translate(0, height)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add coordinate axes that fill this rectangle; their tick labels stand outside of it."""
        bottom = self.height - top - height
        return self._figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height)
        )

    def overlay(self) -> Axes:
        """Add an area over everything drawn so far, whose coordinates are the pixels of the sheet."""
        axes = self._figure.add_axes((0, 0, 1, 1), zorder=1)
        axes.set(xlim=(0, self.width), ylim=(self.height, 0))
        axes.axis("off")
        return axes

    def text(
        self,
        place: tuple[float, float],
        text: str,
        *,
        align: Literal["left", "center", "right"] = "left",
        colour: str = palette.INK,
        size: float = TEXT_SIZE,
        bold: bool = False,
    ) -> None:
        """Write one line whose baseline starts, centres or ends at a place."""
        if printable(text).strip():
            weight = "bold" if bold else "normal"
            artist = self._figure.text(
                *place, printable(text), ha=align, va="baseline", color=colour, fontsize=size, fontweight=weight
            )
            artist.set_transform(self._pixels)

    def upright_text(self, place: tuple[float, float], text: str) -> None:
        """Write one line that rises from a place, as the name of a narrow column."""
        artist = self._figure.text(
            *place, printable(text), ha="left", va="baseline", rotation=90, rotation_mode="anchor"
        )
        artist.set_transform(self._pixels)

    def line(self, start: tuple[float, float], end: tuple[float, float], key: Key) -> None:
        """Draw a straight line, with the key's marker in its middle."""
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        stroke = Line2D(*zip(start, end, strict=True), color=key.colour, linewidth=key.line_width)
        if key.dashes:
            stroke.set_dashes(tuple(key.dashes))
        artists = [stroke] if key.line_width else []
        if key.marker:
            face = "none" if key.hollow else key.colour
            artists.append(
                Line2D([middle[0]], [middle[1]], color=key.colour, marker=key.marker, markersize=6.5, mfc=face, ls="")
            )
        for artist in artists:
            artist.set_transform(self._pixels)
            self._figure.add_artist(artist)

    def legend(self, keys: Sequence[Key], *, left: float, top: float, width: float) -> None:
        """Write the legend below a plot, one entry a line, where it can hide nothing."""
        for index, key in enumerate(keys):
            middle = top + LEGEND_ROW * (index + 0.5)
            self.line((left, middle), (left + 26, middle), key)
            room = letters(width - 34) - len(key.value) - (1 if key.value else 0)
            self.text((left + 34, middle + 4), shortened(key.name, room))
            self.text((left + width, middle + 4), key.value, align="right")

    def svg(self) -> Svg:
        """Turn the sheet into SVG whose colours follow the page."""
        file = io.StringIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        self._figure.savefig(file, format="svg", metadata=nothing)
        return Svg.from_matplotlib(file.getvalue(), palette.VARIABLES)


@contextmanager
def drawing() -> Iterator[None]:
    """Set matplotlib up for our drawings, and put everything back afterwards."""
    with warnings.catch_warnings(), mpl.rc_context():
        # The reader's browser has more letters than matplotlib's font, which only measures here.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def round_ticks(axis: Axis, count: int, *, whole: bool = False) -> None:
    """Put about so many ticks at round numbers, with thousands separators where they are needed."""
    axis.set_major_locator(MaxNLocator(nbins=count, steps=[1, 2, 2.5, 5, 10], integer=whole, min_n_ticks=1))
    if max(map(abs, axis.get_view_interval())) >= 1000:
        axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def text_width(text: str, size: float = TEXT_SIZE) -> float:
    """Estimate the width of a text in pixels, rather too wide than too narrow."""
    return len(text) * size * _LETTER


def letters(width: float, size: float = TEXT_SIZE) -> int:
    """Tell how many letters fit into a width in pixels."""
    return max(2, int(width / (size * _LETTER)))


def note(axes: Axes, text: str) -> None:
    """Write in the middle of a plot why there is nothing to see, and take its scales away."""
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=palette.MUTED)


def thinned(
    x: Float[np.ndarray, "points"], y: Float[np.ndarray, "points"], most: int = MOST_POINTS
) -> Integer[np.ndarray, "kept"]:
    """Choose points evenly along a curve, both ends included, so that its shape stays.

    Returns
    -------
    numpy.ndarray
        The indices of at most ``most`` points, ascending.
    """
    if len(x) <= most:
        return np.arange(len(x))
    spans = [max(float(np.ptp(values)), 1e-12) for values in (x, y)]
    steps = np.hypot(np.diff(x) / spans[0], np.diff(y) / spans[1])
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    chosen = np.searchsorted(travelled, np.linspace(0.0, travelled[-1], most)).clip(0, len(x) - 1)
    return np.unique(np.concatenate([[0], chosen[1:-1], [len(x) - 1]]))
