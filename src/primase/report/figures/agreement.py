"""Two numbers for each of many things, and the line on which they agree: predicted and measured, or two errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from primase.report.figures.palette import MUTED, SERIES
from primase.report.figures.sheet import HALF, LEGEND_ROW, NARROW, WIDE, Key, Sheet, drawing, letters, note, round_ticks
from primase.report.sections import Figure
from primase.report.svg import Svg
from primase.report.wording import number_text, printable, shortened

MOST_DOTS: Final = 2_000
_LEFT: Final = 46
_TITLE: Final = 22
_TOP: Final = 30
_GAP: Final = 26
_FOOT: Final = 48
_IN_A_ROW: Final = 3

Numbers = Float[np.ndarray, "things"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One plot.

    Parameters
    ----------
    title
        What is shown; may be empty.
    note
        What a reader should know of it, such as a figure; written below the title.
    across, along
        The two numbers of each thing; those of which one is not finite are left out.
    band
        How far from the line of agreement dashed lines are drawn; None for none.
    """

    title: str
    note: str
    across: Numbers
    along: Numbers
    band: float | None = None


def agreement(
    panels: Sequence[Panel], *, axes: tuple[str, str], caption: str, dots: str = "one each", band: str = ""
) -> Figure:
    """Draw two numbers of each thing against each other, and the line on which both are the same.

    Parameters
    ----------
    panels
        One for a drawing of half the column, up to three for one of all of it.
    axes
        What the horizontal and the vertical axis mean, with the unit.
    caption
        What the drawing shows. Where there are more than 2,000 things a sample is drawn, which is added.
    dots
        What a dot is, for the legend.
    band
        What the dashed lines are, for the legend.

    Returns
    -------
    Figure
        A drawing whose plots have the same scale on both axes.
    """
    sampled = [_sampled(panel) for panel in panels]
    keys = [Key(dots, SERIES[0], marker="o", line_width=0), Key("both are the same", MUTED, line_width=1)]
    if any(panel.band is not None for panel in panels):
        keys.append(Key(band, MUTED, dashes=(4, 3), line_width=1))
    with drawing():
        if len(panels) == 1:
            svg, narrow = _draw(sampled, axes, keys, HALF), None
        else:
            svg, narrow = _draw(sampled, axes, keys, WIDE), _draw(sampled, axes, keys, NARROW)
    most = max((int(_finite(panel).sum()) for panel in panels), default=0)
    if most > MOST_DOTS:
        caption += f" A random {MOST_DOTS:,} of {most:,} are drawn."
    spoken = "; ".join(_spoken(panel) for panel in panels)
    alternative = f"Scatter plot of {printable(axes[1])} against {printable(axes[0])}. {spoken}."
    return Figure(svg, caption, alternative, width="half" if narrow is None else "full", narrow_svg=narrow)


def _finite(panel: Panel) -> np.ndarray:
    return np.asarray(np.isfinite(panel.across) & np.isfinite(panel.along))


def _sampled(panel: Panel) -> Panel:
    """Keep what is finite, and of too many things a sample, the same each time."""
    kept = np.flatnonzero(_finite(panel))
    if len(kept) > MOST_DOTS:
        kept = np.sort(np.random.default_rng(0).choice(kept, MOST_DOTS, replace=False))
    across, along = (np.asarray(numbers, dtype=float)[kept] for numbers in (panel.across, panel.along))
    return Panel(panel.title, panel.note, across, along, panel.band)


def _draw(panels: Sequence[Panel], axes: tuple[str, str], keys: Sequence[Key], width: int) -> Svg:
    """Draw the plots beside each other where there is room, else below each other."""
    in_a_row = _IN_A_ROW if width == WIDE else 1
    side = (width - (in_a_row - 1) * _GAP) / in_a_row - _LEFT - 14
    title = _TITLE if any(panel.title or panel.note for panel in panels) else 0
    block = title + _TOP + side + _FOOT
    rows = -(-max(len(panels), 1) // in_a_row)
    sheet = Sheet(width, rows * block + LEGEND_ROW * len(keys))
    for index, panel in enumerate(panels):
        row, column = divmod(index, in_a_row)
        left, top = column * (side + _LEFT + 14 + _GAP), row * block
        room = letters(side + _LEFT)
        sheet.text((left, top + 14), shortened(" · ".join(filter(None, (panel.title, panel.note))), room), bold=True)
        top += title
        sheet.text((left, top + 14), shortened(axes[1], room))
        _plot(sheet.axes(left + _LEFT, top + _TOP, side, side), panel)
        below = (left + _LEFT + side, top + _TOP + side + 36)
        sheet.text(below, shortened(axes[0], room), align="right")
    sheet.legend(keys, left=_LEFT, top=rows * block, width=min(width, HALF) - _LEFT - 14)
    return sheet.svg()


def _plot(axes: Axes, panel: Panel) -> None:
    pooled = np.concatenate([panel.across, panel.along])
    if not len(pooled):
        note(axes, "nothing to show")
        return
    low, high = float(pooled.min()), float(pooled.max())
    margin = 0.05 * (high - low) or 0.5
    low, high = low - margin, high + margin
    axes.set(xlim=(low, high), ylim=(low, high))
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1, zorder=1)
    for shift in () if panel.band is None or not np.isfinite(panel.band) else (-panel.band, panel.band):
        axes.plot([low, high], [low + shift, high + shift], color=MUTED, linewidth=1, dashes=(4, 3), zorder=1)
    # Many dots as one line of no length with round ends: a fifth of the markup of markers.
    vertices = np.repeat(np.stack([panel.across, panel.along], axis=1), 2, axis=0)
    path = Path(vertices, [Path.MOVETO, Path.LINETO] * len(panel.across))
    path.should_simplify = False
    size = 5.0 if len(panel.across) <= 300 else 3.5
    axes.add_patch(
        PathPatch(path, fill=False, edgecolor=SERIES[0], linewidth=size, capstyle="round", alpha=0.6, zorder=3)
    )
    for axis in (axes.xaxis, axes.yaxis):
        round_ticks(axis, 5)


def _spoken(panel: Panel) -> str:
    known = _finite(panel)
    name = printable(" ".join(filter(None, (panel.title, panel.note)))).strip()
    said = f"{name}: {int(known.sum()):,} points" if name else f"{int(known.sum()):,} points"
    if known.sum() and (above := float((panel.along > panel.across)[known].mean())):
        said += f", {number_text(100 * above, 0)} % above the line"
    return said
