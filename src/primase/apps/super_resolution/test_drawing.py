from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from primase.apps.images.pictures import Pictures
from primase.apps.images.streaming import stream_pictures
from primase.apps.super_resolution.configuration import SuperResolutionData
from primase.apps.super_resolution.drawing import draw, inner_path
from primase.apps.super_resolution.restoring import Restorer
from primase.bio.images import read_image, write_image
from primase.data.examples import Examples
from primase.events import silent
from primase.nn.adversarial import ResidualGenerator


@pytest.fixture
def restorer():
    torch.manual_seed(0)
    return Restorer([ResidualGenerator(1, width=4, blocks=1, scale=2).eval()], "luminance", tile=16)


def written(source: Path, restorer: Restorer, folder: Path) -> dict[str, Path]:
    folder.mkdir()
    count = draw(stream_pictures(source, SuperResolutionData(), block=3), restorer, folder, silent)
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert count >= len(found)
    return found


def named(*ids):
    inputs = Pictures.of_arrays([picture(seed=seed) for seed in range(len(ids))])
    return [Examples(np.array(ids, dtype=object), inputs, np.empty((len(ids), 0), dtype=np.float32))]


def picture(kind=np.uint8, shape=(9, 11), seed=0):
    return (np.random.default_rng(seed).random(shape) * 200).astype(kind)


def test_names_formats_and_depths_stay(tmp_path, restorer):
    source = tmp_path / "small"
    (source / "day one").mkdir(parents=True)
    given = {
        "grey.png": picture(),
        "colour.png": picture(shape=(9, 11, 3)),
        "day one/deep.png": picture(np.uint16),
        "deep.tif": picture(np.uint16, (9, 11, 3)),
        "real.tiff": picture(np.float32),
    }
    for name, pixels in given.items():
        write_image(source / name, pixels)
    found = written(source, restorer, tmp_path / "large")
    assert found.keys() == given.keys()
    for name, path in found.items():
        made = read_image(path)
        assert made.dtype == given[name].dtype, name
        assert made.shape == (18, 22, *given[name].shape[2:]), name
        np.testing.assert_array_equal(made, restorer.restored(given[name]))


def test_pages_stay_in_one_file_and_in_order(tmp_path, restorer):
    pages = [picture(np.uint16, seed=seed) for seed in range(7)]
    source = tmp_path / "stack.tif"
    with tifffile.TiffWriter(source) as file:
        for page in pages:
            file.write(page, contiguous=False)
    found = written(source, restorer, tmp_path / "large")
    assert [*found] == ["stack.tif"]
    with tifffile.TiffFile(found["stack.tif"]) as file:
        made = [page.asarray() for page in file.pages]
    assert len(made) == 7
    for page, given in zip(made, pages, strict=True):
        np.testing.assert_array_equal(page, restorer.restored(given))


def test_jpeg_becomes_png_and_no_file_takes_the_name_of_another(tmp_path, restorer):
    source = tmp_path / "small"
    source.mkdir()
    Image.fromarray(picture()).save(source / "a.jpg")
    Image.fromarray(picture(seed=1)).save(source / "a.png")
    Image.fromarray(picture(seed=2)).save(source / "b.v2.jpeg")
    found = written(source, restorer, tmp_path / "large")
    assert len(found) == 3
    assert "b.v2.png" in found
    assert {path.suffix for path in found.values()} == {".png"}


def test_rows_of_an_archive_get_their_own_files(tmp_path, restorer):
    source = tmp_path / "set.npz"
    np.savez(source, test_images=np.stack([picture(seed=seed) for seed in range(3)]))
    assert sorted(written(source, restorer, tmp_path / "large")) == ["test_0.png", "test_1.png", "test_2.png"]


def test_ids_lead_nowhere_but_into_the_folder(tmp_path, restorer):
    mine = tmp_path / "mine.png"
    write_image(mine, picture(seed=50))
    before = mine.read_bytes()
    folder = tmp_path / "deep" / "large"
    folder.mkdir(parents=True)
    ids = [str(mine), "../../mine.png", "../mine.png", "a/../../../mine.png", "C:\\x\\mine.png", "..", "/"]
    assert draw(named(*ids), restorer, folder, silent) == len(ids)
    assert mine.read_bytes() == before
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path != mine]
    assert len(files) == len(ids)
    assert all(path.is_relative_to(folder) for path in files)


@pytest.mark.parametrize("name", ["/C:/D:a.png", "//server/share/a.png", "\\\\server\\share\\..\\a.png", "./a.png"])
def test_neither_root_nor_drive_is_left(name):
    assert inner_path(name) == "a.png"


@pytest.mark.parametrize(
    "ids", [("a.png", "a.png"), ("a.png", "../a.png"), ("a", "a.png/b.png"), ("x.png/b", "x.png"), ("s.tif#0", "s.tif")]
)
def test_no_image_takes_the_place_of_another(ids, tmp_path, restorer):
    draw(named(*ids), restorer, tmp_path, silent)
    made = [read_image(path) for path in tmp_path.rglob("*") if path.is_file()]
    assert len(made) == 2
    for seed in range(2):
        assert any(np.array_equal(one, restorer.restored(picture(seed=seed))) for one in made)
