from dataclasses import replace

import numpy as np
import pytest
import torch

from primase.apps.super_resolution.restoring import Restorer
from primase.bio.resampling import Degradation, resampled
from primase.errors import InputError
from primase.evaluation.image_quality import luminance
from primase.nn.adversarial import ResidualGenerator


def generator(scale=2, seed=0, strength=3.0):
    torch.manual_seed(seed)
    made = ResidualGenerator(1, width=6, blocks=2, scale=scale).eval()
    made.tail.weight.data.mul_(strength)
    return made


def picture(shape, kind=np.uint8, seed=0):
    return (np.random.default_rng(seed).random(shape) * 250).astype(kind)


@pytest.mark.parametrize("shape", [(50, 37), (50, 37, 3)])
@pytest.mark.parametrize("ensemble", [False, True])
@pytest.mark.parametrize("colour", ["luminance", "channels"])
def test_tiles_leave_no_seams(shape, ensemble, colour):
    low = picture(shape, np.float32)
    whole = Restorer([generator()], colour, ensemble, tile=1000).restored(low)
    tiled = Restorer([generator()], colour, ensemble, tile=16).restored(low)
    span = low.max() - low.min()
    assert np.abs(whole - tiled).max() / span < 1e-5


def test_a_tile_that_saw_too_little_would_leave_seams():
    low = picture((50, 37), np.float32)
    whole = Restorer([generator()], "luminance", tile=1000).restored(low)
    part = Restorer([generator()], "luminance", tile=1000).restored(low[:16])
    assert np.abs(whole[:32] - part).max() > 1


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(12, 15), (12, 15, 3)])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_size_and_kind_of_the_result(kind, shape, scale):
    restored = Restorer([generator(scale)], "luminance").restored(picture(shape, kind))
    assert restored.dtype == kind
    assert restored.shape == (12 * scale, 15 * scale, *shape[2:])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(12, 15), (12, 15, 3)])
@pytest.mark.parametrize("colour", ["luminance", "channels"])
def test_a_generator_that_adds_nothing_interpolates(kind, shape, colour):
    low = picture(shape, kind)
    restored = Restorer([generator(strength=0.0)], colour).restored(low).astype(float)
    expected = resampled(low, 24, 30).astype(float)
    assert np.abs(restored - expected).max() <= (1 if kind != np.float32 else 1e-3)


def test_luminance_gains_what_the_generator_adds_and_colours_stay_as_interpolated():
    low = picture((12, 15, 3), np.uint8) // 2 + 64
    restored = Restorer([generator(strength=0.3)], "luminance").restored(low).astype(float)
    plain = resampled(low.astype(np.float32), 24, 30)
    gained = restored - plain
    assert np.abs(gained).max() > 3
    assert np.abs(gained - gained[..., :1]).max() < 1.5
    seen = torch.from_numpy(luminance(low / 255.0, peak=1.0)[None, None].astype(np.float32))
    with torch.inference_mode():
        wanted = generator(strength=0.3)(seen)[0, 0].numpy() * 255
    assert np.abs(luminance(restored) - wanted).max() < 1


def test_a_self_ensemble_turns_with_the_image():
    low = picture((12, 15), np.float32)
    restorer = Restorer([generator()], "luminance", self_ensemble=True)
    turned = restorer.restored(np.ascontiguousarray(np.rot90(low)))
    np.testing.assert_allclose(np.rot90(restorer.restored(low)), turned, atol=1e-2)
    plain = replace(restorer, self_ensemble=False)
    assert np.abs(np.rot90(plain.restored(low)) - plain.restored(np.ascontiguousarray(np.rot90(low)))).max() > 1


def test_generators_of_an_ensemble_are_averaged():
    low = picture((12, 15), np.float32)
    both = [generator(seed=0), generator(seed=1)]
    alone = [Restorer([one], "luminance").restored(low) for one in both]
    np.testing.assert_allclose(Restorer(both, "luminance").restored(low), np.mean(alone, axis=0), atol=1e-2)


def test_intensities_of_sixteen_bits_are_restored_within_their_own_range():
    low = picture((12, 15), np.float32) / 250
    restorer = Restorer([generator()], "luminance")
    small = restorer.restored((low * 4095).astype(np.uint16)).astype(float) / 4095
    large = restorer.restored((low * 65535).astype(np.uint16)).astype(float) / 65535
    inside = (small > 0) & (large < 1)
    assert np.abs(small - large)[inside].max() < 2e-3


def test_too_small_images_are_refused_by_name():
    with pytest.raises(InputError, match="too small to be restored") as caught:
        Restorer([generator()], "luminance").restored(np.zeros((1, 1), dtype=np.uint8), where="one.png")
    assert caught.value.where == "one.png"


def test_each_tile_is_told_and_counted():
    told = []
    restorer = Restorer([generator()], "luminance", tile=8)
    low = picture((20, 9))
    restorer.restored(low, advance=lambda: told.append(1))
    assert len(told) == restorer.tiles(low) == 6


def test_degraded_and_restored_images_have_the_size_of_the_truth():
    sharp = picture((24, 32, 3))
    assert Restorer([generator()], "luminance").restored(Degradation(2).small(sharp)).shape == sharp.shape
