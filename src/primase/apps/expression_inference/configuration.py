"""The settings of expression inference: which genes are measured, which are inferred, and by what network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator

from primase.apps.contract import ValueRemediesSection
from primase.apps.expression.configuration import ExpressionConfiguration, ExpressionData
from primase.configuration import Section, size
from primase.training.configuration import TrainingConfiguration


class InferenceData(ExpressionData):
    """Where the profiles come from, and which genes are landmarks and targets."""

    landmarks: Path | None = None
    """List of the genes that are measured, one a line; by default those of the L1000 landmarks that occur."""
    choose_landmarks: int = Field(default=0, ge=0)
    """Choose so many landmarks on train instead: one of each cluster of genes that go up and down together."""
    targets: Path | None = None
    """List of the genes to infer, one a line; by default all that are no landmarks."""
    maximum_correlation: float = Field(default=1.0, gt=0, le=1)
    """The largest correlation of a target with a landmark on train, such as 0.99; 1 keeps all."""
    explain_targets: tuple[str, ...] = ()
    """Genes whose predictions are explained; by default the few that the landmarks tell best."""

    @model_validator(mode="after")
    def _one_choice(self) -> InferenceData:
        if self.landmarks is not None and self.choose_landmarks:
            message = "landmarks are named or chosen: give --landmarks or --choose-landmarks, not both"
            raise ValueError(message)
        return self


class InferenceNetworkSection(Section):
    """The dense network from landmarks to targets."""

    hidden: tuple[PositiveInt, ...] = Field(default=(1024, 1024), min_length=1, json_schema_extra=size())
    """Widths of the layers between landmarks and targets."""
    activation: Literal["silu", "gelu", "relu", "tanh"] = "silu"
    """The curve behind each layer."""
    output: Literal["linear", "tanh"] = "linear"
    """The curve behind the last layer; tanh, as in the review, keeps values within -1 and 1 on the network's scale."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Share of values set to zero in training; by default 0.5 for a few hundred samples, down to 0.1 for tens of
    thousands."""
    noise: float | None = Field(default=None, ge=0)
    """Spread of the random noise added to the landmarks in training, as a share of how much they vary between samples
    that are most alike; by default 0.6 for a few hundred samples, down to 0.1 for tens of thousands."""
    residual: bool = True
    """Learn what ridge regression leaves over, instead of everything; not with bins."""
    loss: Literal["absolute", "squared", "bins"] = "absolute"
    """What training makes small: absolute or squared errors, or, of targets cut into bins, the cross-entropy."""
    bins: int = Field(default=10, ge=2)
    """Bins that each target is cut into, of equally many training samples, where the loss is that of bins."""
    scaling: Literal["zscore", "minmax", "quantile", "none"] = "zscore"
    """How genes are scaled for the network, fitted on train and undone in predictions."""

    @model_validator(mode="after")
    def _fits(self) -> InferenceNetworkSection:
        if self.loss == "bins" and self.output == "tanh":
            message = "with --loss bins the output is one number per bin: leave --output tanh out"
            raise ValueError(message)
        if self.output == "tanh" and self.residual:
            message = "an output within -1 and 1 adds nothing to a ridge regression: give --no-residual"
            raise ValueError(message)
        return self


_DENSE: Mapping[str, Any] = {
    "hidden": (3000, 3000, 3000),
    "activation": "tanh",
    "dropout": 0.1,
    "noise": 0.0,
    "residual": False,
    "loss": "squared",
    "members": 1,
    "weight_decay": 0.0,
}


class InferenceConfiguration(ExpressionConfiguration):
    """All settings of expression inference."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {**_DENSE, "output": "tanh", "scaling": "minmax"},
        "d-gex": {**_DENSE, "output": "linear", "scaling": "zscore"},
    }

    preset: Literal["paper", "d-gex"] | None = None
    """Settings by name, which others given beside it change: paper is the network of the review (squared error, tanh to
    the end), d-gex that of Chen et al. (2016) with a linear output and 3,000 units in each of three layers."""
    data: InferenceData = InferenceData()
    network: InferenceNetworkSection = InferenceNetworkSection()
    training: TrainingConfiguration = TrainingConfiguration(
        epochs=50,
        batch_size=128,
        learning_rate=1e-3,
        weight_decay=1e-2,
        patience=30,
        members=3,
        cpu_threads=1,
    )
    remedies: ValueRemediesSection = ValueRemediesSection()  # type: ignore[assignment]  # values have other remedies
