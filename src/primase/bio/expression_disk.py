"""Expression matrices that do not fit in memory: kept in files, of which only the rows that are needed are read.

Rows are read into memory of their own, and not memory-mapped: the pages of a mapped file count as memory of the process
for as long as nothing else wants them.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, final

import numpy as np
from jaxtyping import Float, Int

from primase.bio.expression import BLOCK_BYTES, DenseMatrix, Matrix, Places, Values

MEMORY_LIMIT_BYTES: Final = 1 << 29
"""A matrix that takes more than this in memory stays on disk."""


@final
class NumberFile:
    """Numbers of one type in a file, of which any range can be read.

    Parameters
    ----------
    file
        An open file: a part of one that exists, or a temporary one, which vanishes when it is closed.
    offset
        Where the numbers begin, in bytes.
    """

    def __init__(self, file: BinaryIO, dtype: np.dtype[Any], offset: int = 0) -> None:
        self.dtype = dtype
        self._file = file
        self._offset = offset
        weakref.finalize(self, file.close)

    @classmethod
    def temporary(cls, dtype: np.dtype[Any], folder: Path | None) -> NumberFile:
        """Make an empty one that vanishes with the process."""
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        return cls(tempfile.TemporaryFile(dir=folder), dtype)

    def append(self, values: np.ndarray[Any, np.dtype[Any]]) -> None:
        """Write numbers behind the others."""
        self._file.seek(0, os.SEEK_END)
        np.ascontiguousarray(values, dtype=self.dtype).tofile(self._file)

    def read(self, start: int, out: np.ndarray[Any, np.dtype[Any]]) -> None:
        """Fill an array in one piece with the numbers from this place on."""
        self._file.flush()
        buffer = out.data.cast("B")
        position = self._offset + start * self.dtype.itemsize
        done = 0
        while done < len(buffer):
            got = self._read_some(position + done, buffer[done:])
            if got == 0:
                message = "the file of values has become shorter while it was read"
                raise OSError(message)
            done += got

    def _read_some(self, position: int, buffer: memoryview) -> int:
        # preadv leaves the place in the file alone, so that processes which share it do not disturb each other.
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [buffer], position)
        self._file.seek(position)
        return int(self._file.readinto(buffer) or 0)  # type: ignore[attr-defined]


@final
@dataclass(frozen=True, slots=True, eq=False)
class FileMatrix:
    """A dense matrix in a file, one sample behind the other."""

    numbers: NumberFile
    shape: tuple[int, int]

    def rows(self, rows: Places) -> Values:
        """Read some samples; those that follow each other in the file are read at once."""
        found = np.empty((len(rows), self.shape[1]), dtype=self.numbers.dtype)
        for first, last in runs(rows):
            self.numbers.read(int(rows[first]) * self.shape[1], found[first:last])
        return found.astype(np.float32, copy=False)


@final
@dataclass(frozen=True, slots=True, eq=False)
class SparseFileMatrix:
    """A sparse matrix in files, one sample behind the other: what is not zero, and the gene of each."""

    numbers: NumberFile
    genes: NumberFile
    starts: Int[np.ndarray, "samples_and_end"]
    shape: tuple[int, int]

    def rows(self, rows: Places) -> Values:
        """Read some samples; those that follow each other in the file are read at once."""
        found = np.zeros((len(rows), self.shape[1]), dtype=np.float32)
        for first, last in runs(rows):
            bounds = self.starts[int(rows[first]) : int(rows[last - 1]) + 2]
            values = np.empty(int(bounds[-1] - bounds[0]), dtype=self.numbers.dtype)
            columns = np.empty(len(values), dtype=self.genes.dtype)
            if len(values):
                self.numbers.read(int(bounds[0]), values)
                self.genes.read(int(bounds[0]), columns)
            places = np.repeat(np.arange(first, last), np.diff(bounds))
            found[places, columns] = values
        return found


def runs(rows: Places) -> Iterator[tuple[int, int]]:
    """Find the stretches of rows that follow each other, as places from and up to.

    Examples
    --------
    >>> list(runs(np.array([4, 5, 6, 2, 9])))
    [(0, 3), (3, 4), (4, 5)]
    """
    if len(rows):
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        yield from zip([0, *breaks.tolist()], [*breaks.tolist(), len(rows)], strict=True)


@final
@dataclass(slots=True)
class Gathering:
    """Collects blocks of rows in memory, and from a certain size on in a file.

    Parameters
    ----------
    limit_bytes
        What may be kept in memory.
    folder
        Where temporary files go; the system's place for them if None.
    """

    limit_bytes: int = MEMORY_LIMIT_BYTES
    folder: Path | None = None
    _blocks: list[Float[np.ndarray, "rows columns"]] = field(default_factory=list)
    _held_bytes: int = 0
    _count: int = 0
    _width: int = 0
    _file: NumberFile | None = None

    def add(self, block: Float[np.ndarray, "rows columns"]) -> None:
        """Take the next rows."""
        self._count += len(block)
        self._width = block.shape[1]
        if self._file is not None:
            self._file.append(block)
            return
        self._blocks.append(block)
        self._held_bytes += block.nbytes
        if self._held_bytes > self.limit_bytes:
            self._file = NumberFile.temporary(np.dtype(np.float32), self.folder)
            while self._blocks:
                self._file.append(self._blocks.pop(0))

    def matrix(self) -> Matrix:
        """Return all rows as samples."""
        if self._file is not None:
            return FileMatrix(self._file, (self._count, self._width))
        return DenseMatrix(self._joined())

    def transposed(self) -> Matrix:
        """Return all columns as samples."""
        if self._file is None:
            return DenseMatrix(np.ascontiguousarray(self._joined().T))
        return transpose(FileMatrix(self._file, (self._count, self._width)), self.folder)

    def _joined(self) -> Float[np.ndarray, "rows columns"]:
        whole = np.empty((self._count, self._width), dtype=np.float32)
        start = 0
        while self._blocks:
            block = self._blocks.pop(0)
            whole[start : start + len(block)] = block
            start += len(block)
        return whole


def transpose(matrix: FileMatrix, folder: Path | None, *, block_bytes: int = 4 * BLOCK_BYTES) -> FileMatrix:
    """Write rows as columns into another temporary file, in squares, so that memory is bounded."""
    height, width = matrix.shape
    turned = NumberFile.temporary(np.dtype(np.float32), folder)
    columns_at_once = max(1, block_bytes // (4 * max(height, 1)))
    for start in range(0, width, columns_at_once):
        stop = min(start + columns_at_once, width)
        part = np.empty((height, stop - start), dtype=np.float32)
        for row in range(height):
            matrix.numbers.read(row * width + start, part[row])
        turned.append(part.T)
    return FileMatrix(turned, (width, height))
