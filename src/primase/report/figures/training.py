"""How training went: losses and measures over the epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from primase.report.figures.palette import MUTED, line_looks
from primase.report.figures.sheet import (
    HALF,
    LEGEND_ROW,
    NARROW,
    WIDE,
    Key,
    Sheet,
    drawing,
    note,
    round_ticks,
    thinned,
)
from primase.report.sections import Figure
from primase.report.svg import Svg
from primase.report.wording import number_text, readable_name

_PARTS: Final = ("train_", "validation_")
_HEIGHT: Final = 220
_LEFT: Final = 46
_TOP: Final = 30
_FEW_EPOCHS: Final = 12

_Lines = dict[str, Float[np.ndarray, "epochs"]]


def learning_curves(rows: Sequence[Mapping[str, float]], *, best_epoch: float | None = None) -> Figure:
    """Draw how the loss and other measures changed while the network learned.

    Parameters
    ----------
    rows
        What was measured at each epoch, such as ``{"epoch": 1, "train_loss": 0.4, "validation_loss": 0.5}``. Keys
        that end in ``_loss`` share one plot, other keys that start with ``train_`` or ``validation_`` a second one;
        the rest (learning rate, seconds) is not drawn. Without ``epoch`` the rows count from 1.
    best_epoch
        The epoch whose weights were kept.

    Returns
    -------
    Figure
        A drawing of the whole column; of half of it where there are losses only.
    """
    epochs = np.array([float(row.get("epoch", number)) for number, row in enumerate(rows, start=1)])
    lines = _lines(rows)
    panels = {"Loss": {name: values for name, values in lines.items() if name.endswith("_loss")}}
    if measures := {name: values for name, values in lines.items() if not name.endswith("_loss")}:
        panels["Measures"] = measures
    with drawing():
        svg = _panels(panels, epochs, best_epoch, WIDE if measures else HALF)
        narrow = _panels(panels, epochs, best_epoch, NARROW) if measures else None
    kept = "" if best_epoch is None else f" The weights of epoch {best_epoch:g} were kept (dotted line)."
    caption = "Learning curves: loss" + (" and measures" if measures else "") + f" over the epochs.{kept}"
    spoken = _spoken(lines, epochs) + kept
    return Figure(svg, caption, spoken, width="full" if measures else "half", narrow_svg=narrow)


def _lines(rows: Sequence[Mapping[str, float]]) -> _Lines:
    keys = dict.fromkeys(key for row in rows for key in row if key.startswith(_PARTS))
    return {key: _finite([row.get(key) for row in rows]) for key in keys}


def _finite(values: Sequence[float | None]) -> Float[np.ndarray, "epochs"]:
    numbers = np.array([math.nan if value is None else float(value) for value in values])
    return np.where(np.isfinite(numbers), numbers, math.nan)


def _panels(
    panels: Mapping[str, _Lines], epochs: Float[np.ndarray, "epochs"], best_epoch: float | None, width: float
) -> Svg:
    """Draw the plots beside each other on a wide sheet, below each other on a narrow one."""
    beside = width == WIDE
    legend = LEGEND_ROW * max(1, *map(len, panels.values()))
    block = _TOP + _HEIGHT + 52 + legend
    sheet = Sheet(width, block if beside else block * len(panels) + 16 * (len(panels) - 1))
    room = (width - 40) / 2 if beside else width
    for index, (title, lines) in enumerate(panels.items()):
        left, top = (index * (room + 40), 0.0) if beside else (0.0, index * (block + 16.0))
        axes = sheet.axes(left + _LEFT, top + _TOP, room - _LEFT - 12, _HEIGHT)
        sheet.text((left, top + 14), title)
        sheet.text((left + room - 12, top + _TOP + _HEIGHT + 36), "Epoch", align="right")
        keys = _draw(axes, epochs, lines)
        _mark_best(axes, epochs, best_epoch)
        sheet.legend(keys, left=left + _LEFT, top=top + _TOP + _HEIGHT + 48, width=room - _LEFT - 12)
    return sheet.svg()


def _draw(axes: Axes, epochs: Float[np.ndarray, "epochs"], lines: _Lines) -> list[Key]:
    axes.grid(visible=False, axis="x")
    keys = []
    for (name, values), (colour, dashes) in zip(lines.items(), line_looks(len(lines)), strict=True):
        known = np.isfinite(values)
        x, y = epochs[known], values[known]
        kept = thinned(x, y)
        marker = "o" if len(x) <= _FEW_EPOCHS else ""
        (line,) = axes.plot(x[kept], y[kept], color=colour, marker=marker, markersize=4)
        if dashes:
            line.set_dashes(dashes)
        keys.append(Key(readable_name(name), colour, dashes=dashes, marker=marker))
    if len(epochs):
        around = max(float(np.ptp(epochs)) * 0.02, 0.5 if len(epochs) == 1 else 0.0)
        axes.set_xlim(epochs.min() - around, epochs.max() + around)
    if any(np.isfinite(values).any() for values in lines.values()):
        round_ticks(axes.xaxis, 6, whole=True)
        round_ticks(axes.yaxis, 7)
    else:
        note(axes, "nothing was recorded")
    return keys


def _mark_best(axes: Axes, epochs: Float[np.ndarray, "epochs"], best_epoch: float | None) -> None:
    if best_epoch is None or not len(epochs):
        return
    axes.axvline(best_epoch, color=MUTED, linewidth=1, dashes=(1.5, 2))
    late = best_epoch > (epochs.min() + epochs.max()) / 2
    axes.annotate(
        f"best: epoch {best_epoch:g}",
        (best_epoch, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if late else 5, 5),
        textcoords="offset points",
        ha="right" if late else "left",
        va="bottom",
        color=MUTED,
        fontsize=11,
    )


def _spoken(lines: _Lines, epochs: Float[np.ndarray, "epochs"]) -> str:
    said = []
    for name, values in lines.items():
        known = values[np.isfinite(values)]
        if len(known):
            said.append(f"{readable_name(name)} from {number_text(known[0])} to {number_text(known[-1])}")
    count = f"{len(epochs)} epoch" + ("" if len(epochs) == 1 else "s")
    return f"Learning curves over {count}: " + ("; ".join(said) if said else "nothing was recorded") + "."
