"""What one training step means: small Lightning modules, each of which does nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, final

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn

from primase.data.encoding import Batch
from primase.data.tasks import TaskKind
from primase.training.configuration import TrainingConfiguration
from primase.training.losses import accuracy_of, known_answers, loss_of

Objective = Callable[[nn.Module, Batch, Tensor], Tensor]
BatchTransform = Callable[[Batch, Tensor], tuple[Batch, Tensor]]
ParameterGroups = Callable[[nn.Module], Sequence[Mapping[str, Any]]]

VALIDATION_LOSS: Final = "validation_loss"
TRAIN_LOSS: Final = "train_loss"
LOSS_RATE: Final = 10.0
"""So many times as fast as the network the weights of a loss learn, where it has any: they are to follow it closely."""


def learning_parameters(network: nn.Module) -> list[dict[str, Any]]:
    """Gather all weights of a network that are not frozen, to learn alike."""
    return [{"params": [parameter for parameter in network.parameters() if parameter.requires_grad]}]


@final
class LearningObjective(nn.Module):
    """An objective whose loss has weights of its own, which learn beside those of the network.

    Parameters
    ----------
    objective
        Of the network, the tensors of a batch and its targets.
    loss
        What it rests on.
    """

    def __init__(self, objective: Objective, loss: nn.Module) -> None:
        super().__init__()
        self.objective = objective
        self.loss = loss

    def forward(self, network: nn.Module, inputs: Batch, targets: Tensor) -> Tensor:
        """Compute what training makes small."""
        return self.objective(network, inputs, targets)


@final
class SupervisedModule(lightning.LightningModule):
    """Learn to answer: one network, one loss between its logits and the targets.

    Parameters
    ----------
    network
        Takes the tensors of a batch as keyword arguments and returns logits, shape (batch, labels).
    kind
        What is learned; it decides what is measured on validation: always the plain loss, so that stopping does not
        depend on how training was made harder; where answers are labels, their accuracy, too.
    objective
        Of the network, the tensors of a batch and its targets: what training makes small.
    criterion
        The same of what is measured on validation, in the place of the plain loss.
    steps
        The number of training steps in all, over which the learning rate rises and falls.
    transform
        Changes a training batch before the network sees it.
    parameters
        Parts the weights of the network into groups, as optimisers take them, each with its ``rate``: the share of the
        learning rate at which it learns. By default all that are not frozen learn alike.
    """

    def __init__(
        self,
        network: nn.Module,
        kind: TaskKind,
        objective: Objective,
        configuration: TrainingConfiguration,
        *,
        steps: int,
        criterion: Objective | None = None,
        transform: BatchTransform | None = None,
        parameters: ParameterGroups | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.objective = objective
        self.plain_loss = loss_of(kind, label_smoothing=0.0)
        self.criterion = criterion
        self.accuracy = accuracy_of(kind)
        self.configuration = configuration
        self.steps = steps
        self.transform = transform
        self.parameter_groups = parameters or learning_parameters

    def training_step(self, batch: tuple[Batch, Tensor], _index: int) -> Tensor:
        """Return the loss of one batch."""
        inputs, targets = batch if self.transform is None else self.transform(*batch)
        loss = self.objective(self.network, inputs, targets)
        self.log(TRAIN_LOSS, loss, on_step=False, on_epoch=True, batch_size=len(targets), sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[Batch, Tensor], _index: int) -> None:
        """Measure the loss, and the accuracy where there is one, of one validation batch."""
        inputs, targets = batch
        if self.criterion is not None:
            measured = {VALIDATION_LOSS: self.criterion(self.network, inputs, targets)}
        else:
            outputs = self.network(**inputs)
            measured = {VALIDATION_LOSS: self.plain_loss(outputs, targets)}
            if self.accuracy is not None:
                measured["validation_accuracy"] = self.accuracy(outputs, targets)
        self.log_dict(measured, on_step=False, on_epoch=True, batch_size=known_answers(targets), sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Make Adam with decoupled weight decay, and a learning rate that rises for a tenth of the time, then falls.

        Or one that stays, where the schedule is to be constant.
        """
        settings = self.configuration
        groups = [dict(group) for group in self.parameter_groups(self.network)]
        if isinstance(self.objective, LearningObjective):
            groups.append({"params": list(self.objective.parameters()), "rate": LOSS_RATE, "weight_decay": 0.0})
        rates = [settings.learning_rate * group.pop("rate", 1.0) for group in groups]
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
        optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
        if settings.schedule == "constant":
            return optimizer
        # OneCycleLR divides by zero where the rise takes exactly one step.
        rise = 0.2 if self.steps == 10 else 0.1
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=rates, total_steps=self.steps, pct_start=rise, cycle_momentum=False
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
