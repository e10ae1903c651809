"""The test asked in two ways side by side, and in words what the difference means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

from primase.evaluation.contrasts import ContrastFigures
from primase.evaluation.evaluation import Evaluation, Metrics
from primase.evaluation.intervals import Interval
from primase.evaluation.metrics import metric_title
from primase.evaluation.scorer import overall_metrics
from primase.report.figures.comparison import ModelKind
from primase.report.figures.paired import PairedScore, paired, without_shared_end
from primase.report.performance import NETWORK, bounds_text, capitalised
from primase.report.sections import Block, Callout, KeyFigure, Paragraph, Section, Table

CHANCE: Final = 0.5
"""The AUROC of guessing."""


@final
@dataclass(frozen=True, slots=True)
class _Side:
    """What all models reach in one of the two ways of asking, by AUROC."""

    name: str
    network: Interval
    baselines: Mapping[str, Interval]
    probes: Mapping[str, Interval]
    differences: Mapping[str, Interval]

    @property
    def rivals(self) -> dict[str, Interval]:
        return {**self.baselines, **self.probes}

    @property
    def level(self) -> float:
        """The mean over all models, to tell which of two ways is harder."""
        values = [figure.value for figure in (self.network, *self.rivals.values())]
        defined = [value for value in values if math.isfinite(value)]
        return sum(defined) / len(defined) if defined else CHANCE

    def beats(self, rival: str) -> bool:
        """Tell whether the network is better than a rival beyond what chance would give."""
        difference = self.differences[rival]
        return difference.excludes(0.0) and difference.value > 0


@final
@dataclass(frozen=True, slots=True)
class _Told:
    """The easier and the harder of two ways of asking, and the name of the measure."""

    easy: _Side
    hard: _Side
    title: str

    @property
    def defined(self) -> bool:
        return math.isfinite(self.easy.network.value) and math.isfinite(self.hard.network.value)

    @property
    def fails(self) -> bool:
        """Whether the network is no better than chance where it is harder."""
        return self.defined and not _above_chance(self.hard.network)


def contrast_section(evaluation: Evaluation, figures: ContrastFigures) -> Section:
    """Show the network, every baseline and every probe under both ways of asking, and say what the difference means."""
    if evaluation.task.is_value:
        said = f"{figures.meaning} {_counted(figures)} {figures.reading}"
        return Section(f"The same test with {figures.name}", [Paragraph(said.strip()), _table(evaluation, figures)])
    metric = _ranking(evaluation)
    told = _told(evaluation, figures)
    ways = (figures.main_name, figures.name)
    blocks: list[Block] = [Paragraph(f"{figures.meaning} {_counted(figures)}".strip())]
    verdict = _verdict(told)
    if verdict is not None:
        blocks.insert(0, verdict)
    if metric is not None:
        scores = [
            PairedScore(name, main[metric], other[metric], kind)
            for name, kind, main, other in _models(evaluation, figures)
        ]
        blocks.append(paired(scores, names=ways, metric=metric_title(metric), chance=CHANCE))
    words = " ".join([*_sentences(told), figures.reading]).strip()
    blocks += [Paragraph(words), _table(evaluation, figures)]
    return Section(f"The same test with {figures.name}", blocks)


def contrast_warnings(evaluation: Evaluation) -> list[Callout]:
    """Say for the top of the report where the network is no better than chance in the harder way of asking."""
    if evaluation.task.is_value:
        return []
    tellings = [_told(evaluation, figures) for figures in evaluation.contrasts.values()]
    return [
        Callout(
            "warning",
            _chance_title(told),
            f"{told.title} is {told.hard.network} with {told.hard.name}, and {told.easy.network} with "
            f"{told.easy.name}. The section on the two shows what the difference comes from.",
        )
        for told in tellings
        if told.fails
    ]


def contrast_tiles(evaluation: Evaluation) -> list[KeyFigure]:
    """Put the figure under each contrast among the few that a reader wants first."""
    metric = _ranking(evaluation)
    if metric is None:
        return []
    return [
        KeyFigure(
            f"{capitalised(metric_title(metric))}, {name}",
            f"{figures.test[metric].value:.3f}",
            bounds_text(figures.test[metric]),
        )
        for name, figures in evaluation.contrasts.items()
    ]


def contrast_sentences(evaluation: Evaluation) -> list[str]:
    """Say in a sentence per contrast what the network reaches under it, for the model card and the subtitle."""
    metric = _ranking(evaluation) or evaluation.task.main_metric
    return [
        f"With {name} instead of {figures.main_name}, {metric_title(metric)} is {figures.test[metric]}."
        for name, figures in evaluation.contrasts.items()
    ]


def _ranking(evaluation: Evaluation) -> str | None:
    """Name the AUROC of the task as a whole, which negatives of any number leave comparable."""
    return next((name for name in ("auroc", "macro_auroc") if name in evaluation.test), None)


def _told(evaluation: Evaluation, figures: ContrastFigures) -> _Told:
    metric = _ranking(evaluation) or evaluation.task.main_metric
    main, other = (
        _Side(
            name,
            of.test[metric],
            _picked(of.baselines, metric),
            _picked(of.probes, metric),
            _picked(of.differences, metric),
        )
        for name, of in ((figures.main_name, evaluation), (figures.name, figures))
    )
    easy, hard = (main, other) if main.level >= other.level else (other, main)
    return _Told(easy, hard, metric_title(metric))


def _picked(models: Mapping[str, Metrics], metric: str) -> dict[str, Interval]:
    return {name: metrics[metric] for name, metrics in models.items()}


def _sentences(told: _Told) -> list[str]:
    """Say how far the network and the strongest others fall from the easier to the harder way."""
    easy, hard = told.easy, told.hard
    if not told.defined:
        return [f"{told.title} of the network is not defined in both ways, so that nothing can be said of the two."]
    fall = f"goes from {easy.network.value:.3f} to {hard.network.value:.3f}: {_left(easy.network, hard.network)}"
    said = [f"From {easy.name} to {hard.name}, {told.title} of the network {fall}."]
    for kind, easier, harder in (("probe", easy.probes, hard.probes), ("baseline", easy.baselines, hard.baselines)):
        first, second = _strongest(easier), _strongest(harder)
        if first is None or second is None:
            continue
        if first in harder:
            fall = f"from {easier[first].value:.3f} to {harder[first].value:.3f}"
            said.append(f"The strongest {kind}, {first}, goes {fall}: {_left(easier[first], harder[first])}.")
        if second != first:
            said.append(f"With {hard.name} the strongest {kind} is {second} ({harder[second].value:.3f}).")
        if kind == "probe":
            keeps = "is better than" if hard.beats(second) else "is not clearly better than"
            said.append(f"The network {keeps} the strongest probe there.")
    return said


def _left(easy: Interval, hard: Interval) -> str:
    """Say which share of what is above chance stays."""
    if not _above_chance(easy):
        return "neither is clearly above chance" if not _above_chance(hard) else "it loses nothing"
    if math.isnan(hard.value):
        return "the latter is not defined"
    if hard.value >= easy.value:
        return "it loses nothing"
    kept = max(0.0, (hard.value - CHANCE) / (easy.value - CHANCE))
    return f"{100 * kept:.0f} % of what it has above chance is left"


def _verdict(told: _Told) -> Callout | None:
    """Say what the two figures mean together."""
    hard = told.hard
    if told.fails:
        return Callout("warning", _chance_title(told), _failing(told))
    best = _strongest(hard.rivals)
    if not told.defined or best is None:
        return None
    figures = f"With {hard.name} the network reaches {told.title} {hard.network}, {best} {hard.rivals[best]}"
    difference = hard.differences[best]
    if hard.beats(best):
        title = f"With {hard.name}, too, the network beats every baseline and probe"
        return Callout("good", title, f"{figures}. It has learned something that none of the simpler models has.")
    if difference.excludes(0.0):
        text = f"{figures}: a simpler model is better by {abs(difference.value):.3f}. Prefer it where these matter."
        return Callout("warning", f"With {hard.name} a simpler model beats the network", text)
    text = f"{figures}. The difference is {difference} and may be chance."
    return Callout("finding", f"With {hard.name} a simpler model does as well", text)


def _failing(told: _Told) -> str:
    """Say where the figure came from that is gone."""
    easy, hard = told.easy, told.hard
    where = "includes" if not hard.network.excludes(CHANCE) else "lies below"
    text = f"Its {told.title} is {hard.network} with {hard.name}, which {where} the {CHANCE} of guessing. "
    if not hard.network.has_bounds:
        text = f"Its {told.title} is {hard.network.value:.3f} with {hard.name}, no more than the {CHANCE} of guessing. "
    shortcut = _strongest(easy.probes) or _strongest(easy.baselines)
    if not _above_chance(easy.network):
        text += f"Nor is it above chance with {easy.name} ({easy.network}): it has learned nothing."
    elif shortcut is not None and _above_chance(easy.rivals[shortcut]) and not easy.beats(shortcut):
        text += (
            f"What it reaches with {easy.name} ({easy.network.value:.3f}), {shortcut} alone reaches as well "
            f"({easy.rivals[shortcut].value:.3f}): beyond that it has learned nothing."
        )
    else:
        text += (
            f"What it reaches with {easy.name} ({easy.network.value:.3f}) comes from how those were chosen, and is not "
            "there where they were chosen otherwise."
        )
    return f"{text} Do not rank by this network."


def _chance_title(told: _Told) -> str:
    return f"With {told.hard.name} the network does no better than chance"


def _table(evaluation: Evaluation, figures: ContrastFigures) -> Table:
    wanted = ("auroc", "auprc", "macro_auroc", "macro_auprc")
    names = [name for name in wanted if name in evaluation.test] or list(overall_metrics(evaluation.task)[:2])
    ways = without_shared_end((figures.main_name, figures.name))
    columns = [f"{capitalised(metric_title(name))}, {way}" for name in names for way in ways]
    rows = [
        [f"{model} (probe)" if kind == "probe" else model]
        + [str(metrics[name]) for name in names for metrics in (main, other)]
        for model, kind, main, other in _models(evaluation, figures)
    ]
    note = f"{capitalised(figures.main_name)}: {evaluation.intervals} {capitalised(figures.name)}: {figures.intervals}"
    if not evaluation.task.is_value:
        note += " AUPRC, unlike AUROC, can be compared only where the share of positives is the same."
    caption = f"Every model with {figures.main_name} and with {figures.name}, each figure with its 95 % interval."
    return Table(["Model", *columns], rows, caption, note, highlighted=[0])


def _models(evaluation: Evaluation, figures: ContrastFigures) -> list[tuple[str, ModelKind, Metrics, Metrics]]:
    """List the models that are known in both ways: the network, the baselines, the probes."""
    found: list[tuple[str, ModelKind, Metrics, Metrics]] = [(NETWORK, "network", evaluation.test, figures.test)]
    groups: list[tuple[ModelKind, Mapping[str, Metrics], Mapping[str, Metrics]]] = [
        ("baseline", evaluation.baselines, figures.baselines),
        ("probe", evaluation.probes, figures.probes),
    ]
    for kind, mains, others in groups:
        found += [(name, kind, main, others[name]) for name, main in mains.items() if name in others]
    return found


def _strongest(rivals: Mapping[str, Interval]) -> str | None:
    defined = [name for name, figure in rivals.items() if math.isfinite(figure.value)]
    return max(defined, key=lambda name: rivals[name].value, default=None)


def _above_chance(figure: Interval) -> bool:
    """Tell whether a figure is above chance: by its interval where it has one, by itself where it has none."""
    return (figure.low if figure.has_bounds else figure.value) > CHANCE


def _counted(figures: ContrastFigures) -> str:
    return f"There are {figures.count:,} examples with {figures.name}."
