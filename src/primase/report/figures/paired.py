"""Each model at two places of one axis: what it reaches when the test is asked in one way, and in another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, final

from matplotlib.axes import Axes

from primase.evaluation.intervals import Interval
from primase.report.figures.comparison import ModelKind
from primase.report.figures.palette import GRID, MUTED, SERIES
from primase.report.figures.rows import Layout, Row, both_widths
from primase.report.figures.sheet import Key, drawing, text_width
from primase.report.sections import Figure
from primase.report.wording import number_text, printable, shortened

_LEAST: Final = 0.4
_HEADER: Final = 22
"""So many letters fit above a column, also of a narrow drawing."""


@final
@dataclass(frozen=True, slots=True)
class PairedScore:
    """A model with what it reaches in the first way and in the second.

    Parameters
    ----------
    name
        Of the model.
    first, second
        The measure, each with its interval; NaN where not defined.
    kind
        Of the model; the network stands out.
    """

    name: str
    first: Interval
    second: Interval
    kind: ModelKind


def paired(
    scores: Sequence[PairedScore],
    *,
    names: tuple[str, str],
    metric: str,
    chance: float | None = 0.5,
    caption: str = "",
) -> Figure:
    """Draw what each model reaches in two ways of asking, as two marks joined by a line.

    Parameters
    ----------
    scores
        The models, from top to bottom.
    names
        The two ways: ``("uniform negatives", "degree-matched negatives")``.
    metric
        The name of a measure from 0 to 1, such as ``"AUROC"``. The axis goes from 0.4 to 1, and lower where need be.
    chance
        What guessing reaches in both, drawn as a dashed line; None for none.
    caption
        What the drawing shows; by default it names the measure and the two ways.

    Returns
    -------
    Figure
        A drawing of the whole column, one row per model, with 95 % intervals as pale bars.
    """
    looks = _looks(names)
    keys = [*looks, Key("95 % interval: the pale bar behind a mark", GRID, line_width=7)]
    if chance is not None:
        keys.append(Key(f"chance ({number_text(chance)})", MUTED, dashes=(4, 3), line_width=1))
    rows = [Row(_named(score), _cells(score), bold=score.kind == "network") for score in scores]
    headers = [shortened(name, _HEADER) for name in without_shared_end(names)]
    layout = Layout(
        rows,
        headers=("Model", *headers),
        axis=metric,
        limits=_limits(scores),
        keys=keys,
        cell_widths=tuple(max(76, int(text_width(header, 11)) + 14) for header in headers),
        reference=None if chance is None else keys[-1],
        reference_value=chance or 0.0,
    )
    with drawing():
        wide, narrow = both_widths(layout, partial(_paint, scores, looks))
    caption = caption or f"{metric} of each model with {names[0]} and with {names[1]}, with 95 % intervals."
    first, second = map(printable, names)
    said = "; ".join(
        f"{printable(_named(score))} {score.first} with {first}, {score.second} with {second}" for score in scores
    )
    alternative = f"{printable(metric)} with 95 % intervals: {said or 'nothing to show'}."
    return Figure(wide, caption, alternative, width="full", narrow_svg=narrow)


def _looks(names: tuple[str, str]) -> tuple[Key, Key]:
    """Draw the first as a disc and the second as a smaller diamond, so that both are seen where they meet."""
    return (
        Key(names[0], SERIES[0], marker="o", line_width=0),
        Key(names[1], SERIES[1], marker="D", line_width=0),
    )


def _named(score: PairedScore) -> str:
    return f"{score.name} (probe)" if score.kind == "probe" else score.name


def _cells(score: PairedScore) -> tuple[str, str]:
    first, second = (number_text(interval.value, 3) for interval in (score.first, score.second))
    return first, second


def without_shared_end(names: tuple[str, str]) -> tuple[str, str]:
    """Leave out the last words where both have the same, as there is little room above a column.

    Examples
    --------
    >>> without_shared_end(("uniform negatives", "degree-matched negatives"))
    ('uniform', 'degree-matched')
    """
    first, second = (printable(name).split() for name in names)
    while len(first) > 1 and len(second) > 1 and first[-1] == second[-1]:
        first, second = first[:-1], second[:-1]
    return " ".join(first), " ".join(second)


def _limits(scores: Sequence[PairedScore]) -> tuple[float, float]:
    """Begin at 0.4, or lower where a mark or an interval would be cut, and end at 1."""
    both = [interval for score in scores for interval in (score.first, score.second)]
    numbers = [number for interval in both for number in (interval.value, interval.low)]
    least = min((number for number in numbers if math.isfinite(number)), default=_LEAST)
    low = _LEAST if least >= _LEAST else math.floor(least * 10) / 10
    return low - 0.01, 1.01


def _paint(scores: Sequence[PairedScore], looks: tuple[Key, Key], axes: Axes, middles: Sequence[float]) -> None:
    for score, middle in zip(scores, middles, strict=True):
        pairs = [*zip((score.first, score.second), looks, (9.0, 5.5), strict=True)]
        if all(math.isfinite(interval.value) for interval, *_ in pairs):
            ends = [interval.value for interval, *_ in pairs]
            axes.plot(ends, [middle, middle], color=MUTED, linewidth=1.4, zorder=3)
        for interval, look, size in pairs:
            if interval.has_bounds:
                bar = [interval.low, interval.high]
                axes.plot(
                    bar, [middle, middle], color=look.colour, linewidth=9, alpha=0.3, solid_capstyle="butt", zorder=2
                )
            axes.plot([interval.value], [middle], color=look.colour, marker=look.marker, markersize=size, zorder=4)
