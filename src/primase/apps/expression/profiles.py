"""Expression profiles: some samples and some genes of a store, which may lie on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from jaxtyping import Float, Integer, Shaped

from primase.bio.expression import Values, ValueStore, array_store, block_rows
from primase.data.examples import Indices
from primase.errors import InputError

BLOCK: Final = 1024
_SHOWN: Final = 10


@final
@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """How much of each gene there is in each of some samples.

    Nothing is copied when samples or genes are chosen: values are read when they are asked for.

    Parameters
    ----------
    store
        Where the values are.
    rows
        The samples, as places in the store.
    columns
        The genes, as places in ``store.genes``.
    condition
        A word per sample that a conditional model is told, such as its cohort; None where there is none.
    """

    store: ValueStore
    rows: Integer[np.ndarray, "examples"]
    columns: Integer[np.ndarray, "genes"]
    condition: Shaped[np.ndarray, "examples"] | None = None

    @classmethod
    def whole(cls, store: ValueStore) -> Profiles:
        """Take all samples and all genes of a store."""
        return cls(store, np.arange(len(store)), np.arange(len(store.genes)))

    @classmethod
    def of_values(
        cls, genes: Sequence[str], values: Values, condition: Shaped[np.ndarray, "examples"] | None = None
    ) -> Profiles:
        """Make profiles of values in memory, on the modelled scale, NaN where missing."""
        return replace(cls.whole(array_store(genes, values)), condition=condition)

    @property
    def genes(self) -> tuple[str, ...]:
        """The names of the genes, in the order of the columns of :meth:`values`."""
        names = self.store.genes
        return tuple(names[column] for column in self.columns.tolist())

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.rows)

    def take(self, indices: Indices) -> Profiles:
        """Return the samples at these positions, in this order; nothing is read."""
        condition = None if self.condition is None else self.condition[indices]
        return Profiles(self.store, self.rows[indices], self.columns, condition)

    @classmethod
    def concatenate(cls, blocks: Sequence[Profiles]) -> Profiles:
        """Join blocks of profiles of the same genes, in this order; in memory unless all are of one store."""
        first = blocks[0]
        conditions = [block.condition for block in blocks]
        known = [condition for condition in conditions if condition is not None]
        condition = np.concatenate(known) if len(known) == len(blocks) else None
        if all(block.store is first.store and np.array_equal(block.columns, first.columns) for block in blocks):
            return cls(first.store, np.concatenate([block.rows for block in blocks]), first.columns, condition)
        genes = first.genes
        if any(block.genes != genes for block in blocks[1:]):
            message = "blocks of profiles have different genes"
            raise ValueError(message)
        return cls.of_values(genes, np.concatenate([block.values() for block in blocks]), condition)

    def values(self, indices: Indices | None = None) -> Float[np.ndarray, "selected genes"]:
        """Read the values of some samples (all by default), on the modelled scale, float32; NaN where missing."""
        rows = self.rows if indices is None else self.rows[indices]
        every = len(self.columns) == len(self.store.genes) and bool((np.diff(self.columns) == 1).all())
        return self.store.values(rows, None if every else self.columns)

    def blocks(self, size: int | None = None) -> Iterator[tuple[slice, Float[np.ndarray, "block genes"]]]:
        """Read all values in order, so many samples at a time; by default as many as take some megabytes."""
        size = size or min(BLOCK, block_rows(len(self.store.genes)))
        for start in range(0, len(self), size):
            place = slice(start, min(start + size, len(self)))
            yield place, self.values(np.arange(place.start, place.stop))

    def only(self, genes: Sequence[str]) -> Profiles:
        """Return the same samples with these genes, in this order; nothing is read.

        Raises
        ------
        InputError
            If a gene is not there; the message names up to ten of them.
        """
        place_of = dict(zip(self.genes, self.columns.tolist(), strict=True))
        missing = [name for name in genes if name not in place_of]
        if missing:
            shown = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
            what = f"{len(missing):,} of {len(genes):,} genes that are needed are not there"
            got = f"{len(place_of):,} genes, such as {', '.join([*place_of][:3])}"
            raise InputError(what, got=got, wanted=f"also {shown}")
        return replace(self, columns=np.array([place_of[name] for name in genes], dtype=np.int64))

    def values_with_gaps(self, genes: Sequence[str]) -> Float[np.ndarray, "examples genes"]:
        """Read the values of these genes, in this order, NaN for those that are not there."""
        there = frozenset(self.genes)
        places = np.array([place for place, name in enumerate(genes) if name in there], dtype=np.int64)
        values = np.full((len(self), len(genes)), np.nan, dtype=np.float32)
        values[:, places] = self.only([genes[place] for place in places.tolist()]).values()
        return values

    def with_condition(self, condition: Shaped[np.ndarray, "examples"] | None) -> Profiles:
        """Return the same profiles with a word per sample, or without one."""
        return replace(self, condition=condition)
