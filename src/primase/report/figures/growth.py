"""How good models become with more training data: a measure against the number of examples, which grows by factors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from primase.evaluation.intervals import Interval
from primase.report.figures.palette import MUTED, SERIES
from primase.report.figures.sheet import HALF, LEGEND_ROW, Key, Sheet, drawing, round_ticks
from primase.report.sections import Figure

_HEIGHT: Final = 230
_LEFT: Final = 50
_TOP: Final = 30
_APART: Final = 1.03
"""Points of two models at one size stand so far apart that their intervals can be told apart."""


def growth(
    sizes: Sequence[int],
    figures: Mapping[str, Sequence[Interval]],
    *,
    metric: str,
    expected: tuple[int, Interval] | None,
) -> Figure:
    """Draw a measure against the number of training examples, each point with its 95 % interval.

    Parameters
    ----------
    sizes
        How many examples were trained on, ascending.
    figures
        Per model, the network first, the measure at each size.
    metric
        The name of the measure.
    expected
        At how many examples what is expected of the network; None where nothing is.
    """
    keys = [Key("network", SERIES[0], marker="o", line_width=2.2)]
    keys += [Key(name, MUTED, marker="s") for name in list(figures)[1:]]
    with drawing():
        sheet = Sheet(HALF, _TOP + _HEIGHT + 56 + LEGEND_ROW * (len(keys) + (expected is not None)))
        axes = sheet.axes(_LEFT, _TOP, HALF - _LEFT - 16, _HEIGHT)
        for number, (key, values) in enumerate(zip(keys, figures.values(), strict=True)):
            _line(axes, [size * _APART**number for size in sizes], values, key)
        if expected is not None:
            at, interval = expected
            shown = Key("expected of the network", SERIES[0], dashes=(4, 3), marker="o", hollow=True)
            _line(axes, [sizes[-1], at], [Interval.undefined(figures["network"][-1].value), interval], shown)
            keys.append(shown)
        axes.set_xscale("log")
        ticks = [*sizes, *([expected[0]] if expected else [])]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xlim(ticks[0] / 1.15, ticks[-1] * 1.2)
        round_ticks(axes.yaxis, 6)
        sheet.text((0, 14), metric)
        sheet.text((HALF - 16, _TOP + _HEIGHT + 36), "Training examples", align="right")
        sheet.legend(keys, left=_LEFT, top=_TOP + _HEIGHT + 50, width=HALF - _LEFT - 16)
        svg = sheet.svg()
    said = "; ".join(
        f"{name} {', '.join(f'{interval} on {size:,}' for size, interval in zip(sizes, values, strict=True))}"
        for name, values in figures.items()
    )
    caption = f"{metric} on the same test after training on more and more examples, with 95 % intervals."
    return Figure(svg, caption, f"{metric} by number of training examples: {said}.")


def _line(axes: Axes, places: Sequence[float], values: Sequence[Interval], key: Key) -> None:
    (line,) = axes.plot(
        places,
        [interval.value for interval in values],
        color=key.colour,
        linewidth=key.line_width,
        marker=key.marker,
        markersize=5.5,
        mfc="none" if key.hollow else key.colour,
    )
    if key.dashes:
        line.set_dashes(tuple(key.dashes))
    for place, interval in zip(places, values, strict=True):
        if math.isfinite(interval.low) and math.isfinite(interval.high):
            axes.plot([place, place], [interval.low, interval.high], color=key.colour, linewidth=1)
