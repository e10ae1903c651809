"""SqueezeNet 1.0: as good as AlexNet with a fiftieth of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from primase.nn.backbones.backbone import IMAGENET, Backbone, Images, Maps, pooled

# Of each fire module: where it is in torchvision's sequence, features before, squeezed, and expanded by either filter.
_FIRES: Final = (
    (3, 96, 16, 64),
    (4, 128, 16, 64),
    (5, 128, 32, 128),
    (7, 256, 32, 128),
    (8, 256, 48, 192),
    (9, 384, 48, 192),
    (10, 384, 64, 256),
    (12, 512, 64, 256),
)
_FEATURES: Final = 512
# What the authors' own weights expect: blue, green, red, less these means.
_CAFFE_MEAN: Final = (104.0, 117.0, 123.0)
_CAFFE_LAYERS: Final = {"conv1x1_1": "squeeze", "conv1x1_2": "expand1x1", "conv3x3_2": "expand3x3"}


@final
class Fire(nn.Module):
    """Squeeze into few features, and expand by filters of one pixel and of 3 x 3.

    Parameters
    ----------
    inputs
        Features before.
    squeezed
        Features in between.
    expanded
        Features that either kind of filter adds.
    """

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, maps: Maps) -> Maps:
        """Compute the features of the next layer."""
        squeezed = functional.relu(self.squeeze(maps))
        return torch.cat([functional.relu(self.expand1x1(squeezed)), functional.relu(self.expand3x3(squeezed))], dim=1)


@final
class SqueezeNet(Backbone):
    """SqueezeNet 1.0 (Iandola et al. 2016), with the parameter names of torchvision.

    The weights of its authors load as well: what they expect of the colours is put into the first convolution, which
    pads nothing, so that the result is the same. Blocks: ``stem``, ``fires1`` (three modules), ``fires2`` (four) and
    ``fires3`` (one).

    Parameters
    ----------
    classes
        How many the classifier tells apart.
    """

    classifier_name: ClassVar[str] = "classifier"

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.channels = (96, 256, 512, _FEATURES)
        fires = {place: Fire(inputs, squeezed, expanded) for place, inputs, squeezed, expanded in _FIRES}
        stem = {0: nn.Conv2d(3, 96, 7, 2), 1: nn.ReLU()}
        pools = {place: nn.MaxPool2d(3, 2, ceil_mode=True) for place in (2, 6, 11)}
        parts: dict[int, nn.Module] = {**stem, **fires, **pools}
        self.features = nn.Sequential(*(parts[place] for place in range(13)))
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(_FEATURES, classes, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]  # every convolution here has a bias
        nn.init.normal_(self.classifier[1].weight, std=0.01)  # type: ignore[arg-type]  # a Tensor, as in every layer

    @property
    def blocks(self) -> tuple[tuple[str, nn.Module], ...]:
        """The stem, and the fire modules between poolings."""
        return (
            ("stem", self.features[:3]),
            ("fires1", self.features[3:7]),
            ("fires2", self.features[7:12]),
            ("fires3", self.features[12:]),
        )

    def classify(self, maps: Maps) -> Float[Tensor, "batch classes"]:
        """Look for every class at every place, and average over the image."""
        found: Images = functional.relu(self.classifier(maps))
        return pooled(found)

    def translated(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the parameters that the authors published for Caffe, and let them expect the usual colours."""
        if "conv1__w" not in weights:
            return dict(weights)
        renamed = {_from_caffe(name): value for name, value in weights.items()}
        return adapted_to_imagenet(renamed, _CAFFE_MEAN)


def adapted_to_imagenet(weights: Mapping[str, Tensor], mean: tuple[float, float, float]) -> dict[str, Tensor]:
    """Let a network from Caffe, whose first convolution is ``features.0``, read what those of torchvision read.

    Caffe has the colours in the order blue, green, red, less their means; torchvision red, green, blue, less other
    means, and divided by their spread. Without padding both convolutions compute the same; where the image is padded,
    as if by another grey.

    Parameters
    ----------
    weights
        By name; if they have no such convolution, they stay as they are.
    mean
        What Caffe subtracts, in grey levels: blue, green, red.
    """
    filters, bias = weights.get("features.0.weight"), weights.get("features.0.bias")
    if filters is None or bias is None or filters.dim() != 4 or filters.shape[1] != 3:
        return dict(weights)
    std, shift = torch.tensor(IMAGENET.std), torch.tensor(IMAGENET.mean) - torch.tensor(mean[::-1])
    filters = filters.flip(1).double()
    moved = bias + (filters * shift.view(1, -1, 1, 1)).sum(dim=(1, 2, 3))
    scaled = (filters * std.view(1, -1, 1, 1)).float()
    return {**weights, "features.0.weight": scaled, "features.0.bias": moved.float()}


def _from_caffe(name: str) -> str:
    layer, *inner, kind = name.split("__")
    kind = {"w": "weight", "b": "bias"}.get(kind, kind)
    places = {f"fire{number}": place for number, (place, *_) in enumerate(_FIRES, start=2)}
    if layer in places and inner and inner[0] in _CAFFE_LAYERS:
        return f"features.{places[layer]}.{_CAFFE_LAYERS[inner[0]]}.{kind}"
    start = {"conv1": "features.0", "conv_final": "classifier.1"}.get(layer, layer)
    return ".".join((start, *inner, kind))
