"""DNA function: its settings, and what it declares of itself."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, PositiveInt

from primase.apps.contract import Application
from primase.apps.dna_function.sources import SOURCES
from primase.apps.sequences.configuration import SequenceConfiguration
from primase.configuration import Section, size
from primase.data.motif_sources import JASPAR
from primase.training.configuration import TrainingConfiguration

Preset = Literal["small", "danq"]
Share = Annotated[float, Field(ge=0, lt=1)]

PRESETS: Final[dict[Preset, dict[str, Any]]] = {
    "small": {
        "filters": (96, 96),
        "widths": (13, 5),
        "pools": (4, 2),
        "units": 48,
        "hidden": 0,
        "normalise": True,
        "padded": True,
        "head": "global",
    },
    "danq": {
        "filters": (320,),
        "widths": (26,),
        "pools": (13,),
        "units": 320,
        "hidden": 925,
        "normalise": False,
        "padded": False,
        "head": "flat",
    },
}
"""The sizes of the network: one that trains on two processor cores, and that of DanQ (Quang and Xie 2016)."""


class DnaNetworkSection(Section):
    """Convolutions, a recurrent layer, dense layers."""

    preset: Preset = "small"
    """The sizes of the network where they are not said: small trains on two cores, danq is that of the paper."""
    filters: tuple[PositiveInt, ...] | None = Field(default=None, json_schema_extra=size())
    """Filters of each convolution; by default 96,96, or 320 (danq)."""
    widths: tuple[PositiveInt, ...] | None = None
    """How many letters or places a filter of each convolution spans; by default 13,5, or 26 (danq)."""
    pools: tuple[PositiveInt, ...] | None = None
    """How many places become one behind each convolution; by default 4,2, or 13 (danq)."""
    pooling: Literal["max", "average"] = "max"
    """Keep the strongest of these places, or their mean."""
    residual_blocks: int = Field(default=0, ge=0)
    """Dilated blocks behind the convolutions, which widen the view."""
    compact: bool = False
    """Convolve each channel apart and then mix them, in all layers but the first: fewer weights."""
    recurrence: Literal["lstm", "gru", "none"] = "lstm"
    """The layer that reads places in their order, in both directions."""
    units: int | None = Field(default=None, ge=1, json_schema_extra=size())
    """Units of each direction of the recurrent layer; by default 48, or 320 (danq)."""
    head: Literal["flat", "global", "attention"] | None = None
    """Read all places in their order (flat, by default of danq), the strongest and the mean (global, by default of
    small), or means that the network weighs (attention)."""
    hidden: int | None = Field(default=None, ge=0, json_schema_extra=size())
    """Width of the dense layer, 0 for none; by default none, or 925 (danq)."""
    dropout: tuple[Share, Share] = (0.2, 0.5)
    """Shares set to zero in training, behind the convolutions and behind the recurrent layer."""
    shift: int = Field(default=3, ge=0)
    """In training, move each sequence by up to so many base pairs."""
    both_strands: bool = True
    """Learn from either strand, and answer by the mean over both."""

    def sizes(self) -> dict[str, Any]:
        """Return the sizes of the network: what is said, and else what the preset has."""
        said = {name: getattr(self, name, None) for name in PRESETS[self.preset]}
        return PRESETS[self.preset] | {name: value for name, value in said.items() if value is not None}


class DnaConfiguration(SequenceConfiguration):
    """All settings of DNA function."""

    network: DnaNetworkSection = DnaNetworkSection()
    training: TrainingConfiguration = TrainingConfiguration(
        epochs=8, batch_size=64, learning_rate=2e-3, weight_decay=1e-2, patience=4, members=2
    )


APP = Application(
    name="dna-function",
    question="Which chromatin features, or other functions, does this DNA carry?",
    architecture="convolutions and a bidirectional LSTM on one-hot letters",
    section="3.4",
    configuration=DnaConfiguration,
    workflow="primase.apps.dna_function.workflow:DnaWorkflow",
    verbs=frozenset({"train", "evaluate", "predict", "explain", "scan"}),
    sources=(*SOURCES, JASPAR),
    demo={"dataset": "yeast-genome", "split": "chromosome", "epochs": 3, "members": 1},
)
