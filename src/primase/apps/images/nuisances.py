"""What of an image is no content: size, format, brightness, borders, corners, and columns that came with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Float64, Shaped

from primase.apps.images.measuring import headers_of, measure
from primase.apps.images.pictures import Pictures
from primase.apps.images.summaries import MEASURES, Summaries

INTENSITIES: Final = ("mean", "spread", "darkest", "brightest")
EDGES: Final = tuple(name for name in MEASURES if name.startswith(("border", "corner", "detail")))

Columns = Mapping[str, Float64[np.ndarray, "images"]]


def sizes(pictures: Pictures) -> Columns:
    """Tell height, width and the ratio of both."""
    headers = headers_of(pictures)
    height = np.array([header.height for header in headers], dtype=np.float64)
    width = np.array([header.width for header in headers], dtype=np.float64)
    return {"height": height, "width": width, "ratio of width to height": width / np.maximum(height, 1)}


def formats(pictures: Pictures) -> Columns:
    """Tell bit depth, colour, the length of the file, and a column for each format."""
    headers = headers_of(pictures)
    found = {
        "bit depth": [header.bits for header in headers],
        "colour": [header.colour for header in headers],
        "length of the file": [header.size_bytes for header in headers],
    }
    kinds = sorted({header.kind for header in headers})
    for kind in kinds if len(kinds) > 1 else ():
        found[f"format {kind}"] = [header.kind == kind for header in headers]
    return {name: np.array(values, dtype=np.float64) for name, values in found.items()}


def intensities(summaries: Summaries) -> Columns:
    """Tell mean, spread and extremes of the intensity."""
    return {name: measure(summaries, name).astype(np.float64) for name in INTENSITIES}


def edges(summaries: Summaries) -> Columns:
    """Tell how wide borders of one value are, and how bright and how detailed the corners."""
    return {name.replace("_", " "): measure(summaries, name).astype(np.float64) for name in EDGES}


def numbers_of(words: Shaped[np.ndarray, "images"]) -> Float64[np.ndarray, "images"] | None:
    """Read a column of words as numbers, NaN where it is empty; None if a word is none."""
    found = np.full(len(words), np.nan)
    for row, word in enumerate(words.tolist()):
        if not word:
            continue
        try:
            found[row] = float(word)
        except ValueError:
            return None
    return found if np.isfinite(found).any() else None
