"""Settings of the ninth application, and what it declares of itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from primase.apps.contract import Application, Configuration
from primase.configuration import Section
from primase.data.words import PairWords, SplitSection


class ThermophilySplit(SplitSection):
    """How proteins are divided."""

    split: Literal["auto", "random"] = "auto"
    """At random, whichever is chosen."""


class ThermophilyNetwork(Section):
    """A small dense network."""

    width: int = Field(default=16, ge=1)
    """Width of the hidden layer."""


class ThermophilyConfiguration(Configuration):
    """All settings of the ninth application."""

    data: PairWords = PairWords()
    split: ThermophilySplit = ThermophilySplit()
    network: ThermophilyNetwork = ThermophilyNetwork()


APP = Application(
    name="heat-tolerance",
    question="Does this protein stand the heat?",
    architecture="one hidden layer on residue shares",
    section="3.1",
    configuration=ThermophilyConfiguration,
    workflow=f"{__package__}.workflow:ThermophilyWorkflow",
    verbs=frozenset({"train", "evaluate", "predict", "explain"}),
    demo={"positives": "positives.fa", "negatives": "negatives.fa"},
)
