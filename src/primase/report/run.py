"""Everything that there is to say of a training run, for the report, the card and the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from primase.data.audit import Finding, Fingerprints, Kinship
from primase.data.examples import Examples
from primase.data.splits import Part, Partition
from primase.data.tasks import Task
from primase.evaluation.assessment import Assessment
from primase.evaluation.gap import Gap
from primase.evaluation.intervals import Interval
from primase.evaluation.operating import OperatingPoint
from primase.report.sections import Section
from primase.training.fitted import Fitted


@dataclass(frozen=True, slots=True)
class Subject:
    """What was asked, of what, and how: the words that the report begins with.

    Parameters
    ----------
    application, question, architecture
        Of the application.
    paper_section
        Where the review treats it.
    dataset
        The input, as the user named it.
    command
        What trains the same model again.
    card
        The application's own card: points by heading.
    """

    application: str
    question: str
    architecture: str
    paper_section: str
    dataset: str
    command: str
    card: Mapping[str, Sequence[str]]


@final
@dataclass(frozen=True, slots=True)
class Insights:
    """What an application has to say of a trained model as a whole.

    Parameters
    ----------
    sections
        For the report.
    figures
        For ``metrics.json``: measures by name, of one or more things by name.
    """

    sections: Sequence[Section] = ()
    figures: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)

    def to_state(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """Describe the figures in JSON."""
        return {
            name: {measure: interval.to_state() for measure, interval in measures.items()}
            for name, measures in self.figures.items()
        }


@final
@dataclass(frozen=True, slots=True)
class Remedy:
    """What was done about a known weakness of deep networks, as far as it is to be told.

    Parameters
    ----------
    name
        Its key in ``metrics.json``.
    state
        What stands there.
    sections
        For the report.
    """

    name: str
    state: Mapping[str, Any]
    sections: Sequence[Section] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRun:
    """A finished training run, before it is written down.

    Parameters
    ----------
    validation
        The answers on the validation part: calibrated probabilities, or values.
    unit_name
        What the split keeps together, in the singular.
    insights
        What the application adds.
    kinship
        Which test examples are related to one in train, where the application can tell.
    seconds
        How long each stage took.
    truth
        What the answers are measured against, for validation and test; where a part is not there, its targets.
    scale
        On which scale values are, such as ``"log2(x + 1)"``; empty where there is nothing to say.
    remedies
        What was done beside the usual, on request.
    operating
        Where the line between no and yes is drawn, if not in the middle.
    gap
        How much better the network is on training examples, where that tells anything.
    """

    subject: Subject
    task: Task
    examples: Examples[Any]
    partition: Partition
    identities: Fingerprints
    findings: Sequence[Finding]
    members: Sequence[Fitted]
    assessment: Assessment
    validation: np.ndarray[Any, Any]
    unit_name: str
    insights: Insights
    kinship: Kinship | None
    configuration: Mapping[str, Any]
    seconds: Mapping[str, float]
    peak_memory_mib: float
    version: str
    truth: Mapping[Part, np.ndarray[Any, Any]] = field(default_factory=dict)
    scale: str = ""
    remedies: Sequence[Remedy] = ()
    operating: OperatingPoint | None = None
    gap: Gap | None = None

    @property
    def cuts(self) -> Sequence[float] | None:
        """From which probability on a label is predicted; None for the most probable one."""
        return None if self.operating is None else self.operating.cuts

    def truth_of(self, part: Part) -> np.ndarray[Any, Any]:
        """Return what the answers on a part are measured against."""
        known = self.truth.get(part)
        return self.examples.targets[self.partition.part(part)] if known is None else known
