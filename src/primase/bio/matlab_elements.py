"""MATLAB 5 files: where the numbers of each variable lie, so that they can be memory-mapped.

A file is a header of 128 bytes and then elements, one inside the other: a tag that says what it is and how long, and
its content. A variable is an element of the kind matrix, which may be compressed as a whole. Source: MathWorks,
MAT-File Format (2019), chapter 1.
"""

from __future__ import annotations

import struct
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NoReturn, final

import numpy as np
from jaxtyping import Shaped, UInt8

from primase.errors import ReadError

HEADER_BYTES = 128
_BYTE_ORDERS: Final[dict[bytes, Literal["<", ">"]]] = {b"IM": "<", b"MI": ">"}
_MATRIX, _COMPRESSED = 14, 15
# Storage of numbers in a MATLAB 5 file (MathWorks, MAT-File Format, table 1-1), which may be smaller than their class.
_STORAGE: Final = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_NUMERIC_CLASSES = range(6, 16)
_COMPLEX_FLAG = 0x0800
_PEEKED_BYTES = 1024
_UNPACKED_BYTES = 1 << 22

Numbers = Shaped[np.ndarray, "..."]
Bytes = UInt8[np.ndarray, "bytes"]


def refuse_class(path: Path, name: str) -> NoReturn:
    """Say that a variable is text, a cell array, sparse or something else that is no full matrix of numbers."""
    what = f"the variable {name!r} holds no numbers"
    raise ReadError(what, where=str(path), wanted="a full matrix of 0 and 1")


def refuse_damage(path: Path, got: str) -> NoReturn:
    """Say that a file is not whole."""
    what = "the MATLAB file is damaged or cut off"
    raise ReadError(what, where=str(path), got=got, advice="Copy or download it again.")


@dataclass(frozen=True, slots=True)
class _Element:
    """A piece of a MATLAB 5 file: what it is, where its content lies, and where the next piece starts."""

    kind: int
    start: int
    size: int
    after: int


@dataclass(frozen=True, slots=True)
class _Matrix:
    """The head of a variable; ``numbers`` is where the element with its numbers starts."""

    name: str
    number_class: int
    is_complex: bool
    shape: tuple[int, ...]
    numbers: int


@final
@dataclass(frozen=True, slots=True)
class _Elements:
    """Reads the elements of a MATLAB 5 file (MathWorks, MAT-File Format, chapter 1) from bytes, mapped or in memory."""

    path: Path
    order: Literal["<", ">"]

    def element(self, raw: Bytes, place: int) -> _Element:
        first, second = self.unpack("II", raw, place, 8)
        if first >> 16:  # a short element has its size in the same word, and its content in the next
            return _Element(first & 0xFFFF, place + 4, first >> 16, place + 8)
        # Elements are filled up to eight bytes, but for compressed ones.
        filled = second if first == _COMPRESSED else -(-second // 8) * 8
        return _Element(first, place + 8, second, place + 8 + filled)

    def unpack(self, kinds: str, raw: Bytes, place: int, size: int) -> tuple[int, ...]:
        if place + size > len(raw):
            refuse_damage(self.path, "an element that ends after the file")
        return struct.unpack(self.order + kinds, raw[place : place + size].tobytes())

    def matrix(self, raw: Bytes, place: int) -> _Matrix:
        """Read the head of a variable, whose element starts here."""
        flags = self.element(raw, self.element(raw, place).start)
        dimensions = self.element(raw, flags.after)
        name = self.element(raw, dimensions.after)
        (word,) = self.unpack("I", raw, flags.start, 4)
        count = dimensions.size // 4
        shape = self.unpack(f"{count}i", raw, dimensions.start, 4 * count)
        letters = raw[name.start : name.start + name.size].tobytes().decode("latin-1")
        return _Matrix(letters, word & 0xFF, bool(word & _COMPLEX_FLAG), shape, name.after)

    def numbers(self, raw: Bytes, matrix: _Matrix) -> Numbers:
        """Map the numbers of a variable, in the order of MATLAB (the first axis runs fastest)."""
        if matrix.number_class not in _NUMERIC_CLASSES or matrix.is_complex:
            refuse_class(self.path, matrix.name)
        element = self.element(raw, matrix.numbers)
        kind = np.dtype(_STORAGE.get(element.kind, "V1")).newbyteorder(self.order)
        content = raw[element.start : element.start + element.size]
        if element.kind not in _STORAGE or len(content) != int(np.prod(matrix.shape, dtype=np.int64)) * kind.itemsize:
            got = f"{len(content):,} bytes of {matrix.name!r}, which is {' x '.join(map(str, matrix.shape))}"
            refuse_damage(self.path, got)
        return content.view(kind).reshape(matrix.shape, order="F")

    def unpacked(self, packed: Bytes, folder: Path | None) -> Bytes:
        """Decompress an element as a stream into a file without a name, and map it."""
        with tempfile.TemporaryFile(dir=folder) as file:
            stream = zlib.decompressobj()
            for start in range(0, len(packed), _UNPACKED_BYTES):
                part = packed[start : start + _UNPACKED_BYTES].tobytes()
                while part:
                    file.write(self.decompress(stream, part, _UNPACKED_BYTES))
                    part = stream.unconsumed_tail
            if not stream.eof:
                refuse_damage(self.path, "a compressed element that ends too early")
            file.flush()
            return np.asarray(np.memmap(file, dtype=np.uint8, mode="r"))

    def decompress(self, stream: zlib._Decompress, packed: bytes, most: int) -> bytes:
        try:
            return stream.decompress(packed, most)
        except zlib.error as error:
            refuse_damage(self.path, str(error))


def is_matlab5(start: bytes) -> bool:
    """Tell whether a file that starts with these bytes, at least 128, is a MATLAB 5 file."""
    return start[126:HEADER_BYTES] in _BYTE_ORDERS


def map_variables(path: Path, wanted: tuple[str, ...], folder: Path | None) -> tuple[dict[str, Numbers], list[str]]:
    """Memory-map variables of a MATLAB 5 file.

    Parameters
    ----------
    path
        The file.
    wanted
        Names of variables.
    folder
        Where compressed variables are unpacked to, in a file without a name.

    Returns
    -------
    variables, present
        The wanted ones that are there, in the order of MATLAB's axes; and the names of all that are.

    Raises
    ------
    ReadError
        If the file is damaged or cut off, or a wanted variable holds no numbers.
    """
    raw = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
    elements = _Elements(path, _BYTE_ORDERS[raw[126:128].tobytes()])
    variables: dict[str, Numbers] = {}
    present: list[str] = []
    place = HEADER_BYTES
    while place < len(raw):
        element = elements.element(raw, place)
        content = raw[element.start : element.start + element.size]
        if len(content) != element.size:
            refuse_damage(path, "an element that ends after the file")
        head, at = raw, place
        if element.kind == _COMPRESSED:
            peeked = elements.decompress(zlib.decompressobj(), content[:_PEEKED_BYTES].tobytes(), _PEEKED_BYTES)
            head, at = np.frombuffer(peeked, dtype=np.uint8), 0
        if elements.element(head, at).kind == _MATRIX:
            matrix = elements.matrix(head, at)
            present.append(matrix.name)
            if matrix.name in wanted:
                whole = elements.unpacked(content, folder) if element.kind == _COMPRESSED else raw
                variables[matrix.name] = elements.numbers(whole, matrix)
        place = element.after
    return variables, present
