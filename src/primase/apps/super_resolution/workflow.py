"""The work of super-resolution, from sharp images to a generator that restores what low resolution has lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float
from torch import nn

from primase.apps.images.pictures import Pictures
from primase.apps.images.reading import read_pictures
from primase.apps.images.streaming import stream_pictures
from primase.apps.images.workflow import ImageWorkflow
from primase.apps.super_resolution import drawing, pages
from primase.apps.super_resolution.asking import (
    judged_as_asked,
    refuse_what_it_cannot,
    restorer_as_asked,
    settings_of,
    units_of,
    with_settings,
    with_units,
)
from primase.apps.super_resolution.configuration import SuperResolutionConfiguration
from primase.apps.super_resolution.crops import VALIDATION_CROPS, VALIDATION_PATCH, Crops, PlanePairs, plane_sizes
from primase.apps.super_resolution.datasets import DATASETS
from primase.apps.super_resolution.encoding import PictureEncoder, picture_encoder
from primase.apps.super_resolution.fields import fields
from primase.apps.super_resolution.judging import Judge, interpolations, restorer
from primase.apps.super_resolution.kin import with_fields
from primase.apps.super_resolution.learning import build_network, fit_options
from primase.apps.super_resolution.perception import loss_distance, photo_features
from primase.apps.super_resolution.restoring import SMALLEST_SIDE
from primase.apps.super_resolution.simulator import simulate
from primase.apps.workflow import Explanation, Labelled, Simulated
from primase.data.audit import Finding, Kinship
from primase.data.encoding import Encoder, EncoderState, SupervisedBatches
from primase.data.examples import Examples
from primase.data.splits import Groups, Part, Partition
from primase.data.tasks import IMAGE, Task
from primase.errors import ConfigurationError
from primase.evaluation.baselines import Rival
from primase.evaluation.image_quality import MEASURES
from primase.evaluation.intervals import Units
from primase.events import Listener, Progress
from primase.predictor.predictor import Predictor
from primase.report.run import Insights
from primase.training.fit import FitOptions

TASK: Final = Task(IMAGE, MEASURES)
CLUSTER: Final = "cluster"
SEED_STEP: Final = 10_000
"""Seeds of the members of an ensemble are so far apart, that runs with seeds near each other share none."""
_OF_CLASSES: Final = frozenset({"mixed grey and colour", "mixed bit depths"})
"""What may give a class away is no matter where there is none."""


@final
class SuperResolutionWorkflow(ImageWorkflow[SuperResolutionConfiguration]):
    """Read sharp images, make those of low resolution, learn to restore, judge, and restore new ones."""

    def read(
        self, configuration: SuperResolutionConfiguration, task: Task | None, listener: Listener
    ) -> Labelled[Pictures]:
        """Read sharp images, whatever the folders they lie in are called."""
        least = SMALLEST_SIDE * configuration.data.scale
        trained = task is not None
        found = read_pictures(configuration.data, listener, DATASETS, labelled=False, least_size=least, trained=trained)
        findings = [finding for finding in found.findings if finding.finding not in _OF_CLASSES]
        return Labelled(found.examples(), TASK, findings)

    def read_new(
        self, configuration: SuperResolutionConfiguration, predictor: Predictor[Pictures], listener: Listener
    ) -> Labelled[Pictures]:
        """Read sharp images that a trained generator is judged on; with them travels how they are to be restored."""
        own = picture_encoder(predictor.encoder)
        refuse_what_it_cannot(own, configuration)
        labelled = self.read(configuration, predictor.task, listener)
        return replace(
            labelled,
            examples=with_settings(labelled.examples, configuration),
            findings=[*labelled.findings, *_judge(judged_as_asked(own, configuration))],
        )

    def stream(
        self,
        path: Path,
        configuration: SuperResolutionConfiguration,
        encoder: Encoder[Pictures],
        listener: Listener,
    ) -> Iterator[Examples[Pictures]]:
        """Read images of low resolution."""
        refuse_what_it_cannot(picture_encoder(encoder), configuration)
        return stream_pictures(path, configuration.data, listener, block=16, least_size=SMALLEST_SIDE)

    def policy(self, examples: Examples[Pictures], configuration: SuperResolutionConfiguration) -> str:
        """Take the parts as given, else groups where there are any, else keep fields of view together."""
        chosen = super().policy(examples, configuration)
        return CLUSTER if configuration.split.split == "auto" and chosen == "random" else chosen

    def units(
        self,
        examples: Examples[Pictures],
        policy: str,
        configuration: SuperResolutionConfiguration,
        listener: Listener,
    ) -> Groups:
        """Keep crops of one field of view together; they are one unit too where the parts are given."""
        if policy == CLUSTER or (policy == "given" and not examples.groups):
            return _fields(examples.inputs, listener)
        return super().units(examples, policy, configuration, listener)

    def unit_name(self, policy: str) -> str:
        """Name what a split keeps together."""
        return "field of view" if policy == CLUSTER else super().unit_name(policy)

    def settle(
        self,
        labelled: Labelled[Pictures],
        partition: Partition,
        configuration: SuperResolutionConfiguration,
        listener: Listener,
    ) -> Labelled[Pictures]:
        """Let the units of the split travel with the images."""
        del configuration, listener
        return replace(labelled, examples=with_units(labelled.examples, partition.units))

    def kinship(self, examples: Examples[Pictures], partition: Partition, listener: Listener) -> Kinship | None:
        """Find test images that share a group or a field of view with train, or are copies of an image of it."""
        found = super().kinship(examples, partition, listener)
        are_fields = partition.policy == CLUSTER or (partition.policy == "given" and not examples.groups)
        of_images = partition.units if are_fields else _fields(examples.inputs, listener)
        return with_fields(found, partition, of_images)

    def audit(
        self,
        labelled: Labelled[Pictures],
        configuration: SuperResolutionConfiguration,
        partition: Partition | None,
        listener: Listener,
    ) -> list[Finding]:
        """Look for what is odd in images, and say which are too small to learn from and which belong together."""
        found = super().audit(labelled, configuration, partition, listener)
        # Of a trained model the judge is told where its images are read.
        judge = [] if partition is None else _judge(PictureEncoder.of(configuration))
        return [*found, *_too_small(labelled, configuration), *_together(partition), *judge]

    def fit_encoder(
        self, train: Examples[Pictures], configuration: SuperResolutionConfiguration, listener: Listener
    ) -> PictureEncoder:
        """Take over the settings; nothing is fitted."""
        del train, listener
        return PictureEncoder.of(configuration)

    def adopt_encoder(
        self,
        parent: Predictor[Pictures],
        train: Examples[Pictures],
        task: Task,
        configuration: SuperResolutionConfiguration,
    ) -> PictureEncoder:
        """Make images smaller as the settings say: nothing of that was learned from images."""
        del parent, train, task
        return PictureEncoder.of(configuration)

    def load_encoder(self, state: EncoderState) -> PictureEncoder:
        """Read the encoder of a bundle."""
        return PictureEncoder.from_state(state)

    def member_configurations(
        self, configuration: SuperResolutionConfiguration
    ) -> Sequence[SuperResolutionConfiguration]:
        """Give each member of an ensemble a seed of its own, so that each draws other crops."""
        seeds = [configuration.seed + SEED_STEP * number for number in range(configuration.training.members)]
        return [configuration.model_copy(update={"seed": seed}) for seed in seeds]

    def network(self, encoder: Encoder[Pictures], task: Task, configuration: SuperResolutionConfiguration) -> nn.Module:
        """Build the generator, or both of them."""
        del task
        return build_network(picture_encoder(encoder), configuration)

    def learned_from(
        self,
        encoder: Encoder[Pictures],
        examples: Examples[Pictures],
        part: Part,
        configuration: SuperResolutionConfiguration,
        listener: Listener,
    ) -> SupervisedBatches:
        """Learn from all crops of the training images, and choose by some of the validation images."""
        del listener
        own = picture_encoder(encoder)
        if part == "train":
            planes = PlanePairs.of(own, examples.inputs, configuration.training.zooms)
            crops = Crops.all_of(planes, configuration.training.patch)
        else:
            crops = Crops.all_of(PlanePairs.of(own, examples.inputs), VALIDATION_PATCH).some(VALIDATION_CROPS)
        # What is to be found again is in the crops themselves.
        return SupervisedBatches(crops, np.empty((len(crops), 0), dtype=np.float32))

    def fit_options(
        self,
        encoder: Encoder[Pictures],
        task: Task,
        train: Examples[Pictures],
        configuration: SuperResolutionConfiguration,
    ) -> FitOptions:
        """Say what both phases of training make small; what they need of other networks is fetched before them."""
        del task
        own = picture_encoder(encoder)
        if own.with_distance:
            photo_features(own.distance_features, own.distance_network)
        perceptual = loss_distance(own.loss_features) if own.adversarial else None
        return fit_options(own, train.inputs, configuration, perceptual)

    def outputs(
        self, predictor: Predictor[Pictures], examples: Examples[Pictures], listener: Listener
    ) -> Float[np.ndarray, "examples measures"]:
        """Measure how near each image comes that the pixel-trained generator restores, or the one asked for."""
        own, asked = picture_encoder(predictor.encoder), settings_of(examples)
        made = restorer(predictor) if asked is None else restorer_as_asked(predictor, asked)
        judge = Judge.of(own if asked is None else judged_as_asked(own, asked), listener)
        return judge.of_all(made.restored, examples.inputs, listener)

    def baselines(self, encoder: Encoder[Pictures]) -> Sequence[Rival]:
        """Name plain interpolation, of two kinds."""
        return interpolations(Judge.of(picture_encoder(encoder)))

    def probes(self, train: Examples[Pictures]) -> Sequence[Rival]:
        """No nuisance tells what is missing in an image."""
        del train
        return []

    def subsets(self, test: Examples[Pictures], encoder: Encoder[Pictures]) -> Mapping[str, Bool[np.ndarray, "tested"]]:
        """Look at grey and coloured images apart, where there are both."""
        del encoder
        colour = np.array([test.inputs.header(index).colour for index in range(len(test))], dtype=np.bool_)
        return {"colour": colour, "grey": ~colour} if colour.any() and not colour.all() else {}

    def draw(
        self,
        predictor: Predictor[Pictures],
        blocks: Iterator[Examples[Pictures]],
        configuration: SuperResolutionConfiguration,
        folder: Path,
        listener: Listener,
    ) -> int:
        """Restore images, and write them in the bit depth that they came in.

        Raises
        ------
        ConfigurationError
            If what is asked for is not what the model was trained for.
        """
        refuse_what_it_cannot(picture_encoder(predictor.encoder), configuration)
        return drawing.draw(blocks, restorer_as_asked(predictor, configuration), folder, listener)

    def explain(self, predictor: Predictor[Pictures], examples: Examples[Pictures], listener: Listener) -> Explanation:
        """Refuse: what a restored image rests on is the image of low resolution around each place."""
        del predictor, examples, listener
        what = "this application explains nothing"
        raise ConfigurationError(what, where="explain", advice="The report of train shows what was restored.")

    def insights(
        self, predictor: Predictor[Pictures], parts: Mapping[Part, Examples[Pictures]], listener: Listener
    ) -> Insights:
        """Show images side by side, and what the adversarial phase has changed."""
        test = parts["test"]
        judge = Judge.of(picture_encoder(predictor.encoder), listener)
        kept = units_of(test)
        units = Units.of(fields(test.inputs) if kept is None else kept, "unit")
        return pages.insights(predictor, test, units, judge, listener)

    def simulate(self, folder: Path, count: int, seed: int) -> Simulated:
        """Write micrographs of filaments and spots."""
        return simulate(folder, count, seed)


def _fields(pictures: Pictures, listener: Listener) -> Groups:
    count = len(pictures)
    return fields(pictures, lambda done: listener(Progress("find fields", done, count, "images")))


def _too_small(labelled: Labelled[Pictures], configuration: SuperResolutionConfiguration) -> list[Finding]:
    sizes = plane_sizes(PictureEncoder.of(configuration), labelled.examples.inputs)
    patch, scale = configuration.training.patch, configuration.data.scale
    small = int((sizes.min(axis=1) < patch).sum())
    if not small or small == len(sizes):
        return []
    text = (
        f"{small:,} images are smaller than the {patch * scale} pixels that a crop needs at the full resolution: they "
        "are judged on, and not learned from; a smaller --patch would use them."
    )
    return [Finding("too small to learn from", small, "info", text)]


def _judge(own: PictureEncoder) -> list[Finding]:
    """Say by which network the perceptual distance is measured: figures of two cannot be compared."""
    if not own.with_distance:
        return []
    text = (
        f"The perceptual distance is measured with {Judge.title(own)} over all its blocks; distances of another "
        "network or of other weights cannot be compared with it."
    )
    return [Finding("perceptual distance", 0, "info", text)]


def _together(partition: Partition | None) -> list[Finding]:
    if partition is None or partition.policy != CLUSTER:
        return []
    _, counts = np.unique(partition.units, return_counts=True)
    several = counts[counts > 1]
    if not len(several):
        return []
    text = (
        f"{int(several.sum()):,} images are crops of {len(several):,} fields of view, as they go on in each other at a "
        "border: those of one field are kept in one part."
    )
    return [Finding("crops of one field", int(several.sum()), "info", text)]
