import os
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from primase.apps.images.pictures import Pictures
from primase.apps.super_resolution.fields import fields

NUCLEI = Path(os.environ.get("PRIMASE_MIRROR", "/nowhere")) / "super_resolution" / "nuclei"


def field(seed, shape=(96, 128)):
    smooth = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 5)
    return np.interp(smooth, (smooth.min(), smooth.max()), (0, 255))


@pytest.mark.parametrize("kind", ["uint8", "uint16", "colour"])
def test_crops_that_go_on_in_each_other_are_of_one_field(kind):
    def pixels(values):
        if kind == "colour":
            return np.stack([values, values * 0.5, 255 - values], axis=2).astype(np.uint8)
        return (values * (100 if kind == "uint16" else 1)).astype(kind)

    first, second, alone = field(0), field(1), field(2)[:48, :64]
    cut = [
        first[:48, :64], second[:48, 64:], alone, first[48:, :64], first[48:, 64:], second[48:, 64:]
    ]  # fmt: skip
    found = fields(Pictures.of_arrays([pixels(one) for one in cut]))
    assert found[0] == found[3] == found[4]
    assert found[1] == found[5]
    assert len(np.unique(found)) == 3


def test_crops_with_a_gap_between_are_not_joined():
    whole = field(0)
    assert (
        len(np.unique(fields(Pictures.of_arrays([whole[:, :60].astype("uint8"), whole[:, 68:128].astype("uint8")]))))
        == 2
    )


def test_empty_borders_join_nothing():
    dark = [np.zeros((32, 32), dtype=np.uint8) for _ in range(3)]
    for number, picture in enumerate(dark):
        picture[10:20, 10:20] = 100 + number
    assert len(np.unique(fields(Pictures.of_arrays(dark)))) == 3


def test_small_pictures_and_copies_do_not_fail():
    pictures = [np.zeros((1, 1), dtype=np.uint8), np.arange(4, dtype=np.uint8).reshape(2, 2), field(0).astype("uint8")]
    assert len(np.unique(fields(Pictures.of_arrays([*pictures, pictures[2]])))) == 4
    assert len(fields(Pictures.of_arrays([]))) == 0


def test_progress_is_told():
    told = []
    fields(Pictures.of_arrays([field(seed).astype("uint8") for seed in range(3)]), told.append)
    assert told == [1, 2, 3]


@pytest.mark.skipif(not NUCLEI.is_dir(), reason="needs images of nuclei in the folder that PRIMASE_MIRROR names")
def test_crops_of_nuclei_are_found():
    found = fields(Pictures.of_files(sorted(NUCLEI.glob("*.png"))))
    _, counts = np.unique(found, return_counts=True)
    assert sorted(counts[counts > 1]) == [2] * 15 + [3] * 2
