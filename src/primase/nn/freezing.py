"""Transfer learning: which blocks of a network keep what they learnt before, and how fast the others may change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from primase.errors import ConfigurationError
from primase.nn.backbones import Backbone


def freeze(backbone: Backbone, trainable: int) -> None:
    """Freeze all blocks of a network but the last few.

    Frozen blocks keep their weights, and the statistics of their batch normalisation too: they stay in the mode of
    evaluation whatever ``train()`` says. Otherwise new images would go on changing features that are meant to be kept,
    and the network would compute other features in training than afterwards.

    Parameters
    ----------
    backbone
        The network; its classifier is frozen only with everything else.
    trainable
        How many of the last blocks are trained: 0 freezes everything, the number of blocks nothing.

    Raises
    ------
    ConfigurationError
        There are not as many blocks.
    """
    names = [name for name, _ in backbone.blocks]
    if not 0 <= trainable <= len(names):
        what = "the network does not have as many blocks to train"
        raise ConfigurationError(what, got=str(trainable), wanted=f"0 to {len(names)}: {', '.join(names)}")
    backbone.requires_grad_(trainable > 0)
    backbone.frozen = len(names) - trainable
    for _, block in backbone.blocks[: backbone.frozen]:
        block.requires_grad_(requires_grad=False)
    backbone.train(backbone.training)


def parameter_groups(backbone: Backbone, head: nn.Module | None = None, *, decay: float = 0.3) -> list[dict[str, Any]]:
    """Let earlier blocks learn more slowly: they know what most images have in common (Howard and Ruder 2018).

    Parameters
    ----------
    backbone
        The network; frozen parameters are left out.
    head
        What is put behind it, and learns at the full rate; None for the network's own classifier.
    decay
        By how much the rate of a block is smaller than that of the one behind it, above 0 and at most 1. The last
        block learns at ``decay`` times the full rate, the one before at ``decay ** 2``, and so on.

    Returns
    -------
    list of dict
        Groups for the optimiser, from the head to the first block: ``"params"``, and ``"rate"``, a factor of the
        learning rate. A group without parameters is left out, and each parameter is in one group.
    """
    if not 0 < decay <= 1:
        what = "the decay of the learning rate is out of range"
        raise ConfigurationError(what, got=str(decay), wanted="a number above 0 and at most 1")
    inner = {id(parameter) for _, block in backbone.blocks for parameter in block.parameters()}
    last = backbone.parameters() if head is None else head.parameters()
    groups = [_group((parameter for parameter in last if id(parameter) not in inner), 1.0)]
    for depth, (_, block) in enumerate(reversed(backbone.blocks), start=1):
        groups.append(_group(block.parameters(), decay**depth))
    return [group for group in groups if group["params"]]


def _group(parameters: Iterable[nn.Parameter], rate: float) -> dict[str, Any]:
    return {"params": [parameter for parameter in parameters if parameter.requires_grad], "rate": rate}
