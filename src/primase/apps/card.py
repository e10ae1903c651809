"""The card of an application: ``card.md``, which people read as it is and reports quote by heading."""

from __future__ import annotations

import re
from pathlib import Path

HEADINGS = ("Question", "Intended use", "Not intended for", "Data", "Licence", "Split", "Published figure", "Limits")


def read_card(folder: Path) -> dict[str, list[str]]:
    """Read the points under each heading of a card; a point is a bullet or a paragraph.

    Raises
    ------
    ValueError
        If a heading is missing: every application says all of this of itself.
    """
    text = (folder / "card.md").read_text(encoding="utf-8").replace("`", "")
    points: dict[str, list[str]] = {}
    for block in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = block.partition("\n")
        pieces = re.split(r"\n\s*\n|^- ", body, flags=re.MULTILINE)
        points[heading.strip()] = [" ".join(piece.split()) for piece in pieces if piece.strip()]
    missing = [heading for heading in HEADINGS if heading not in points]
    if missing:
        message = f"{folder / 'card.md'} has nothing under {', '.join(missing)}"
        raise ValueError(message)
    return points
