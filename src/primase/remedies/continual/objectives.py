"""What training makes small while something new is learned: the loss of the new, and the loss of having forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from primase.data.encoding import Batch
from primase.data.tasks import MULTILABEL, VALUE_KINDS, TaskKind
from primase.remedies.continual.answering import answer, answers_of
from primase.remedies.continual.fisher import Anchor
from primase.training.modules import Objective

TEMPERATURE: Final = 2.0
"""How much the answers that are distilled are softened, as in learning without forgetting (Li and Hoiem, 2017)."""

_IMPOSSIBLE: Final = -1e4


def elastic(objective: Objective, anchor: Anchor, strength: float, absent: Sequence[int] = ()) -> Objective:
    """Hold weights that matter for what was learned before (elastic weight consolidation).

    The statistics of batch normalisation stay as they were: they are no weights, so that no penalty holds them.

    Parameters
    ----------
    strength
        How much the penalty counts.
    absent
        Outputs of labels that the new data do not have. They take no part in the softmax of the new data, which would
        teach the network that they never occur (Zeno et al., 2018).
    """

    def held(network: nn.Module, inputs: Batch, targets: Tensor) -> Tensor:
        keep_statistics(network)
        handle = network.register_forward_hook(_masking(absent))
        try:
            loss = objective(network, inputs, targets)
        finally:
            handle.remove()
        return loss + strength * anchor.penalty(network)

    return held


def distilled(objective: Objective, before: nn.Module, kind: TaskKind) -> Objective:
    """Keep the answers that the network gave before, beside learning new ones.

    iCaRL (Rebuffi et al., 2017) has a sigmoid for each class. Here the networks learn through a softmax, and so the old
    answers are distilled through one, softened by a temperature of 2 (Hinton, Vinyals and Dean, 2015; Li and Hoiem,
    2017); those of several labels through sigmoids, as in iCaRL; values by their squared difference.

    Parameters
    ----------
    before
        The network as it was; is frozen, and moved to where the batches are.
    """
    before.eval().requires_grad_(requires_grad=False)

    def kept(network: nn.Module, inputs: Batch, targets: Tensor) -> Tensor:
        with answers_of(network) as heard:
            loss = objective(network, inputs, targets)
        now = answer(network, inputs, heard).float()
        with torch.no_grad():
            then = before.to(now.device)(**inputs).float()
        return loss + distillation(now[:, : then.shape[1]], then, kind)

    return kept


def distillation(now: Tensor, then: Tensor, kind: TaskKind) -> Tensor:
    """Measure how far the answers of a network are from those that it gave before; zero where they are equal."""
    if kind in VALUE_KINDS:
        return functional.mse_loss(now, then)
    if kind == MULTILABEL:
        likely = then.sigmoid()
        entropy = functional.binary_cross_entropy_with_logits(then, likely)
        return functional.binary_cross_entropy_with_logits(now, likely) - entropy
    softened = (now / TEMPERATURE).log_softmax(dim=1)
    return TEMPERATURE**2 * functional.kl_div(
        softened, (then / TEMPERATURE).log_softmax(dim=1), reduction="batchmean", log_target=True
    )


def keep_statistics(network: nn.Module) -> None:
    """Let the layers of batch normalisation use the statistics that they have, and not change them."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.eval()


def absent_labels(targets: Tensor, labels: int) -> list[int]:
    """List the labels that none of some targets has."""
    there = set(targets.tolist())
    return [label for label in range(labels) if label not in there]


def _masking(absent: Sequence[int]) -> Any:
    def mask(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor | None:
        if not absent:
            return None
        masked: Tensor = output.index_fill(1, torch.tensor(list(absent), device=output.device), _IMPOSSIBLE)
        return masked

    return mask
