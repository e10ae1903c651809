"""Drawings inside the page: what matplotlib writes is tidied, coloured by the page's style sheet and proven inert.

An :class:`Svg` is the only thing that the page does not escape, so it is checked when it is made: it can hold shapes
and text, and neither scripts nor references to anything outside itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, final
from xml.etree import ElementTree as ET

_ELEMENTS = frozenset({"svg", "g", "defs", "clipPath", "path", "rect", "use", "text"})
_ATTRIBUTES = frozenset({"id", "d", "x", "y", "width", "height", "transform", "viewBox", "style"}) | frozenset(
    {"href", "clip-path", "aria-hidden", "focusable"}
)
_DROPPED = frozenset({"metadata", "style", "title", "desc"})
_REFERENCE = re.compile(r"url\(\s*#([^)\s]+)\s*\)")
_ELSEWHERE = re.compile(r"url\(\s*(?!#)|expression|@import|\\", re.IGNORECASE)
_LONG_DECIMAL = re.compile(r"-?\d+\.\d{3,}")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
# matplotlib states these with a rule for every element, which would reach the whole page.
_ROOT_STYLE = "stroke-linejoin:round;stroke-linecap:butt;font-family:var(--sans,sans-serif)"


@final
@dataclass(frozen=True, slots=True)
class Svg:
    """A drawing that can stand in a page as it is.

    Parameters
    ----------
    markup
        One ``<svg>`` element without a namespace, as HTML has it.

    Raises
    ------
    ValueError
        If the drawing holds anything but shapes and text, or refers to anything outside itself.
    """

    markup: str

    def __post_init__(self) -> None:
        for element in _parse(self.markup).iter():
            _refuse_active(element)

    @classmethod
    def from_matplotlib(cls, document: str, colours: Mapping[str, str]) -> Self:
        """Tidy the SVG document that matplotlib wrote.

        Parameters
        ----------
        document
            The file's text, with text kept as text (``svg.fonttype: none``).
        colours
            What stands for each colour of the drawing, such as ``{"#0a0b01": "var(--ink)"}``; other colours stay.
        """
        root = _parse(document)
        _drop(root)
        for element in root.iter():
            _tidy(element, colours)
        _rename(root, "")
        _, _, width, _ = root.attrib["viewBox"].split()
        root.attrib = {
            "viewBox": root.attrib["viewBox"],
            "aria-hidden": "true",
            "focusable": "false",
            "style": f"--natural:{float(width):.0f}px;{_ROOT_STYLE}",
        }
        return cls(ET.tostring(root, encoding="unicode"))

    def with_ids(self, prefix: str) -> str:
        """Return the markup with this prefix on each id, so that many drawings can stand in one page."""
        root = _parse(self.markup)
        _rename(root, prefix)
        return ET.tostring(root, encoding="unicode")


def _parse(document: str) -> ET.Element:
    try:
        root = ET.fromstring(document)  # noqa: S314  # our own drawing, not a file from elsewhere
    except ET.ParseError as error:
        message = f"a drawing must be well-formed SVG: {error}"
        raise ValueError(message) from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    return root


def _refuse_active(element: ET.Element) -> None:
    if element.tag not in _ELEMENTS:
        message = f"a drawing must hold shapes and text only, not <{element.tag}>"
        raise ValueError(message)
    for name, value in element.attrib.items():
        outside = name == "href" and not value.startswith("#")
        if name not in _ATTRIBUTES or outside or (name in {"style", "clip-path"} and _ELSEWHERE.search(value)):
            message = f"a drawing must not hold the attribute {name}={value!r} on <{element.tag}>"
            raise ValueError(message)


def _drop(element: ET.Element) -> None:
    for child in list(element):
        _drop(child)
        empty = child.tag in {"g", "defs"} and len(child) == 0
        if child.tag in _DROPPED or empty:
            element.remove(child)


def _tidy(element: ET.Element, colours: Mapping[str, str]) -> None:
    attributes = element.attrib
    for name in ("d", "x", "y", "width", "height", "transform"):
        if name in attributes:
            attributes[name] = " ".join(_LONG_DECIMAL.sub(_two_decimals, attributes[name]).split())
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]
    if "style" in attributes:
        declarations = [item.strip() for item in attributes["style"].split(";")]
        # A font-family list holds no semicolon, and the page's own fonts take its place.
        kept = [item.replace(": ", ":") for item in declarations if item and not item.startswith("font-family")]
        attributes["style"] = _COLOUR.sub(lambda found: colours.get(found[0], found[0]), ";".join(kept))
    if element.text is not None and element.tag != "text":
        element.text = None
    element.tail = None


def _two_decimals(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


def _rename(root: ET.Element, prefix: str) -> None:
    """Give short ids to what something refers to, and remove the other ids."""
    wanted: dict[str, str] = {}
    for element in root.iter():
        for name in _references(element):
            wanted.setdefault(name, f"{prefix}s{len(wanted) + 1}")
    for element in root.iter():
        attributes = element.attrib
        if attributes.get("id") in wanted:
            attributes["id"] = wanted[attributes["id"]]
        else:
            attributes.pop("id", None)
        if "href" in attributes:
            attributes["href"] = f"#{wanted[attributes['href'][1:]]}"
        for name in ("style", "clip-path"):
            if name in attributes:
                attributes[name] = _REFERENCE.sub(lambda found: f"url(#{wanted[found[1]]})", attributes[name])


def _references(element: ET.Element) -> list[str]:
    attributes = element.attrib
    shown = [name for key in ("style", "clip-path") for name in _REFERENCE.findall(attributes.get(key, ""))]
    return [*shown, attributes["href"][1:]] if "href" in attributes else shown
