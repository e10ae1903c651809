"""Whether probabilities can be believed: reliability diagrams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from primase.evaluation.reliability import ReliabilityCurve
from primase.report.figures.palette import MUTED, SERIES
from primase.report.figures.sheet import HALF, NARROW, WIDE, Sheet, drawing, note
from primase.report.sections import Figure
from primase.report.svg import Svg

_RATES: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_SIDE: Final = 300
_STRIP: Final = 44
_LEFT: Final = 46
_TOP: Final = 52
_BLOCK: Final = _TOP + _SIDE + 30 + _STRIP + 26


def reliability(before: ReliabilityCurve, after: ReliabilityCurve | None = None) -> Figure:
    """Draw how often the model is right when it says that it is so sure, before and after calibration.

    Parameters
    ----------
    before
        What the network said as it was trained.
    after
        The same after calibration; None where there was none.

    Returns
    -------
    Figure
        A drawing of the whole column, or of half of it without ``after`` (DeGroot and Fienberg, 1983). Points below
        the diagonal are overconfident.
    """
    panels = {"As trained": before} if after is None else {"Before calibration": before, "After calibration": after}
    with drawing():
        svg = _panels(panels, HALF if after is None else WIDE)
        narrow = None if after is None else _panels(panels, NARROW)
    caption = (
        "Reliability: how often the model is right when it is this sure. On the diagonal its probabilities can be "
        "taken at their word; below it the model is overconfident. Whiskers are 95 % intervals; bars count the "
        "examples."
    )
    return Figure(svg, caption, _spoken(panels), width="half" if after is None else "full", narrow_svg=narrow)


def _panels(panels: Mapping[str, ReliabilityCurve], width: float) -> Svg:
    beside = width == WIDE
    sheet = Sheet(width, _BLOCK if beside else (_BLOCK + 24) * len(panels) - 24)
    room = (width - 40) / 2 if beside else width
    for index, (title, curve) in enumerate(panels.items()):
        left, top = (index * (room + 40), 0.0) if beside else (0.0, index * (_BLOCK + 24.0))
        _panel(sheet, (left, top), room - _LEFT - 14, title, curve)
    return sheet.svg()


def _panel(sheet: Sheet, corner: tuple[float, float], side: float, title: str, curve: ReliabilityCurve) -> None:
    left, top = corner
    sheet.text((left, top + 14), title, bold=True)
    sheet.text((left, top + 36), "Accuracy")
    axes = sheet.axes(left + _LEFT, top + _TOP, side, _SIDE)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=_RATES, yticks=_RATES)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 3))
    strip = sheet.axes(left + _LEFT, top + _TOP + _SIDE + 30, side, _STRIP)
    strip.set(xlim=(0, 1), xticks=[], yticks=[])
    strip.spines["left"].set_visible(False)
    _draw(axes, strip, curve)
    largest = int(np.max(curve.count, initial=0))
    below = top + _TOP + _SIDE + 30 + _STRIP + 18
    sheet.text((left + _LEFT, below), f"examples (most: {largest:,})", colour=MUTED, size=11)
    sheet.text((left + _LEFT + side, below), "Confidence", align="right")


def _draw(axes: Axes, strip: Axes, curve: ReliabilityCurve) -> None:
    if not len(curve.count):
        note(axes, "no examples")
        return
    bounded = np.isfinite(curve.low) & np.isfinite(curve.high)
    axes.vlines(curve.confidence[bounded], curve.low[bounded], curve.high[bounded], color=SERIES[0], linewidth=1.4)
    axes.plot(
        curve.confidence,
        curve.accuracy,
        color=SERIES[0],
        marker="o",
        markersize=5.5,
        linewidth=1,
        clip_on=False,
        zorder=4,
    )
    strip.vlines(curve.confidence, 0, curve.count, color=SERIES[0], linewidth=6, capstyle="butt")
    strip.set_ylim(0, None)


def _spoken(panels: Mapping[str, ReliabilityCurve]) -> str:
    said = []
    for title, curve in panels.items():
        columns = zip(curve.confidence, curve.accuracy, curve.count, strict=True)
        points = [f"{sure:.2f} sure, {right:.2f} right ({int(count):,})" for sure, right, count in columns]
        said.append(f"{title}: " + ("; ".join(points) if points else "no examples") + ".")
    return "Reliability diagram, per bin the mean confidence, the accuracy and the examples. " + " ".join(said)
