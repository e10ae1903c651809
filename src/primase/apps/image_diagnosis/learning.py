"""How the networks learn: classes that count the same, a ridge penalty, blocks at their own rates, changed images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional

from primase.apps.image_diagnosis.augmentation import PRESETS, Augmentation
from primase.apps.image_diagnosis.configuration import AugmentationSection, DiagnosisConfiguration
from primase.apps.image_diagnosis.model import FrozenNetwork, ImageNetwork
from primase.data.tasks import Task
from primase.nn.freezing import parameter_groups
from primase.training.fit import FitOptions
from primase.training.losses import Loss, Penalty, objective_of

MOST_WEIGHT: Final = 10.0
"""So much more or less than another class a rare one may count: one of two images must not decide everything."""

_DEPTHWISE: Final = frozenset({"efficientnet-lite0"})
"""Convolutions of single features learn more slowly in bfloat16 on a processor, not faster."""


def fit_options(task: Task, targets: Shaped[np.ndarray, "examples *labels"], own: DiagnosisConfiguration) -> FitOptions:
    """Say what is particular about how the network of a recipe learns.

    Parameters
    ----------
    targets
        Of the training part.
    own
        Settings of one network, see :func:`~primase.apps.image_diagnosis.configuration.settled`.
    """
    network, training = own.network, own.training
    weights = class_weights(task, targets) if network.balance else None
    loss = weighted_loss(task, weights, training.label_smoothing)
    criterion = objective_of(weighted_loss(task, weights, 0.0))
    if network.recipe == "frozen":
        return FitOptions(kind=task.kind, loss=loss, penalty=ridge_penalty(network.penalty, task), criterion=criterion)
    slow = network.recipe == "fine-tune" and network.backbone in _DEPTHWISE
    exact = slow and training.precision == "auto" and (training.device == "cpu" or not torch.cuda.is_available())
    options: dict[str, Any] = {"trainer": {"precision": "32-true"}} if exact else {}
    if network.recipe == "fine-tune":
        decay = network.rate_decay
        options["parameters"] = lambda module: _groups(module, decay)
    return FitOptions(
        kind=task.kind, loss=loss, criterion=criterion, transform=augmentation(own.augmentation), **options
    )


def class_weights(task: Task, targets: Shaped[np.ndarray, "examples *labels"]) -> Float[Tensor, "answers labels"]:
    """Weigh answers so that each counts the same in all, whatever its share of the training data.

    Returns
    -------
    Of several classes one row, the weight of each; of yes-or-no questions two, that of no and that of yes.
    """
    if task.is_multilabel:
        shares = np.stack([(targets == answer).sum(axis=0) for answer in (0, 1)]).astype(np.float64)
    else:
        shares = np.bincount(targets[targets >= 0], minlength=task.outputs)[None].astype(np.float64)
    shares = shares / np.maximum(shares.sum(axis=0 if task.is_multilabel else 1, keepdims=True), 1)
    equal = 1 / (2 if task.is_multilabel else task.outputs)
    weights = np.clip(equal / np.maximum(shares, 1e-9), 1 / MOST_WEIGHT, MOST_WEIGHT)
    # A class that train does not have has nothing to weigh.
    return torch.from_numpy(np.where(shares > 0, weights, 1.0)).float()


def weighted_loss(task: Task, weights: Float[Tensor, "answers labels"] | None, smoothing: float) -> Loss:
    """Make the cross-entropy of a task in which answers have weights; unknown ones do not count."""

    def softmax(logits: Tensor, targets: Tensor) -> Tensor:
        own = None if weights is None else weights[0].to(logits)
        return functional.cross_entropy(logits, targets, weight=own, label_smoothing=smoothing, ignore_index=-1)

    def sigmoids(logits: Tensor, targets: Tensor) -> Tensor:
        known = (targets >= 0).to(logits.dtype)
        if weights is not None:
            negative, positive = weights.to(logits)
            known = known * torch.where(targets > 0, positive, negative)
        smoothed = targets.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(logits, smoothed, reduction="none")
        mean: Tensor = (losses * known).sum() / known.sum().clamp(min=1e-9)
        return mean

    return sigmoids if task.is_multilabel else softmax


def augmentation(section: AugmentationSection) -> Augmentation | None:
    """Say how images are changed in training: as is right for what they are, but for what the user has given."""
    usual = Augmentation() if section.modality == "none" else PRESETS[section.modality]
    given: Mapping[str, Any] = section.model_dump(exclude={"modality"})
    chosen = {name: getattr(usual, name) if value is None else value for name, value in given.items()}
    augmented = Augmentation(**chosen)
    return augmented if augmented.moves or augmented.brightness else None


def ridge_penalty(penalty: float, task: Task) -> Penalty:
    """Make a ridge penalty, as of logistic regression: half of it times the sum of the squared weights."""
    # Two outputs of a softmax share what a logistic regression has in one: half of it each.
    strength = penalty / 2 if task.is_multilabel else penalty

    def squares(network: nn.Module) -> Tensor:
        assert isinstance(network, FrozenNetwork)
        # A compressed network may answer by two layers.
        matrices = [weight for weight in network.answer.parameters() if weight.ndim > 1]
        return strength * torch.stack([weight.square().sum() for weight in matrices]).sum()

    return squares


def _groups(module: nn.Module, decay: float) -> list[dict[str, Any]]:
    assert isinstance(module, ImageNetwork)
    return parameter_groups(module.backbone, module.answer, decay=decay)
