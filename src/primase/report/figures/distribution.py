"""How values spread within groups: histograms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Float

from primase.report.figures.palette import MUTED, line_looks
from primase.report.figures.sheet import HALF, LEGEND_ROW, Key, Sheet, drawing, note, round_ticks
from primase.report.sections import Figure
from primase.report.wording import number_text, printable, shortened

_HEIGHT: Final = 240
_LEFT: Final = 46
_TOP: Final = 30
_MOST_BINS: Final = 40


def histogram(
    groups: Mapping[str, Float[np.ndarray, "values"]],
    *,
    quantity: str = "value",
    caption: str = "",
    marked: Mapping[str, float] | None = None,
) -> Figure:
    """Draw how the values of one or more groups are spread, each as a share of its own group.

    Parameters
    ----------
    groups
        Values per name of a group, of any lengths. Values that are not finite are left out, and counted in the legend.
    quantity
        What the values are, with the unit, such as ``"sequence length (residues)"``.
    caption
        What the drawing shows; by default it names the quantity.
    marked
        Values that dashed lines are drawn at, by their names, such as what was stated.

    Returns
    -------
    Figure
        A drawing of half the column; all groups share the same bins.
    """
    finite = {name: _finite(values) for name, values in groups.items()}
    pooled = np.concatenate([np.empty(0), *finite.values()])
    lines = marked or {}
    with drawing():
        top = _TOP + _HEIGHT + 48
        sheet = Sheet(HALF, top + LEGEND_ROW * max(len(groups) + len(lines), 1))
        axes = sheet.axes(_LEFT, _TOP, HALF - _LEFT - 14, _HEIGHT)
        axes.grid(visible=False, axis="x")
        keys = []
        edges = _edges(pooled)
        for (name, values), (colour, dashes) in zip(finite.items(), line_looks(len(finite)), strict=True):
            if len(values):
                shares = np.histogram(values, edges)[0] / len(values) * 100
                axes.stairs(shares, edges, color=colour, fill=True, alpha=0.14, linewidth=0)
                axes.stairs(shares, edges, color=colour, linewidth=1.6, linestyle=(0, dashes) if dashes else "-")
            keys.append(Key(name, colour, _counted(len(values), len(groups[name])), dashes))
        for name, place in lines.items():
            axes.axvline(place, color=MUTED, linewidth=1.4, dashes=(4, 3), zorder=4)
            keys.append(Key(name, MUTED, number_text(place), (4, 3), line_width=1.4))
        axes.set_ylim(0, None)
        if len(pooled):
            round_ticks(axes.xaxis, 6)
            round_ticks(axes.yaxis, 7)
        else:
            note(axes, "no values")
        sheet.text((0, 14), "Share of the group (%)")
        sheet.text((HALF - 14, _TOP + _HEIGHT + 36), shortened(quantity, 48), align="right")
        sheet.legend(keys, left=_LEFT, top=top, width=HALF - 14 - _LEFT)
        svg = sheet.svg()
    said = "; ".join(f"{printable(name)}: {_spread(values)}" for name, values in finite.items())
    said += "".join(f"; {printable(name)} at {number_text(place)}" for name, place in lines.items())
    return Figure(svg, caption or f"Distribution of {quantity}.", f"Histogram of {printable(quantity)}. {said}.")


def _finite(values: Float[np.ndarray, "values"]) -> Float[np.ndarray, "values"]:
    numbers: Float[np.ndarray, "values"] = np.asarray(values, dtype=float).ravel()
    return np.extract(np.isfinite(numbers), numbers)


def _edges(pooled: Float[np.ndarray, "values"]) -> Float[np.ndarray, "edges"]:
    if not len(pooled):
        return np.array([0.0, 1.0])
    if np.ptp(pooled) == 0:
        return np.array([pooled[0] - 0.5, pooled[0] + 0.5])
    low, high = pooled.min(), pooled.max()
    if high - low < _MOST_BINS and np.array_equal(pooled, np.rint(pooled)):
        return np.arange(low - 0.5, high + 1.0)
    bins = min(_MOST_BINS, max(8, len(np.histogram_bin_edges(pooled[:100_000], "sturges")) * 2))
    return np.linspace(low, high, bins + 1)


def _counted(known: int, all_values: int) -> str:
    return f"n = {known:,}" + ("" if known == all_values else f" of {all_values:,}")


def _spread(values: Float[np.ndarray, "values"]) -> str:
    if not len(values):
        return "no values"
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    return f"median {number_text(middle)}, 90 % between {number_text(low)} and {number_text(high)}, n = {len(values):,}"
