"""What expression embedding declares; without torch."""

from __future__ import annotations

from primase.apps.contract import Application
from primase.apps.expression.sources import SOURCES
from primase.apps.expression_embedding.configuration import EmbeddingConfiguration

APP = Application(
    name="expression-embedding",
    question="Which few numbers describe a sample, and what would a new one look like?",
    architecture="variational auto-encoder",
    section="3.8",
    configuration=EmbeddingConfiguration,
    workflow="primase.apps.expression_embedding.workflow:EmbeddingWorkflow",
    verbs=frozenset({"train", "evaluate", "explain", "embed", "generate", "reconstruct"}),
    sources=SOURCES,
    demo={"dataset": "breast-cancer-expression"},
    embeds_new=True,
)
