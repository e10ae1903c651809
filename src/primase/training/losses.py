"""What a network is trained to make small, by what is asked; answers that are not known do not count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from primase.data.tasks import IMAGE, MULTILABEL, VALUE_KINDS, TaskKind

Loss = Callable[[Tensor, Tensor], Tensor]
Penalty = Callable[[nn.Module], Tensor]

_WITHOUT_LABELS: Final = VALUE_KINDS | {IMAGE}


def loss_of(kind: TaskKind, label_smoothing: float) -> Loss:
    """Make the loss of a kind of task: cross-entropy, of one softmax or of a sigmoid per label; else squared error.

    An application whose answers are images brings an objective and a criterion of its own.

    Parameters
    ----------
    label_smoothing
        The share of each target that is spread over all labels, or between yes and no.
    """

    def softmax(logits: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(logits, targets, label_smoothing=label_smoothing)

    def sigmoids(logits: Tensor, targets: Tensor) -> Tensor:
        known = targets >= 0
        smoothed = targets.to(logits.dtype) * (1 - label_smoothing) + label_smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(logits, smoothed, reduction="none")
        mean: Tensor = (losses * known).sum() / known.sum().clamp(min=1)
        return mean

    if kind in _WITHOUT_LABELS:
        return squared_error
    return sigmoids if kind == MULTILABEL else softmax


def squared_error(values: Tensor, targets: Tensor) -> Tensor:
    """Average the squared differences over the values that are known."""
    return _mean_of_known((values - targets.nan_to_num()) ** 2, targets)


def absolute_error(values: Tensor, targets: Tensor) -> Tensor:
    """Average the absolute differences over the values that are known."""
    return _mean_of_known((values - targets.nan_to_num()).abs(), targets)


def _mean_of_known(losses: Tensor, targets: Tensor) -> Tensor:
    known = ~targets.isnan()
    mean: Tensor = (losses * known).sum() / known.sum().clamp(min=1)
    return mean


def accuracy_of(kind: TaskKind) -> Loss | None:
    """Make the measure of how many answers are right, of logits and targets; None where answers are no labels."""
    if kind in _WITHOUT_LABELS:
        return None

    def softmax(logits: Tensor, targets: Tensor) -> Tensor:
        return (logits.argmax(dim=1) == targets).float().mean()

    def sigmoids(logits: Tensor, targets: Tensor) -> Tensor:
        known = targets >= 0
        right = ((logits > 0) == (targets > 0)) & known
        return right.sum() / known.sum().clamp(min=1)

    return sigmoids if kind == MULTILABEL else softmax


def known_answers(targets: Tensor) -> int:
    """Count the answers of a batch, by which its mean loss weighs among others; its examples if it has no targets."""
    if targets.numel() == 0:
        return max(len(targets), 1)
    known = ~targets.isnan() if targets.is_floating_point() else targets >= 0
    return max(int(torch.count_nonzero(known)), 1)


def objective_of(
    loss: Loss, penalty: Penalty | None = None
) -> Callable[[nn.Module, dict[str, Tensor], Tensor], Tensor]:
    """Make the objective that most networks learn by: the loss between their logits and the targets.

    Parameters
    ----------
    penalty
        Of the network alone, such as of its weights, added to the loss.
    """

    def objective(network: nn.Module, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        value = loss(network(**inputs), targets)
        return value if penalty is None else value + penalty(network)

    return objective
