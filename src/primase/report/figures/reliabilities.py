"""Reliability diagrams of several calibrations side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from primase.evaluation.reliability import ReliabilityCurve
from primase.report.figures.palette import MUTED, SERIES
from primase.report.figures.sheet import NARROW, WIDE, Sheet, drawing, letters
from primase.report.sections import Figure
from primase.report.svg import Svg
from primase.report.wording import shortened

_RATES: Final = (0.0, 0.5, 1.0)
_LEFT: Final = 44
_RIGHT: Final = 10
_TOP: Final = 40
_BELOW: Final = 50
_GAP: Final = 18
_ACROSS: Final = "how sure it is"
_UP: Final = "how often right"
_HALF_UP: Final = 42
"""Half the length of that name, in pixels."""


def reliabilities(curves: Mapping[str, ReliabilityCurve], *, highlight: str) -> Figure:
    """Draw for each calibration how often the model is right when it says that it is so sure.

    Parameters
    ----------
    curves
        By the name of the calibration.
    highlight
        The one that was chosen.

    Returns
    -------
    Figure
        Small drawings of one size, four in a row on a wide page.
    """
    with drawing():
        wide, narrow = _grid(curves, highlight, WIDE, 4), _grid(curves, highlight, NARROW, 2)
    caption = (
        "Reliability of each calibration on examples that it was not fitted to: across, how sure the model is; up, how "
        "often it is right. On the diagonal its probabilities can be taken at their word. The larger a point, the more "
        "examples. The one that was chosen has filled points."
    )
    return Figure(wide, caption, _spoken(curves), width="full", narrow_svg=narrow)


def _grid(curves: Mapping[str, ReliabilityCurve], highlight: str, width: float, columns: int) -> Svg:
    rows = -(-len(curves) // columns)
    room = (width - (columns - 1) * _GAP) / columns
    side = room - _LEFT - _RIGHT
    height = _TOP + side + _BELOW
    sheet = Sheet(width, rows * height)
    for number, (title, curve) in enumerate(curves.items()):
        left, top = (number % columns) * (room + _GAP), (number // columns) * height
        sheet.text((left, top + 16), shortened(title, letters(room)), bold=title == highlight)
        axes = sheet.axes(left + _LEFT, top + _TOP - 12, side, side)
        axes.set(xlim=(0, 1), ylim=(0, 1), xticks=_RATES, yticks=_RATES)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 3))
        bottom = top + _TOP - 12 + side
        sheet.text((left + _LEFT + side / 2, bottom + 30), _ACROSS, align="center")
        sheet.upright_text((left + 11, bottom - side / 2 + _HALF_UP), _UP)
        if not len(curve.count):
            continue
        axes.vlines(curve.confidence, curve.low, curve.high, color=SERIES[0], linewidth=1)
        sizes = 12 + 60 * np.sqrt(curve.count / curve.count.max())
        face = SERIES[0] if title == highlight else "none"
        axes.scatter(
            curve.confidence, curve.accuracy, s=sizes, facecolors=face, edgecolors=SERIES[0], clip_on=False, zorder=4
        )
    return sheet.svg()


def _spoken(curves: Mapping[str, ReliabilityCurve]) -> str:
    said = [
        f"{title}: expected calibration error {curve.expected_calibration_error:.3f}."
        for title, curve in curves.items()
    ]
    return "Reliability diagrams side by side. " + " ".join(said)
