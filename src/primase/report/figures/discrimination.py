"""How well two classes are told apart: ROC and precision-recall curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, final

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from primase.report.figures.palette import MUTED, Dashes, line_looks
from primase.report.figures.sheet import HALF, LEGEND_ROW, Key, Sheet, drawing, note, thinned
from primase.report.sections import Figure
from primase.report.wording import printable

Scores = tuple[Integer[np.ndarray, "examples"], Float[np.ndarray, "examples"]]
"""Targets (0 or 1) and the scores that should be higher for 1."""

_SIDE: Final = 330
_LEFT: Final = 46
_TOP: Final = 30
_RATES: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@final
@dataclass(frozen=True, slots=True)
class _Curve:
    """A curve with the area under it, ready to draw; without points where it is not defined."""

    name: str
    x: Float[np.ndarray, "points"]
    y: Float[np.ndarray, "points"]
    area: float
    base_rate: float

    @property
    def value(self) -> str:
        return f"{self.area:.3f}" if len(self.x) else "one class only"


def roc(curves: Mapping[str, Scores], *, highlight: str | None = None) -> Figure:
    """Draw how many positives are found at the price of how many false alarms (ROC curves).

    Parameters
    ----------
    curves
        Per name, targets of 0 and 1 and a score per example. Where one class is missing, the legend says so.
    highlight
        The name of the curve that stands out, usually the network.

    Returns
    -------
    Figure
        A drawing of half the column, with the area under each curve (AUROC, 0 to 1; 0.5 is chance) in the legend.
    """
    found = [_roc(name, *scores) for name, scores in curves.items()]
    with drawing():
        sheet, axes = _square(len(found) + 1, ("False positive rate", "True positive rate"))
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 3))
        keys = [*_draw(axes, found, highlight), Key("chance", MUTED, "0.500", (4, 3), line_width=1)]
        _legend(sheet, keys, "AUROC")
        svg = sheet.svg()
    caption = "ROC curves on the test examples. The higher a curve, the more positives are found per false alarm."
    return Figure(svg, caption, "ROC curves with their areas (AUROC): " + _spoken(found))


def precision_recall(curves: Mapping[str, Scores], *, highlight: str | None = None) -> Figure:
    """Draw how pure the predicted positives are, the more of all positives are found (precision-recall curves).

    Parameters
    ----------
    curves
        Per name, targets of 0 and 1 and a score per example. Where one class is missing, the legend says so.
    highlight
        The name of the curve that stands out, usually the network.

    Returns
    -------
    Figure
        A drawing of half the column, with the average precision (AUPRC, 0 to 1) in the legend and the share of
        positives, which guessing reaches, as a dashed line.
    """
    found = [_precision_recall(name, *scores) for name, scores in curves.items()]
    drawn = [curve for curve in found if len(curve.x)]
    rates = [curve.base_rate for curve in drawn if curve.name == highlight] + [curve.base_rate for curve in drawn]
    with drawing():
        sheet, axes = _square(len(found) + 1, ("Recall", "Precision"))
        keys = _draw(axes, found, highlight, steps="steps-pre")
        if rates:
            axes.axhline(rates[0], color=MUTED, linewidth=1, dashes=(4, 3))
            keys.append(Key("share of positives", MUTED, f"{rates[0]:.3f}", (4, 3), line_width=1))
        _legend(sheet, keys, "AUPRC")
        svg = sheet.svg()
    caption = "Precision and recall on the test examples. Guessing stays at the share of positives (dashed)."
    spoken = _spoken(found) + (f" The share of positives is {rates[0]:.3f}." if rates else "")
    return Figure(svg, caption, "Precision-recall curves with their average precision (AUPRC): " + spoken)


def _roc(name: str, targets: Integer[np.ndarray, "examples"], scores: Float[np.ndarray, "examples"]) -> _Curve:
    if not _has_both(targets):
        return _undefined(name)
    x, y, _ = roc_curve(targets, scores)
    kept = thinned(x, y)
    return _Curve(name, x[kept], y[kept], float(roc_auc_score(targets, scores)), float(np.mean(targets)))


def _precision_recall(
    name: str, targets: Integer[np.ndarray, "examples"], scores: Float[np.ndarray, "examples"]
) -> _Curve:
    if not _has_both(targets):
        return _undefined(name)
    precision, recall, _ = precision_recall_curve(targets, scores, drop_intermediate=True)
    x, y = recall[::-1], precision[::-1]
    kept = thinned(x, y)
    area = float(average_precision_score(targets, scores))
    return _Curve(name, x[kept], y[kept], area, float(np.mean(targets)))


def _has_both(targets: Integer[np.ndarray, "examples"]) -> bool:
    return len(np.unique(np.asarray(targets))) == 2


def _undefined(name: str) -> _Curve:
    return _Curve(name, np.empty(0), np.empty(0), float("nan"), float("nan"))


def _square(legend_rows: int, names: tuple[str, str]) -> tuple[Sheet, Axes]:
    """Lay out a square plot of rates from 0 to 1, with room for the legend below."""
    sheet = Sheet(HALF, _TOP + _SIDE + 52 + LEGEND_ROW * (legend_rows + 1))
    axes = sheet.axes(_LEFT, _TOP, HALF - _LEFT - 14, _SIDE)
    axes.set(xlim=(-0.005, 1.005), ylim=(-0.005, 1.005), xticks=_RATES, yticks=_RATES)
    sheet.text((0, 14), names[1])
    sheet.text((HALF - 14, _TOP + _SIDE + 38), names[0], align="right")
    return sheet, axes


def _draw(
    axes: Axes, curves: Sequence[_Curve], highlight: str | None, *, steps: Literal["default", "steps-pre"] = "default"
) -> list[Key]:
    if not any(len(curve.x) for curve in curves):
        note(axes, "both classes are needed for a curve")
    keys = []
    for curve, (colour, dashes) in zip(curves, _looks(curves, highlight), strict=True):
        stands_out = curve.name == highlight
        width = 2.4 if stands_out else 1.4
        (line,) = axes.plot(
            curve.x, curve.y, color=colour, linewidth=width, zorder=4 if stands_out else 3, drawstyle=steps
        )
        if dashes:
            line.set_dashes(dashes)
        keys.append(Key(curve.name, colour, curve.value, dashes, line_width=width))
    return keys


def _looks(curves: Sequence[_Curve], highlight: str | None) -> list[tuple[str, Dashes]]:
    """Keep the first look, a solid line, for the highlighted curve."""
    names = [curve.name for curve in curves]
    if highlight not in names:
        return line_looks(len(names))
    looks = line_looks(len(names))
    others = iter(looks[1:])
    return [looks[0] if name == highlight else next(others) for name in names]


def _legend(sheet: Sheet, keys: Sequence[Key], measure: str) -> None:
    top = _TOP + _SIDE + 52
    sheet.text((HALF - 14, top + 12), measure, align="right", colour=MUTED, size=11)
    sheet.legend(keys, left=_LEFT, top=top + LEGEND_ROW, width=HALF - 14 - _LEFT)


def _spoken(curves: Sequence[_Curve]) -> str:
    return "; ".join(f"{printable(curve.name)} {curve.value}" for curve in curves) + "."
