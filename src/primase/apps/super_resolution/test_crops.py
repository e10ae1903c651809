import numpy as np
import pytest
import torch

from primase.apps.images.pictures import Pictures
from primase.apps.super_resolution import crops
from primase.apps.super_resolution.configuration import SuperResolutionConfiguration
from primase.apps.super_resolution.crops import Crops, DrawnBatches, PlanePairs, crop_count, plane_sizes
from primase.apps.super_resolution.encoding import PictureEncoder, planes_of
from primase.bio.resampling import resampled
from primase.configuration import configure
from primase.errors import InputError


def encoder(**settings):
    return PictureEncoder.of(configure(SuperResolutionConfiguration, {"scale": 2, **settings}))


def pictures(*shapes, kind=np.uint8, seed=0):
    generator = np.random.default_rng(seed)
    return Pictures.of_arrays([generator.integers(0, 250, shape).astype(kind) for shape in shapes])


def test_every_crop_is_a_part_of_its_planes_in_one_of_eight_orientations():
    own, given = encoder(), pictures((40, 36), (48, 64, 3))
    planes = PlanePairs.of(own, given)
    found = Crops.all_of(planes, 10)
    places = (20 - 9) * (18 - 9) + (24 - 9) * (32 - 9)
    assert len(found) == places * 8
    whole = [planes_of(own.pair(given, index), "luminance")[0] for index in range(2)]
    # The first place of the second picture, turned by a quarter; and the last one, mirrored.
    first, last = ((20 - 9) * (18 - 9)) * 8 + 1, places * 8 - 4
    batch = found.batch(np.array([first, last]))
    assert batch["low"].shape == (2, 1, 10, 10)
    assert batch["sharp"].shape == (2, 1, 20, 20)
    low, sharp = whole[1]
    np.testing.assert_array_equal(batch["low"][0, 0], np.rot90(low[:10, :10]))
    np.testing.assert_array_equal(batch["sharp"][0, 0], np.rot90(sharp[:20, :20]))
    np.testing.assert_array_equal(batch["low"][1, 0], low[-10:, -10:][:, ::-1])
    np.testing.assert_array_equal(batch["sharp"][1, 0], sharp[-20:, -20:][:, ::-1])


def test_low_and_sharp_crops_show_the_same_place():
    ramp = np.add.outer(np.arange(64), 2 * np.arange(48)).astype(np.float32)
    found = Crops.all_of(PlanePairs.of(encoder(), Pictures.of_arrays([ramp])), 8)
    batch = found.batch(np.random.default_rng(0).integers(len(found), size=200))
    averaged = torch.nn.functional.avg_pool2d(batch["sharp"], 2)
    # But at the border of the picture, where the kernel is cut off.
    assert (averaged - batch["low"]).abs().max() < 0.02


def test_small_planes_are_left_out_and_all_small_ones_make_crops_smaller():
    sizes = PlanePairs.of(encoder(), pictures((40, 36), (18, 18)))
    assert len(Crops.all_of(sizes, 10)) == 11 * 9 * 8
    assert Crops.all_of(PlanePairs.of(encoder(), pictures((18, 30))), 24).patch == 9
    with pytest.raises(InputError, match="too small to learn") as caught:
        Crops.all_of(PlanePairs.of(encoder(), pictures((14, 30))), 24)
    assert caught.value.got.startswith("14 pixels")


@pytest.mark.parametrize("colour", ["luminance", "channels"])
def test_crops_are_counted_without_decoding(colour):
    own, given = encoder(colour=colour), pictures((40, 36), (48, 64, 3))
    assert crop_count(plane_sizes(own, given), 10, 2) == len(Crops.all_of(PlanePairs.of(own, given), 10))


def test_validation_crops_are_fixed_and_spread_over_all_places():
    some = Crops.all_of(PlanePairs.of(encoder(), pictures((40, 36), (48, 64, 3))), 10).some(6)
    assert len(some) == 6
    assert some.chosen[0] == 0
    assert (some.chosen % 8 == 0).all()
    assert some.batch(np.array([5]))["low"].shape == (1, 1, 10, 10)


def test_noise_is_new_for_each_batch_and_the_same_again():
    clean = Crops.all_of(PlanePairs.of(encoder(), pictures((64, 64))), 24)
    noisy = Crops.all_of(PlanePairs.of(encoder(noise_sigma=0.1), pictures((64, 64))), 24)
    numbers = np.arange(40)
    noise = noisy.batch(numbers)["low"] - clean.batch(numbers)["low"]
    assert float(noise.std()) == pytest.approx(0.1, rel=0.05)
    assert torch.equal(noisy.batch(numbers)["low"], noisy.batch(numbers)["low"])
    assert not torch.equal(noisy.batch(np.array([3, 4]))["low"][0], noisy.batch(np.array([3, 5]))["low"][0])
    assert torch.equal(noisy.batch(numbers)["sharp"], clean.batch(numbers)["sharp"])


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 3)])
def test_noisy_images_are_learned_from_on_the_scale_on_which_they_are_judged(kind, shape):
    own, given = encoder(noise_sigma=0.2), pictures(shape, kind=kind)
    ((_, judged),) = planes_of(own.pair(given, 0), "luminance")
    learned = PlanePairs.of(own, given)
    np.testing.assert_array_equal(learned.plane(0)[1], judged)
    silent = encoder()
    ((clean, _),) = planes_of(silent.pair(given, 0), "luminance")
    assert np.ptp(learned.plane(0)[0]) < 0.95 * np.ptp(clean)


def test_luminance_averages_the_noise_of_channels():
    given = pictures((64, 64, 3))
    assert PlanePairs.of(encoder(noise_sigma=0.1), given).noise[0] == pytest.approx(0.1 * 0.574, rel=1e-2)
    assert PlanePairs.of(encoder(noise_sigma=0.1, colour="channels"), given).noise[0] == pytest.approx(0.1)


def test_many_planes_are_kept_in_a_file(monkeypatch):
    given = pictures((40, 36), (48, 64, 3))
    usual = PlanePairs.of(encoder(), given)
    monkeypatch.setattr(crops, "IN_MEMORY_BYTES", 100)
    mapped = PlanePairs.of(encoder(), given)
    assert isinstance(mapped.low, np.memmap)
    np.testing.assert_array_equal(mapped.sharp, usual.sharp)


def test_what_an_epoch_draws_is_a_function_of_seed_and_epoch():
    def drawn(seed, epoch):
        sampler = DrawnBatches(10**9, 4, 5, seed)
        sampler.set_epoch(epoch)
        return np.stack([*sampler])

    assert len(DrawnBatches(100, 4, 5, 0)) == 5
    np.testing.assert_array_equal(drawn(1, 2), drawn(1, 2))
    assert (drawn(1, 2) != drawn(1, 3)).any()
    assert (drawn(1, 2) != drawn(2, 2)).any()
    assert drawn(1, 2).max() > 10**8


def test_images_are_learned_from_at_several_sizes():
    own, given = encoder(scale=2, colour="channels"), pictures((40, 36), (64, 48, 3))
    zooms = (1.0, 0.5)
    planes = PlanePairs.of(own, given, zooms)
    assert planes.sizes.tolist() == [[20, 18], [10, 9], *[[32, 24]] * 3, *[[16, 12]] * 3]
    assert plane_sizes(own, given, zooms).tolist() == planes.sizes.tolist()
    low, sharp = planes.plane(1)
    half = resampled(given.pixels(0), 20, 18)
    np.testing.assert_array_equal(sharp * 255, half)
    np.testing.assert_allclose(low * 255, resampled(half, 10, 9), atol=1e-4)
    # None becomes too small.
    assert plane_sizes(own, pictures((18, 30)), (0.1,)).tolist() == [[8, 8]]
