"""How numbers and names are written in the report, the figures and the model card, the same everywhere."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from numbers import Integral, Real

MINUS = "\N{MINUS SIGN}"

MISSING = "\N{EN DASH}"
"""What stands in a table where nothing is known."""

ELLIPSIS = "…"

_ABBREVIATIONS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "mcc": "MCC",
    "ece": "ECE",
    "f1": "F1",
    "mae": "MAE",
    "r2": "R²",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "rgb": "RGB",
    "brier": "Brier score",
    "pearson": "Pearson correlation",
}

_NUMBER = rf"[-+{MINUS}]?(?:\d[\d,]*)?(?:\.\d+|\d)(?:e[-+]?\d+)?\s?%?"
_QUANTITY = re.compile(rf"{_NUMBER}(?:\s?±\s?{_NUMBER}|\s?[\[(][-+{MINUS}\d.,%{MISSING}e\s]*[\])]|\s\[no interval\])?")
_NOT_KNOWN = frozenset({"", MISSING, "-", "not defined"})


def readable_name(key: str) -> str:
    """Turn the key of a measure into words for a reader.

    Examples
    --------
    >>> readable_name("macro_f1"), readable_name("validation_loss"), readable_name("auroc")
    ('macro F1', 'validation loss', 'AUROC')
    """
    return " ".join(_ABBREVIATIONS.get(word, word) for word in key.split("_") if word)


def printable(text: object) -> str:
    """Write anything as one line without characters that HTML and XML forbid (control characters, lone surrogates)."""
    kept = []
    for character in str(text):
        category = unicodedata.category(character)
        if category in {"Cc", "Zl", "Zp"}:
            kept.append(" ")
        elif category != "Cs" and ord(character) & 0xFFFE != 0xFFFE:
            kept.append(character)
    return "".join(kept)


def shortened(text: object, width: int) -> str:
    """Cut a name to so many columns, ending in an ellipsis; East Asian letters take two columns.

    Examples
    --------
    >>> shortened("short-chain dehydrogenase", 12)
    'short-chain…'
    """
    line = printable(text).strip()
    if _columns(line) <= width:
        return line
    kept, used = "", 1
    for character in line:
        used += _columns(character)
        if used > width:
            break
        kept += character
    return kept.rstrip() + ELLIPSIS


def shortened_apart(names: Sequence[object], width: int) -> list[str]:
    """Cut names to so many columns, in the middle where names that start alike could not be told apart otherwise.

    Examples
    --------
    >>> shortened_apart(["chromatin state 11", "chromatin state 12"], 12)
    ['chromat…e 11', 'chromat…e 12']
    """
    lines = [printable(name).strip() for name in names]
    cut = [shortened(line, width) for line in lines]
    if len(set(cut)) == len(set(lines)):
        return cut
    end = width // 3
    return [
        line if _columns(line) <= width else shortened(line, width - end) + shortened(line[::-1], end + 1)[-2::-1]
        for line in lines
    ]


def sentence(text: str) -> str:
    """End a text with a full stop, unless it ends with a mark of its own.

    Examples
    --------
    >>> sentence("Why an enzyme?"), sentence("What matters most")
    ('Why an enzyme?', 'What matters most.')
    """
    stripped = text.rstrip()
    return stripped if stripped.endswith((".", "?", "!", ELLIPSIS)) else f"{stripped}."


def value_and_interval(text: str) -> tuple[str, str]:
    """Part a number from the interval or deviation that follows it; the second is empty where there is none.

    Examples
    --------
    >>> value_and_interval("0.945 [0.938, 0.952]"), value_and_interval("12")
    (('0.945', '[0.938, 0.952]'), ('12', ''))
    """
    found = re.fullmatch(r"(\S+(?:\s?%)?)\s?([\[(±].*)", text)
    return (found[1], found[2]) if found else (text, "")


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1 for character in text)


def is_quantity(cell: object) -> bool:
    """Tell whether a cell is a number, or text that reads as one, such as ``0.945 [0.938, 0.952]``."""
    if isinstance(cell, bool):
        return False
    return isinstance(cell, Real) or _QUANTITY.fullmatch(str(cell)) is not None


def is_unknown(cell: object) -> bool:
    """Tell whether a cell says nothing: None, empty, a dash, NaN."""
    if isinstance(cell, Real):
        return math.isnan(float(cell))
    return cell is None or str(cell).strip() in _NOT_KNOWN


def number_text(number: float, decimals: int | None = None) -> str:
    """Write a number: whole ones with thousands separators, others with three decimals or as many as are asked for.

    Examples
    --------
    >>> number_text(44336), number_text(0.94541), number_text(1234.56)
    ('44,336', '0.945', '1,235')
    """
    value = float(number)
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if isinstance(number, Integral):
        text = f"{int(number):,}"
    elif 0 < abs(value) < 0.0005 and decimals is None:
        text = f"{value:.1e}"
    else:
        text = f"{value:,.{_decimals(abs(value)) if decimals is None else decimals}f}"
    return text.replace("-", MINUS)


def _decimals(magnitude: float) -> int:
    return 3 if magnitude < 10 else 1 if magnitude < 1000 else 0


def cell_texts(cells: Sequence[object]) -> tuple[str, ...]:
    """Write the cells of one column, all decimal numbers with the same number of decimals so that they line up."""
    decimal = [float(cell) for cell in cells if isinstance(cell, Real) and not isinstance(cell, Integral)]
    finite = [abs(value) for value in decimal if math.isfinite(value)]
    tiny = any(0 < value < 0.0005 for value in finite)
    decimals = None if tiny or not finite else _decimals(max(finite))
    return tuple(_cell_text(cell, decimals) for cell in cells)


def _cell_text(cell: object, decimals: int | None) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if is_unknown(cell):
        return str(cell) if cell == "not defined" else MISSING
    if isinstance(cell, Real):
        return number_text(cell, decimals)  # type: ignore[arg-type]  # Integral and float share no protocol in typing
    return str(cell)
