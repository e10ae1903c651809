"""Reads pickled tables of pandas without pandas, and without running anything that the pickle names.

A pickle of a table asks for a dozen functions and classes of pandas and NumPy by name. Here each of these names stands
for a note of what it was asked to make, which does nothing, and every other name is refused. The notes are read when
the pickle is at its end.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Self, final

import numpy as np
from jaxtyping import Shaped

from primase.errors import ReadError

Columns = dict[str, Shaped[np.ndarray, "rows"]]

_ALLOWED: Final = frozenset(
    {
        ("builtins", "slice"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
        *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
        ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"),
        ("pandas._libs.internals", "_unpickle_block"),
        ("pandas.core.arrays.categorical", "Categorical"),
        ("pandas.core.arrays.integer", "IntegerArray"),
        ("pandas.core.arrays.integer", "Int32Dtype"),
        ("pandas.core.arrays.integer", "Int64Dtype"),
        ("pandas.core.dtypes.dtypes", "CategoricalDtype"),
        ("pandas.core.frame", "DataFrame"),
        ("pandas.core.indexes.base", "Index"),
        ("pandas.core.indexes.base", "_new_Index"),
        ("pandas.core.indexes.range", "RangeIndex"),
        ("pandas.core.internals.managers", "BlockManager"),
        # as a pandas of version 3 calls them
        *(("pandas", name) for name in ("Categorical", "CategoricalDtype", "DataFrame", "Index", "RangeIndex")),
    }
)
_FORBIDDEN: Final = frozenset({"PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"})
_INDEXED: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_DTYPE: Final = re.compile(r"[iuf][1248]|b1|O8")
_ADVICE: Final = "Do not load it with other programs unless you trust who made it."


def load_frame(path: Path) -> Columns:
    """Read a pickled pandas table of numbers, words and categories.

    Parameters
    ----------
    path
        A pickle of protocol 4 or 5 that a pandas of version 2 or 3 has written, of a table with ordinary columns.

    Returns
    -------
    dict of str to numpy.ndarray
        The values of each column: numbers, or objects (str, and None where a category is missing).

    Raises
    ------
    ReadError
        It is truncated or no pickle, names anything but the parts of such a table (the message says what), or is no
        table.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        what = f"the file cannot be read: {error.strerror}"
        raise ReadError(what, where=str(path)) from error
    try:
        _inspect(path, content)
        found = _Notes(io.BytesIO(content), path).load()
        return _columns(found)
    except (
        pickle.UnpicklingError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        what = "the pickle is damaged, or no table of pandas"
        raise ReadError(what, where=str(path), got=str(error), wanted="a pickled table") from error


def _inspect(path: Path, content: bytes) -> None:
    """Look at every instruction before any is followed: the pickle must be whole, and ask for little memory."""
    for operation, argument, _ in pickletools.genops(content):
        if operation.name in _FORBIDDEN:
            what = "the pickle asks for something that is forbidden"
            raise ReadError(what, where=str(path), got=f"the pickle instruction {operation.name}", advice=_ADVICE)
        if operation.name in _INDEXED and int(argument or 0) > len(content):
            message = "it remembers more than it holds"
            raise ValueError(message)


class _Note:
    """What the pickle wants made: by which name, of what, and with which state. Nothing is made."""

    name: ClassVar[str] = ""

    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> Self:
        """Note what it is asked to be made of, whether it is called or made in another way."""
        note = super().__new__(cls)
        note.arguments, note.state = arguments, None
        return note

    def __setstate__(self, state: Any) -> None:
        self.state = state


_NOTES: Final[Mapping[tuple[str, str], type[_Note]]] = {
    place: type("_Noted", (_Note,), {"name": place[1]}) for place in sorted(_ALLOWED)
}


@final
class _Notes(pickle.Unpickler):
    """Follows a pickle in which every name is a note."""

    def __init__(self, file: io.BytesIO, path: Path) -> None:
        super().__init__(file)
        self._path = path

    def find_class(self, module_name: str, global_name: str, /) -> type[_Note]:
        """Return a note for a name that tables need."""
        note = _NOTES.get((module_name, global_name))
        if note is None:
            what = "the pickle asks for something that is forbidden"
            raise ReadError(
                what,
                where=str(self._path),
                got=f"the global {module_name}.{global_name}",
                wanted="a table of pandas, and nothing else",
                advice=_ADVICE,
            )
        return note


def _columns(frame: Any) -> Columns:
    """Read a table: blocks of columns of one kind, and the places of these columns in it."""
    manager = _noted(frame, "DataFrame").state["_mgr"]
    blocks, axes = _noted(manager, "BlockManager").arguments[:2]
    names, rows = (_index(axis) for axis in axes)
    if len({*names}) != len(names):
        message = "a column name stands twice"
        raise ValueError(message)
    found: dict[int, Shaped[np.ndarray, "rows"]] = {}
    for block in blocks:
        values, placement = _noted(block, "_unpickle_block").arguments[:2]
        array = np.atleast_2d(_values(values))
        for place, column in zip(_placement(placement, len(names)), array, strict=True):
            if len(column) != len(rows):
                message = f"a column has {len(column)} values for {len(rows)} rows"
                raise ValueError(message)
            found[place] = column
    return {str(name): found[place] for place, name in enumerate(names)}


def _noted(value: Any, *names: str) -> _Note:
    if not isinstance(value, _Note) or value.name not in names:
        found = value.name if isinstance(value, _Note) else type(value).__name__
        message = f"{found}, where {' or '.join(names)} is wanted"
        raise TypeError(message)
    return value


def _placement(value: Any, count: int) -> Sequence[int]:
    note = _noted(value, "slice", "_frombuffer", "_reconstruct")
    if note.name == "slice":
        return range(count)[slice(*note.arguments)]
    places: list[int] = _array(note).tolist()
    return places


def _index(value: Any) -> Sequence[Any]:
    kind, state = _noted(value, "_new_Index").arguments
    if "data" not in state:
        assert kind.name == "RangeIndex"
        return range(int(state["start"]), int(state["stop"]), int(state["step"]))
    names: list[Any] = _values(state["data"]).tolist()
    return names


def _values(value: Any) -> Shaped[np.ndarray, "*shape"]:
    """Read an array of NumPy, or one of pandas's own kinds: categories, and whole numbers some of which are missing."""
    note = _noted(value, "_frombuffer", "_reconstruct", "__pyx_unpickle_NDArrayBacked", "IntegerArray")
    if note.name == "IntegerArray":
        numbers, missing = (_array(note.state[name]) for name in ("_data", "_mask"))
        if not missing.any():
            return numbers
        words = numbers.astype(object)
        words[missing] = None
        return words
    if note.name != "__pyx_unpickle_NDArrayBacked":
        return _array(note)
    dtype, codes = note.state[0], _array(note.state[1])
    categories = [*_index(_noted(dtype, "CategoricalDtype").state["categories"]), None]  # a code of -1 is missing
    return np.array([categories[code] for code in codes.tolist()], dtype=object)


def _array(value: Any) -> Shaped[np.ndarray, "*shape"]:
    note = _noted(value, "_frombuffer", "_reconstruct")
    if note.name == "_frombuffer":
        data, dtype, shape, order = note.arguments
        return np.frombuffer(bytes(data), dtype=_dtype(dtype)).reshape(shape, order=order)
    _, shape, dtype, by_columns, data = note.state
    kind = _dtype(dtype)
    if kind.kind != "O":
        return np.frombuffer(data, dtype=kind).reshape(shape, order="F" if by_columns else "C")
    if not isinstance(data, list) or not all(isinstance(one, str | int | float | None) for one in data):
        message = "a column holds something other than words and numbers"
        raise TypeError(message)
    if len(data) != math.prod(shape):
        message = f"{len(data)} values for an array of shape {shape}"
        raise ValueError(message)
    array = np.empty(len(data), dtype=object)
    array[:] = data
    return array.reshape(shape)  # a list of objects is by rows, whatever the order in memory was


def _dtype(value: Any) -> np.dtype[Any]:
    note = _noted(value, "dtype")
    kind, order = str(note.arguments[0]), str(note.state[1]) if note.state else "|"
    if not _DTYPE.fullmatch(kind) or order not in {"<", ">", "|", "="}:
        message = f"values of type {order}{kind}"
        raise ValueError(message)
    return np.dtype(kind if order == "|" else f"{order}{kind}")
