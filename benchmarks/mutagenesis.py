"""How long in-silico mutagenesis takes: ours beside tangermeme's, on the same networks, sequences and thread.

Both replace every letter of every sequence by every other one. The networks are the package's own with random weights:
the convolutional one of rna-binding, and the recurrent one of dna-function (small) on one strand. Rounds alternate, and
the least of each counts. tangermeme is no dependency: install it beside the package (``pip install tangermeme``).

    python benchmarks/mutagenesis.py --out benchmarks/results/mutagenesis.jsonl
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tangermeme.saturation_mutagenesis import saturation_mutagenesis
from torch import nn

from journal import Journal, print_rows
from primase.apps.dna_function.app import PRESETS
from primase.apps.dna_function.model import DnaNetwork
from primase.apps.rna_binding.model import RnaNetwork
from primase.bio.nucleotides import FRACTIONS
from primase.data.sequences import SequenceEncoder, Sequences
from primase.data.tasks import Task
from primase.evaluation.calibration import NoCalibration
from primase.insight.mutagenesis import mutate_everywhere
from primase.predictor.predictor import Predictor

TASK = Task("binary", ("no", "yes"))
BATCHES = (32, 256, 1024)


class OnOneHot(nn.Module):
    """The log-odds of the second label, as tangermeme wants its models: one-hot columns in, one column out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, onehot: torch.Tensor) -> torch.Tensor:
        """Compute the log-odds."""
        logits = self.network(onehot)
        return logits[:, 1:] - logits[:, :1]


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--summary", action="store_true", help="measure nothing, only print the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    journal = Journal(options.out)
    cases = [("convolutional", 101, 16), ("convolutional", 400, 6), ("recurrent", 200, 2)]
    for name, length, count in [] if options.summary else cases:
        key = {"network": name, "length": length, "sequences": count}
        if not journal.matching(key):
            journal.add(key, measure(name, length, count, options.rounds))
    rows = [
        ["network", "length", "ours, ms a sequence", "tangermeme, ms a sequence", "tangermeme / ours", "difference"]
    ]
    for record in journal.records:
        figures = [f"{record[who] * 1000 / record['sequences']:.0f}" for who in ("ours", "tangermeme")]
        ratio = f"{record['tangermeme'] / record['ours']:.1f}"
        rows.append([record["network"], str(record["length"]), *figures, ratio, f"{record['difference']:.1e}"])
    print_rows(rows)


def measure(name: str, length: int, count: int, rounds: int) -> dict[str, Any]:
    """Run both in turn, and compare what they say."""
    torch.manual_seed(0)
    network = RnaNetwork() if name == "convolutional" else DnaNetwork(length, 2, **PRESETS["small"])
    network.eval()
    codes = 1 << np.random.default_rng(0).integers(4, size=(count, length)).astype(np.uint8)
    encoder = SequenceEncoder(length)
    predictor = Predictor(TASK, encoder, (network,), NoCalibration())
    encoded = encoder.encode(Sequences.from_codes(list(codes.astype(np.uint8))))
    onehot = torch.from_numpy(FRACTIONS[codes].transpose(0, 2, 1).copy())
    labels = np.ones(count, dtype=np.int64)
    theirs: dict[int, Callable[[], Any]] = {
        batch: lambda batch=batch: saturation_mutagenesis(
            OnOneHot(network), onehot, batch_size=batch, raw_outputs=True, device="cpu"
        )
        for batch in BATCHES
    }
    ours, others = [], {batch: [] for batch in BATCHES}
    for _ in range(rounds):
        found, seconds = timed(lambda: mutate_everywhere(predictor, encoded, labels))
        ours.append(seconds)
        for batch, run in theirs.items():
            raw, seconds = timed(run)
            others[batch].append(seconds)
    best = min(others, key=lambda batch: min(others[batch]))
    changed = raw.y_hat.squeeze(-1).numpy() - raw.y0.reshape(-1, 1, 1).numpy()
    return {
        "ours": min(ours),
        "tangermeme": min(others[best]),
        "batch_size": best,
        "difference": float(np.abs(found.changes - changed).max()),
        "rounds": rounds,
        "date": time.strftime("%Y-%m-%d"),
    }


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """Run once."""
    started = time.perf_counter()
    found = run()
    return found, time.perf_counter() - started


if __name__ == "__main__":
    main()
