"""Residual networks for very small images: ResNet-20 and ResNet-56, as trained on CIFAR-10."""

from __future__ import annotations

from typing import ClassVar, Final, final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from primase.nn.backbones.backbone import Backbone, Maps, pooled

_WIDTHS: Final = (16, 32, 64)


@final
class PlainBlock(nn.Module):
    """Two convolutions of 3 x 3 pixels, whose result is added to the input; the shortcut has no parameters.

    Where the map is made smaller, the shortcut takes every second pixel, and the new features begin as zeros: half of
    them before and half after the old ones (option A of He et al. 2016).

    Parameters
    ----------
    inputs, width
        Features before and after.
    stride
        Pixels along each side that become one.
    """

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride, self.new = stride, width - inputs
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, maps: Maps) -> Maps:
        """Compute what is to be added, and add it."""
        change = functional.relu(self.bn1(self.conv1(maps)))
        change = self.bn2(self.conv2(change))
        kept = maps[..., :: self.stride, :: self.stride]
        if self.new:
            kept = functional.pad(kept, (0, 0, 0, 0, self.new // 2, self.new - self.new // 2))
        return functional.relu(change + kept)


@final
class CifarResNet(Backbone):
    """A residual network for images of about 32 pixels (He et al. 2016, section 4.2).

    The names of its parameters are those of the weights that Y. Idelbayev published. Blocks: ``stem`` and ``layer1`` to
    ``layer3``.

    Parameters
    ----------
    depth
        Layers with weights: six for each residual block of a layer, and two.
    classes
        How many the classifier tells apart.
    """

    image_size: ClassVar[int] = 32
    classifier_name: ClassVar[str] = "linear"

    def __init__(self, depth: int, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        layers, inputs = [], _WIDTHS[0]
        for width in _WIDTHS:
            blocks = []
            for _ in range((depth - 2) // 6):
                blocks.append(PlainBlock(inputs, width, 1 if width == inputs else 2))
                inputs = width
            layers.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3 = layers
        self.linear = nn.Linear(inputs, classes)
        self.channels = (_WIDTHS[0], *_WIDTHS)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    @property
    def blocks(self) -> tuple[tuple[str, nn.Module], ...]:
        """The stem, which keeps the size of the image, and the three layers."""
        return (
            ("stem", nn.Sequential(self.conv1, self.bn1, nn.ReLU())),
            ("layer1", self.layer1),
            ("layer2", self.layer2),
            ("layer3", self.layer3),
        )

    def classify(self, maps: Maps) -> Float[Tensor, "batch classes"]:
        """Average over the image, then one linear layer."""
        logits: Tensor = self.linear(pooled(maps))
        return logits


def cifar_resnet20(classes: int = 10) -> CifarResNet:
    """Build ResNet-20 for small images: 0.27 million parameters."""
    return CifarResNet(20, classes)


def cifar_resnet56(classes: int = 10) -> CifarResNet:
    """Build ResNet-56 for small images: 0.85 million parameters."""
    return CifarResNet(56, classes)
