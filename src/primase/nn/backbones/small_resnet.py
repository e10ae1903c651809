"""A small residual network for small images, to be trained from scratch on an ordinary processor."""

from __future__ import annotations

from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from primase.nn.backbones.backbone import Backbone, Maps, Normalisation, pooled


@final
class PreactivatedBlock(nn.Module):
    """Normalise, ReLU and convolve, twice; the result is added to the input (He et al. 2016, identity mappings).

    Parameters
    ----------
    inputs, width
        Features before and after.
    stride
        Pixels along each side that become one.
    """

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        fits = stride == 1 and inputs == width
        self.shortcut = None if fits else nn.Conv2d(inputs, width, 1, stride, bias=False)

    def forward(self, maps: Maps) -> Maps:
        """Compute what is to be added, and add it."""
        active = functional.relu(self.bn1(maps))
        change: Tensor = self.conv2(functional.relu(self.bn2(self.conv1(active))))
        return change + (maps if self.shortcut is None else self.shortcut(active))


@final
class SmallResNet(Backbone):
    """A residual network for images of 28 pixels or some more, grey or in colour, with random weights.

    Blocks: ``stem``, and a ``layer`` for each width, each but the first of which halves the size of the map.

    Parameters
    ----------
    classes
        How many the classifier tells apart.
    image_channels
        1 for grey images, 3 for colours.
    widths
        Features of each layer.
    depth
        Residual blocks of each layer.
    """

    image_size: ClassVar[int] = 28
    classifier_name: ClassVar[str] = "fc"

    def __init__(
        self, classes: int = 2, *, image_channels: int = 3, widths: tuple[int, ...] = (32, 64, 128), depth: int = 2
    ) -> None:
        super().__init__()
        self.normalisation = Normalisation(mean=(127.5,) * image_channels, std=(63.75,) * image_channels)
        self.stem = nn.Conv2d(image_channels, widths[0], 3, padding=1, bias=False)
        layers, inputs = [], widths[0]
        for number, width in enumerate(widths):
            blocks = []
            for index in range(depth):
                blocks.append(PreactivatedBlock(inputs, width, 2 if number and index == 0 else 1))
                inputs = width
            layers.append(nn.Sequential(*blocks))
        self.layers = nn.ModuleList(layers)
        self.bn = nn.BatchNorm2d(inputs)
        self.fc = nn.Linear(inputs, classes)
        self.channels = (widths[0], *widths)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @property
    def blocks(self) -> tuple[tuple[str, nn.Module], ...]:
        """The stem, which keeps the size of the image, and the layers."""
        *first, last = self.layers
        return (
            ("stem", self.stem),
            *((f"layer{number}", layer) for number, layer in enumerate(first, start=1)),
            (f"layer{len(first) + 1}", nn.Sequential(last, self.bn, nn.ReLU())),
        )

    def classify(self, maps: Maps) -> Float[Tensor, "batch classes"]:
        """Average over the image, then one linear layer."""
        logits: Tensor = self.fc(pooled(maps))
        return logits


def small_resnet(classes: int = 2) -> SmallResNet:
    """Build the small network for images in colour; grey ones are read as grey colours."""
    return SmallResNet(classes)
