"""Enzyme identification: its settings, and what it declares of itself."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from primase.apps.contract import Application, Configuration
from primase.apps.enzyme_identification.sources import SOURCES
from primase.configuration import Section, size
from primase.data.words import DatasetWords, PairWords, SplitSection, TableWords, TargetWord, refuse_ambiguous_input
from primase.training.configuration import TrainingConfiguration


class EnzymeData(DatasetWords, PairWords, TableWords, TargetWord):
    """Where the proteins come from, and what is asked of them."""

    domains_column: str = "domains"
    """Column of ready-made domain lists, families separated by semicolons; used where the table has it."""
    profiles: Path | None = None
    """Pfam profiles to search with (.hmm or .h3m, also gzipped); by default the registered subset of Pfam."""
    answer: Literal["enzyme", "main-class"] = "enzyme"
    """Ask whether it is an enzyme, or which main class (EC 1 to 7) it belongs to."""
    threads: int = Field(default=0, ge=0)
    """Processor cores for the domain search; 0 for all."""

    @model_validator(mode="after")
    def _one_input(self) -> EnzymeData:
        refuse_ambiguous_input(self, ("dataset", "table", "positives"))
        return self


class EnzymeSplit(SplitSection):
    """How proteins are divided."""

    split: Literal["auto", "cluster", "random", "given"] = "auto"
    """Keep homologous proteins together (cluster), draw at random, or take the parts as given; auto: given, else
    cluster."""
    similarity: float = Field(default=0.5, gt=0, le=1)
    """The share of common words of five residues from which two proteins count as homologous."""


class EnzymeNetwork(Section):
    """The dense network on domain vectors."""

    hidden: tuple[PositiveInt, ...] = Field(default=(256, 128), min_length=1, json_schema_extra=size())
    """Widths of the layers; the first reads the sparse domain vector."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of hidden values set to zero in training."""
    domain_dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of domains hidden in training, so that the network also learns from the pieces of their names."""
    names: bool = True
    """Also read the pieces of domain names, which related families share, so that new families say something."""
    composition: bool = True
    """Also read length and amino-acid composition, where sequences are known."""


class EnzymeConfiguration(Configuration):
    """All settings of enzyme identification."""

    inherited: ClassVar[frozenset[str]] = frozenset({"profiles"})
    """How a model that starts from another finds domains: as that one does."""

    data: EnzymeData = EnzymeData()
    split: EnzymeSplit = EnzymeSplit()
    network: EnzymeNetwork = EnzymeNetwork()
    training: TrainingConfiguration = TrainingConfiguration(
        epochs=8,
        batch_size=512,
        learning_rate=2e-3,
        weight_decay=1e-4,
        patience=3,
        members=3,
        cpu_threads=1,
        precision="32",
    )


APP = Application(
    name="enzyme-identification",
    question="Is this protein an enzyme, and of which main class?",
    architecture="dense layers on Pfam domain vectors",
    section="3.1",
    configuration=EnzymeConfiguration,
    workflow="primase.apps.enzyme_identification.workflow:EnzymeWorkflow",
    verbs=frozenset({"train", "evaluate", "predict", "explain"}),
    sources=SOURCES,
    demo={"dataset": "yeast-proteome"},
)
