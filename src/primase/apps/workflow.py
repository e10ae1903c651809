"""What an application does: each method answers one question of the pipeline, in the order of the story it tells."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Shaped
from torch import nn

from primase.apps.contract import Configuration
from primase.data.audit import Finding, Fingerprints, Kinship
from primase.data.encoding import Encoder, EncoderState, SupervisedBatches
from primase.data.examples import Examples, InputsT
from primase.data.splits import Fractions, Groups, Part, Partition
from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.evaluation.baselines import Rival
from primase.evaluation.contrasts import Contrast
from primase.evaluation.intervals import Units
from primase.events import Listener
from primase.insight.attribution import Attribution
from primase.predictor.predictor import Predictor
from primase.report.run import Insights
from primase.report.sections import Section
from primase.training.fit import FitOptions

ConfigurationT = TypeVar("ConfigurationT", bound=Configuration)


@dataclass(frozen=True, slots=True)
class Labelled(Generic[InputsT]):
    """Examples with what is asked of them, and what was odd in reading them."""

    examples: Examples[InputsT]
    task: Task
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a model says what it says of some examples: numbers, and sections of a page to look at."""

    attribution: Attribution
    sections: Sequence[Section]
    write_more: Callable[[Path], None] | None = None
    """Writes what else belongs to it into a folder, such as files of motifs."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a simulator wrote: the words to give to ``train``, and what it planted where."""

    inputs: Sequence[str]
    planted: Sequence[Mapping[str, Any]]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scan:
    """What to slide a model's window along, how, and where to write what it says.

    Parameters
    ----------
    inputs
        FASTA of a genome, or a BED file of regions on ``genome``.
    out
        The file to write, whose ending says the format.
    model
        Tells one trained model from another.
    window, stride
        In base pairs; 0 for the length that the model reads, and for half of the window.
    targets, chromosomes
        Names; empty for all.
    minimum
        The least probability of what is written to BED; None for one half.
    resume
        Whether to go on with an interrupted scan.
    """

    inputs: Path
    out: Path
    model: str
    genome: Path | None = None
    window: int = 0
    stride: int = 0
    targets: tuple[str, ...] = ()
    minimum: float | None = None
    chromosomes: tuple[str, ...] = ()
    resume: bool = False

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises
        ------
        ConfigurationError
            If a length is negative, or the minimum no probability.
        """
        for name, length in (("window", self.window), ("stride", self.stride)):
            if length < 0:
                what = "this is no length"
                raise ConfigurationError(what, where=name, got=str(length), wanted="a whole number from 1")
        if self.minimum is not None and not 0 <= self.minimum <= 1:
            what = "this is no probability"
            raise ConfigurationError(what, where="minimum", got=str(self.minimum), wanted="a number from 0 to 1")


@dataclass(frozen=True, slots=True)
class Ranking:
    """Which untested pairs to list, and how.

    Parameters
    ----------
    top
        How many, the most probable first.
    prevalence
        The share of all pairs that one believes to interact, from 0 to 1; None for what the known links make up.
    among
        Names of examples of which at least one must be in a pair; empty for all.
    tested
        Ids of examples that have been tested already, beside those of the training part.
    """

    top: int = 1000
    prevalence: float | None = None
    among: tuple[str, ...] = ()
    tested: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises
        ------
        ConfigurationError
            If there is nothing to list, or the prevalence is no share.
        """
        if self.top < 1:
            what = "there is nothing to list"
            raise ConfigurationError(what, where="top", got=str(self.top), wanted="a whole number from 1")
        if self.prevalence is not None and not 0 < self.prevalence < 1:
            what = "this is no share"
            raise ConfigurationError(
                what, where="prevalence", got=str(self.prevalence), wanted="a number between 0 and 1"
            )


@dataclass(frozen=True, slots=True)
class Generation:
    """What to make anew.

    Parameters
    ----------
    count
        How many examples; of each condition, where several are asked for.
    conditions
        Of which kind, by the words of the column that the model was conditioned on; empty for all, in the shares that
        they had in training.
    seed
        Decides what is drawn.
    """

    count: int = 100
    conditions: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises
        ------
        ConfigurationError
            If there is nothing to make, or the seed is negative.
        """
        for name, number, least in (("count", self.count, 1), ("seed", self.seed, 0)):
            if number < least:
                what = f"this is no {name}"
                raise ConfigurationError(what, where=name, got=str(number), wanted=f"a whole number from {least}")


class Workflow(ABC, Generic[InputsT, ConfigurationT]):
    """The work of one application, from files to explanations; the pipeline calls it and owns everything else."""

    @abstractmethod
    def read(self, configuration: ConfigurationT, task: Task | None, listener: Listener) -> Labelled[InputsT]:
        """Read labelled examples.

        Parameters
        ----------
        task
            The task of a trained model, whose labels the targets must be; None to find the labels in the data.

        Raises
        ------
        InputError
            If the input is not what it should be.
        """

    def read_new(
        self, configuration: ConfigurationT, predictor: Predictor[InputsT], listener: Listener
    ) -> Labelled[InputsT]:
        """Read labelled examples that a trained model is judged on."""
        return self.read(configuration, predictor.task, listener)

    @abstractmethod
    def stream(
        self, path: Path, configuration: ConfigurationT, encoder: Encoder[InputsT], listener: Listener
    ) -> Iterator[Examples[InputsT]]:
        """Read unlabelled examples in blocks, so that a file of any size can be predicted."""

    @abstractmethod
    def units(
        self, examples: Examples[InputsT], policy: str, configuration: ConfigurationT, listener: Listener
    ) -> Groups:
        """Find what a split by this policy must keep together; every example alone if nothing."""

    @abstractmethod
    def unit_name(self, policy: str) -> str:
        """Name one such unit, in the singular."""

    @abstractmethod
    def policy(self, examples: Examples[InputsT], configuration: ConfigurationT) -> str:
        """Choose the policy that ``auto`` stands for."""

    def fractions(self, examples: Examples[InputsT], configuration: ConfigurationT) -> Fractions:
        """Say which shares of the examples are to validate and to test on."""
        del examples
        return Fractions(configuration.split.validation_fraction, configuration.split.test_fraction)

    def settle(
        self,
        labelled: Labelled[InputsT],
        partition: Partition,
        configuration: ConfigurationT,
        listener: Listener,
    ) -> Labelled[InputsT]:
        """Decide on the training part alone what else there is to decide of the question, such as what to read."""
        del partition, configuration, listener
        return labelled

    def truth(self, examples: Examples[InputsT]) -> Shaped[np.ndarray, "examples *labels"]:
        """Return what the answers should be: the targets, or the input itself where that is to be made again."""
        return examples.targets

    def learned_from(
        self,
        encoder: Encoder[InputsT],
        examples: Examples[InputsT],
        part: Part,
        configuration: ConfigurationT,
        listener: Listener,
    ) -> SupervisedBatches:
        """Prepare what a network is trained and chosen on: by default the examples as they are."""
        del part, configuration, listener
        return SupervisedBatches(encoder.encode(examples.inputs), encoder.encode_targets(examples.targets))

    def outputs(
        self, predictor: Predictor[InputsT], examples: Examples[InputsT], listener: Listener
    ) -> Float[np.ndarray, "examples outputs"]:
        """Ask the networks about examples, before calibration; of images, measure how near each comes to the truth."""
        del listener
        return predictor.outputs(examples.inputs)

    @property
    @abstractmethod
    def input_name(self) -> str:
        """Name what :meth:`fingerprints` compares, in the singular."""

    @abstractmethod
    def fingerprints(self, inputs: InputsT) -> Fingerprints:
        """Return a text per example that is equal for what counts as the same input; empty where there is nothing."""

    def identities(self, inputs: InputsT, fingerprints: Fingerprints) -> Fingerprints:
        """Return a text per example by which exactly this input is known again; empty where nothing identifies it.

        Parameters
        ----------
        fingerprints
            Of the same inputs, which most often are such.
        """
        del inputs
        return fingerprints

    def parts(
        self, examples: Examples[InputsT], policy: str, configuration: ConfigurationT
    ) -> Shaped[np.ndarray, "examples"] | None:
        """Name the part of each example where the user has said it; None where it is to be drawn."""
        del configuration
        return examples.parts if policy == "given" else None

    def resampled(self, examples: Examples[InputsT], units: Groups, policy: str) -> Units:
        """Say what the intervals of the figures are drawn over: what the split keeps together."""
        del examples
        return Units.of(units, self.unit_name(policy))

    def audit(
        self,
        labelled: Labelled[InputsT],
        configuration: ConfigurationT,
        partition: Partition | None,
        listener: Listener,
    ) -> list[Finding]:
        """Find what only this application can find odd."""
        del labelled, configuration, partition, listener
        return []

    def kinship(self, examples: Examples[InputsT], partition: Partition, listener: Listener) -> Kinship | None:
        """Find the test examples that are related to one in train; None where there is nothing to tell it by."""
        del examples, partition, listener
        return None

    @abstractmethod
    def fit_encoder(
        self, train: Examples[InputsT], configuration: ConfigurationT, listener: Listener
    ) -> Encoder[InputsT]:
        """Fit the encoder on the training part."""

    @abstractmethod
    def load_encoder(self, state: EncoderState) -> Encoder[InputsT]:
        """Make the encoder of a bundle again."""

    def adopt_encoder(
        self,
        parent: Predictor[InputsT],
        train: Examples[InputsT],
        task: Task,
        configuration: ConfigurationT,
    ) -> Encoder[InputsT]:
        """Read the inputs as another model does, from which training starts: by default with its encoder.

        What is particular to new answers, such as their scale, is to be fitted anew; an application whose networks
        are about single things, such as the proteins of one graph, refuses.
        """
        del train, task, configuration
        return parent.encoder

    @property
    def is_judged_on_train(self) -> bool:
        """Whether figures on training examples tell how far they were learned by heart.

        They do not where such examples are part of what the network reads.
        """
        return True

    def member_configurations(self, configuration: ConfigurationT) -> Sequence[ConfigurationT]:
        """Give the settings of each network of an ensemble: by default all have the same, and differ in their seed."""
        return [configuration] * configuration.training.members

    @abstractmethod
    def network(self, encoder: Encoder[InputsT], task: Task, configuration: ConfigurationT) -> nn.Module:
        """Build the untrained network."""

    def fit_options(
        self, encoder: Encoder[InputsT], task: Task, train: Examples[InputsT], configuration: ConfigurationT
    ) -> FitOptions:
        """Say what is particular about how the network learns."""
        del encoder, train, configuration
        return FitOptions(kind=task.kind)

    @abstractmethod
    def baselines(self, encoder: Encoder[InputsT]) -> Sequence[Rival]:
        """Name the simpler models that the network must beat."""

    @abstractmethod
    def probes(self, train: Examples[InputsT]) -> Sequence[Rival]:
        """Name the models on nuisance features alone, whose success the network has not earned."""

    def subsets(self, test: Examples[InputsT], encoder: Encoder[InputsT]) -> Mapping[str, Bool[np.ndarray, "tested"]]:
        """Name parts of the test set that are worth a look of their own."""
        del test, encoder
        return {}

    def contrasts(
        self, labelled: Labelled[InputsT], partition: Partition, configuration: ConfigurationT
    ) -> Sequence[Contrast]:
        """Ask the test in another way, such as beside negatives that are harder to tell."""
        del labelled, partition, configuration
        return ()

    @abstractmethod
    def columns(self, inputs: InputsT, encoder: Encoder[InputsT]) -> pl.DataFrame:
        """Say beside each prediction what it rests on."""

    def draw(
        self,
        predictor: Predictor[InputsT],
        blocks: Iterator[Examples[InputsT]],
        configuration: ConfigurationT,
        folder: Path,
        listener: Listener,
    ) -> int:
        """Write the image that is predicted for each example into a folder, where that has a meaning; count them."""
        del predictor, blocks, configuration, folder, listener
        what = "this application makes no images"
        raise ConfigurationError(what, where="predict")

    @abstractmethod
    def explain(self, predictor: Predictor[InputsT], examples: Examples[InputsT], listener: Listener) -> Explanation:
        """Explain the prediction of each example."""

    def insights(
        self, predictor: Predictor[InputsT], parts: Mapping[Part, Examples[InputsT]], listener: Listener
    ) -> Insights:
        """Say in the report of a training run what the model as a whole has learned."""
        del predictor, parts, listener
        return Insights()

    def scan(
        self, predictor: Predictor[InputsT], configuration: ConfigurationT, scan: Scan, listener: Listener
    ) -> Sequence[Path]:
        """Predict for windows along a genome, where that has a meaning; return the files that were written."""
        del predictor, configuration, scan, listener
        what = "this application does not read genomes, and so cannot scan them"
        raise ConfigurationError(what, where="scan")

    def rank(self, predictor: Predictor[InputsT], ranking: Ranking, listener: Listener) -> pl.DataFrame:
        """List the most probable of all that has not been tested, where that has a meaning."""
        del predictor, ranking, listener
        what = "this application has no end of things to test, and so nothing to rank"
        raise ConfigurationError(what, where="rank")

    def embed(
        self, predictor: Predictor[InputsT], blocks: Iterator[Examples[InputsT]] | None, listener: Listener
    ) -> Iterator[pl.DataFrame]:
        """Give the numbers that the network has for each thing it knows, or for each new example, where it has any.

        Parameters
        ----------
        blocks
            New examples; None where no input was given.
        """
        del predictor, blocks, listener
        what = "this application keeps no embedding"
        raise ConfigurationError(what, where="embed")

    def generate(
        self, predictor: Predictor[InputsT], generation: Generation, listener: Listener
    ) -> Iterator[pl.DataFrame]:
        """Make new examples, where the network can."""
        del predictor, generation, listener
        what = "this application makes nothing new"
        raise ConfigurationError(what, where="generate")

    def reconstruct(
        self, predictor: Predictor[InputsT], blocks: Iterator[Examples[InputsT]], listener: Listener
    ) -> Iterator[pl.DataFrame]:
        """Show what is left of each example once it has gone through the network, where that has a meaning."""
        del predictor, blocks, listener
        what = "this application reconstructs nothing"
        raise ConfigurationError(what, where="reconstruct")

    @abstractmethod
    def simulate(self, folder: Path, count: int, seed: int) -> Simulated:
        """Write input files, as a user would have them, in which the truth is known."""
