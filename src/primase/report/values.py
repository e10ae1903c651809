"""What a report says of a network that gives values: how far off it is, and whether its intervals can be believed."""

from __future__ import annotations

from typing import Final

import numpy as np

from primase.data.splits import PARTS
from primase.evaluation.coverage import SPREAD, CoverageFigures
from primase.evaluation.evaluation import Evaluation
from primase.evaluation.gains import error_of
from primase.evaluation.intervals import Interval
from primase.evaluation.metrics import metric_title
from primase.report.contrasts import contrast_sentences
from primase.report.figures.distribution import histogram
from primase.report.performance import (
    best_rival,
    bounds_text,
    capitalised,
    compared,
    count_text,
    scale_sentences,
    value_noun,
)
from primase.report.run import TrainingRun
from primase.report.sections import Block, Callout, Figure, KeyFigure, KeyFigures, Paragraph, Section, Table
from primase.report.targets import targets_section
from primase.report.wording import number_text

UNDEFINED: Final = "not defined"
_NEARLY: Final = 0.01
"""A coverage that is off by less than a percentage point is what was stated."""


def value_answer(run: TrainingRun) -> str:
    """Answer the question of the report in a few sentences."""
    evaluation, task = run.assessment.evaluation, run.task
    best, metrics = best_rival(evaluation)
    does = "makes" if task.kind == "generative" else "predicts"
    again = " again" if task.kind == "generative" else ""
    first, second = ("r2", "mse") if task.kind == "generative" else ("mae", "r2")
    figures = [f"{metric_title(name)} {evaluation.test[name]}" for name in map(task.metric, (first, second))]
    answer = (
        f"On {run.partition.sizes['test']:,} test examples the network {does} "
        f"{count_text(len(task.labels), value_noun(task))}{again} with {figures[0]} ({figures[1]}): "
        f"{compared(evaluation)} the best baseline ({best}, {metrics[task.main_metric]})."
    )
    return " ".join(
        [answer, *_gain_sentences(evaluation), *scale_sentences(run.scale), *contrast_sentences(evaluation)]
    )


def _gain_sentences(evaluation: Evaluation) -> list[str]:
    best, _ = best_rival(evaluation)
    gain = evaluation.gains.get(best)
    if gain is None or np.isnan(gain.relative.value):
        return []
    size = "smaller" if gain.relative.value >= 0 else "larger"
    amount = gain.relative if gain.relative.value >= 0 else _turned(gain.relative)
    said = f"Its {metric_title(gain.metric)} is {size} than that of {best} by {percent_text(amount)}"
    return [f"{said}, and it is better for {_percent(gain.share_better)} of the {value_noun(evaluation.task)}s."]


def _turned(interval: Interval) -> Interval:
    return Interval(-interval.value, -interval.high, -interval.low)


def value_tiles(run: TrainingRun) -> KeyFigures:
    """Show the few figures that a reader wants first."""
    evaluation, task = run.assessment.evaluation, run.task
    best, metrics = best_rival(evaluation)
    names = ("r2", "mse") if task.kind == "generative" else ("mae", "r2")
    tiles = [
        KeyFigure(
            capitalised(metric_title(name)),
            number_text(evaluation.test[name].value, 3),
            bounds_text(evaluation.test[name]),
        )
        for name in map(task.metric, names)
    ]
    main = task.main_metric
    tiles.append(KeyFigure("Best baseline", number_text(metrics[main].value, 3), f"{metric_title(main)}, {best}"))
    gain = evaluation.gains.get(best)
    if gain is not None:
        relative = gain.relative
        bounds = (
            f"95 %: {_percent(relative.low)} to {_percent(relative.high)}" if relative.has_bounds else "no interval"
        )
        name = f"Gain in {error_of(task).upper()}"
        tiles.append(KeyFigure(name, _percent(relative.value), f"{bounds}; better for {_percent(gain.share_better)}"))
    figures = evaluation.calibration
    if isinstance(figures, CoverageFigures) and np.isfinite(figures.found.value):
        note = f"{_percent(figures.stated)} was stated"
        tiles.append(KeyFigure("Inside the intervals", _percent(figures.found.value), note))
    return KeyFigures(tiles)


def value_counts(run: TrainingRun) -> Table:
    """Count the examples and units of each part, and what is asked of them."""
    sizes = run.partition.sizes
    rows: list[list[object]] = [["Examples", *(sizes[part] for part in PARTS)]]
    units = [len(np.unique(run.partition.units[run.partition.part(part)])) for part in PARTS]
    if units != [sizes[part] for part in PARTS]:
        rows.append([f"Units: {run.unit_name}", *units])
    noun = value_noun(run.task)
    asked = f"{count_text(len(run.task.labels), noun)} {'is' if len(run.task.labels) == 1 else 'are'}"
    asked += " made again" if run.task.kind == "generative" else " predicted"
    caption = f"Examples by part; {asked}. The split is “{run.partition.policy}”: a unit is one {run.unit_name}."
    return Table(["", "Train", "Validation", "Test"], rows, caption, " ".join(scale_sentences(run.scale)))


def value_sections(run: TrainingRun) -> list[Section]:
    """Show target by target how far the network is off, and what its intervals hold."""
    evaluation = run.assessment.evaluation
    figures = evaluation.calibration
    sections = [targets_section(run)]
    if isinstance(figures, CoverageFigures) and figures.method != "none":
        sections.append(coverage_section(evaluation, figures))
    return sections


def coverage_section(evaluation: Evaluation, figures: CoverageFigures) -> Section:
    """Show whether the intervals around values hold what they should."""
    title = "Can its intervals be believed?"
    if not np.isfinite(figures.found.value):
        return Section(title, [Paragraph(figures.note)])
    stated = _percent(figures.stated)
    said = f"On the test they hold {percent_text(figures.found)} of what was measured, where {stated} was stated."
    blocks: list[Block] = [_verdict(figures, said), Paragraph(figures.note)]
    noun = value_noun(evaluation.task)
    blocks.append(_coverage_figure(figures, noun))
    names = [f"{_percent(share)} of the {noun}s are below" for share in SPREAD]
    rows: list[list[object]] = [["Stated", stated], ["Found, all values together", percent_text(figures.found)]]
    rows += [[name, _percent(value)] for name, value in zip(names, figures.spread, strict=True)]
    if np.isfinite(figures.relative_width):
        rows.append(["Width, of the range that holds as much without a model", _percent(figures.relative_width)])
    note = (
        f"The last line is the median over the {noun}s: how wide an interval is beside the middle {stated} of what was "
        f"measured on the test. {evaluation.intervals}"
    )
    blocks.append(Table(["Share of measured values inside", "Value"], rows, "What the intervals hold.", note))
    return Section(title, blocks)


def _verdict(figures: CoverageFigures, said: str) -> Callout:
    found = figures.found
    high = found.high if found.has_bounds else found.value
    low = found.low if found.has_bounds else found.value
    if high < figures.stated - _NEARLY:
        return Callout("warning", "The intervals are too narrow", f"{said} Take them as wider than they are.")
    if low > figures.stated + _NEARLY:
        return Callout("finding", "The intervals are wider than they need be", said)
    return Callout("good", "The intervals hold what they should", said)


def _coverage_figure(figures: CoverageFigures, noun: str) -> Figure:
    return histogram(
        {f"{noun}s": figures.of_targets * 100},
        quantity="measured values inside their intervals (%)",
        caption=f"How many of the measured values lie inside their intervals, for each {noun}.",
        marked={"stated (%)": figures.stated * 100},
    )


def percent_text(interval: Interval) -> str:
    """Write a share with its interval in percent.

    Examples
    --------
    >>> percent_text(Interval(0.069, 0.06, 0.077))
    '6.9 % [6.0 %, 7.7 %]'
    """
    return format(interval, ".1%").replace("%", " %").replace("-", "\N{MINUS SIGN}")


def _percent(share: float) -> str:
    if np.isnan(share):
        return UNDEFINED
    return f"{100 * share:.1f} %".replace(".0 %", " %").replace("-", "\N{MINUS SIGN}")
