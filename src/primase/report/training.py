"""The report of a training run: what was asked, what came out, what to believe of it, and how to do it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from primase.data.audit import TWINS, Finding
from primase.evaluation.evaluation import Evaluation
from primase.evaluation.metrics import lower_is_better, metric_title
from primase.evaluation.probes import probe_verdict
from primase.report.contrasts import contrast_section, contrast_warnings
from primase.report.figures.training import learning_curves
from primase.report.images import image_answer, image_counts, image_sections, image_tiles
from primase.report.labels import label_answer, label_counts, label_sections, label_tiles
from primase.report.page import render_page
from primase.report.performance import best_rival, capitalised, comparison_section, lead, strongest_probes
from primase.report.remedies import gap_warning
from primase.report.run import TrainingRun
from primase.report.sections import (
    Block,
    BulletList,
    Callout,
    Command,
    Details,
    KeyFigures,
    Paragraph,
    Section,
    Table,
)
from primase.report.values import value_answer, value_counts, value_sections, value_tiles
from primase.report.wording import number_text

LOOK_AT_NOTHING: Final = ("majority class", "mean")
"""The baselines that know no more than what is frequent or usual in train."""


def training_page(run: TrainingRun) -> str:
    """Compose the report of a training run as one HTML page."""
    evaluation, told = run.assessment.evaluation, _told(run)
    sections = [
        _result(run),
        _data(run),
        comparison_section(run),
        *(contrast_section(evaluation, figures) for figures in evaluation.contrasts.values()),
        *told.sections(run),
        *run.insights.sections,
        *(section for remedy in run.remedies for section in remedy.sections),
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
    return render_page(run.subject.question, told.answer(run), sections, facts=facts, version=run.version)


@final
@dataclass(frozen=True, slots=True)
class _Told:
    """What is told of answers of one kind, and in another way of those of another."""

    answer: Callable[[TrainingRun], str]
    tiles: Callable[[TrainingRun], KeyFigures]
    counts: Callable[[TrainingRun], Table]
    sections: Callable[[TrainingRun], Sequence[Section]]


_OF_LABELS: Final = _Told(label_answer, label_tiles, label_counts, label_sections)
_OF_VALUES: Final = _Told(value_answer, value_tiles, value_counts, value_sections)
_OF_IMAGES: Final = _Told(image_answer, image_tiles, image_counts, image_sections)


def _told(run: TrainingRun) -> _Told:
    if run.task.is_image:
        return _OF_IMAGES
    return _OF_VALUES if run.task.is_value else _OF_LABELS


def _result(run: TrainingRun) -> Section:
    evaluation = run.assessment.evaluation
    blocks: list[Block] = [_told(run).tiles(run), *_difference(run), *contrast_warnings(evaluation), *_gap(run)]
    blocks += gap_warning(run.gap)
    return Section("The result", [*blocks, *_probes(run)])


def _difference(run: TrainingRun) -> list[Block]:
    evaluation = run.assessment.evaluation
    best, _ = best_rival(evaluation)
    main = evaluation.task.main_metric
    ahead, title = lead(evaluation, best), metric_title(main)
    better = "lower" if lower_is_better(main) else "higher"
    if ahead.excludes(0.0) and ahead.value > 0:
        text = f"Its {title} is {better} than that of {best} by {ahead}, beyond what chance would give."
        return [Callout("good", "The network beats every baseline", text)]
    if ahead.excludes(0.0):
        text = (
            f"The {title} of {best} is {better} by {abs(ahead.value):.3f}. Prefer that baseline: it is simpler, and "
            "better here."
        )
        return [Callout("warning", "A baseline beats the network", text)]
    text = (
        f"The difference of {title} to {best} is {evaluation.differences[best][main]}: it may be chance. The simpler "
        "model may do as well."
    )
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
    chance = _chance(evaluation)
    if chance is None:
        return []
    said = [
        probe_verdict(evaluation.main, evaluation.probes[name][main], nuisance=name, metric=main, chance=chance)
        for name in strongest_probes(evaluation)
    ]
    if not said:
        return []
    first = strongest_probes(evaluation)[0]
    ahead = lead(evaluation, first)
    if not ahead.excludes(0.0) or ahead.value < 0:
        blocks: list[Block] = [Callout("warning", "A shortcut does as well as the network", said[0])]
    else:
        blocks = [Callout("finding", f"What {first} alone can tell", said[0])]
    return [*blocks, Details("What other nuisances can tell", [BulletList(said[1:])])] if said[1:] else blocks


def _chance(evaluation: Evaluation) -> float | None:
    """Find what is reached without looking at the input: the main metric of the baseline that does not."""
    blind = next((name for name in LOOK_AT_NOTHING if name in evaluation.baselines), None)
    return None if blind is None else evaluation.baselines[blind][evaluation.task.main_metric].value


def _data(run: TrainingRun) -> Section:
    blocks: list[Block] = [_told(run).counts(run)]
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
    blocks += [_phase(name, history) for name, history in first.phases.items() if history]
    blocks.append(_seconds(run))
    return Section("How it learned", blocks)


def _phase(name: str, history: Sequence[Mapping[str, float]]) -> Table:
    """Lay out what was measured in each epoch of a further phase of training, whose losses are of several kinds."""
    measures = [measure for measure in history[0] if measure != "epoch"]
    rows = [[f"{row['epoch']:.0f}", *(number_text(row[measure], 4) for measure in measures)] for row in history]
    titles = [capitalised(measure.replace("_", " ")) for measure in measures]
    return Table(["Epoch", *titles], rows, f"What was measured in the {name} phase, epoch by epoch.")


def _seconds(run: TrainingRun) -> Table:
    rows = [[stage, f"{seconds:.1f}"] for stage, seconds in run.seconds.items()]
    parameters = sum(parameter.numel() for parameter in run.members[0].network.parameters())
    note = (
        f"Parameters of {'a' if len(run.members) > 1 else 'the'} network: {parameters:,}. Most memory at any time: "
        f"{run.peak_memory_mib:,.0f} MiB. Precision: {run.members[0].precision}."
    )
    return Table(["Stage", "Seconds"], rows, "Where the time went.", note)


def _limits(run: TrainingRun) -> Section:
    return Section("Limits", [BulletList(list(run.subject.card.get("Limits", ())))])


def _reproduce(run: TrainingRun) -> Section:
    text = (
        "The same command on the same machine gives the same figures. The paper treats this application in section "
        f"{run.subject.paper_section} (Li et al. 2019, Deep learning in bioinformatics)."
    )
    return Section("How to do it again", [Command(run.subject.command), Paragraph(text)])
