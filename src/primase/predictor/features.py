"""What a network has computed before its last layer: the features by which it sees examples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from primase.data.encoding import EncodedInputs, largest_batch

Features = Float[np.ndarray, "examples features"]


def features_before(network: nn.Module, layer: str, inputs: EncodedInputs) -> Features:
    """Compute what comes into a layer, one row per example, by evaluation and whatever the batches are.

    A network that reads an example several times, such as both strands of DNA, has the mean of its features.

    Parameters
    ----------
    layer
        The name of the layer within the network.
    """
    device = next(network.parameters()).device
    rows = [np.empty((0, 0), dtype=np.float32)]
    with _heard(network.get_submodule(layer)) as heard, evaluating(network), torch.inference_mode():
        size = largest_batch(inputs)
        for start in range(0, len(inputs), size):
            batch = inputs.batch(np.arange(start, min(start + size, len(inputs))))
            heard.clear()
            network(**{name: tensor.to(device) for name, tensor in batch.items()})
            rows.append(torch.stack(heard).mean(dim=0).flatten(1).float().cpu().numpy())
    return np.concatenate(rows[1:]) if len(rows) > 1 else rows[0]


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Set a network to evaluation, and afterwards to what it was."""
    mode = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(mode)


@contextmanager
def _heard(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what comes into a layer."""
    heard: list[Tensor] = []

    def hear(_module: nn.Module, inputs: Any) -> None:
        heard.append(inputs[0])

    handle = layer.register_forward_pre_hook(hear)
    try:
        yield heard
    finally:
        handle.remove()
