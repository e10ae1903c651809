"""Learning new examples beside a few that are remembered, as the tensors that the network reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Bool, Integer, Shaped
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Sampler

from primase.data.encoding import Batch, EncodedInputs, SupervisedBatches, largest_batch
from primase.data.examples import Indices

REMEMBERED: Final = "remembered"
"""The tensor of a batch that tells which of its rows are remembered."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """Some examples as the network reads them, with their targets on the scale on which it learns.

    Parameters
    ----------
    tensors
        A row per example.
    targets
        As the encoder gives them.
    """

    tensors: Mapping[str, Tensor]
    targets: Shaped[np.ndarray, "examples *labels"]
    largest_batch: int = 4096

    @classmethod
    def of(cls, batches: SupervisedBatches, positions: Indices) -> Remembered:
        """Keep some of the examples that a network is trained or judged on."""
        targets = batches.targets[torch.from_numpy(positions)].numpy()
        return cls(batches.inputs.batch(positions), targets, largest_batch(batches.inputs))

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.targets)

    def batch(self, indices: Indices) -> Batch:
        """Return the tensors of some."""
        rows = torch.from_numpy(np.asarray(indices))
        return {name: tensor[rows] for name, tensor in self.tensors.items()}

    @property
    def bytes(self) -> int:
        """How much room the tensors take."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values())

    def joined(self, other: Remembered) -> Remembered:
        """Put other examples behind these; of more labels, those of these are unknown."""
        batches = [dict(self.tensors), dict(other.tensors)]
        targets = np.concatenate([widened(self.targets, other.targets), other.targets])
        return Remembered(_stacked(batches), targets, min(self.largest_batch, other.largest_batch))


def widened(
    targets: Shaped[np.ndarray, "examples *labels"], like: Shaped[np.ndarray, "others *labels"]
) -> Shaped[np.ndarray, "examples *labels"]:
    """Give targets as many columns as others have; those that are new are not known."""
    if targets.ndim == 1 or targets.shape[1] >= like.shape[1]:
        return targets
    unknown = np.nan if np.issubdtype(targets.dtype, np.floating) else -1
    wide = np.full((len(targets), like.shape[1]), unknown, dtype=targets.dtype)
    wide[:, : targets.shape[1]] = targets
    return wide


@final
@dataclass(frozen=True, slots=True, eq=False)
class Rehearsed:
    """New examples, and behind them those that are remembered; every batch tells which are which, where asked to.

    Parameters
    ----------
    marked
        Whether batches have a tensor :data:`REMEMBERED`, which is not for the network.
    """

    new: EncodedInputs
    old: Remembered
    marked: bool = False

    def __len__(self) -> int:
        """Return the number of all examples."""
        return len(self.new) + len(self.old)

    @property
    def largest_batch(self) -> int:
        """As many at once as the new examples say."""
        return largest_batch(self.new)

    def batch(self, indices: Indices) -> Batch:
        """Return the tensors of some examples, in the order of the positions."""
        is_old = np.asarray(indices) >= len(self.new)
        parts = [self.new.batch(indices[~is_old])] if not is_old.all() else []
        parts += [self.old.batch(indices[is_old] - len(self.new))] if is_old.any() else []
        order = torch.from_numpy(np.argsort(np.argsort(is_old, kind="stable"), kind="stable"))
        batch = {name: tensor[order] for name, tensor in _stacked(parts).items()}
        return {**batch, REMEMBERED: torch.from_numpy(is_old)} if self.marked else batch


def rehearsed(new: SupervisedBatches, old: Remembered, *, marked: bool = False) -> SupervisedBatches:
    """Put remembered examples beside new ones to learn from."""
    own = new.targets.numpy()
    targets = np.concatenate([own, widened(old.targets, own).astype(own.dtype)])
    return SupervisedBatches(Rehearsed(new.inputs, old, marked), targets)


def apart(batch: Batch) -> tuple[Batch, Bool[Tensor, "batch"] | None]:
    """Take from a batch which of its rows are remembered; None where it does not say."""
    return {name: tensor for name, tensor in batch.items() if name != REMEMBERED}, batch.get(REMEMBERED)


@final
class HalfRemembered(Sampler[Integer[np.ndarray, "batch"]]):
    """Batches of new positions drawn without replacement, each with as many remembered ones, drawn with replacement.

    Parameters
    ----------
    new, old
        How many there are of each; the remembered ones lie behind.
    """

    def __init__(self, new: int, old: int, batch_size: int, seed: int) -> None:
        self.new, self.old, self.batch_size, self.seed, self.epoch = new, old, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return max(round(self.new / self.batch_size), 1)

    def __iter__(self) -> Iterator[Indices]:
        """Yield the positions of each batch."""
        generator = np.random.default_rng([self.seed, self.epoch])
        for own in np.array_split(generator.permutation(self.new), len(self)):
            yield np.concatenate([own, self.new + generator.integers(self.old, size=len(own))])


def _stacked(batches: list[Batch]) -> Batch:
    """Put rows of batches below each other; those that are shorter, such as lists of features, are filled with 0."""
    if len(batches) == 1:
        return batches[0]
    stacked = {}
    for name in batches[0]:
        tensors = [batch[name] for batch in batches]
        shape = [max(sizes) for sizes in zip(*(tensor.shape[1:] for tensor in tensors), strict=True)]
        stacked[name] = torch.cat([_filled(tensor, shape) for tensor in tensors])
    return stacked


def _filled(tensor: Tensor, shape: list[int]) -> Tensor:
    missing = [wanted - size for size, wanted in zip(tensor.shape[1:], shape, strict=True)]
    if not any(missing):
        return tensor
    widths = [number for lacking in reversed(missing) for number in (0, lacking)]
    return functional.pad(tensor, widths)
