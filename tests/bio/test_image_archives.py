import zipfile

import numpy as np
import pytest

from primase.bio import image_archives
from primase.bio.image_archives import read_archive
from primase.errors import ReadError

RNG = np.random.default_rng(2)


def medmnist(path, **more):
    arrays = {}
    for part, count in (("train", 6), ("val", 3), ("test", 4)):
        arrays[f"{part}_images"] = RNG.integers(0, 256, (count, 8, 8), dtype=np.uint8)
        arrays[f"{part}_labels"] = RNG.integers(0, 2, (count, 1), dtype=np.uint8)
    np.savez_compressed(path, **{**arrays, **more})
    return arrays


def test_reads_the_layout_of_medmnist(tmp_path):
    arrays = medmnist(tmp_path / "a.npz")
    found = read_archive(tmp_path / "a.npz")
    assert list(found) == ["train", "validation", "test"]
    assert found["validation"].name == "val"
    assert np.array_equal(found["test"].images, arrays["test_images"])
    assert np.array_equal(found["train"].labels, arrays["train_labels"])


def test_large_arrays_are_read_from_disk(tmp_path, monkeypatch):
    arrays = medmnist(tmp_path / "a.npz")
    monkeypatch.setattr(image_archives, "MOST_IN_MEMORY", 100)
    images = read_archive(tmp_path / "a.npz")["train"].images
    assert isinstance(images, np.memmap)
    assert np.array_equal(images, arrays["train_images"])


def test_objects_are_never_loaded(tmp_path):
    medmnist(tmp_path / "a.npz", test_labels=np.array([{"a": 1}] * 4, dtype=object))
    with pytest.raises(ReadError, match="Python objects"):
        read_archive(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"train_images": np.zeros((3, 8, 8, 8), dtype=np.uint8)}, "no images"),
        ({"train_images": np.zeros((6, 8, 8), dtype=np.int64)}, "int64"),
        ({"train_labels": np.zeros((5, 1), dtype=np.uint8)}, "do not belong"),
        ({"train_labels": np.zeros((6, 1))}, "do not belong"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, more, message):
    medmnist(tmp_path / "a.npz", **more)
    with pytest.raises(ReadError, match=message) as raised:
        read_archive(tmp_path / "a.npz")
    assert "train" in str(raised.value.where)


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "b.npz", weights=np.zeros(3))
    with pytest.raises(ReadError, match="holds no images"):
        read_archive(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_text("no archive")
    with pytest.raises(ReadError, match="no archive of arrays"):
        read_archive(tmp_path / "c.npz")
    medmnist(tmp_path / "d.npz")
    (tmp_path / "d.npz").write_bytes((tmp_path / "d.npz").read_bytes()[:-300])
    with pytest.raises(ReadError):
        read_archive(tmp_path / "d.npz")
    with pytest.raises(ReadError, match="does not exist"):
        read_archive(tmp_path / "no.npz")


@pytest.mark.parametrize("change", [-1, 5000])
def test_an_array_on_disk_is_as_long_as_its_shape_says(tmp_path, monkeypatch, change):
    arrays = medmnist(tmp_path / "a.npz")
    monkeypatch.setattr(image_archives, "MOST_IN_MEMORY", 100)
    monkeypatch.setattr(image_archives, "_CHUNK", 64, raising=False)
    with zipfile.ZipFile(tmp_path / "a.npz") as source, zipfile.ZipFile(tmp_path / "b.npz", "w") as changed:
        for name in source.namelist():
            content = source.read(name)
            if name == "train_images.npy":
                content = content[:change] if change < 0 else content + b"x" * change
            changed.writestr(name, content)
    if change < 0:
        with pytest.raises(ReadError, match="cut off") as raised:
            read_archive(tmp_path / "b.npz")
        assert raised.value.where == f"{tmp_path / 'b.npz'}, train_images"
        assert raised.value.got == "383 bytes"
    else:
        images = read_archive(tmp_path / "b.npz")["train"].images
        assert np.array_equal(images, arrays["train_images"])
        assert images._mmap.size() == images.nbytes  # the file that it was unpacked into


def test_an_encrypted_archive_is_refused(tmp_path):
    medmnist(tmp_path / "a.npz")
    content = bytearray((tmp_path / "a.npz").read_bytes())
    place = content.find(b"PK\x01\x02")
    while place >= 0:  # the bit that says so, of every member in the directory at the end
        content[place + 8] |= 1
        place = content.find(b"PK\x01\x02", place + 4)
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ReadError, match="encrypted"):
        read_archive(tmp_path / "a.npz")
