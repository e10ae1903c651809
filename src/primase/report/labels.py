"""What a report says of a network that gives labels: how often it is right, label by label, and how sure it may be."""

from __future__ import annotations

import numpy as np

from primase.data.splits import PARTS, Part
from primase.evaluation.evaluation import CalibrationFigures
from primase.evaluation.metrics import metric_title
from primase.evaluation.reliability import reliability as reliability_of
from primase.report.contrasts import contrast_sentences, contrast_tiles
from primase.report.figures.comparison import Score, intervals
from primase.report.figures.confusion import confusion
from primase.report.figures.discrimination import precision_recall, roc
from primase.report.figures.reliability import reliability
from primase.report.performance import (
    NETWORK,
    best_rival,
    bounds_text,
    capitalised,
    compared,
    strongest_probes,
    triple,
)
from primase.report.run import TrainingRun
from primase.report.sections import Block, KeyFigure, KeyFigures, Paragraph, Section, Table

MOST_PROBES_DRAWN = 3
MOST_LABELS = 40
"""So many labels are shown one by one; the others are in metrics.json."""


def label_answer(run: TrainingRun) -> str:
    """Answer the question of the report in a few sentences."""
    evaluation = run.assessment.evaluation
    best, metrics = best_rival(evaluation)
    main, accuracy = evaluation.task.main_metric, evaluation.task.metric("accuracy")
    answer = (
        f"On {run.partition.sizes['test']:,} test examples the network reaches {metric_title(accuracy)} of "
        f"{evaluation.test[accuracy]:.3f} and {metric_title(main)} of {evaluation.main}: {compared(evaluation)} the "
        f"best baseline ({best}, {metrics[main]})."
    )
    return " ".join([answer, *contrast_sentences(evaluation)])


def label_tiles(run: TrainingRun) -> KeyFigures:
    """Show the few figures that a reader wants first."""
    evaluation = run.assessment.evaluation
    best, metrics = best_rival(evaluation)
    main = evaluation.task.main_metric
    accuracy, ece = (evaluation.test[evaluation.task.metric(name)] for name in ("accuracy", "ece"))
    first = [
        KeyFigure("Accuracy", f"{accuracy.value:.3f}", bounds_text(accuracy)),
        KeyFigure(_main_name(run), f"{evaluation.main.value:.3f}", bounds_text(evaluation.main)),
    ]
    tiles = [
        # Where positives are rare, one who never finds any is nearly always right.
        *(reversed(first) if run.task.rare else first),
        *contrast_tiles(evaluation),
        KeyFigure("Best baseline", f"{metrics[main].value:.3f}", f"{metric_title(main)}, {best}"),
        KeyFigure("Calibration error", f"{ece.value:.3f}", bounds_text(ece)),
    ]
    return KeyFigures(tiles)


def _main_name(run: TrainingRun) -> str:
    """Name the main metric, and what the main test has where it is also asked in another way."""
    name = capitalised(metric_title(run.task.main_metric))
    ways = [figures.main_name for figures in run.assessment.evaluation.contrasts.values()]
    return f"{name}, {ways[0]}" if ways else name


def label_counts(run: TrainingRun) -> Table:
    """Count the examples of each label and part."""
    sizes = run.partition.sizes
    counts = [[label, *(count_of(run, number, part) for part in PARTS)] for number, label in enumerate(run.task.labels)]
    rows = [*counts[:MOST_LABELS], ["all", *sizes.values()]]
    what = "label" if run.task.is_multilabel else "class"
    caption = f"Examples by {what} and part. The split is “{run.partition.policy}”: a unit is one {run.unit_name}."
    return Table([capitalised(what), "Train", "Validation", "Test"], rows, caption, labels_left_out(run))


def label_sections(run: TrainingRun) -> list[Section]:
    """Show label by label what the network gets right, and how far its probabilities can be believed."""
    return [discrimination_section(run), calibration_section(run)]


def discrimination_section(run: TrainingRun) -> Section:
    """Show what the network gets right and wrong, class by class or label by label."""
    if run.task.is_multilabel:
        return Section("How well each label is predicted", _labels_one_by_one(run))
    targets = run.examples.targets[run.partition.test]
    predicted = run.assessment.after.argmax(axis=1)
    matrix = np.zeros((run.task.outputs, run.task.outputs), dtype=np.int64)
    np.add.at(matrix, (targets, predicted), 1)
    blocks: list[Block] = []
    if run.task.kind == "binary":
        weak = strongest_probes(run.assessment.evaluation)[MOST_PROBES_DRAWN:]
        others = {name: values for name, values in run.assessment.others.items() if name not in weak}
        models = {NETWORK: run.assessment.after, **others}
        curves = {name: (targets, probabilities[:, 1]) for name, probabilities in models.items()}
        blocks += [roc(curves, highlight=NETWORK), precision_recall(curves, highlight=NETWORK)]
    else:
        blocks.append(_per_label(run))
    blocks.append(confusion(matrix, run.task.labels))
    return Section("What it gets right and wrong", blocks)


def _labels_one_by_one(run: TrainingRun) -> list[Block]:
    """Show every label beside the best baseline, the best predicted first."""
    evaluation = run.assessment.evaluation
    best, rival = best_rival(evaluation)
    order = sorted(run.task.labels, key=lambda label: -np.nan_to_num(evaluation.test[f"{label}_auroc"].value))
    shown = order[:MOST_LABELS]
    scores: list[Score] = [(label, *triple(evaluation.test[f"{label}_auroc"]), "network") for label in shown]
    rows = [
        [
            label,
            count_of(run, run.task.labels.index(label), "test"),
            *(str(evaluation.test[f"{label}_{kind}"]) for kind in ("auroc", "auprc")),
            *(f"{rival[f'{label}_{kind}'].value:.3f}" for kind in ("auroc", "auprc")),
        ]
        for label in shown
    ]
    columns = ["Label", "Positive in test", "AUROC", "AUPRC", "AUROC of the baseline", "AUPRC of the baseline"]
    caption = f"Each label by itself, the best predicted first; the baseline is {best}."
    figure = "AUROC of the network for each label, with 95 % intervals."
    return [
        intervals(scores, metric="AUROC", chance=0.5, caption=figure),
        Table(columns, rows, caption, labels_left_out(run)),
    ]


def _per_label(run: TrainingRun) -> Table:
    test = run.assessment.evaluation.test
    kinds = ("f1", "auroc", "auprc")
    counts = np.bincount(run.examples.targets[run.partition.test], minlength=run.task.outputs)
    rows = [
        [label, int(counts[number]), *(str(test[f"{label}_{kind}"]) for kind in kinds)]
        for number, label in enumerate(run.task.labels)
    ]
    return Table(["Class", "Test examples", "F1", "AUROC", "AUPRC"], rows, "Each class against all others.")


def calibration_section(run: TrainingRun) -> Section:
    """Show how far probabilities were frequencies, before and after calibration."""
    figures = run.assessment.evaluation.calibration
    if not isinstance(figures, CalibrationFigures):
        message = "only probabilities can be calibrated"
        raise TypeError(message)
    targets = run.examples.targets[run.partition.test]
    before, after = reliability_of(targets, run.assessment.before), reliability_of(targets, run.assessment.after)
    rows = [
        ["Expected calibration error", str(figures.ece_before), str(figures.ece_after)],
        ["Brier score", str(figures.brier_before), str(figures.brier_after)],
    ]
    blocks: list[Block] = [
        Paragraph(f"{figures.note} It was found on validation examples and is judged here on test examples."),
        reliability(before, None if figures.method == "none" else after),
        Table(["Error", "Before", "After"], rows, "Lower is better: how far probabilities are from frequencies."),
    ]
    return Section("Can its probabilities be believed?", blocks)


def count_of(run: TrainingRun, number: int, part: Part) -> int:
    """Count the examples of a part that have a label."""
    targets = run.examples.targets[run.partition.part(part)]
    return int((targets[:, number] == 1).sum() if run.task.is_multilabel else (targets == number).sum())


def labels_left_out(run: TrainingRun) -> str:
    """Say how many labels are not shown one by one."""
    more = len(run.task.labels) - MOST_LABELS
    return f"{more:,} more labels are in metrics.json." if more > 0 else ""
