"""How near a restored picture comes to the true one: in decibels, in structure, and to a network that has seen photos.

Pictures are arrays of shape (height, width) or (height, width, 3). A border as wide as the scale is left out, where no
restoration knows what lies beyond it, as in the literature.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from skimage.metrics import structural_similarity as measured_similarity
from torch import Tensor

from primase.errors import InputError

Picture: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Features = Callable[[Tensor], Sequence[Tensor]]
"""From pictures, shape (batch, 3, height, width) with values from 0 to 1, to the feature maps of a network, from its
first layers to its last."""

MEASURES: Final = ("psnr", "ssim", "psnr_rgb", "ssim_rgb", "perceptual_distance")
MOST_DECIBELS: Final = 100.0
WINDOW_SIGMA: Final = 1.5
WINDOW: Final = 11
LUMA: Final = np.array([65.481, 128.553, 24.966]) / 255
"""By how much red, green and blue count in luminance."""
_LUMA_OFFSET: Final = 16 / 255


def luminance(picture: Picture, peak: float = 255.0) -> Float[np.ndarray, "height width"]:
    """Compute the luminance of a picture: Y of ITU-R BT.601, from 16/255 to 235/255 of the peak, as Matlab does.

    A grey picture is its own luminance.

    Examples
    --------
    >>> luminance(np.full((1, 1, 3), 255)).round(3).tolist()
    [[235.0]]
    """
    values = picture.astype(np.float64)
    return values if picture.ndim == 2 else values @ LUMA + _LUMA_OFFSET * peak


def signal_to_noise(truth: Picture, restored: Picture, *, peak: float, border: int = 0) -> float:
    """Measure the peak signal-to-noise ratio in decibels: how small the squared error is beside the squared peak.

    Returns
    -------
    float
        Higher is better; 100 at most, which is also said where both are equal, so that means stay finite. 20 dB less
        is an error ten times as large.

    Raises
    ------
    InputError
        If nothing is left inside the border.
    """
    true, made = (_inside(picture, border).astype(np.float64) for picture in (truth, restored))
    error = float(np.mean((true - made) ** 2))
    return MOST_DECIBELS if error == 0 else min(MOST_DECIBELS, 10 * math.log10(peak**2 / error))


def structural_similarity(truth: Picture, restored: Picture, *, peak: float, border: int = 0) -> float:
    """Measure how alike two pictures are in local mean, contrast and structure (Wang et al. 2004), at most 1.

    As in the literature within a Gaussian window of 11 x 11 pixels with a standard deviation of 1.5, averaged over
    where it fits, and over channels. Pictures smaller than the window have no such figure: NaN.
    """
    true, made = (_inside(picture, border).astype(np.float64) for picture in (truth, restored))
    if min(true.shape[:2]) < WINDOW:
        return math.nan
    similarity: float = measured_similarity(  # type: ignore[no-untyped-call]  # scikit-image declares no types
        true,
        made,
        data_range=peak,
        channel_axis=2 if truth.ndim == 3 else None,
        gaussian_weights=True,
        sigma=WINDOW_SIGMA,
        use_sample_covariance=False,
        win_size=WINDOW,
    )
    return similarity


def perceptual_distance(
    features: Features, truth: Picture, restored: Picture, *, peak: float, border: int = 0
) -> float:
    """Measure how differently a network that has seen many photographs sees two pictures, from 0 (alike).

    The feature vectors of each place are brought to length 1, their squared differences are averaged over places, and
    that over layers: the distance of Zhang et al. (2018) before its layers are weighted by human judgements.
    """
    pair = [_as_photo(_inside(picture, border), peak) for picture in (truth, restored)]
    with torch.inference_mode():
        layers = features(torch.stack(pair))
        distances = [_angular(layer.float()) for layer in layers]
    return float(np.mean(distances))


def _angular(layer: Float[Tensor, "2 channels height width"]) -> float:
    directions = torch.nn.functional.normalize(layer, dim=1, eps=1e-6)
    return float((directions[0] - directions[1]).square().sum(dim=0).mean())


def _as_photo(picture: Picture, peak: float) -> Float[Tensor, "3 height width"]:
    values = np.clip(picture.astype(np.float32) / peak, 0, 1)
    colour = np.repeat(values[..., None], 3, axis=2) if picture.ndim == 2 else values
    return torch.from_numpy(np.ascontiguousarray(colour.transpose(2, 0, 1)))


def quality(
    truth: Picture, restored: Picture, *, peak: float, border: int, features: Features | None = None
) -> tuple[float, float, float, float, float]:
    """Compute all of :data:`MEASURES`, in their order; the perceptual distance is NaN where no network is given.

    Parameters
    ----------
    peak
        The difference between the lowest and the highest intensity that the picture could have: 255 for 8 bits.
    border
        So many pixels are left out at each side, usually the scale.
    """
    true, made = luminance(truth, peak), luminance(restored, peak)
    grey = truth.ndim == 2
    on_luminance = (
        signal_to_noise(true, made, peak=peak, border=border),
        structural_similarity(true, made, peak=peak, border=border),
    )
    on_channels = (
        on_luminance
        if grey
        else (
            signal_to_noise(truth, restored, peak=peak, border=border),
            structural_similarity(truth, restored, peak=peak, border=border),
        )
    )
    distance = math.nan
    if features is not None:
        distance = perceptual_distance(features, truth, restored, peak=peak, border=border)
    return (*on_luminance, *on_channels, distance)


def _inside(picture: Picture, border: int) -> Picture:
    inner = picture[border : picture.shape[0] - border, border : picture.shape[1] - border]
    if not inner.size:
        what = "nothing of this picture is left inside the border that is not judged"
        got = f"{picture.shape[1]} x {picture.shape[0]} pixels"
        raise InputError(what, got=got, wanted=f"more than {2 * border} of each side")
    return inner
