"""What expression inference declares; without torch."""

from __future__ import annotations

from primase.apps.contract import Application
from primase.apps.expression.sources import SOURCES
from primase.apps.expression_inference.configuration import InferenceConfiguration

APP = Application(
    name="expression-inference",
    question="What is the expression of the genes that were not measured?",
    architecture="dense regression from landmark genes",
    section="3.2",
    configuration=InferenceConfiguration,
    workflow="primase.apps.expression_inference.workflow:InferenceWorkflow",
    verbs=frozenset({"train", "evaluate", "predict", "explain"}),
    sources=SOURCES,
    demo={"dataset": "breast-cancer-expression", "epochs": 25, "learning_rate": 5e-4},
)
