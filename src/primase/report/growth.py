"""What the report says of how good the model becomes with more data, and whether still more would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from primase.evaluation.intervals import Interval
from primase.evaluation.metrics import metric_title
from primase.remedies.learning_curve import PowerLaw, error_of, fit_power_law, metric_of
from primase.report.figures.growth import growth
from primase.report.performance import capitalised
from primase.report.run import Remedy
from primase.report.sections import Block, Callout, CalloutKind, Paragraph, Section, Table

OPEN: Final = 0.25
"""Where the last step may have taken away so large a share of the error, nobody can say that more data do not help."""


@final
@dataclass(frozen=True, slots=True)
class Growth:
    """What came of training on more and more examples.

    Parameters
    ----------
    metric
        What was measured.
    sizes
        How many examples were trained on, ascending; the last is the whole training part.
    network, baseline
        The metric of the network at each, and that of the best baseline.
    rival
        The name of that baseline.
    last_doubling
        By how much the network on all examples is better than the one on the share before, drawn together; above 0 is
        better, whatever the metric.
    simulated
        How many simulated examples all of them were trained on beside.
    """

    metric: str
    sizes: tuple[int, ...]
    network: tuple[Interval, ...]
    baseline: tuple[Interval, ...]
    rival: str
    last_doubling: Interval
    simulated: int = 0

    @property
    def law(self) -> PowerLaw | None:
        """The power law that the network's errors follow, if they do."""
        return fit_power_law(self.sizes, [error_of(self.metric, figure.value) for figure in self.network])

    @property
    def expected(self) -> tuple[int, Interval] | None:
        """What is to be expected of twice as many examples, if the law goes on."""
        law = self.law
        if law is None:
            return None
        at = 2 * self.sizes[-1]
        ends = sorted(metric_of(self.metric, error) for error in law.bounds(at))
        return at, Interval(metric_of(self.metric, law.error(at)), *ends)

    def remedy(self) -> Remedy:
        """Say it in the report and in ``metrics.json``."""
        law, expected = self.law, self.expected
        state: dict[str, Any] = {
            "metric": self.metric,
            "examples": list(self.sizes),
            "network": [figure.to_state() for figure in self.network],
            "baseline": {"name": self.rival, "test": [figure.to_state() for figure in self.baseline]},
            "last_doubling": self.last_doubling.to_state(),
            "power_law": None,
        }
        if law is not None and expected is not None:
            state["power_law"] = {
                "exponent": law.exponent,
                "determination": law.determination,
                "expected": {"examples": expected[0], **expected[1].to_state()},
            }
        return Remedy("learning_curve", state, [growth_section(self)])


def growth_section(found: Growth) -> Section:
    """Draw the curve, and say in a sentence whether more data would help."""
    title, rival = capitalised(metric_title(found.metric)), found.rival
    figures: Mapping[str, Sequence[Interval]] = {"network": found.network, rival: found.baseline}
    rows = [
        [f"{size:,}", str(network), str(baseline)]
        for size, network, baseline in zip(found.sizes, found.network, found.baseline, strict=True)
    ]
    note = "Each is one training with the same settings, on nested random shares of the training part."
    if found.simulated:
        note += f" All had {found.simulated:,} simulated examples beside, which are not counted here."
    blocks: list[Block] = [
        growth(found.sizes, figures, metric=title, expected=found.expected),
        Table(["Training examples", "Network", capitalised(rival)], rows, f"{title} by training examples.", note),
        Callout(*verdict(found)),
    ]
    text = (
        "All were chosen on the whole validation part and judged on the same test, so that the intervals move "
        "together; chance in training is not in them. The baseline is the best one on all examples."
    )
    return Section("Would more data help?", [*blocks, Paragraph(text)])


def verdict(found: Growth) -> tuple[CalloutKind, str, str]:
    """Say whether more data would help: by the last doubling, and by the power law where one fits."""
    title, gain, law, expected = metric_title(found.metric), found.last_doubling, found.law, found.expected
    clear = gain.excludes(0.0) and gain.value > 0
    said = (
        f"The last step, from {found.sizes[-2]:,} to {found.sizes[-1]:,} examples, made {title} better by {gain}"
        f"{'' if clear else ', which may be chance'}."
    )
    if law is None or expected is None:
        said += (
            " The errors follow no power law over these sizes, so that nothing can be said of how far it would go on."
        )
        if clear:
            return "finding", "More data would probably help", said
        if not gain.has_bounds or gain.high >= OPEN * error_of(found.metric, found.network[-1].value):
            said += " The test is too small to tell a gain from chance."
            return "finding", "Whether more data would help cannot be told", said
        return "finding", "More of the same data may not help", said
    said += (
        f" The error falls by {law.per_doubling:.0%} with every doubling. If it goes on so, twice as many examples "
        f"({expected[0]:,}) would give {title} {expected[1]}."
    )
    if clear:
        return "good", "More data would help", said
    return "finding", "More data may help a little", said
