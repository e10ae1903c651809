"""Read proteins, turn them into tensors, and write proteins in which the truth is known."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped

from primase.apps.signal_peptide.app import SignalData
from primase.apps.workflow import Labelled, Simulated
from primase.bio.alphabets import PROTEIN
from primase.bio.fasta import SequenceRecord, read_fasta, write_fasta
from primase.data.encoding import Batch, Encoder, EncoderState
from primase.data.examples import Examples, Indices
from primase.data.tasks import Task
from primase.errors import InputError

STREAM_BLOCK: Final = 4096
TASK: Final = Task("binary", ("no signal peptide", "signal peptide"))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Proteins:
    """Protein sequences by position: what the network sees, before encoding."""

    sequences: Shaped[np.ndarray, "proteins"]

    def __len__(self) -> int:
        """Return the number of proteins."""
        return len(self.sequences)

    def take(self, indices: Indices) -> Proteins:
        """Return the proteins at these positions, in this order."""
        return Proteins(self.sequences[indices])

    @classmethod
    def concatenate(cls, blocks: Sequence[Proteins]) -> Proteins:
        """Join blocks of proteins."""
        return cls(np.concatenate([block.sequences for block in blocks]))


@final
@dataclass(frozen=True, slots=True, eq=False)
class EncodedStarts:
    """The share of each amino acid among the first residues."""

    shares: Float[np.ndarray, "proteins letters"]

    def __len__(self) -> int:
        """Return the number of proteins."""
        return len(self.shares)

    def batch(self, indices: Indices) -> Batch:
        """Return ``features`` (numbers of the amino acids, from 1) and ``weights`` (their shares)."""
        weights = torch.from_numpy(self.shares[indices])
        features = torch.arange(1, weights.shape[1] + 1).expand(len(weights), -1)
        return {"features": features, "weights": weights}

    @property
    def owner_names(self) -> Sequence[str]:
        """What an explanation names: the amino acids."""
        return list(PROTEIN.letters)

    def batch_owners(self, indices: Indices) -> Int[np.ndarray, "batch letters"]:
        """Return the amino acid that each feature speaks for, -1 where there is none of it."""
        return np.where(self.shares[indices] > 0, np.arange(self.shares.shape[1]), -1)


@final
@dataclass(frozen=True, slots=True)
class StartEncoder(Encoder[Proteins]):
    """Counts the amino acids among the first residues; there is nothing to fit, only a length to remember."""

    residues: int

    def encode(self, inputs: Proteins) -> EncodedStarts:
        """Count."""
        starts = [sequence[: self.residues] for sequence in inputs.sequences]
        counts = [[start.count(letter) / len(start) for letter in PROTEIN.letters] for start in starts]
        return EncodedStarts(np.array(counts, dtype=np.float32).reshape(-1, len(PROTEIN.letters)))

    def state(self) -> EncoderState:
        """Return the number of residues."""
        return EncoderState({"residues": self.residues})


def read_labelled(data: SignalData) -> Labelled[Proteins]:
    """Read both files; one id in both is wrong."""
    if data.positives is None or data.negatives is None:
        what = "there is no input"
        raise InputError(what, wanted="--positives FASTA --negatives FASTA")
    negatives, positives = list(read_fasta(data.negatives)), list(read_fasta(data.positives))
    both = {record.id for record in negatives} & {record.id for record in positives}
    if both:
        what = "one id is in both files"
        raise InputError(what, where=f"{data.positives}, {data.negatives}", got=min(both))
    targets = np.repeat([0, 1], [len(negatives), len(positives)])
    return Labelled(_examples([*negatives, *positives], targets), TASK)


def stream_unlabelled(path: Path) -> Iterator[Examples[Proteins]]:
    """Read a file of any size block by block."""
    records = read_fasta(path)
    while block := list(itertools.islice(records, STREAM_BLOCK)):
        yield _examples(block, np.full(len(block), -1))


def _examples(records: Sequence[SequenceRecord], targets: Shaped[np.ndarray, "proteins"]) -> Examples[Proteins]:
    ids = np.array([record.id for record in records], dtype=object)
    sequences = np.array([record.sequence for record in records], dtype=object)
    return Examples(ids=ids, inputs=Proteins(sequences), targets=targets)


def simulate(folder: Path, count: int, seed: int) -> Simulated:
    """Write proteins of random residues, half of them with a hydrophobic core near the start."""
    generator = np.random.default_rng(seed)

    def draw(letters: str, length: int) -> str:
        return "".join(generator.choice(list(letters), size=length))

    records: dict[str, list[SequenceRecord]] = {"positives": [], "negatives": []}
    planted = []
    for number in range(count):
        name, start, core = f"protein_{number:05}", "M" + draw("KRNQS", 3), ""
        if number % 2:
            core = draw("LAVFI", int(generator.integers(10, 16)))
            planted.append({"id": name, "start": len(start), "end": len(start + core), "motif": "hydrophobic core"})
        sequence = start + core + draw(PROTEIN.letters, int(generator.integers(80, 200)))
        records["positives" if core else "negatives"].append(SequenceRecord(name, "", sequence))
    for name, written in records.items():
        write_fasta(folder / f"{name}.fa", written)
    return Simulated(["--positives", "positives.fa", "--negatives", "negatives.fa"], planted)
