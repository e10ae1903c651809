"""The parts that a report is composed of: typed blocks in sections, handed over by the other rooms.

Blocks hold plain text; the page escapes it. Nothing here draws or renders.
"""

from __future__ import annotations

import base64
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias, final

import numpy as np
from PIL import Image

from primase.report.svg import Svg
from primase.report.wording import cell_texts, is_quantity, is_unknown

CalloutKind = Literal["finding", "warning", "good"]
FigureWidth = Literal["half", "full"]


@final
@dataclass(frozen=True, slots=True)
class Paragraph:
    """A few sentences."""

    element: ClassVar[str] = "paragraph"
    text: str


@final
@dataclass(frozen=True, slots=True)
class BulletList:
    """Short points, one a line."""

    element: ClassVar[str] = "bullet_list"
    items: Sequence[str]


@final
@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns; a column that holds numbers is aligned to the right.

    Parameters
    ----------
    columns
        The headers. The first column names the rows.
    rows
        A cell per column: text, a number, or anything whose ``str()`` is to be shown. None and NaN show as a dash.
    caption
        What the table shows, as a sentence.
    note
        What a reader must know to read it, in small print below.
    highlighted
        The positions of the rows that stand out, such as that of the network.

    Raises
    ------
    ValueError
        If a row has more or fewer cells than there are columns.
    """

    element: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str
    note: str = ""
    highlighted: Sequence[int] = ()

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                message = f"row {number} of the table has {len(row)} cells under {len(self.columns)} columns"
                raise ValueError(message)

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether each column holds numbers, as far as its cells are known; the first never does."""
        columns = [[row[index] for row in self.rows] for index in range(len(self.columns))]
        known = [[cell for cell in column if not is_unknown(cell)] for column in columns]
        return tuple(index > 0 and bool(cells) and all(map(is_quantity, cells)) for index, cells in enumerate(known))

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """The rows as text, the numbers of a column all written alike."""
        columns = [cell_texts([row[index] for row in self.rows]) for index in range(len(self.columns))]
        return tuple(tuple(column[index] for column in columns) for index in range(len(self.rows)))


@final
@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing with its caption, and the same in words for those who cannot see it.

    Parameters
    ----------
    svg
        The drawing.
    caption
        What it shows, as one or two sentences.
    alternative_text
        What a reader who cannot see it needs to know, with full names and the main numbers.
    width
        ``"half"`` where two stand beside each other on a wide page, ``"full"`` for the whole column.
    narrow_svg
        The same drawing for a narrow screen, where the first would be too small to read.
    """

    element: ClassVar[str] = "figure"
    svg: Svg
    caption: str
    alternative_text: str
    width: FigureWidth = "half"
    narrow_svg: Svg | None = None


@final
@dataclass(frozen=True, slots=True)
class Callout:
    """A box that nobody should overlook: a finding, a warning, or good news."""

    element: ClassVar[str] = "callout"
    kind: CalloutKind
    title: str
    text: str


@final
@dataclass(frozen=True, slots=True)
class Command:
    """Something to copy into a terminal, kept letter by letter."""

    element: ClassVar[str] = "command"
    text: str


@final
@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One number that matters, with its name and a short note such as its interval."""

    label: str
    value: object
    note: str = ""


@final
@dataclass(frozen=True, slots=True)
class KeyFigures:
    """The few numbers that a reader wants first, as tiles."""

    element: ClassVar[str] = "key_figures"
    items: Sequence[KeyFigure]

    @property
    def texts(self) -> tuple[tuple[str, str, str], ...]:
        """Label, value and note of each as text."""
        return tuple((item.label, cell_texts([item.value])[0], item.note) for item in self.items)


@final
@dataclass(frozen=True, slots=True)
class Details:
    """Blocks that stay folded until the reader asks for them; print shows them."""

    element: ClassVar[str] = "details"
    summary: str
    blocks: Sequence[Block]


@final
@dataclass(frozen=True, slots=True, eq=False)
class PictureRow:
    """Pictures that belong together, such as an image and what was made of it.

    Parameters
    ----------
    label
        What they are of; empty for nothing.
    pictures
        8-bit grey, shape (height, width), or colour, shape (height, width, 3).
    notes
        A few words below each picture; none, or one for each.
    """

    label: str
    pictures: Sequence[np.ndarray[Any, np.dtype[np.uint8]]]
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.notes and len(self.notes) != len(self.pictures):
            message = f"{len(self.notes)} notes below {len(self.pictures)} pictures"
            raise ValueError(message)


@final
@dataclass(frozen=True, slots=True, eq=False)
class PictureGrid:
    """Photographs, micrographs or radiographs in rows and columns, each shown pixel by pixel.

    Parameters
    ----------
    columns
        What stands above each column; none, or one for each picture of a row.
    caption
        What they show, as one or two sentences.
    alternative_text
        What a reader who cannot see them needs to know.
    """

    element: ClassVar[str] = "picture_grid"
    columns: Sequence[str]
    rows: Sequence[PictureRow]
    caption: str
    alternative_text: str

    def __post_init__(self) -> None:
        for row in self.rows:
            if self.columns and len(row.pictures) != len(self.columns):
                message = f"{len(row.pictures)} pictures under {len(self.columns)} columns"
                raise ValueError(message)

    @property
    def width(self) -> int:
        """The number of pictures of the longest row."""
        return max((len(row.pictures) for row in self.rows), default=0)

    @property
    def addresses(self) -> tuple[tuple[PictureRow, tuple[str, ...]], ...]:
        """Each row with its pictures as PNG inside the page."""
        return tuple((row, tuple(map(picture_address, row.pictures))) for row in self.rows)


def picture_address(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> str:
    """Write a picture as an address that holds all of it.

    Raises
    ------
    ValueError
        If it is not 8-bit grey or colour.

    Examples
    --------
    >>> picture_address(np.zeros((2, 2), dtype=np.uint8))[:22]
    'data:image/png;base64,'
    """
    is_picture = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not is_picture:
        message = f"a picture is 8-bit grey or colour, and not {pixels.dtype} of shape {pixels.shape}"
        raise ValueError(message)
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(content, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")


Block: TypeAlias = Paragraph | BulletList | Table | Figure | Callout | Command | KeyFigures | Details | PictureGrid


@final
@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the blocks under it.

    Examples
    --------
    >>> Section("What was asked?", [Paragraph("Is it an enzyme?")]).anchor
    'what-was-asked'
    """

    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)

    @property
    def anchor(self) -> str:
        """The name of the section in links, made of its title; the page numbers those that are the same."""
        plain = unicodedata.normalize("NFKD", self.title.casefold()).encode("ascii", "ignore").decode()
        return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "section"
