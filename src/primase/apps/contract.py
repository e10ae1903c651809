"""What an application declares: a question, its settings, its data; light enough to be listed without loading torch."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from pydantic import Field, model_validator

from primase.configuration import Section
from primase.data.sources import Source
from primase.data.words import SplitSection
from primase.training.configuration import TrainingConfiguration

if TYPE_CHECKING:  # the workflow loads torch, which takes seconds
    from primase.apps.workflow import Workflow

Verb = Literal["train", "evaluate", "predict", "explain", "scan", "rank", "embed", "generate", "reconstruct"]


class InputRemedies(Section):
    """What is done to the inputs in training, so that no network learns them by heart."""

    mixup: float = Field(default=0.0, ge=0)
    """Train on pairs of inputs and answers mixed with each other, in shares drawn from Beta(this, this), such as 0.2;
    0 for not at all. For values, images and letters."""
    corruption: float = Field(default=0.0, ge=0, lt=1)
    """Hide this share of every training input: letters, values, domains, or a square of an image; another in each
    step."""
    input_noise: float = Field(default=0.0, ge=0)
    """Add Gaussian noise to training inputs that are values or images: its standard deviation, as a multiple of how
    much they vary themselves."""


_OF_OTHERS: Final = (
    ("focal_gamma", "imbalance", ("focal",)),
    ("operating_rate", "operating_point", ("sensitivity", "specificity")),
    ("cost_ratio", "operating_point", ("cost",)),
)
"""Settings that would be ignored without what another one is set to."""


class RemediesSection(InputRemedies):
    """What is done about the known weaknesses of deep networks that give probabilities."""

    calibration: Literal["temperature", "platt", "histogram", "isotonic", "bbq", "none"] = "temperature"
    """How probabilities are corrected, on validation data."""
    coverage: float | None = Field(default=None, gt=0, lt=1)
    """Also predict a set of labels, which should hold the true one in this share of cases, such as 0.9."""
    prevalence: float | None = Field(default=None, gt=0, lt=1)
    """Of two labels, the share of positives among what will be predicted, where it is another than in the data."""
    imbalance: Literal["none", "weighted", "focal", "auc-margin", "up-sampling", "down-sampling"] = "none"
    """What is done about rare answers, in training alone: count them the more the rarer they are (weighted), make
    little of what is easy (focal), rank positives above negatives (auc-margin; for yes-or-no answers), show small
    classes several times (up-sampling) or large ones in part (down-sampling); the latter two for one answer out of
    several. Probabilities are then too high for what is rare, which calibration mends in part only."""
    focal_gamma: float = Field(default=2.0, ge=0)
    """How little the focal loss makes of what is easy; 0 is the plain loss."""
    confidence_penalty: float = Field(default=0.0, ge=0)
    """Reward doubt in training: by so much the entropy of the answers is multiplied, such as 0.1; 0 for not at all."""
    operating_point: Literal["none", "youden", "f1", "sensitivity", "specificity", "cost"] = "none"
    """What the cut between no and yes is chosen for, on validation: the largest sum of sensitivity and specificity
    (youden), the largest F1, at least --operating-rate of one of them, or the least cost. The column `prediction`
    follows it; none: the most probable answer, or labels of at least one half."""
    operating_rate: float = Field(default=0.95, gt=0, le=1)
    """The sensitivity or specificity that the cut is to have."""
    cost_ratio: float = Field(default=10.0, gt=0)
    """How many times as much as a false alarm a missed positive costs, where the cut is chosen for the least cost."""

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        for name, other, chosen in _OF_OTHERS:
            if getattr(self, name) != type(self).model_fields[name].default and getattr(self, other) not in chosen:
                wanted = " or ".join(f"--{other.replace('_', '-')} {one}" for one in chosen)
                message = f"--{name.replace('_', '-')} has a meaning with {wanted} only: add that, or leave it out"
                raise ValueError(message)
        return self


class ValueRemediesSection(InputRemedies):
    """What is done about the known weaknesses of deep networks that give values."""

    calibration: Literal["conformal", "none"] = "conformal"
    """How wide an interval is put around each value, on validation data."""
    coverage: float = Field(default=0.9, gt=0, lt=1)
    """The share of values that their intervals should hold."""

    @model_validator(mode="after")
    def _has_intervals(self) -> Self:
        if self.calibration == "none" and self.coverage != type(self).model_fields["coverage"].default:
            message = "--coverage is that of intervals, which --calibration none leaves out: choose one of the two"
            raise ValueError(message)
        return self


class Configuration(Section):
    """All settings of an application; each narrows the sections that differ."""

    seed: int = Field(default=0, ge=0)
    """Decides the split and everything random in training."""
    data: Section = Section()
    split: SplitSection = SplitSection()
    network: Section = Section()
    training: TrainingConfiguration = TrainingConfiguration()
    remedies: RemediesSection = RemediesSection()


@dataclass(frozen=True, slots=True)
class Application:
    """A question that biologists ask, and where the code is that answers it.

    Parameters
    ----------
    name
        As typed on the command line, such as ``"enzyme-identification"``.
    question
        One line that a biologist understands.
    architecture
        The network, in a few words.
    section
        Where the review treats it.
    configuration
        The class of its settings.
    workflow
        ``"module:Class"`` of its :class:`~primase.apps.workflow.Workflow`, loaded when there is work to do.
    verbs
        What its models are capable of.
    sources
        The data sets it registers.
    demo
        Settings of ``primase demo``, by name.
    embeds_new
        Whether ``embed`` reads new examples, and does not list what the model knows.
    predicts_images
        Whether ``predict`` writes a folder of images, and not a table.
    """

    name: str
    question: str
    architecture: str
    section: str
    configuration: type[Configuration]
    workflow: str
    verbs: frozenset[Verb]
    sources: Sequence[Source] = ()
    demo: Mapping[str, Any] = field(default_factory=dict)
    embeds_new: bool = False
    predicts_images: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", self.name):
            message = f"an application's name is lower-case words joined by hyphens, not {self.name!r}"
            raise ValueError(message)

    def load(self) -> Workflow[Any, Any]:
        """Import the code that does the work, and torch with it."""
        module, _, name = self.workflow.partition(":")
        workflow: Workflow[Any, Any] = getattr(importlib.import_module(module), name)()
        return workflow

    @property
    def folder(self) -> Path:
        """Where its ``card.md`` lies."""
        module = importlib.import_module(self.workflow.partition(":")[0].rpartition(".")[0])
        return Path(str(module.__file__)).parent
