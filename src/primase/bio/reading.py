"""Opening the files that people have: plain or gzip, whatever their name, with errors that name the file."""

from __future__ import annotations

import gzip
import io
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from primase.errors import ReadError

_GZIP = b"\x1f\x8b"
_OTHER_COMPRESSIONS = {
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\x00": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"PK\x03\x04": "a ZIP archive",
}
_SNIFFED_BYTES = 4096
_BUFFER_BYTES = 1 << 20


@contextmanager
def open_binary(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading bytes, unpacking gzip where the content is gzip, whatever the name says.

    Raises
    ------
    ReadError
        If the file is missing, a folder, not readable, compressed in another way, or a gzip file that is cut off or
        damaged; the latter also while the caller reads from it.
    """
    with _open_plain(path) as plain:
        start = plain.read(_SNIFFED_BYTES)
        plain.seek(0)
        _refuse_other_compression(path, start)
        if not start.startswith(_GZIP):
            yield plain
            return
        try:
            # GzipFile decompresses in small steps unless a large buffer asks it for more at once.
            with gzip.open(plain) as unpacked, io.BufferedReader(unpacked, _BUFFER_BYTES) as buffered:
                yield cast("BinaryIO", buffered)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            what = "the gzip file is damaged or cut off"
            raise ReadError(what, where=str(path), got=str(error), advice="Copy or download it again.") from error


def _open_plain(path: Path) -> BinaryIO:
    try:
        return path.open("rb", buffering=_BUFFER_BYTES)
    except FileNotFoundError as error:
        what = "the file does not exist"
        raise ReadError(what, where=str(path)) from error
    except IsADirectoryError as error:
        what = "this is a folder"
        raise ReadError(what, where=str(path), wanted="a file") from error
    except OSError as error:
        what = "the file cannot be read"
        raise ReadError(what, where=str(path), got=error.strerror or str(error)) from error


def _refuse_other_compression(path: Path, start: bytes) -> None:
    for magic, description in _OTHER_COMPRESSIONS.items():
        if start.startswith(magic):
            what = "the file is compressed"
            raise ReadError(what, where=str(path), got=description, wanted="plain or gzip files")


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a text file, plain or gzip, with any line ends (Unix, Windows, old Mac).

    A byte-order mark at the start is skipped. Letters that are not UTF-8, such as accents in old headers, become the
    replacement character.

    Raises
    ------
    ReadError
        As :func:`open_binary`, and if the content is not text.
    """
    with open_binary(path) as binary:
        _refuse_binary_content(path, binary)
        with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline=None) as text:
            yield text


def _refuse_binary_content(path: Path, binary: BinaryIO) -> None:
    start = cast("io.BufferedReader", binary).peek(_SNIFFED_BYTES)[:_SNIFFED_BYTES]
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        what = "the file is text in the UTF-16 encoding"
        raise ReadError(what, where=str(path), wanted="UTF-8", advice="Save it again as UTF-8 or plain text.")
    if b"\x00" in start:
        what = "the file is not text"
        raise ReadError(what, where=str(path), got="a binary file", wanted="a text file")


@contextmanager
def write_then_rename(path: Path) -> Iterator[TextIO]:
    """Open a text file for writing that appears under its name only when it is complete; ``.gz`` compresses it."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with temporary.open("xb") as binary:
            if path.suffix == ".gz":
                # No file name and no time in the header: the same content gives the same bytes.
                with gzip.GzipFile("", "wb", fileobj=binary, mtime=0) as packed, _text_writer(packed) as text:
                    yield text
            else:
                with _text_writer(binary) as text:
                    yield text
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _text_writer(binary: BinaryIO | gzip.GzipFile) -> TextIO:
    return io.TextIOWrapper(cast("BinaryIO", binary), encoding="utf-8", newline="\n")
