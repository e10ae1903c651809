"""Networks that have seen many photographs: by one the adversarial phase learns, by another its result is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize, pad

from primase.data.weight_sources import VGG16_EDGES, fetch_weights
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
NetworkT = TypeVar("NetworkT", Backbone, VggFeatures)


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
@dataclass(frozen=True, slots=True)
class DistanceNetwork:
    """A network of photographs that the perceptual distance can be measured with.

    Parameters
    ----------
    title
        What people call it.
    backbone
        The name by which it is built, and its usual weights are registered.
    least_side
        Pixels that it needs along each side: smaller pictures are continued by their outermost pixels.
    """

    title: str
    backbone: str
    least_side: int = 1


DISTANCE_NETWORKS: Final[Mapping[str, DistanceNetwork]] = MappingProxyType(
    {
        "efficientnet-lite0": DistanceNetwork("EfficientNet-Lite0", "efficientnet-lite0"),
        "squeezenet": DistanceNetwork("SqueezeNet 1.0", "squeezenet1_0", 21),
    }
)
"""Neither has any part in training. SqueezeNet is one of the three networks of LPIPS (Zhang et al. 2018), which agree
with people better than networks that classify better (Kumar et al. 2022)."""


@final
class PhotoFeatures:
    """The feature maps of a network of photographs, which no part of training has seen, after each of its blocks."""

    def __init__(self, network: Backbone, least_side: int = 1) -> None:
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.least_side = least_side

    def __call__(self, photos: Float[Tensor, "batch 3 height width"]) -> Sequence[Tensor]:
        """Look at pictures with values from 0 to 1."""
        below, beside = (max(self.least_side - side, 0) for side in photos.shape[2:])
        if below or beside:
            photos = pad(photos, (0, beside, 0, below), mode="replicate")
        return self.network.stages(self.network.normalisation(photos * LEVELS))


def loss_distance(file: str, *, listener: Listener = silent) -> VggDistance:
    """Prepare VGG16, by which the adversarial phase learns, with the weights of :func:`_with_weights`."""
    return VggDistance(_with_weights(VggFeatures(), file, VGG16_EDGES.name, "perceptual-features", listener))


def photo_features(file: str, network: str = "efficientnet-lite0", *, listener: Listener = silent) -> Features:
    """Prepare the network that the perceptual distance is measured with, with the weights of :func:`_with_weights`.

    Parameters
    ----------
    network
        One of :data:`DISTANCE_NETWORKS`.
    """
    known = DISTANCE_NETWORKS[network]
    empty = build_backbone(known.backbone)
    return PhotoFeatures(_with_weights(empty, file, known.backbone, "distance-features", listener), known.least_side)


def _with_weights(network: NetworkT, file: str, name: str, option: str, listener: Listener) -> NetworkT:
    """Give a network its weights.

    Parameters
    ----------
    file
        The user's; empty to fetch the registered ones.
    name
        Of the registered ones.
    option
        By which the user names a file.

    Raises
    ------
    SourceError
        If the registered weights cannot be fetched.
    InputError
        If the file holds other weights, or is not there.
    """
    load_weights(network, _found(file, name, option, listener))
    return network


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
