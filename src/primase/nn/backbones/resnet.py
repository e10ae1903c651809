"""Residual networks: ResNet-18, -34 and -50, and SE-ResNet-50, which weighs its features."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from primase.nn.backbones.backbone import Backbone, Maps, pooled

_WIDTHS: Final = (64, 128, 256, 512)


@final
class SqueezeExcitation(nn.Module):
    """Weigh each feature by what the whole image shows (Hu et al. 2018).

    Parameters
    ----------
    features
        Before and after.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(features, features // 16, 1)
        self.fc2 = nn.Conv2d(features // 16, features, 1)

    def forward(self, maps: Maps) -> Maps:
        """Multiply each feature by a number from 0 to 1."""
        squeezed = functional.relu(self.fc1(functional.adaptive_avg_pool2d(maps, 1)))
        return maps * torch.sigmoid(self.fc2(squeezed))


@final
class BasicBlock(nn.Module):
    """Two convolutions of 3 x 3 pixels, whose result is added to the input.

    Parameters
    ----------
    inputs, width
        Features before and after.
    stride
        Pixels along each side that become one.
    """

    expansion: ClassVar[int] = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, maps: Maps) -> Maps:
        """Compute what is to be added, and add it."""
        change = functional.relu(self.bn1(self.conv1(maps)))
        change = self.bn2(self.conv2(change))
        return functional.relu(change + (self.downsample(maps) if self.downsample else maps))


@final
class Bottleneck(nn.Module):
    """Narrow to a quarter, look around in 3 x 3 pixels, widen again; the result is added to the input.

    Parameters
    ----------
    inputs
        Features before; there are ``4 * width`` after.
    width
        Features in between.
    stride
        Pixels along each side that become one.
    weighs
        Whether the features are weighed by squeeze and excitation. The published networks that do so take their
        stride in the first convolution, the others in the second.
    """

    expansion: ClassVar[int] = 4

    def __init__(self, inputs: int, width: int, stride: int, *, weighs: bool = False) -> None:
        super().__init__()
        outputs = self.expansion * width
        first, second = (stride, 1) if weighs else (1, stride)
        self.conv1 = nn.Conv2d(inputs, width, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)
        self.se = SqueezeExcitation(outputs) if weighs else None

    def forward(self, maps: Maps) -> Maps:
        """Compute what is to be added, and add it."""
        change = functional.relu(self.bn1(self.conv1(maps)))
        change = functional.relu(self.bn2(self.conv2(change)))
        change = self.bn3(self.conv3(change))
        if self.se:
            change = self.se(change)
        return functional.relu(change + (self.downsample(maps) if self.downsample else maps))


@final
class ResNet(Backbone):
    """A residual network (He et al. 2016), with the parameter names of torchvision, whose weights load into it.

    With bottlenecks, the stride is in the convolution of 3 x 3 pixels, as in torchvision. With squeeze and excitation
    it is as in the network that Hu et al. (2018) published, in the conversion of R. Cadene. Blocks: ``stem`` and
    ``layer1`` to ``layer4``.

    Parameters
    ----------
    depths
        Residual blocks in each of the four layers.
    bottleneck
        Whether they are bottlenecks, or pairs of convolutions of 3 x 3 pixels.
    weighs
        Whether the bottlenecks weigh their features by squeeze and excitation.
    classes
        How many the classifier tells apart.
    """

    classifier_name: ClassVar[str] = "fc"

    def __init__(
        self, depths: tuple[int, int, int, int], *, bottleneck: bool, weighs: bool = False, classes: int = 1000
    ) -> None:
        super().__init__()
        self.weighs = weighs
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        inputs, channels = _WIDTHS[0], [_WIDTHS[0]]
        layers: list[nn.Sequential] = []
        for depth, width in zip(depths, _WIDTHS, strict=True):
            blocks: list[nn.Module] = []
            for index in range(depth):
                stride = 2 if index == 0 and layers else 1
                if bottleneck:
                    blocks.append(Bottleneck(inputs, width, stride, weighs=weighs))
                    inputs = Bottleneck.expansion * width
                else:
                    blocks.append(BasicBlock(inputs, width, stride))
                    inputs = width
            layers.append(nn.Sequential(*blocks))
            channels.append(inputs)
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.fc = nn.Linear(inputs, classes)
        self.channels = tuple(channels)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @property
    def blocks(self) -> tuple[tuple[str, nn.Module], ...]:
        """The stem, which makes the image four times smaller, and the four layers."""
        pool = nn.MaxPool2d(3, 2, ceil_mode=True) if self.weighs else nn.MaxPool2d(3, 2, padding=1)
        return (
            ("stem", nn.Sequential(self.conv1, self.bn1, nn.ReLU(), pool)),
            ("layer1", self.layer1),
            ("layer2", self.layer2),
            ("layer3", self.layer3),
            ("layer4", self.layer4),
        )

    def classify(self, maps: Maps) -> Float[Tensor, "batch classes"]:
        """Average over the image, then one linear layer."""
        logits: Tensor = self.fc(pooled(maps))
        return logits

    def translated(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the parameters of the published SE-ResNet-50; others stay as they are."""
        if not self.weighs:
            return dict(weights)
        return {
            re.sub(r"^last_linear\.", "fc.", name.removeprefix("layer0.")).replace(".se_module.", ".se."): value
            for name, value in weights.items()
        }


def resnet18(classes: int = 1000) -> ResNet:
    """Build ResNet-18: 11.7 million parameters."""
    return ResNet((2, 2, 2, 2), bottleneck=False, classes=classes)


def resnet34(classes: int = 1000) -> ResNet:
    """Build ResNet-34: 21.8 million parameters."""
    return ResNet((3, 4, 6, 3), bottleneck=False, classes=classes)


def resnet50(classes: int = 1000) -> ResNet:
    """Build ResNet-50: 25.6 million parameters."""
    return ResNet((3, 4, 6, 3), bottleneck=True, classes=classes)


def se_resnet50(classes: int = 1000) -> ResNet:
    """Build SE-ResNet-50: 28.1 million parameters."""
    return ResNet((3, 4, 6, 3), bottleneck=True, weighs=True, classes=classes)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """Give the input the shape of the output where they differ."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
