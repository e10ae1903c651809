"""Small pieces of Markdown that several generated pages are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def toctree(names: Sequence[str]) -> list[str]:
    """List pages for the side bar."""
    return ["```{toctree}", ":maxdepth: 1", "", *names, "```", ""]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay rows out under columns."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)
