"""Two nodes of a graph, such as proteins, and the neighbours that they share: what speaks for a link between them."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from typing import Final, final

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

from primase.report.figures.palette import GRID, INK, MUTED, SERIES, SURFACE
from primase.report.figures.shared_neighbours import Neighbourhood
from primase.report.figures.sheet import LEGEND_ROW, NARROW, WIDE, Key, Sheet, drawing, letters, text_width
from primase.report.sections import Figure
from primase.report.svg import Svg
from primase.report.wording import MINUS, printable, sentence, shortened, shortened_apart

MOST_SHOWN: Final = 12
_SPOKEN: Final = 5
_ROW: Final = 30
_PILL: Final = 22
_VALUE: Final = 50
"""Room for a number between a link and the neighbour that it leads to."""

Place = tuple[float, float]


@final
@dataclass(frozen=True, slots=True)
class _Plan:
    """Where everything stands: the two beside the column of their neighbours, or above it on a narrow page."""

    width: int
    room: int
    column: int
    first_row: int
    pair_height: float
    below: float

    @property
    def beside(self) -> bool:
        return self.width == WIDE

    @property
    def middle(self) -> float:
        return self.width / 2

    @property
    def ends(self) -> tuple[float, float]:
        """The middles of the two, from the left."""
        return self.room / 2, self.width - self.room / 2

    def row(self, number: int) -> float:
        return self.first_row + _ROW * (number + 0.5)


def neighbourhood(
    shown: Neighbourhood,
    *,
    title: str,
    question: str = "do they interact?",
    quantity: str = "contribution to the log-odds",
) -> Figure:
    """Draw a pair with the neighbours that it shares, and what each link speaks for.

    The layout is the same each time: the two at the sides, their shared neighbours in a column between them, at most
    12 of them, and the number of the others.

    Parameters
    ----------
    shown
        The pair and its neighbours.
    title
        What is explained, as a sentence; it begins the caption.
    question
        What is written at the dashed line between the two, such as ``"probability of an interaction: 0.93"``.
    quantity
        What the values of links are, with the unit.

    Returns
    -------
    Figure
        A drawing of the whole column.
    """
    with drawing():
        wide, narrow = (_draw(shown, _plan(shown, width), question) for width in (WIDE, NARROW))
    told = "The dashed line is the link that is asked for; the others are known."
    if _values(shown):
        told += f" Numbers, and the thickness of lines, are the {quantity} of each."
    if len(shown.shared) > MOST_SHOWN:
        told += f" The first {MOST_SHOWN} of {len(shown.shared):,} shared neighbours are drawn."
    return Figure(wide, f"{sentence(title)} {told}", _spoken(shown, title, quantity), width="full", narrow_svg=narrow)


def _rows(shown: Neighbourhood) -> int:
    return min(len(shown.shared), MOST_SHOWN) + (len(shown.shared) > MOST_SHOWN)


def _plan(shown: Neighbourhood, width: int) -> _Plan:
    rows = _rows(shown)
    if width == NARROW:
        return _Plan(NARROW, 112, 128, 102, 54.0, 102 + _ROW * rows + 12)
    height = max(_ROW * rows, 170)
    # Few neighbours stand in the middle between the two.
    first = 62 + (height - _ROW * rows) // 2
    return _Plan(WIDE, 200, 190, first, 62 + height / 2, 62 + height + 14)


def _draw(shown: Neighbourhood, plan: _Plan, question: str) -> Svg:
    keys = _keys(shown)
    sheet = Sheet(plan.width, plan.below + LEGEND_ROW * len(keys) + 4)
    canvas = sheet.overlay()
    _ask(sheet, canvas, plan, question)
    _draw_links(sheet, canvas, shown, plan)
    _draw_pair(sheet, canvas, shown, plan)
    sheet.legend(keys, left=0, top=plan.below, width=plan.width)
    return sheet.svg()


def _keys(shown: Neighbourhood) -> list[Key]:
    values = _values(shown)
    keys = [Key("the link that is asked for", INK, dashes=(4, 3), line_width=1.6)]
    if any(value > 0 for value in values):
        keys.append(Key("known, and speaks for it", SERIES[0], line_width=3.5))
    if any(value < 0 for value in values):
        keys.append(Key("known, and speaks against it", SERIES[1], line_width=3.5))
    if not values or len(values) < 2 * min(len(shown.shared), MOST_SHOWN):
        keys.append(Key("known", MUTED, line_width=1.2))
    return keys


def _values(shown: Neighbourhood) -> list[float]:
    """List what the links that are drawn contribute, where it is known."""
    both = [value for neighbour in shown.shared[:MOST_SHOWN] for value in (neighbour.first, neighbour.second)]
    return [value for value in both if math.isfinite(value)]


def _ask(sheet: Sheet, canvas: Axes, plan: _Plan, question: str) -> None:
    """Join the two by a dashed line: over the column, or straight where they stand above it."""
    first, second = plan.ends
    y, top, bend = plan.pair_height, 34.0, 14.0
    if plan.beside:
        vertices = [(first, y), (first, top + bend), (first, top), (first + bend, top), (second - bend, top)]
        vertices += [(second, top), (second, top + bend), (second, y)]
        codes = [Path.MOVETO, Path.LINETO, Path.CURVE3, Path.CURVE3, Path.LINETO, Path.CURVE3, Path.CURVE3, Path.LINETO]
    else:
        vertices, codes = [(first, y), (second, y)], [Path.MOVETO, Path.LINETO]
    line = PathPatch(
        Path(vertices, codes), fill=False, edgecolor=INK, linewidth=1.6, linestyle=(0, (4, 3)), capstyle="butt"
    )
    canvas.add_patch(line)
    room = second - first if plan.beside else plan.width
    sheet.text((plan.middle, 24 if plan.beside else 14), shortened(question, letters(room)), align="center", bold=True)


def _draw_links(sheet: Sheet, canvas: Axes, shown: Neighbourhood, plan: _Plan) -> None:
    """Draw the shared neighbours in a column, with a link to each of the two."""
    count = len(shown.shared)
    drawn = shown.shared[:MOST_SHOWN]
    names = shortened_apart([neighbour.name for neighbour in drawn], letters(plan.column - 16))
    width = min(plan.column, max([_width(name) + 18 for name in names], default=0))
    counted = f"{count:,} shared neighbour{'' if count == 1 else 's'}" if count else "no shared neighbours"
    if drawn and not plan.beside:
        counted = f"{count:,} shared"
    head = plan.first_row - 8 if drawn else plan.pair_height + (4 if plan.beside else 34)
    sheet.text((plan.middle, head), counted, align="center", colour=MUTED, size=11)
    strongest = max(map(abs, _values(shown)), default=0.0)
    for number, (neighbour, name) in enumerate(zip(drawn, names, strict=True)):
        y = plan.row(number)
        for side, value in ((-1, neighbour.first), (1, neighbour.second)):
            edge = plan.middle + side * width / 2
            # Numbers stand between the link and the name where there is room.
            numbered = plan.beside and math.isfinite(value)
            end = (edge + side * _VALUE if numbered else edge, y)
            _link(canvas, plan, side, end, (value, strongest))
            if numbered:
                sheet.text(
                    (edge + side * 8, y + 4), _signed(value), align="right" if side < 0 else "left", size=11, colour=INK
                )
        _pill(canvas, (plan.middle, y), width, (GRID, GRID))
        sheet.text((plan.middle, y + 4), name, align="center")
    if count > MOST_SHOWN:
        text = f"and {count - MOST_SHOWN:,} more"
        sheet.text((plan.middle, plan.row(MOST_SHOWN) + 4), text, align="center", colour=MUTED)


def _link(canvas: Axes, plan: _Plan, side: int, end: Place, strength: tuple[float, float]) -> None:
    value, strongest = strength
    x = plan.ends[0] if side < 0 else plan.ends[1]
    colour, width = MUTED, 1.2
    if math.isfinite(value) and value != 0:
        colour, width = SERIES[0] if value > 0 else SERIES[1], 1.0 + 4.0 * abs(value) / strongest
    # All links leave from the middle of the pair's box, which hides where they meet.
    canvas.plot([x, end[0]], [plan.pair_height, end[1]], color=colour, linewidth=width, solid_capstyle="butt", zorder=1)


def _draw_pair(sheet: Sheet, canvas: Axes, shown: Neighbourhood, plan: _Plan) -> None:
    names = shortened_apart(shown.pair, letters(plan.room - 16))
    for x, name, others, value in zip(plan.ends, names, shown.others, shown.others_contribute, strict=True):
        width = min(plan.room, _width(name) * 1.08 + 22)
        y = plan.pair_height
        counted = f"{others:,} other neighbour{'' if others == 1 else 's'}"
        if plan.beside:
            for slope in _slopes(others):
                canvas.plot([x, x + 22 * slope], [y, y + 42], color=MUTED, linewidth=0.9, zorder=1)
            sheet.text((x, y + 58), counted, align="center", colour=MUTED, size=11)
            if others and math.isfinite(value):
                sheet.text((x, y + 74), f"together {_signed(value)}", align="center", colour=MUTED, size=11)
        else:
            first = x < plan.middle
            place = (0.0 if first else float(plan.width), y - 18)
            sheet.text(place, counted, align="left" if first else "right", colour=MUTED, size=10)
        _pill(canvas, (x, y), width, (SURFACE, INK))
        sheet.text((x, y + 4), name, align="center", bold=True)


def _slopes(others: int) -> list[float]:
    """Spread a few strokes, which stand for the links to all other neighbours."""
    count = min(others, 5)
    return [0.5 * (number - (count - 1) / 2) for number in range(count)]


def _pill(canvas: Axes, place: Place, width: float, colours: tuple[str, str]) -> None:
    corner = (place[0] - width / 2, place[1] - _PILL / 2)
    canvas.add_patch(
        FancyBboxPatch(
            corner,
            width,
            _PILL,
            boxstyle="round,pad=0,rounding_size=6",
            facecolor=colours[0],
            edgecolor=colours[1],
            linewidth=1.4,
            zorder=3,
        )
    )


def _width(text: str) -> float:
    """Estimate the width of a name, in which East Asian letters are twice as wide."""
    wide = sum(unicodedata.east_asian_width(letter) in {"W", "F"} for letter in text)
    return text_width(text) + text_width(" ") * wide


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS)


def _spoken(shown: Neighbourhood, title: str, quantity: str) -> str:
    first, second = map(printable, shown.pair)
    said = [f"{first} has {shown.others[0]:,} and {second} {shown.others[1]:,} neighbours that the other has not."]
    known = shown.shared[:_SPOKEN]
    told = []
    for neighbour in known:
        values = [_signed(value) for value in (neighbour.first, neighbour.second) if math.isfinite(value)]
        told.append(f"{printable(neighbour.name)} {' and '.join(values)}".strip())
    beginning = f"They share {len(shown.shared):,} neighbours"
    said.append(f"{beginning}, first of all ({printable(quantity)}): {'; '.join(told)}." if told else f"{beginning}.")
    return f"{sentence(printable(title))} {' '.join(said)}"
