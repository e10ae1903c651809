import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio

from primase.errors import InputError
from primase.evaluation.image_quality import (
    MEASURES,
    luminance,
    perceptual_distance,
    quality,
    signal_to_noise,
    structural_similarity,
)


def pair(shape, seed=0, kind=np.uint8):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 256, shape).astype(kind)
    return truth, np.clip(truth + generator.normal(0, 12, shape), 0, 255).astype(kind)


def test_luminance_is_that_of_bt601():
    colour, _ = pair((20, 30, 3))
    np.testing.assert_allclose(luminance(colour), rgb2ycbcr(colour)[..., 0], atol=1e-6)


def test_luminance_of_other_peaks_is_in_proportion():
    colour, _ = pair((5, 6, 3))
    np.testing.assert_allclose(luminance(colour / 255, peak=1.0) * 255, luminance(colour), atol=1e-9)


def test_a_grey_picture_is_its_own_luminance():
    grey, _ = pair((5, 6))
    assert (luminance(grey) == grey).all()


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3)])
def test_decibels_are_those_of_scikit_image_inside_the_border(shape):
    truth, restored = pair(shape)
    expected = peak_signal_noise_ratio(truth[4:-4, 4:-4], restored[4:-4, 4:-4], data_range=255)
    assert signal_to_noise(truth, restored, peak=255, border=4) == pytest.approx(expected)


@given(st.floats(1.0, 50.0))
def test_a_constant_error_has_the_decibels_of_the_formula(error):
    truth = np.full((9, 9), 100.0)
    assert signal_to_noise(truth, truth + error, peak=255) == pytest.approx(20 * math.log10(255 / error))


def test_equal_pictures_have_a_finite_figure():
    truth, _ = pair((9, 9))
    assert signal_to_noise(truth, truth, peak=255) == 100.0


def dense_similarity(truth, restored):
    """The formula of Wang et al. (2004) in every window of 11 x 11 that fits."""
    places = np.arange(-5, 6)
    weights = np.exp(-(places[:, None] ** 2 + places[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    first, second = (np.lib.stride_tricks.sliding_window_view(one.astype(float), (11, 11)) for one in (truth, restored))

    def mean(windows):
        return (windows * weights).sum(axis=(2, 3))

    one, two = mean(first), mean(second)
    spread = mean(first**2) - one**2 + mean(second**2) - two**2
    together = mean(first * second) - one * two
    small, smaller = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return (
        (2 * one * two + small) * (2 * together + smaller) / ((one**2 + two**2 + small) * (spread + smaller))
    ).mean()


def test_similarity_is_the_dense_formula():
    truth, restored = pair((40, 50, 3))
    expected = [dense_similarity(truth[..., channel], restored[..., channel]) for channel in range(3)]
    assert structural_similarity(truth[..., 0], restored[..., 0], peak=255) == pytest.approx(expected[0], abs=1e-6)
    assert structural_similarity(truth, restored, peak=255) == pytest.approx(np.mean(expected), abs=1e-6)


def test_similarity_of_pictures_below_the_window_is_not_defined():
    truth, restored = pair((10, 30))
    assert math.isnan(structural_similarity(truth, restored, peak=255))
    assert structural_similarity(*pair((11, 30)), peak=255) > 0


def test_nothing_left_inside_the_border_is_refused():
    truth, restored = pair((8, 8))
    with pytest.raises(InputError, match="border") as caught:
        signal_to_noise(truth, restored, peak=255, border=4)
    assert caught.value.got == "8 x 8 pixels"


def two_layers(photos: torch.Tensor) -> list[torch.Tensor]:
    return [photos, torch.nn.functional.avg_pool2d(photos, 4) * 7.0]


def test_perceptual_distance_is_the_formula_on_directions():
    truth, restored = pair((16, 16, 3))
    expected = []
    for layer in two_layers(torch.from_numpy(np.stack([truth, restored]).astype(np.float64) / 255).permute(0, 3, 1, 2)):
        a, b = (vectors / np.linalg.norm(vectors, axis=0) for vectors in layer.numpy())
        expected.append(((a - b) ** 2).sum(axis=0).mean())
    assert perceptual_distance(two_layers, truth, restored, peak=255) == pytest.approx(np.mean(expected), rel=1e-4)


def test_perceptual_distance_of_a_picture_to_itself_is_zero_and_grey_is_shown_in_three_channels():
    grey, _ = pair((16, 16))
    assert perceptual_distance(two_layers, grey, grey, peak=255) == 0
    colour = np.repeat(grey[..., None], 3, axis=2)
    assert perceptual_distance(two_layers, grey, 255 - grey, peak=255) == pytest.approx(
        perceptual_distance(two_layers, colour, 255 - colour, peak=255)
    )


def test_quality_has_all_measures_in_their_order():
    truth, restored = pair((30, 30, 3))
    found = dict(zip(MEASURES, quality(truth, restored, peak=255, border=4, features=two_layers), strict=True))
    assert found["psnr"] == signal_to_noise(luminance(truth), luminance(restored), peak=255, border=4)
    assert found["ssim"] == structural_similarity(luminance(truth), luminance(restored), peak=255, border=4)
    assert found["psnr_rgb"] == signal_to_noise(truth, restored, peak=255, border=4)
    assert found["ssim_rgb"] == structural_similarity(truth, restored, peak=255, border=4)
    assert found["perceptual_distance"] == perceptual_distance(two_layers, truth, restored, peak=255, border=4)


def test_quality_of_grey_is_the_same_on_channels_and_has_no_distance_without_a_network():
    psnr, ssim, psnr_rgb, ssim_rgb, distance = quality(*pair((30, 30)), peak=255, border=2)
    assert (psnr, ssim) == (psnr_rgb, ssim_rgb)
    assert math.isnan(distance)
