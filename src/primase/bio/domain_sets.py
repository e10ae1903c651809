"""Proteins as sets of domains: the sparse table of proteins by domain families, each in the order of its hits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Integer
from scipy.sparse import csr_array


@final
@dataclass(frozen=True, slots=True, eq=False)
class DomainSets:
    """Which protein has which domains, as a table that stores only what is there.

    Parameters
    ----------
    names
        The domain family of each column.
    matrix
        Proteins by families, float32: where the protein has the family, its place in the protein's list, 1 for the
        first (the best hit). A sparse array, never dense: the 44,336 by 16,306 of a large set would take 2.9 GB.
    """

    names: tuple[str, ...]
    matrix: csr_array

    def __post_init__(self) -> None:
        if self.matrix.shape[1] != len(self.names):
            message = f"the matrix has {self.matrix.shape[1]} columns for {len(self.names)} names"
            raise ValueError(message)

    @classmethod
    def from_sets(cls, sets: Iterable[Sequence[str]], *, names: Sequence[str] | None = None) -> DomainSets:
        """Make the table from the families of each protein.

        Parameters
        ----------
        sets
            The families of each protein, the best hit first; a family named twice counts once.
        names
            The columns. Families that are not among them are left out. By default all that occur, sorted.

        Examples
        --------
        >>> table = DomainSets.from_sets([("SH3", "Pkinase"), (), ("Pkinase",)])
        >>> table.names
        ('Pkinase', 'SH3')
        >>> table.matrix.shape
        (3, 2)
        """
        found: dict[str, int] = {} if names is None else {name: column for column, name in enumerate(names)}
        columns: list[int] = []
        places: list[int] = []
        starts = [0]
        for families in sets:
            for place, family in enumerate(dict.fromkeys(families), start=1):
                column = found.setdefault(family, len(found)) if names is None else found.get(family)
                if column is not None:
                    columns.append(column)
                    places.append(place)
            starts.append(len(columns))
        if names is None:
            names = sorted(found)
            position = np.empty(len(found), dtype=np.int32)
            position[[found[name] for name in names]] = np.arange(len(found), dtype=np.int32)
        else:
            position = np.arange(len(names), dtype=np.int32)
        indices = position[np.asarray(columns, dtype=np.int64)]
        values = np.asarray(places, dtype=np.float32)
        matrix = csr_array((values, indices, np.asarray(starts)), shape=(len(starts) - 1, len(names)))
        matrix.sort_indices()
        return cls(tuple(names), matrix)

    def __len__(self) -> int:
        """Return the number of proteins."""
        return int(self.matrix.shape[0])

    def take(self, indices: Integer[np.ndarray, "selected"]) -> DomainSets:
        """Return the proteins at these positions, in this order, with the same columns."""
        return DomainSets(self.names, self.matrix[np.asarray(indices, dtype=np.int64)])

    def sets(self) -> list[tuple[str, ...]]:
        """Return the families of each protein, the first in its list first."""
        names, starts = self.names, self.matrix.indptr.tolist()
        order = np.lexsort((self.matrix.data, np.repeat(np.arange(len(self)), np.diff(self.matrix.indptr))))
        indices = self.matrix.indices[order].tolist()
        return [tuple(names[column] for column in indices[starts[row] : starts[row + 1]]) for row in range(len(self))]

    def with_names(self, names: Sequence[str]) -> DomainSets:
        """Return the same proteins with other columns, such as those that a model was trained on.

        Families that are not among the names are left out, and names that no protein has become empty columns.
        """
        column_of = {name: column for column, name in enumerate(names)}
        targets = np.asarray([column_of.get(name, -1) for name in self.names], dtype=np.int64)
        kept = np.flatnonzero(targets >= 0)
        shape = (len(self.names), len(names))
        selection = csr_array((np.ones(len(kept), dtype=np.float32), (kept, targets[kept])), shape=shape)
        matrix = csr_array(self.matrix @ selection)
        matrix.sort_indices()
        return DomainSets(tuple(names), matrix)
