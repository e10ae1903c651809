"""Colours of the drawings: names that the page's style sheet fills in, for a light and for a dark page.

matplotlib only knows fixed colours, so each name has a stand-in that no data would choose, and the stand-ins are
replaced by the style sheet's variables once the drawing is text. The series are the colours of Okabe and Ito (2008),
which people with colour-blindness can tell apart; lines differ in their dashes, too.
"""

from __future__ import annotations

from typing import Final

INK: Final = "#0a0b01"
MUTED: Final = "#0a0b02"
GRID: Final = "#0a0b03"
HEAT: Final = "#0a0b04"
SURFACE: Final = "#0a0b05"
SERIES: Final = ("#0a0b11", "#0a0b12", "#0a0b13", "#0a0b14", "#0a0b15", "#0a0b16", "#0a0b17")

# What follows the comma is used where a drawing stands outside the page.
VARIABLES: Final = {
    INK: "var(--ink,#1b1f24)",
    MUTED: "var(--muted,#59636e)",
    GRID: "var(--grid,#e3e7eb)",
    HEAT: "var(--heat,#0072b2)",
    SURFACE: "var(--surface,#ffffff)",
    **{colour: f"var(--series-{number},#0072b2)" for number, colour in enumerate(SERIES, start=1)},
}

_DASHES: Final = ((), (5.0, 2.0), (1.5, 1.8), (7.0, 2.0, 1.5, 2.0))

Dashes = tuple[float, ...]


def line_looks(count: int) -> list[tuple[str, Dashes]]:
    """Give each of some lines a colour and dashes, so that no two of the first 28 look alike.

    Examples
    --------
    >>> len(set(line_looks(28)))
    28
    """
    dashes, colours = len(_DASHES), len(SERIES)
    return [
        (SERIES[index % colours], _DASHES[(index + index // (dashes * colours)) % dashes]) for index in range(count)
    ]
