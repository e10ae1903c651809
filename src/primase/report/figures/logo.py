"""Logos: motifs as stacks of letters, and what each letter of a sequence contributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from primase.bio.motif_matrices import consensus_of, information
from primase.report.figures.glyphs import LetterStacks
from primase.report.figures.palette import GRID, INK, MUTED, SERIES
from primase.report.figures.sheet import HALF, NARROW, WIDE, Sheet, drawing, letters, note, round_ticks
from primase.report.sections import Figure
from primase.report.svg import Svg
from primase.report.wording import MINUS, printable, sentence, shortened

MOST_LETTERS: Final = 240
"""Longer sequences are drawn as bars, since their letters could not be read."""

_LEFT: Final = 46
_HEAD: Final = 30
_LOGO_HEIGHT: Final = 110
_LOGO_PLACE: Final = 32
_LINE_HEIGHT: Final = 84
_LINE_FOOT: Final = 34
_BARS_HEIGHT: Final = 130
_PER_LINE: Final = {WIDE: 60, NARROW: 24}
_MOST_BARS: Final = 400
_SPOKEN: Final = 10


@final
@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a sequence to mark, such as a site.

    Parameters
    ----------
    start, end
        Its first letter, and the one after its last, from 0.
    name
        What it is.
    """

    start: int
    end: int
    name: str


def motif_logo(frequencies: Float[np.ndarray, "4 width"], *, title: str, sites: int = 0, rna: bool = False) -> Figure:
    """Draw a motif as a logo (Schneider and Stephens 1990): the taller a letter, the more it tells.

    Parameters
    ----------
    frequencies
        The share of A, C, G and T at each place; 1 to 40 places are readable.
    title
        What is shown, such as ``"motif-1, found at 512 sites"``.
    sites
        How many sites it was counted in, for the correction of few sites; 0 for none.
    rna
        Write U for T.

    Returns
    -------
    Figure
        A drawing of half the column. A stack is as high as the information of the place, at most 2 bits, and each
        letter has its share of it.
    """
    bits = information(frequencies, sites=sites)
    width = frequencies.shape[1]
    with drawing():
        sheet = Sheet(HALF, _HEAD + _LOGO_HEIGHT + 44)
        room = HALF - _LEFT - 12
        axes = sheet.axes(_LEFT, _HEAD, min(room, _LOGO_PLACE * max(1, width)), _LOGO_HEIGHT)
        sheet.text((0, 14), shortened(title, letters(HALF)))
        stacks = LetterStacks(axes)
        for place in range(width):
            heights = frequencies[:, place] * bits[place]
            stacks.draw(place + 1, [*zip(_letters(rna=rna), heights.tolist(), strict=True)])
        axes.set(xlim=(0.5, max(1, width) + 0.5), ylim=(0, 2), yticks=[0, 1, 2], ylabel="bits")
        axes.grid(visible=False, axis="x")
        round_ticks(axes.xaxis, min(12, max(1, width)), whole=True)
        sheet.text((_LEFT, _HEAD + _LOGO_HEIGHT + 36), "Place", colour=MUTED, size=11)
        svg = sheet.svg()
    consensus = consensus_of(frequencies, rna=rna)
    spoken = f"{sentence(printable(title))} In IUPAC letters {consensus}, {bits.sum():.1f} bits."
    return Figure(svg, sentence(title), spoken)


def contribution_logo(
    sequence: str,
    contributions: Float[np.ndarray, "length"],
    *,
    title: str,
    counted_from: int = 1,
    marked: Sequence[Stretch] = (),
    quantity: str = "log-odds",
) -> Figure:
    """Draw a sequence with letters as tall as what each contributes: upwards what speaks for the answer.

    Parameters
    ----------
    sequence
        Its letters. More than 240 are drawn as bars; of more than 400 bars neighbours share one.
    contributions
        One number per letter.
    title
        What is explained, such as ``"chr1:1000-1101: why bound?"``.
    counted_from
        The number of the first letter on the axis, such as 1, or 0, or a coordinate; the drawing says which.
    marked
        Sites to underline.
    quantity
        The unit of the contributions.

    Returns
    -------
    Figure
        A drawing of the whole column.

    Raises
    ------
    ValueError
        If there are not as many contributions as letters.
    """
    if len(sequence) != len(contributions):
        message = f"{len(contributions)} contributions for {len(sequence)} letters"
        raise ValueError(message)
    values = np.nan_to_num(np.asarray(contributions, dtype=float))
    shown = _Shown(sequence, values, title, counted_from, tuple(marked), quantity)
    paint = _lines if len(sequence) <= MOST_LETTERS else _bars
    with drawing():
        wide, narrow = paint(shown, WIDE), paint(shown, NARROW)
    kind = "Letters" if len(sequence) <= MOST_LETTERS else "Bars"
    told = f"{kind} above the line speak for the answer, those below it against it. {shown.counting}."
    shared = _positions_per_bar(shown.values)
    told += f" A bar stands for {shared} positions." if kind == "Bars" and shared > 1 else ""
    spoken = f"{sentence(printable(title))} {shown.spoken()}"
    return Figure(wide, f"{sentence(title)} {told}", spoken, width="full", narrow_svg=narrow)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """What is drawn, the same on a wide and on a narrow page."""

    sequence: str
    values: Float[np.ndarray, "length"]
    title: str
    counted_from: int
    marked: tuple[Stretch, ...]
    quantity: str

    @property
    def counting(self) -> str:
        if self.counted_from in {0, 1}:
            return f"Positions are counted from {self.counted_from}"
        return f"The first letter is number {self.counted_from:,}"

    @property
    def limits(self) -> tuple[float, float]:
        low, high = min(0.0, *self.values, 0.0), max(0.0, *self.values, 0.0)
        margin = 0.06 * (high - low) or 1.0
        return low - margin, high + margin

    def spoken(self) -> str:
        order = np.argsort(-np.abs(self.values), kind="stable")[:_SPOKEN]
        said = "; ".join(
            f"{self.sequence[place]} at {place + self.counted_from} {self.values[place]:+.2f}".replace("-", MINUS)
            for place in order
        )
        sites = "; ".join(
            f"{printable(stretch.name)} from {stretch.start + self.counted_from} to "
            f"{stretch.end - 1 + self.counted_from}"
            for stretch in self.marked
        )
        strongest = f"The strongest contributions in {self.quantity}: {said or 'none'}. {self.counting}."
        return f"{strongest} Marked: {sites}." if sites else strongest


def _lines(shown: _Shown, width: float) -> Svg:
    """Draw the letters in lines, one below the other, all on one scale."""
    per_line = _PER_LINE[int(width)]
    starts = range(0, max(1, len(shown.sequence)), per_line)
    block = _LINE_HEIGHT + _LINE_FOOT
    sheet = Sheet(width, _HEAD + block * len(starts) + 16)
    sheet.text((0, 14), shortened(f"Contribution in {shown.quantity}", letters(width)), colour=MUTED, size=11)
    place_width = (width - _LEFT - 8) / min(per_line, max(12, len(shown.sequence)))
    for line, start in enumerate(starts):
        part = shown.sequence[start : start + per_line]
        axes = sheet.axes(_LEFT, _HEAD + block * line, place_width * max(1, len(part)), _LINE_HEIGHT)
        first = start + shown.counted_from
        stacks = LetterStacks(axes)
        for place, letter in enumerate(part):
            stacks.draw(first + place, [(letter.upper(), float(shown.values[start + place]))])
        _finish(axes, shown, (first - 0.5, first + max(1, len(part)) - 0.5))
        round_ticks(axes.xaxis, max(1, len(part) // 5), whole=True)
    sheet.text((width, sheet.height - 4), shown.counting, align="right", colour=MUTED, size=11)
    return sheet.svg()


def _bars(shown: _Shown, width: float) -> Svg:
    """Draw the whole sequence as bars; where neighbours share one, it shows the strongest of either sign."""
    sheet = Sheet(width, _HEAD + _BARS_HEIGHT + 44)
    sheet.text((0, 14), shortened(f"Contribution in {shown.quantity}", letters(width)), colour=MUTED, size=11)
    axes = sheet.axes(_LEFT, _HEAD, width - _LEFT - 8, _BARS_HEIGHT)
    shared = _positions_per_bar(shown.values)
    padded = np.pad(shown.values, (0, -len(shown.values) % shared)).reshape(-1, shared)
    left = shown.counted_from - 0.5
    edges = left + shared * np.arange(len(padded) + 1)
    for heights, colour in ((padded.max(axis=1).clip(0), SERIES[0]), (padded.min(axis=1).clip(None, 0), SERIES[1])):
        axes.stairs(heights, edges, fill=True, color=colour, linewidth=0, zorder=3)
    _finish(axes, shown, (left, left + len(shown.values)))
    round_ticks(axes.xaxis, 8 if width > NARROW else 4, whole=True)
    sheet.text((width, _HEAD + _BARS_HEIGHT + 38), shown.counting, align="right", colour=MUTED, size=11)
    return sheet.svg()


def _positions_per_bar(values: Float[np.ndarray, "length"]) -> int:
    return max(1, -(-len(values) // _MOST_BARS))


def _finish(axes: Axes, shown: _Shown, limits: tuple[float, float]) -> None:
    """Set the scales, draw the line of no contribution, and underline what is marked."""
    low, high = shown.limits
    axes.set(xlim=limits, ylim=(low, high))
    axes.grid(visible=False, axis="x")
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=2)
    round_ticks(axes.yaxis, 5)
    if not shown.values.any():
        note(axes, "nothing contributes")
    for stretch in shown.marked:
        start = max(limits[0], stretch.start + shown.counted_from - 0.5)
        end = min(limits[1], stretch.end + shown.counted_from - 0.5)
        if start < end:
            axes.axvspan(start, end, color=GRID, linewidth=0, zorder=0)
            axes.plot([start, end], [low, low], color=INK, linewidth=3, solid_capstyle="butt", clip_on=False)
            late = start > 0.8 * limits[1] + 0.2 * limits[0]
            axes.annotate(
                shortened(stretch.name, 24),
                (end if late else start, high),
                xytext=(0, 1),
                textcoords="offset points",
                ha="right" if late else "left",
                fontsize=10,
            )


def _letters(*, rna: bool) -> str:
    return "ACGU" if rna else "ACGT"
