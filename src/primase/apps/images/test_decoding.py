import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.transform import resize as skimage_resize

from primase.apps.images import decoding
from primase.apps.images.decoding import decoded, in_threads, resized, to_eight_bits
from primase.apps.images.pictures import ArrayPictures, Pictures
from primase.errors import ReadError
from primase.events import Progress

RNG = np.random.default_rng(0)


def smooth(height, width):
    rows, columns = np.mgrid[:height, :width]
    return np.rint(127 + 60 * np.sin(rows / 9) + 60 * np.cos(columns / 7)).astype(np.uint8)


def test_resizing_is_bilinear_with_antialiasing():
    noise = RNG.integers(0, 256, (160, 200), dtype=np.uint8)
    small = resized(noise, (40, 50), colour=False)
    assert small.std() < 0.5 * noise.std()  # without antialiasing it would stay as it is
    ours = resized(smooth(160, 200), (40, 50), colour=False).astype(float)
    other = skimage_resize(smooth(160, 200).astype(float), (40, 50), order=1, anti_aliasing=True)
    assert np.abs(ours - other).max() < 6


def test_colour_and_grey():
    grey = smooth(20, 20)
    assert np.array_equal(resized(grey, (20, 20), colour=True), np.repeat(grey[:, :, None], 3, axis=2))
    colour = RNG.integers(0, 256, (20, 20, 3), dtype=np.uint8)
    assert np.array_equal(resized(colour, (20, 20), colour=False), np.asarray(Image.fromarray(colour).convert("L")))


def test_keeping_the_shape_frames_with_black():
    found = resized(np.full((10, 40), 200, dtype=np.uint8), (32, 32), colour=False, keep_shape=True)
    assert found.shape == (32, 32)
    rows = np.flatnonzero(found.any(axis=1))
    assert len(rows) == 8
    assert rows[0] == 12
    assert found[rows].min() == 200


@settings(max_examples=30, deadline=None)
@given(low=st.integers(0, 30000), spread=st.integers(1, 30000))
def test_stretching_uses_the_whole_range(low, spread):
    pixels = (low + np.linspace(0, spread, 400).round()).astype(np.uint16).reshape(20, 20)
    found = to_eight_bits(pixels)
    assert found.dtype == np.uint8
    assert found.min() == 0
    assert found.max() == 255
    assert (np.diff(found.ravel().astype(int)) >= 0).all()


def test_range_keeps_brightness():
    deep = np.array([[0, 257, 65535]], dtype=np.uint16)
    assert to_eight_bits(deep, "range").tolist() == [[0, 1, 255]]
    assert to_eight_bits(np.array([[0.0, 0.5, 1.0]], dtype=np.float32), "range").tolist() == [[0, 128, 255]]
    wide = np.array([[-10.0, 0.0, 30.0]], dtype=np.float32)
    assert to_eight_bits(wide, "range").tolist() == [[0, 64, 255]]
    eight = np.array([[3, 7]], dtype=np.uint8)
    assert to_eight_bits(eight, "range") is eight
    assert to_eight_bits(eight) is eight
    assert to_eight_bits(eight, "stretch").tolist() == [[0, 255]]
    assert not to_eight_bits(np.full((3, 3), 900, dtype=np.uint16)).any()


def test_large_arrays_lie_on_disk(monkeypatch):
    pictures = Pictures.of_arrays([smooth(20, 30) for _ in range(5)])
    small = decoded(pictures, (8, 8), colour=False)
    monkeypatch.setattr(decoding, "MOST_IN_MEMORY", 10)
    large = decoded(pictures, (8, 8), colour=False)
    assert isinstance(large, np.memmap)
    assert not isinstance(small, np.memmap)
    assert np.array_equal(small, large)


def test_order_and_progress():
    pictures = Pictures.whole(
        ArrayPictures(np.arange(30, dtype=np.uint8)[:, None, None] * np.ones((1, 6, 6), np.uint8))
    )
    events = []
    found = decoded(pictures.take(np.arange(29, -1, -1)), (3, 3), colour=False, listener=events.append)
    assert found[:, 0, 0].tolist() == [*range(29, -1, -1)]
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[-1].done == progress[-1].total == 30


def test_an_error_in_a_thread_ends_the_work(tmp_path):
    for number in range(3):
        Image.fromarray(smooth(9, 9)).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_text("text")
    with pytest.raises(ReadError, match=r"1\.png"):
        decoded(Pictures.of_files(sorted(tmp_path.iterdir())), (4, 4), colour=False)


def test_results_come_in_order_and_are_not_hoarded():
    begun = []

    def work(item):
        begun.append(item)
        return item * 2

    results = in_threads(work, range(1000), stage="x", total=1000, listener=lambda event: None)
    assert next(results) == 0
    assert len(begun) < 200
    assert [*results] == [2 * item for item in range(1, 1000)]
