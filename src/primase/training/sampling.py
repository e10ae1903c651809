"""In which order training sees its examples: a function of the seed and the epoch, and of nothing that came before."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import final

import numpy as np
from jaxtyping import Integer
from torch.utils.data import Sampler

from primase.data.examples import Indices


@final
class ShuffledBatches(Sampler[Integer[np.ndarray, "batch"]]):
    """Batches of positions in an order drawn anew each epoch.

    The order of epoch five is the same whether or not the run was interrupted before it. A last batch of a single
    example, on which batch normalisation is not defined, is joined to the one before.
    """

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        self.count = count
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        whole, rest = divmod(self.count, self.batch_size)
        return max(whole + (rest > 1), 1)

    def __iter__(self) -> Iterator[Indices]:
        """Yield the positions of each batch."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.count)
        for number in range(len(self)):
            last = number == len(self) - 1
            yield order[number * self.batch_size : None if last else (number + 1) * self.batch_size]


@final
class GroupedBatches(Sampler[Integer[np.ndarray, "batch"]]):
    """Batches of positions in an order drawn anew each epoch, those of a batch all of one group.

    Every batch of a group is about as large as the others of it.

    Parameters
    ----------
    groups
        A number per example.
    batch_size
        The most examples in a batch.
    """

    def __init__(self, groups: Integer[np.ndarray, "examples"], batch_size: int, seed: int) -> None:
        order = np.argsort(groups, kind="stable")
        self.members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return sum(math.ceil(len(group) / self.batch_size) for group in self.members)

    def __iter__(self) -> Iterator[Indices]:
        """Yield the positions of each batch."""
        generator = np.random.default_rng([self.seed, self.epoch])
        batches = [
            batch
            for group in self.members
            for batch in np.array_split(generator.permutation(group), math.ceil(len(group) / self.batch_size))
        ]
        for number in generator.permutation(len(batches)):
            yield batches[number]


@final
class OrderedBatches(Sampler[Integer[np.ndarray, "batch"]]):
    """Batches of positions in their order."""

    def __init__(self, count: int, batch_size: int) -> None:
        self.count = count
        self.batch_size = batch_size

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil(self.count / self.batch_size)

    def __iter__(self) -> Iterator[Indices]:
        """Yield the positions of each batch."""
        for start in range(0, self.count, self.batch_size):
            yield np.arange(start, min(start + self.batch_size, self.count))
