"""Quantisation: weights as whole numbers from -127 to 127, each channel with a scale of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from primase.nn.dense import SparseLinear
from primase.nn.structure import Structure, set_structure, structure_of, weights_of
from primase.predictor.coded_weights import WHOLE

_CLEARED_BITS = 7
"""A scale of 17 significant bits times a whole number of 7 is exact in the 24 of float32: nothing is lost on disk."""


@torch.no_grad()
def quantise(network: nn.Module) -> None:
    """Round the weights of a network to 8 bits: symmetric about zero, with a scale for each channel that goes out.

    The network computes with the rounded weights in 32 bits as before: it is smaller on disk, and not faster. The error
    of a weight is at most half a scale, which is the largest weight of its channel divided by 127.
    """
    weights = weights_of(network)
    for path, layer in network.named_modules():
        for name, parameter in layer.named_parameters(path, recurse=False):
            if name in weights:
                axis = 1 if isinstance(layer, SparseLinear) else 0
                parameter.copy_(rounded(parameter, axis))
    set_structure(network, Structure(structure_of(network).edits, coded=True))


def rounded(weights: Tensor, axis: int) -> Tensor:
    """Round weights to whole numbers of the scale of their channel along an axis, and say them in float32."""
    others = [number for number in range(weights.ndim) if number != axis]
    scales = _few_bits(weights.abs().amax(others, keepdim=True) / WHOLE)
    scales = torch.where(scales > 0, scales, torch.ones_like(scales))
    return (weights / scales).round().clamp(-WHOLE, WHOLE) * scales


def _few_bits(scales: Tensor) -> Tensor:
    """Round numbers to 17 significant bits."""
    bits = scales.contiguous().view(torch.int32) + (1 << (_CLEARED_BITS - 1))
    return (bits >> _CLEARED_BITS << _CLEARED_BITS).view(torch.float32)
