"""The work of image diagnosis, question by question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor, nn

from primase.apps.image_diagnosis import pages
from primase.apps.image_diagnosis.configuration import DiagnosisConfiguration, Recipe, recipes_of, settled
from primase.apps.image_diagnosis.datasets import DATASETS, lungs_at_hand
from primase.apps.image_diagnosis.encoding import DiagnosisEncoder, Reading, diagnosis_encoder, features_folder
from primase.apps.image_diagnosis.explaining import ASKED, attribution, heatmaps, method_of
from primase.apps.image_diagnosis.kinds import figures_of_kinds, kinds_section
from primase.apps.image_diagnosis.learning import fit_options
from primase.apps.image_diagnosis.model import FrozenFeatures, FrozenNetwork, ImageNetwork
from primase.apps.image_diagnosis.overlays import write_overlays
from primase.apps.image_diagnosis.rivals import PREPARATION, baselines
from primase.apps.image_diagnosis.simulator import simulate
from primase.apps.image_diagnosis.subgroups import left_out, subgroups
from primase.apps.image_diagnosis.transfer import compare_parts
from primase.apps.images.pictures import Pictures
from primase.apps.images.probes import image_probes
from primase.apps.images.reading import Preparing, read_pictures
from primase.apps.images.streaming import stream_pictures
from primase.apps.images.workflow import ImageWorkflow
from primase.apps.workflow import Explanation, Labelled, Simulated
from primase.data.audit import Finding
from primase.data.encoding import Encoder, EncoderState, SupervisedBatches
from primase.data.examples import Examples, evenly_spread
from primase.data.splits import Part, Partition
from primase.data.tasks import Task
from primase.data.weight_sources import fetch_weights
from primase.errors import ConfigurationError
from primase.evaluation.baselines import Baseline
from primase.evaluation.probes import Probe
from primase.events import Listener, silent
from primase.nn.backbones import Backbone, build_backbone
from primase.nn.weights import load_weights
from primase.predictor.predictor import Predictor
from primase.report.run import Insights
from primase.training.fit import FitOptions

SMALL_NETWORK: Final = "small-resnet"
UNUSED: Final = 1
"""The classes that a network of photographs is built for, whose own classifier says nothing here."""

LEAST_PIXELS: Final = 8
"""An image with fewer along a side shows nothing."""

SMALLEST: Final = 28
LARGEST_SMALL: Final = 64
"""The small network reads images of their own size within these."""

_LOOKED_AT: Final = 1000


@final
class DiagnosisWorkflow(ImageWorkflow[DiagnosisConfiguration]):
    """Images to a network of photographs to a diagnosis: section 3.5 of the paper."""

    def read(self, configuration: DiagnosisConfiguration, task: Task | None, listener: Listener) -> Labelled[Pictures]:
        """Read images and their labels; as they are decoded, they are brought to all sizes that training needs."""
        return _read(
            configuration, task, listener, lambda train: [*_reading(configuration, train).preparations, PREPARATION]
        )

    def read_new(
        self, configuration: DiagnosisConfiguration, predictor: Predictor[Pictures], listener: Listener
    ) -> Labelled[Pictures]:
        """Read images and their labels, as a trained model needs them."""
        reading = diagnosis_encoder(predictor.encoder).reading
        return _read(configuration, predictor.task, listener, lambda _: reading.preparations)

    def stream(
        self, path: Path, configuration: DiagnosisConfiguration, encoder: Encoder[Pictures], listener: Listener
    ) -> Iterator[Examples[Pictures]]:
        """Read images block by block; with them travels how they are to be explained."""
        method, data = configuration.data.explanation, configuration.data
        preparations = diagnosis_encoder(encoder).reading.preparations
        for block in stream_pictures(path, data, listener, least_size=LEAST_PIXELS, preparations=preparations):
            asked = np.full(len(block), method, dtype=object)
            yield replace(block, covariates={**block.covariates, ASKED: asked})

    def fit_encoder(
        self, train: Examples[Pictures], configuration: DiagnosisConfiguration, listener: Listener = silent
    ) -> DiagnosisEncoder:
        """Choose sizes by the training images, and scale the features of the frozen network by them."""
        network, reading = configuration.network, _reading(configuration, train.inputs)
        recipes = reading.recipes
        backbone = _pretrained(configuration, listener) if {"frozen", "fine-tune"} & set(recipes) else None
        weights = None
        if backbone is not None and "fine-tune" in recipes:
            classifier = f"{backbone.classifier_name}."
            known = {name: value for name, value in backbone.state_dict().items() if not name.startswith(classifier)}
            weights = {name: value.clone() for name, value in known.items()}
        frozen = None
        if backbone is not None and "frozen" in recipes:
            frozen = FrozenFeatures(backbone, network.depths, standardise=network.standardise)
        cache = features_folder() if network.cache_features else None
        encoder = DiagnosisEncoder(reading, network.backbone, frozen=frozen, weights=weights, cache=cache)
        return encoder.fit(train.inputs, listener)

    def learned_from(
        self,
        encoder: Encoder[Pictures],
        examples: Examples[Pictures],
        part: Part,
        configuration: DiagnosisConfiguration,
        listener: Listener,
    ) -> SupervisedBatches:
        """Decode the images, or look up what the frozen network sees in them; a listener hears how far that is."""
        del part, configuration
        encoded = diagnosis_encoder(encoder).encode(examples.inputs, listener)
        return SupervisedBatches(encoded, examples.targets)

    def load_encoder(self, state: EncoderState) -> DiagnosisEncoder:
        """Read the encoder of a bundle."""
        return DiagnosisEncoder.from_state(state)

    def member_configurations(self, configuration: DiagnosisConfiguration) -> Sequence[DiagnosisConfiguration]:
        """Give each kind of network its own settings, as often as there are to be members of it."""
        kinds = [settled(configuration, recipe) for recipe in recipes_of(configuration)]
        return [own for own in kinds for _ in range(configuration.training.members)]

    def network(self, encoder: Encoder[Pictures], task: Task, configuration: DiagnosisConfiguration) -> nn.Module:
        """Build the network of a recipe; of an ensemble, that of the first."""
        known, settings = diagnosis_encoder(encoder), configuration.network
        recipe: Recipe = recipes_of(configuration)[0]
        if recipe == "frozen":
            assert known.frozen is not None
            return FrozenNetwork(known.frozen.size, task.outputs)
        if recipe == "scratch":
            backbone, reads, unfrozen = build_backbone(SMALL_NETWORK), "small_images", 0
        else:
            backbone, reads, unfrozen = _copied(known), "images", settings.unfrozen
        return ImageNetwork(
            backbone,
            task.outputs,
            unfrozen=min(unfrozen or len(backbone.blocks), len(backbone.blocks)),
            reads=reads,
            dropout=settings.dropout,
            standardise=settings.standardise,
        )

    def fit_options(
        self, encoder: Encoder[Pictures], task: Task, train: Examples[Pictures], configuration: DiagnosisConfiguration
    ) -> FitOptions:
        """Balance the classes, and do what the recipe needs."""
        del encoder
        return fit_options(task, train.targets, configuration)

    def baselines(self, encoder: Encoder[Pictures]) -> Sequence[Baseline]:
        """Guess the majority; look at thumbnails, line by line or with many trees."""
        del encoder
        return baselines()

    def probes(self, train: Examples[Pictures]) -> Sequence[Probe]:
        """See what size, brightness, borders and metadata give away."""
        return image_probes(train)

    def subsets(self, test: Examples[Pictures], encoder: Encoder[Pictures]) -> Mapping[str, Bool[np.ndarray, "tested"]]:
        """Look apart at subgroups, by every column with few different words."""
        del encoder
        return subgroups(test)

    def audit(
        self,
        labelled: Labelled[Pictures],
        configuration: DiagnosisConfiguration,
        partition: Partition | None,
        listener: Listener,
    ) -> list[Finding]:
        """Look for what is odd in images, and say of which subgroups no figures are given."""
        test = labelled.examples if partition is None else labelled.examples.take(partition.test)
        found = super().audit(labelled, configuration, partition, listener)
        return [*found, *left_out(test, configuration.data.label_column)]

    def explain(self, predictor: Predictor[Pictures], examples: Examples[Pictures], listener: Listener) -> Explanation:
        """Show where in each image what speaks for its diagnosis lies."""
        answers = predictor.answers(examples.inputs)
        ids, labels = examples.ids.tolist(), predictor.task.labels
        found = heatmaps(
            predictor, examples.inputs, answers.argmax(axis=1), method=method_of(examples), listener=listener
        )
        return Explanation(
            attribution(found, ids, labels),
            pages.explanation_section(found, ids, labels, answers),
            lambda folder: write_overlays(folder, found, ids),
        )

    def insights(
        self, predictor: Predictor[Pictures], parts: Mapping[Part, Examples[Pictures]], listener: Listener
    ) -> Insights:
        """Say whether what was chosen on validation holds on test, and show where the network looks."""
        validation, test = parts["validation"], parts["test"]
        answers = predictor.answers(validation.inputs), predictor.answers(test.inputs)
        transfer = compare_parts(predictor.task, (validation, test), answers, predictor.operating)
        shown = pages.pictures_section(predictor, test, answers[1], listener)
        recipes = diagnosis_encoder(predictor.encoder).reading.recipes
        kinds = figures_of_kinds(predictor, recipes, test)
        sections = [pages.transfer_section(transfer), *kinds_section(kinds, recipes, predictor)]
        sections += [shown] if shown is not None else []
        return Insights(sections, {**transfer.to_figures(), **kinds})

    def simulate(self, folder: Path, count: int, seed: int) -> Simulated:
        """Draw radiographs in which an opacity is planted."""
        return simulate(folder, count, seed, lungs_at_hand())


def _read(
    configuration: DiagnosisConfiguration, task: Task | None, listener: Listener, preparing: Preparing
) -> Labelled[Pictures]:
    read = read_pictures(
        configuration.data,
        listener,
        DATASETS,
        labelled=True,
        least_size=LEAST_PIXELS,
        preparing=preparing,
        trained=task is not None,
    )
    answers = read.answers(task)
    return Labelled(read.examples(answers.targets), answers.task, read.findings)


def _reading(configuration: DiagnosisConfiguration, train: Pictures) -> Reading:
    """Choose sizes and colour by the headers of images."""
    network = configuration.network
    return Reading(
        recipes=recipes_of(configuration),
        image_size=network.image_size,
        small_size=network.small_size or _own_size(train),
        colour=_has_colour(train),
        intensity=configuration.data.intensity,
        keep_shape=network.keep_shape,
        standardise=network.standardise,
    )


def _pretrained(configuration: DiagnosisConfiguration, listener: Listener) -> Backbone:
    """Build the network of photographs with the weights that it begins with.

    Raises
    ------
    ConfigurationError
        If no weights are published for it and none are given.
    """
    settings = configuration.network
    if settings.backbone == SMALL_NETWORK:
        what = f"{SMALL_NETWORK} was never trained on photographs"
        raise ConfigurationError(what, where="--backbone", advice="Give --recipe scratch, or choose another network.")
    backbone = build_backbone(settings.backbone, UNUSED)
    load_weights(backbone, fetch_weights(settings.weights or settings.backbone, listener=listener), classifier="drop")
    _refuse_too_small(backbone, settings.image_size)
    return backbone


def _refuse_too_small(backbone: Backbone, side: int) -> None:
    """Look whether anything is left of an image of this size at the end of a network.

    Raises
    ------
    ConfigurationError
        If not.
    """
    with torch.inference_mode():
        try:
            backbone.eval().stages(torch.zeros(1, 3, side, side))
        except RuntimeError:
            what = f"{backbone.name} makes nothing of images this small"
            raise ConfigurationError(what, where="--image-size", got=str(side), wanted="more pixels") from None


def _copied(encoder: DiagnosisEncoder) -> Backbone:
    """Build the network of photographs: with what it knew before training, or, to be read from a bundle, without."""
    backbone = build_backbone(encoder.backbone, UNUSED)
    weights: dict[str, Tensor] | None = encoder.weights
    if weights is not None:
        with torch.no_grad():
            # Its own classifier, of photographs, is of no use.
            backbone.load_state_dict(weights, strict=False)
    return backbone


def _has_colour(pictures: Pictures) -> bool:
    return any(pictures.header(number).colour for number in evenly_spread(len(pictures), _LOOKED_AT).tolist())


def _own_size(pictures: Pictures) -> int:
    """Return the usual length of the shorter side, within what the small network is made for."""
    some = [pictures.header(number) for number in evenly_spread(len(pictures), _LOOKED_AT).tolist()]
    usual = float(np.median([min(one.height, one.width) for one in some]))
    return int(np.clip(usual, SMALLEST, LARGEST_SMALL))
