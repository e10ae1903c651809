"""The settings of protein interaction: where the graph comes from, how pairs are divided, what the network is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from primase.apps.contract import Configuration
from primase.configuration import Section, size
from primase.data.words import DatasetWords, GraphWords, SplitSection, refuse_ambiguous_input
from primase.training.configuration import TrainingConfiguration


class GraphData(DatasetWords, GraphWords):
    """Where the graph comes from, and how it is read."""

    pair_columns: tuple[str, ...] = ()
    """The two columns of names, such as protein1,protein2; by default the first two."""
    score_column: str | None = None
    """Column of scores; combined_score in files of STRING."""
    minimum_score: float | None = None
    """The least score of an edge that is kept; files of STRING have 0 to 1000, of which 700 is called high."""
    evidence: Literal["physical", "genetic", "all"] = "physical"
    """Which interactions of a BioGRID file are kept."""
    features: Path | None = None
    """What is known of each protein: a table of numbers whose first column is the name, or a sparse matrix (.npz)."""
    proteins: Path | None = None
    """FASTA of the proteins, from which composition and Pfam domains become features."""
    profiles: Path | None = None
    """Pfam profiles to search --proteins with; by default the registered subset of Pfam."""
    node_labels: Path | None = None
    """Table of a label per protein, which is then learned instead of interactions."""
    id_column: str = "id"
    """Column of names in --node-labels; the first where it is missing."""
    label_column: str = "label"
    """Column of labels in --node-labels; the second where it is missing."""
    threads: int = Field(default=0, ge=0)
    """Processor cores for the domain search; 0 for all."""

    @model_validator(mode="after")
    def _one_input(self) -> GraphData:
        refuse_ambiguous_input(self, ("dataset", "edges"))
        if self.pair_columns and len(self.pair_columns) != 2:
            message = "--pair-columns names two columns, such as protein1,protein2"
            raise ValueError(message)
        return self


class PairSplit(SplitSection):
    """How pairs of proteins are divided, and where those that do not interact come from."""

    split: Literal["auto", "given", "random", "degree-matched", "node-disjoint"] = "auto"
    """Draw edges at random, also with negatives of matching degree (degree-matched), keep proteins apart
    (node-disjoint), or take the parts as given; auto: given, else degree-matched."""
    negatives: Literal["auto", "given", "uniform", "degree-matched"] = "auto"
    """Non-edges to learn from and to be judged on: as given, any two unlinked proteins (uniform), or one protein of
    each edge with an unlinked one of the degree of the other; auto: as given, else as --split says, else uniform."""


class GraphNetwork(Section):
    """The graph network."""

    encoder: Literal["gcn", "sage", "gat", "propagation"] = "gcn"
    """How a protein hears from its neighbours: graph convolution, GraphSAGE, attention, or averages without weights."""
    hidden: tuple[PositiveInt, ...] = Field(default=(128, 128), min_length=1, json_schema_extra=size())
    """Widths of the layers; the last is the size of the embedding."""
    spectral: int = Field(default=256, ge=0)
    """Coordinates of each protein along so many main axes of the graph (eigenvectors), as input; 0 for none."""
    learned_embedding: bool = False
    """Also learn an input per protein; always so where there is no other input."""
    residual: bool = True
    """Add the input of each layer to its output, and normalise the embedding."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of values set to zero in training."""
    variational: bool = False
    """Learn a distribution per protein instead of a point (variational graph auto-encoder)."""
    decoder: Literal["inner", "bias", "bilinear", "mlp"] = "mlp"
    """How two embeddings become a score: inner product, the same with a bias per protein, bilinear, or dense layers."""
    decoder_hidden: int = Field(default=128, ge=2)
    """Width of the dense decoder."""
    pairs: Literal["sampled", "exact"] = "sampled"
    """Learn from links and as many drawn negatives, or, as in the paper, from all pairs of proteins at once."""
    folds: int = Field(default=10, ge=0)
    """Links are learned from graphs that lack them, so many, each without another share; 0 for one graph that has all,
    as in the paper."""
    fan_out: tuple[int, ...] = ()
    """The most neighbours to hear in training, per layer, the last layer first; empty for all of them. It saves time
    with small batches of a graph of far more than 100,000 proteins."""

    @model_validator(mode="after")
    def _fits(self) -> GraphNetwork:
        message = None
        if self.encoder == "gat" and any(width % 4 for width in self.hidden):
            message = "attention has four heads: give --hidden multiples of 4"
        elif self.encoder == "propagation" and (len(set(self.hidden)) > 1 or self.variational):
            message = "propagation has no weights: give --hidden equal widths, and leave --variational out"
        elif self.folds == 1:
            message = "one fold would leave no links to hear through: give --folds 0, or 2 and more"
        elif self.pairs == "exact" and self.decoder == "mlp":
            message = "--pairs exact needs a decoder that is a product of matrices: inner, bias or bilinear"
        elif self.pairs == "exact" and (self.folds or self.fan_out):
            message = "--pairs exact learns all pairs from one whole graph: give --folds 0 and leave --fan-out out"
        elif self.fan_out and len(self.fan_out) != len(self.hidden):
            message = f"--fan-out needs a number per layer: {len(self.hidden)}, and not {len(self.fan_out)}"
        elif self.fan_out and min(self.fan_out) < 1:
            message = "--fan-out needs numbers from 1"
        if message is not None:
            raise ValueError(message)
        return self


class InteractionConfiguration(Configuration):
    """All settings of protein interaction."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "encoder": "gcn",
            "hidden": (32, 16),
            "spectral": 0,
            "residual": False,
            "decoder": "inner",
            "pairs": "exact",
            "folds": 0,
            "epochs": 20,
            "patience": 20,
            "learning_rate": 0.01,
            "weight_decay": 0.0,
            "schedule": "constant",
            "members": 1,
        }
    }

    preset: Literal["paper"] | None = None
    """Settings by name, which others given beside it change: paper is the graph auto-encoder of the review."""
    data: GraphData = GraphData()
    split: PairSplit = PairSplit()
    network: GraphNetwork = GraphNetwork()
    training: TrainingConfiguration = TrainingConfiguration(
        epochs=8,
        batch_size=32_768,
        learning_rate=3e-3,
        weight_decay=1e-4,
        patience=3,
        members=3,
        cpu_threads=1,
        precision="32",
    )
