"""In which order training sees its examples: a function of the seed and the epoch, and of nothing that came before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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
class BalancedBatches(Sampler[Integer[np.ndarray, "batch"]]):
    """Batches of positions in which every class comes equally often, drawn anew each epoch.

    Classes are drawn without putting back until all of one were seen. Up-sampling takes of every class as many as the
    largest has, so that small ones come several times; down-sampling as many as the smallest has, so that large ones
    are seen in part, and each epoch another part of them.

    Parameters
    ----------
    classes
        The class of each example, below zero where it is not known: such are left out.
    batch_size
        The most examples in a batch.
    down
        Whether to sample down, and not up.
    least
        Down-sampling draws so many examples in an epoch at least, in several rounds where classes are small.
    """

    def __init__(
        self, classes: Integer[np.ndarray, "examples"], batch_size: int, seed: int, *, down: bool, least: int = 0
    ) -> None:
        self.members = members_of_classes(classes)
        self.of_each = drawn_of_each([len(own) for own in self.members], down=down, least=least)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose draw comes next; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        whole, rest = divmod(self.of_each * len(self.members), self.batch_size)
        return max(whole + (rest > 1), 1)

    def __iter__(self) -> Iterator[Indices]:
        """Yield the positions of each batch."""
        generator = np.random.default_rng([self.seed, self.epoch])
        drawn = []
        for own in self.members:
            times = math.ceil(self.of_each / len(own))
            drawn.append(np.concatenate([generator.permutation(own) for _ in range(times)])[: self.of_each])
        order = generator.permutation(np.concatenate(drawn))
        for number in range(len(self)):
            last = number == len(self) - 1
            yield order[number * self.batch_size : None if last else (number + 1) * self.batch_size]


def members_of_classes(classes: Integer[np.ndarray, "examples"]) -> list[Indices]:
    """List the positions of each class that occurs; a class below zero is none."""
    return [np.flatnonzero(classes == one) for one in np.unique(classes[classes >= 0])]


def drawn_of_each(sizes: Sequence[int], *, down: bool, least: int = 0) -> int:
    """Count how many examples of each class an epoch draws.

    Examples
    --------
    >>> drawn_of_each([90, 10], down=False), drawn_of_each([90, 10], down=True)
    (90, 10)
    >>> drawn_of_each([90, 10], down=True, least=50)
    30
    """
    if not down:
        return max(sizes)
    smallest = min(sizes)
    return smallest * max(math.ceil(least / (smallest * len(sizes))), 1)


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
