"""What the report says of a model that started from another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from primase.evaluation.intervals import Interval
from primase.report.performance import count_text
from primase.report.sections import Block, Callout, Paragraph, Section
from primase.training.starting import Freezing, TakenOver

_SHOWN: Final = 10


@final
@dataclass(frozen=True, slots=True)
class StartFacts:
    """What there is to say of it.

    Parameters
    ----------
    parent, parent_data
        The name of the other model, and what it was trained on.
    taken
        What the network has of it.
    freeze, lower_rate
        What was kept, and how slowly the rest learned.
    everything, seen, not_seen
        The main metric on the whole test, and on the examples that the other model has seen and has not; None where
        there are not both.
    metric
        Its title.
    """

    parent: str
    parent_data: str
    taken: TakenOver
    freeze: Freezing
    lower_rate: float
    everything: Interval
    seen: Interval | None
    not_seen: Interval | None
    metric: str


def starting_section(facts: StartFacts) -> Section:
    """Say what was taken over, what is new and what was kept, and warn of a test that the other model knows."""
    blocks: list[Block] = []
    if facts.seen is not None and facts.not_seen is not None:
        text = (
            f"Part of the test was among what {facts.parent} was trained or chosen on. On all of it, {facts.metric} is "
            f"{facts.everything}; on what that model had seen, {facts.seen}; on the rest, {facts.not_seen}. The last "
            "is the honest figure."
        )
        blocks.append(Callout("warning", "The model that it started from knew part of the test", text))
    blocks.append(Paragraph(" ".join([_copied(facts), _answers(facts.taken), _learned(facts)])))
    text = (
        "The other model is part of this one: what misled it, such as a batch or the way its examples were chosen, "
        "may mislead this one, too. Test examples that are similar to its training data without being identical "
        "cannot be told here."
    )
    return Section("What it started from", [*blocks, Paragraph(text)])


def _copied(facts: StartFacts) -> str:
    copied, total = facts.taken.values
    return (
        f"Training began with the weights of {facts.parent}, which was trained on {facts.parent_data}: {copied:,} of "
        f"{total:,} numbers, in {count_text(len(facts.taken.layers), 'layer')} below the last. The inputs are read as "
        "that model reads them."
    )


def _answers(taken: TakenOver) -> str:
    if not taken.new:
        return f"The last layer ({taken.last}) was taken over, too, as the answers are the same."
    new = _listed(taken.new)
    if not taken.kept:
        return f"The last layer ({taken.last}) is new, as all answers are: {new}."
    return (
        f"Of the last layer ({taken.last}) the rows of {_listed(taken.kept)} were taken over; those of {new} are new."
    )


def _learned(facts: StartFacts) -> str:
    if facts.freeze == "all-but-last":
        return "All layers but the last were frozen: their weights and the statistics of their normalisation are kept."
    if facts.lower_rate == 1:
        return "All layers went on learning at the same rate."
    return f"All layers went on learning, those below the last at {facts.lower_rate:g} of the learning rate."


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
