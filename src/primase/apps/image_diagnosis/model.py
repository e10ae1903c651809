"""The networks: a backbone that reads images, frozen or not, and a small head that names the diagnosis.

Tensors: ``images`` and ``small_images`` (batch, 1 or 3, height, width) are grey levels from 0 to 255; ``features``
(batch, features) were computed by a frozen backbone. The answer is (batch, outputs) logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from primase.apps.image_diagnosis.images import normalised, standardised
from primase.errors import ConfigurationError
from primase.nn.backbones import Backbone, pooled
from primase.nn.freezing import freeze

Images = Num[Tensor, "batch channels height width"]
Maps = Float[Tensor, "batch features rows columns"]
Logits = Float[Tensor, "batch outputs"]

SMALLEST_MAP: Final = 7
"""What a network says of an image is explained by the last map of features with so many cells along each side."""

COARSE: Final = 16
"""Where the answer rests on several depths, it is explained by all whose cells are so many pixels wide, or wider: finer
ones see edges everywhere."""


@final
class ImageReader(nn.Module):
    """A backbone whose maps of features can be looked at: each goes through a module of its own, which does nothing.

    Parameters
    ----------
    backbone
        The network.
    standardise
        Whether each image is brought to mean 0 and spread 1, or all are scaled as in pre-training.
    depth
        How many of its blocks are used.
    """

    def __init__(self, backbone: Backbone, *, standardise: bool, depth: int | None = None) -> None:
        super().__init__()
        self.backbone, self.standardise = backbone, standardise
        self.depth = len(backbone.blocks) if depth is None else depth
        self.lookouts = nn.ModuleList(nn.Identity() for _ in range(self.depth))

    def forward(self, images: Images) -> list[Maps]:
        """Compute the maps of features after every block."""
        return self.maps(self.prepared(images))

    def prepared(self, images: Images) -> Float[Tensor, "batch 3 height width"]:
        """Bring grey levels to what the network reads."""
        return standardised(images) if self.standardise else normalised(images, self.backbone.normalisation)

    def maps(self, prepared: Float[Tensor, "batch 3 height width"]) -> list[Maps]:
        """Compute the maps of features of images that are prepared already."""
        read, maps = prepared, []
        for lookout, (_, block) in zip(self.lookouts, self.backbone.blocks[: self.depth], strict=True):
            read = lookout(block(read))
            maps.append(read)
        return maps

    def cells(self, size: int) -> list[int]:
        """Count the cells along the shorter side of each map, of images of so many pixels."""
        mode = self.training
        with torch.inference_mode():
            maps = self.eval().maps(torch.zeros(1, 3, size, size))
        self.train(mode)
        return [min(own.shape[-2:]) for own in maps]


@final
class FrozenFeatures(nn.Module):
    """What a network of photographs sees in an image, at several depths: the mean and the spread of every feature.

    Deep features alone know what photographs show; those of the middle know textures, which is what most medical
    images differ in.

    Parameters
    ----------
    backbone
        Is frozen for good.
    depths
        The names of the blocks; by default all but the first (``stem``) and the ``head``.
    standardise
        As in :class:`ImageReader`.
    """

    def __init__(self, backbone: Backbone, depths: Sequence[str] = (), *, standardise: bool = True) -> None:
        super().__init__()
        names = [name for name, _ in backbone.blocks]
        unknown = [name for name in depths if name not in names]
        if unknown:
            what = "the network has no such block"
            raise ConfigurationError(what, where="--depths", got=", ".join(unknown), wanted=", ".join(names))
        self.depths = tuple(name for name in names if name in depths) if depths else _middle(names)
        self.places = [names.index(name) for name in self.depths]
        freeze(backbone, 0)
        self.reader = ImageReader(backbone, standardise=standardise, depth=max(self.places) + 1)
        self.size = 2 * sum(backbone.channels[place] for place in self.places)
        self.eval()

    def forward(self, images: Images) -> Float[Tensor, "batch features"]:
        """Compute the features of images."""
        return self.describe(self.reader(images))

    def lookouts(self, size: int) -> list[nn.Module]:
        """Return the modules that see the maps by which images of so many pixels are explained."""
        cells = self.reader.cells(size)
        coarse = [place for place in self.places if size / cells[place] >= COARSE]
        return [self.reader.lookouts[place] for place in coarse or self.places[-1:]]

    def describe(self, maps: Sequence[Maps]) -> Float[Tensor, "batch features"]:
        """Describe images by their maps."""
        described = [part for place in self.places for part in (pooled(maps[place]), _spread(maps[place]))]
        return torch.cat(described, dim=1).float()


def _middle(names: Sequence[str]) -> tuple[str, ...]:
    kept = tuple(name for name in names[1:] if name != "head")
    return kept or tuple(names)


def _spread(maps: Maps) -> Float[Tensor, "batch features"]:
    # The small number keeps the slope finite where a feature is nowhere to be seen.
    return (maps.float().var(dim=(2, 3), correction=0) + 1e-8).sqrt()


@final
class FrozenNetwork(nn.Module):
    """A linear layer on the standardised features of a frozen network.

    Parameters
    ----------
    features
        How many.
    outputs
        The number of answers.
    """

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.answer = nn.Linear(features, outputs)
        # All answers are equally likely before anything was learned: nothing random decides what is learned.
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)

    def forward(self, features: Float[Tensor, "batch features"], **_: Tensor) -> Logits:
        """Compute the logits of each answer."""
        logits: Tensor = self.answer(features)
        return logits


@final
class ImageNetwork(nn.Module):
    """A backbone that learns, at least its last blocks, and a linear layer on the mean of its last map.

    Parameters
    ----------
    backbone
        With the weights that it begins with.
    outputs
        The number of answers.
    unfrozen
        How many of its last blocks learn; the others keep their weights and the statistics of their normalisation.
    reads
        The name of the tensor of a batch that holds its images: ``"images"`` or ``"small_images"``.
    dropout
        Share of the features set to zero in training.
    standardise
        As in :class:`ImageReader`.
    """

    def __init__(
        self,
        backbone: Backbone,
        outputs: int,
        *,
        unfrozen: int,
        reads: str = "images",
        dropout: float = 0.3,
        standardise: bool = True,
    ) -> None:
        super().__init__()
        freeze(backbone, unfrozen)
        self.reader = ImageReader(backbone, standardise=standardise)
        self.reads = reads
        self.answer = nn.Sequential(nn.Dropout(dropout), nn.Linear(backbone.channels[-1], outputs))

    @property
    def backbone(self) -> Backbone:
        """The network behind the head."""
        return self.reader.backbone

    def forward(self, **batch: Tensor) -> Logits:
        """Compute the logits of each answer."""
        return self.head(self.reader(batch[self.reads]))

    def lookouts(self, size: int) -> list[nn.Module]:
        """Return the module that sees the map by which images of so many pixels are explained."""
        enough = [number for number, cells in enumerate(self.reader.cells(size)) if cells >= SMALLEST_MAP]
        return [self.reader.lookouts[enough[-1] if enough else 0]]

    def head(self, maps: Sequence[Maps]) -> Logits:
        """Answer from the last of the maps of features."""
        logits: Tensor = self.answer(pooled(maps[-1]))  # (batch, outputs)
        return logits
