"""From pictures to tensors: images of one size, and what a frozen network sees in them, computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self, final

import numpy as np
import torch
from jaxtyping import Float, Float32, Shaped, UInt8
from torch import Tensor

from primase.apps.image_diagnosis.configuration import Recipe
from primase.apps.image_diagnosis.feature_cache import FeatureCache
from primase.apps.image_diagnosis.model import FrozenFeatures
from primase.apps.images.decoding import decoded
from primase.apps.images.pictures import Pictures, Preparation
from primase.data.encoding import Batch, Encoder, EncoderState
from primase.data.examples import Indices
from primase.data.fetch import cache_folder
from primase.events import Listener, Progress, silent
from primase.nn.backbones import build_backbone

IMAGES_AT_ONCE: Final = 16
"""More do not fit the cache of a processor, and are slower."""

LARGEST_IMAGE_BATCH: Final = 64
_STORED_AT_ONCE: Final = 256
_BACKBONE: Final = "backbone."
_LEAST_SPREAD: Final = 1e-6
_VERSION: Final = 1
"""Raised whenever the same images would be given other features."""


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """How images become tensors.

    Parameters
    ----------
    recipes
        The kinds of network that read them.
    image_size, small_size
        Pixels along each side of what the network of photographs reads, and the small one.
    colour
        Whether there are colours in the training images; else all are read as grey.
    intensity, keep_shape
        As in :func:`primase.apps.images.decoding.decoded`.
    standardise
        Whether networks bring each image to mean 0 and spread 1.
    """

    recipes: tuple[Recipe, ...]
    image_size: int
    small_size: int
    colour: bool
    intensity: str = "auto"
    keep_shape: bool = False
    standardise: bool = True

    def preparation(self, size: int) -> Preparation:
        """Say how images are brought to a size."""
        return Preparation((size, size), self.colour, self.intensity, self.keep_shape)

    @property
    def preparations(self) -> list[Preparation]:
        """All ways in which networks read images."""
        sides = [self.image_size] if {"frozen", "fine-tune"} & set(self.recipes) else []
        sides += [self.small_size] if "scratch" in self.recipes else []
        return [self.preparation(side) for side in dict.fromkeys(sides)]

    def images(self, pictures: Pictures, listener: Listener = silent, *, size: int = 0) -> UInt8[np.ndarray, "..."]:
        """Decode pictures, shape (images, 1 or 3, height, width)."""
        side = size or self.image_size
        pixels = decoded(
            pictures,
            (side, side),
            colour=self.colour,
            intensity=self.intensity,
            listener=listener,
            keep_shape=self.keep_shape,
        )
        return np.moveaxis(pixels, 3, 1) if self.colour else pixels[:, None]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """The mean and the spread of every feature in train."""

    mean: Float32[np.ndarray, "features"]
    spread: Float32[np.ndarray, "features"]

    @classmethod
    def of(cls, features: Float32[np.ndarray, "images features"]) -> Self:
        """Measure them; a feature that never changes stays at 0."""
        spread = features.std(axis=0, dtype=np.float64)
        wide = np.where(spread < _LEAST_SPREAD, np.inf, spread)
        return cls(features.mean(axis=0, dtype=np.float64).astype(np.float32), wide.astype(np.float32))

    def __call__(self, features: Float[Tensor, "images features"]) -> Float[Tensor, "images features"]:
        """Bring features to mean 0 and spread 1."""
        return (features - torch.from_numpy(self.mean)) / torch.from_numpy(self.spread)


@final
@dataclass(frozen=True, slots=True, eq=False)
class EncodedPictures:
    """Images, and their features, whichever the networks read; a batch is cut out by position."""

    tensors: dict[str, Tensor]
    count: int

    def __len__(self) -> int:
        return self.count

    @property
    def largest_batch(self) -> int:
        """As many as are quick to compute at once: few images, many features."""
        return LARGEST_IMAGE_BATCH if self.tensors.keys() - {"features"} else 4096

    def batch(self, indices: Indices) -> Batch:
        """Cut out a batch."""
        chosen = torch.from_numpy(indices)
        return {name: tensor[chosen] for name, tensor in self.tensors.items()}


@final
class DiagnosisEncoder(Encoder[Pictures]):
    """Decodes images, and asks the frozen network, if there is one, what it sees in them.

    Parameters
    ----------
    reading
        How images become tensors.
    backbone
        The name of the network of photographs.
    frozen
        That network, where a recipe reads its features.
    scale
        Of the features in train.
    weights
        What the network of photographs knew before training; None in a trained model, which has its own.
    cache
        Where features are kept; None to compute them anew.
    """

    def __init__(
        self,
        reading: Reading,
        backbone: str,
        *,
        frozen: FrozenFeatures | None = None,
        scale: Scale | None = None,
        weights: dict[str, Tensor] | None = None,
        cache: Path | None = None,
    ) -> None:
        self.reading, self.backbone = reading, backbone
        self.frozen, self.scale, self.weights = frozen, scale, weights
        self._cache = None if frozen is None or cache is None else FeatureCache(self._named(cache), frozen.size)

    def fit(self, train: Pictures, listener: Listener = silent) -> Self:
        """Learn the scale of the features on the training images."""
        if self.frozen is not None:
            self.scale = Scale.of(self._features(self.reading.images(train, listener), listener))
        return self

    def encode(self, inputs: Pictures, listener: Listener = silent) -> EncodedPictures:
        """Prepare images for every network that reads them."""
        recipes, tensors = self.reading.recipes, {}
        if "frozen" in recipes or "fine-tune" in recipes:
            images = self.reading.images(inputs, listener)
            if "frozen" in recipes:
                tensors["features"] = self.scaled(torch.from_numpy(self._features(images, listener)))
            if "fine-tune" in recipes:
                tensors["images"] = torch.from_numpy(images)
        if "scratch" in recipes:
            small = self.reading.images(inputs, listener, size=self.reading.small_size)
            tensors["small_images"] = torch.from_numpy(small)
        return EncodedPictures(tensors, len(inputs))

    def scaled(self, features: Float[Tensor, "images features"]) -> Float[Tensor, "images features"]:
        """Bring features to the scale on which the linear layer reads them."""
        assert self.scale is not None
        return self.scale(features)

    def state(self) -> EncoderState:
        """Describe how images are read; with the frozen network, so that a model needs nothing beside its folder."""
        facts: dict[str, Any] = {"reading": asdict(self.reading), "backbone": self.backbone}
        if self.frozen is None or self.scale is None:
            return EncoderState(facts)
        arrays = {"mean": self.scale.mean, "spread": self.scale.spread}
        arrays |= {f"{_BACKBONE}{name}": value for name, value in _needed(self.frozen).items()}
        return EncoderState({**facts, "depths": list(self.frozen.depths)}, arrays)

    @classmethod
    def from_state(cls, state: EncoderState) -> Self:
        """Read what :meth:`state` wrote."""
        known = state.facts["reading"]
        reading = Reading(**{**known, "recipes": tuple(known["recipes"])})
        backbone = state.facts["backbone"]
        if "depths" not in state.facts:
            return cls(reading, backbone)
        frozen = FrozenFeatures(build_backbone(backbone), state.facts["depths"], standardise=reading.standardise)
        named = {name.removeprefix(_BACKBONE): value for name, value in state.arrays.items() if _BACKBONE in name}
        own = frozen.reader.backbone.state_dict()
        own |= {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in named.items()}
        frozen.reader.backbone.load_state_dict(own)
        return cls(reading, backbone, frozen=frozen, scale=Scale(state.arrays["mean"], state.arrays["spread"]))

    def _features(self, images: UInt8[np.ndarray, "..."], listener: Listener) -> Float32[np.ndarray, "images features"]:
        """Look up what is known of images, and compute the rest."""
        assert self.frozen is not None
        keys = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]
        known = {} if self._cache is None else self._cache.find(keys)
        first_of = {key: place for place, key in reversed(list(enumerate(keys))) if key not in known}
        missing = sorted(first_of.values())
        for start in range(0, len(missing), _STORED_AT_ONCE):
            places = missing[start : start + _STORED_AT_ONCE]
            computed = compute_features(self.frozen, images, places)
            named = [keys[place] for place in places]
            if self._cache is not None:
                self._cache.store(named, computed)
            known.update(zip(named, computed, strict=True))
            listener(Progress("compute features", start + len(places), len(missing), "images"))
        features = np.empty((len(keys), self.frozen.size), dtype=np.float32)
        for row, key in enumerate(keys):
            features[row] = known[key]
        return features

    def _named(self, folder: Path) -> Path:
        """Name the file of the cache by all that decides what the features of an image are."""
        assert self.frozen is not None
        content = hashlib.sha256(repr((_VERSION, self.backbone, self.frozen.depths, self.reading.standardise)).encode())
        for name, value in _needed(self.frozen).items():
            content.update(name.encode())
            content.update(np.ascontiguousarray(value).tobytes())
        return folder / f"{self.backbone}-{content.hexdigest()[:16]}.sqlite"


def features_folder() -> Path:
    """Name the folder in the cache that keeps features."""
    return cache_folder() / "image-features"


def compute_features(
    frozen: FrozenFeatures, images: Shaped[np.ndarray, "..."], places: Sequence[int]
) -> Float32[np.ndarray, "chosen features"]:
    """Ask a frozen network what it sees in some images."""
    blocks = [np.empty((0, frozen.size), dtype=np.float32)]
    with torch.inference_mode():
        for start in range(0, len(places), IMAGES_AT_ONCE):
            chosen = torch.from_numpy(np.ascontiguousarray(images[list(places[start : start + IMAGES_AT_ONCE])]))
            blocks.append(frozen(chosen).numpy())
    return np.concatenate(blocks)


def _needed(frozen: FrozenFeatures) -> dict[str, np.ndarray[Any, Any]]:
    """Return the weights of the blocks that are used, by their names in the network."""
    backbone = frozen.reader.backbone
    blocks = [block for _, block in backbone.blocks[: frozen.reader.depth]]
    # Blocks have names of their own for their weights; where these lie in memory tells which they are.
    places = {value.data_ptr() for block in blocks for value in block.state_dict().values()}
    return {name: value.numpy() for name, value in backbone.state_dict().items() if value.data_ptr() in places}


def diagnosis_encoder(encoder: Encoder[Pictures]) -> DiagnosisEncoder:
    """Narrow the type of an encoder."""
    assert isinstance(encoder, DiagnosisEncoder)
    return encoder
