"""Which classes are taken for which: the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from primase.report.figures.palette import GRID, HEAT, INK, MUTED
from primase.report.figures.sheet import HALF, NARROW, WIDE, Sheet, drawing, letters, text_width
from primase.report.sections import Figure, FigureWidth
from primase.report.svg import Svg
from primase.report.wording import MISSING, printable, shortened_apart

_FEW_LABELS: Final = 4
_HEAD: Final = 30
# Text in ink stays readable on the strongest shade, on a light and on a dark page.
_STRONGEST: Final = 0.7


@final
@dataclass(frozen=True, slots=True)
class _Grid:
    """Where the cells lie, and how much each can say."""

    width: int
    names: float
    column_names: float
    row_height: float
    text_size: float
    with_counts: bool
    upright: bool


def confusion(matrix: Integer[np.ndarray, "truth prediction"], labels: Sequence[str]) -> Figure:
    """Draw how many examples of each class were taken for which class.

    Parameters
    ----------
    matrix
        Counts, a row per true class and a column per predicted class; 2 to 12 classes are readable.
    labels
        The names of the classes, in the order of the matrix.

    Returns
    -------
    Figure
        Counts and the percentages of each row; the shade follows the percentage. With more than four classes the
        drawing takes the whole column, and shows percentages alone on a telephone.

    Raises
    ------
    ValueError
        If the matrix is not square or does not fit the labels.
    """
    counts = np.asarray(matrix)
    if counts.shape != (len(labels), len(labels)):
        message = f"the matrix is {counts.shape}, which does not fit {len(labels)} labels"
        raise ValueError(message)
    few = len(labels) <= _FEW_LABELS
    width: FigureWidth = "half" if few else "full"
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    with drawing():
        wide = _draw(counts, shares, labels, _grid(labels, HALF if few else WIDE))
        narrow = None if few else _draw(counts, shares, labels, _grid(labels, NARROW))
    caption = (
        "Confusion matrix: each row holds the test examples of one true class; the percentages of a row sum to 100."
    )
    return Figure(wide, caption, _spoken(counts, shares, labels), width=width, narrow_svg=narrow)


def _grid(labels: Sequence[str], width: int) -> _Grid:
    count = len(labels)
    if width == NARROW:
        # The percent sign is left out: twelve columns of three digits just fit.
        return _Grid(width, 84, 84, 30, 11 if count <= 8 else 9, with_counts=False, upright=True)
    if width == HALF:
        return _Grid(width, 112, 20, 62, 13, with_counts=True, upright=False)
    names = 170
    cell = (width - names) / count
    upright = cell < 90 and any(len(label) > letters(cell - 6) for label in labels)
    rise = min(112, text_width(max(labels, key=len)) + 14)
    return _Grid(width, names, rise if upright else 20, 44, 12 if count <= 8 else 11, with_counts=True, upright=upright)


def _draw(
    counts: Integer[np.ndarray, "truth prediction"],
    shares: Float[np.ndarray, "truth prediction"],
    labels: Sequence[str],
    grid: _Grid,
) -> Svg:
    top = _HEAD + grid.column_names
    height = grid.row_height * len(labels)
    sheet = Sheet(grid.width, top + height + 4)
    cell = (grid.width - grid.names) / len(labels)
    axes = sheet.axes(grid.names, top, grid.width - grid.names, height)
    axes.set(xlim=(0, len(labels)), ylim=(len(labels), 0), xticks=[], yticks=[])
    axes.set_frame_on(False)
    _shade(axes, shares)
    sheet.text((0, 14), "True class", colour=MUTED, size=11)
    sheet.text(
        (grid.names, 14), "Predicted class" + ("" if grid.with_counts else " (% of the row)"), colour=MUTED, size=11
    )
    _name_columns(sheet, labels, grid, cell)
    for row, label in enumerate(shortened_apart(labels, letters(grid.names - 8))):
        middle = top + grid.row_height * (row + 0.5)
        sheet.text((0, middle + 4), label)
        for column in range(len(labels)):
            place = (grid.names + cell * (column + 0.5), middle)
            _fill(sheet, place, (int(counts[row, column]), shares[row, column]), grid)
    return sheet.svg()


def _shade(axes: Axes, shares: Float[np.ndarray, "truth prediction"]) -> None:
    count = len(shares)
    filled = [(row, column) for row, column in np.ndindex(count, count) if shares[row, column] > 0]
    cells = [Rectangle((column, row), 1, 1) for row, column in filled]
    shades = [to_rgba(HEAT, float(shares[place]) * _STRONGEST) for place in filled]
    axes.add_collection(PatchCollection(cells, facecolors=shades, linewidths=0), autolim=False)
    lines = range(count + 1)
    axes.hlines(lines, 0, count, color=GRID, linewidth=0.8)
    axes.vlines(lines, 0, count, color=GRID, linewidth=0.8)


def _name_columns(sheet: Sheet, labels: Sequence[str], grid: _Grid, cell: float) -> None:
    room = grid.column_names - 10 if grid.upright else cell - 6
    for column, label in enumerate(shortened_apart(labels, letters(room))):
        place = (grid.names + cell * (column + 0.5), _HEAD + grid.column_names - 7)
        if grid.upright:
            sheet.upright_text((place[0] + 4, place[1]), label)
        else:
            sheet.text(place, label, align="center")


def _fill(sheet: Sheet, place: tuple[float, float], numbers: tuple[int, float], grid: _Grid) -> None:
    count, share = numbers
    x, y = place
    percent = MISSING if np.isnan(share) else f"{share * 100:.0f}"
    if not grid.with_counts:
        sheet.text((x, y + 4), percent, align="center", size=grid.text_size)
        return
    sheet.text((x, y - 1), f"{count:,}", align="center", size=grid.text_size)
    small = percent if percent == MISSING else f"{share * 100:.1f} %"
    sheet.text((x, y + grid.text_size), small, align="center", size=grid.text_size - 1.5, colour=INK)


def _spoken(
    counts: Integer[np.ndarray, "truth prediction"],
    shares: Float[np.ndarray, "truth prediction"],
    labels: Sequence[str],
) -> str:
    said = []
    for row, label in enumerate(labels):
        total = int(counts[row].sum())
        if not total:
            said.append(f"{printable(label)}: no examples")
            continue
        others = counts[row].copy()
        others[row] = 0
        text = f"{printable(label)}: {shares[row, row]:.1%} of {total:,} right"
        if others.any():
            worst = int(others.argmax())
            text += f", {int(others[worst]):,} taken for {printable(labels[worst])}"
        said.append(text)
    return "Confusion matrix. " + "; ".join(said) + "."
