"""The report of a training run: what was asked, what came out, what to believe of it, and how to do it again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from primase.data.audit import TWINS, Finding
from primase.data.splits import PARTS, Part
from primase.evaluation.evaluation import Evaluation
from primase.evaluation.intervals import Interval
from primase.evaluation.metrics import metric_title
from primase.evaluation.probes import probe_verdict
from primase.evaluation.reliability import reliability as reliability_of
from primase.report.figures.comparison import Score, intervals
from primase.report.figures.confusion import confusion
from primase.report.figures.discrimination import precision_recall, roc
from primase.report.figures.reliability import reliability
from primase.report.figures.training import learning_curves
from primase.report.page import render_page
from primase.report.run import TrainingRun
from primase.report.sections import (
    Block,
    BulletList,
    Callout,
    Command,
    Details,
    KeyFigure,
    KeyFigures,
    Paragraph,
    Section,
    Table,
)

NETWORK = "network"
SHOWN = (
    *("auroc", "auprc", "macro_auroc", "macro_auprc", "macro_f1", "accuracy", "macro_accuracy", "mcc", "macro_mcc"),
    *("ece", "macro_ece"),
)
MOST_LABELS = 40
"""So many labels are shown one by one; the others are in metrics.json."""


def training_page(run: TrainingRun) -> str:
    """Compose the report of a training run as one HTML page."""
    sections = [
        _result(run),
        _data(run),
        _comparison(run),
        _discrimination(run),
        _calibration(run),
        *run.insights,
        _learning(run),
        _limits(run),
        _reproduce(run),
    ]
    sizes = run.partition.sizes
    facts = [
        ("Data", run.subject.dataset),
        ("Network", run.subject.architecture),
        ("Split", f"{run.partition.policy}: {sizes['train']:,} / {sizes['validation']:,} / {sizes['test']:,}"),
        ("Seed", run.configuration["seed"]),
    ]
    return render_page(run.subject.question, _answer(run), sections, facts=facts, version=run.version)


def metrics_table(evaluation: Evaluation, names: Sequence[str]) -> Table:
    """Lay the network beside its baselines and probes by some metrics, every figure with its interval."""
    models = {NETWORK: evaluation.test, **evaluation.baselines}
    models |= {f"{name} (probe)": metrics for name, metrics in evaluation.probes.items()}
    rows = [[name, *(str(metrics[metric]) for metric in names)] for name, metrics in models.items()]
    return Table(
        ["Model", *(_capital(metric_title(metric)) for metric in names)],
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


def _answer(run: TrainingRun) -> str:
    evaluation = run.assessment.evaluation
    best, metrics = _best_rival(evaluation)
    main, accuracy = evaluation.task.main_metric, evaluation.task.metric("accuracy")
    difference = evaluation.differences[best][main]
    verdict = "about as good as"
    if difference.excludes(0.0):
        verdict = "better than" if difference.value > 0 else "worse than"
    return (
        f"On {run.partition.sizes['test']:,} test examples the network reaches {metric_title(accuracy)} of "
        f"{evaluation.test[accuracy]:.3f} and {metric_title(main)} of {evaluation.main}: {verdict} the best baseline "
        f"({best}, {metrics[main]})."
    )


def _best_rival(evaluation: Evaluation) -> tuple[str, dict[str, Interval]]:
    main = evaluation.task.main_metric
    best = max(evaluation.baselines, key=lambda name: np.nan_to_num(evaluation.baselines[name][main].value, nan=-1.0))
    return best, dict(evaluation.baselines[best])


def _result(run: TrainingRun) -> Section:
    evaluation = run.assessment.evaluation
    best, metrics = _best_rival(evaluation)
    main = evaluation.task.main_metric
    accuracy, ece = (evaluation.test[evaluation.task.metric(name)] for name in ("accuracy", "ece"))
    tiles = [
        KeyFigure("Accuracy", f"{accuracy.value:.3f}", _bounds(accuracy)),
        KeyFigure(_capital(metric_title(main)), f"{evaluation.main.value:.3f}", _bounds(evaluation.main)),
        KeyFigure("Best baseline", f"{metrics[main].value:.3f}", f"{metric_title(main)}, {best}"),
        KeyFigure("Calibration error", f"{ece.value:.3f}", _bounds(ece)),
    ]
    blocks: list[Block] = [KeyFigures(tiles), *_difference(run), *_gap(run)]
    blocks += [_probe(run, name) for name in evaluation.probes]
    return Section("The result", blocks)


def _difference(run: TrainingRun) -> list[Block]:
    evaluation = run.assessment.evaluation
    best, _ = _best_rival(evaluation)
    main = evaluation.task.main_metric
    difference = evaluation.differences[best][main]
    title = metric_title(main)
    if difference.excludes(0.0) and difference.value > 0:
        text = f"Its {title} is higher than that of {best} by {difference}, beyond what chance would give."
        return [Callout("good", "The network beats every baseline", text)]
    if difference.excludes(0.0):
        text = (
            f"The {title} of {best} is higher by {abs(difference.value):.3f}. Prefer that baseline: it is simpler, and "
            "better here."
        )
        return [Callout("warning", "A baseline beats the network", text)]
    text = f"The difference of {title} to {best} is {difference}: it may be chance. The simpler model may do as well."
    return [Callout("finding", "The network is not clearly better than a baseline", text)]


def _gap(run: TrainingRun) -> list[Block]:
    """Say how much easier the test was made by twins in train."""
    found = next(finding for finding in run.findings if finding.finding == TWINS)
    rest = "without a twin in train"
    if run.kinship is not None and run.kinship.finding.severity == "warning":
        found, rest = run.kinship.finding, run.kinship.rest
    apart = run.assessment.evaluation.subsets.get(rest)
    if apart is None or found.severity != "warning":
        return []
    main = run.task.main_metric
    everything = run.assessment.evaluation.test
    text = (
        f"{found.text} On the others, {metric_title(main)} is {apart[main]}; on all, {everything[main]}. The "
        "first is the honest figure for what is new to the model."
    )
    return [Callout("warning", "Part of the test was seen in training", text)]


def _probe(run: TrainingRun, name: str) -> Block:
    evaluation = run.assessment.evaluation
    main = evaluation.task.main_metric
    chance = evaluation.baselines["majority class"][main].value
    text = probe_verdict(evaluation.main, evaluation.probes[name][main], nuisance=name, metric=main, chance=chance)
    return Callout("finding", f"What {name} alone can tell", text)


def _data(run: TrainingRun) -> Section:
    sizes = run.partition.sizes
    counts = [[label, *(_count(run, number, part) for part in PARTS)] for number, label in enumerate(run.task.labels)]
    rows = [*counts[:MOST_LABELS], ["all", *sizes.values()]]
    what = "label" if run.task.is_multilabel else "class"
    caption = f"Examples by {what} and part. The split is “{run.partition.policy}”: a unit is one {run.unit_name}."
    blocks: list[Block] = [Table([_capital(what), "Train", "Validation", "Test"], rows, caption, _left_out(run))]
    blocks += [_finding(finding) for finding in run.findings if finding.severity == "warning"]
    blocks.append(BulletList([finding.text for finding in run.findings if finding.severity != "warning"]))
    return Section("The data and the audit", blocks)


def _count(run: TrainingRun, number: int, part: Part) -> int:
    """Count the examples of a part that have a label."""
    targets = run.examples.targets[run.partition.part(part)]
    return int((targets[:, number] == 1).sum() if run.task.is_multilabel else (targets == number).sum())


def _left_out(run: TrainingRun) -> str:
    more = len(run.task.labels) - MOST_LABELS
    return f"{more:,} more labels are in metrics.json." if more > 0 else ""


def _finding(finding: Finding) -> Block:
    return Callout("warning", _capital(finding.finding), finding.text)


def _comparison(run: TrainingRun) -> Section:
    evaluation = run.assessment.evaluation
    main = evaluation.task.main_metric
    scores = [(NETWORK, *_triple(evaluation.main), "network")]
    scores += [(name, *_triple(metrics[main]), "baseline") for name, metrics in evaluation.baselines.items()]
    scores += [(name, *_triple(metrics[main]), "probe") for name, metrics in evaluation.probes.items()]
    blocks: list[Block] = [
        intervals(scores, metric=_capital(metric_title(main)), chance=0.5 if main.endswith("auroc") else None),  # type: ignore[arg-type]  # the kinds are literals
        metrics_table(evaluation, [name for name in SHOWN if name in evaluation.test]),
        Details(
            "The other metrics",
            [metrics_table(evaluation, [name for name in headline_metrics(evaluation) if name not in SHOWN])],
        ),
        BulletList([f"{_capital(name)}. {text}" for name, text in run.assessment.descriptions.items()]),
    ]
    if evaluation.subsets:
        names = [run.task.metric("accuracy"), main, run.task.metric("ece")]
        rows = [[name, *(str(metrics[metric]) for metric in names)] for name, metrics in evaluation.subsets.items()]
        columns = ["Part of the test", *(_capital(metric_title(metric)) for metric in names)]
        blocks.append(Table(columns, rows, "The network on parts of the test that are worth a look of their own."))
    return Section("Network, baselines and probes", blocks)


def _triple(interval: Interval) -> tuple[float, float, float]:
    return interval.value, interval.low, interval.high


def _discrimination(run: TrainingRun) -> Section:
    if run.task.is_multilabel:
        return Section("How well each label is predicted", _labels_one_by_one(run))
    targets = run.examples.targets[run.partition.test]
    predicted = run.assessment.after.argmax(axis=1)
    matrix = np.zeros((run.task.outputs, run.task.outputs), dtype=np.int64)
    np.add.at(matrix, (targets, predicted), 1)
    blocks: list[Block] = []
    if run.task.kind == "binary":
        models = {NETWORK: run.assessment.after, **run.assessment.others}
        curves = {name: (targets, probabilities[:, 1]) for name, probabilities in models.items()}
        blocks += [roc(curves, highlight=NETWORK), precision_recall(curves, highlight=NETWORK)]
    else:
        blocks.append(_per_label(run))
    blocks.append(confusion(matrix, run.task.labels))
    return Section("What it gets right and wrong", blocks)


def _labels_one_by_one(run: TrainingRun) -> list[Block]:
    """Show every label beside the best baseline, the best predicted first."""
    evaluation = run.assessment.evaluation
    best, rival = _best_rival(evaluation)
    order = sorted(run.task.labels, key=lambda label: -np.nan_to_num(evaluation.test[f"{label}_auroc"].value))
    shown = order[:MOST_LABELS]
    scores: list[Score] = [(label, *_triple(evaluation.test[f"{label}_auroc"]), "network") for label in shown]
    rows = [
        [
            label,
            _count(run, run.task.labels.index(label), "test"),
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
        Table(columns, rows, caption, _left_out(run)),
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


def _calibration(run: TrainingRun) -> Section:
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


def _learning(run: TrainingRun) -> Section:
    first = run.members[0]
    blocks: list[Block] = [learning_curves(first.history, best_epoch=first.best_epoch)]
    if len(run.members) > 1:
        epochs = ", ".join(str(member.best_epoch) for member in run.members)
        text = (
            f"The model averages {len(run.members)} networks, whose best epochs are {epochs}; the curve is the first's."
        )
        blocks.insert(0, Paragraph(text))
    blocks.append(_seconds(run))
    return Section("How it learned", blocks)


def _seconds(run: TrainingRun) -> Table:
    rows = [[stage, f"{seconds:.1f}"] for stage, seconds in run.seconds.items()]
    note = f"Most memory at any time: {run.peak_memory_mib:,.0f} MiB. Precision: {run.members[0].precision}."
    return Table(["Stage", "Seconds"], rows, "Where the time went.", note)


def _limits(run: TrainingRun) -> Section:
    return Section("Limits", [BulletList(list(run.subject.card.get("Limits", ())))])


def _reproduce(run: TrainingRun) -> Section:
    text = (
        "The same command on the same machine gives the same figures. The paper treats this application in section "
        f"{run.subject.paper_section} (Li et al. 2019, Deep learning in bioinformatics)."
    )
    return Section("How to do it again", [Command(run.subject.command), Paragraph(text)])


def _bounds(interval: Interval) -> str:
    return f"95 %: {interval.low:.3f} to {interval.high:.3f}" if interval.has_bounds else "no interval"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
