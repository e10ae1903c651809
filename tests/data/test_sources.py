from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from primase.apps.enzyme_identification.sources import ENZYME_PFAM, SOURCES
from primase.data.mirror import MirrorFolder
from primase.data.sources import Mirror, PackageMember, Place, Source, SourceFile, Url, is_safe_address, sha256_of
from primase.errors import SourceError

DIGITS = "0" * 64
SOMEWHERE = Url("https://example.org/a.txt")


def registered(content: bytes, name: str = "a.txt", places: tuple[Place, ...] = (Mirror(),)) -> SourceFile:
    return SourceFile(name, hashlib.sha256(content).hexdigest(), len(content), places)


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://example.org/a", True),
        ("http://127.0.0.1:8000/a", True),
        ("http://localhost/a", True),
        ("http://example.org/a", False),
        ("http://localhost.example.org/a", False),
        ("http://127.0.0.1@example.org/a", False),
        ("ftp://example.org/a", False),
        ("file:///etc/passwd", False),
    ],
)
def test_only_https_and_this_machine_are_safe(address: str, safe: bool) -> None:  # noqa: FBT001
    assert is_safe_address(address) is safe
    if not safe:
        with pytest.raises(ValueError, match="https"):
            Url(address)


@pytest.mark.parametrize(("package", "version"), [("-r", "1"), ("a b", "1"), ("a", "1 --pre"), ("a", ""), ("a", "*")])
def test_a_package_cannot_smuggle_options_to_pip(package: str, version: str) -> None:
    with pytest.raises(ValueError, match="exact version"):
        PackageMember(package, version, "member")


@pytest.mark.parametrize("name", ["../a", "a/b", "a\\b", "", ".", "..", ".hidden", "-a", "a b"])
def test_a_file_name_cannot_leave_its_folder(name: str) -> None:
    with pytest.raises(ValueError, match="plain name"):
        SourceFile(name, DIGITS, 1, (SOMEWHERE,))


@pytest.mark.parametrize("sha256", ["", "0" * 63, "G" * 64, "A" * 64])
def test_a_file_has_a_whole_checksum(sha256: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal"):
        SourceFile("a", sha256, 1, (SOMEWHERE,))


def test_a_file_has_content_and_a_place() -> None:
    for size_bytes, places in [(0, (SOMEWHERE,)), (1, ())]:
        with pytest.raises(ValueError, match="a size and a place"):
            SourceFile("a", DIGITS, size_bytes, places)


def test_a_source_has_differently_named_files() -> None:
    file = SourceFile("a", DIGITS, 1, (SOMEWHERE,))
    for files in [(), (file, file)]:
        with pytest.raises(ValueError, match="files"):
            Source("name", "", "", "", "", "", files)
    with pytest.raises(ValueError, match="lower case"):
        Source("Two Words", "", "", "", "", "", (file,))


def test_the_mirror_comes_first_and_once() -> None:
    assert SourceFile("a", DIGITS, 1, (SOMEWHERE, Mirror())).places_in_order == (Mirror(), SOMEWHERE)
    assert SourceFile("a", DIGITS, 1, (SOMEWHERE,)).places_in_order == (Mirror(), SOMEWHERE)


def test_sha256_is_that_of_the_standard(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_mirror_finds_a_file_by_content_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    wanted = tmp_path / "deep" / "er" / "renamed.bin"
    wanted.write_bytes(b"content")
    (tmp_path / "a.txt").write_bytes(b"CONTENT")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    assert MirrorFolder(tmp_path).find(registered(b"content")) == wanted
    assert MirrorFolder(tmp_path).find(registered(b"another")) is None


def test_the_mirror_reads_no_file_of_another_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "long").write_bytes(b"long content")
    (tmp_path / "right").write_bytes(b"content")
    read: list[str] = []

    def note(path: Path) -> str:
        read.append(path.name)
        return sha256_of(path)

    monkeypatch.setattr("primase.data.mirror.sha256_of", note)
    assert MirrorFolder(tmp_path).find(registered(b"content")) is not None
    assert read == ["right"]


def test_a_mirror_that_is_no_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIMASE_MIRROR", str(tmp_path / "typo"))
    with pytest.raises(SourceError, match="typo") as caught:
        MirrorFolder.from_environment()
    assert caught.value.where == "PRIMASE_MIRROR"


def test_no_mirror_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRIMASE_MIRROR", raising=False)
    assert MirrorFolder.from_environment() is None


def test_registered_sources_are_complete() -> None:
    assert len({source.name for source in SOURCES}) == len(SOURCES)
    for source in SOURCES:
        assert source.application == "enzyme-identification"
        assert source.licence
        assert "doi:" in source.citation
        assert source.size_bytes == sum(file.size_bytes for file in source.files) > 0


def test_the_papers_set_is_what_is_registered() -> None:
    folder = os.environ.get("PRIMASE_MIRROR")
    if not folder or not Path(folder).is_dir():
        pytest.skip("PRIMASE_MIRROR names no folder with the paper's enzyme set")
    mirror = MirrorFolder(Path(folder))
    if mirror.find(ENZYME_PFAM.files[0]) is None:
        pytest.skip("PRIMASE_MIRROR does not hold the paper's enzyme set")
    assert all(mirror.find(file) for file in ENZYME_PFAM.files)
