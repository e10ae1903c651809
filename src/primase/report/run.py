"""Everything that there is to say of a training run, for the report, the card and the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from primase.data.audit import Finding, Fingerprints, Kinship
from primase.data.examples import Examples
from primase.data.splits import Partition
from primase.data.tasks import Task
from primase.evaluation.assessment import Assessment
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


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRun:
    """A finished training run, before it is written down.

    Parameters
    ----------
    validation
        Calibrated probabilities on the validation part.
    unit_name
        What the split keeps together, in the singular.
    insights
        Sections that the application adds.
    kinship
        Which test examples are related to one in train, where the application can tell.
    seconds
        How long each stage took.
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
    insights: Sequence[Section]
    kinship: Kinship | None
    configuration: Mapping[str, Any]
    seconds: Mapping[str, float]
    peak_memory_mib: float
    version: str
