"""The report of a calibration on new examples: all methods beside each other, and the one that was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from primase.data.audit import Finding
from primase.evaluation.per_label import METHODS
from primase.evaluation.recalibration import KEPT, Judged
from primase.report.figures.reliabilities import reliabilities
from primase.report.page import render_page
from primase.report.sections import Block, BulletList, Callout, Paragraph, Section, Table

TITLES = {
    "ece": "Calibration error (ECE)",
    "brier": "Brier score",
    "log_loss": "Log loss",
    "accuracy": "Accuracy",
    "coverage": "Coverage",
    "width": "Width, as a share of what it was",
}
_PROMISES = {
    "predictions": "keeps every prediction",
    "order": "of two labels, keeps the order of the examples",
    "nothing": "may change predictions and their order",
}


@final
@dataclass(frozen=True, slots=True, eq=False)
class CalibrationRun:
    """A comparison of calibrations on new examples.

    Parameters
    ----------
    question
        Of the application.
    judged
        Each calibration, by its name.
    chosen
        The name of the one that the new model has.
    note
        What it does, as a sentence.
    asked
        Whether the user had named it.
    examples
        How many there were.
    intervals
        What the intervals are drawn over, as a sentence.
    """

    question: str
    judged: Mapping[str, Judged]
    chosen: str
    note: str
    asked: bool
    examples: int
    intervals: str
    findings: Sequence[Finding] = ()

    def to_state(self) -> dict[str, Any]:
        """Describe all figures in JSON, as ``metrics.json`` has them."""
        state: dict[str, Any] = {"method": self.chosen}
        if self.judged[self.chosen].curve is not None:
            before, after = self.judged[KEPT].figures["ece"], self.judged[self.chosen].figures["ece"]
            state |= {"ece_before": before.to_state()["value"], "ece_after": after.to_state()["value"]}
        return {**state, "methods": {name: one.to_state() for name, one in self.judged.items()}}


def title_of(method: str) -> str:
    """Name a calibration as a reader expects it."""
    return METHODS[method].title if method in METHODS else {KEPT: "as it was"}.get(method, method)


def calibration_page(run: CalibrationRun, facts: Sequence[tuple[str, object]], version: str) -> str:
    """Compose the report as one HTML page."""
    chosen = run.judged[run.chosen]
    blocks: list[Block] = [
        Callout("warning", finding.finding[:1].upper() + finding.finding[1:], finding.text)
        for finding in run.findings
        if finding.severity == "warning"
    ]
    blocks += [Paragraph(_said(run)), _table(run)]
    if chosen.curve is not None:
        curves = {title_of(name): one.curve for name, one in run.judged.items() if one.curve is not None}
        blocks.append(reliabilities(curves, highlight=title_of(run.chosen)))
    sections = [Section("Can its probabilities be believed?" if chosen.curve else "Are its intervals right?", blocks)]
    if chosen.curve is not None:
        points = [f"{kind.title[:1].upper()}{kind.title[1:]}: {_PROMISES[kind.keeps]}." for kind in METHODS.values()]
        sections.append(Section("What each method may change", [BulletList(points)]))
    others = [finding.text for finding in run.findings if finding.severity != "warning"]
    if others:
        sections.append(Section("The data", [BulletList(others)]))
    return render_page(
        run.question, f"Calibrated anew on {run.examples:,} examples.", sections, facts=facts, version=version
    )


def _said(run: CalibrationRun) -> str:
    how = (
        "Each method was fitted to four fifths of the examples and judged on the other fifth, five times over, so that "
        "no example judged itself; what the split keeps together stayed together."
    )
    main = "log loss" if run.judged[run.chosen].curve is not None else "coverage"
    why = "was asked for" if run.asked else f"has the best {main}"
    kept = "The calibration stays as it was." if run.chosen == KEPT else "It was then fitted to all of them."
    return f"{how} {title_of(run.chosen)[:1].upper()}{title_of(run.chosen)[1:]} {why}. {kept} {run.note}"


def _table(run: CalibrationRun) -> Table:
    names = list(next(iter(run.judged.values())).figures)
    rows = [[title_of(name), *(str(one.figures[kind]) for kind in names)] for name, one in run.judged.items()]
    if "width" in names:
        rows = [
            [*row[:-1], f"{one.figures['width'].value:.3f}"] for row, one in zip(rows, run.judged.values(), strict=True)
        ]
    caption = (
        "Every calibration on the same examples, with 95 % intervals. Lower is better, except for accuracy. The "
        "calibration error is how far, on average, what the model claims is from how often it is right; the Brier "
        "score is the mean squared error of its probabilities; the log loss is largest where it was sure and wrong."
    )
    if "width" in names:
        caption = (
            "The intervals as they were and as the new examples have them, with the 95 % interval of the coverage."
        )
    highlighted = [list(run.judged).index(run.chosen)]
    return Table(["Calibration", *(TITLES[kind] for kind in names)], rows, caption, run.intervals, highlighted)
