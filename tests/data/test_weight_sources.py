from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from primase.data import weight_sources
from primase.data.sources import Mirror, PackageMember, Source, SourceFile, Url
from primase.data.weight_sources import PUBLISHED_WEIGHTS, WEIGHT_SOURCES, fetch_weights
from primase.errors import ConfigurationError


def test_names_are_unique() -> None:
    assert len({source.name for source in WEIGHT_SOURCES}) == len(WEIGHT_SOURCES)
    assert set(PUBLISHED_WEIGHTS.values()) <= set(WEIGHT_SOURCES)
    assert not {source.name for source in WEIGHT_SOURCES} & PUBLISHED_WEIGHTS.keys()


@pytest.mark.parametrize("source", WEIGHT_SOURCES, ids=lambda source: source.name)
def test_the_name_of_a_file_agrees_with_its_checksum(source: Source) -> None:
    (file,) = source.files
    stem, _, digits = file.name.rpartition(".")[0].rpartition("-")
    if stem and len(digits) == 8:  # publishers put the first digits into the name
        assert file.sha256.startswith(digits)
    for place in file.places:
        match place:
            case Url():
                assert place.address.endswith(f"/{file.name}")
            case PackageMember():
                assert place.member.endswith(f"/{file.name}")
            case Mirror():
                assert len(file.places) == 1


def test_a_file_of_the_users_is_found(tmp_path: Path) -> None:
    path = tmp_path / "mine.pth"
    path.write_bytes(b"weights")
    assert fetch_weights(path) == path
    assert fetch_weights(str(path)) == path


def test_registered_weights_come_by_their_name_or_that_of_their_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"some weights"
    (tmp_path / "elsewhere.bin").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    file = SourceFile("weights.pth", sha256, len(content), (Mirror(),))
    source = Source("small-weights", "t", "d", "image-diagnosis", "MIT", "c", (file,))
    monkeypatch.setattr(weight_sources, "WEIGHT_SOURCES", (source,))
    monkeypatch.setattr(weight_sources, "PUBLISHED_WEIGHTS", {"small": source})
    monkeypatch.setenv("PRIMASE_MIRROR", str(tmp_path))
    monkeypatch.setenv("PRIMASE_CACHE", str(tmp_path / "cache"))
    assert fetch_weights("small-weights").read_bytes() == content
    assert fetch_weights("small") == fetch_weights("small-weights")


def test_unknown_weights_are_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"resnet50-imagenet.*vgg16-edges"):
        fetch_weights(str(tmp_path / "absent.pth"))
