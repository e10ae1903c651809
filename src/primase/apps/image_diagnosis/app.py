"""Image diagnosis: what it declares of itself."""

from __future__ import annotations

from primase.apps.contract import Application
from primase.apps.image_diagnosis.configuration import DiagnosisConfiguration
from primase.apps.images.sources import DIAGNOSIS_SOURCES
from primase.data.weight_sources import WEIGHT_SOURCES

APP = Application(
    name="image-diagnosis",
    question="Which diagnosis does this image show?",
    architecture="residual networks trained on photographs, frozen or fine-tuned",
    section="3.5",
    configuration=DiagnosisConfiguration,
    workflow="primase.apps.image_diagnosis.workflow:DiagnosisWorkflow",
    verbs=frozenset({"train", "evaluate", "predict", "explain"}),
    sources=(*DIAGNOSIS_SOURCES, *(source for source in WEIGHT_SOURCES if source.application == "image-diagnosis")),
    demo={"dataset": "simulated"},
)
