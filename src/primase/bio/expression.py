"""Expression matrices, samples by genes, in memory or on disk, and the scale on which they are modelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Protocol, final

import numpy as np
from jaxtyping import Float, Integer, Shaped
from scipy import sparse

Values = Float[np.ndarray, "samples genes"]
Places = Integer[np.ndarray, "selected"]

BLOCK_BYTES: Final = 1 << 25
"""What is read of a matrix at a time, as dense float32."""


class Matrix(Protocol):
    """Numbers of samples by genes as a file has them, wherever they are."""

    @property
    def shape(self) -> tuple[int, int]:
        """The number of samples and of genes."""
        ...

    def rows(self, rows: Places) -> Values:
        """Read some samples, float32, in this order; a new array, NaN where a value is missing."""
        ...


class ValueStore(Protocol):
    """Expression of samples by genes on the modelled scale."""

    @property
    def genes(self) -> tuple[str, ...]:
        """The names of the genes, each once."""
        ...

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def values(self, rows: Places, columns: Places | None = None) -> Values:
        """Read some samples and genes (all genes by default), float32; NaN where a value is missing."""
        ...


@final
@dataclass(frozen=True, slots=True, eq=False)
class DenseMatrix:
    """A matrix in memory."""

    array: Values

    @property
    def shape(self) -> tuple[int, int]:
        """The number of samples and of genes."""
        samples, genes = self.array.shape
        return samples, genes

    def rows(self, rows: Places) -> Values:
        """Read some samples."""
        return np.asarray(self.array[rows], dtype=np.float32)


@final
@dataclass(frozen=True, slots=True, eq=False)
class SparseMatrix:
    """A matrix in memory of which only what is not zero is kept."""

    array: sparse.csr_array

    @property
    def shape(self) -> tuple[int, int]:
        """The number of samples and of genes."""
        samples, genes = self.array.shape
        return samples, genes

    def rows(self, rows: Places) -> Values:
        """Read some samples."""
        return np.asarray(self.array[rows].toarray(), dtype=np.float32)


def block_rows(genes: int, *, block_bytes: int = BLOCK_BYTES) -> int:
    """Tell how many samples to read at a time."""
    return max(1, block_bytes // (4 * max(genes, 1)))


def to_modelled(values: Values, *, raw: bool) -> Values:
    """Bring values of a file to the modelled scale: log2(x + 1) of raw ones, others as they are.

    Examples
    --------
    >>> to_modelled(np.array([[0.0, 3.0]]), raw=True)
    array([[0., 2.]])
    """
    return np.log2(values + 1) if raw else values


def to_file(values: Values, *, raw: bool) -> Values:
    """Undo :func:`to_modelled`; what would become negative is zero."""
    return np.maximum(np.exp2(values) - 1, 0) if raw else values


@final
@dataclass(frozen=True, eq=False)
class Expression:
    """A matrix read from a file, on the modelled scale, in which every gene stands once.

    Copies of one gene are added if they are raw (two transcripts of a gene are both its own), and averaged if they are
    logarithms (two probes measure the same).

    Parameters
    ----------
    matrix
        As the file has it.
    names
        The name of each column of it.
    raw
        Whether log2(x + 1) is taken of the values.
    """

    matrix: Matrix
    names: tuple[str, ...]
    raw: bool
    _columns: Mapping[str, list[int]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        columns: dict[str, list[int]] = {}
        for column, name in enumerate(self.names):
            columns.setdefault(name, []).append(column)
        object.__setattr__(self, "_columns", columns)

    @cached_property
    def genes(self) -> tuple[str, ...]:
        """The names of the genes, each once, in the order in which they first stand in the file."""
        return tuple(self._columns)

    @cached_property
    def repeated(self) -> tuple[str, ...]:
        """The genes that stand in the file several times."""
        return tuple(name for name, columns in self._columns.items() if len(columns) > 1)

    def __len__(self) -> int:
        """Return the number of samples."""
        return self.matrix.shape[0]

    def values(self, rows: Places, columns: Places | None = None) -> Values:
        """Read some samples and genes (all genes by default), float32; NaN where a value is missing."""
        rows = np.asarray(rows)
        found = np.empty((len(rows), len(self.genes) if columns is None else len(columns)), dtype=np.float32)
        # A file is read with all of its genes: block by block, and forwards.
        order = np.argsort(rows, kind="stable")
        step = block_rows(self.matrix.shape[1])
        for start in range(0, len(rows), step):
            places = order[start : start + step]
            read = self._each_once(self.matrix.rows(rows[places]))
            found[places] = to_modelled(read if columns is None else read[:, columns], raw=self.raw)
        return found

    def _each_once(self, read: Values) -> Values:
        """Make one column of the copies of a gene, on the scale of the file."""
        if not self.repeated:
            return read
        first = np.array([places[0] for places in self._columns.values()])
        merged = read[:, first]
        place_of = {name: place for place, name in enumerate(self.genes)}
        for name in self.repeated:
            copies = read[:, self._columns[name]]
            # A value that one copy lacks is that of the others.
            known = np.maximum((~np.isnan(copies)).sum(axis=1), np.float32(0))
            total = np.where(known > 0, np.nansum(copies, axis=1), np.nan)
            merged[:, place_of[name]] = total if self.raw else total / np.maximum(known, 1)
        return merged


@final
@dataclass(frozen=True, slots=True, eq=False)
class JoinedStore:
    """Several stores below each other.

    Parameters
    ----------
    genes
        Those that are read of each store.
    columns
        Per store, the place in it of each gene.
    starts
        The row at which each store begins, and the end.
    """

    genes: tuple[str, ...]
    stores: Sequence[ValueStore]
    columns: Sequence[Places]
    starts: Integer[np.ndarray, "stores_and_end"]

    @classmethod
    def of(cls, stores: Sequence[ValueStore], genes: Sequence[str]) -> JoinedStore:
        """Join stores that all have these genes, whatever their order.

        Raises
        ------
        KeyError
            If a store lacks a gene, which it names.
        """
        columns = []
        for store in stores:
            place_of = {name: place for place, name in enumerate(store.genes)}
            columns.append(np.array([place_of[name] for name in genes], dtype=np.int64))
        return cls(tuple(genes), stores, columns, np.cumsum([0, *(len(store) for store in stores)]))

    def __len__(self) -> int:
        """Return the number of samples."""
        return int(self.starts[-1])

    def values(self, rows: Places, columns: Places | None = None) -> Values:
        """Read some samples and genes (all genes by default), float32; NaN where a value is missing."""
        width = len(self.genes) if columns is None else len(columns)
        found = np.empty((len(rows), width), dtype=np.float32)
        owner = np.searchsorted(self.starts, rows, side="right") - 1
        for number, store in enumerate(self.stores):
            mine = np.flatnonzero(owner == number)
            if len(mine):
                own = self.columns[number] if columns is None else self.columns[number][columns]
                found[mine] = store.values(np.asarray(rows)[mine] - self.starts[number], own)
        return found


def is_raw(store: ValueStore) -> bool:
    """Tell whether log2(x + 1) was taken of the values of the files behind a store."""
    if isinstance(store, JoinedStore):
        return is_raw(store.stores[0])
    return isinstance(store, Expression) and store.raw


def array_store(genes: Sequence[str], values: Values) -> ValueStore:
    """Make a store of values in memory that are on the modelled scale already.

    Raises
    ------
    ValueError
        If there is not one name per column, each of another gene.
    """
    names = tuple(genes)
    if values.ndim != 2 or values.shape[1] != len(names) or len({*names}) != len(names):
        message = f"{len(names)} names of genes for values of shape {values.shape}"
        raise ValueError(message)
    return Expression(DenseMatrix(np.asarray(values, dtype=np.float32)), names, raw=False)


@final
@dataclass(frozen=True, slots=True, eq=False)
class ExpressionFile:
    """A file of expression as it was read.

    Parameters
    ----------
    where
        The file, and the layer in it.
    ids
        The name of each sample, dtype object.
    genes
        The name of each column of the matrix; one may stand several times.
    matrix
        Its numbers, NaN where missing.
    texts
        Columns of words about the samples, an empty text where there is none.
    says
        How it was understood, in sentences, by a short name such as ``"orientation"``.
    sample_place
        What the place of a sample is called in messages, such as ``"line"``, ``"row"`` or ``"column"``.
    sample_places
        The number of that place of each sample.
    """

    where: str
    ids: Shaped[np.ndarray, "samples"]
    genes: tuple[str, ...]
    matrix: Matrix
    texts: Mapping[str, Shaped[np.ndarray, "samples"]]
    says: Mapping[str, str]
    sample_place: str
    sample_places: Integer[np.ndarray, "samples"]

    @property
    def name(self) -> str:
        """The file, and the layer in it, without its folder."""
        return self.where[max(self.where.rfind("/"), self.where.rfind("\\")) + 1 :]

    def cell(self, row: int, column: int) -> str:
        """Say where a value stands, for messages."""
        place = f"{self.sample_place} {self.sample_places[row]}"
        return f"{self.where}, {place}, sample {self.ids[row]!r}, gene {self.genes[column]!r}"
