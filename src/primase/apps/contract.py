"""What an application declares: a question, its settings, its data; light enough to be listed without loading torch."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from primase.configuration import Section
from primase.data.sources import Source
from primase.data.words import SplitSection
from primase.training.configuration import TrainingConfiguration

if TYPE_CHECKING:  # the workflow loads torch, which takes seconds
    from primase.apps.workflow import Workflow

Verb = Literal["train", "evaluate", "predict", "explain", "scan", "rank", "embed", "generate", "reconstruct"]


class RemediesSection(Section):
    """What is done about the known weaknesses of deep networks that give probabilities."""

    calibration: Literal["temperature", "none"] = "temperature"
    """How probabilities are corrected, on validation data."""


class ValueRemediesSection(Section):
    """What is done about the known weaknesses of deep networks that give values."""

    calibration: Literal["conformal", "none"] = "conformal"
    """How wide an interval is put around each value, on validation data."""
    coverage: float = Field(default=0.9, gt=0, lt=1)
    """The share of values that their intervals should hold."""


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
