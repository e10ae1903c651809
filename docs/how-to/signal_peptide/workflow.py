"""The work of the application, question by question, in the order in which the pipeline asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import final

import numpy as np
import polars as pl
from jaxtyping import Float

from primase.apps.signal_peptide.app import SignalConfiguration
from primase.apps.signal_peptide.data import Proteins, StartEncoder, read_labelled, simulate, stream_unlabelled
from primase.apps.signal_peptide.model import SignalNetwork
from primase.apps.workflow import Explanation, Labelled, Simulated, Workflow
from primase.bio.alphabets import PROTEIN
from primase.bio.similarity import cluster_sequences
from primase.data.audit import Fingerprints
from primase.data.encoding import Encoder, EncoderState
from primase.data.examples import Examples
from primase.data.splits import Groups
from primase.data.tasks import Task
from primase.evaluation.baselines import Baseline, logistic_regression_baseline, majority_baseline
from primase.evaluation.probes import Probe
from primase.events import Listener
from primase.insight.features import ABLATION, explain_features
from primase.predictor.predictor import Predictor
from primase.report.sections import Paragraph, Section, Table


@final
class SignalWorkflow(Workflow[Proteins, SignalConfiguration]):
    """Composition of the start of a protein, to two dense layers."""

    def read(self, configuration: SignalConfiguration, task: Task | None, listener: Listener) -> Labelled[Proteins]:
        """Read two FASTA files; the labels are always the same two."""
        del task, listener
        return read_labelled(configuration.data)

    def stream(
        self, path: Path, configuration: SignalConfiguration, encoder: Encoder[Proteins], listener: Listener
    ) -> Iterator[Examples[Proteins]]:
        """Read a FASTA file of any size."""
        del configuration, encoder, listener
        return stream_unlabelled(path)

    def policy(self, examples: Examples[Proteins], configuration: SignalConfiguration) -> str:
        """Keep similar proteins together unless told otherwise."""
        del examples
        return "cluster" if configuration.split.split == "auto" else configuration.split.split

    def units(
        self, examples: Examples[Proteins], policy: str, configuration: SignalConfiguration, listener: Listener
    ) -> Groups:
        """Find what a split must not tear apart."""
        del configuration
        if policy == "random":
            return np.arange(len(examples))
        return cluster_sequences(examples.inputs.sequences.tolist(), listener=listener)

    def unit_name(self, policy: str) -> str:
        """Say what one unit is, in the singular."""
        return "protein" if policy == "random" else "homology cluster"

    @property
    def input_name(self) -> str:
        """Name the input, in the singular."""
        return "sequence"

    def fingerprints(self, inputs: Proteins) -> Fingerprints:
        """Return a text that is equal only for proteins which the network cannot tell apart from their sequence."""
        return inputs.sequences

    def fit_encoder(
        self, train: Examples[Proteins], configuration: SignalConfiguration, listener: Listener
    ) -> StartEncoder:
        """Remember how much of each protein is looked at."""
        del train, listener
        return StartEncoder(configuration.network.residues)

    def load_encoder(self, state: EncoderState) -> StartEncoder:
        """Make the encoder of a bundle again."""
        return StartEncoder(int(state.facts["residues"]))

    def network(self, encoder: Encoder[Proteins], task: Task, configuration: SignalConfiguration) -> SignalNetwork:
        """Build the untrained network."""
        del encoder
        return SignalNetwork(len(PROTEIN.letters), configuration.network.hidden, task.outputs)

    def baselines(self, encoder: Encoder[Proteins]) -> Sequence[Baseline]:
        """Name the simpler models that the network must beat."""

        def composition(examples: Examples[Proteins]) -> Float[np.ndarray, "proteins letters"]:
            assert isinstance(encoder, StartEncoder)
            return encoder.encode(examples.inputs).shares

        return (majority_baseline(), logistic_regression_baseline(composition, "the same composition"))

    def probes(self, train: Examples[Proteins]) -> Sequence[Probe]:
        """See what the length alone gives away."""
        del train
        return [Probe("length", _lengths)]

    def columns(self, inputs: Proteins, encoder: Encoder[Proteins]) -> pl.DataFrame:
        """Say beside each prediction what it rests on."""
        assert isinstance(encoder, StartEncoder)
        return pl.DataFrame({"start": [sequence[: encoder.residues] for sequence in inputs.sequences]})

    def explain(self, predictor: Predictor[Proteins], examples: Examples[Proteins], listener: Listener) -> Explanation:
        """Attribute each prediction to the amino acids at the start."""
        labels = predictor.outputs(examples.inputs).argmax(axis=1)
        encoder = predictor.encoder
        assert isinstance(encoder, StartEncoder)
        encoded = encoder.encode(examples.inputs)
        found = explain_features(predictor, encoded, examples.ids.tolist(), labels, listener=listener)
        effects = (
            found.of(ABLATION).group_by("target", "feature").agg(pl.col("value").mean()).sort("value", descending=True)
        )
        how = "The effect is how far the log-odds of the answer fall when this amino acid is not counted."
        table = Table(["Answer", "Amino acid", "Mean effect"], effects.rows(), "Amino acids that speak for an answer.")
        return Explanation(found, [Section("What the start says", [Paragraph(how), table])])

    def simulate(self, folder: Path, count: int, seed: int) -> Simulated:
        """Write proteins in which the truth is known."""
        return simulate(folder, count, seed)


def _lengths(examples: Examples[Proteins]) -> Float[np.ndarray, "proteins one"]:
    return np.array([[float(len(sequence))] for sequence in examples.inputs.sequences])
