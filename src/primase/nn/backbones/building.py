"""Builds a backbone by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from primase.errors import ConfigurationError
from primase.nn.backbones.backbone import Backbone
from primase.nn.backbones.cifar_resnet import cifar_resnet20, cifar_resnet56
from primase.nn.backbones.densenet import DenseNet121
from primase.nn.backbones.efficientnet import EfficientNetLite0
from primase.nn.backbones.resnet import resnet18, resnet34, resnet50, se_resnet50
from primase.nn.backbones.small_resnet import small_resnet
from primase.nn.backbones.squeezenet import SqueezeNet

BACKBONES: Final[Mapping[str, Callable[[int], Backbone]]] = MappingProxyType(
    {
        "efficientnet-lite0": EfficientNetLite0,
        "resnet18": resnet18,
        "resnet34": resnet34,
        "resnet50": resnet50,
        "se-resnet50": se_resnet50,
        "densenet121": DenseNet121,
        "squeezenet1_0": SqueezeNet,
        "cifar-resnet20": cifar_resnet20,
        "cifar-resnet56": cifar_resnet56,
        "small-resnet": small_resnet,
    }
)


def build_backbone(name: str, classes: int = 1000) -> Backbone:
    """Build a network by its name, with random weights.

    Parameters
    ----------
    name
        One of :data:`BACKBONES`.
    classes
        How many its classifier tells apart; published weights of ImageNet have 1000, of CIFAR-10 ten.

    Raises
    ------
    ConfigurationError
        There is no network of this name.
    """
    if name not in BACKBONES:
        what = "there is no network of this name"
        raise ConfigurationError(what, got=name, wanted=", ".join(BACKBONES))
    network = BACKBONES[name](classes)
    network.name = name
    return network
