"""What is gained over a baseline, target by target, from the most to the least."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from primase.report.figures.palette import GRID, MUTED, SERIES
from primase.report.figures.sheet import HALF, LEGEND_ROW, Key, Sheet, drawing, note, round_ticks, thinned
from primase.report.sections import Figure
from primase.report.wording import number_text, printable, shortened

_HEIGHT: Final = 260
_LEFT: Final = 46
_TOP: Final = 30
_DRAWN: Final = (0.005, 0.995)
"""The quantiles beyond which an interval may leave the plot, so that a few wide ones do not flatten all others."""

Numbers = Float[np.ndarray, "targets"]


def gains(value: Numbers, low: Numbers, high: Numbers, *, over: str, error: str, what: str = "targets") -> Figure:
    """Draw by which share the network's error is smaller than a baseline's for each target, in order.

    Parameters
    ----------
    value, low, high
        Per target a share (0.1 for a tenth) with its 95 % interval; NaN where there is none.
    over
        The name of the baseline.
    error
        The error, such as ``"MAE"``.
    what
        What the targets are, in the plural.

    Returns
    -------
    Figure
        A drawing of half the column.
    """
    order = np.argsort(-np.where(np.isfinite(value), value, -np.inf), kind="stable")
    order = order[np.isfinite(value[order])]
    ranked = [np.asarray(numbers, dtype=float)[order] * 100 for numbers in (value, low, high)]
    middle = ranked[0]
    better = int((middle > 0).sum())
    keys = [
        Key("network better", SERIES[0], _counted(better, len(middle))),
        Key("baseline better", SERIES[1], _counted(int((middle < 0).sum()), len(middle)), dashes=(5, 2)),
        Key("95 % interval of each", GRID, line_width=9),
        Key("no difference", MUTED, dashes=(4, 3), line_width=1),
    ]
    with drawing():
        top = _TOP + _HEIGHT + 48
        sheet = Sheet(HALF, top + LEGEND_ROW * len(keys))
        axes = sheet.axes(_LEFT, _TOP, HALF - _LEFT - 14, _HEIGHT)
        axes.grid(visible=False, axis="x")
        if len(middle):
            _paint(axes, *ranked)
        else:
            note(axes, "nothing to show")
        sheet.text((0, 14), shortened(f"Gain: {error} smaller than that of {over} by (%)", 56))
        sheet.text((HALF - 14, _TOP + _HEIGHT + 36), f"{what}, from the most to the least gained", align="right")
        sheet.legend(keys, left=_LEFT, top=top, width=HALF - 14 - _LEFT)
        svg = sheet.svg()
    caption = f"Gain over {over} of each of {len(middle):,} {what}, in order, with 95 % intervals."
    alternative = f"Sorted curve of the gain in {error} over {printable(over)}. {_spoken(middle, better)}"
    return Figure(svg, caption, alternative)


def _paint(axes: Axes, middle: Numbers, low: Numbers, high: Numbers) -> None:
    rank = np.arange(1.0, len(middle) + 1)
    bounded = np.isfinite(low) & np.isfinite(high)
    ends = np.concatenate([low[bounded], high[bounded], middle, [0.0]])
    bottom, top = np.quantile(ends, _DRAWN)
    bottom, top = min(bottom, middle.min(), 0.0), max(top, middle.max(), 0.0)
    margin = 0.05 * (top - bottom) or 1.0
    axes.set(xlim=(0.5, len(middle) + 0.5), ylim=(bottom - margin, top + margin))
    if bounded.any():
        _band(axes, rank[bounded], low[bounded], high[bounded])
    axes.axhline(0.0, color=MUTED, linewidth=1, dashes=(4, 3))
    marker = "o" if len(middle) <= 30 else ""
    for chosen, colour, dashes in ((middle >= 0, SERIES[0], ()), (middle < 0, SERIES[1], (5.0, 2.0))):
        x, y = rank[chosen], middle[chosen]
        kept = thinned(x, y) if len(x) else np.empty(0, dtype=int)
        (line,) = axes.plot(x[kept], y[kept], color=colour, linewidth=2, marker=marker, markersize=4, zorder=3)
        if dashes:
            line.set_dashes(dashes)
    round_ticks(axes.xaxis, 5, whole=True)
    round_ticks(axes.yaxis, 7)


def _band(axes: Axes, rank: Numbers, low: Numbers, high: Numbers) -> None:
    """Shade from the lower to the upper ends; of very many the running means, as single ones cannot be seen."""
    size = max(1, len(rank) // 200)
    starts = np.arange(0, len(rank), size)
    counts = np.diff(np.append(starts, len(rank)))
    x, bottom, top = (np.add.reduceat(numbers, starts) / counts for numbers in (rank, low, high))
    if len(x) == 1:
        axes.plot([x[0], x[0]], [bottom[0], top[0]], color=GRID, linewidth=9, zorder=1)
        return
    outline = np.concatenate([bottom, top[::-1]])
    axes.fill(np.concatenate([x, x[::-1]]), outline, color=GRID, linewidth=0, zorder=1)


def _counted(count: int, whole: int) -> str:
    return f"{count:,}" + (f" ({number_text(100 * count / whole, 0)} %)" if whole else "")


def _spoken(middle: Numbers, better: int) -> str:
    if not len(middle):
        return "Nothing to show."
    low, median, high = np.quantile(middle, [0.05, 0.5, 0.95])
    return (
        f"Better for {better:,} of {len(middle):,}; median {number_text(median)} %, 90 % between {number_text(low)} % "
        f"and {number_text(high)} %."
    )
