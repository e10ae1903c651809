import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from primase.apps.images.copies import have_copies
from primase.apps.images.summaries import grey_shares, thumbnail
from primase.bio.image_archives import read_archive

MIRROR = Path(os.environ.get("PRIMASE_MIRROR", "/nowhere"))
NAMES = ("astronaut", "camera", "coffee", "chelsea", "coins", "moon", "rocket", "page", "cell", "brick")


def thumbnails(images):
    return np.stack([thumbnail(grey_shares(np.asarray(image))) for image in images])


def photographs():
    return [Image.fromarray(np.asarray(getattr(data, name)())) for name in NAMES]


def as_jpeg(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


CHANGES = {
    "saved again": lambda image: as_jpeg(image, 30),
    "half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "double": lambda image: image.resize((image.width * 2, image.height * 2)),
    "other ratio": lambda image: image.resize((image.width, image.height * 3 // 4)),
    "darker": lambda image: image.point(lambda value: int(value * 0.6)),
    "brighter": lambda image: image.point(lambda value: min(255, int(value * 1.2 + 10))),
    "grey": lambda image: image.convert("L"),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "upside down": lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "transposed": lambda image: image.transpose(Image.Transpose.TRANSVERSE),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found_and_nothing_else(change):
    images = photographs()
    known, tested = images[::2], images
    found = have_copies(thumbnails([CHANGES[change](image) for image in tested]), thumbnails(known))
    assert found.tolist() == [number % 2 == 0 for number in range(len(tested))]


def test_what_all_images_share_makes_no_copies():
    # A bright disc on black, as in photographs of the eye, with different details on it.
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[-1:1:64j, -1:1:64j]
    disc = (rows**2 + columns**2 < 0.9) * 160.0
    images = []
    for _ in range(120):
        detail = np.asarray(Image.fromarray(rng.normal(0, 12, (8, 8)).astype(np.float32)).resize((64, 64)))
        images.append(np.clip(disc + detail * (disc > 0), 0, 255).astype(np.uint8))
    small = thumbnails(images)
    assert np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1] > 0.97  # alike, but for the details
    assert not have_copies(small[:60], small[60:]).any()
    darker = thumbnails([(image * 0.7).astype(np.uint8) for image in images[60:80]])
    assert have_copies(darker, small[60:]).all()


def test_images_that_share_all_but_details_are_no_copies():
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[-1:1:32j, -1:1:32j]
    disc = (rows**2 + columns**2 < 0.9) * 160.0
    coarse = [np.kron(rng.normal(0, 9, (8, 8)), np.ones((4, 4))) for _ in range(60)]

    def seen_again(detail):
        return np.clip(disc + 40 + detail + rng.normal(0, 5, (32, 32)), 0, 255).astype(np.uint8)

    first, second = ([seen_again(detail) for detail in coarse] for _ in range(2))
    assert all(
        np.corrcoef(one.ravel().astype(float), other.ravel().astype(float))[0, 1] > 0.98
        for one, other in zip(first, second, strict=True)
    )
    assert not have_copies(thumbnails(first), thumbnails(second)).any()
    assert have_copies(thumbnails(first), thumbnails(first)).all()


def test_blank_images_are_copies_of_nothing():
    blank = thumbnails([np.full((40, 40), value, dtype=np.uint8) for value in (0, 7, 255)])
    assert not have_copies(blank, blank).any()
    assert have_copies(blank[:0], blank).shape == (0,)
    assert not have_copies(blank, blank[:0]).any()


@pytest.mark.skipif(not (MIRROR / "images" / "pneumoniamnist.npz").is_file(), reason="PRIMASE_MIRROR has no X-rays")
def test_chest_x_rays_look_alike_and_are_no_copies():
    parts = read_archive(MIRROR / "images" / "pneumoniamnist.npz")
    train = thumbnails(parts["train"].images)
    assert not have_copies(thumbnails(parts["test"].images), train).any()
    found = have_copies(thumbnails(parts["validation"].images), train)
    known = {image.tobytes() for image in parts["train"].images}
    assert np.array_equal(found, [image.tobytes() in known for image in parts["validation"].images])
    assert found.sum() == 8
    again = [as_jpeg(Image.fromarray(image), 50) for image in parts["train"].images[:100]]
    assert have_copies(thumbnails(again), train).all()
