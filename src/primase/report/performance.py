"""How good the network is, laid out: beside its rivals, label by label, and how far to believe its probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from primase.data.splits import Part
from primase.evaluation.evaluation import Evaluation
from primase.evaluation.intervals import Interval
from primase.evaluation.metrics import metric_title
from primase.evaluation.reliability import reliability as reliability_of
from primase.report.figures.comparison import Score, intervals
from primase.report.figures.confusion import confusion
from primase.report.figures.discrimination import precision_recall, roc
from primase.report.figures.reliability import reliability
from primase.report.run import TrainingRun
from primase.report.sections import (
    Block,
    BulletList,
    Details,
    Paragraph,
    Section,
    Table,
)

NETWORK = "network"
SHOWN = (
    *("auroc", "auprc", "macro_auroc", "macro_auprc", "macro_f1", "accuracy", "macro_accuracy", "mcc", "macro_mcc"),
    *("ece", "macro_ece"),
)
MOST_PROBES_DRAWN = 3
MOST_LABELS = 40
"""So many labels are shown one by one; the others are in metrics.json."""


def metrics_table(evaluation: Evaluation, names: Sequence[str]) -> Table:
    """Lay the network beside its baselines and probes by some metrics, every figure with its interval."""
    models = {NETWORK: evaluation.test, **evaluation.baselines}
    models |= {f"{name} (probe)": metrics for name, metrics in evaluation.probes.items()}
    rows = [[name, *(str(metrics[metric]) for metric in names)] for name, metrics in models.items()]
    return Table(
        ["Model", *(capitalised(metric_title(metric)) for metric in names)],
        rows,
        "The network, the baselines and the probes on the same test part, each with its 95 % interval.",
        f"{evaluation.intervals} Lower is better for ECE and Brier score.{_positive(evaluation)}",
        highlighted=[0],
    )


def _positive(evaluation: Evaluation) -> str:
    """Say which label AUROC, AUPRC and F1 take as the positive one."""
    task = evaluation.task
    if task.is_multilabel:
        return f" Each figure is the mean over {len(task.labels)} labels."
    return f" The positive class is “{task.labels[1]}”." if task.kind == "binary" else ""


def headline_metrics(evaluation: Evaluation) -> list[str]:
    """Name the metrics of the task as a whole, without those of single labels."""
    prefixes = tuple(f"{label}_" for label in evaluation.task.labels)
    return [name for name in evaluation.test if not name.startswith(prefixes)]


def best_rival(evaluation: Evaluation) -> tuple[str, dict[str, Interval]]:
    """Find the baseline with the best main metric, and all its figures."""
    main = evaluation.task.main_metric
    best = max(evaluation.baselines, key=lambda name: np.nan_to_num(evaluation.baselines[name][main].value, nan=-1.0))
    return best, dict(evaluation.baselines[best])


def strongest_probes(evaluation: Evaluation) -> list[str]:
    """Name the probes by what they reach, the strongest first."""
    main = evaluation.task.main_metric
    figures = {name: np.nan_to_num(metrics[main].value, nan=-1.0) for name, metrics in evaluation.probes.items()}
    return sorted(figures, key=lambda name: -figures[name])


def comparison_section(run: TrainingRun) -> Section:
    """Show the network beside its baselines and probes, and on parts of the test."""
    evaluation = run.assessment.evaluation
    main = evaluation.task.main_metric
    scores = [(NETWORK, *_triple(evaluation.main), "network")]
    scores += [(name, *_triple(metrics[main]), "baseline") for name, metrics in evaluation.baselines.items()]
    scores += [(name, *_triple(metrics[main]), "probe") for name, metrics in evaluation.probes.items()]
    blocks: list[Block] = [
        intervals(scores, metric=capitalised(metric_title(main)), chance=0.5 if main.endswith("auroc") else None),  # type: ignore[arg-type]  # the kinds are literals
        metrics_table(evaluation, [name for name in SHOWN if name in evaluation.test]),
        Details(
            "The other metrics",
            [metrics_table(evaluation, [name for name in headline_metrics(evaluation) if name not in SHOWN])],
        ),
        BulletList([f"{capitalised(name)}. {text}" for name, text in run.assessment.descriptions.items()]),
    ]
    if evaluation.subsets:
        names = [run.task.metric("accuracy"), main, run.task.metric("ece")]
        rows = [[name, *(str(metrics[metric]) for metric in names)] for name, metrics in evaluation.subsets.items()]
        columns = ["Part of the test", *(capitalised(metric_title(metric)) for metric in names)]
        blocks.append(Table(columns, rows, "The network on parts of the test that are worth a look of their own."))
    return Section("Network, baselines and probes", blocks)


def _triple(interval: Interval) -> tuple[float, float, float]:
    return interval.value, interval.low, interval.high


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
    scores: list[Score] = [(label, *_triple(evaluation.test[f"{label}_auroc"]), "network") for label in shown]
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


def bounds_text(interval: Interval) -> str:
    """Write the ends of an interval as the note of a key figure."""
    return f"95 %: {interval.low:.3f} to {interval.high:.3f}" if interval.has_bounds else "no interval"


def capitalised(text: str) -> str:
    """Begin a text with a capital letter, and leave the rest as it is."""
    return text[:1].upper() + text[1:]
