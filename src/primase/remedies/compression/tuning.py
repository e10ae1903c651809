"""Let a network that was made smaller learn again what it has lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import lightning.pytorch as lightning
from torch import nn

from primase.data.encoding import SupervisedBatches
from primase.events import Listener, silent
from primase.training.configuration import TrainingConfiguration
from primase.training.fit import FitOptions, fit
from primase.training.fitted import Fitted

Projection = Callable[[], None]
"""Brings the weights of a network back to what they may be, such as zero where they were pruned."""


@final
class Projected(lightning.Callback):
    """Bring the weights back to what they may be after each step of training."""

    def __init__(self, project: Projection) -> None:
        self.project = project

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Project."""
        del trainer, pl_module, outputs, batch, batch_idx
        self.project()


@final
@dataclass(frozen=True, slots=True, eq=False)
class Tuner:
    """What a smaller network learns again from, and how: on train, its best epoch chosen on validation.

    Parameters
    ----------
    configuration
        With the few epochs and the small steps of fine-tuning.
    options
        What is particular about how the networks of the application learn.
    folder
        Keeps the checkpoints, so that an interrupted compression can go on.
    """

    train: SupervisedBatches
    validation: SupervisedBatches
    configuration: TrainingConfiguration
    options: FitOptions
    seed: int
    folder: Path
    listener: Listener = silent

    def tune(
        self,
        network: nn.Module,
        name: str,
        *,
        project: Projection | None = None,
        options: FitOptions | None = None,
    ) -> Fitted:
        """Train a network from where it is.

        Parameters
        ----------
        name
            Of this phase; its checkpoints lie in a folder of this name.
        project
            Applied after each step.
        options
            In the place of those of the application.
        """
        chosen = options or self.options
        callbacks: Sequence[lightning.Callback] = () if project is None else (Projected(project),)
        return fit(
            network,
            self.train,
            self.validation,
            self.configuration,
            seed=self.seed,
            folder=self.folder / name,
            options=replace(chosen, callbacks=[*chosen.callbacks, *callbacks], then=None),
            listener=self.listener,
        )


def fine_tuning(
    configuration: TrainingConfiguration, *, epochs: int, learning_rate: float | None
) -> TrainingConfiguration:
    """Make of how a network was trained how it is trained again: shorter, and with smaller steps.

    Parameters
    ----------
    learning_rate
        The highest step size; None for a third of that of training.
    """
    rate = configuration.learning_rate / 3 if learning_rate is None else learning_rate
    return configuration.model_copy(update={"epochs": epochs, "learning_rate": rate})


def in_phases(fitted: Sequence[tuple[str, Fitted]]) -> Fitted:
    """Join what was fitted one behind the other: the last network, and the history of each phase before."""
    last = fitted[-1][1]
    return replace(last, phases={name: phase.history for name, phase in fitted[:-1]})
