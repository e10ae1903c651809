"""The network for DNA: convolutions find motifs, a recurrent layer reads their order, dense layers answer.

With its defaults it is DanQ (Quang and Xie 2016), the network of the paper's section 3.4. Tensors: ``letters``
(batch, length) are codes of one byte, or (batch, channels, length) one-hot columns. The answer is (batch, outputs)
logits, one per target of a multi-label task, or two for a softmax. Wrapped in
:class:`primase.nn.strands.BothStrands` it reads both strands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, final

from jaxtyping import Float
from torch import Tensor, nn

from primase.nn.convolution import Features, PlaceMask, Pooling, Trunk
from primase.nn.letters import BASES, Letters, OneHot
from primase.nn.pooling import AttentionPooling, GlobalPooling
from primase.nn.recurrence import BidirectionalRecurrence

Recurrence = Literal["lstm", "gru", "none"]
Head = Literal["flat", "global", "attention"]

ATTENTION_HEADS = 4


@final
class DnaNetwork(nn.Module):
    """Convolutions, a recurrent layer in both directions, and dense layers.

    Parameters
    ----------
    length
        Letters of each sequence, base pairs of the window.
    outputs
        The number of answers.
    channels
        4, or 5 where lower case is a signal.
    filters, widths, pools
        Of each convolution: the number of filters, how many letters or places each spans, and how many places become
        one behind it.
    pooling
        Whether the strongest of these places counts, or their mean.
    residual_blocks
        Dilated blocks behind the convolutions, which widen the view of each place.
    compact
        Whether all convolutions but the first are depthwise-separable.
    normalise
        Whether the convolutions normalise by batch statistics; DanQ does not.
    padded
        Whether motifs are also looked for across the ends; DanQ does not.
    recurrence
        ``"lstm"``, ``"gru"`` or ``"none"``.
    units
        Of each direction of the recurrent layer.
    head
        How places become one answer: ``"flat"`` reads all in their order, ``"global"`` the strongest and the mean
        value of each channel, ``"attention"`` means that the network weighs itself.
    hidden
        Width of the dense layer; 0 for none.
    dropout
        Shares set to zero in training: behind the convolutions, and behind the recurrent layer or, without one, the
        head.
    shift
        In training, each sequence is moved by up to so many letters.
    """

    def __init__(  # noqa: PLR0913 (one keyword per layer and size: the network is a list of choices)
        self,
        length: int,
        outputs: int,
        *,
        channels: int = BASES,
        filters: Sequence[int] = (320,),
        widths: Sequence[int] = (26,),
        pools: Sequence[int] = (13,),
        pooling: Pooling = "max",
        residual_blocks: int = 0,
        compact: bool = False,
        normalise: bool = False,
        padded: bool = False,
        recurrence: Recurrence = "lstm",
        units: int = 320,
        head: Head = "flat",
        hidden: int = 925,
        dropout: tuple[float, float] = (0.2, 0.5),
        shift: int = 0,
    ) -> None:
        super().__init__()
        self.read = OneHot(channels, shift=shift)
        self.trunk = Trunk(
            channels=channels,
            filters=filters,
            widths=widths,
            pools=pools,
            pooling=pooling,
            residual_blocks=residual_blocks,
            compact=compact,
            normalise=normalise,
            padded=padded,
        )
        places, width = self.trunk.places(length), self.trunk.outputs
        self.drop = nn.Dropout(dropout[0])
        self.recurrence = None
        if recurrence != "none":
            self.recurrence = BidirectionalRecurrence(recurrence, width, units)
            width = 2 * units
        self.drop_again = nn.Dropout(dropout[1])
        self.pool = _pool(head, width)
        width *= {"flat": places, "global": 2, "attention": ATTENTION_HEADS}[head]
        dense = [nn.Linear(width, hidden), nn.ReLU()] if hidden else []
        self.answer = nn.Sequential(*dense, nn.Linear(hidden or width, outputs))

    def forward(self, letters: Letters) -> Float[Tensor, "batch outputs"]:
        """Compute the logits of each output."""
        onehot = self.read(letters)  # (batch, channels, length)
        features, mask = self.trunk(onehot)  # (batch, filters[-1], places), (batch, places)
        return self.head(features, mask)

    def head(self, features: Features, mask: PlaceMask) -> Float[Tensor, "batch outputs"]:
        """Answer from the features of all places: what is left to compute where only some places have changed."""
        features = self.drop(features)  # DanQ: (batch, 320, 75) of 1,000 letters
        if self.recurrence is not None:
            features = self.recurrence(features, mask)  # (batch, 2 * units, places)
        pooled = self.pool(self.drop_again(features), mask)  # (batch, ...); DanQ: 75 x 640 in a row
        logits: Tensor = self.answer(pooled)  # (batch, outputs)
        return logits


@final
class Flat(nn.Module):
    """All places in a row, in their order; those that are padding are zeros."""

    def forward(self, features: Features, mask: PlaceMask) -> Float[Tensor, "batch values"]:
        """Put the channels of all places side by side."""
        return features.masked_fill(~mask.unsqueeze(1), 0).flatten(1)


def _pool(head: Head, channels: int) -> nn.Module:
    """Make what turns places into one row."""
    if head == "flat":
        return Flat()
    return GlobalPooling() if head == "global" else AttentionPooling(channels, heads=ATTENTION_HEADS)
