"""The report: one HTML file that holds all it shows, and opens anywhere without a network."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from primase.report.sections import Section
from primase.report.svg import Svg
from primase.report.wording import value_and_interval


def render_page(
    title: str,
    subtitle: str,
    sections: Sequence[Section],
    *,
    facts: Sequence[tuple[str, object]] = (),
    version: str,
) -> str:
    """Compose the report as one HTML page, with contents, numbered tables and figures.

    The page has no script, and its content security policy forbids it to load anything. All text is escaped; only
    drawings, which are checked to be inert, stand as they are.

    Parameters
    ----------
    title
        What the report is about.
    subtitle
        The answer in a sentence or two.
    sections
        What to show, in this order.
    facts
        Names and values below the title, such as the data set, the split and the seed.
    version
        The version of primase, for the footer.

    Returns
    -------
    str
        The page.

    Examples
    --------
    >>> page = render_page("Enzymes", "", [Section("Data & audit")], version="0.1.0")
    >>> '<h2 id="data-audit">Data &amp; audit</h2>' in page
    True
    """
    template = _environment().get_template("report.html.jinja")
    return template.render(
        title=title,
        subtitle=subtitle,
        sections=_anchored(sections),
        facts=facts,
        version=version,
        next_table=partial(next, count(1)),
        next_figure=partial(next, count(1)),
    )


def write_page(path: Path, html: str) -> None:
    """Write a page, so that the file is there as a whole or not at all.

    Parameters
    ----------
    path
        The file; one that is there already is replaced.
    html
        What :func:`render_page` made. A lone surrogate, which no file can hold, becomes a question mark.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(html, encoding="utf-8", errors="replace", newline="\n")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("primase.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = _inline
    environment.filters["words"] = _words
    environment.filters["parted"] = value_and_interval
    return environment


def _inline(svg: object, prefix: str) -> str:
    """Let a checked drawing stand as it is; anything else is text."""
    return Markup(svg.with_ids(prefix)) if isinstance(svg, Svg) else str(svg)  # noqa: S704  # checked when it was made


def _words(command: str) -> list[tuple[str, str]]:
    """Part a command into words and the space after each, so that no line ends at a hyphen within a word."""
    return re.findall(r"(\S*)(\s+|$)", command)


def _anchored(sections: Sequence[Section]) -> list[tuple[str, Section]]:
    """Give sections of the same title different anchors, and none the name of another part of the page."""
    taken = {"content"}
    anchored = []
    for section in sections:
        names = (section.anchor if number == 1 else f"{section.anchor}-{number}" for number in count(1))
        anchor = next(name for name in names if name not in taken)
        taken.add(anchor)
        anchored.append((anchor, section))
    return anchored
