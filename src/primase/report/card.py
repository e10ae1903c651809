"""The model card: what a model is for, how it was made and how well it does, as Markdown.

The headings follow Mitchell and others, Model cards for model reporting (2019).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from primase.report.sections import Table
from primase.report.wording import printable

_ACTIVE = re.compile(r"([\\`*_{}\[\]<>|~#&$])")
_BLOCK_START = re.compile(r"^(\d+)([.)])(?=\s|$)|^([-+=:])")


@final
@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model card says; all of it plain text, which is escaped.

    Parameters
    ----------
    title
        The name of the model.
    question
        What it answers.
    intended_use
        What it is good for, one point each.
    not_intended_for
        What it must not be used for.
    data
        Where the examples come from, how many there are, what the audit found.
    licence
        The licence of the data, and how to cite them.
    split
        How the examples were divided, and what was kept together.
    metrics
        The network beside the baselines and the probes, with intervals.
    calibration
        Whether its probabilities can be believed.
    limits
        What is known to be wrong, missing or untested.
    reproduce
        The command that makes the same model.
    model
        What the network is, and how it was trained; may be empty.
    version
        The version of primase.
    """

    title: str
    question: str
    intended_use: Sequence[str]
    not_intended_for: Sequence[str]
    data: Sequence[str]
    licence: str
    split: str
    metrics: Table
    calibration: str
    limits: Sequence[str]
    reproduce: str
    model: str = ""
    version: str = ""


def render_card(card: ModelCard) -> str:
    """Write a model card as Markdown.

    Parameters
    ----------
    card
        What to say.

    Returns
    -------
    str
        Markdown with tables as GitHub and most other readers have them.
    """
    use = [markdown_text(card.question), "### What it is for", _bullets(card.intended_use)]
    if card.not_intended_for:
        use += ["### What it is not for", _bullets(card.not_intended_for)]
    metrics = [markdown_text(card.metrics.caption), markdown_table(card.metrics), markdown_text(card.metrics.note)]
    made_by = f"Written by primase {markdown_text(card.version)}." if card.version else ""
    parts: list[tuple[str, Sequence[str]]] = [
        ("Question and intended use", use),
        ("Model", [markdown_text(card.model)] if card.model else []),
        ("Data", [_bullets(card.data)]),
        ("Licence", [markdown_text(card.licence)]),
        ("Split", [markdown_text(card.split)]),
        ("Metrics", metrics),
        ("Calibration", [markdown_text(card.calibration)]),
        ("Limits", [_bullets(card.limits)]),
        ("How to reproduce", [_fenced(card.reproduce), made_by]),
    ]
    lines = [f"# {markdown_text(card.title)}"]
    for heading, paragraphs in parts:
        told = [paragraph for paragraph in paragraphs if paragraph]
        if told:
            lines += [f"## {heading}", *told]
    return "\n\n".join(lines) + "\n"


def markdown_text(text: object) -> str:
    r"""Write text so that Markdown shows it as it is, on one line.

    Examples
    --------
    >>> print(markdown_text("<b>PF00106|adh_short*</b>"))
    \<b\>PF00106\|adh\_short\*\</b\>
    """
    line = " ".join(printable(text).split())
    escaped = _ACTIVE.sub(r"\\\1", line)
    return _BLOCK_START.sub(lambda found: f"{found[1]}\\{found[2]}" if found[1] else f"\\{found[3]}", escaped)


def markdown_table(table: Table) -> str:
    """Write a table as Markdown, with numbers aligned to the right and highlighted rows in bold."""
    header = [markdown_text(name) for name in table.columns]
    rules = ["---:" if numeric else ":---" for numeric in table.numeric]
    rows = []
    for index, row in enumerate(table.texts):
        cells = [markdown_text(cell) for cell in row]
        rows.append([f"**{cell}**" if cell else "" for cell in cells] if index in table.highlighted else cells)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rules, *rows])


def _bullets(items: Sequence[str]) -> str:
    return "\n".join(f"- {markdown_text(item)}" for item in items)


def _fenced(command: str) -> str:
    """Fence a command with more backticks than it holds."""
    longest = max((len(run) for run in re.findall(r"`+", command)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{command.rstrip()}\n{fence}"
