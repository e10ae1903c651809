"""Convolutions along a sequence whose every output is a function of a few letters around it, and of nothing else.

A trunk pads its input once, with columns of zeros, and not again between layers. So one window of letters gives the
same features wherever it is computed: in the whole sequence, or in a piece cut out around a mutation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, final

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from primase.errors import ConfigurationError
from primase.nn.letters import BASES, letter_mask

Pooling = Literal["max", "average"]

Features = Float[Tensor, "batch channels places"]
PlaceMask = Bool[Tensor, "batch places"]


@final
class ConvolutionLayer(nn.Module):
    """A convolution without padding, pooling, batch normalisation and ReLU.

    The maximum comes before normalisation and ReLU, which then have less to do; the average comes after them, since it
    would otherwise average away what ReLU is there to tell apart.

    Parameters
    ----------
    inputs, filters
        Channels before and after.
    width
        How many places a filter spans.
    pool
        How many places become one; 1 for no pooling.
    pooling
        Whether the strongest of them counts, or their mean.
    normalise
        Whether to normalise by batch statistics.
    compact
        Whether to look along the sequence in each channel apart, and then to mix the channels place by place, with
        about a ``width``-th of the weights (depthwise-separable convolution; Howard et al. 2017, section 3.1).
    """

    def __init__(
        self,
        inputs: int,
        filters: int,
        width: int,
        pool: int = 1,
        *,
        pooling: Pooling = "max",
        normalise: bool = True,
        compact: bool = False,
    ) -> None:
        super().__init__()
        self.receptive_field, self.stride = width + pool - 1, pool
        self.convolve: nn.Module = (
            separable(inputs, filters, width, bias=not normalise)
            if compact
            else nn.Conv1d(inputs, filters, width, bias=not normalise)
        )
        activate = [nn.BatchNorm1d(filters), nn.ReLU()] if normalise else [nn.ReLU()]
        if pool == 1:
            follow: list[nn.Module] = [*activate]
        elif pooling == "max":
            follow = [nn.MaxPool1d(pool), *activate]
        else:
            follow = [*activate, nn.AvgPool1d(pool)]
        self.follow = nn.Sequential(*follow)

    def forward(self, features: Features) -> Features:
        """Compute the features of the next layer."""
        result: Tensor = self.follow(self.convolve(features))
        return result


def separable(inputs: int, filters: int, width: int, *, dilation: int = 1, bias: bool = False) -> nn.Sequential:
    """Make a convolution of each channel apart, and one that mixes channels place by place (Howard et al. 2017)."""
    return nn.Sequential(
        nn.Conv1d(inputs, inputs, width, dilation=dilation, groups=inputs, bias=False),
        nn.Conv1d(inputs, filters, 1, bias=bias),
    )


@final
class DilatedResidual(nn.Module):
    """Look further around every place, and add what is found there to what is known already (Yu and Koltun 2016).

    Batch normalisation, ReLU and a dilated convolution of three places, then normalisation, ReLU and a mixing of
    channels; the input is added, less the borders that the convolution has no view of.

    Parameters
    ----------
    channels
        Before and after.
    dilation
        The distance between the three places.
    dropout
        Share of the new features set to zero in training.
    compact
        As in :class:`ConvolutionLayer`.
    """

    def __init__(self, channels: int, dilation: int, *, dropout: float = 0.0, compact: bool = False) -> None:
        super().__init__()
        self.dilation = dilation
        self.receptive_field, self.stride = 1 + 2 * dilation, 1
        self.change = nn.Sequential(
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            separable(channels, channels, 3, dilation=dilation)
            if compact
            else nn.Conv1d(channels, channels, 3, dilation=dilation, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Conv1d(channels, channels, 1),
            nn.Dropout(dropout),
        )

    def forward(self, features: Features) -> Features:
        """Compute features of as many places less twice the dilation."""
        result: Tensor = features[..., self.dilation : -self.dilation] + self.change(features)
        return result


@final
class Trunk(nn.Module):
    """The local part of a network: from one-hot columns to features of places, each a view of a few letters.

    Place ``j`` sees the letters from ``j * stride - margin`` up to, not including, ``j * stride - margin +
    receptive_field``, and stands for those from ``j * stride`` on if the input is padded. In evaluation nothing else
    has an influence on its features. To compute the places from ``first`` to ``last`` alone, hand :meth:`features`
    the letters from ``first * stride - margin`` up to ``last * stride - margin + receptive_field``, with columns of
    zeros where the sequence has none.

    Parameters
    ----------
    channels
        4, or 5 where lower case is a signal.
    filters, widths, pools
        Of each layer: filters, letters (or places of the layer before) that a filter spans, and places that become
        one.
    pooling
        Whether the strongest of the places to be joined counts, or their mean.
    residual_blocks
        Dilated blocks after the layers, the dilation doubling from one to the next, from 1.
    normalise
        Whether the layers normalise by batch statistics.
    padded
        Whether the ends are padded, so that there is a place for every ``stride`` letters. If not, the first place
        begins with the first letter, and there are fewer.
    compact
        Whether all convolutions but the first are depthwise-separable. The first stays whole: mixed of four columns
        that all filters share, it could not tell motifs apart.

    Attributes
    ----------
    receptive_field
        Letters that a place sees.
    stride
        Letters from one place to the next.
    margin
        Letters before the first of a sequence that its first place sees: zero if the input is not padded.
    outputs
        Channels of the features.
    """

    def __init__(  # noqa: PLR0913 (one keyword per choice of the layers)
        self,
        *,
        channels: int = BASES,
        filters: Sequence[int],
        widths: Sequence[int],
        pools: Sequence[int],
        pooling: Pooling = "max",
        residual_blocks: int = 0,
        normalise: bool = True,
        padded: bool = True,
        compact: bool = False,
    ) -> None:
        super().__init__()
        if compact and len(filters) == 1 and not residual_blocks:
            what = "the first convolution stays whole, and there is no other to make compact"
            raise ConfigurationError(what, where="--compact", got="1 convolution", wanted="at least 2")
        layers: list[nn.Module] = []
        self.receptive_field, self.stride, self.outputs = 1, 1, channels
        for count, width, pool in _layers(filters, widths, pools):
            layers.append(
                ConvolutionLayer(
                    self.outputs,
                    count,
                    width,
                    pool,
                    pooling=pooling,
                    normalise=normalise,
                    compact=compact and bool(layers),
                )
            )
            self.receptive_field += (width - 1 + pool - 1) * self.stride
            self.stride *= pool
            self.outputs = count
        for block in range(residual_blocks):
            layers.append(DilatedResidual(self.outputs, 2**block, compact=compact))
            self.receptive_field += 2 * 2**block * self.stride
        self.features = nn.Sequential(*layers)
        self.first_width = widths[0]
        self.centre = (self.receptive_field - self.stride) // 2
        self.margin = self.centre if padded else 0
        self.padded = padded

    def places(self, length: int) -> int:
        """Count the places of sequences of so many letters.

        Raises
        ------
        ConfigurationError
            If the sequences are shorter than what the network must see at once.
        """
        shortest = self.first_width if self.padded else self.receptive_field
        if length < shortest:
            what = "the sequences are shorter than the filters of the network"
            advice = "Give longer sequences, or choose narrower filters and less pooling."
            raise ConfigurationError(
                what, got=f"{length} letters", wanted=f"at least {shortest} letters", advice=advice
            )
        return -(-length // self.stride) if self.padded else (length - self.receptive_field) // self.stride + 1

    def pad(self, columns: Float[Tensor, "*rows length"]) -> Float[Tensor, "*rows padded"]:
        """Add columns of zeros at the ends, as many as the places need to see; nothing if the trunk does not pad."""
        length = columns.shape[-1]
        needed = (self.places(length) - 1) * self.stride + self.receptive_field
        return functional.pad(columns, (self.margin, needed - self.margin - length)) if self.padded else columns

    def forward(self, onehot: Float[Tensor, "batch channels length"]) -> tuple[Features, PlaceMask]:
        """Compute the features of all places, and which of them stand for letters rather than for padding."""
        features: Tensor = self.features(self.pad(onehot))  # (batch, outputs, places)
        letters = self.pad(letter_mask(onehot).to(onehot.dtype))[:, None, self.centre :]
        own = functional.max_pool1d(letters, self.stride)[:, 0, : features.shape[2]]  # (batch, places)
        return features, own > 0


def _layers(filters: Sequence[int], widths: Sequence[int], pools: Sequence[int]) -> list[tuple[int, int, int]]:
    """Join the sizes layer by layer, or say that they do not match."""
    if not len(filters) == len(widths) == len(pools) > 0:
        what = "every convolution needs a number of filters, a width and a pooling"
        got = f"{len(filters)} numbers of filters, {len(widths)} widths, {len(pools)} poolings"
        raise ConfigurationError(what, got=got, wanted="as many of each, and at least one")
    return list(zip(filters, widths, pools, strict=True))
