"""Many things as dots in a plane, such as the proteins of an embedding, coloured by what they belong to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final, final

import numpy as np
from jaxtyping import Float, Integer
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from primase.report.figures.palette import INK, MUTED, SERIES, SURFACE
from primase.report.figures.sheet import (
    LEGEND_ROW,
    NARROW,
    WIDE,
    Key,
    Sheet,
    drawing,
    letters,
    note,
    round_ticks,
    text_width,
)
from primase.report.sections import Figure
from primase.report.svg import Svg
from primase.report.wording import printable, sentence, shortened

Points = Float[np.ndarray, "points 2"]

MOST_POINTS: Final = 5_000
MOST_NAMED: Final = 20
_LEFT: Final = 46
_TOP: Final = 30
_LEGEND: Final = 220
_NAME_SIZE: Final = 11.0
_LONGEST_NAME: Final = 24
_REACHES: Final = (10, 22, 38, 58)
_DIRECTIONS: Final = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Cloud:
    """The points that are drawn, by the key of their group, and the names of a few of them."""

    points: Points
    members: Sequence[tuple[Key, Integer[np.ndarray, "members"]]]
    axes: tuple[str, str]
    named: Mapping[int, str] = field(default_factory=dict)

    @property
    def limits(self) -> tuple[tuple[float, float], tuple[float, float]]:
        if not len(self.points):
            return (0.0, 1.0), (0.0, 1.0)
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        margin = np.where(high > low, 0.04 * (high - low), 1.0)
        (left, bottom), (right, top) = (low - margin).tolist(), (high + margin).tolist()
        return (left, right), (bottom, top)


def scatter(
    points: Points,
    groups: Sequence[str] | None = None,
    *,
    title: str,
    axes: tuple[str, str] = ("dimension 1", "dimension 2"),
    named: Mapping[int, str] | None = None,
    most_groups: int = 10,
    caption: str = "",
) -> Figure:
    """Draw things as dots in a plane, coloured and shaped by their group.

    Parameters
    ----------
    points
        Where each is. Those that are not finite are left out; of more than 5,000 a sample is drawn, and the caption
        says so.
    groups
        The name of each one's group, such as a complex; None for all alike. The largest groups have a look of their
        own, and all others share one.
    title
        What is shown, as a sentence; it begins the caption.
    axes
        What the horizontal and the vertical axis mean.
    named
        Names to write beside a few points, by their positions; at most 20.
    most_groups
        How many groups have a look of their own, 1 to 14.
    caption
        What else a reader must know.

    Returns
    -------
    Figure
        A drawing of the whole column.

    Raises
    ------
    ValueError
        If there are not as many groups as points, or a named point does not exist.
    """
    places: Points = np.asarray(points, dtype=float).reshape(-1, 2)
    if groups is not None and len(groups) != len(places):
        message = f"{len(groups)} groups for {len(places)} points"
        raise ValueError(message)
    if named and not all(0 <= index < len(places) for index in named):
        message = f"a named point is not one of the {len(places)}"
        raise ValueError(message)
    shown = dict([*(named or {}).items()][:MOST_NAMED])
    finite = np.flatnonzero(np.isfinite(places).all(axis=1))
    kept = _sample(finite, [*shown])
    labels = None if groups is None else [printable(groups[index]).strip() or "not named" for index in kept.tolist()]
    place_of = {int(index): place for place, index in enumerate(kept)}
    names = {place_of[index]: name for index, name in shown.items() if index in place_of}
    cloud = _Cloud(places[kept], _members(labels, len(kept), most_groups), axes, names)
    with drawing():
        wide, narrow = _draw(cloud, WIDE), _draw(cloud, NARROW)
    told = [sentence(title), caption]
    if len(kept) < len(finite):
        told.append(f"A random {len(kept):,} of {len(finite):,} points are drawn.")
    if len(finite) < len(places):
        told.append(f"Left out for want of a known place: {len(places) - len(finite):,}.")
    said = "; ".join(f"{key.name} {len(members):,}" for key, members in cloud.members if key.name)
    spoken = f"Scatter plot of {len(kept):,} points over {printable(axes[0])} and {printable(axes[1])}."
    spoken = f"{sentence(printable(title))} {spoken}" + (f" Points by group: {said}." if said else "")
    return Figure(wide, " ".join(filter(None, told)), spoken, width="full", narrow_svg=narrow)


def _sample(finite: Integer[np.ndarray, "points"], wanted: Sequence[int]) -> Integer[np.ndarray, "kept"]:
    """Choose at most so many points at random, the same each time, and those that are to be named."""
    if len(finite) <= MOST_POINTS:
        return finite
    must = np.intersect1d(finite, np.asarray(wanted, dtype=finite.dtype))
    others = np.setdiff1d(finite, must)
    chosen = np.random.default_rng(0).choice(others, MOST_POINTS - len(must), replace=False)
    return np.sort(np.concatenate([must, chosen]))


def _members(
    labels: Sequence[str] | None, count: int, most_groups: int
) -> list[tuple[Key, Integer[np.ndarray, "members"]]]:
    """Give the largest groups looks of their own, and the others one together, which comes last."""
    if labels is None:
        return [(_key("", 0), np.arange(count))]
    by_size = sorted(Counter(labels).items(), key=lambda item: (-item[1], item[0]))
    column = np.asarray(labels, dtype=object)
    members = [
        (_key(name, number), np.flatnonzero(column == name)) for number, (name, _) in enumerate(by_size[:most_groups])
    ]
    rest = [name for name, _ in by_size[most_groups:]]
    if rest:
        name = f"other ({len(rest):,} group{'' if len(rest) == 1 else 's'})"
        key = Key(name, MUTED, marker="o", line_width=0)
        members.append((key, np.flatnonzero(np.isin(column, rest))))
    return members


def _key(name: str, number: int) -> Key:
    """Alternate discs and squares, so that the colours can come twice."""
    return Key(name, SERIES[number % len(SERIES)], marker="os"[number % 2], line_width=0)


def _draw(cloud: _Cloud, width: int) -> Svg:
    keys = [Key(key.name, key.colour, f"{len(members):,}", marker=key.marker, line_width=0)
            for key, members in cloud.members if key.name]  # fmt: skip
    beside = width == WIDE
    side = _LEGEND + 24 if beside and keys else 14
    plot = (width - _LEFT - side, 460 if beside else 300)
    below = _TOP + plot[1] + 48
    sheet = Sheet(width, below + (0 if beside else LEGEND_ROW * len(keys)))
    axes = sheet.axes(_LEFT, _TOP, *plot)
    axes.set(xlim=cloud.limits[0], ylim=cloud.limits[1])
    if len(cloud.points):
        for axis in (axes.xaxis, axes.yaxis):
            round_ticks(axis, 6)
        size = _dot(len(cloud.points)) - (0 if beside else 1)
        for key, members in reversed(cloud.members):
            small = size if key.colour != MUTED else size - 1
            axes.add_patch(_dots(cloud.points[members], key, small))
        _name(sheet, cloud, plot)
    else:
        note(axes, "no points")
    sheet.text((0, 14), shortened(cloud.axes[1], letters(width)))
    sheet.text((_LEFT + plot[0], _TOP + plot[1] + 36), shortened(cloud.axes[0], letters(plot[0])), align="right")
    if beside:
        sheet.legend(keys, left=width - _LEGEND, top=_TOP, width=_LEGEND)
    else:
        sheet.legend(keys, left=_LEFT, top=below, width=plot[0])
    return sheet.svg()


def _dot(count: int) -> float:
    return 6.0 if count <= 300 else 5.0 if count <= 1500 else 4.0


def _dots(points: Points, key: Key, size: float) -> PathPatch:
    """Draw many dots as one line of no length with round or square ends: a fifth of the markup of markers."""
    vertices = np.repeat(points, 2, axis=0)
    path = Path(vertices, [Path.MOVETO, Path.LINETO] * len(points))
    path.should_simplify = False
    cap = "round" if key.marker == "o" else "projecting"
    return PathPatch(path, fill=False, edgecolor=key.colour, linewidth=size, capstyle=cap, alpha=0.8, zorder=3)


def _name(sheet: Sheet, cloud: _Cloud, plot: tuple[float, float]) -> None:
    """Write names beside their points, each where it hides no other, with a line to a point that is not next to it."""
    overlay = sheet.overlay()
    taken: list[Box] = []
    dots = _pixels(cloud, plot)
    marks = {index: (float(dots[index, 0]), float(dots[index, 1])) for index in cloud.named}
    frame = (float(_LEFT), float(_TOP), _LEFT + plot[0], _TOP + plot[1])
    for index, name in cloud.named.items():
        text, (x, y) = shortened(name, _LONGEST_NAME), marks[index]
        _mark(overlay, (x, y))
        boxes = _boxes(text, (x, y), frame, [*taken, *(_around(mark) for mark in marks.values())])
        box = min(boxes, key=lambda found: _covered(found[0], dots) + found[1] / 4, default=(None, 0))[0]
        if box is None or not text:
            continue
        taken.append(box)
        left, top, right, bottom = box
        near = (min(max(x, left), right), min(max(y, top), bottom))
        overlay.plot([x, near[0]], [y, near[1]], color=INK, linewidth=0.8, zorder=1)
        overlay.add_patch(Rectangle((left, top), right - left, bottom - top, facecolor=SURFACE, alpha=0.85, zorder=2))
        sheet.text(((left + right) / 2, bottom - 4), text, align="center", size=_NAME_SIZE)


def _pixels(cloud: _Cloud, plot: tuple[float, float]) -> Points:
    (left, right), (bottom, top) = cloud.limits
    x, y = cloud.points.T
    return np.stack(
        [_LEFT + plot[0] * (x - left) / (right - left), _TOP + plot[1] * (top - y) / (top - bottom)], axis=1
    )


def _mark(overlay: Axes, place: tuple[float, float]) -> None:
    overlay.plot([place[0]], [place[1]], color=INK, marker="o", markersize=7, mfc="none", markeredgewidth=1.3, zorder=3)


def _around(place: tuple[float, float]) -> Box:
    return place[0] - 4, place[1] - 4, place[0] + 4, place[1] + 4


def _boxes(text: str, place: tuple[float, float], frame: Box, taken: Sequence[Box]) -> list[tuple[Box, int]]:
    """List the places for a name that are inside the plot and hide no other name, with how far off each is."""
    width, height = text_width(text, _NAME_SIZE) + 8, 15.0
    boxes = []
    for reach, (across, along) in product(_REACHES, _DIRECTIONS):
        x = place[0] + across * (reach + width / 2)
        y = place[1] + along * (reach + height / 2)
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        inside = frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3]
        if inside and not any(_overlap(box, other) for other in taken):
            boxes.append((box, reach))
    return boxes


def _covered(box: Box, dots: Points) -> int:
    left, top, right, bottom = box
    x, y = dots.T
    return int(np.count_nonzero((x > left) & (x < right) & (y > top) & (y < bottom)))


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
