"""The work of expression embedding, from files of profiles to a few numbers per sample, and to new samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, final

import numpy as np
import polars as pl
from jaxtyping import Float, Shaped
from torch import nn

from primase.apps.expression.datasets import with_own_settings
from primase.apps.expression.expressed import only_expressed
from primase.apps.expression.profiles import Profiles
from primase.apps.expression.reading import ReadProfiles, read_profiles, stream_profiles
from primase.apps.expression.simulator import simulate
from primase.apps.expression.workflow import ExpressionWorkflow
from primase.apps.expression_embedding import pages
from primase.apps.expression_embedding.axes import MOST_VALUES
from primase.apps.expression_embedding.choosing import variable_genes
from primase.apps.expression_embedding.configuration import EmbeddingConfiguration, EmbeddingData
from primase.apps.expression_embedding.encoding import ProfileEncoder, profile_encoder, shown
from primase.apps.expression_embedding.explaining import explain_dimensions, explanation
from primase.apps.expression_embedding.generating import (
    embedding_tables,
    generated_tables,
    reconstruction_tables,
)
from primase.apps.expression_embedding.learning import build_network, fit_options
from primase.apps.expression_embedding.rivals import baselines, probes
from primase.apps.workflow import Explanation, Generation, Labelled, Simulated
from primase.data.audit import Finding
from primase.data.encoding import Encoder, EncoderState
from primase.data.examples import Examples
from primase.data.splits import Fractions, Part, Partition
from primase.data.tasks import Task
from primase.errors import ConfigurationError, InputError
from primase.evaluation.baselines import Rival
from primase.events import Listener
from primase.predictor.predictor import Predictor
from primase.report.run import Insights
from primase.training.fit import FitOptions

TASK: Final = "generative"


@final
class EmbeddingWorkflow(ExpressionWorkflow[EmbeddingConfiguration]):
    """Read, divide, learn, embed, generate and explain expression profiles."""

    def read(self, configuration: EmbeddingConfiguration, task: Task | None, listener: Listener) -> Labelled[Profiles]:
        """Read profiles of all genes; which of them are modelled is settled on train alone."""
        del task
        found = read_profiles(configuration.data, listener)
        data = configuration.data
        return Labelled(_conditioned(found.examples(), data), Task(TASK, found.profiles.genes), _findings(found, data))

    def settle(
        self,
        labelled: Labelled[Profiles],
        partition: Partition,
        configuration: EmbeddingConfiguration,
        listener: Listener,
    ) -> Labelled[Profiles]:
        """Choose the genes that vary most in train.

        Raises
        ------
        InputError
            If a condition is in validation or test and not in train.
        """
        del listener
        examples = labelled.examples
        _check_conditions(examples, partition, configuration.data.condition_column)
        train = examples.inputs.take(partition.train)
        candidates = only_expressed(train, configuration.data.minimum_expressed)
        genes, finding = variable_genes(candidates, configuration.network.genes, among=len(train.columns))
        findings = [*labelled.findings, finding]
        judged = max(len(partition.validation), len(partition.test))
        usual = super().fractions(examples, configuration).test
        if examples.parts is None and self.fractions(examples, configuration).test < usual:
            text = (
                f"Validation and test have {judged:,} samples at most, fewer than their usual share, so that what is "
                "reconstructed of them fits in memory. All others are trained on."
            )
            findings.append(Finding("small parts to judge on", judged, "info", text))
        return Labelled(replace(examples, inputs=examples.inputs.only(genes)), Task(TASK, genes), findings)

    def fractions(self, examples: Examples[Profiles], configuration: EmbeddingConfiguration) -> Fractions:
        """Keep validation and test so small that all of their reconstructions fit in memory."""
        usual = super().fractions(examples, configuration)
        genes = min(len(examples.inputs.columns), configuration.network.genes)
        most = MOST_VALUES / genes / max(len(examples), 1)
        return Fractions(min(usual.validation, most), min(usual.test, most))

    def truth(self, examples: Examples[Profiles]) -> Float[np.ndarray, "examples genes"]:
        """Return the profiles themselves: they are what is to be made again."""
        return examples.inputs.values()

    def read_new(
        self, configuration: EmbeddingConfiguration, predictor: Predictor[Profiles], listener: Listener
    ) -> Labelled[Profiles]:
        """Read new profiles on the scale of training, with the genes that the model knows."""
        own, data = (
            profile_encoder(predictor.encoder),
            _as_known(configuration.data, profile_encoder(predictor.encoder)),
        )
        found = read_profiles(data, listener, learned_raw=own.raw)
        inputs, findings = _with_genes(found.profiles, own.genes, data)
        examples = _conditioned(replace(found.examples(), inputs=inputs), data)
        return Labelled(examples, predictor.task, [*found.findings, *findings])

    def stream(
        self, path: Path, configuration: EmbeddingConfiguration, encoder: Encoder[Profiles], listener: Listener
    ) -> Iterator[Examples[Profiles]]:
        """Read the genes that the model knows, block by block, whatever their order in the file."""
        own = profile_encoder(encoder)
        data = _as_known(configuration.data, own)
        blocks = stream_profiles(path, data, own.genes, listener, raw=own.raw, missing_genes=data.missing_genes)
        for block in blocks:
            yield _conditioned(block, data) if own.conditions else block

    @property
    def input_name(self) -> str:
        """Name what is compared."""
        return "profile"

    def fit_encoder(
        self, train: Examples[Profiles], configuration: EmbeddingConfiguration, listener: Listener
    ) -> ProfileEncoder:
        """Fit the scaler, and the principal components that the network builds on."""
        del listener
        labels = with_own_settings(configuration.data).label_column
        known = tuple(name for name in labels if name in train.covariates)
        fitted = ProfileEncoder.fit(train.inputs, configuration.network, configuration.data.condition_column)
        return replace(fitted, label_columns=known)

    def adopt_encoder(
        self,
        parent: Predictor[Profiles],
        train: Examples[Profiles],
        task: Task,
        configuration: EmbeddingConfiguration,
    ) -> ProfileEncoder:
        """Refuse: which genes are modelled is chosen by how much they vary in the training samples."""
        del parent, train, task, configuration
        what = "an embedding is of the genes that vary in its own samples, and no other can start from it"
        raise ConfigurationError(what, where="--from")

    def load_encoder(self, state: EncoderState) -> ProfileEncoder:
        """Read the encoder of a bundle."""
        return ProfileEncoder.from_state(state)

    def network(self, encoder: Encoder[Profiles], task: Task, configuration: EmbeddingConfiguration) -> nn.Module:
        """Build the auto-encoder."""
        del task
        return build_network(profile_encoder(encoder), configuration.network)

    def fit_options(
        self,
        encoder: Encoder[Profiles],
        task: Task,
        train: Examples[Profiles],
        configuration: EmbeddingConfiguration,
    ) -> FitOptions:
        """Say what training makes small, and where new samples will be drawn."""
        del task
        return fit_options(profile_encoder(encoder).encode(train.inputs), configuration.network)

    def baselines(self, encoder: Encoder[Profiles]) -> Sequence[Rival]:
        """Name principal components and factor analysis of the same size, and the mean."""
        own = profile_encoder(encoder)
        return baselines(own, own.latent)

    def probes(self, train: Examples[Profiles]) -> Sequence[Rival]:
        """See what columns of words, and the total expression, tell by themselves."""
        return probes(train)

    def columns(self, inputs: Profiles, encoder: Encoder[Profiles]) -> pl.DataFrame:
        """Say how many genes were missing, where any was."""
        own = profile_encoder(encoder)
        missing = np.isnan(inputs.only(own.genes).values()).sum(axis=1)
        return pl.DataFrame({"missing_genes": missing}) if missing.any() else pl.DataFrame()

    def explain(self, predictor: Predictor[Profiles], examples: Examples[Profiles], listener: Listener) -> Explanation:
        """Say which genes drive each latent number."""
        found = explain_dimensions(predictor, examples, listener)
        return Explanation(found.attribution, explanation(found), found.write)

    def insights(
        self, predictor: Predictor[Profiles], parts: Mapping[Part, Examples[Profiles]], listener: Listener
    ) -> Insights:
        """Judge the embedding and the generated samples, and draw both."""
        return pages.insights(predictor, parts, listener)

    def embed(
        self, predictor: Predictor[Profiles], blocks: Iterator[Examples[Profiles]] | None, listener: Listener
    ) -> Iterator[pl.DataFrame]:
        """Give the latent numbers of new samples."""
        if blocks is None:
            what = "there are no samples to embed"
            raise InputError(what, wanted="a file of profiles")
        return embedding_tables(predictor, blocks, listener)

    def generate(
        self, predictor: Predictor[Profiles], generation: Generation, listener: Listener
    ) -> Iterator[pl.DataFrame]:
        """Make new samples."""
        return generated_tables(predictor, generation, listener)

    def reconstruct(
        self, predictor: Predictor[Profiles], blocks: Iterator[Examples[Profiles]], listener: Listener
    ) -> Iterator[pl.DataFrame]:
        """Show what is left of each sample behind its latent numbers."""
        return reconstruction_tables(predictor, blocks, listener)

    def simulate(self, folder: Path, count: int, seed: int) -> Simulated:
        """Write profiles that a few factors decide."""
        return simulate(folder, count, seed)


def _conditioned(examples: Examples[Profiles], data: EmbeddingData) -> Examples[Profiles]:
    """Tell each profile its word of the condition column.

    Raises
    ------
    InputError
        If there is no such column, or a sample has no word in it.
    """
    column = data.condition_column
    if column is None:
        return examples
    if column not in examples.covariates:
        what = f"there is no column {column!r}"
        advice = "Name another one with --condition-column, or give a table of samples that has it with --samples."
        raise InputError(what, got=f"columns of words: {shown([*examples.covariates]) or 'none'}", advice=advice)
    words = examples.covariates[column]
    empty = _first_empty(words)
    if empty is not None:
        what = f"a sample has no {column}, which the network is to be told"
        raise InputError(what, where=f"sample {examples.ids[empty]!r}", wanted=f"a word in column {column!r}")
    return replace(examples, inputs=examples.inputs.with_condition(words))


def _check_conditions(examples: Examples[Profiles], partition: Partition, column: str | None) -> None:
    words = examples.inputs.condition
    if words is None:
        return
    known = {str(word) for word in words[partition.train].tolist()}
    rows = np.concatenate([partition.validation, partition.test])
    strange = [(str(word), row) for word, row in zip(words[rows].tolist(), rows.tolist(), strict=True)]
    strange = [(word, row) for word, row in strange if word not in known]
    if strange:
        what = f"a {column} is in validation or test and not in train, so that the network cannot be told of it"
        samples = shown([str(examples.ids[row]) for _, row in strange], 5)
        raise InputError(
            what,
            where="--condition-column",
            got=f"{shown(sorted({word for word, _ in strange}))} (samples {samples})",
            wanted=f"those of train: {shown(sorted(known))}",
            advice="Merge rare words into one, or divide otherwise, such as with --split random.",
        )


def _first_empty(words: Shaped[np.ndarray, "examples"]) -> int | None:
    empty = np.flatnonzero(np.array([str(word) == "" for word in words.tolist()]))
    return int(empty[0]) if len(empty) else None


def _as_known(data: EmbeddingData, own: ProfileEncoder) -> EmbeddingData:
    """Read the condition from the column that it was learned from, unless another is named."""
    if not own.conditions:
        return data.model_copy(update={"condition_column": None})
    return data if data.condition_column else data.model_copy(update={"condition_column": own.condition_column})


def _findings(found: ReadProfiles, data: EmbeddingData) -> list[Finding]:
    if data.condition_column is None:
        return [*found.findings]
    words = {str(word) for word in found.annotations.get(data.condition_column, np.empty(0)).tolist()}
    text = (
        f"The network is told the {data.condition_column} of each sample ({len(words):,} of them): the embedding "
        "describes what that does not tell."
    )
    return [*found.findings, Finding("condition", len(words), "info", text)]


def _with_genes(profiles: Profiles, genes: Sequence[str], data: EmbeddingData) -> tuple[Profiles, list[Finding]]:
    """Take the genes of the model; those that are missing stay unknown where that is allowed."""
    there = frozenset(profiles.genes)
    lacking = [name for name in genes if name not in there]
    if not lacking:
        return profiles.only(genes), []
    if data.missing_genes == "refuse" or len(lacking) == len(genes):
        what = f"{len(lacking):,} of the {len(genes):,} genes that the model needs are missing"
        advice = "Say --missing-genes mean to fill them with their means of training; the embedding is worse then."
        raise InputError(what, got=f"without {shown(lacking)}", wanted="all of them", advice=advice)
    text = f"{len(lacking):,} genes are missing, and are filled with their means of training: {shown(lacking)}."
    return Profiles.of_values(genes, profiles.values_with_gaps(genes)), [
        Finding("missing genes", len(lacking), "warning", text)
    ]
