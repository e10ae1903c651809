"""Signal peptides: the settings of the application, and what it declares of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from primase.apps.contract import Application, Configuration
from primase.configuration import Section
from primase.data.words import SplitSection


class SignalData(Section):
    """Where the proteins come from, and how much of them is looked at."""

    positives: Path | None = None
    """FASTA of proteins with a signal peptide."""
    negatives: Path | None = None
    """FASTA of proteins without one."""


class SignalSplit(SplitSection):
    """How proteins are divided."""

    split: Literal["auto", "cluster", "random"] = "auto"
    """Keep similar proteins together (cluster; what auto stands for), or draw at random."""


class SignalNetwork(Section):
    """The network on the composition of the first residues."""

    residues: int = Field(default=30, ge=5)
    """How many residues from the start of the protein the network sees."""
    hidden: int = Field(default=32, ge=1)
    """Width of the hidden layer."""


class SignalConfiguration(Configuration):
    """All settings; what is not narrowed here is the same for every application."""

    data: SignalData = SignalData()
    split: SignalSplit = SignalSplit()
    network: SignalNetwork = SignalNetwork()


APP = Application(
    name="signal-peptide",
    question="Does this protein carry a signal peptide?",
    architecture="two dense layers on the composition of the first residues",
    section="none",
    configuration=SignalConfiguration,
    workflow="primase.apps.signal_peptide.workflow:SignalWorkflow",
    verbs=frozenset({"train", "evaluate", "predict", "explain"}),
)
