"""Drawings with one named row per item, laid out as a table on a wide page and stacked on a telephone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

from matplotlib.axes import Axes

from primase.report.figures.palette import GRID, MUTED
from primase.report.figures.sheet import LEGEND_ROW, NARROW, WIDE, Key, Sheet, letters, note, round_ticks
from primase.report.svg import Svg
from primase.report.wording import shortened, shortened_apart

_NAMES: Final = 290
_GAP: Final = 22
_HEAD: Final = 26
_WIDE_ROW: Final = 28
_NARROW_ROW: Final = 46
_LEAST: Final = 60


@final
@dataclass(frozen=True, slots=True)
class Row:
    """An item: its name, and what the columns to the right of the plot say."""

    name: str
    cells: tuple[str, ...]
    bold: bool = False


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """What the rows share.

    Parameters
    ----------
    rows
        The items from top to bottom.
    headers
        A header for the names, then one per column at the right.
    axis
        What the axis means, with its unit.
    limits
        The ends of the axis.
    keys
        The legend; may be empty.
    cell_widths
        The width of each column at the right, in pixels.
    reference
        How the line of reference, such as zero or chance, is drawn; None for none.
    reference_value
        Where it stands on the axis.
    """

    rows: Sequence[Row]
    headers: tuple[str, ...]
    axis: str
    limits: tuple[float, float]
    keys: Sequence[Key] = ()
    cell_widths: tuple[int, ...] = (170,)
    reference: Key | None = None
    reference_value: float = 0.0


Painter = Callable[[Axes, Sequence[float]], None]
"""Draws all rows into the plot, given the height at which each row's middle lies."""


def both_widths(layout: Layout, paint: Painter) -> tuple[Svg, Svg]:
    """Draw the rows for a wide page and for a telephone."""
    return _wide(layout, paint), _narrow(layout, paint)


def _wide(layout: Layout, paint: Painter) -> Svg:
    height = max(_WIDE_ROW * len(layout.rows), _LEAST)
    sheet = Sheet(WIDE, _HEAD + height + _foot(layout))
    ends = [float(WIDE - sum(layout.cell_widths[index + 1 :])) for index in range(len(layout.cell_widths))]
    right = WIDE - sum(layout.cell_widths)
    sheet.text((0, 14), layout.headers[0], colour=MUTED, size=11)
    for header, end in zip(layout.headers[1:], ends, strict=True):
        sheet.text((end, 14), header, align="right", colour=MUTED, size=11)
    names = shortened_apart([row.name for row in layout.rows], letters(_NAMES))
    for index, row in enumerate(layout.rows):
        middle = _HEAD + _WIDE_ROW * (index + 0.5)
        _rule(sheet, middle - _WIDE_ROW / 2)
        sheet.text((0, middle + 4), names[index], bold=row.bold)
        for cell, end in zip(row.cells, ends, strict=True):
            sheet.text((end, middle + 4), cell, align="right", bold=row.bold)
    axes = sheet.axes(_NAMES + _GAP, _HEAD, right - _NAMES - 2 * _GAP, height)
    middles = [_WIDE_ROW * (index + 0.5) for index in range(len(layout.rows))]
    _refer(axes, layout, middles, reach=_WIDE_ROW / 2)
    _finish(sheet, axes, layout, paint, (_NAMES + _GAP, height, middles))
    return sheet.svg()


def _narrow(layout: Layout, paint: Painter) -> Svg:
    height = max(_NARROW_ROW * len(layout.rows), _LEAST)
    sheet = Sheet(NARROW, _HEAD + height + _foot(layout))
    sheet.text((0, 14), layout.headers[0], colour=MUTED, size=11)
    sheet.text((NARROW, 14), " · ".join(layout.headers[1:]), align="right", colour=MUTED, size=11)
    room = letters(NARROW) - max((len(" · ".join(row.cells)) for row in layout.rows), default=0) - 1
    names = shortened_apart([row.name for row in layout.rows], room)
    for index, row in enumerate(layout.rows):
        top = _HEAD + _NARROW_ROW * index
        _rule(sheet, top)
        sheet.text((0, top + 18), names[index], bold=row.bold)
        sheet.text((NARROW, top + 18), " · ".join(row.cells), align="right", bold=row.bold)
    axes = sheet.axes(8, _HEAD, NARROW - 16, height)
    middles = [_NARROW_ROW * index + 32.0 for index in range(len(layout.rows))]
    _refer(axes, layout, middles, reach=10)
    _finish(sheet, axes, layout, paint, (8, height, middles))
    return sheet.svg()


def _refer(axes: Axes, layout: Layout, middles: Sequence[float], *, reach: float) -> None:
    """Draw the line of reference row by row, so that it can leave out the names of a narrow drawing."""
    look = layout.reference
    if look is not None:
        where = [layout.reference_value] * len(middles)
        tops, bottoms = [middle - reach for middle in middles], [middle + reach for middle in middles]
        lines = axes.vlines(where, tops, bottoms, color=look.colour, linewidth=1)
        if look.dashes:
            lines.set_linestyle((0, tuple(look.dashes)))


def _rule(sheet: Sheet, top: float) -> None:
    sheet.line((0, top), (sheet.width, top), Key("", GRID, line_width=0.8))


def _foot(layout: Layout) -> int:
    return 44 + (LEGEND_ROW * len(layout.keys) + 8 if layout.keys else 0)


def _finish(
    sheet: Sheet, axes: Axes, layout: Layout, paint: Painter, place: tuple[float, float, Sequence[float]]
) -> None:
    """Draw the items, the axis below them and the legend."""
    left, height, middles = place
    axes.set(xlim=layout.limits, ylim=(height, 0), yticks=[])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    if layout.rows:
        round_ticks(axes.xaxis, 7)
        paint(axes, middles)
    else:
        note(axes, "nothing to show")
    below = _HEAD + height
    end = left + axes.get_position().width * sheet.width
    sheet.text((end, below + 36), shortened(layout.axis, letters(end - left)), align="right")
    sheet.legend(layout.keys, left=left, top=below + 48, width=end - left)
