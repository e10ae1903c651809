"""The work of the ninth application: residue shares into a small dense network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn

from primase.apps.workflow import Explanation, Labelled, Simulated, Workflow
from primase.bio.fasta import SequenceRecord, read_fasta, write_fasta
from primase.data.encoding import Batch, Encoder, EncoderState
from primase.data.examples import Examples, Indices
from primase.data.splits import Groups
from primase.data.tasks import Task
from primase.errors import InputError
from primase.evaluation.baselines import Baseline, logistic_regression_baseline, majority_baseline
from primase.evaluation.probes import Probe
from primase.events import Listener
from primase.insight.attribution import SCHEMA, Attribution
from primase.predictor.predictor import Predictor
from primase.report.sections import Paragraph, Section

from .app import ThermophilyConfiguration

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
TASK = Task.from_labels(("tender", "hardy"))


@final
@dataclass(frozen=True, eq=False)
class Chains:
    """Proteins by position."""

    sequences: np.ndarray[Any, Any]

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, indices: Indices) -> Chains:
        """Return the proteins at these positions."""
        return Chains(self.sequences[indices])

    @classmethod
    def concatenate(cls, blocks: Sequence[Chains]) -> Chains:
        """Join blocks of proteins."""
        return cls(np.concatenate([block.sequences for block in blocks]))

    def shares(self) -> Float[np.ndarray, "proteins letters"]:
        """Measure the share of each residue."""
        return np.array([[text.count(letter) / len(text) for letter in LETTERS] for text in self.sequences])


@final
@dataclass(frozen=True, eq=False)
class EncodedShares:
    """Standardised residue shares."""

    values: Float[np.ndarray, "proteins letters"]

    def __len__(self) -> int:
        return len(self.values)

    def batch(self, indices: Indices) -> Batch:
        """Return the shares of some proteins."""
        return {"shares": torch.from_numpy(self.values[indices]).float()}


@final
@dataclass(frozen=True)
class ShareEncoder(Encoder[Chains]):
    """Standardises residue shares by those of the training part."""

    arrays: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    def encode(self, inputs: Chains) -> EncodedShares:
        """Standardise."""
        return EncodedShares((inputs.shares() - self.arrays["mean"]) / self.arrays["deviation"])

    def state(self) -> EncoderState:
        """Return the mean and the deviation."""
        return EncoderState({"letters": LETTERS}, dict(self.arrays))


@final
class ThermophilyNetwork(nn.Module):
    """One hidden layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(len(LETTERS), width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, shares: Float[Tensor, "batch letters"]) -> Float[Tensor, "batch labels"]:
        """Compute the logits."""
        return self.layers(shares)


@final
class ThermophilyWorkflow(Workflow[Chains, ThermophilyConfiguration]):
    """Composition to a dense network."""

    def read(self, configuration: ThermophilyConfiguration, task: Task | None, listener: Listener) -> Labelled[Chains]:
        """Read two FASTA files."""
        ids, sequences, targets = [], [], []
        for target, path in enumerate((configuration.data.negatives, configuration.data.positives)):
            if path is None:
                what = "there is no input"
                raise InputError(what, wanted="--positives FASTA --negatives FASTA")
            for record in read_fasta(path):
                ids.append(record.id)
                sequences.append(record.sequence)
                targets.append(target)
        return Labelled(_examples(ids, sequences, targets), task or TASK)

    def stream(
        self, path: Path, configuration: ThermophilyConfiguration, encoder: Encoder[Chains], listener: Listener
    ) -> Iterator[Examples[Chains]]:
        """Read one FASTA file."""
        records = list(read_fasta(path))
        ids, sequences = [record.id for record in records], [record.sequence for record in records]
        yield _examples(ids, sequences, [-1] * len(records))

    def units(
        self, examples: Examples[Chains], policy: str, configuration: ThermophilyConfiguration, listener: Listener
    ) -> Groups:
        """Every protein alone."""
        return np.arange(len(examples))

    def unit_name(self, policy: str) -> str:
        """Name one."""
        return "protein"

    def policy(self, examples: Examples[Chains], configuration: ThermophilyConfiguration) -> str:
        """Draw at random."""
        return "random"

    @property
    def input_name(self) -> str:
        """Name what is compared."""
        return "composition"

    def fingerprints(self, inputs: Chains) -> np.ndarray[Any, Any]:
        """Compositions that are equal give equal answers."""
        return np.array([str(row) for row in inputs.shares()], dtype=object)

    def fit_encoder(
        self, train: Examples[Chains], configuration: ThermophilyConfiguration, listener: Listener
    ) -> ShareEncoder:
        """Measure the mean and the deviation."""
        del listener
        shares = train.inputs.shares()
        return ShareEncoder({"mean": shares.mean(axis=0), "deviation": shares.std(axis=0) + 1e-6})

    def load_encoder(self, state: EncoderState) -> ShareEncoder:
        """Take them from a bundle."""
        return ShareEncoder(state.arrays)

    def network(self, encoder: Encoder[Chains], task: Task, configuration: ThermophilyConfiguration) -> nn.Module:
        """Build the network."""
        return ThermophilyNetwork(configuration.network.width)

    def baselines(self, encoder: Encoder[Chains]) -> Sequence[Baseline]:
        """Guess, and weigh each residue."""
        return (
            majority_baseline(),
            logistic_regression_baseline(lambda examples: examples.inputs.shares(), "the same"),
        )

    def probes(self, train: Examples[Chains]) -> Sequence[Probe]:
        """See what the length gives away."""
        return [Probe("length", lambda examples: np.array([[float(len(text))] for text in examples.inputs.sequences]))]

    def columns(self, inputs: Chains, encoder: Encoder[Chains]) -> pl.DataFrame:
        """Say how long each protein is."""
        return pl.DataFrame({"residues": [len(text) for text in inputs.sequences]})

    def explain(self, predictor: Predictor[Chains], examples: Examples[Chains], listener: Listener) -> Explanation:
        """Set one share to its mean at a time."""
        values = predictor.encoder.encode(examples.inputs).values
        labels = torch.from_numpy(predictor.outputs(examples.inputs).argmax(axis=1))
        score = predictor.scorer()
        rows = []
        for column, letter in enumerate(LETTERS):
            without = values.copy()
            without[:, column] = 0
            with torch.inference_mode():
                whole, rest = (
                    score({"shares": torch.from_numpy(array).float()}, labels).tolist() for array in (values, without)
                )
            names = [predictor.task.labels[label] for label in labels.tolist()]
            effects = [before - after for before, after in zip(whole, rest, strict=True)]
            rows += [
                (name, target, letter, None, effect, "ablation")
                for name, target, effect in zip(examples.ids, names, effects, strict=True)
            ]
        table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        return Explanation(Attribution(table, None), [Section("Residues", [Paragraph("As measured.")])])

    def simulate(self, folder: Path, count: int, seed: int) -> Simulated:
        """Write proteins of which the hardy ones are rich in glutamate."""
        generator = np.random.default_rng(seed)
        planted = []
        for name, boost in (("positives", 4.0), ("negatives", 1.0)):
            weights = np.array([boost if letter == "E" else 1.0 for letter in LETTERS])
            records = []
            for number in range(count // 2):
                letters = generator.choice(list(LETTERS), size=generator.integers(50, 150), p=weights / weights.sum())
                records.append(SequenceRecord(f"{name}_{number}", "", "".join(letters)))
            write_fasta(folder / f"{name}.fa", records)
            planted += [{"id": record.id, "feature": "E"} for record in records if boost > 1]
        return Simulated(["--positives", "positives.fa", "--negatives", "negatives.fa"], planted)


def _examples(ids: Sequence[str], sequences: Sequence[str], targets: Sequence[int]) -> Examples[Chains]:
    return Examples(
        ids=np.array(ids, dtype=object),
        inputs=Chains(np.array(sequences, dtype=object)),
        targets=np.array(targets, dtype=np.int64),
    )
