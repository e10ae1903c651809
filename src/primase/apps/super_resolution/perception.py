"""Networks that have seen many photographs: by one the adversarial phase learns, by another its result is judged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from primase.data.weight_sources import EFFICIENTNET_LITE0, VGG16_EDGES, fetch_weights
from primase.errors import SourceError
from primase.evaluation.image_quality import Features
from primase.events import Listener, silent
from primase.nn.backbones import build_backbone
from primase.nn.backbones.backbone import Backbone
from primase.nn.vgg import VggFeatures
from primase.nn.weights import load_weights

LOSS_LAYERS: Final = ("2-2", "3-3", "4-3")
"""Where VGG16 compares restored and true crops: what is further up sees more, and costs more."""
LEVELS: Final = 255.0

Planes = Float[Tensor, "batch channels height width"]


@final
class VggDistance:
    """How differently VGG16 sees made and true pictures: the squared difference of its feature vectors, in direction.

    A perceptual loss (Johnson et al. 2016, Ledig et al. 2017) on vectors of length 1 (Zhang et al. 2018), so that
    faint texture counts as much as strong edges, which the pixels speak for already.
    """

    def __init__(self, network: VggFeatures) -> None:
        # Kept apart from what learns and from what is saved.
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from declarations

    def __call__(self, made: Planes, truth: Planes) -> Float[Tensor, ""]:
        """Compare pictures with values from 0 to 1."""
        self.network.to(made.device)
        with torch.no_grad():
            wanted = self._directions(truth)
        found = self._directions(made)
        differences = [(own - true).square().sum(dim=1).mean() for own, true in zip(found, wanted, strict=True)]
        return torch.stack(differences).mean()

    def _directions(self, planes: Planes) -> list[Tensor]:
        maps = self.network(self.network.normalisation(planes * LEVELS), LOSS_LAYERS)
        return [normalize(layer.float(), dim=1, eps=1e-3) for layer in maps]


@final
class PhotoFeatures:
    """The feature maps of EfficientNet-Lite0, which no part of training has seen, after each of its blocks."""

    def __init__(self, network: Backbone) -> None:
        self.network = network.eval().requires_grad_(requires_grad=False)

    def __call__(self, photos: Float[Tensor, "batch 3 height width"]) -> Sequence[Tensor]:
        """Look at pictures with values from 0 to 1."""
        return self.network.stages(self.network.normalisation(photos * LEVELS))


def loss_distance(file: str, *, listener: Listener = silent) -> VggDistance:
    """Prepare the network that the adversarial phase learns by.

    Parameters
    ----------
    file
        Weights of VGG16; empty to fetch the registered ones.

    Raises
    ------
    SourceError
        If the registered weights cannot be fetched.
    InputError
        If the file holds other weights.
    """
    network = VggFeatures()
    load_weights(network, _found(file, VGG16_EDGES.name, "perceptual-features", listener))
    return VggDistance(network)


def photo_features(file: str, *, listener: Listener = silent) -> Features:
    """Prepare the network that the perceptual distance is measured with.

    Parameters
    ----------
    file
        Weights of EfficientNet-Lite0; empty to fetch the registered ones.

    Raises
    ------
    SourceError
        If the registered weights cannot be fetched.
    InputError
        If the file holds other weights.
    """
    network = build_backbone("efficientnet-lite0")
    path = _found(file, EFFICIENTNET_LITE0.name, "distance-features", listener)
    load_weights(network, path)
    return PhotoFeatures(network)


def _found(file: str, name: str, option: str, listener: Listener) -> Path:
    try:
        return fetch_weights(Path(file) if file else name, listener=listener)
    except SourceError as error:
        advice = (
            f"{error.advice or ''} Or hand the file over with --{option}, or leave the adversarial phase out with "
            "--adversarial-epochs 0, which needs no weights."
        )
        raise SourceError(
            error.what, where=error.where, got=error.got, wanted=error.wanted, advice=advice.strip()
        ) from error
