"""Reads pickled lists of strings, such as Python 2 programs left behind, without running a pickle.

A pickle is a program for a small machine, and can be made to call anything or to fill the memory. The reader here is
no such machine: it knows the handful of instructions that build lists and strings, and refuses every other by name
before anything is done about it. Each instruction takes at least a byte of the file and adds at most one entry, and
lists that are mentioned twice are counted twice, so that a file can become no larger than its own length in entries.
"""

from __future__ import annotations

import io
import pickletools
from pathlib import Path
from typing import Any, Final, final

from primase.errors import ReadError

_STRINGS: Final = frozenset(
    {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"},
)
_REMEMBER: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
_RECALL: Final = frozenset({"GET", "BINGET", "LONG_BINGET"})
_NOTHING_TO_DO: Final = frozenset({"PROTO", "FRAME"})

_MARK: Final = object()


def load_strings(path: Path) -> list[str]:
    """Read a pickled list of strings, such as the names of protein families.

    Parameters
    ----------
    path
        A pickle of protocol 0 to 4, of Python 2 or 3. Byte strings are read as ASCII (protocol 0) or Latin-1.

    Raises
    ------
    ReadError
        It is truncated or no pickle, asks for anything but lists and strings (the message names it), or holds
        something other than one list of strings.

    Examples
    --------
    >>> import pickle, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "families.pickle")
    ...     _ = path.write_bytes(pickle.dumps(["Pkinase", "SH3_1"], protocol=0))
    ...     load_strings(path)
    ['Pkinase', 'SH3_1']
    """
    loaded, _ = _load(path)
    strings = [entry for entry in loaded if isinstance(entry, str)]
    if len(strings) != len(loaded):
        raise _wrong_content(path, loaded, "a list of strings")
    return strings


def load_string_lists(path: Path) -> list[list[str]]:
    """Read a pickled list of lists of strings, such as the domain families found in each of many proteins.

    Parameters
    ----------
    path
        A pickle of protocol 0 to 4, of Python 2 or 3. Byte strings are read as ASCII (protocol 0) or Latin-1.

    Raises
    ------
    ReadError
        It is truncated or no pickle, asks for anything but lists and strings (the message names it), or holds
        something other than a list of lists of strings.
    """
    loaded, size_bytes = _load(path)
    wanted = "a list of lists of strings"
    rows = [row for row in loaded if isinstance(row, list)]
    if len(rows) != len(loaded):
        raise _wrong_content(path, loaded, wanted)
    if sum(map(len, rows)) > size_bytes:
        what = "the pickle repeats its lists to more entries than it has bytes"
        raise ReadError(what, where=str(path), wanted=wanted)
    for row in rows:
        if not all(isinstance(entry, str) for entry in row):
            raise _wrong_content(path, row, wanted)
    return rows


def _load(path: Path) -> tuple[list[Any], int]:
    """Read the outermost list, whose entries are strings or lists, and the size of the file in bytes."""
    try:
        content = path.read_bytes()
    except OSError as error:
        what = f"the file cannot be read: {error.strerror}"
        raise ReadError(what, where=str(path)) from error
    builder = _ListBuilder(path)
    reached = 0
    try:
        for operation, argument, position in pickletools.genops(io.BytesIO(content)):
            reached = position or 0
            builder.do(operation.name, argument)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        what = "the pickle is truncated or damaged"
        got = f"after byte {reached} of {len(content)}: {error}"
        raise ReadError(what, where=str(path), got=got, wanted="a complete pickle") from error
    if not isinstance(builder.result, list):
        raise _wrong_content(path, [builder.result], "a list")
    return builder.result, len(content)


def _wrong_content(path: Path, entries: list[Any], wanted: str) -> ReadError:
    kinds = sorted({"string" if isinstance(entry, str) else "list" for entry in entries})
    return ReadError("the pickle holds something else", where=str(path), got=" and ".join(kinds), wanted=wanted)


@final
class _ListBuilder:
    """Follows the instructions of a pickle that build lists and strings, and refuses all others."""

    def __init__(self, path: Path) -> None:
        self.result: Any = None
        self._path = path
        self._stack: list[Any] = []
        # A dictionary, since an index of a billion costs an entry here, and gigabytes in an array.
        self._memo: dict[int, Any] = {}

    def do(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _STRINGS:
            stack.append(argument)
        elif name in _REMEMBER:
            self._memo[len(self._memo) if argument is None else int(argument)] = stack[-1]
        elif name in _RECALL:
            stack.append(self._memo[int(argument)])
        elif name == "STOP":
            self.result = stack.pop()
        elif name not in _NOTHING_TO_DO:
            self._do_with_lists(name, argument)

    def _do_with_lists(self, name: str, argument: Any) -> None:
        stack = self._stack
        match name:
            case "EMPTY_LIST":
                stack.append([])
            case "MARK":
                stack.append(_MARK)
            case "LIST":
                stack.append(self._since_mark())
            case "APPEND":
                entry = stack.pop()
                self._top_list().append(entry)
            case "APPENDS":
                entries = self._since_mark()
                self._top_list().extend(entries)
            case _:
                raise self._forbidden(name, argument)

    def _since_mark(self) -> list[Any]:
        entries = []
        while (entry := self._stack.pop()) is not _MARK:
            entries.append(entry)
        entries.reverse()
        return entries

    def _top_list(self) -> list[Any]:
        top = self._stack[-1]
        if not isinstance(top, list):
            message = "an entry is added to something that is no list"
            raise TypeError(message)
        return top

    def _forbidden(self, name: str, argument: Any) -> ReadError:
        match name:
            case "GLOBAL" | "INST":
                got = f"the global {str(argument).replace(' ', '.')}"
            case "STACK_GLOBAL":
                got = f"the global {'.'.join(str(part) for part in self._stack[-2:])}"
            case "PERSID" | "BINPERSID":
                got = "a persistent id"
            case _:
                got = f"the pickle instruction {name}"
        return ReadError(
            "the pickle asks for something that is forbidden",
            where=str(self._path),
            got=got,
            wanted="lists and strings, nothing else",
            advice="Do not load it with other programs unless you trust who made it.",
        )
