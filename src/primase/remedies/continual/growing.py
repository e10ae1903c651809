"""A network with more outputs that begins with what a smaller one has learned."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from primase.errors import BundleError


def grow(network: nn.Module, learned: Mapping[str, Tensor]) -> nn.Module:
    """Put learned weights into a network of the same architecture that has more outputs.

    A weight or bias that has more rows keeps its own for the new ones, which lie behind the old ones.

    Parameters
    ----------
    network
        The larger one; is changed.
    learned
        The state of the smaller one.

    Raises
    ------
    BundleError
        If the networks differ in more than the number of their outputs.
    """
    own = network.state_dict()
    for name, tensor in own.items():
        old = learned.get(name)
        fits = old is not None and old.shape[1:] == tensor.shape[1:] and (old.dim() == 0 or len(old) <= len(tensor))
        if old is None or not fits:
            what = "the trained network is not one that can grow into one with more answers"
            found = "nothing" if old is None else f"shape {tuple(old.shape)}"
            raise BundleError(what, where=name, got=found, wanted=f"shape {tuple(tensor.shape)}")
        with torch.no_grad():
            if tensor.dim() == 0:
                tensor.copy_(old)
            else:
                tensor[: len(old)].copy_(old)
    return network
