"""The two networks for RNA: convolutions along the sequence, and the paper's convolutions over a map of it.

Tensors: ``letters`` (batch, length) are codes of one byte, or (batch, channels, length) one-hot columns. The answer is
(batch, outputs) logits: two for a softmax, or one per target of a multi-label task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from primase.errors import ConfigurationError
from primase.nn.convolution import Features, PlaceMask, Trunk
from primase.nn.letters import BASES, Letters, OneHot, letter_mask
from primase.nn.pooling import GlobalPooling

POOL: Final[int] = 3
"""How many places become one behind each convolution of the paper's network."""


@final
class RnaNetwork(nn.Module):
    """Convolutions along the sequence, then the strongest and the mean value of each filter: which motifs are there.

    It cannot tell where on the sequence they are, so that it learns nothing from how the sequences were cut.

    Parameters
    ----------
    outputs
        The number of answers.
    channels
        4, or 5 where lower case is a signal.
    filters, widths, pools
        Of each convolution: the number of filters, how many letters or places each spans, and how many places become
        one behind it.
    residual_blocks
        Dilated blocks behind the convolutions, which widen the view of each place.
    compact
        Whether all convolutions but the first are depthwise-separable.
    dropout
        Share of the pooled features set to zero in training.
    shift
        In training, each sequence is moved by up to so many letters.
    """

    def __init__(  # noqa: PLR0913 (one keyword per layer and size)
        self,
        outputs: int = 2,
        *,
        channels: int = BASES,
        filters: Sequence[int] = (96, 96, 96),
        widths: Sequence[int] = (11, 5, 5),
        pools: Sequence[int] = (4, 2, 1),
        residual_blocks: int = 0,
        compact: bool = False,
        dropout: float = 0.5,
        shift: int = 3,
    ) -> None:
        super().__init__()
        self.read = OneHot(channels, shift=shift)
        self.trunk = Trunk(
            channels=channels,
            filters=filters,
            widths=widths,
            pools=pools,
            residual_blocks=residual_blocks,
            compact=compact,
        )
        self.pool = GlobalPooling()
        self.answer = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * self.trunk.outputs, outputs))

    def forward(self, letters: Letters) -> Float[Tensor, "batch outputs"]:
        """Compute the logits of each output."""
        onehot = self.read(letters)  # (batch, channels, length)
        features, mask = self.trunk(onehot)  # (batch, filters[-1], places), (batch, places)
        return self.head(features, mask)

    def head(self, features: Features, mask: PlaceMask) -> Float[Tensor, "batch outputs"]:
        """Answer from the features of all places: what is left to compute where only some places have changed."""
        pooled = self.pool(features, mask)  # (batch, 2 * filters[-1])
        logits: Tensor = self.answer(pooled)  # (batch, outputs)
        return logits


@final
class RnaMapNetwork(nn.Module):
    """The paper's network (section 3.3, after iDeepE): the one-hot columns are an image of four rows.

    Filters of the first convolution span all rows, those of the second one row; both are followed by batch
    normalisation, ReLU and max pooling by three. Dense layers read what is left in its order, so that this network,
    unlike :class:`RnaNetwork`, knows where on the sequence everything is. Sizes are those of iDeepE (Pan and Shen
    2018). Padding is an image of zeros.

    Parameters
    ----------
    length
        Letters of each sequence.
    outputs
        The number of answers.
    channels
        4, or 5 where lower case is a signal.
    filters
        Of each of the two convolutions.
    width
        Letters, and places after that, that a filter spans.
    hidden
        Width of the dense layer.
    dropout
        Share of the values before each dense layer set to zero in training.
    shift
        In training, each sequence is moved by up to so many letters.
    """

    def __init__(
        self,
        length: int,
        outputs: int = 2,
        *,
        channels: int = BASES,
        filters: int = 16,
        width: int = 10,
        hidden: int = 200,
        dropout: float = 0.25,
        shift: int = 0,
    ) -> None:
        super().__init__()
        self.read = OneHot(channels, shift=shift)
        self.convolve = nn.Sequential(
            nn.Conv2d(1, filters, (channels, width), padding=(0, width // 2)),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.MaxPool2d((1, POOL)),
            nn.Conv2d(filters, filters, (1, width), padding=(0, width // 2)),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.MaxPool2d((1, POOL)),
        )
        self.places = _places(_places(length, width), width)
        if length < width or self.places < 1:
            what = "the sequences are shorter than the filters of the network"
            raise ConfigurationError(what, got=f"{length} letters, filters of {width}", wanted="longer sequences")
        self.answer = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(filters * self.places, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, outputs),
        )

    def forward(self, letters: Letters) -> Float[Tensor, "batch outputs"]:
        """Compute the logits of each output."""
        onehot = self.read(letters)  # (batch, channels, length)
        features: Tensor = self.convolve(onehot.unsqueeze(1)).squeeze(2)  # (batch, filters, places)
        there = functional.adaptive_max_pool1d(letter_mask(onehot).to(features.dtype), self.places)  # (batch, places)
        logits: Tensor = self.answer((features * there.unsqueeze(1)).flatten(1))  # (batch, outputs)
        return logits


def _places(length: int, width: int) -> int:
    """Count what a convolution and the pooling behind it leave of so many places."""
    return (length + 2 * (width // 2) - width + 1) // POOL
