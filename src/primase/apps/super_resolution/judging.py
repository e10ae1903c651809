"""How near restored images come to the truth, and how near plain interpolation comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
from jaxtyping import Float

from primase.apps.images.pictures import Pictures
from primase.apps.super_resolution.encoding import Pair, PictureEncoder, picture_encoder
from primase.apps.super_resolution.model import super_resolution_network
from primase.apps.super_resolution.perception import DISTANCE_NETWORKS, photo_features
from primase.apps.super_resolution.restoring import Restorer
from primase.bio.image_pixels import Pixels
from primase.bio.resampling import Kernel, intensity_range, resampled
from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.evaluation.image_quality import MEASURES, Features, quality
from primase.events import Listener, Progress, silent
from primase.predictor.predictor import Predictor

Measures = Float[np.ndarray, "images measures"]
Restore = Callable[[Pixels], Pixels]

LARGEST_SEEN: Final = 1024
"""The perceptual distance of larger images is measured on so many pixels a side, in their middle."""
INTERPOLATIONS: Final[tuple[Kernel, ...]] = ("bicubic", "lanczos")
DESCRIPTIONS: Final = {
    "bicubic": "Each pixel is a weighted mean of the 4 x 4 nearest ones of low resolution (Keys 1981, a = -0.5).",
    "lanczos": "Each pixel is a weighted mean of the 6 x 6 nearest ones of low resolution, by a windowed sinc.",
}


def restorer(predictor: Predictor[Pictures], *, adversarial: bool = False) -> Restorer:
    """Take from a trained model what restores images, as the run was told to do it."""
    own = picture_encoder(predictor.encoder)
    generators = [super_resolution_network(member).generator(adversarial=adversarial) for member in predictor.members]
    return Restorer([one.eval() for one in generators], own.colour, own.self_ensemble, own.tile)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """Makes images of low resolution of sharp ones, has them restored, and measures what came of it.

    Parameters
    ----------
    features
        What the perceptual distance is measured with; None where it is not.
    """

    encoder: PictureEncoder
    features: Features | None

    @classmethod
    def of(cls, encoder: PictureEncoder, listener: Listener = silent) -> Judge:
        """Fetch the weights that a perceptual distance needs, where one was asked for.

        Raises
        ------
        ConfigurationError
            If the file of weights is gone: by other weights figures could not be compared.
        """
        if not encoder.with_distance:
            return cls(encoder, None)
        file = encoder.distance_features
        if file and not Path(file).is_file():
            what = "the weights that the perceptual distance is measured with are not there any more"
            advice = "Put the file back, or name where it is now with --distance-features."
            raise ConfigurationError(what, where="--distance-features", got=file, advice=advice)
        return cls(encoder, photo_features(file, encoder.distance_network, listener=listener))

    @staticmethod
    def title(encoder: PictureEncoder) -> str:
        """Name the network that measures the perceptual distance, and the file of its weights if it is the user's."""
        weights = Path(encoder.distance_features).name if encoder.distance_features else "ImageNet"
        return f"{DISTANCE_NETWORKS[encoder.distance_network].title} ({weights})"

    def of_all(self, restore: Restore, pictures: Pictures, listener: Listener = silent) -> Measures:
        """Measure every image."""
        found = np.empty((len(pictures), len(MEASURES)), dtype=np.float32)
        for index in range(len(pictures)):
            pair = self.encoder.pair(pictures, index)
            found[index] = self.measures(pair, restore(pair.low))
            listener(Progress("measure", index + 1, len(pictures), "images"))
        return found

    def measures(self, pair: Pair, restored: Pixels) -> tuple[float, ...]:
        """Measure one image; intensities count from the lowest to the highest that it could have."""
        low, high = intensity_range(pair.sharp)
        true, made = (pixels.astype(np.float64) - low for pixels in (pair.sharp, restored))
        border = min(self.encoder.scale, (min(true.shape[:2]) - 1) // 2)
        found = quality(true, made, peak=high - low, border=border)
        if self.features is None:
            return found
        seen = (_middle(true), _middle(made))
        distance = quality(*seen, peak=high - low, border=border, features=self.features)[-1]
        return (*found[:-1], distance)


def _middle(pixels: Pixels) -> Pixels:
    rows, columns = (
        slice((side - kept) // 2, (side - kept) // 2 + kept)
        for side, kept in ((side, min(side, LARGEST_SEEN)) for side in pixels.shape[:2])
    )
    return pixels[rows, columns]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Interpolation:
    """Makes images larger without having learned anything."""

    judge: Judge
    name: Kernel

    @property
    def description(self) -> str:
        """Say what it does."""
        return DESCRIPTIONS[self.name]

    def fit(self, task: Task, train: Examples[Pictures], validation: Examples[Pictures]) -> Interpolation:
        """Learn nothing."""
        del task, train, validation
        return self

    def answers(self, examples: Examples[Pictures]) -> Measures:
        """Measure how near it comes to each image."""
        return self.judge.of_all(self.restored, examples.inputs)

    def restored(self, low: Pixels) -> Pixels:
        """Make an image larger."""
        height, width = (side * self.judge.encoder.scale for side in low.shape[:2])
        return resampled(low, height, width, kernel=self.name)


def interpolations(judge: Judge) -> Sequence[Interpolation]:
    """Name what the network must beat."""
    return [Interpolation(judge, kernel) for kernel in INTERPOLATIONS]
