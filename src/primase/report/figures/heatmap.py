"""A map of numbers: a row per thing, a column per other thing, and a shade for how the one goes with the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from primase.report.figures.palette import GRID, MUTED, SERIES
from primase.report.figures.sheet import NARROW, WIDE, Sheet, drawing, letters, text_width
from primase.report.sections import Figure
from primase.report.svg import Svg
from primase.report.wording import MINUS, printable, sentence, shortened_apart

MOST_COLUMNS: Final = 28
NARROW_COLUMNS: Final = 12
MOST_ROWS: Final = 28
_ROW_HEIGHT: Final = 20
_LEGEND: Final = 40
_STEPS: Final = 7
_SPOKEN: Final = 8
_WEAKEST: Final = 0.02
"""A shade of less than this cannot be told from the page, and is left out."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Map:
    """What is drawn: numbers with their names, the largest of which has the full shade."""

    values: Float[np.ndarray, "rows columns"]
    rows: Sequence[str]
    columns: Sequence[str]
    strongest: float
    quantity: str


def heatmap(
    values: Float[np.ndarray, "rows columns"],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    quantity: str,
) -> Figure:
    """Draw numbers as shades: one colour above zero, another below it, the stronger the further.

    Parameters
    ----------
    values
        The numbers; those that are not finite stay empty.
    rows, columns
        Their names, in the order in which they are drawn: at most 28 of each. A telephone shows the twelve columns of
        the largest numbers.
    title
        What is shown, as a sentence.
    quantity
        What the numbers are, with the unit.

    Returns
    -------
    Figure
        A drawing of the whole column.

    Raises
    ------
    ValueError
        If the numbers do not fit the names, or there are too many of them.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.shape != (len(rows), len(columns)):
        message = f"the numbers are {table.shape}, which does not fit {len(rows)} rows and {len(columns)} columns"
        raise ValueError(message)
    if len(rows) > MOST_ROWS or len(columns) > MOST_COLUMNS:
        message = f"{len(rows)} rows and {len(columns)} columns are more than can be read"
        raise ValueError(message)
    known = np.where(np.isfinite(table), table, 0.0)
    strongest = float(np.abs(known).max(initial=0.0))
    whole = _Map(known, rows, columns, strongest, quantity)
    with drawing():
        wide = _draw(whole, WIDE)
        narrow = _draw(_strongest_columns(whole), NARROW)
    caption = f"{sentence(title)} Shades show the {quantity}: full blue is {_signed(strongest)}, full orange "
    caption += f"{_signed(-strongest)}."
    return Figure(wide, caption, _spoken(whole, title), width="full", narrow_svg=narrow)


def _strongest_columns(whole: _Map) -> _Map:
    order = np.argsort(-np.abs(whole.values).max(axis=0, initial=0.0), kind="stable")
    kept = np.sort(order[:NARROW_COLUMNS])
    columns = [whole.columns[place] for place in kept.tolist()]
    return _Map(whole.values[:, kept], whole.rows, columns, whole.strongest, whole.quantity)


def _draw(drawn: _Map, width: int) -> Svg:
    names = min(180 if width == WIDE else 96, int(max(map(text_width, drawn.rows), default=0)) + 10)
    rise = min(112, int(max(map(text_width, drawn.columns), default=0)) + 12)
    height = _ROW_HEIGHT * len(drawn.rows)
    sheet = Sheet(width, rise + height + _LEGEND)
    axes = sheet.axes(names, rise, width - names, height)
    axes.set(xlim=(0, max(len(drawn.columns), 1)), ylim=(max(len(drawn.rows), 1), 0), xticks=[], yticks=[])
    axes.set_frame_on(False)
    _shade(axes, drawn)
    cell = (width - names) / max(len(drawn.columns), 1)
    for column, label in enumerate(shortened_apart(drawn.columns, letters(rise - 8))):
        sheet.upright_text((names + cell * (column + 0.5) + 4, rise - 6), label)
    for row, label in enumerate(shortened_apart(drawn.rows, letters(names - 6))):
        sheet.text((0, rise + _ROW_HEIGHT * (row + 0.5) + 4), label)
    _legend(sheet, drawn, (names, rise + height + 14))
    return sheet.svg()


def _shade(axes: Axes, drawn: _Map) -> None:
    if not drawn.strongest:
        return
    shares = drawn.values / drawn.strongest
    filled = [place for place in np.ndindex(*shares.shape) if abs(shares[place]) >= _WEAKEST]
    cells = [Rectangle((column, row), 1, 1) for row, column in filled]
    shades = [_colour(float(shares[place])) for place in filled]
    axes.add_collection(PatchCollection(cells, facecolors=shades, linewidths=0), autolim=False)
    axes.hlines(range(len(drawn.rows) + 1), 0, len(drawn.columns), color=GRID, linewidth=0.5)


def _colour(share: float) -> tuple[float, float, float, float]:
    return to_rgba(SERIES[0] if share >= 0 else SERIES[1], abs(share))


def _legend(sheet: Sheet, drawn: _Map, place: tuple[float, float]) -> None:
    """Show what the shades mean below the map, from the lowest to the highest."""
    left, top = place
    size = 16
    axes = sheet.axes(left, top, size * _STEPS, 10)
    axes.set(xlim=(0, _STEPS), ylim=(0, 1), xticks=[], yticks=[])
    axes.set_frame_on(False)
    shares = np.linspace(-1, 1, _STEPS)
    cells = [Rectangle((step, 0), 1, 1) for step in range(_STEPS)]
    axes.add_collection(
        PatchCollection(cells, facecolors=[_colour(float(share)) for share in shares], linewidths=0), autolim=False
    )
    said = f"{_signed(-drawn.strongest)} to {_signed(drawn.strongest)} {drawn.quantity}"
    room = letters(sheet.width - left - size * _STEPS - 8, 11)
    sheet.text((left + size * _STEPS + 8, top + 9), said[:room], colour=MUTED, size=11)


def _signed(value: float) -> str:
    return f"{value:+.2g}".replace("-", MINUS)


def _spoken(drawn: _Map, title: str) -> str:
    order = np.argsort(-np.abs(drawn.values), axis=None, kind="stable")[:_SPOKEN]
    said = []
    for place in order.tolist():
        row, column = divmod(place, max(len(drawn.columns), 1))
        name = f"{printable(drawn.rows[row])} and {printable(drawn.columns[column])}"
        said.append(f"{name} {_signed(drawn.values[row, column])}")
    strongest = "; ".join(said) or "nothing to show"
    return f"{sentence(printable(title))} The strongest, {printable(drawn.quantity)}: {strongest}."
