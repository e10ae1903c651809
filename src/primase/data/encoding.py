"""From inputs to tensors: an encoder is fitted on the training part alone, and its whole state is JSON and arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.utils.data import Dataset

from primase.data.examples import Indices, InputsT

Batch = dict[str, Tensor]
Targets = Shaped[np.ndarray, "examples *labels"]
Values = Float[np.ndarray, "examples targets"]


@dataclass(frozen=True, slots=True)
class EncoderState:
    """All that an encoder knows: ``facts`` can be written as JSON, ``arrays`` as numbers."""

    facts: dict[str, Any]
    arrays: dict[str, np.ndarray[Any, np.dtype[Any]]] = field(default_factory=dict)


class EncodedInputs(Protocol):
    """Inputs ready for a network: whole batches are cut out by position."""

    def __len__(self) -> int:
        """Return the number of examples."""
        ...

    def batch(self, indices: Indices) -> Batch:
        """Return the tensors of these examples; the network takes them as keyword arguments."""
        ...


LARGEST_BATCH: Final = 4096


def largest_batch(inputs: EncodedInputs) -> int:
    """Tell how many examples to compute at once where nothing is learned: as many as the inputs say, else 4,096.

    Long inputs say so by an attribute ``largest_batch``: what does not fit the processor's cache is slower.
    """
    return int(getattr(inputs, "largest_batch", LARGEST_BATCH))


class Encoder(ABC, Generic[InputsT]):
    """Turns inputs into tensors, in the same way at training and ever after."""

    @abstractmethod
    def encode(self, inputs: InputsT) -> EncodedInputs:
        """Prepare inputs for the network."""

    @abstractmethod
    def state(self) -> EncoderState:
        """Return all that is needed to make this encoder again."""

    @property
    def value_scale(self) -> str:
        """The scale of targets that are values, such as ``"log2(x + 1)"``; empty where it needs no name."""
        return ""

    def encode_targets(self, targets: Targets) -> Targets:
        """Bring targets to the scale on which the network learns; NaN stays where a value is not known."""
        return targets

    def decode(self, values: Values) -> Values:
        """Bring what a network of values says back to the scale of the targets."""
        return values

    def to_file(self, values: Values) -> Values:
        """Bring values from the scale of the targets to that of the user's files."""
        return values


class SupervisedBatches(Dataset[tuple[Batch, Tensor]]):
    """Encoded inputs beside their targets, indexed by whole batches.

    Cutting a batch out at once is many times faster than gathering single examples, which is what dominates the
    training of small networks.
    """

    def __init__(self, inputs: EncodedInputs, targets: Targets) -> None:
        self.inputs = inputs
        # The many targets of an example stay as small as they are.
        wide = targets if targets.ndim > 1 else targets.astype(np.int64)
        self.targets = torch.from_numpy(np.ascontiguousarray(wide))

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.inputs)

    def __getitem__(self, indices: Indices) -> tuple[Batch, Tensor]:
        """Return one batch."""
        return self.inputs.batch(indices), self.targets[torch.from_numpy(indices)]
