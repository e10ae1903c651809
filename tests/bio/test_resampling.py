import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from primase.bio.resampling import Degradation, cropped, intensity_range, resampled
from primase.errors import ConfigurationError, InputError
from primase.evaluation.image_quality import quality

SET5 = Path(os.environ.get("PRIMASE_MIRROR", "/nowhere")) / "super_resolution" / "set5"


def keys(distance: np.ndarray) -> np.ndarray:
    """The kernel of Keys with a = -0.5, by its formula."""
    x = np.abs(distance)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def dense_resampled(values: np.ndarray, size: int) -> np.ndarray:
    """Resample rows by the matrix of all weights."""
    ratio = len(values) / size
    widening = max(ratio, 1.0)
    centres = (np.arange(size) + 0.5) * ratio - 0.5
    weights = keys((np.arange(len(values))[None] - centres[:, None]) / widening)
    return weights @ values / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("size", [8, 16, 48, 96])
def test_bicubic_is_the_formula_of_keys_widened_where_it_shrinks(size):
    values = np.random.default_rng(0).random((32, 32)).astype(np.float32)
    expected = dense_resampled(dense_resampled(values, size).T, size).T
    np.testing.assert_allclose(resampled(values, size, size), expected, atol=1e-5)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(12, 16), (12, 16, 3)])
def test_the_kind_of_numbers_stays(kind, shape):
    pixels = (np.random.default_rng(1).random(shape) * 200).astype(kind)
    for kernel in ("bicubic", "lanczos"):
        larger = resampled(pixels, 24, 32, kernel=kernel)
        assert larger.dtype == kind
        assert larger.shape == (24, 32, *shape[2:])


def test_sixteen_bits_are_not_rounded_to_eight():
    pixels = np.full((8, 8), 40_003, dtype=np.uint16)
    assert (resampled(pixels, 2, 2) == 40_003).all()


def test_overshoot_is_kept_within_the_range_of_whole_numbers():
    pixels = np.zeros((8, 8), dtype=np.uint8)
    pixels[:, 4:] = 255
    larger = resampled(pixels, 32, 32)
    assert larger.min() == 0
    assert larger.max() == 255
    assert resampled(pixels.astype(np.float32), 32, 32).max() > 255


def test_lanczos_is_that_of_pillow():
    pixels = (np.random.default_rng(2).random((20, 30)) * 255).astype(np.uint8)
    expected = np.asarray(Image.fromarray(pixels.astype(np.float32)).resize((15, 10), Image.Resampling.LANCZOS))
    assert (resampled(pixels, 10, 15, kernel="lanczos") == np.rint(expected).clip(0, 255)).all()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(2, 4))
def test_cropped_sides_are_multiples_and_lose_less_than_one(height, width, multiple):
    pixels = np.arange(height * width, dtype=np.uint16).reshape(height, width)
    if height < multiple or width < multiple:
        with pytest.raises(InputError, match="too small") as caught:
            cropped(pixels, multiple, where="a.png")
        assert caught.value.where == "a.png"
        assert caught.value.got == f"{width} x {height} pixels"
        return
    kept = cropped(pixels, multiple)
    assert kept.shape == (height - height % multiple, width - width % multiple)
    assert (kept == pixels[: kept.shape[0], : kept.shape[1]]).all()


def test_a_constant_picture_of_sixteen_bits_has_a_range():
    assert intensity_range(np.full((3, 3), 7, dtype=np.uint16)) == (7.0, 8.0)


def test_plain_degradation_is_antialiased_interpolation():
    sharp = (np.random.default_rng(3).random((16, 24, 3)) * 255).astype(np.uint8)
    low = Degradation(4).degraded(sharp, np.random.default_rng(0))
    assert low.dtype == np.uint8
    assert (low == resampled(sharp, 4, 6)).all()


def test_blur_spreads_a_spot_as_the_gaussian_says():
    sharp = np.zeros((33, 33), dtype=np.float32)
    sharp[16, 16] = 1.0
    blurred = Degradation(2, blur_sigma=2.0)._blurred(sharp)
    assert blurred[16, 18] / blurred[16, 16] == pytest.approx(np.exp(-0.5), rel=1e-3)


def test_noise_is_a_share_of_the_range_and_decided_by_the_generator():
    sharp = np.full((400, 400), 2000, dtype=np.uint16)
    sharp[::2] = 3000
    degradation = Degradation(2, noise_sigma=0.05)
    clean = degradation.small(sharp).astype(float)
    noisy = degradation.degraded(sharp, np.random.default_rng(0)).astype(float)
    assert (noisy - clean).std() == pytest.approx(50, rel=0.02)
    assert (degradation.degraded(sharp, np.random.default_rng(0)) == noisy).all()
    assert (degradation.degraded(sharp, np.random.default_rng(1)) != noisy).any()


@pytest.mark.parametrize(
    "settings", [{"scale": 5}, {"scale": 2, "blur_sigma": -1}, {"scale": 2, "noise_sigma": np.nan}]
)
def test_what_means_nothing_is_refused(settings):
    with pytest.raises(ConfigurationError):
        Degradation(**settings)


@pytest.mark.skipif(not SET5.is_dir(), reason="needs Set5 in the folder that PRIMASE_MIRROR names")
def test_bicubic_reaches_the_published_figures_of_set5():
    found = []
    for path in sorted(SET5.glob("*.png")):
        sharp = cropped(np.asarray(Image.open(path).convert("RGB")), 4)
        low = Degradation(4).small(sharp)
        found.append(quality(sharp, resampled(low, *sharp.shape[:2]), peak=255, border=4)[:2])
    psnr, ssim = np.mean(found, axis=0)
    # Dong et al. (2014): 28.42 dB; with Matlab's rounding; SSIM 0.8104.
    assert psnr == pytest.approx(28.42, abs=0.03)
    assert ssim == pytest.approx(0.8104, abs=0.002)
