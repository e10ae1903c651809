"""The network beside what it must beat: a measure with its interval for each model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Final, Literal, TypeAlias

from matplotlib.axes import Axes

from primase.evaluation.intervals import Interval
from primase.report.figures.palette import MUTED, SERIES
from primase.report.figures.rows import Layout, Row, both_widths
from primase.report.figures.sheet import Key, drawing
from primase.report.sections import Figure
from primase.report.wording import number_text, printable

ModelKind = Literal["network", "baseline", "probe"]
Score: TypeAlias = tuple[str, float, float, float, ModelKind]
"""Name, value, lower and upper end of the interval (NaN where there is none), and kind of model."""

_LOOKS: Final[dict[ModelKind, Key]] = {
    "network": Key("network", SERIES[0], marker="o", line_width=2.2),
    "baseline": Key("baseline: a simpler model", MUTED, marker="s"),
    "probe": Key("probe: sees nuisances only", SERIES[1], marker="D", hollow=True),
}


def intervals(scores: Sequence[Score], *, metric: str, chance: float | None = None, caption: str = "") -> Figure:
    """Draw a measure of the network, the baselines and the probes with their 95 % intervals.

    Parameters
    ----------
    scores
        Per model its name, value, lower and upper end (NaN where not known) and kind.
    metric
        The name of the measure, such as ``"AUROC"``.
    chance
        What guessing reaches, drawn as a dashed line.
    caption
        What the drawing shows; by default it names the measure.

    Returns
    -------
    Figure
        A drawing of the whole column, one row per model.
    """
    present = [kind for kind in _LOOKS if any(score[4] == kind for score in scores)]
    keys = [_LOOKS[kind] for kind in present]
    if chance is not None:
        keys.append(Key(f"chance ({number_text(chance)})", MUTED, dashes=(4, 3), line_width=1))
    rows = [Row(name, (str(Interval(*numbers)),), bold=kind == "network") for name, *numbers, kind in scores]
    layout = Layout(
        rows,
        headers=("Model", f"{metric} [95 % interval]"),
        axis=metric,
        limits=_limits(scores, chance),
        keys=keys,
        reference=None if chance is None else keys[-1],
        reference_value=chance or 0.0,
    )
    with drawing():
        wide, narrow = both_widths(layout, partial(_paint, scores))
    caption = caption or f"{metric} of the network beside simpler models, with 95 % intervals."
    said = "; ".join(
        f"{printable(row.name)} ({score[4]}) {row.cells[0]}" for row, score in zip(rows, scores, strict=True)
    )
    return Figure(wide, caption, f"{metric} with 95 % intervals: {said}.", width="full", narrow_svg=narrow)


def _limits(scores: Sequence[Score], chance: float | None) -> tuple[float, float]:
    numbers = [number for score in scores for number in score[1:4]] + ([] if chance is None else [chance])
    finite = [number for number in numbers if math.isfinite(number)]
    if not finite:
        return (0.0, 1.0)
    margin = 0.06 * (max(finite) - min(finite)) or 0.05
    return (min(finite) - margin, max(finite) + margin)


def _paint(scores: Sequence[Score], axes: Axes, middles: Sequence[float]) -> None:
    for (_, value, low, high, kind), middle in zip(scores, middles, strict=True):
        look = _LOOKS[kind]
        if math.isfinite(low) and math.isfinite(high):
            axes.plot([low, high], [middle, middle], color=look.colour, linewidth=look.line_width)
        if math.isfinite(value):
            size = 8 if kind == "network" else 6.5
            face = "none" if look.hollow else look.colour
            axes.plot([value], [middle], color=look.colour, marker=look.marker, markersize=size, mfc=face, zorder=4)
