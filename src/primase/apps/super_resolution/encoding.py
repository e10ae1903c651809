"""From images to what the generator reads: planes of numbers from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, cast, final
from zlib import crc32

import numpy as np
import torch
from jaxtyping import Float

from primase.apps.images.pictures import Pictures
from primase.apps.super_resolution.configuration import Colour, SuperResolutionConfiguration
from primase.bio.image_pixels import Pixels
from primase.bio.resampling import Degradation, cropped, intensity_range, resampled
from primase.data.encoding import Batch, Encoder, EncoderState
from primase.data.examples import Indices
from primase.errors import BundleError
from primase.evaluation.image_quality import LUMA, luminance

LUMA_NOISE: Final = float(np.linalg.norm(LUMA))
"""Standard deviation of luminance where each channel has one of 1."""

LEAST_LEARNED_SIDE: Final = 8
"""In pixels of low resolution."""

USUAL_DISTANCE_NETWORK: Final = "efficientnet-lite0"

Plane = Float[np.ndarray, "height width"]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A sharp image and the one of low resolution that was made of it, as they would lie in files."""

    sharp: Pixels
    low: Pixels


@final
@dataclass(frozen=True, slots=True)
class PictureEncoder(Encoder[Pictures]):
    """What a trained generator must know of images; nothing of it is fitted.

    Parameters
    ----------
    scale, blur_sigma, noise_sigma
        How images of low resolution are made of sharp ones.
    colour
        What the generator sees of a colour image.
    self_ensemble, tile
        How images are restored.
    adversarial
        Whether there is an adversarial phase.
    distance_network
        The name of the network that the perceptual distance is measured with.
    loss_features, distance_features
        The files of weights that the perceptual loss of that phase, and the perceptual distance, see with; empty for
        the registered ones.
    """

    scale: int
    blur_sigma: float
    noise_sigma: float
    colour: Colour
    self_ensemble: bool
    tile: int
    adversarial: bool
    loss_features: str = ""
    distance_features: str = ""
    distance_network: str = USUAL_DISTANCE_NETWORK

    @classmethod
    def of(cls, configuration: SuperResolutionConfiguration) -> PictureEncoder:
        """Take over the settings of a run."""
        data, network = configuration.data, configuration.network
        return cls(
            scale=data.scale,
            blur_sigma=data.blur_sigma,
            noise_sigma=data.noise_sigma,
            colour=network.colour,
            self_ensemble=data.self_ensemble,
            tile=data.tile,
            adversarial=configuration.training.adversarial_epochs > 0,
            loss_features=str(network.perceptual_features or ""),
            distance_features=str(network.distance_features or ""),
            distance_network=network.distance_network,
        )

    @property
    def with_distance(self) -> bool:
        """Whether a perceptual distance is measured: where other networks are needed anyway, or one is asked for."""
        return self.adversarial or bool(self.distance_features) or self.distance_network != USUAL_DISTANCE_NETWORK

    @property
    def degradation(self) -> Degradation:
        """How images of low resolution are made."""
        return Degradation(self.scale, self.blur_sigma, self.noise_sigma)

    def pair(self, pictures: Pictures, index: int, zoom: float = 1.0) -> Pair:
        """Read a sharp image, cropped to a multiple of the scale, and make the one of low resolution of it.

        The noise depends on nothing but the image.

        Parameters
        ----------
        zoom
            Below 1 the sharp image is itself made smaller before, see :func:`zoomed`.

        Raises
        ------
        InputError
            If the image is too small.
        """
        sharp = self._sharp(pictures, index, zoom)
        return Pair(sharp, self._low(sharp))

    def clean_pair(self, pictures: Pictures, index: int, zoom: float = 1.0) -> tuple[Pair, tuple[float, float]]:
        """Make a pair as :meth:`pair` does, but without noise; and say what it is to be measured by all the same.

        Returns
        -------
        pair, bounds
            The intensities that become 0 and 1 where the image is judged, which are those of the noisy image.
        """
        sharp = self._sharp(pictures, index, zoom)
        return Pair(sharp, replace(self.degradation, noise_sigma=0.0).small(sharp)), intensity_range(self._low(sharp))

    def _low(self, sharp: Pixels) -> Pixels:
        generator = np.random.default_rng(crc32(np.ascontiguousarray(sharp).tobytes()))
        return self.degradation.degraded(sharp, generator)

    def _sharp(self, pictures: Pictures, index: int, zoom: float) -> Pixels:
        whole = pictures.pixels(index)
        if zoom != 1.0:
            whole = resampled(whole, *(zoomed(side, zoom, self.scale) for side in whole.shape[:2]))
        return cropped(whole, self.scale, where=pictures.where(index))

    def noise_of(self, pair: Pair, bounds: tuple[float, float]) -> float:
        """Say how noisy a plane of an image is, on the scale of planes on which these bounds are 0 and 1."""
        (low, high), (lowest, highest) = bounds, intensity_range(pair.sharp)
        # Luminance averages the noise of three channels.
        averaged = LUMA_NOISE if pair.low.ndim == 3 and self.colour == "luminance" else 1.0
        return self.noise_sigma * averaged * (highest - lowest) / (high - low)

    def encode(self, inputs: Pictures) -> EncodedPictures:
        """Prepare whole images."""
        return EncodedPictures(inputs, self)

    def state(self) -> EncoderState:
        """Return the settings."""
        return EncoderState(asdict(self))

    @classmethod
    def from_state(cls, state: EncoderState) -> PictureEncoder:
        """Read what :meth:`state` gave.

        Raises
        ------
        BundleError
            If it is of another version.
        """
        try:
            return cls(**state.facts)
        except TypeError as error:
            what = "the encoder of this model cannot be read"
            raise BundleError(what, where="bundle.json", got=str(error)) from error


def zoomed(side: int, zoom: float, scale: int) -> int:
    """Tell how many pixels are left of a side; no image is made too small to learn from."""
    return min(side, max(int(side * zoom), LEAST_LEARNED_SIDE * scale))


@final
@dataclass(frozen=True, slots=True, eq=False)
class EncodedPictures:
    """Whole images; those of a batch are of one size."""

    pictures: Pictures
    encoder: PictureEncoder
    largest_batch: int = 1

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.pictures)

    def batch(self, indices: Indices) -> Batch:
        """Read images, and make those of low resolution; of a colour image the first plane."""
        pairs = [self.encoder.pair(self.pictures, int(index)) for index in indices]
        planes = [planes_of(pair, self.encoder.colour)[0] for pair in pairs]
        return {"low": stacked([low for low, _ in planes]), "sharp": stacked([sharp for _, sharp in planes])}


def planes_of(pair: Pair, colour: Colour, bounds: tuple[float, float] | None = None) -> list[tuple[Plane, Plane]]:
    """Lay an image out as planes: of low resolution, and sharp, on one scale on which the former goes from 0 to 1.

    Parameters
    ----------
    bounds
        The intensities that become 0 and 1; None for the range of the image of low resolution.
    """
    chosen = intensity_range(pair.low) if bounds is None else bounds
    return list(zip(planes(pair.low, colour, chosen), planes(pair.sharp, colour, chosen), strict=True))


def planes(pixels: Pixels, colour: Colour, bounds: tuple[float, float]) -> list[Plane]:
    """Lay an image out as planes of 32 bits: its luminance, or each of its channels.

    Parameters
    ----------
    bounds
        The intensities that become 0 and 1.
    """
    low, high = bounds
    values = (pixels.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    if values.ndim == 2:
        return [values]
    if colour == "luminance":
        return [luminance(values, peak=1.0).astype(np.float32)]
    return [np.ascontiguousarray(values[..., channel]) for channel in range(values.shape[2])]


def stacked(chosen: Sequence[Plane]) -> torch.Tensor:
    """Make a batch of planes, shape (batch, 1, height, width)."""
    return torch.from_numpy(np.stack(chosen)[:, None])


def picture_encoder(encoder: object) -> PictureEncoder:
    """Say that an encoder is the one of this application."""
    return cast("PictureEncoder", encoder)
