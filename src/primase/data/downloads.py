"""One file from the web: streamed, resumed where an earlier download broke off, with progress."""

from __future__ import annotations

import http.client
import re
from pathlib import Path
from typing import IO, Final
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from primase.data.sources import SourceFile, Url, is_safe_address
from primase.errors import SourceError
from primase.events import Listener, Progress

TIMEOUT_SECONDS: Final = 30.0
"""How long a server may stay silent."""

_CHUNK_BYTES: Final = 1 << 18
_RANGE_NOT_SATISFIABLE: Final = 416


def download(url: Url, file: SourceFile, staged: Path, listener: Listener) -> None:
    """Bring a file from the web into ``staged``, going on from what is there already.

    A download that breaks off leaves what has arrived, for the next call to go on from. The content is not checked
    here, beyond its length.

    Parameters
    ----------
    url
        Where the file is.
    file
        What is expected there.
    staged
        Where to write; what it holds is taken to be the beginning of the file.
    listener
        Hears of the progress in bytes.

    Raises
    ------
    SourceError
        The server cannot be reached, refuses, sends another length, or the connection broke off.
    """
    have = staged.stat().st_size if staged.exists() else 0
    if have >= file.size_bytes:
        staged.unlink(missing_ok=True)
        have = 0
    headers = {"User-Agent": "primase"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with _opener().open(Request(url.address, headers=headers), timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - Url allows https alone
            start = _start_of(response, have)
            _check_length(response, start, file)
            with staged.open("ab" if start else "wb") as target:
                done = _stream(response, target, start, file, listener)
    except HTTPError as error:
        error.close()
        if error.code == _RANGE_NOT_SATISFIABLE:
            staged.unlink(missing_ok=True)
        message = f"the server answered {error.code} {error.reason}"
        raise SourceError(message) from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        message = f"the download failed: {reason or type(error).__name__}"
        raise SourceError(message) from error
    if done < file.size_bytes:
        message = f"the connection ended after {done} of {file.size_bytes} bytes; the next attempt goes on from there"
        raise SourceError(message)


class _SafeRedirects(HTTPRedirectHandler):
    """Follow a redirection only to an address that is as safe."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> Request | None:
        if not is_safe_address(newurl):
            message = f"the server redirects to {newurl}, which is no https address"
            raise SourceError(message)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> OpenerDirector:
    return build_opener(_SafeRedirects)


def _start_of(response: http.client.HTTPResponse, asked: int) -> int:
    """Read at which byte the answer begins: a server that knows no ranges sends the whole file."""
    if response.status != http.client.PARTIAL_CONTENT:
        return 0
    begin = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if begin is None or int(begin[1]) != asked:
        message = "the server sent another part of the file than it was asked for"
        raise SourceError(message)
    return asked


def _check_length(response: http.client.HTTPResponse, start: int, file: SourceFile) -> None:
    """Refuse a wrong length before the content is transferred."""
    if response.length is not None and start + response.length != file.size_bytes:
        message = f"the server has {start + response.length} bytes, not {file.size_bytes}"
        raise SourceError(message)


def _stream(
    response: http.client.HTTPResponse, target: IO[bytes], start: int, file: SourceFile, listener: Listener
) -> int:
    """Copy the answer to its end, and return how much of the file is there then."""
    done = start
    stage = f"download {file.name}"
    while chunk := response.read(_CHUNK_BYTES):
        done += len(chunk)
        if done > file.size_bytes:
            message = f"the server sent more than {file.size_bytes} bytes"
            raise SourceError(message)
        target.write(chunk)
        listener(Progress(stage, done, file.size_bytes, "bytes"))
    return done
