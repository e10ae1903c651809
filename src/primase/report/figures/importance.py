"""What an answer rests on: contributions to one prediction, and effects in the whole model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Final

from matplotlib.axes import Axes

from primase.report.figures.palette import MUTED, SERIES
from primase.report.figures.rows import Layout, Row, both_widths
from primase.report.figures.sheet import Key, drawing
from primase.report.sections import Figure
from primase.report.wording import MINUS, printable, sentence

_MOST_ROWS: Final = 30
_SPOKEN_ROWS: Final = 10


def contributions(
    names: Sequence[str], values: Sequence[float], *, title: str, quantity: str = "contribution to the logit"
) -> Figure:
    """Draw how much each part of one example, such as a protein's domains, speaks for or against the answer.

    Parameters
    ----------
    names
        The parts. They are drawn from the strongest to the weakest, at most 30 of them.
    values
        Their contributions; positive ones speak for the answer, and those that are not finite are left out.
    title
        What is explained, such as ``"P00330: why oxidoreductase?"``.
    quantity
        What the values are, with the unit.

    Returns
    -------
    Figure
        A drawing of the whole column.
    """
    order = _strongest(values)
    rows = [Row(names[index], (_signed(values[index]),)) for index in order]
    return _bars(rows, [values[index] for index in order], ("Part", "Contribution"), (title, quantity, len(values)))


def effects(
    names: Sequence[str],
    values: Sequence[float],
    counts: Sequence[int],
    *,
    title: str = "What matters most to the model",
    quantity: str = "mean effect on the logit",
) -> Figure:
    """Draw the features that matter most to a model, with the number of examples that have them.

    Parameters
    ----------
    names
        The features. They are drawn from the strongest to the weakest, at most 30 of them.
    values
        Their effects; positive ones speak for the answer, and those that are not finite are left out.
    counts
        The number of examples behind each.
    title
        What is shown, as a sentence.
    quantity
        What the values are, with the unit.

    Returns
    -------
    Figure
        A drawing of the whole column.
    """
    order = _strongest(values)
    rows = [Row(names[index], (_signed(values[index]), f"{int(counts[index]):,}")) for index in order]
    shown = [values[index] for index in order]
    return _bars(rows, shown, ("Feature", "Effect", "Examples"), (title, quantity, len(values)))


def _bars(rows: Sequence[Row], values: Sequence[float], headers: tuple[str, ...], told: tuple[str, str, int]) -> Figure:
    title, quantity, all_values = told
    widths = (90,) * (len(headers) - 1)
    layout = Layout(rows, headers, quantity, _limits(values), cell_widths=widths, reference=Key("", MUTED))
    with drawing():
        wide, narrow = both_widths(layout, partial(_paint, values))
    caption = sentence(title)
    if rows:
        caption += " Bars to the right speak for the answer, bars to the left against it."
    if len(rows) < all_values:
        caption += f" The {len(rows)} strongest of {all_values:,} are shown."
    said = "; ".join(f"{printable(row.name)} {', '.join(row.cells)}" for row in rows[:_SPOKEN_ROWS])
    alternative = f"{sentence(printable(title))} {printable(quantity).capitalize()}: {said or 'nothing to show'}."
    return Figure(wide, caption, alternative, width="full", narrow_svg=narrow)


def _strongest(values: Sequence[float]) -> list[int]:
    known = [index for index, value in enumerate(values) if math.isfinite(value)]
    return sorted(known, key=lambda index: -abs(values[index]))[:_MOST_ROWS]


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS)


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    margin = 0.04 * (high - low) or 1.0
    return (low - margin if low < 0 else low, high + margin if high > 0 or low == 0 else high)


def _paint(values: Sequence[float], axes: Axes, middles: Sequence[float]) -> None:
    colours = [SERIES[0] if value >= 0 else SERIES[1] for value in values]
    axes.barh(middles, values, height=11, color=colours, zorder=3)
