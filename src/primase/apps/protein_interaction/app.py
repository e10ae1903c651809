"""What protein interaction declares; without torch."""

from __future__ import annotations

from primase.apps.contract import Application
from primase.apps.protein_interaction.configuration import InteractionConfiguration
from primase.apps.protein_interaction.sources import SOURCES

APP = Application(
    name="protein-interaction",
    question="Which proteins interact?",
    architecture="graph convolution on a graph of proteins",
    section="3.6",
    configuration=InteractionConfiguration,
    workflow="primase.apps.protein_interaction.workflow:InteractionWorkflow",
    verbs=frozenset({"train", "evaluate", "predict", "explain", "rank", "embed"}),
    sources=SOURCES,
    demo={"dataset": "yeast-complexes"},
)
