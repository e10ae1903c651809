"""What super-resolution declares; without torch."""

from __future__ import annotations

from primase.apps.contract import Application
from primase.apps.images.sources import SUPER_RESOLUTION_SOURCES
from primase.apps.super_resolution.configuration import SuperResolutionConfiguration
from primase.data.weight_sources import VGG16_EDGES

APP = Application(
    name="super-resolution",
    question="What would this image look like at a higher resolution?",
    architecture="generative adversarial network: residual generator, VGG discriminator, perceptual loss",
    section="3.7",
    configuration=SuperResolutionConfiguration,
    workflow="primase.apps.super_resolution.workflow:SuperResolutionWorkflow",
    verbs=frozenset({"train", "evaluate", "predict"}),
    sources=(*SUPER_RESOLUTION_SOURCES, VGG16_EDGES),
    demo={
        "dataset": "biology-images",
        "scale": 4,
        "width": 32,
        "blocks": 4,
        "epochs": 12,
        "steps": 100,
        "adversarial_epochs": 2,
        "adversarial_steps": 25,
    },
    predicts_images=True,
)
