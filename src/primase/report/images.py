"""What a report says of a network that makes images: how near they come to the truth, image by image."""

from __future__ import annotations

from typing import Final

import numpy as np

from primase.data.splits import PARTS
from primase.evaluation.metrics import lower_is_better, metric_title
from primase.report.figures.distribution import histogram
from primase.report.performance import best_rival, bounds_text, capitalised, compared, lead
from primase.report.run import TrainingRun
from primase.report.sections import Block, KeyFigure, KeyFigures, Paragraph, Section, Table
from primase.report.wording import number_text

MOST_MEASURES: Final = 2
"""So many are shown image by image; the others are in predictions.parquet, too."""

MOST_LISTED: Final = 20
"""So many images are listed one by one; the others are in predictions.parquet."""


def image_answer(run: TrainingRun) -> str:
    """Answer the question of the report in a few sentences."""
    evaluation = run.assessment.evaluation
    best, metrics = best_rival(evaluation)
    main = evaluation.task.main_metric
    answer = (
        f"On {run.partition.sizes['test']:,} test images the network reaches {metric_title(main)} {evaluation.main}: "
        f"{compared(evaluation)} the best baseline ({best}, {metrics[main]})."
    )
    share = _share_better(run, best)
    return f"{answer} It is nearer to the truth on {share:.0%} of them."


def _share_better(run: TrainingRun, rival: str) -> float:
    """Tell on which share of the test images the network comes nearer than a baseline."""
    ours, theirs = run.assessment.after[:, 0], run.assessment.others[rival][:, 0]
    return float(np.mean(ours > theirs))


def image_tiles(run: TrainingRun) -> KeyFigures:
    """Show the few figures that a reader wants first."""
    evaluation = run.assessment.evaluation
    best, metrics = best_rival(evaluation)
    main = evaluation.task.main_metric
    shown = [name for name in evaluation.task.labels[:2] if not np.isnan(evaluation.test[name].value)]
    tiles = [
        KeyFigure(
            capitalised(metric_title(name)),
            number_text(evaluation.test[name].value, 3),
            bounds_text(evaluation.test[name]),
        )
        for name in shown
    ]
    ahead = lead(evaluation, best)
    tiles.append(KeyFigure("Best baseline", number_text(metrics[main].value, 3), f"{metric_title(main)}, {best}"))
    tiles.append(KeyFigure("Gain", number_text(ahead.value, 3), bounds_text(ahead)))
    return KeyFigures(tiles)


def image_counts(run: TrainingRun) -> Table:
    """Count the images and units of each part."""
    sizes = run.partition.sizes
    rows: list[list[object]] = [["Images", *(sizes[part] for part in PARTS)]]
    units = [len(np.unique(run.partition.units[run.partition.part(part)])) for part in PARTS]
    if units != [sizes[part] for part in PARTS]:
        rows.append([f"Units: {run.unit_name}", *units])
    caption = f"Images by part. The split is “{run.partition.policy}”: a unit is one {run.unit_name}."
    return Table(["", "Train", "Validation", "Test"], rows, caption)


def image_sections(run: TrainingRun) -> list[Section]:
    """Show how near each image comes to the truth, beside the best baseline."""
    evaluation = run.assessment.evaluation
    best, _ = best_rival(evaluation)
    main = evaluation.task.main_metric
    title = metric_title(main)
    ours, theirs = run.assessment.after, run.assessment.others[best]
    gains = (ours - theirs)[:, 0]
    order = np.argsort(gains, kind="stable")
    ids = run.examples.ids[run.partition.test]
    shown = [place for place in range(min(MOST_MEASURES, evaluation.task.outputs)) if np.isfinite(ours[:, place]).any()]
    names = [evaluation.task.labels[place] for place in shown]
    rows = [
        [str(ids[at]), *(float(values[at, place]) for place in shown for values in (ours, theirs))]
        for at in order[:MOST_LISTED]
    ]
    columns = [f"{capitalised(metric_title(name))}{whose}" for name in names for whose in ("", f", {best}")]
    better = [metric_title(name) for name in names if not lower_is_better(name)]
    lower = [metric_title(name) for name in names if lower_is_better(name)]
    note = f"Higher is better for {', '.join(better)}."
    note += f" Lower is better for {', '.join(lower)}." if lower else ""
    listed = "all test images" if len(ids) <= MOST_LISTED else f"the {MOST_LISTED} test images with the least gain"
    blocks: list[Block] = [
        Paragraph(
            f"The gain in {title} over {best} is between {gains.min():.2f} and {gains.max():.2f}; the network is "
            f"nearer to the truth on {np.mean(gains > 0):.0%} of the images."
        )
    ]
    if len(ids) > MOST_LISTED:
        caption = f"How much nearer to the truth the network comes than {best}, image by image."
        blocks.append(histogram({"test images": gains}, quantity=f"gain in {title}", caption=caption))
    caption = f"{capitalised(listed)}, the least gain first."
    blocks.append(Table(["Image", *columns], rows, caption, note))
    return [Section("Image by image", blocks)]
