"""What training ends with; apart from the training itself, which loads Lightning and takes seconds to import."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    network: nn.Module
    history: list[dict[str, float]]
    best_epoch: int
    precision: str
