"""How well each target is predicted: drawings of all of them, and tables of the best and the worst."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from primase.evaluation.conformal import COVERAGE
from primase.evaluation.coverage import CoverageFigures
from primase.evaluation.evaluation import Evaluation
from primase.evaluation.gains import error_of
from primase.evaluation.intervals import Interval
from primase.evaluation.metrics import metric_title
from primase.evaluation.value_assessment import errors_of_targets
from primase.report.figures.agreement import Panel, agreement
from primase.report.figures.distribution import histogram
from primase.report.figures.gains import gains
from primase.report.performance import NETWORK, best_rival, capitalised, value_noun
from primase.report.run import TrainingRun
from primase.report.sections import Block, Details, Figure, Paragraph, Section, Table
from primase.report.wording import MISSING, number_text

LOWEST_R2: Final = -1.0
"""Drawings end here: a target that hardly varies can have an R² of minus thousands."""

MOST_ROWS: Final = 20
"""So many of the best and of the worst are shown one by one; the others are in targets.parquet."""


def targets_section(run: TrainingRun) -> Section:
    """Show the targets one by one, beside the best baseline."""
    evaluation, task = run.assessment.evaluation, run.task
    noun = value_noun(task)
    order = by_r2(evaluation)
    blocks: list[Block] = [*_gain_figures(run), *_beside_baseline(run)]
    if len(order):
        blocks.append(_predicted_against_measured(run, order))
    blocks += target_tables(evaluation)
    return Section(f"{capitalised(noun)} by {noun}", blocks)


def by_r2(evaluation: Evaluation) -> list[int]:
    """Order the targets by R², the best predicted first; those without one (constant in the test) last."""
    values = np.array([evaluation.test[f"{label}_r2"].value for label in evaluation.task.labels])
    return [int(place) for place in np.argsort(-np.where(np.isnan(values), -np.inf, values), kind="stable")]


def _gain_figures(run: TrainingRun) -> list[Figure]:
    evaluation, task = run.assessment.evaluation, run.task
    best, _ = best_rival(evaluation)
    gain = evaluation.gains.get(best)
    if gain is None or gain.of_targets is None:
        return []
    found, error = gain.of_targets, metric_title(error_of(task))
    return [gains(found.value, found.low, found.high, over=best, error=error, what=f"{value_noun(task)}s")]


def _beside_baseline(run: TrainingRun) -> list[Figure]:
    """Draw the figures of the network against those of the best baseline, one dot per target."""
    evaluation, task = run.assessment.evaluation, run.task
    best, _ = best_rival(evaluation)
    if best not in run.assessment.others:
        return []
    noun = value_noun(task)
    theirs = errors_of_targets(task, run.truth_of("test"), run.assessment.others[best])
    error = error_of(task)
    ours = {metric: _column(evaluation, metric) for metric in (error, "r2")}
    lowest = min(np.nanmin(r2, initial=np.inf) for r2 in (ours["r2"], theirs["r2"]))
    ours["r2"], theirs["r2"] = np.maximum(ours["r2"], LOWEST_R2), np.maximum(theirs["r2"], LOWEST_R2)
    cut = f" What is below {number_text(LOWEST_R2, 0)} is drawn there." if lowest < LOWEST_R2 else ""
    figures = [
        agreement(
            [Panel("", "", theirs[metric], ours[metric])],
            axes=(f"{metric_title(metric)} of {best}", f"{metric_title(metric)} of the network"),
            caption=f"{metric_title(metric)} of each {noun}; {side} the line the network is better.{told}",
            dots=f"a {noun}",
        )
        for metric, side, told in ((error, "below", ""), ("r2", "above", cut))
    ]
    r2 = histogram(
        {NETWORK: ours["r2"], best: theirs["r2"]},
        quantity=f"R² of a {noun} on the test",
        caption=f"R² of the {noun}s: 1 is all of what varies, 0 no more than their mean.{cut}",
    )
    return [*figures, r2]


def _predicted_against_measured(run: TrainingRun, order: Sequence[int]) -> Figure:
    """Draw what was predicted against what was measured for the best, a middling and the worst target."""
    evaluation, task = run.assessment.evaluation, run.task
    defined = [place for place in order if not np.isnan(_r2(evaluation, place).value)] or list(order)
    named = {"best": defined[0], "median": defined[len(defined) // 2], "worst": defined[-1]}
    chosen = {place: name for name, place in reversed(named.items())}
    truth, values = run.truth_of("test"), run.assessment.after
    figures = evaluation.calibration
    widths = figures.half_widths if isinstance(figures, CoverageFigures) else np.empty(0)
    panels = [
        Panel(
            f"{task.labels[place]} ({chosen[place]})",
            f"R² {number_text(_r2(evaluation, place).value)}",
            truth[:, place],
            values[:, place],
            float(widths[place]) if len(widths) and np.isfinite(widths[place]) else None,
        )
        for place in dict.fromkeys(named.values())
    ]
    unit = f" ({run.scale})" if run.scale else ""
    made = "made again" if task.kind == "generative" else "predicted"
    stated = figures.stated if isinstance(figures, CoverageFigures) and len(widths) else COVERAGE
    return agreement(
        panels,
        axes=(f"measured{unit}", f"{made}{unit}"),
        caption=f"What was {made} and what was measured, for the {value_noun(task)}s with the best, the median and the "
        "worst R².",
        dots="a test example",
        band=f"{100 * stated:.4g} % interval",
    )


def target_tables(evaluation: Evaluation) -> list[Block]:
    """List the best and the worst predicted targets, or all where they are few."""
    order, noun = by_r2(evaluation), value_noun(evaluation.task)
    note = f"All {len(order):,} are in targets.parquet. {_meanings(evaluation)}{evaluation.intervals}"
    if len(order) <= 2 * MOST_ROWS:
        return [_table(evaluation, order, f"Each {noun}, the best predicted first, with 95 % intervals.", note)]
    first, last = order[:MOST_ROWS], order[-MOST_ROWS:][::-1]
    best = _table(evaluation, first, f"The {MOST_ROWS} best predicted {noun}s, by R².", note)
    worst = _table(evaluation, last, f"The {MOST_ROWS} worst predicted {noun}s, the worst first.", note)
    return [
        Paragraph(f"{capitalised(noun)}s are ordered by R², which does not depend on how far their values spread."),
        best,
        Details(f"The {MOST_ROWS} worst predicted {noun}s", [worst]),
    ]


def _table(evaluation: Evaluation, places: Sequence[int], caption: str, note: str) -> Table:
    task = evaluation.task
    metrics = ("r2", "mse", "pearson") if task.kind == "generative" else ("r2", "mae", "pearson")
    columns = [capitalised(value_noun(task)), *(metric_title(metric) for metric in metrics)]
    rows: list[list[object]] = [
        [task.labels[place], *(str(evaluation.test[f"{task.labels[place]}_{metric}"]) for metric in metrics)]
        for place in places
    ]
    for header, cells in _further(evaluation).items():
        columns.append(header)
        for row, place in zip(rows, places, strict=True):
            row.append(cells[place])
    return Table(columns, rows, caption, note)


def _meanings(evaluation: Evaluation) -> str:
    """Say what the last columns are."""
    best, task = evaluation.reference, evaluation.task
    gain = None if best is None else evaluation.gains.get(best)
    said = ""
    if gain is not None and gain.of_targets is not None:
        said = f"Gain: by how much {error_of(task).upper()} is smaller than that of {best}. "
    figures = evaluation.calibration
    if isinstance(figures, CoverageFigures) and len(figures.of_targets):
        said += "Inside: the share of measured values that lie in their intervals. "
    return said


def _further(evaluation: Evaluation) -> dict[str, list[str]]:
    """Write the gain over the best baseline and what the intervals hold, for each target, where they are known."""
    found: dict[str, list[str]] = {}
    best = evaluation.reference
    gain = None if best is None else evaluation.gains.get(best)
    if gain is not None and gain.of_targets is not None:
        numbers = zip(*(column.tolist() for column in gain_columns(evaluation)), strict=True)
        texts = [format(Interval(*(100 * number for number in one)), ".1f") for one in numbers]
        found["Gain (%)"] = texts
    figures = evaluation.calibration
    if isinstance(figures, CoverageFigures) and len(figures.of_targets):
        shares = (100 * figures.of_targets).tolist()
        found["Inside (%)"] = [MISSING if np.isnan(share) else f"{share:.1f}" for share in shares]
    return found


def gain_columns(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gain of each target over the best baseline and the ends of its interval, NaN where not known."""
    best = evaluation.reference
    gain = None if best is None else evaluation.gains.get(best)
    if gain is None or gain.of_targets is None:
        nothing = np.full(len(evaluation.task.labels), np.nan)
        return nothing, nothing, nothing
    return gain.of_targets.value, gain.of_targets.low, gain.of_targets.high


def _r2(evaluation: Evaluation, place: int) -> Interval:
    return evaluation.test[f"{evaluation.task.labels[place]}_r2"]


def _column(evaluation: Evaluation, metric: str) -> np.ndarray:
    return np.array([evaluation.test[f"{label}_{metric}"].value for label in evaluation.task.labels])
