"""RNA binding: its settings, and what it declares of itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from primase.apps.contract import Application
from primase.apps.rna_binding.sources import SOURCES
from primase.apps.sequences.configuration import SequenceConfiguration
from primase.configuration import Section, size
from primase.data.motif_sources import ATTRACT
from primase.training.configuration import TrainingConfiguration


class RnaNetworkSection(Section):
    """The convolutional network."""

    convolution: Literal["1d", "2d"] = "1d"
    """Convolve along the sequence and forget where things are (1d), or the image of it, as the paper does (2d)."""
    filters: tuple[PositiveInt, ...] = Field(default=(96, 96, 96), min_length=1, json_schema_extra=size())
    """Filters of each convolution; the 2d network has two convolutions of the first number."""
    widths: tuple[PositiveInt, ...] = Field(default=(11, 5, 5), min_length=1)
    """How many letters or places a filter of each convolution spans; the 2d network takes the first."""
    pools: tuple[PositiveInt, ...] = Field(default=(4, 2, 1), min_length=1)
    """How many places become one behind each convolution; 1d only."""
    residual_blocks: int = Field(default=0, ge=0)
    """Dilated blocks behind the convolutions, which widen the view; 1d only."""
    compact: bool = False
    """Convolve each channel apart and then mix them, in all layers but the first: fewer weights; 1d only."""
    hidden: int = Field(default=200, ge=1, json_schema_extra=size())
    """Width of the dense layer; 2d only."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of the features set to zero in training."""
    shift: int = Field(default=3, ge=0)
    """In training, move each sequence by up to so many letters."""
    both_strands: bool = False
    """Not for RNA, which is one strand: the other one is another molecule. dna-function has it."""

    @model_validator(mode="after")
    def _one_strand(self) -> RnaNetworkSection:
        if self.both_strands:
            message = (
                "RNA is one strand, and its reverse complement another molecule that the protein does not meet: leave "
                "--both-strands out, or use dna-function for DNA"
            )
            raise ValueError(message)
        if self.compact and self.convolution == "2d":
            message = "--compact is for --convolution 1d: the layers of the paper's network are small already"
            raise ValueError(message)
        return self


class RnaConfiguration(SequenceConfiguration):
    """All settings of RNA binding."""

    network: RnaNetworkSection = RnaNetworkSection()
    training: TrainingConfiguration = TrainingConfiguration(
        epochs=8, batch_size=64, learning_rate=2e-3, weight_decay=1e-2, patience=4, members=3
    )


APP = Application(
    name="rna-binding",
    question="Does this protein bind this RNA?",
    architecture="convolutions on one-hot letters",
    section="3.3",
    configuration=RnaConfiguration,
    workflow="primase.apps.rna_binding.workflow:RnaWorkflow",
    verbs=frozenset({"train", "evaluate", "predict", "explain", "scan"}),
    sources=(*SOURCES, ATTRACT),
    demo={"dataset": "simulated"},
)
