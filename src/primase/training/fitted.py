"""What training ends with; apart from the training itself, which loads Lightning and takes seconds to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network at its best epoch, and how it got there.

    Parameters
    ----------
    history
        One row per epoch: ``epoch``, ``train_loss``, ``validation_loss`` and, where answers are labels,
        ``validation_accuracy``.
    best_epoch
        The epoch whose weights these are, counted from 1.
    phases
        The history of each further phase of training, by name, where there was one.
    """

    network: nn.Module
    history: list[dict[str, float]]
    best_epoch: int
    precision: str
    phases: Mapping[str, list[dict[str, float]]] = field(default_factory=dict)
