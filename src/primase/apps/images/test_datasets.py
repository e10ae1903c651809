import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from primase.apps.images import datasets, sources
from primase.apps.images.configuration import ImageData
from primase.apps.images.datasets import DIAGNOSIS, SUPER_RESOLUTION, biology_images, lung_masks, unpack_images
from primase.apps.images.reading import read_pictures
from primase.data.fetch import locate
from primase.errors import SourceError

MIRROR = os.environ.get("PRIMASE_MIRROR", "")
in_mirror = pytest.mark.skipif(not Path(MIRROR, "super_resolution").is_dir(), reason="PRIMASE_MIRROR has no images")


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def test_every_registered_set_can_be_read_by_name():
    registered = {source.name for source in (*sources.DIAGNOSIS_SOURCES, *sources.SUPER_RESOLUTION_SOURCES)}
    assert set(DIAGNOSIS) | set(SUPER_RESOLUTION) == registered - {"lung-masks", "set5"}
    assert [len(source.files) for source in (sources.T91, sources.SET5, sources.NUCLEI)] == [91, 5, 120]


def test_masks_are_black_and_white_and_small(tmp_path, monkeypatch):
    left = np.zeros((60, 40), dtype=np.uint8)
    left[10:30, 5:15] = 255
    archive = tmp_path / "masks.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("masks/", "")
        packed.writestr("masks/b.png", png(left.T))
        packed.writestr("masks/a.png", png(left))
        packed.writestr("masks/notes.txt", "notes")
    monkeypatch.setattr(datasets, "fetch", lambda source, listener: {"masks.zip": archive})
    whole = lung_masks()
    assert [mask.shape for mask in whole] == [(60, 40), (40, 60)]
    assert np.array_equal(whole[0], left)
    small = lung_masks(longest=30)
    assert small[0].shape == (30, 20)
    assert set(np.unique(small[0])) == {0, 255}
    assert (small[0] > 0).mean() == pytest.approx((left > 0).mean(), abs=0.02)


def test_biology_images_keep_pages_of_one_specimen_together(tmp_path, monkeypatch):
    stack = np.random.default_rng(0).integers(0, 65536, (4, 20, 20), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "nuclei.tif", stack, photometric="minisblack")
    Image.fromarray(stack[0].astype(np.uint8)).save(tmp_path / "skin.tif")
    paths = {path.name: path for path in sorted(tmp_path.iterdir())}
    monkeypatch.setattr(datasets, "fetch", lambda source, listener: paths)
    monkeypatch.setenv("PRIMASE_CACHE", str(tmp_path / "cache"))
    ids, pictures, groups = biology_images()
    assert len(ids) == len(pictures) == len(groups) == 4 + 1 + 3
    assert len(np.unique(groups)) == 5
    pages = [number for number, name in enumerate(ids) if name.startswith("nuclei.tif#")]
    assert len({int(groups[page]) for page in pages}) == 1
    assert np.array_equal(pictures.pixels(pages[3]), stack[3])
    assert {"retina.jpg", "ihc.png", "cell.png"} <= set(ids)


def test_archives_are_unpacked_within_their_folder(tmp_path):
    good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
    image = png(np.zeros((5, 5), dtype=np.uint8))
    with zipfile.ZipFile(good, "w") as packed:
        packed.writestr("train/a.png", image)
        packed.writestr("train/readme.txt", "text")
    with zipfile.ZipFile(bad, "w") as packed:
        packed.writestr("../../outside.png", image)
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    unpack_images([good], inside)
    assert [path.name for path in inside.rglob("*") if path.is_file()] == ["a.png"]
    with pytest.raises(SourceError, match="outside of its folder"):
        unpack_images([bad], inside)
    assert not (tmp_path / "outside.png").exists()
    good.write_text("no archive")
    with pytest.raises(SourceError, match="cannot be unpacked"):
        unpack_images([good], inside)


@in_mirror
def test_mirrored_sets_are_there():
    for source in (sources.PNEUMONIA_MNIST, sources.T91, sources.SET5, sources.NUCLEI):
        assert {place.state for place in locate(source).values()} <= {"mirror", "cached"}


@in_mirror
def test_mirrored_sets_are_read():
    got = read_pictures(ImageData(dataset="t91"), sources=SUPER_RESOLUTION, labelled=False)
    assert len(got.ids) == 96
    assert (got.parts == "test").sum() == 5
    got = read_pictures(ImageData(dataset="pneumoniamnist"), sources=DIAGNOSIS, labelled=True)
    assert np.bincount(got.answers(None).targets).tolist() == [1583, 4273]
