"""Distillation: a smaller network learns what a larger one, or several together, answer (Hinton et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, kl_div

from primase.data.encoding import Batch
from primase.data.tasks import MULTILABEL, VALUE_KINDS, TaskKind
from primase.training.fit import FitOptions
from primase.training.losses import loss_of, objective_of

SoftLoss = Callable[[Tensor, Tensor], Tensor]


def distillation(
    teachers: Sequence[nn.Module], options: FitOptions, *, temperature: float, share: float, label_smoothing: float
) -> FitOptions:
    """Let a network learn from teachers beside what it learns from the answers that are known.

    Parameters
    ----------
    teachers
        Trained networks, whose probabilities, or values, are averaged.
    options
        How networks of the application learn.
    temperature
        By which logits are divided before they are compared: the higher, the more the unlikely answers count.
    share
        How much of the loss is about the teachers, from 0 to 1; the rest is about the known answers.
    """
    frozen = [deepcopy(teacher).eval().requires_grad_(requires_grad=False) for teacher in teachers]
    soft = soft_loss(options.kind, temperature)
    # A loss that learns is about a network without a teacher.
    loss = None if isinstance(options.loss, nn.Module) else options.loss
    known = options.objective or objective_of(loss or loss_of(options.kind, label_smoothing))

    def objective(network: nn.Module, inputs: Batch, targets: Tensor) -> Tensor:
        with torch.no_grad():
            taught = averaged(options.kind, [_on(teacher, inputs)(**inputs).float() for teacher in frozen], temperature)
        soft_part = soft(network(**inputs).float(), taught)
        if share == 1:
            return share * soft_part
        return share * soft_part + (1 - share) * known(network, inputs, targets)

    return replace(options, objective=objective, loss=None)


def averaged(kind: TaskKind, outputs: Sequence[Tensor], temperature: float) -> Tensor:
    """Average what teachers say: probabilities at a temperature, or values."""
    stacked = torch.stack(list(outputs))
    if kind == MULTILABEL:
        return (stacked / temperature).sigmoid().mean(dim=0)
    return stacked.mean(dim=0) if _has_values(kind, stacked) else (stacked / temperature).softmax(dim=2).mean(dim=0)


def soft_loss(kind: TaskKind, temperature: float) -> SoftLoss:
    """Make what compares a network with its teachers, at gradients that do not hang on the temperature (section 2)."""

    def softmax(logits: Tensor, taught: Tensor) -> Tensor:
        return temperature**2 * kl_div((logits / temperature).log_softmax(dim=1), taught, reduction="batchmean")

    def sigmoids(logits: Tensor, taught: Tensor) -> Tensor:
        return temperature**2 * binary_cross_entropy_with_logits(logits / temperature, taught)

    def values(found: Tensor, taught: Tensor) -> Tensor:
        return ((found - taught) ** 2).mean()

    if kind == MULTILABEL:
        return sigmoids
    return values if kind in VALUE_KINDS or kind == "image" else softmax


def _has_values(kind: TaskKind, stacked: Tensor) -> bool:
    return kind in VALUE_KINDS or kind == "image" or stacked.ndim != 3


def _on(teacher: nn.Module, inputs: Batch) -> nn.Module:
    """Bring a teacher to where the inputs are."""
    place = next(iter(inputs.values())).device
    first = next(teacher.parameters(), None)
    return teacher if first is None or first.device == place else teacher.to(place)
