"""The report of a training run: what was asked, what came out, what to believe of it, and how to do it again."""

from __future__ import annotations

from primase.data.audit import TWINS, Finding
from primase.data.splits import PARTS
from primase.evaluation.metrics import metric_title
from primase.evaluation.probes import probe_verdict
from primase.report.contrasts import contrast_section, contrast_sentences, contrast_tiles, contrast_warnings
from primase.report.figures.training import learning_curves
from primase.report.page import render_page
from primase.report.performance import (
    MOST_LABELS,
    best_rival,
    bounds_text,
    calibration_section,
    capitalised,
    comparison_section,
    count_of,
    discrimination_section,
    labels_left_out,
    strongest_probes,
)
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


def training_page(run: TrainingRun) -> str:
    """Compose the report of a training run as one HTML page."""
    evaluation = run.assessment.evaluation
    sections = [
        _result(run),
        _data(run),
        comparison_section(run),
        *(contrast_section(evaluation, figures) for figures in evaluation.contrasts.values()),
        discrimination_section(run),
        calibration_section(run),
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


def _answer(run: TrainingRun) -> str:
    evaluation = run.assessment.evaluation
    best, metrics = best_rival(evaluation)
    main, accuracy = evaluation.task.main_metric, evaluation.task.metric("accuracy")
    difference = evaluation.differences[best][main]
    verdict = "about as good as"
    if difference.excludes(0.0):
        verdict = "better than" if difference.value > 0 else "worse than"
    answer = (
        f"On {run.partition.sizes['test']:,} test examples the network reaches {metric_title(accuracy)} of "
        f"{evaluation.test[accuracy]:.3f} and {metric_title(main)} of {evaluation.main}: {verdict} the best baseline "
        f"({best}, {metrics[main]})."
    )
    return " ".join([answer, *contrast_sentences(evaluation)])


def _result(run: TrainingRun) -> Section:
    evaluation = run.assessment.evaluation
    best, metrics = best_rival(evaluation)
    main = evaluation.task.main_metric
    accuracy, ece = (evaluation.test[evaluation.task.metric(name)] for name in ("accuracy", "ece"))
    tiles = [
        KeyFigure("Accuracy", f"{accuracy.value:.3f}", bounds_text(accuracy)),
        KeyFigure(_main_name(run), f"{evaluation.main.value:.3f}", bounds_text(evaluation.main)),
        *contrast_tiles(evaluation),
        KeyFigure("Best baseline", f"{metrics[main].value:.3f}", f"{metric_title(main)}, {best}"),
        KeyFigure("Calibration error", f"{ece.value:.3f}", bounds_text(ece)),
    ]
    blocks: list[Block] = [KeyFigures(tiles), *_difference(run), *contrast_warnings(evaluation), *_gap(run)]
    return Section("The result", [*blocks, *_probes(run)])


def _main_name(run: TrainingRun) -> str:
    """Name the main metric, and what the main test has where it is also asked in another way."""
    name = capitalised(metric_title(run.task.main_metric))
    ways = [figures.main_name for figures in run.assessment.evaluation.contrasts.values()]
    return f"{name}, {ways[0]}" if ways else name


def _difference(run: TrainingRun) -> list[Block]:
    evaluation = run.assessment.evaluation
    best, _ = best_rival(evaluation)
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


def _probes(run: TrainingRun) -> list[Block]:
    """Say what the strongest nuisance can tell alone, and below it what the others can."""
    evaluation = run.assessment.evaluation
    main = evaluation.task.main_metric
    chance = evaluation.baselines["majority class"][main].value
    said = [
        probe_verdict(evaluation.main, evaluation.probes[name][main], nuisance=name, metric=main, chance=chance)
        for name in strongest_probes(evaluation)
    ]
    if not said:
        return []
    first = strongest_probes(evaluation)[0]
    does_as_well = not evaluation.differences[first][main].excludes(0.0)
    is_better = evaluation.differences[first][main].value < 0
    if does_as_well or is_better:
        blocks: list[Block] = [Callout("warning", "A shortcut does as well as the network", said[0])]
    else:
        blocks = [Callout("finding", f"What {first} alone can tell", said[0])]
    return [*blocks, Details("What other nuisances can tell", [BulletList(said[1:])])] if said[1:] else blocks


def _data(run: TrainingRun) -> Section:
    sizes = run.partition.sizes
    counts = [[label, *(count_of(run, number, part) for part in PARTS)] for number, label in enumerate(run.task.labels)]
    rows = [*counts[:MOST_LABELS], ["all", *sizes.values()]]
    what = "label" if run.task.is_multilabel else "class"
    caption = f"Examples by {what} and part. The split is “{run.partition.policy}”: a unit is one {run.unit_name}."
    blocks: list[Block] = [
        Table([capitalised(what), "Train", "Validation", "Test"], rows, caption, labels_left_out(run))
    ]
    blocks += [_finding(finding) for finding in run.findings if finding.severity == "warning"]
    blocks.append(BulletList([finding.text for finding in run.findings if finding.severity != "warning"]))
    return Section("The data and the audit", blocks)


def _finding(finding: Finding) -> Block:
    return Callout("warning", capitalised(finding.finding), finding.text)


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
