"""The layer by which a network answers: what goes into it are its features, what comes out its logits or values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from primase.data.encoding import Batch, EncodedInputs, largest_batch
from primase.errors import InputError
from primase.predictor.features import evaluating


def answer_layer(network: nn.Module, outputs: int) -> str:
    """Name the last dense layer of a network: the one that learns, and has as many outputs as there are answers.

    Raises
    ------
    InputError
        If there is none, as where answers are no labels or values of single examples.
    """
    found: list[str] = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and module.weight.requires_grad and module.out_features == outputs
    ]
    if not found:
        what = "the network has no dense layer of which each output is an answer, and so no features to remember by"
        raise InputError(what, got=type(network).__name__, wanted="the method ewc, naive or joint")
    return found[-1]


def outputs_of(network: nn.Module, inputs: EncodedInputs) -> Float[np.ndarray, "examples outputs"]:
    """Compute what a network answers to each example, by evaluation: logits, or values on its own scale."""
    device = next(network.parameters()).device
    blocks = []
    with evaluating(network), torch.inference_mode():
        size = largest_batch(inputs)
        for start in range(0, len(inputs), size):
            batch = inputs.batch(np.arange(start, min(start + size, len(inputs))))
            answered = network(**{name: tensor.to(device) for name, tensor in batch.items()})
            blocks.append(answered.float().cpu().numpy())
    return np.concatenate(blocks)


@contextmanager
def answers_of(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what a network answers while something else, such as a loss, asks it."""
    heard: list[Tensor] = []

    def hear(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        heard.append(output)

    handle = network.register_forward_hook(hear)
    try:
        yield heard
    finally:
        handle.remove()


def answer(network: nn.Module, batch: Batch, heard: list[Tensor]) -> Tensor:
    """Take the last answer that was heard, or ask the network where none was."""
    answered: Tensor = heard[-1] if heard else network(**batch)
    return answered
