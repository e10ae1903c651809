"""Making pictures smaller and larger: the kernels of the literature, and what a microscope adds to them.

Pictures are arrays as in their files: uint8, uint16 or float32, of shape (height, width) or (height, width, 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from jaxtyping import Float
from PIL import Image
from scipy.ndimage import gaussian_filter

from primase.errors import ConfigurationError, InputError

Pixels: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Kernel = Literal["bicubic", "lanczos"]

_KERNELS: Final = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}


def resampled(pixels: Pixels, height: int, width: int, *, kernel: Kernel = "bicubic") -> Pixels:
    """Bring a picture to another size, in the same kind of numbers.

    Bicubic is the convolution of Keys (1981) with a = -0.5, Lanczos the windowed sinc of three lobes. Where the picture
    becomes smaller the kernel is widened by as much (antialiasing), as in Matlab's ``imresize``, on which the figures
    of the super-resolution literature rest. At the border the kernel is cut off and weighs more inside.

    Returns
    -------
    array
        Whole numbers are rounded and kept within the range of their kind; real ones are left as they come.
    """
    channels = pixels[..., None] if pixels.ndim == 2 else pixels
    planes = [_plane(channels[..., place], height, width, kernel) for place in range(channels.shape[2])]
    return as_kind(np.stack(planes, axis=2) if pixels.ndim == 3 else planes[0], pixels.dtype)


def _plane(values: Pixels, height: int, width: int, kernel: Kernel) -> Float[np.ndarray, "height width"]:
    # Pillow's pictures of one 32-bit number per pixel hold every kind of file without loss.
    image = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    return np.asarray(image.resize((width, height), _KERNELS[kernel], reducing_gap=None))


def as_kind(values: Float[np.ndarray, "height width *channels"], kind: np.dtype[Any]) -> Pixels:
    """Turn real numbers into pixels of a kind: rounded and within its range, where it holds whole numbers."""
    if np.issubdtype(kind, np.floating):
        return values.astype(kind)
    limits = np.iinfo(kind)
    return np.asarray(np.clip(np.rint(values), limits.min, limits.max), dtype=kind)


def cropped(pixels: Pixels, multiple: int, *, where: str | None = None) -> Pixels:
    """Cut off the last rows and columns, so that both sides are multiples of a number.

    Raises
    ------
    InputError
        If nothing would be left.
    """
    height, width = (side // multiple * multiple for side in pixels.shape[:2])
    if not height or not width:
        what = f"this picture is too small to be made {multiple} times smaller"
        got = f"{pixels.shape[1]} x {pixels.shape[0]} pixels"
        raise InputError(what, where=where, got=got, wanted=f"at least {multiple} x {multiple}")
    inside: Pixels = pixels[:height, :width]
    return inside


def intensity_range(pixels: Pixels) -> tuple[float, float]:
    """Say between which values the intensities of a picture lie.

    Of 8 bits that is 0 to 255. Of 16 bits and of real numbers, whose files seldom use all that they could hold, it is
    the lowest and the highest value in the picture.

    Examples
    --------
    >>> intensity_range(np.array([[3, 7]], dtype=np.uint8)), intensity_range(np.array([[3, 7]], dtype=np.uint16))
    ((0.0, 255.0), (3.0, 7.0))
    """
    if pixels.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(pixels.min()), float(pixels.max())
    return low, high if high > low else low + 1.0


@dataclass(frozen=True, slots=True)
class Degradation:
    """How a sharp picture becomes the one of low resolution that goes with it.

    The picture is blurred, made smaller by antialiased bicubic interpolation, and noise is added; it is then stored in
    the same kind of numbers. Without blur and noise this is the degradation of the literature.

    Parameters
    ----------
    scale
        How many times smaller each side becomes: 2, 3 or 4.
    blur_sigma
        Standard deviation of a Gaussian point-spread function, in pixels of the sharp picture; 0 for none.
    noise_sigma
        Standard deviation of Gaussian noise, as a share of the intensity range of the picture; 0 for none.
    """

    scale: int
    blur_sigma: float = 0.0
    noise_sigma: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises
        ------
        ConfigurationError
            If a number means nothing.
        """
        if self.scale not in {2, 3, 4}:
            what = "this scale is not offered"
            raise ConfigurationError(what, where="scale", got=str(self.scale), wanted="2, 3 or 4")
        for name, value in (("blur_sigma", self.blur_sigma), ("noise_sigma", self.noise_sigma)):
            if not 0 <= value < np.inf:
                what = "this is no standard deviation"
                raise ConfigurationError(what, where=name, got=str(value), wanted="a number from 0")

    def small(self, sharp: Pixels) -> Pixels:
        """Blur a picture and make it smaller; both of its sides must be multiples of the scale."""
        blurred = self._blurred(sharp)
        height, width = (side // self.scale for side in sharp.shape[:2])
        return as_kind(resampled(blurred, height, width), sharp.dtype)

    def degraded(self, sharp: Pixels, generator: np.random.Generator) -> Pixels:
        """Make the picture of low resolution that goes with a sharp one, noise included."""
        small = self.small(sharp)
        if not self.noise_sigma:
            return small
        low, high = intensity_range(sharp)
        noise = generator.normal(0, self.noise_sigma * (high - low), small.shape)
        return as_kind(small + noise, sharp.dtype)

    def _blurred(self, sharp: Pixels) -> Float[np.ndarray, "height width *channels"]:
        values = sharp.astype(np.float32)
        if not self.blur_sigma:
            return values
        sigmas = (self.blur_sigma, self.blur_sigma, 0)[: sharp.ndim]
        return np.asarray(gaussian_filter(values, sigmas, mode="nearest"))
