"""Probes: what can be predicted from a nuisance alone, such as length, and so has not been earned by the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.evaluation.baselines import Baseline, FeatureFunction, FittedBaseline
from primase.evaluation.intervals import Interval
from primase.evaluation.metrics import lower_is_better, metric_title
from primase.evaluation.models import BestOf


@final
@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A small model that sees nothing but a nuisance.

    The model is logistic regression or boosted small trees, whichever is better on validation: a weak probe would
    flatter the network.

    Parameters
    ----------
    name
        As the figures name it, such as ``"length and composition"``; it also begins the sentence in the report.
    features
        From examples to a few dense columns.
    """

    name: str
    features: FeatureFunction

    def fit(self, task: Task, train: Examples[Any], validation: Examples[Any]) -> FittedBaseline:
        """Train on train and choose the model on validation; see :meth:`Baseline.fit`."""
        description = f"Sees {self.name} and nothing else."
        return Baseline(self.name, description, self.features, BestOf.small()).fit(task, train, validation)


def probe_verdict(network: Interval, probe: Interval, *, nuisance: str, metric: str, chance: float) -> str:
    """Say in plain words how much of the network's figure a nuisance alone would have given.

    Parameters
    ----------
    network, probe
        The same metric of both, on the same test.
    nuisance
        What the probe sees, as it begins a sentence: ``"length and composition"``.
    metric
        Which metric, of which more or less is better.
    chance
        What is reached without looking at anything: the same metric of the baseline that does not, such as 0.5 for
        AUROC, or the error of the mean.

    Returns
    -------
    str
        One or two sentences.

    Examples
    --------
    >>> network, probe = Interval(0.93, 0.92, 0.94), Interval(0.715, 0.69, 0.74)
    >>> verdict = probe_verdict(network, probe, nuisance="length", metric="auroc", chance=0.5)
    >>> print(verdict[:82])
    Length alone: AUROC 0.715 [0.690, 0.740]; the network: 0.930 [0.920, 0.940]. About
    >>> print(verdict[77:])
    About 50 % of what the network reaches above chance can be had without looking at anything else.
    """
    lower = lower_is_better(metric)
    nothing = "a guess that looks at nothing" if lower else "chance"
    title = metric_title(metric)
    figures = f"{nuisance[:1].upper()}{nuisance[1:]} alone: {title} {probe}; the network: {network}."
    # A comparison with NaN is false, so that a figure that is not defined must be asked for first.
    if not (abs(network.value) < float("inf") and abs(probe.value) < float("inf")):
        return f"{figures} Nothing can be said of the two."
    ours, theirs, reached = (_mirrored(network), _mirrored(probe), -chance) if lower else (network, probe, chance)
    if not _above(ours, reached):
        return f"{figures} The network itself is not clearly better than {nothing} ({chance:.3f})."
    if not _above(theirs, reached):
        return (
            f"{figures} The nuisance is no better than {nothing} ({chance:.3f}): it does not explain the network's "
            "figure."
        )
    if theirs.value >= ours.value:
        return f"{figures} The nuisance alone does as well as the network, which has shown nothing beyond it."
    share = f"{(theirs.value - reached) / (ours.value - reached):.0%}".replace("%", " %")
    what = f"the network's lead over {nothing}" if lower else "what the network reaches above chance"
    overlap = ours.has_bounds and theirs.has_bounds and theirs.high >= ours.low
    return (
        f"{figures} About {share} of {what} can be had without looking at anything else."
        f"{' The two intervals overlap.' if overlap else ''}"
    )


def _mirrored(figure: Interval) -> Interval:
    """Turn a figure of which less is better into one of which more is."""
    return Interval(-figure.value, -figure.high, -figure.low)


def _above(figure: Interval, chance: float) -> bool:
    """Tell whether a figure is above chance: by its interval where it has one, by itself where it has none."""
    return (figure.low if figure.has_bounds else figure.value) > chance
