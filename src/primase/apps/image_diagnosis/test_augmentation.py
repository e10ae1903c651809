"""Changed images: what may change does, what must not does not."""

import numpy as np
import pytest
import torch

from primase.apps.image_diagnosis.augmentation import PRESETS, Augmentation
from primase.apps.image_diagnosis.images import normalised, standardised
from primase.nn.backbones import IMAGENET


@pytest.fixture
def images():
    torch.manual_seed(0)
    return torch.randint(0, 256, (16, 1, 24, 24), dtype=torch.uint8)


def test_nothing_asked_changes_nothing(images):
    assert torch.equal(Augmentation().changed(images), images.float())


def test_a_chest_is_never_mirrored_unless_told():
    assert not PRESETS["xray"].flip_horizontal
    assert not PRESETS["xray"].flip_vertical
    sided = torch.zeros(200, 1, 32, 32)
    sided[..., 20:28] = 255.0  # a heart on the right
    kept = PRESETS["xray"].changed(sided)
    assert (kept[..., 16:].sum((1, 2, 3)) > kept[..., :16].sum((1, 2, 3))).all()
    mirrored = Augmentation(flip_horizontal=True).changed(sided)
    share = (mirrored[..., 16:].sum((1, 2, 3)) > mirrored[..., :16].sum((1, 2, 3))).float().mean()
    assert 0.3 < share < 0.7


def test_mirrored_images_are_exactly_that(images):
    changed = Augmentation(flip_horizontal=True).changed(images)
    flipped = images.flip(3).float()
    same = [bool(torch.allclose(one, own, atol=0.05)) for one, own in zip(changed, images.float(), strict=True)]
    other = [bool(torch.allclose(one, own, atol=0.05)) for one, own in zip(changed, flipped, strict=True)]
    assert all(one != two for one, two in zip(same, other, strict=True))
    assert any(same)
    assert any(other)


def test_a_turn_by_up_to_half_a_circle_keeps_the_middle():
    images = torch.zeros(32, 1, 31, 31)
    images[:, :, 15, 15] = 255.0
    assert (Augmentation(rotation_degrees=180).changed(images)[:, 0, 15, 15] > 250).all()


def test_exposure_keeps_black_and_white_and_the_order_of_greys():
    greys = torch.linspace(0, 255, 64).reshape(1, 1, 8, 8).repeat(8, 1, 1, 1)
    changed = Augmentation(brightness=0.5).changed(greys).flatten(1)
    assert (changed.diff(dim=1) > 0).all()
    assert changed[:, 0].max() < 1
    assert changed[:, -1].min() > 254
    assert changed[:, 32].std() > 5


def test_what_is_no_image_stays(images):
    batch, targets = PRESETS["xray"]({"images": images, "features": torch.ones(16, 3)}, torch.arange(16))
    assert torch.equal(batch["features"], torch.ones(16, 3))
    assert not torch.equal(batch["images"], images.float())
    assert torch.equal(targets, torch.arange(16))


def test_standardised_images_do_not_know_their_exposure(images):
    darker = images.float() * 0.4 + 10
    assert standardised(images).numpy() == pytest.approx(standardised(darker).numpy(), abs=1e-5)
    made = standardised(images)
    assert made.shape == (16, 3, 24, 24)
    assert made.mean((1, 2, 3)).numpy() == pytest.approx(np.zeros(16), abs=1e-5)
    assert made.std((1, 2, 3), correction=0).numpy() == pytest.approx(np.ones(16), abs=1e-5)


def test_an_even_image_stays_even():
    assert standardised(torch.full((1, 1, 8, 8), 77, dtype=torch.uint8)).abs().max() == 0


def test_normalised_images_are_those_of_pre_training(images):
    expected = (images.float() / 255 - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor(
        [0.229, 0.224, 0.225]
    )[:, None, None]
    assert normalised(images, IMAGENET).numpy() == pytest.approx(expected.numpy(), abs=1e-5)
