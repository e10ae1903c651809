"""The work of enzyme identification, question by question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, final

import numpy as np
import polars as pl
from jaxtyping import Bool, Float
from torch import nn

from primase.apps.enzyme_identification import pages
from primase.apps.enzyme_identification.app import EnzymeConfiguration
from primase.apps.enzyme_identification.data import read_labelled, stream_unlabelled
from primase.apps.enzyme_identification.encoding import ProteinEncoder
from primase.apps.enzyme_identification.model import EnzymeNetwork
from primase.apps.enzyme_identification.proteins import Proteins
from primase.apps.enzyme_identification.simulator import simulate
from primase.apps.workflow import Explanation, Labelled, Simulated, Workflow
from primase.bio.composition import describe_sequences
from primase.bio.similarity import cluster_sequences, nearest_similarity
from primase.data.audit import Finding, Fingerprints
from primase.data.encoding import Encoder, EncoderState
from primase.data.examples import Examples
from primase.data.splits import Groups, Part, Partition, group_by_key, merge_groups
from primase.data.tasks import Task
from primase.evaluation.baselines import (
    Baseline,
    logistic_regression_baseline,
    majority_baseline,
    nearest_neighbour_baseline,
)
from primase.evaluation.models import Features
from primase.evaluation.probes import Probe
from primase.events import Listener
from primase.insight.attribution import Attribution
from primase.insight.features import explain_features
from primase.predictor.predictor import Predictor
from primase.report.run import Insights

NEAR_IDENTICAL: Final = 0.8
INSIGHT_EXAMPLES: Final = 2000

KNOWN: Final = "known domains"
NOTHING_KNOWN: Final = "no known domain"


@final
class EnzymeWorkflow(Workflow[Proteins, EnzymeConfiguration]):
    """Domains to dense network: section 3.1 of the paper, with what an honest evaluation of it needs."""

    def read(self, configuration: EnzymeConfiguration, task: Task | None, listener: Listener) -> Labelled[Proteins]:
        """Read proteins, find their domains, understand their answers."""
        return read_labelled(configuration.data, task, listener)

    def stream(
        self, path: Path, configuration: EnzymeConfiguration, encoder: Encoder[Proteins], listener: Listener
    ) -> Iterator[Examples[Proteins]]:
        """Read a FASTA file or a table, block by block."""
        return stream_unlabelled(path, configuration.data, _protein_encoder(encoder).profiles, listener)

    def policy(self, examples: Examples[Proteins], configuration: EnzymeConfiguration) -> str:
        """Take parts that are given; else keep homologous proteins together."""
        chosen = configuration.split.split
        if chosen != "auto":
            return chosen
        return "given" if examples.parts is not None else "cluster"

    def units(
        self, examples: Examples[Proteins], policy: str, configuration: EnzymeConfiguration, listener: Listener
    ) -> Groups:
        """Keep together what is homologous: identical domain sets, and proteins that share most of their words.

        Having no domain at all is no homology, and neither is sharing one common domain.
        """
        alone = np.arange(len(examples))
        if policy == "random":
            return merge_groups(alone, *examples.groups.values())
        texts = examples.inputs.domain_texts()
        keys = np.where(texts == "", np.array([f"alone {number}" for number in alone], dtype=object), texts)
        groupings = [group_by_key(keys), *examples.groups.values()]
        if examples.inputs.sequences is not None:
            sequences = examples.inputs.sequences.to_list()
            share = configuration.split.similarity
            groupings.append(cluster_sequences(sequences, minimum_shared=share, listener=listener))
        return merge_groups(*groupings)

    def unit_name(self, policy: str) -> str:
        """Say what one unit is."""
        return "protein" if policy == "random" else "homology cluster"

    @property
    def input_name(self) -> str:
        """Name the input."""
        return "domain set"

    def fingerprints(self, inputs: Proteins) -> Fingerprints:
        """Write the domain set of each protein, in the order of the alphabet."""
        return inputs.domain_texts()

    def identities(self, inputs: Proteins, fingerprints: Fingerprints) -> Fingerprints:
        """Take the sequence of each protein, or its list of domains where no sequence is known."""
        del fingerprints
        if inputs.sequences is not None:
            return np.array(inputs.sequences.to_list(), dtype=object)
        return np.array([";".join(names) for names in inputs.domains.sets()], dtype=object)

    def audit(
        self,
        labelled: Labelled[Proteins],
        configuration: EnzymeConfiguration,
        partition: Partition | None,
        listener: Listener,
    ) -> list[Finding]:
        """Count proteins without a domain, and test proteins whose near twin is in train."""
        del configuration, listener
        examples = labelled.examples
        count = int((np.diff(examples.inputs.domains.matrix.indptr) == 0).sum())
        share = count / len(examples)
        text = (
            f"{count:,} of {len(examples):,} proteins ({share:.1%}) have no domain of the profile set. For them the "
            "model has no domain to go on."
        )
        findings = [Finding("proteins without any domain", count, "warning" if share > 0.2 else "info", text)]
        sequences = examples.inputs.sequences
        if sequences is None:
            return findings
        findings += _repeated_sequences(examples)
        if partition is None:
            return findings
        nearest = nearest_similarity(
            sequences.gather(partition.test).to_list(), sequences.gather(partition.train).to_list()
        )
        near = int((nearest >= NEAR_IDENTICAL).sum())
        text = (
            f"{near:,} of {len(partition.test):,} test proteins share at least {NEAR_IDENTICAL:.0%} of their words of "
            "five residues with a protein in train."
        )
        return [
            *findings,
            Finding("near-identical sequences across the split", near, "warning" if near else "info", text),
        ]

    def fit_encoder(
        self, train: Examples[Proteins], configuration: EnzymeConfiguration, listener: Listener
    ) -> ProteinEncoder:
        """Learn the features of the training proteins."""
        del listener
        settings = configuration.network
        return ProteinEncoder.fit(train.inputs, names=settings.names, composition=settings.composition)

    def load_encoder(self, state: EncoderState) -> ProteinEncoder:
        """Read the encoder of a bundle."""
        return ProteinEncoder.from_state(state)

    def network(self, encoder: Encoder[Proteins], task: Task, configuration: EnzymeConfiguration) -> nn.Module:
        """Build the dense network."""
        settings, known = configuration.network, _protein_encoder(encoder)
        return EnzymeNetwork(
            known.size,
            len(known.vocabulary),
            settings.hidden,
            task.outputs,
            dropout=settings.dropout,
            domain_dropout=settings.domain_dropout,
        )

    def baselines(self, encoder: Encoder[Proteins]) -> Sequence[Baseline]:
        """Guess the majority, weigh each domain, look up the proteins that share most domains."""

        def vectors(examples: Examples[Proteins]) -> Features:
            return _protein_encoder(encoder).matrix(examples.inputs)

        def everything(examples: Examples[Proteins]) -> Features:
            return _protein_encoder(encoder).encode(examples.inputs).matrix(_protein_encoder(encoder).size)

        linear = logistic_regression_baseline(everything, "everything that the network reads")
        return (
            majority_baseline(),
            logistic_regression_baseline(vectors, "the plain domain vectors"),
            replace(linear, name="logistic regression on all inputs"),
            nearest_neighbour_baseline(vectors, "domains"),
        )

    def probes(self, train: Examples[Proteins]) -> Sequence[Probe]:
        """See what length and composition, and the number of domains, give away."""
        probes = [Probe("number of domains", _domain_counts)]
        if train.inputs.sequences is not None:
            probes.insert(0, Probe("length and composition", _length_and_composition))
        return probes

    def subsets(self, test: Examples[Proteins], encoder: Encoder[Proteins]) -> Mapping[str, Bool[np.ndarray, "tested"]]:
        """Look apart at the proteins about which the network has something to go on."""
        known = _protein_encoder(encoder).known(test.inputs)
        return {KNOWN: known, NOTHING_KNOWN: ~known}

    def columns(self, inputs: Proteins, encoder: Encoder[Proteins]) -> pl.DataFrame:
        """List the domains found, and say when the model has nothing to go on."""
        known = _protein_encoder(encoder).known(inputs)
        return pl.DataFrame(
            {
                "domains": pl.Series([";".join(names) for names in inputs.domains.sets()], dtype=pl.String),
                "evidence": pl.Series(np.where(known, KNOWN, NOTHING_KNOWN).tolist(), dtype=pl.String),
            }
        )

    def explain(self, predictor: Predictor[Proteins], examples: Examples[Proteins], listener: Listener) -> Explanation:
        """Attribute each prediction to the domains of the protein."""
        attribution = _attribute(predictor, examples, listener)
        return Explanation(attribution, pages.explanation(predictor, examples, attribution))

    def insights(
        self, predictor: Predictor[Proteins], parts: Mapping[Part, Examples[Proteins]], listener: Listener
    ) -> Insights:
        """Rank the domains that matter most over the test proteins, or some drawn at random where there are many."""
        test = parts["test"]
        drawn = np.sort(np.random.default_rng(0).permutation(len(test))[:INSIGHT_EXAMPLES])
        attribution = _attribute(predictor, test.take(drawn), listener)
        explained = min(len(test), INSIGHT_EXAMPLES)
        return Insights(pages.top_domains(attribution, explained=explained, total=len(test)))

    def simulate(self, folder: Path, count: int, seed: int) -> Simulated:
        """Write proteins in which deciding families are planted."""
        return simulate(folder, count, seed)


def _protein_encoder(encoder: Encoder[Proteins]) -> ProteinEncoder:
    assert isinstance(encoder, ProteinEncoder)
    return encoder


def _attribute(predictor: Predictor[Proteins], examples: Examples[Proteins], listener: Listener) -> Attribution:
    encoded = _protein_encoder(predictor.encoder).encode(examples.inputs)
    labels = predictor.outputs(examples.inputs).argmax(axis=1)
    return explain_features(predictor, encoded, examples.ids.tolist(), labels, listener=listener)


def _repeated_sequences(examples: Examples[Proteins]) -> list[Finding]:
    """Find one sequence under several ids, and those of them whose answers differ."""
    table = pl.DataFrame(
        {"id": examples.ids.tolist(), "sequence": examples.inputs.sequences, "target": examples.targets}
    )
    repeated = (
        table.group_by("sequence", maintain_order=True)
        .agg("id", pl.col("target").n_unique())
        .filter(pl.col("id").list.len() > 1)
    )
    if repeated.is_empty():
        return [Finding("repeated sequences", 0, "info", "No two proteins have the same sequence.")]
    count = int(repeated["id"].list.len().sum())
    text = f"{count:,} proteins share their sequence with another one; the cluster split keeps them together."
    findings = [Finding("repeated sequences", count, "info", text)]
    conflicts = repeated.filter(pl.col("target") > 1)
    if not conflicts.is_empty():
        shown = "; ".join(" and ".join(ids[:3]) for ids in conflicts["id"].head(5).to_list())
        text = f"{len(conflicts):,} sequences stand under several ids with different answers, such as {shown}."
        findings.append(Finding("conflicting sequences", len(conflicts), "warning", text))
    return findings


def _domain_counts(examples: Examples[Proteins]) -> Float[np.ndarray, "proteins one"]:
    return np.diff(examples.inputs.domains.matrix.indptr).astype(np.float64).reshape(-1, 1)


def _length_and_composition(examples: Examples[Proteins]) -> Float[np.ndarray, "proteins columns"]:
    sequences = examples.inputs.sequences
    assert sequences is not None
    return describe_sequences(sequences)
