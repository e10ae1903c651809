"""A fast and a slow learner: CLS-ER, after the hippocampus and the neocortex.

Arani, Sarfraz and Zonooz (2022), "Learning fast, learning slow: a general continual learning method based on
complementary learning systems". A working network learns new examples beside remembered ones. Two semantic memories
follow its weights as moving averages, the plastic one often, the stable one seldom; on remembered examples the working
network is held to the answers of whichever of the two is surer of the truth. The stable one is what answers in the end.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Final, Self, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from primase.data.encoding import Batch
from primase.data.tasks import MULTILABEL, VALUE_KINDS, TaskKind
from primase.remedies.continual.answering import answer, answers_of
from primase.remedies.continual.rehearsal import apart
from primase.training.modules import Objective

DECAY: Final = 0.99
"""Of the moving averages; 0.999 in the paper, whose runs have tens of times as many steps."""
PLASTIC_RATE: Final = 0.9
STABLE_RATE: Final = 0.3
"""After which share of the steps each average is brought forward."""
CONSISTENCY: Final = 0.15
"""How much the agreement with the semantic memories counts."""


@final
class DualMemory(nn.Module):
    """The working network with its plastic and its stable semantic memory, which begin as it does.

    In training it answers as the working network, else as the stable memory.
    """

    def __init__(self, working: nn.Module) -> None:
        super().__init__()
        self.working = working
        self.plastic = copy.deepcopy(working).requires_grad_(requires_grad=False).eval()
        self.stable = copy.deepcopy(working).requires_grad_(requires_grad=False).eval()
        self.stepped = False

    def forward(self, **batch: Tensor) -> Tensor:
        """Answer as the working network in training, as the stable memory ever after."""
        answered: Tensor = (self.working if self.training else self.stable)(**batch)
        return answered

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002  # the signature is torch's
        """Set the working network to training; the memories always answer as they would in the end."""
        super().train(mode)
        self.plastic.eval()
        self.stable.eval()
        return self

    def consolidate(self) -> None:
        """Bring the memories forward, each as often as it is its turn, drawn at random."""
        turns = torch.rand(2).tolist()
        for memory, rate, turn in zip((self.plastic, self.stable), (PLASTIC_RATE, STABLE_RATE), turns, strict=True):
            if turn < rate:
                follow(memory, self.working, DECAY)


@torch.no_grad()
def follow(memory: nn.Module, working: nn.Module, decay: float) -> None:
    """Move every weight of a memory, and the statistics of its normalisation, towards those of a network."""
    own = memory.state_dict()
    for name, tensor in working.state_dict().items():
        if tensor.is_floating_point():
            own[name].lerp_(tensor, 1 - decay)
        else:
            own[name].copy_(tensor)


def dual(objective: Objective, kind: TaskKind) -> Objective:
    """Learn with the working network of a :class:`DualMemory`, which agrees with its memories on what is remembered."""

    def learned(network: nn.Module, inputs: Batch, targets: Tensor) -> Tensor:
        assert isinstance(network, DualMemory)
        batch, remembered = apart(inputs)
        if not network.training:
            return objective(network.stable, batch, targets)
        # The weights have changed since the step before, if there was one.
        if network.stepped:
            network.consolidate()
        network.stepped = True
        with answers_of(network.working) as heard:
            loss = objective(network.working, batch, targets)
        now = answer(network.working, batch, heard)
        if remembered is None or not remembered.any():
            return loss
        rows = {name: tensor[remembered] for name, tensor in batch.items()}
        with torch.no_grad():
            surer = _surer(network.plastic(**rows).float(), network.stable(**rows).float(), targets[remembered], kind)
        return loss + CONSISTENCY * functional.mse_loss(now[remembered].float(), surer)

    return learned


def _surer(one: Tensor, other: Tensor, targets: Tensor, kind: TaskKind) -> Tensor:
    """Take the answers of whichever of two memories holds the truth more likely: by row, or by label or value."""
    right = _rightness(kind)
    return torch.where(right(one, targets) > right(other, targets), one, other)


def _rightness(kind: TaskKind) -> Callable[[Tensor, Tensor], Tensor]:
    def of_value(values: Tensor, targets: Tensor) -> Tensor:
        return -(values - targets.nan_to_num()).abs()

    def of_each_label(logits: Tensor, targets: Tensor) -> Tensor:
        return logits * torch.where(targets > 0, 1.0, -1.0)

    def of_label(logits: Tensor, targets: Tensor) -> Tensor:
        return logits.softmax(dim=1).gather(1, targets[:, None])

    if kind in VALUE_KINDS:
        return of_value
    return of_each_label if kind == MULTILABEL else of_label
