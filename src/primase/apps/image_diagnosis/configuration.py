"""The settings of image diagnosis: which network reads the images, how much of it learns, and what it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from pydantic import Field, model_validator

from primase.apps.images.configuration import ImageConfiguration, ImageData
from primase.configuration import Section
from primase.training.configuration import TrainingConfiguration

Recipe = Literal["frozen", "fine-tune", "scratch"]
Method = Literal["grad-cam", "occlusion", "integrated-gradients"]


class DiagnosisData(ImageData):
    """Where the images come from, how they are read, and how predictions on them are explained."""

    explanation: Method = "integrated-gradients"
    """How `primase explain` finds what speaks for a diagnosis: the share of each pixel in the difference from similar
    images of which the network does not say the same (integrated gradients), gradients at a map of features (grad-cam:
    quick and coarse), or replacing one piece of the image after the other by that of other images (occlusion: slow, but
    it asks the answer alone)."""


class DiagnosisNetworkSection(Section):
    """The network, and how much of what it knows from photographs it keeps."""

    recipe: Literal["frozen", "fine-tune", "scratch", "ensemble"] = "frozen"
    """What learns: a linear layer on the features of a frozen network of photographs (minutes on a processor), its last
    blocks too (fine-tune), a small network from nothing (scratch), or one network of each kind, whose probabilities are
    averaged (ensemble)."""
    backbone: str = "efficientnet-lite0"
    """The network of photographs: efficientnet-lite0, resnet18, resnet34, resnet50, se-resnet50, densenet121,
    squeezenet1_0, cifar-resnet20 or cifar-resnet56."""
    weights: str | None = None
    """File of its weights (.pth, .safetensors, .npz), or the name of registered ones; by default those published for
    it."""
    unfrozen: int = Field(default=4, ge=1)
    """How many of its last blocks learn, where it is fine-tuned; as in the review."""
    rate_decay: float = Field(default=0.7, gt=0, le=1)
    """By how much a block learns more slowly than the one behind it, where it is fine-tuned."""
    image_size: int = Field(default=112, ge=16)
    """Pixels along each side of what it reads; images are resized, bilinear with antialiasing."""
    small_size: int = Field(default=0, ge=0)
    """The same of the small network; 0 for the size of the images themselves, from 28 to 64."""
    keep_shape: bool = False
    """Keep the ratio of the sides, with black borders, instead of stretching images to a square."""
    standardise: bool = True
    """Bring each image to mean 0 and spread 1, so that exposure does not count; else as in pre-training."""
    depths: tuple[str, ...] = ()
    """Blocks whose features the frozen recipe reads (the mean and the spread of each over the image); by default all
    but the first and the head."""
    penalty: float = Field(default=0.1, ge=0)
    """Strength of the ridge penalty on the weights of the linear layer, in the frozen recipe."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the features before the last layer set to zero in training, where more than that layer learns."""
    balance: bool = True
    """Let all classes count the same in training: 0.5 is then a fair cut between two. Probabilities are those of a
    world in which they are equally frequent; without it those of the training data. No image counts more than ten."""
    cache_features: bool = True
    """Keep the features of a frozen network on disk, so that no image is computed twice."""

    @model_validator(mode="after")
    def _fits(self) -> DiagnosisNetworkSection:
        if self.recipe == "scratch" and self.weights is not None:
            message = "a network from scratch begins without weights: leave --weights out, or choose another --recipe"
            raise ValueError(message)
        if 0 < self.small_size < 16:
            message = "--small-size is too small for any network: give 16 or more, or 0"
            raise ValueError(message)
        return self

    @model_validator(mode="before")
    @classmethod
    def _weights_are_found_again(cls, values: object) -> object:
        """Make the path of a file of weights absolute, so that it stays right when it is read from another folder."""
        if isinstance(values, Mapping) and isinstance(named := values.get("weights"), str | Path):
            path = Path(named).expanduser()
            return {**values, "weights": str(path.absolute()) if path.is_file() else str(named)}
        return values


class AugmentationSection(Section):
    """How images are changed at random in training; not where the network is frozen."""

    modality: Literal["xray", "microscopy", "natural", "none"] = "xray"
    """What the images are, which decides the changes that are not given below: radiographs are turned a little and
    never mirrored, microscopy has no up or down, natural photographs may be mirrored; none changes nothing."""
    flip_horizontal: bool | None = None
    """Mirror half of the images left to right. Wrong for chest X-rays, and not done there unless told: the heart has a
    side."""
    flip_vertical: bool | None = None
    """Mirror half of the images top to bottom."""
    rotation_degrees: float | None = Field(default=None, ge=0, le=180)
    """The largest turn, either way."""
    scale: float | None = Field(default=None, ge=0, lt=1)
    """The largest change of size, as a share."""
    shift: float | None = Field(default=None, ge=0, lt=1)
    """The largest move along either side, as a share of it."""
    brightness: float | None = Field(default=None, ge=0, le=2)
    """The largest change of exposure: grey levels are raised to a power of up to 1 + this, or one over that."""


class DiagnosisTraining(TrainingConfiguration):
    """How a network learns; what is 0 is what the recipe takes."""

    epochs: int = Field(default=0, ge=0)
    """The most passes over the training data; 0 for what the recipe takes."""
    batch_size: int = Field(default=0, ge=0)
    """The most examples per step, fewer where there are few; 0 for what the recipe takes."""
    learning_rate: float = Field(default=0.0, ge=0)
    """The highest step size of the Adam optimiser; 0 for what the recipe takes."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Decoupled weight decay (AdamW); the frozen recipe has --penalty instead."""
    patience: int = Field(default=20, ge=1)
    """Stop after so many epochs without a better validation loss."""
    members: int = Field(default=1, ge=1)
    """Networks of each kind trained from different seeds, whose probabilities are averaged."""


class DiagnosisConfiguration(ImageConfiguration):
    """All settings of image diagnosis."""

    data: DiagnosisData = DiagnosisData()
    network: DiagnosisNetworkSection = DiagnosisNetworkSection()
    augmentation: AugmentationSection = AugmentationSection()
    training: DiagnosisTraining = DiagnosisTraining()


@dataclass(frozen=True, slots=True)
class Pace:
    """How a recipe learns where the user has not said it."""

    epochs: int
    batch_size: int
    learning_rate: float


PACES: Final[Mapping[Recipe, Pace]] = MappingProxyType(
    {
        "frozen": Pace(60, 256, 5e-4),
        "fine-tune": Pace(5, 32, 1e-3),
        "scratch": Pace(12, 64, 3e-3),
    }
)


def recipes_of(configuration: DiagnosisConfiguration) -> tuple[Recipe, ...]:
    """List the kinds of network that are trained."""
    recipe = configuration.network.recipe
    return ("frozen", "fine-tune", "scratch") if recipe == "ensemble" else (recipe,)


def settled(configuration: DiagnosisConfiguration, recipe: Recipe) -> DiagnosisConfiguration:
    """Fill in what a recipe decides: the settings of one network."""
    given, pace = configuration.training, PACES[recipe]
    training = given.model_copy(
        update={
            "epochs": given.epochs or pace.epochs,
            "batch_size": given.batch_size or pace.batch_size,
            "learning_rate": given.learning_rate or pace.learning_rate,
            "weight_decay": 0.0 if recipe == "frozen" else given.weight_decay,
        }
    )
    network = configuration.network.model_copy(update={"recipe": recipe})
    return configuration.model_copy(update={"training": training, "network": network})
