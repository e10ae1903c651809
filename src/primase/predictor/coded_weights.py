"""Weights of a compressed network as a file: zeros are left out, few values become a code book, bytes a Huffman code.

The file holds exactly the numbers that it was made of. It begins with eight bytes ``PRIMCOD1``, the length of the
header (eight bytes, little-endian) and the header: JSON, deflated. What the header speaks of follows in one row of
bytes. Per tensor the header says ``name``, ``dtype``, ``shape`` and how the values are written, whichever is the
shortest of these:

``plain``
    All values, little-endian.
``values``
    The values as they are.
``book``
    The values that occur, at most 256, and a byte for each place that says which of them stands there.
``scaled``
    Whole numbers from -127 to 127, plus 128, of which each channel along ``axis`` has its own scale.

The bytes of the last three are Huffman codes where they are bytes. With ``gaps`` only values other than zero are
there, and a stream of bytes says how many zeros stand before each; 255 means 255 zeros and no value yet (Han et al.
2016, section 2).
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
from torch import Tensor

from primase.errors import BundleError
from primase.predictor.huffman import Bytes, Stream, decode, encode

MAGIC: Final = b"PRIMCOD1"
ENDING: Final = ".coded"
WHOLE: Final = 127
"""The largest whole number that a scaled value is written as."""

_PLAIN: Final = frozenset(
    {
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    }
)
_GAP: Final = 255
_LARGEST_BOOK: Final = 256
_MOST_HEADER: Final = 1 << 26
_MOST_WEIGHTS: Final = 1 << 30
"""Of all tensors of a file together: zeros take no room in it, so that a short one could ask for any memory."""

_Numbers = np.ndarray[Any, np.dtype[Any]]
_Written = tuple[dict[str, Any], list[bytes]]


def encode_weights(weights: Mapping[str, Tensor]) -> bytes:
    """Write tensors by name into bytes, each in the shortest way."""
    body = _Body()
    described = [_describe(name, tensor.detach().cpu().contiguous(), body) for name, tensor in weights.items()]
    header = zlib.compress(json.dumps({"tensors": described}, separators=(",", ":")).encode(), 9)
    return b"".join([MAGIC, len(header).to_bytes(8, "little"), header, *body.parts])


def decode_weights(content: bytes) -> dict[str, Tensor]:
    """Read what :func:`encode_weights` wrote.

    Raises
    ------
    ValueError
        If the bytes are not such.
    """
    if content[:8] != MAGIC:
        message = "these are no coded weights"
        raise ValueError(message)
    length = int.from_bytes(content[8:16], "little")
    if length > len(content) - 16:
        message = "the header is cut off"
        raise ValueError(message)
    reader = _Reader(content[16 + length :])
    try:
        tensors = json.loads(_inflated(content[16 : 16 + length]))["tensors"]
        shapes = [tuple(int(size) for size in described["shape"]) for described in tensors]
        _check_shapes(shapes)
        weights = {
            str(described["name"]): _read(described, shape, reader)
            for described, shape in zip(tensors, shapes, strict=True)
        }
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError, RuntimeError, zlib.error) as error:
        message = f"the header is not one of coded weights: {error!r}"
        raise ValueError(message) from None
    return weights


def read_coded(path: Path) -> dict[str, Tensor]:
    """Read the weights of one network from a file.

    Raises
    ------
    BundleError
        If it is no such file.
    """
    try:
        return decode_weights(path.read_bytes())
    except (ValueError, OSError) as error:
        what = "a weight file of the bundle cannot be read"
        raise BundleError(what, where=str(path), got=str(error)) from None


@final
@dataclass(slots=True)
class _Body:
    """The row of bytes, growing."""

    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, part: bytes) -> list[int]:
        """Append bytes, and say where they are and how many."""
        self.parts.append(part)
        self.size += len(part)
        return [self.size - len(part), len(part)]

    def stream(self, stream: Stream) -> dict[str, Any]:
        """Append a Huffman code; its lengths take half a byte each."""
        lengths = np.concatenate([stream.lengths, np.zeros(len(stream.lengths) % 2, dtype=np.uint8)])
        table = (lengths[::2] << 4 | lengths[1::2]).astype(np.uint8).tobytes()
        return {"count": stream.count, "code": self.add(table), "bits": self.add(stream.bits)}


@final
@dataclass(frozen=True, slots=True)
class _Reader:
    """The row of bytes, looked into with care."""

    content: bytes

    def part(self, place: Any) -> bytes:
        """Return the bytes that the header speaks of."""
        start, size = (int(number) for number in place)
        if start < 0 or size < 0 or start + size > len(self.content):
            message = "the header speaks of bytes that are not there"
            raise ValueError(message)
        return self.content[start : start + size]

    def numbers(self, place: Any, dtype: str, count: int) -> _Numbers:
        """Read so many numbers."""
        kind = np.dtype(dtype).newbyteorder("<")
        part = self.part(place)
        if len(part) != count * kind.itemsize:
            message = f"there are {len(part)} bytes for {count} numbers of {kind.itemsize}"
            raise ValueError(message)
        return np.frombuffer(part, dtype=kind)

    def stream(self, described: Mapping[str, Any]) -> Bytes:
        """Read a Huffman code."""
        table = np.frombuffer(self.part(described["code"]), dtype=np.uint8)
        lengths = np.stack([table >> 4, table & 15], axis=1).reshape(-1)
        return decode(Stream(int(described["count"]), lengths, self.part(described["bits"])))


def _describe(name: str, tensor: Tensor, body: _Body) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": name,
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
    }
    # Numbers that numpy does not know, such as bfloat16, are read as bytes.
    known = tensor.dtype in {
        torch.float32,
        torch.float64,
        torch.int64,
        torch.int32,
        torch.uint8,
        torch.int8,
        torch.bool,
    }
    if not known:
        raw = tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
        return described | {"plain": body.add(raw)}
    values = tensor.numpy()
    best: tuple[int, dict[str, Any], list[Any]] = (values.nbytes, {}, [])
    if tensor.dtype == torch.float32 and tensor.numel() >= 64:
        for written in (_sparse(values, values.reshape(-1)), *_booked(values), *_scaled(values)):
            if written[0] < best[0]:
                best = written
    if not best[1]:
        return described | {"plain": body.add(values.astype(values.dtype.newbyteorder("<")).tobytes())}
    _, ways, parts = best
    placed = [body.stream(part) if isinstance(part, Stream) else body.add(part) for part in parts]
    return described | {way: placed[value] if way != "axis" else value for way, value in ways.items()}


_Way = tuple[int, dict[str, Any], list[Any]]
"""Bytes that it takes, by which word of the header each part is known, and the parts."""


def _size(parts: list[Any]) -> int:
    # What the header says of a part takes some bytes, too.
    return sum(24 + (part.size if isinstance(part, Stream) else len(part)) for part in parts)


def _gaps(flat: _Numbers) -> Stream:
    """Write how many zeros stand before each value that is none."""
    positions = np.flatnonzero(flat)
    zeros = np.diff(positions, prepend=-1) - 1
    fillers = zeros // _GAP
    symbols = np.full(int(fillers.sum()) + len(positions), _GAP, dtype=np.uint8)
    symbols[np.cumsum(fillers + 1) - 1] = zeros % _GAP
    return encode(symbols)


def _sparse(values: _Numbers, flat: _Numbers) -> _Way:
    """Leave zeros out, and write the others as they are."""
    del values
    kept = flat[flat != 0].astype("<f4").tobytes()
    parts = [kept, _gaps(flat)]
    return _size(parts), {"values": 0, "gaps": 1}, parts


def _coded(symbols: Bytes, flat: _Numbers, ways: dict[str, Any], parts: list[Any]) -> list[_Way]:
    """Write a byte per value: of all values, and of those that are not zero."""
    whole = [*parts, encode(symbols)]
    few = [*parts, encode(symbols[flat != 0]), _gaps(flat)]
    number = len(parts)
    return [
        (_size(whole), {**ways, "symbols": number}, whole),
        (_size(few), {**ways, "symbols": number, "gaps": number + 1}, few),
    ]


def _booked(values: _Numbers) -> list[_Way]:
    """Write which of a few values stands where, if there are few."""
    flat = values.reshape(-1)
    if len(np.unique(flat[: 8 * _LARGEST_BOOK])) > _LARGEST_BOOK or not np.isfinite(flat).all():
        return []
    book, symbols = np.unique(flat, return_inverse=True)
    if len(book) > _LARGEST_BOOK:
        return []
    return _coded(symbols.reshape(-1).astype(np.uint8), flat, {"book": 0}, [book.astype("<f4").tobytes()])


def _scaled(values: _Numbers) -> list[_Way]:
    """Write whole numbers and a scale per channel, if the values are exactly such."""
    found: list[_Way] = []
    if values.ndim < 2 or not np.isfinite(values).all():
        return found
    flat = values.reshape(-1)
    for axis in (0, 1):
        scales = scales_of(values, axis)
        codes = np.rint(values / scales)
        if np.array_equal((codes * scales).astype(np.float32), values):
            symbols = (codes + WHOLE + 1).astype(np.uint8).reshape(-1)
            parts = [scales.reshape(-1).astype("<f4").tobytes()]
            found += _coded(symbols, flat, {"axis": axis, "scaled": 0}, parts)
    return found


def scales_of(values: _Numbers, axis: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Find the scale of each channel along an axis: its largest size is 127 of them; 1 where all is zero.

    Returns
    -------
    array
        To be multiplied with the values: of size 1 along all other axes.
    """
    others = tuple(number for number in range(values.ndim) if number != axis)
    largest = np.abs(values).max(axis=others, keepdims=True) if values.size else np.zeros((1,) * values.ndim)
    scales = (largest / np.float32(WHOLE)).astype(np.float32)
    return np.where(scales > 0, scales, np.float32(1))


def _check_shapes(shapes: Sequence[tuple[int, ...]]) -> None:
    count = 0
    for shape in shapes:
        count += math.prod(shape)
        if min(shape, default=0) < 0 or count > _MOST_WEIGHTS:
            message = f"{shape} is no shape of weights"
            raise ValueError(message)


def _read(described: Mapping[str, Any], shape: tuple[int, ...], reader: _Reader) -> Tensor:
    count = math.prod(shape)
    if "plain" in described:
        kind = getattr(torch, str(described["dtype"]), None)
        part = reader.part(described["plain"])
        # Types of torch beside those of numbers, such as quint8, stop the whole program where they are read.
        if not isinstance(kind, torch.dtype) or kind not in _PLAIN or len(part) != count * kind.itemsize:
            message = f"there are {len(part)} bytes for {count} numbers of type {described['dtype']}"
            raise ValueError(message)
        if not count:
            return torch.empty(shape, dtype=kind)
        return torch.frombuffer(bytearray(part), dtype=kind).reshape(shape)
    there = _positions(reader.stream(described["gaps"]), count) if "gaps" in described else None
    places = count if there is None else len(there)
    if "values" in described:
        values = reader.numbers(described["values"], "f4", places)
    else:
        symbols = reader.stream(described["symbols"])
        if len(symbols) != places:
            message = f"there are {len(symbols)} values for {places} places"
            raise ValueError(message)
        values = _meant(described, symbols, np.arange(count) if there is None else there, shape, reader)
    flat = np.zeros(count, dtype=np.float32)
    flat[slice(None) if there is None else there] = values
    return torch.from_numpy(flat.reshape(shape))


def _meant(
    described: Mapping[str, Any], symbols: Bytes, there: _Numbers, shape: tuple[int, ...], reader: _Reader
) -> _Numbers:
    """Look up what bytes stand for at their places: values of the book, or whole numbers of the scale there."""
    if "book" in described:
        book = reader.numbers(described["book"], "f4", int(described["book"][1]) // 4)
        found: _Numbers = book[symbols]
        return found
    axis = int(described["axis"])
    if not 0 <= axis < len(shape):
        message = f"a tensor of shape {shape} has no axis {axis}"
        raise ValueError(message)
    scales = reader.numbers(described["scaled"], "f4", shape[axis]).astype(np.float32)
    channels = there // math.prod(shape[axis + 1 :]) % shape[axis]
    scaled: _Numbers = (symbols.astype(np.float32) - (WHOLE + 1)) * scales[channels]
    return scaled


def _positions(gaps: Bytes, count: int) -> _Numbers:
    """Find the places of the values by the zeros before each."""
    is_value = gaps != _GAP
    ends = np.cumsum(gaps.astype(np.int64) + is_value)
    positions: _Numbers = ends[is_value] - 1
    if len(positions) and positions[-1] >= count:
        message = "there are values beyond the end of the tensor"
        raise ValueError(message)
    return positions


def _inflated(deflated: bytes) -> bytes:
    inflater = zlib.decompressobj()
    content = inflater.decompress(deflated, _MOST_HEADER)
    if inflater.unconsumed_tail or not inflater.eof:
        message = "the header is cut off, or far too long"
        raise ValueError(message)
    return content
