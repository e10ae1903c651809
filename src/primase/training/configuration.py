"""The settings of training that every application has."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, model_validator

from primase.configuration import Section, flag

LOWER_RATE: Final = 0.1


class TrainingConfiguration(Section):
    """How a network learns."""

    epochs: int = Field(default=20, ge=1)
    """The most passes over the training data."""
    batch_size: int = Field(default=256, ge=2)
    """The most examples per step; fewer where there are few, so that an epoch has some forty steps."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """The highest step size of the Adam optimiser."""
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    """Let the step size rise and fall over the run, or keep it."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled weight decay (AdamW)."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """The share of each target that is spread over all labels."""
    patience: int = Field(default=5, ge=1)
    """Stop after so many epochs without a better validation loss."""
    members: int = Field(default=1, ge=1)
    """Networks trained from different seeds, whose probabilities are averaged."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU where there is one."""
    precision: Literal["auto", "32", "bf16"] = "auto"
    """Arithmetic in training: auto is mixed bfloat16 on a GPU, and on a CPU that computes with it, else 32-bit."""
    cpu_threads: int = Field(default=0, ge=0)
    """Processor cores for computing on a CPU; 0 for all. Small networks are fastest on one."""
    from_model: Path | None = Field(default=None, json_schema_extra=flag("--from"))
    """Bundle of a model of the same application to start from: its weights, its network and how it reads the input."""
    freeze: Literal["none", "all-but-last"] = "none"
    """Which layers keep what they learned there; with --from."""
    lower_rate: float = Field(default=LOWER_RATE, gt=0, le=1)
    """The share of the learning rate at which all layers but the last learn, with --from; 1 for no difference."""
    simulated: int = Field(default=0, ge=0)
    """Add so many simulated examples to the training part, and to nothing else."""
    learning_curve: bool = False
    """Train on an eighth, a quarter and half of the training part, too, to tell whether more data would help."""

    @model_validator(mode="after")
    def _starts_somewhere(self) -> TrainingConfiguration:
        for name, usual in (("freeze", "none"), ("lower_rate", LOWER_RATE)):
            if self.from_model is None and getattr(self, name) != usual:
                message = f"--{name.replace('_', '-')} is for a model that starts from another: add --from"
                raise ValueError(message)
        if self.freeze != "none" and self.lower_rate != LOWER_RATE:
            message = "--lower-rate is for layers that learn, and --freeze keeps them as they are: leave one out"
            raise ValueError(message)
        return self
