"""DenseNet-121: every layer sees the features of all layers before it; the network of CheXNet."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import ClassVar, Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from primase.nn.backbones.backbone import Backbone, Maps, pooled

_DEPTHS: Final = (6, 12, 24, 16)
_GROWTH: Final = 32
_STEM: Final = 64
# The file of torchvision dates from a time when names of modules might hold dots.
_OLD_NAME: Final = re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12]\.)")


@final
class DenseLayer(nn.Module):
    """Normalise, narrow to 128 features, look around in 3 x 3 pixels: 32 features more.

    Parameters
    ----------
    inputs
        Features before.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, 4 * _GROWTH, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * _GROWTH)
        self.conv2 = nn.Conv2d(4 * _GROWTH, _GROWTH, 3, padding=1, bias=False)

    def forward(self, maps: Maps) -> Maps:
        """Put the new features behind those that are there."""
        narrow = self.conv1(functional.relu(self.norm1(maps)))
        return torch.cat([maps, self.conv2(functional.relu(self.norm2(narrow)))], dim=1)


@final
class DenseNet121(Backbone):
    """DenseNet-121 (Huang et al. 2017), with the parameter names of torchvision, whose weights load into it.

    Blocks: ``stem``, ``dense1`` to ``dense4``; the first three end with the transition that halves the features and
    the size of the map, the last with the final normalisation.

    Parameters
    ----------
    classes
        How many the classifier tells apart.
    """

    classifier_name: ClassVar[str] = "classifier"

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=nn.Conv2d(3, _STEM, 7, 2, padding=3, bias=False),
            norm0=nn.BatchNorm2d(_STEM),
            relu0=nn.ReLU(),
            pool0=nn.MaxPool2d(3, 2, padding=1),
        )
        features, channels = _STEM, [_STEM]
        for number, depth in enumerate(_DEPTHS, start=1):
            layers = [(f"denselayer{k + 1}", DenseLayer(features + k * _GROWTH)) for k in range(depth)]
            parts[f"denseblock{number}"] = nn.Sequential(OrderedDict(layers))
            features += depth * _GROWTH
            if number < len(_DEPTHS):
                parts[f"transition{number}"] = _transition(features)
                features //= 2
            channels.append(features)
        parts["norm5"] = nn.BatchNorm2d(features)
        self.features = nn.Sequential(parts)
        self.classifier = nn.Linear(features, classes)
        self.channels = tuple(channels)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    @property
    def blocks(self) -> tuple[tuple[str, nn.Module], ...]:
        """The stem, which makes the image four times smaller, and the four dense blocks."""
        parts = dict(self.features.named_children())
        blocks = [("stem", nn.Sequential(parts["conv0"], parts["norm0"], parts["relu0"], parts["pool0"]))]
        for number in (1, 2, 3):
            dense, transition = parts[f"denseblock{number}"], parts[f"transition{number}"]
            blocks.append((f"dense{number}", nn.Sequential(dense, transition)))
        return *blocks, ("dense4", nn.Sequential(parts["denseblock4"], parts["norm5"], nn.ReLU()))

    def classify(self, maps: Maps) -> Float[Tensor, "batch classes"]:
        """Average over the image, then one linear layer."""
        logits: Tensor = self.classifier(pooled(maps))
        return logits

    def translated(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the parameters of the published file: ``norm.1`` to ``norm1``."""
        return {_OLD_NAME.sub(r"\1\2", name): value for name, value in weights.items()}


def _transition(features: int) -> nn.Sequential:
    """Halve the features and the size of the map."""
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(features),
            relu=nn.ReLU(),
            conv=nn.Conv2d(features, features // 2, 1, bias=False),
            pool=nn.AvgPool2d(2, 2),
        )
    )
